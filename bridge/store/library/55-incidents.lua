-- ---- incidents by hand -----------------------------------------------------------------------------
-- What a person does with an incident is one call: acknowledge it, close it, leave a note, merge it into another, split
-- alerts off. It is written to the audit and as a record of the kind `act` to the timeline, with who. What stays of it is
-- in the hash `incident:ID:hand`. What is so already is done again without a word, so every call may be sent twice; a note
-- is there twice then.
--
-- A closed incident takes no more alerts. Those that fire in it fire on, and are counted no more; what they do later
-- (a resolve) stands on its timeline. Runs that have not begun are cancelled: at once where they are few, else when a
-- worker would get them. What has begun goes on, with the steps behind it. What waits for `for` is dropped when it is due.
--
-- A merged incident is closed and says into which one; that one has its counts, timeline and runs besides its own. Alerts,
-- runs and correlation keys go on to name the merged one and are led on where they are read (merged_into): so a merge
-- costs the same however many there are. One merged into one that is merged itself then is led to the last at once.
local incident_act
do

local CLOSE_RUNS = 1000 -- runs that a close cancels at once; a worker that asks for a further one finds it cancelled

local MERGED = 100 -- incidents that were merged into one, by whatever way
local LABEL_MAX = 256 -- bytes of a label that an incident is filed under: STORE_LABEL_MAX in store.h

local function hand_of(p, id)
	return map_of(call('HGETALL', hand_key(p, id)))
end

local function refused(o, why)
	return {err = "STATE incident '" .. o.id .. "' " .. why}
end

-- The record and the line of the act, and its words for the audit; rest: more members, each with a comma before it.
-- Returns the record's entry id.
local function tell(t, o, inc, rest)
	local record = plan_add(t, 'act', inc.id, '[]', '{"what":"' .. o.act .. '","who":' .. quote(o.who) .. ',"text":' ..
		quote(o.text) .. ',"incident":"' .. inc.id .. '"' .. (rest or '') .. '}')
	touch(t, inc)
	add_line(inc, record)
	o.audit = '{"time":"' .. received() .. '","what":"' .. o.act .. '","who":' .. quote(o.who) .. ',"incident":"' ..
		inc.id .. '"' .. (rest or '') .. ',"reason":' .. quote(o.text) .. '}'
	return record
end

-- ---- runs that have not begun ----

local function closed_why(who, reason)
	return 'its incident was closed by ' .. who .. ': ' .. reason
end

-- The first runs of chains of which nobody has begun any, at most CLOSE_RUNS.
local function not_begun(p, id)
	local ids, found = call('LRANGE', p .. 'incident:' .. id .. ':runs', 0, -1), {}
	for from = 1, #ids, 1000 do
		local some = {spread(ids, from, math.min(from + 999, #ids))}
		local live = call('ZMSCORE', p .. 'runs:live', spread(some))
		for i = 1, #some do
			local v = live[i] and call('HMGET', p .. 'run:' .. some[i], 'first', 'attempt', 'prev')
			if v and v[1] == '1' and (v[2] or '') == '' and (v[3] or '') == '' and untouched(p, run_get(p, some[i])) then
				found[#found + 1] = some[i]
				if #found == CLOSE_RUNS then
					return found
				end
			end
		end
	end
	return found
end

-- Of a run that a worker would get: cancels it where its incident was closed before it began. r from run_get.
function cancel_closed(p, r, now)
	local first = r.incident ~= '' and untouched(p, r)
	if not first then
		return false
	end
	local v = call('HMGET', hand_key(p, r.incident), 'closed', 'closed_by', 'reason')
	if not v[1] or r.id > v[1] then
		return false
	end
	cancel_chain(p, first, now, v[2], closed_why(v[2], v[3]))
	return true
end

-- ---- the acts ----
-- o: act, id, who, text, argv; to be filled in: shown, the incident to answer with; sets, a list of an incident's id and a
-- list of fields and values of its hash; drop, a list of fields; cancel, runs; lists, by key what takes the place of a list;
-- done, where there is nothing to do. h: its hash. Each returns an error or nothing.
local acts = {}

function acts.ack(t, o, inc, h)
	if h.acked then
		o.done = true
		return
	elseif inc.status ~= 'open' then
		return refused(o, 'is ' .. inc.status .. ', and only an open one is acknowledged; leave a note on it instead')
	end
	tell(t, o, inc)
	o.sets = {o.id, {'acked', now_text, 'acked_by', o.who}}
end

function acts.unack(t, o, inc, h)
	if not h.acked then
		o.done = true
		return
	end
	tell(t, o, inc)
	o.drop = {'acked', 'acked_by'}
end

function acts.close(t, o, inc)
	if inc.status == 'closed' then
		o.done = true
		return
	end
	inc.status, inc.firing = 'closed', '0'
	if inc.resolved == '0' then
		inc.resolved = now_text
	end
	local record = tell(t, o, inc)
	o.sets = {o.id, {'closed', ulid_of(record), 'closed_by', o.who, 'reason', o.text}}
	o.cancel = not_begun(t.p, inc.id)
end

function acts.note(t, o, inc)
	tell(t, o, inc)
end

-- ---- merge ----

-- Is line a of a timeline later than b? They begin with entry ids, whose ms have 13 digits.
local function later(a, b)
	local x, y = sub(a, 1, 13), sub(b, 1, 13)
	if x == y then
		return num(match(a, '^%d+%-(%d+)')) > num(match(b, '^%d+%-(%d+)'))
	end
	return x > y
end

-- Lines in order, each entry and each alert's joining once. Returns how many alerts had joined twice, too.
local function once(lines)
	local out, n, named, twice, last = {}, 0, {}, 0, ''
	for i = 1, #lines do
		local line = lines[i]
		local at = find(line, '+', 14, true)
		local entry, name = line, false
		if at then
			entry, name = sub(line, 1, at - 1), sub(line, at + 1)
		end
		if name and named[name] then
			line, twice = entry, twice + 1
		elseif name then
			named[name] = true
		end
		if entry ~= last then
			n, last = n + 1, entry
			out[n] = line
		elseif #line > #out[n] then
			out[n] = line
		end
	end
	return out, twice
end

-- head, then the latest TIMELINE of list; how many of it went.
local function bounded(head, list)
	local over, n = math.max(0, #list - TIMELINE), #head
	for i = over + 1, #list do
		head[n + i - over] = list[i]
	end
	return head, over
end

local function weave_lists(t, o, from, into, record)
	local key, other = t.p .. 'incident:' .. into.id, t.p .. 'incident:' .. from.id
	local lines, twice = once(woven(call('LRANGE', key .. ':timeline', 2, -1), call('LRANGE', other .. ':timeline', 2, -1),
		later))
	lines[#lines + 1] = record
	local runs = woven(call('LRANGE', key .. ':runs', 0, -1), call('LRANGE', other .. ':runs', 0, -1), function(a, b)
		return a > b
	end)
	local timeline, over = bounded(call('LRANGE', key .. ':timeline', 0, 1), lines)
	o.lists = {[key .. ':timeline'] = timeline, [key .. ':runs'] = (bounded({}, runs))}
	return twice, over
end

local function greater(a, b)
	return num(a) > num(b) and a or b
end

-- into gets what from has.
local function add_up(t, from, into, twice)
	into.alerts, into.firing = text(into.alerts + from.alerts - twice), text(into.firing + from.firing)
	into.runs, into.truncated = text(into.runs + from.runs), greater(into.truncated, from.truncated)
	into.severity, into.updated = greater(into.severity, from.severity), greater(into.updated, from.updated)
	if num(from.opened) < num(into.opened) then
		into.opened = from.opened
	end
	for source in string.gmatch(from.sources, '"[^"\\]*"') do
		add_source(into, source)
	end
	if from.status == 'open' and into.status == 'resolved' then
		into.status, into.resolved, into.unack = 'open', '0', true
	elseif into.status == 'resolved' then
		into.resolved = greater(into.resolved, from.resolved)
	end
	merge_labels(t, from, into)
end

-- Why it cannot be, or nil.
local function no_merge(o, inc, target, target_hand)
	if target.id == inc.id then
		return 'cannot be merged into itself; name another one'
	elseif target_hand.merged_into then
		return "cannot be merged into '" .. target.id .. "', which was merged itself; name '" ..
			target_hand.merged_into .. "'"
	elseif target.status == 'closed' then
		return "cannot be merged into '" .. target.id .. "', which is closed and takes no more; name one that is open or " ..
			'resolved'
	elseif inc.status == 'closed' then
		return 'is closed, and what fires in it is counted no more; merge one that is open or resolved, or leave a note'
	end
end

function acts.merge(t, o, inc, h)
	local v = call('GET', t.p .. 'incident:' .. o.argv[5])
	if not v then
		return {err = "NOTFOUND there is no incident '" .. o.argv[5] .. "' to merge into"}
	end
	local target, th = read_tail(read_incident(o.argv[5], v)), hand_of(t.p, o.argv[5])
	local why = no_merge(o, inc, target, th)
	local before = (th.merged and th.merged .. ' ' or '') .. (h.merged and h.merged .. ' ' or '')
	if why then
		return refused(o, why)
	elseif #before / 27 >= MERGED then
		return refused(o, "cannot be merged into '" .. target.id .. "' besides " .. text(#before / 27) ..
			' others, which is as many as one takes (MERGED, ' .. MERGED .. '); close it instead')
	end
	local record = tell(t, o, inc, ',"into":"' .. target.id .. '"')
	local twice, over = weave_lists(t, o, inc, target, record)
	touch(t, target)
	add_up(t, read_tail(inc), target, twice)
	inc.status, inc.firing = 'closed', '0'
	if inc.resolved == '0' then
		inc.resolved = now_text
	end
	local mine = {'merged', before .. inc.id}
	if over > 0 or h.dropped then
		mine[#mine + 1], mine[#mine + 2] = 'dropped', text(over + (th.dropped or 0) + (h.dropped or 0))
	end
	if h.flaps then
		mine[#mine + 1], mine[#mine + 2] = 'flaps', greater(h.flaps, th.flaps or '0')
	end
	o.sets = {target.id, mine, inc.id,
		{'merged_into', target.id, 'closed', ulid_of(record), 'closed_by', o.who, 'reason', o.text}}
	for id in string.gmatch(h.merged or '', '%w+') do
		if call('EXISTS', t.p .. 'incident:' .. id) == 1 then
			o.sets[#o.sets + 1], o.sets[#o.sets + 2] = id, {'merged_into', target.id}
		end
	end
	topology.merged(t, inc.id, target.id)
	o.shown = target.id
end

-- ---- split ----

local WORSE = {}
for severity = 0, 4 do
	WORSE[SEVERITIES[severity]] = severity
end

-- What an incident of this alert begins with, as rb_ingest_v2 has a head; json: its event.
local function head_of(json)
	local event = cjson.decode(json)
	local title, labels = event.summary or '', type(event.labels) == 'table' and event.labels or {}
	local words = '+'
	for name, value in pairs(labels) do
		if name ~= '' and value ~= '' and #name + #value <= LABEL_MAX and not find(name, '[=%z]') and not find(value, '%z') then
			words = words .. name .. '=' .. value .. '\0'
		end
	end
	return words .. '{"title":' .. quote(title ~= '' and title or labels.alertname or '') .. ',"key":{},"labels":' ..
		encode(labels)
end

-- The alerts that are named, each {name, alert, JSON of its latest event}; or nil and an error.
local function moved_alerts(t, o, inc)
	local all, known = {}, {}
	for i = 5, #o.argv do
		local name = o.argv[i]
		local v = call('GET', t.p .. 'alert:' .. name)
		local a = v and read_alert(v)
		local _, _, _, json = record(t.p, a and a.event or '0-1')
		json = json or call('GET', t.p .. 'alert:' .. name .. ':event')
		if not v or not json then
			return nil, {err = "NOTFOUND there is no alert '" .. name .. "'; GET /api/v1/incidents/" .. inc.id ..
				'/alerts lists them'}
		elseif a.inc ~= inc.id and merged_into(t.p, a.inc) ~= inc.id then
			return nil, refused(o, "does not have the alert '" .. name .. "'; its incident is '" ..
				merged_into(t.p, a.inc) .. "'")
		elseif not known[name] then
			known[name] = true
			all[#all + 1] = {name, a, json}
		end
	end
	return all, nil, known
end

-- Its timeline without the names of those that go, and their lines, in order.
local function parted(lines, known)
	local own = {}
	for i = 3, #lines do
		local at = find(lines[i], '+', 14, true)
		local name = at and sub(lines[i], at + 1)
		if name and known[name] then
			own[#own + 1], known[name] = lines[i], false
			lines[i] = sub(lines[i], 1, at - 1)
		end
	end
	return own
end

local function later_than(a, b)
	return later(b, a)
end

-- The alerts leave inc for the new one.
local function move_over(t, all, inc, new)
	local firing = 0
	for i = 1, #all do
		local name, a, json = all[i][1], all[i][2], all[i][3]
		if a.state == 'f' then
			firing = firing + 1
		end
		new.severity = greater(new.severity, text(WORSE[match(json, '"severity":"(%a+)"')] or 0))
		add_source(new, quote(match(name, '^(.*):')))
		a.inc = new.id
		note_flaps(t, a, new)
		keep_alert(t, name, alert_text(a))
	end
	inc.alerts, new.alerts = text(inc.alerts - #all), text(#all)
	inc.firing, new.firing = text(math.max(0, inc.firing - firing)), text(firing)
	if firing == 0 then
		new.status, new.resolved = 'resolved', now_text
	end
	if inc.firing == '0' and inc.status == 'open' then
		inc.status, inc.resolved = 'resolved', now_text
	end
end

-- The incident that all of these alerts were split into before, or nil.
local function split_before(t, o)
	local id
	for i = 5, #o.argv do
		local v = call('GET', t.p .. 'alert:' .. o.argv[i])
		local now_in = v and merged_into(t.p, read_alert(v).inc)
		if not v or id and now_in ~= id then
			return nil
		end
		id = now_in
	end
	return id and call('HGET', hand_key(t.p, id), 'split_from') == o.id and id or nil
end

function acts.split(t, o, inc)
	local before = split_before(t, o)
	if before then
		o.done, o.shown = true, before
		return
	end
	if inc.status == 'closed' then
		return refused(o, 'is closed: its alerts have left it')
	end
	local all, wrong, known = moved_alerts(t, o, inc)
	if not all then
		return wrong
	elseif #all >= num(inc.alerts) then
		return refused(o, 'has no other alerts than these; leave one, or close it')
	end
	local lines = call('LRANGE', t.p .. 'incident:' .. inc.id .. ':timeline', 0, -1)
	local own = parted(lines, known)
	for i = 1, #all do
		if known[all[i][1]] then -- its line is not kept any more
			own[#own + 1] = all[i][2].event .. '+' .. all[i][1]
		end
	end
	table.sort(own, later_than)
	local new = new_incident(t, '', head_of(all[1][3]))
	new.corr = 'split:' .. new.id
	new.line[1] = new.corr
	touch(t, new)
	for i = 1, #own do
		add_line(new, own[i])
	end
	for i = 1, #all do
		note_labels(t, new, head_of(all[i][3]))
	end
	move_over(t, all, inc, new)
	local names = {}
	for i = 1, #all do
		names[i] = quote(all[i][1])
	end
	local record = tell(t, o, inc, ',"into":"' .. new.id .. '","alerts":[' .. concat(names, ',') .. ']')
	add_line(new, record)
	inc.line_n = 0 -- it stands at the end of what takes the timeline's place
	lines[#lines + 1] = record
	o.lists = {[t.p .. 'incident:' .. inc.id .. ':timeline'] = lines}
	o.sets = {new.id, {'split_from', inc.id}}
	o.shown = new.id
end

-- ---- the call ----

local function plan_act(t, o)
	local v = call('GET', t.p .. 'incident:' .. o.id)
	if not v then
		return {err = "NOTFOUND there is no incident '" .. o.id .. "'"}
	end
	local h = hand_of(t.p, o.id)
	if h.merged_into and o.act == 'merge' and h.merged_into == o.argv[5] then
		o.done, o.shown = true, h.merged_into
		return
	elseif h.merged_into then
		return refused(o, "was merged into '" .. h.merged_into .. "'; name that one")
	end
	return acts[o.act](t, o, read_incident(o.id, v), h)
end

local function put_list(key, list)
	call('DEL', key)
	for from = 1, #list, 1000 do
		call('RPUSH', key, spread(list, from, math.min(from + 999, #list)))
	end
end

-- What the plan does not know of.
local function write_act(p, now, o)
	for i = 1, o.sets and #o.sets or 0, 2 do
		call('HSET', hand_key(p, o.sets[i]), spread(o.sets[i + 1]))
	end
	if o.drop then
		call('HDEL', hand_key(p, o.id), spread(o.drop))
	end
	for key, list in pairs(o.lists or {}) do
		put_list(key, list)
	end
	audit(p, o.audit)
	for i = 1, o.cancel and #o.cancel or 0 do
		cancel_chain(p, o.cancel[i], now, o.who, closed_why(o.who, o.text))
	end
end

local function plan_asked(t, argv)
	local o = {act = argv[1], id = argv[2], who = argv[3], text = argv[4], argv = argv, shown = argv[2]}
	t.act = o
	return plan_act(t, o) or o.done and incident_json(t.p, o.shown) or nil
end

local function act_written(t)
	write_act(t.p, t.now, t.act)
	return incident_json(t.p, t.act.shown)
end

-- rb_incident_act_v1 KEY act id who text: ack, unack, close or note; merge, and behind that the one to merge into; split,
-- and behind that alerts, SOURCE:FINGERPRINT each. Answers the incident as JSON; of merge the one that it was merged
-- into, of split the new one.
function incident_act(keys, argv)
	return in_one_step(keys, argv, plan_asked, act_written)
end

end

