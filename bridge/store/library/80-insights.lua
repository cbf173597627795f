-- ---- insights: what is counted of alerts and rules, by the day -------------------------------------
-- By the name of alerts (their label alertname), in days of UTC; `insights:DAY…` in docs/redis.md. Counted is what a message
-- changed: a new occurrence, the end of one, a decision. So a resend costs nothing. What a call counts is kept in
-- t.counts; counts.plan reads and adds up, counts.write writes it behind all else of the plan.
-- The part is a function that is called at once, and not a block, since it has more names than are left in the scope of all.
counts = (function()

local counts = {}
local INSIGHT_NAMES = 1000 -- names that one day counts: the most frequent (space-saving)
local INSIGHT_NAME = 200 -- bytes of a name; the rest is cut off
local INSIGHT_GAP = 300000 -- ms of silence after which a name begins anew; what begins within so long follows it
local INSIGHT_NEAR = 60000 -- ms between two names that come together
local INSIGHT_RECENT = 16 -- names that began before one which begins, and are held against it: the latest
local INSIGHT_FOLLOWERS = 16 -- names that one day counts behind one name: the most frequent
local INSIGHT_LABELS = 6 -- labels in which two names may have agreed that are counted
local INSIGHT_LABELS_BYTES = 1024 -- of an alert's labels; those of one with more are not looked at
local INSIGHT_RUNS = 16 -- runs of an incident, the latest, among which those that repaired an alert are looked for
local INSIGHT_REPAIRS = 4 -- sets of runbooks that are counted of one name and day
local DAY, HOUR = 86400000, 3600000

-- ---- what is counted ----

local function counts_of(t)
	local c = t.counts
	if not c then
		c = {n = 0, firing = {}, rules = false, repairs = false, acks = false, rule = false, rule_of = false}
		t.counts = c
	end
	return c
end

-- Where an event's labels stand in its JSON: strings alone, so no brace but the last is outside of a text; and in a text
-- each quote has a backslash before it. So the first places found are the members.
local function labels_at(json)
	local from = find(json, '"labels":{', 1, true)
	local to = from and find(json, '},"annotations":{', from, true)
	return to and from + 10, to
end

local function labels_of(json)
	local from, to = labels_at(json)
	return from and sub(json, from, to - 1) or ''
end

-- A name as it is counted: no longer than INSIGHT_NAME, and without what parts our texts.
local function plain(known)
	if #known > INSIGHT_NAME then
		local n = INSIGHT_NAME
		while n > 0 and byte(known, n + 1) >= 128 and byte(known, n + 1) < 192 do -- within a character
			n = n - 1
		end
		known = sub(known, 1, n)
	end
	return find(known, '%c') and string.gsub(known, '%c', ' ') or known
end

-- The label alertname out of a head, as rb_ingest_v2 has it; nil where it has none.
local function name_of_head(head)
	local at = find(head, 'alertname=', 2, true)
	if at and (at == 2 or byte(head, at - 1) == 0) then
		local stop = find(head, '\0', at, true)
		return stop and sub(head, at + 10, stop - 1)
	end
end

-- What an alert is counted as. One without the label alertname is counted with all such of its source. name: SOURCE:FP
local function counted_name(name, json)
	local from, to = labels_at(json)
	local at = from and find(json, '"alertname":"', from, true)
	if not at or at >= to then
		return '(' .. match(name, '^(.*):') .. ')'
	end
	local stop = find(json, '"', at + 13, true)
	local known = sub(json, at + 13, stop - 1)
	if find(known, '\\', 1, true) then
		known = cjson.decode('{' .. sub(json, from, to - 1) .. '}').alertname
	end
	return known ~= '' and plain(known) or '(' .. match(name, '^(.*):') .. ')'
end

-- Of an incident, by the event that they were made for: runs of rules that succeeded. Read once a call.
local function repairs_of(t, inc)
	local c = t.counts
	c.repairs = c.repairs or {}
	local by = c.repairs[inc.id]
	if by then
		return by
	end
	by = {}
	local ids = call('LRANGE', t.p .. 'incident:' .. inc.id .. ':runs', -INSIGHT_RUNS, -1)
	for i = 1, #ids do
		local v = call('HMGET', t.p .. 'run:' .. ids[i], 'event', 'state', 'runbook', 'finished', 'approved', 'rule')
		if v[1] and v[6] ~= '' then
			local r = by[v[1]] or {runbooks = {}, finished = 0, person = false}
			by[v[1]] = r
			r.person = r.person or v[5] == '1'
			if v[2] == 'succeeded' then
				r.runbooks[#r.runbooks + 1] = v[3]
				r.finished = math.max(r.finished, num(v[4]))
			end
		end
	end
	c.repairs[inc.id] = by
	return by
end

-- When a person acknowledged the incident, in ms; false: nobody did. Read once a call.
local function acked_of(t, inc)
	local acks = t.counts.acks or {}
	t.counts.acks = acks
	if acks[inc.id] == nil then
		acks[inc.id] = inc.was and num(call('HGET', hand_key(t.p, inc.id), 'acked') or '') or false
	end
	return acks[inc.id]
end

-- The runbooks that succeeded for this occurrence, with + between, and how long after its begin the last of them had:
-- nothing where none did, or a person said yes to one.
local function repaired(t, inc, event, began)
	local runs = inc and (inc.tail and match(inc.tail, '^%d+') or inc.runs)
	local r = runs and runs ~= '0' and repairs_of(t, inc)[event]
	if not r or r.person or #r.runbooks == 0 then
		return nil
	end
	table.sort(r.runbooks)
	local set = r.runbooks[1]
	for i = 2, #r.runbooks do
		if r.runbooks[i] ~= r.runbooks[i - 1] then
			set = set .. '+' .. r.runbooks[i]
		end
	end
	return set, math.max(0, r.finished - began)
end

-- A message changed the alert, or time did: a.was is its state before, a.began its `since` before, a.event still the event
-- before. at: when it resolved. head: as rb_ingest_v2 has
-- it, or ''.
function counts.alert(t, name, a, inc, json, at, head)
	if a.state ~= 'f' and a.was ~= 'f' then
		return -- it did not fire, and does not
	end
	local c, fires = counts_of(t), a.state == 'f'
	local known = name_of_head(head)
	known = known and known ~= '' and plain(known) or counted_name(name, json)
	local e = fires and c.firing[known]
	if not e then
		e = {name = known, fires = fires, n = 0, json = json, rule = false, flapped = 0}
		c.n = c.n + 1
		c[c.n] = e
	end
	e.n = e.n + 1
	if (a.was or a.state) ~= a.state and flaps(a, t.now) then
		e.flapped = e.flapped + 1
	end
	if fires then -- what a storm adds to the first one of its name is one more
		c.firing[known] = e
		if c.rule_of == name then
			e.rule = c.rule
		end
	else
		local began = num(match(a.began, '^%d+'))
		local acked = inc and acked_of(t, inc)
		e.ms = math.max(0, at - began)
		if acked then
			e.ack_ms = acked >= began and acked - began -- else it fired when somebody knew already
		else
			e.runbooks, e.repair_ms = repaired(t, inc, a.event, began)
		end
	end
end

local function rule_of_counts(c, rule)
	c.rules = c.rules or {}
	local r = c.rules[rule]
	if not r then
		r = {matched = 0, ran = 0}
		c.rules[rule] = r
	end
	return r
end

-- The rule wanted an event.
function counts.match(t, rule)
	local c = counts_of(t)
	local r = rule_of_counts(c, rule)
	r.matched = r.matched + 1
	c.rule, c.rule_of = rule, t.name
end

-- It was let through, or would have been but for its mode.
function counts.ran(t, rule)
	local r = rule_of_counts(counts_of(t), rule)
	r.ran = r.ran + 1
end

-- ---- a name's day ----
-- In the hash of the day: "14 NAME", how often it fired in that hour, and "14", how often all did; and "n NAME", one text: "last
-- begun flapped resolved resolve_ms acked ack_ms rule", and for each set of runbooks that repaired it " runbooks times ms". last:
-- when it fired last. Short texts, since each new occurrence reads and writes them.

local NO_REST, REST = '0 0 0 0 0 0 -', '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)(.*)$'

local function read_name(v)
	local last, at = match(v, '^(%d+) ()')
	return {last = last, rest = sub(v, at), new = false, fired = 0, had = 0}
end

-- Sets what seldom changes.
local function open_rest(r)
	if r.rest then
		local begun, flapped, resolved, resolve_ms, acked, ack_ms, rule, repairs = match(r.rest, REST)
		r.begun, r.flapped, r.resolved, r.resolve_ms = num(begun), num(flapped), num(resolved), num(resolve_ms)
		r.acked, r.ack_ms, r.rule, r.repairs, r.rest = num(acked), num(ack_ms), rule, repairs, false
	end
	return r
end

local function name_text(r)
	return r.last .. ' ' .. (r.rest or text(r.begun) .. ' ' .. text(r.flapped) .. ' ' .. text(r.resolved) .. ' ' ..
		text(r.resolve_ms) .. ' ' .. text(r.acked) .. ' ' .. text(r.ack_ms) .. ' ' .. r.rule .. r.repairs)
end

-- One more occurrence that this set of runbooks repaired.
local function count_repair(r, runbooks, ms)
	local out, found, n = '', false, 0
	for set, times, sum in string.gmatch(r.repairs, ' (%S+) (%d+) (%d+)') do
		n = n + 1
		if set == runbooks then
			times, sum, found = times + 1, sum + ms, true
		end
		out = out .. ' ' .. set .. ' ' .. text(num(times)) .. ' ' .. text(num(sum))
	end
	if not found and n < INSIGHT_REPAIRS then
		out = out .. ' ' .. runbooks .. ' 1 ' .. text(ms)
	end
	r.repairs = out
end

-- ---- what begins after what ----
-- Behind one name, a line a name that began while it was not yet INSIGHT_GAP since that one did: "name times near seconds
-- squares label:times,…", a tab between: how often, how often within INSIGHT_NEAR, the sum of the seconds between and of
-- their squares; and the labels in which the two agreed then, of those that were near.

local FOLLOWER = '([^\t\n]*)\t(%d+)\t(%d+)\t(%d+)\t(%d+)\t([^\n]*)'

local function read_followers(v)
	local list = {}
	for name, n, near, seconds, squares, labels in string.gmatch(v or '', FOLLOWER) do
		list[#list + 1] = {
			name = name, n = num(n), near = num(near), seconds = num(seconds), squares = num(squares), labels = labels,
		}
	end
	return list
end

local function followers_text(list)
	local lines = {}
	for i = 1, #list do
		local f = list[i]
		lines[i] = concat({f.name, text(f.n), text(f.near), text(f.seconds), text(f.squares), f.labels}, '\t')
	end
	return concat(lines, '\n')
end

local function label_map(labels)
	local m = {}
	for name, value in string.gmatch(labels, '"([%w_]+)":"([^"\\]*)"') do
		m[name] = value
	end
	m.alertname, m.severity = nil, nil
	return m
end

-- Counts the labels in which a and b agree. Those of the first time are followed, as all that matter were there then.
local function count_labels(f, a, b)
	local one, two, out = label_map(a), label_map(b), {}
	if f.near == 1 then
		for name, value in pairs(one) do
			if two[name] == value then
				out[#out + 1] = name .. ':1'
			end
		end
		table.sort(out)
		f.labels = concat(out, ',', 1, math.min(#out, INSIGHT_LABELS))
		return
	end
	for name, n in string.gmatch(f.labels, '([%w_]+):(%d+)') do
		out[#out + 1] = name .. ':' .. text(n + (one[name] and one[name] == two[name] and 1 or 0))
	end
	f.labels = concat(out, ',')
end

-- The follower of this name; one that was not there takes the place of the least where there is none left.
local function follower_of(list, name)
	local least = 1
	for i = 1, #list do
		if list[i].name == name then
			return list[i]
		elseif list[i].n < list[least].n then
			least = i
		end
	end
	local f = {name = name, n = 0, near = 0, seconds = 0, squares = 0, labels = ''}
	if #list >= INSIGHT_FOLLOWERS then
		table.remove(list, least)
	end
	list[#list + 1] = f
	return f
end

-- The name begins: it is held against those that began before.
local function begins(t, c, e)
	if not c.recent then
		c.recent, c.pairs, c.began = {}, {}, {}
		local v = call('ZRANGE', t.p .. 'insights:began', '+inf', '(' .. text(t.now - INSIGHT_GAP), 'BYSCORE', 'REV',
			'LIMIT', 0, INSIGHT_RECENT, 'WITHSCORES')
		for i = 1, #v, 2 do
			c.recent[#c.recent + 1] = {name = v[i], at = num(v[i + 1]), labels = false}
		end
	end
	local others, labels = {}, labels_of(e.json)
	labels = #labels <= INSIGHT_LABELS_BYTES and labels or ''
	for i = 1, #c.recent do
		local r = c.recent[i]
		if r.name ~= e.name then
			others[#others + 1] = r
			c.pairs[#c.pairs + 1] = {first = r, second = {name = e.name, labels = labels}, ms = math.max(0, t.now - r.at)}
		end
	end
	table.insert(others, 1, {name = e.name, at = t.now, labels = labels})
	others[INSIGHT_RECENT + 1] = nil
	c.recent = others
	c.began[e.name] = labels
end

-- Values of a hash's fields, by field; of many.
local function read_fields(key, fields)
	local out = {}
	for from = 1, #fields, 1000 do
		local v = call('HMGET', key, spread(fields, from, math.min(from + 999, #fields)))
		for i = 1, #v do
			out[fields[from + i - 1]] = v[i]
		end
	end
	return out
end

-- c.after: of each name that others began after, its followers.
local function count_pairs(t, c)
	local firsts, near, known = {}, {}, {}
	for i = 1, #c.pairs do
		local first = c.pairs[i].first
		if not known[first.name] then
			known[first.name], firsts[#firsts + 1] = true, first.name
		end
		if not first.labels and c.pairs[i].ms < INSIGHT_NEAR then
			near[#near + 1] = first.name
		end
	end
	local texts, labels = read_fields(c.key .. ':after', firsts), read_fields(t.p .. 'insights:labels', near)
	c.after = {}
	for i = 1, #c.pairs do
		local pair = c.pairs[i]
		local name, s = pair.first.name, floor(pair.ms / 1000)
		c.after[name] = c.after[name] or read_followers(texts[name])
		local f = follower_of(c.after[name], pair.second.name)
		f.n, f.seconds, f.squares = f.n + 1, f.seconds + s, f.squares + s * s
		if pair.ms < INSIGHT_NEAR then
			f.near = f.near + 1
			count_labels(f, pair.first.labels or labels[name] or '', pair.second.labels)
		end
	end
end

-- ---- adding up ----

-- When the name last fired, where that was not today: the day before is looked at while it may matter.
local function last_of(t, c, r, name)
	if r.last == '0' and t.now - c.day * DAY < INSIGHT_GAP then
		local v = call('HGET', t.p .. 'insights:' .. text(c.day - 1), 'n ' .. name)
		return v and match(v, '^%d+') or '0'
	end
	return r.last
end

local function add_fired(t, c, r, e)
	c.fired, r.fired = c.fired + e.n, r.fired + e.n
	local last = last_of(t, c, r, e.name)
	if last ~= now_text and t.now - last >= INSIGHT_GAP then
		open_rest(r).begun = r.begun + 1
		begins(t, c, e)
	end
	r.last = now_text
	if e.rule and not (r.rest and find(r.rest .. ' ', ' ' .. e.rule .. ' ', 1, true)) then
		open_rest(r).rule = e.rule
	end
end

local function add_resolved(r, e)
	open_rest(r)
	r.resolved, r.resolve_ms = r.resolved + 1, r.resolve_ms + e.ms
	if e.ack_ms then
		r.acked, r.ack_ms = r.acked + 1, r.ack_ms + e.ack_ms
	end
	if e.runbooks then
		count_repair(r, e.runbooks, e.repair_ms)
	end
end

local function read_day(t, c)
	local hour = format('%02d', c.hour)
	local fields, n = {hour}, 1
	c.names, c.list = {}, {}
	for i = 1, c.n do
		local name = c[i].name
		if not c.names[name] then
			c.names[name], c.list[#c.list + 1] = true, name
			fields[n + 1], fields[n + 2] = hour .. ' ' .. name, 'n ' .. name
			n = n + 2
		end
	end
	local texts = read_fields(c.key, fields)
	c.had = (texts[hour] or 0) + 0
	c.fired, c.new = c.had, c.had == 0
	for i = 1, #c.list do
		local v = texts[fields[2 * i + 1]]
		local r = v and read_name(v) or {last = '0', rest = NO_REST, new = true}
		r.had = (texts[fields[2 * i]] or 0) + 0
		r.fired = r.had
		c.names[c.list[i]] = r
	end
	c.fields = fields
end

-- Reads and adds up what the plan counts, before anything of the plan is written.
function counts.plan(t)
	local c = t.counts
	c.day = floor(t.now / DAY)
	c.key, c.hour = t.p .. 'insights:' .. text(c.day), floor(t.now % DAY / HOUR)
	if c.n == 0 then
		return
	end
	read_day(t, c)
	for i = 1, c.n do
		local e = c[i]
		local r = c.names[e.name]
		if e.fires then
			add_fired(t, c, r, e)
		else
			add_resolved(r, e)
		end
		if e.flapped > 0 then
			open_rest(r).flapped = r.flapped + e.flapped
		end
	end
	if c.pairs and #c.pairs > 0 then
		count_pairs(t, c)
	end
	counts.rates(t, c)
end

-- ---- writing ----

-- Fields of the hash of the day that are a name's.
local function fields_of(name)
	local fields = {'n ' .. name}
	for hour = 0, 23 do
		fields[hour + 2] = format('%02d ', hour) .. name
	end
	return fields
end

-- A name that this day did not have. Where there is no room the least goes, and the new one inherits its count in the order,
-- though not in what is told of it: so one that comes often is never lost to many that come once.
local function admit(c, name, score)
	local top = c.key .. ':top'
	if call('ZCARD', top) >= INSIGHT_NAMES then
		local least = call('ZPOPMIN', top)
		local gone, fields, fired = c.names[least[1]], fields_of(least[1]), 0
		local times = call('HMGET', c.key, spread(fields))
		for i = 2, #fields do
			fired = fired + (times[i] or 0)
		end
		if gone then
			fired = fired + gone.fired - gone.had
		end
		score = score + least[2]
		call('HDEL', c.key, spread(fields))
		call('HDEL', c.key .. ':after', least[1])
		call('HINCRBY', c.key .. ':sums', 'left names', 1)
		call('HINCRBY', c.key .. ':sums', 'left fired', fired)
		c.names[least[1]] = nil
		if c.after then
			c.after[least[1]] = nil
		end
	end
	call('ZADD', top, score, name)
end

-- The place in the order is brought up to date at each power of two of an hour's count: half as exact, and hardly ever a
-- command.
local function power(n)
	local _, exponent = math.frexp(n)
	return n > 0 and math.ldexp(0.5, exponent) or 0
end

local function write_pairs(t, c)
	local after, labels = {}, {}
	for name, list in pairs(c.after or {}) do
		if call('ZSCORE', c.key .. ':top', name) then -- else it would outlast its name
			after[#after + 1], after[#after + 2] = name, followers_text(list)
		end
	end
	call_list('HSET', c.key .. ':after', after)
	for name, of in pairs(c.began) do
		call('ZADD', t.p .. 'insights:began', now_text, name)
		labels[#labels + 1], labels[#labels + 2] = name, of
	end
	call_list('HSET', t.p .. 'insights:labels', labels)
end

local function write_names(t, c)
	for i = 1, #c.list do
		local name = c.list[i]
		local r = c.names[name]
		if r and r.new then
			admit(c, name, power(r.fired))
		elseif r and r.fired ~= r.had and power(r.fired) > power(r.had) then
			call('ZINCRBY', c.key .. ':top', power(r.fired) - power(r.had), name)
		end
	end
	local out, n = {}, 0
	if c.fired ~= c.had then
		out[1], out[2], n = c.fields[1], text(c.fired), 2
	end
	for i = 1, #c.list do
		local r = c.names[c.list[i]]
		if r and r.fired ~= r.had then
			out[n + 1], out[n + 2] = c.fields[2 * i], text(r.fired)
			n = n + 2
		end
		if r then
			out[n + 1], out[n + 2] = c.fields[2 * i + 1], name_text(r)
			n = n + 2
		end
	end
	call_list('HSET', c.key, out)
	if c.began then
		write_pairs(t, c)
	end
end

local function write_rules(c)
	local new = false
	for rule, r in pairs(c.rules or {}) do
		if r.matched > 0 then
			new = call('HINCRBY', c.key .. ':sums', 'matched ' .. rule, r.matched) == r.matched or new
		end
		if r.ran > 0 then
			new = call('HINCRBY', c.key .. ':sums', 'ran ' .. rule, r.ran) == r.ran or new
		end
	end
	return new
end

function counts.write(t)
	local c = t.counts
	if c.n > 0 then
		write_names(t, c)
	end
	if c.told then
		counts.told(t, c)
	end
	if write_rules(c) or c.new then
		call('ZADD', t.p .. 'insights:days', c.day, text(c.day))
	end
end

-- For the tick: one day that is over for longer than retention, and what began too long ago to matter.
function counts.trim(p, now, cutoff)
	counts.trim_told(p, now)
	local day = call('ZRANGE', p .. 'insights:days', '-inf', floor(cutoff / DAY) - 1, 'BYSCORE', 'LIMIT', 0, 1)[1]
	if day then
		local key = p .. 'insights:' .. day
		call('UNLINK', key, key .. ':top', key .. ':after', key .. ':sums')
		call('ZREM', p .. 'insights:days', day)
	end
	local old = call('ZRANGE', p .. 'insights:began', '-inf', now - INSIGHT_GAP, 'BYSCORE', 'LIMIT', 0, 10 * TICK_WORK)
	if #old > 0 then
		call('ZREM', p .. 'insights:began', spread(old))
		call('HDEL', p .. 'insights:labels', spread(old))
	end
end

-- rb_insights_v1 KEY from to: of the days from..to, as numbers since 1970, the first that is there, and what was counted:
-- {day, names, followers, sums} with names and so on as HGETALL has them; or {-1}.
local function insights_day(keys, argv)
	local p = keys[1] .. ':'
	local day = call('ZRANGE', p .. 'insights:days', argv[1], argv[2], 'BYSCORE', 'LIMIT', 0, 1)[1]
	if not day then
		return {-1}
	end
	local key = p .. 'insights:' .. day
	return {num(day), call('HGETALL', key), call('HGETALL', key .. ':after'), call('HGETALL', key .. ':sums')}
end

-- For 82.
counts.read_followers, counts.name_of = read_followers, counted_name
function counts.begun_of(v)
	return open_rest(read_name(v)).begun
end

reads('rb_insights_v1', insights_day)

return counts

end)()

