-- ---- series of log lines ---------------------------------------------------------------------------
-- A series is remembered until the time that is its score in `series:PATTERN`; one whose alert fires for longer. False:
-- it is kept.
local function forget_series(p, key, name, now)
	local v = call('GET', p .. 'alert:' .. name)
	if v and (byte(v) == 102 or byte(v) == 101) then -- f, e
		call('ZADD', key, now + SERIES_MEMORY, name)
		return false
	end
	call('UNLINK', p .. 'window:' .. name, p .. 'seen:' .. name, p .. 'ends:' .. name)
	if not v then
		call('UNLINK', p .. 'alert:' .. name .. ':lines')
	end
	call('ZREM', key, name)
	return true
end

-- ---- ingest: the plan ------------------------------------------------------------------------------
-- Made on copies of what was read, kept in t, so that the events of a batch see what those before them did, and
-- that nothing is written before all is known to fit.
local new_plan, read_limits, end_message, write_plan, write_due, in_one_step -- a plan, and its writing
local get_incident, new_incident, touch, add_line, leave, plan_add, keep_alert, move_alert, note_flaps -- what is planned
local rule_of, decide_now, add_decision, waits_of, set_wait, end_waits -- what rules do
local ingest, explain, again, lines -- the calls
local paused, planned, set_facts, known_source, write_sources -- 36 and 37: why a rule does not run for now
local head_json, labels_of, note_labels, merge_labels, write_labels, forget_labels -- 75: what an incident is found by
local gate_decide, gate_taken_back, write_gates, slice -- 35-gates.lua; words of a list
local counts = {} -- 80: what insights tell of: functions by name, since names are scarce here
local topology = {} -- 37: which incident is a symptom of another; what changed before it: functions by name
do

local KINDS = {f = 'firing', e = 'firing', r = 'resolved', i = 'info', c = 'info'}
local NEW, DUPLICATE, REOPENED, TAKEN = '0', '1', '2', '3'

-- The plan of the call under way. It and its lists are used by one call after the other, which costs less than new ones;
-- what is past their counts is of an earlier call.
local plan = {}
local names = {} -- of the alerts that changed
local dirty = {} -- incidents that changed
local adds = {} -- of each new record: entry id, kind, incident, decisions, JSON
local moves = {} -- of each alert that changed its state or occurrence: name, list before, list now
local scratch = {} -- the words of a command
local fresh = {} -- an alert that was not known, while its event is planned

function new_plan(p, now)
	local t = plan
	t.p, t.now, t.g = p, now, id_clock(p, now)
	t.names_n, t.dirty_n, t.adds_n, t.moves_n, t.runs_n = 0, 0, 0, 0, 0
	t.alerts = {} -- by name: its text now, or false
	t.incidents = {} -- by id
	t.corr = {} -- by correlation key: its incident's id, or false
	t.out, t.out_n = {}, 0
	-- Not nil: a field that comes and goes makes Lua count the table's room anew, at 15 thousand instructions.
	t.runs, t.pools, t.cooldowns, t.cooldowns_new, t.taken, t.taken_list = false, false, false, false, false, false
	t.waits, t.due, t.put_off, t.brakes, t.cancels, t.inbox = false, false, false, false, false, false
	t.deadlines, t.deliveries, t.delivered = false, false, false
	t.series, t.series_list, t.told, t.pruned = false, false, false, false
	t.gates, t.gates_n, t.ended = false, false, false
	t.argv, t.truncated, t.ruleset, t.as_new = false, '0', '', false
	t.pauses, t.indexed, t.partly, t.counts = false, false, false, false
	t.trail = ''
	t.body, t.body_of, t.read_event, t.facts, t.sources = false, false, false, false, false -- see 36, 37
	t.topology, t.changes = false, false
	return t
end

-- The incident, or the one that it was merged into; false where it is gone.
function get_incident(t, id)
	local inc = t.incidents[id]
	if inc == nil then
		local v = call('GET', t.p .. 'incident:' .. id)
		inc = v and read_incident(id, v) or false
		local into = inc and inc.status == 'closed' and merged_into(t.p, id)
		if into and into ~= id then
			inc = get_incident(t, into)
		end
		t.incidents[id] = inc
	end
	return inc
end

function touch(t, inc)
	if not inc.dirty then
		inc.dirty = true
		t.dirty_n = t.dirty_n + 1
		dirty[t.dirty_n] = inc
	end
end

function add_line(inc, line)
	local n = inc.line_n + 1
	if n == 1 then
		inc.line = {line}
	else
		inc.line[n] = line
	end
	inc.line_n = n
end

-- The incident that takes new alerts of this correlation key now, or nil.
local function find_incident(t, corr, window)
	local id = t.corr[corr]
	if id == nil then
		id = call('GET', t.p .. 'correlation:' .. corr)
		t.corr[corr] = id
	end
	local inc = id and get_incident(t, id)
	if not inc then
		return nil
	elseif inc.status == 'open' and t.now - inc.updated <= window then
		return inc
	elseif inc.status == 'resolved' and t.now - inc.resolved <= t.reopen_window then
		return inc
	end
	return nil
end

function new_incident(t, corr, head)
	local id = new_id(t.g)
	local inc = {
		id = id, was = false, status = 'open', opened = now_text, updated = now_text, resolved = '0',
		alerts = '0', firing = '0', severity = '0', runs = '0', truncated = '0', sources = '',
		corr = corr, line = {corr, head_json(head)}, line_n = 2, labels = false, filed = false, has = false, partly = false,
		unack = false, flaps = false,
	}
	t.incidents[id] = inc
	t.corr[corr] = id
	return inc
end

-- The alert stops to fire where it was counted as firing.
function leave(t, a)
	local inc = a.inc ~= '-' and get_incident(t, a.inc)
	if not inc then
		return nil
	end
	touch(t, inc)
	a.inc = inc.id
	if inc.firing ~= '0' then
		inc.firing = down(inc.firing)
	end
	if inc.firing == '0' and inc.status == 'open' then
		inc.status, inc.resolved = 'resolved', now_text
	end
	return inc
end

-- Plans a record of the bus; returns its entry id, and its JSON as the bus keeps it.
function plan_add(t, kind, incident, decisions, json)
	local n, record = t.adds_n, nil
	record, json = next_entry(t.g, t.now, json)
	adds[n + 1], adds[n + 2], adds[n + 3], adds[n + 4], adds[n + 5] = record, kind, incident, decisions, json
	t.adds_n = n + 5
	return record, json
end

local source_name, source_quoted = ':', '' -- of the last call: "source:", "\"source\""

-- The source's name, quoted: what is before the last colon of an alert's name.
local function source_of(name)
	local n = #source_name
	if sub(name, 1, n) ~= source_name or find(name, ':', n + 1, true) then
		source_name = match(name, '^.*:')
		source_quoted = quote(sub(source_name, 1, -2))
	end
	return source_quoted
end

-- The alert begins to fire (again) in an incident: its own while that stands, else by the correlation key. Returns
-- the incident, and whether the alert is new to it. argv[k] is the event's first word, e its numbers.
local function join(t, a, k, e, own)
	local inc
	if own and a.inc ~= '-' then
		inc = get_incident(t, a.inc)
		if inc and inc.status == 'closed' then
			inc = nil
		end
	end
	if not inc then
		local corr = t.argv[k + 3]
		if corr == '' then
			a.inc = '-'
			return nil, false
		end
		inc = find_incident(t, corr, e.window) or new_incident(t, corr, t.argv[k + 4])
	end
	touch(t, inc)
	if inc.status == 'resolved' then
		inc.status, inc.resolved, inc.unack = 'open', '0', true
	end
	inc.firing = up(inc.firing)
	if e.severity > inc.severity then
		inc.severity = e.severity
	end
	add_source(inc, source_of(t.argv[k]))
	if a.inc == inc.id then
		return inc, false
	elseif a.inc ~= '-' and get_incident(t, a.inc) == inc then -- it was in one that was merged into this one
		a.inc = inc.id
		return inc, false
	end
	inc.alerts = up(inc.alerts)
	a.inc = inc.id
	note_labels(t, inc, t.argv[k + 4])
	return inc, true
end

-- The same occurrence fires once more, in its own incident: where people closed that, it stays with it and counts no more.
local function rejoin(t, a, k, e)
	local inc = a.inc ~= '-' and get_incident(t, a.inc)
	if inc and inc.status == 'closed' then
		touch(t, inc)
		return inc, false
	end
	return join(t, a, k, e, true)
end

-- Its incident flaps for as long as one of its alerts does.
function note_flaps(t, a, inc)
	local till = #a.since > PLAIN and flaps(a, t.now)
	if till and till > (inc.flaps or 0) then
		inc.flaps = till
	end
end

-- Does the message ("f" or "r", startsAt) say nothing new of the alert? Its startsAt may still widen what is known of
-- the occurrence. The table is in docs/design/redis.md, "Occurrences".
local function is_duplicate(a, status, starts, skew)
	local state = a.state
	if status == 'r' then
		return state == 'r' or (state and starts ~= a.start and starts ~= '0' and num(starts) < a.min - skew)
	elseif state == 'r' then
		return starts ~= '0' and num(starts) <= num(a.max)
	end
	return state == 'f' and num(starts) <= a.start + skew
end

-- lower: an earlier startsAt than those known belongs to this occurrence, too.
local function widen(a, starts, lower)
	if starts == a.max or starts == '0' then
		return
	elseif num(starts) > num(a.max) then
		a.max = starts
	elseif lower and num(starts) < num(a.min) then
		a.min = starts
	end
end

-- What a resolve that is no duplicate means; as judge.
local function judge_resolve(t, a, starts)
	local inc
	if a.state == 'f' then
		inc = leave(t, a)
		change_since(a, t.now, t.limits, now_text)
	elseif a.state then
		a.since = string.gsub(a.since, '^%d+', now_text)
		inc = a.inc ~= '-' and get_incident(t, a.inc) or nil
		if inc then
			touch(t, inc)
		end
	else
		a.start, a.min, a.max = starts, starts, starts
	end
	widen(a, starts, false)
	a.state = 'r'
	return NEW, inc, false
end

-- Notes the alert's deadline after a message about it. Within an occurrence the latest one that was told counts, as of
-- two senders one may be slower; a firing message without a deadline takes it away.
local function set_deadline(t, name, a, status, deadline, fresh)
	if a.state == 'f' and status == 'r' then
		return
	end
	local had = a.expires
	a.expires = a.state == 'f' and deadline ~= nil
	if a.expires or had then
		local list = t.deadlines or {}
		list[#list + 1] = {name, a.expires and deadline, fresh or not had}
		t.deadlines = list
	end
end

-- What a message about an alert means: the outcome; for a new event also the incident (or nil) and whether the
-- alert is new to it. Changes a. mark: without its deadline.
local function judge(t, a, k, e, mark)
	local state = a.state
	local status, starts = sub(mark, 1, 1), sub(mark, 3, -2)
	if status == 'e' then
		status = 'f'
	end
	if is_duplicate(a, status, starts, t.skew) then
		widen(a, starts, status == 'f' and state == 'f')
		return DUPLICATE
	elseif status == 'r' then
		return judge_resolve(t, a, starts)
	elseif state == 'x' and starts ~= '0' and num(starts) <= a.start + t.skew then
		widen(a, starts, true)
		a.state = 'f'
		change_since(a, t.now, t.limits, now_text)
		return REOPENED, rejoin(t, a, k, e)
	end
	if state == 'f' then
		leave(t, a)
	elseif state then
		change_since(a, t.now, t.limits, now_text)
	end
	if starts == '0' then
		starts = now_text
	end
	a.state, a.start, a.min, a.max = 'f', starts, starts, starts
	a.occ = up(a.occ)
	return NEW, join(t, a, k, e, state == 'f')
end

local function cooling(t, key)
	if not t.cooldowns then
		t.cooldowns, t.cooldowns_new = {}, {}
	end
	local deadline = t.cooldowns[key]
	if deadline == nil then
		deadline = num(call('GET', key) or 0)
		t.cooldowns[key] = deadline
	end
	return deadline > t.now and deadline or nil
end

-- A rule's numbers, "cooldown_ms steps" and, where it asks for more, " for_ms runs runs_ms hosts hosts_ms on_resolve
-- skip_flapping approval expires_ms resolve_steps failure_steps slo_objective slo_within_ms slo_window_ms gate_words
-- only_root parallel". Few texts differ, so what they say is kept.
rule_of = kept(function(s)
	local v, n = {}, 0
	for word in string.gmatch(s, '%d+') do
		n = n + 1
		v[n] = num(word)
	end
	local resolve, failure = v[12] or 0, v[13] or 0
	return {
		cooldown = v[1], steps = v[2], more = n > 2, for_ms = v[3] or 0, runs = v[4] or 0, runs_ms = v[5],
		hosts = v[6] or 0, hosts_ms = v[7], on_resolve = v[8] or 0, skip_flapping = v[9] == 1,
		approval = v[10] == 1, expires = v[11] or 0, resolve = resolve, failure = failure,
		slo = v[14] and v[14] > 0 and format('%d %d %d', v[14], v[15], v[16]) or '',
		gate = v[17] or 0, only_root = v[18] == 1, parallel = v[19] == 1, words = 5 + v[2] + resolve + failure + (v[17] or 0),
	}
end)

-- The six words that a step was, the first one words[k] (step runbook sha256 pool params numbers), as one.
function step.joined(words, k)
	return words[k + 5] .. ' ' .. concat({words[k + 3], words[k + 1], words[k + 2], words[k + 4], words[k]}, '\0')
end

-- What was kept by a library that had a step as six words, as it is now: the words of a whole rule, or steps alone.
function step.packed(words)
	local u = find(words[5] or '', '^[%d ]+$') and rule_of(words[5])
	local from, n = u and 6 or 1, u and u.steps + u.resolve + u.failure or #words / 6
	if not words[from] or find(words[from], '\0', 1, true) then
		return words
	end
	local out, stop = slice(words, 1, from - 1), from + 6 * n
	for k = from, stop - 1, 6 do
		out[#out + 1] = step.joined(words, k)
	end
	for k = stop, #words do
		out[#out + 1] = words[k]
	end
	return out
end

-- A record of what waits for an alert, or of a gate.
function step.read_kept(json)
	local rec = cjson.decode(json)
	rec.words = rec.words and step.packed(rec.words)
	for _, ev in ipairs(rec.events or {}) do
		if ev.asks and ev.asks.words then
			ev.asks.words = step.packed(ev.asks.words)
		end
	end
	return rec
end

-- ---- ingest: what holds a rule back ----------------------------------------------------------------
-- Of the event under way t has: name, alert (nil: it is none), key (its correlation key), incident (id or ''), inc,
-- depth, trail (the rules that led to it). What is decided in this call already counts.
local decide
do

-- The field `FIELD RULE` of an alert's hash of what waits for it; see docs/redis.md. Read where a says that there is one.
function waits_of(t, name, a)
	if not t.waits then
		t.waits, t.due = {}, {}
	end
	local w = t.waits[name]
	if not w then
		w = {was = waits(a), fields = {}}
		local flat = w.was and call('HGETALL', t.p .. 'alert:' .. name .. ':waits') or {}
		for i = 1, #flat, 2 do
			w.fields[flat[i]] = step.read_kept(flat[i + 1])
		end
		t.waits[name] = w
	end
	return w
end

-- value: nil takes the field away
function set_wait(t, name, a, field, value)
	local w = waits_of(t, name, a)
	w.fields[field] = value
	w.dirty = true
	local marked, wanted = sub(a.since, -1) == '+', next(w.fields) ~= nil
	if wanted and not marked then
		a.since = a.since .. '+'
	elseif marked and not wanted then
		a.since = sub(a.since, 1, -2)
	end
end

function slice(v, from, n)
	local out = {}
	for i = 1, n do
		out[i] = v[from + i - 1]
	end
	return out
end

-- In a storm one decision is made again and again: the last texts are kept.
local last_rule, last_decision, last_reason, last_run, last_json, last_words
local listed, listed_json = '', '[]'

-- As JSON, and as the answer has it.
local function decision_texts(rule, decision, reason, run)
	if reason ~= last_reason or rule ~= last_rule or decision ~= last_decision or run ~= last_run then
		last_rule, last_decision, last_reason, last_run = rule, decision, reason, run
		last_json = '{"rule":' .. quote_name(rule) .. ',"decision":"' .. decision .. '","reason":' .. quote(reason) ..
			',"run":' .. (run ~= '-' and '"' .. run .. '"' or 'null') .. '}'
		last_words = decision .. ' ' .. run .. ' ' .. reason
	end
	return last_json, last_words
end

-- Decisions as JSON, with commas between, as a list.
local function list_of(json)
	if json ~= listed then
		listed, listed_json = json, '[' .. json .. ']'
	end
	return listed_json
end

-- A decision on the event sid, made after its record was: a record of its own.
function add_decision(t, inc, sid, rule, decision, reason, run)
	local record = plan_add(t, 'decisions', inc and inc.id or '', list_of((decision_texts(rule, decision, reason, run))),
		'{"event":"' .. ulid_of(sid) .. '"}')
	if inc then
		touch(t, inc)
		add_line(inc, record)
	end
end

-- ---- limits ----
-- A brake lets at most count things through within any per ms. One of runs is a list of the times at
-- which it let one through, the latest first; one of hosts a sorted set of host by the time of its latest run. Neither holds more
-- than count. The hash `brakes` names those that hold now.

local function brake(t, what, rule, count, per)
	local key = t.p .. 'limit:' .. what .. (rule and ':' .. rule or '')
	local b = t.brakes[key]
	if not b then
		b = {key = key, what = what, rule = rule, count = count, per = per, added = 0, hosts = {}}
		t.brakes[key] = b
		t.brakes[#t.brakes + 1] = b
	end
	return b
end

-- Until when it holds, or nil.
local function runs_hold(t, b)
	local place = b.count - 1 - b.added
	if place < 0 then
		return t.now + b.per
	end
	if b.place ~= place then
		b.place, b.oldest = place, num(match(call('LINDEX', b.key, place) or '', '^%d+') or 0)
	end
	return b.oldest > t.now - b.per and b.oldest + b.per or nil
end

local function hosts_hold(t, b, host)
	local after = '(' .. text(t.now - b.per)
	if b.hosts[host] == nil then
		b.hosts[host] = num(call('ZSCORE', b.key, host) or 0) > t.now - b.per
	end
	if b.hosts[host] then
		return nil
	end
	b.used = b.used or call('ZCOUNT', b.key, after, '+inf')
	if b.used + b.added < b.count then
		return nil
	end
	if not b.oldest then
		local first = call('ZRANGE', b.key, after, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
		b.oldest = num(first[2] or t.now)
	end
	return b.oldest + b.per
end

-- The one loud event that a brake begins to hold: on the bus, and through the rules by way of the inbox.
local function tell_brake(t, b, rule, reason)
	local limit = (b.rule and '' or 'limits.') .. b.what
	local json = '{"source":"runbookd","type":"limit","status":"info","time":"' .. received() ..
		'","fingerprint":null,"starts_at":null,"ends_at":null,"severity":"error","summary":' ..
		quote("rule '" .. rule .. "' is held back: " .. reason) .. ',"labels":{"limit":"' .. limit ..
		'","rule":' .. quote(rule) .. '},"annotations":{},"links":{},"data":{"limit":"' .. limit ..
		'","rule":' .. quote(rule) .. ',"count":' .. text(b.count) .. ',"per_ms":' .. text(b.per) ..
		'},"depth":' .. text(t.depth) .. trail_member(t.trail) .. '}'
	local record, kept_as = plan_add(t, 'info', t.incident, '[]', json)
	if t.inc then
		add_line(t.inc, record)
	end
	t.inbox = t.inbox or {}
	t.inbox[#t.inbox + 1] = {record, t.incident, whole_json(record, kept_as), t.trail}
end

local function held(t, b, rule, till)
	local what = text(b.count) .. ' ' .. (b.count == 1 and sub(b.what, 1, -2) or b.what) .. ' within ' .. period(b.per)
	local reason = (b.rule and 'its limit of ' .. what or 'the limit of all rules, ' .. what .. ' (limits.' ..
		b.what .. '),') .. ' holds until ' .. rfc3339(till)
	if not b.holds then
		if b.passed or call('HEXISTS', t.p .. 'brakes', sub(b.key, #t.p + 7)) == 0 then
			tell_brake(t, b, rule, reason)
		end
		b.holds = true
	end
	return reason
end

-- The brakes of a decision that is about to be made, own ones before those of all rules. The reason why one holds, or nil
-- and them.
local function limited(t, u, rule, host, dry)
	local mine, all = {}, t.limits
	t.brakes = t.brakes or {}
	if u.runs > 0 then
		mine[1] = brake(t, 'runs', rule, u.runs, u.runs_ms)
	end
	if u.hosts > 0 and host ~= '' then
		mine[#mine + 1] = brake(t, 'hosts', rule, u.hosts, u.hosts_ms)
	end
	if all[6] > 0 and not dry then
		mine[#mine + 1] = brake(t, 'runs', nil, all[6], all[7])
	end
	if all[8] > 0 and host ~= '' and not dry then
		mine[#mine + 1] = brake(t, 'hosts', nil, all[8], all[9])
	end
	for i = 1, #mine do
		local b, till = mine[i], nil
		if b.what == 'runs' then
			till = runs_hold(t, b)
		else
			till = hosts_hold(t, b, host)
		end
		if till then
			return held(t, b, rule, till)
		end
	end
	return nil, mine
end

local function let_through(mine, host)
	for i = 1, #mine do
		local b = mine[i]
		if b.what == 'runs' then
			b.added, b.passed = b.added + 1, true
		else
			if not b.hosts[host] then
				b.added, b.passed, b.hosts[host] = b.added + 1, true, true
			end
			b.touched = b.touched or {}
			b.touched[host] = true
		end
	end
end

-- ---- what a run is given along ----

-- The steps behind the first ones of argv[k], the event's words.
local function after_steps(t, k, u, last)
	local after, more = '', {}
	if u.slo ~= '' then
		after, more = 's', {'slo', u.slo .. ' ' .. now_text}
	end
	if u.failure > 0 then
		local words = slice(t.argv, k + 5 + u.steps + u.resolve, u.failure)
		after = after .. 'f'
		more[#more + 1], more[#more + 2] = 'failure', encode(words)
	end
	if after ~= '' then
		more[#more + 1], more[#more + 2] = 'after', after
		last.more = last.more or {}
		for i = 1, #more do
			last.more[#last.more + 1] = more[i]
		end
	end
end

-- What is to be done when the alert resolves; several runs for one alert since it began to fire add up.
local function until_resolved(t, k, u, rule, first, last)
	local field = 'on ' .. rule
	local before = waits_of(t, t.name, t.alert).fields[field]
	local runs = (before and before.runs .. ' ' or '') .. first
	set_wait(t, t.name, t.alert, field, {
		cancel = u.on_resolve == 1, runs = sub(runs, 1 - 27 * RESOLVE_RUNS), last = last.id,
		ran = not u.approval or (before and before.ran) or false, ruleset = t.ruleset,
		words = slice(t.argv, k + 5 + u.steps, u.resolve),
	})
end

local function would_run(t, k, u)
	local names = {}
	for i = 1, u.steps do
		names[i] = "'" .. step.runbook(t.argv[k + 4 + i]) .. "'"
	end
	return (u.approval and 'would ask for approval to run ' or 'would run ') ..
		(u.parallel and concat(names, ', ') .. ' at once' or concat(names, ', then '))
end

-- The rule may run: its runs. decision, reason and run, or nil and the full pool.
local function start(t, k, u, rule)
	local first, last = plan_runs(t, k + 5, u.steps, rule, t.incident, t.depth + 1, false, u.parallel)
	if not first then
		return nil, last
	end
	if u.more then
		after_steps(t, k, u, last)
		if u.on_resolve > 0 and t.alert and t.alert.state == 'f' then
			until_resolved(t, k, u, rule, first, last)
		end
		if u.approval then
			local from = t.runs_n - u.steps
			t.runs[from + 1].approval = u.expires > 0 and text(t.now + u.expires) or '+inf'
			for i = from + 2, t.runs_n do
				t.runs[i].awaits = u.parallel
			end
			return 'approval', 'waits for a person to approve it' ..
				(u.expires > 0 and ' until ' .. rfc3339(t.now + u.expires) or ''), first
		end
	end
	return 'run', 'matched', first
end

local cooled, cooled_reason = 0, '' -- what was last said of a cooldown, and until when it ran

local function cooldown_reason(deadline)
	if deadline ~= cooled then
		cooled, cooled_reason = deadline, 'in cooldown until ' .. rfc3339(deadline)
	end
	return cooled_reason
end

-- From pauses on; argv[k] is the rule's first word. decision, reason and run, or nil and the full pool.
function decide_now(t, k, u)
	local argv = t.argv
	local rule, host, key, dry = argv[k], argv[k + 2], argv[k + 3], argv[k + 1] == 'dry_run'
	local why = paused(t, k, u)
	if why then
		return 'paused', why, '-'
	end
	local root = u.only_root and topology.held(t)
	if root then
		return 'paused', 'its incident is a symptom of incident ' .. root .. ', and the rule says only: root', '-'
	end
	if u.cooldown > 0 then
		key = t.p .. 'cooldown:' .. rule .. ':' .. (key ~= '' and key or t.key)
		local deadline = cooling(t, key)
		if deadline then
			return 'cooldown', cooldown_reason(deadline), '-'
		end
	end
	local held_back, brakes = limited(t, u, rule, host, dry)
	if held_back then
		return 'limit', held_back, '-'
	end
	local decision, reason, run = 'dry_run', nil, '-'
	if dry then
		reason = 'its mode is dry_run; it ' .. would_run(t, k, u)
	else
		decision, reason, run = start(t, k, u, rule)
		if not decision then
			return nil, reason
		end
	end
	let_through(brakes, host)
	counts.ran(t, rule)
	if u.cooldown > 0 then
		t.cooldowns[key], t.cooldowns_new[key] = t.now + u.cooldown, u.cooldown
	end
	return decision, reason, run
end

-- ---- for ----

-- What would run is kept with its words, so that it is decided with the rules of now.
local function put_off(t, k, u, rule)
	local due = t.now + u.for_ms
	local rec = {
		due = text(due), since = now_text, key = t.key, depth = t.depth, trail = t.trail, ruleset = t.ruleset,
		words = slice(t.argv, k, u.words), facts = t.facts or nil,
	}
	set_wait(t, t.name, t.alert, 'for ' .. rule, rec)
	t.due[t.name .. ' ' .. rule] = due
	t.put_off = t.put_off or {}
	t.put_off[#t.put_off + 1] = rec
	return 'pending', 'runs if it still fires at ' .. rfc3339(due), '-'
end

-- One rule that asks to run. decision, reason and run, or nil and the full pool.
local function decide_rule(t, k, u)
	local a = t.alert
	if u.skip_flapping and a then
		local till = flaps(a, t.now)
		if till then
			return 'flapping', 'the alert changed its state ' .. text(t.limits[4]) .. ' times within ' ..
				period(t.limits[5]) .. '; it counts as flapping until ' .. rfc3339(till), '-'
		end
	end
	if u.gate > 0 then
		return gate_decide(t, k, u)
	elseif u.for_ms == 0 then
		return decide_now(t, k, u)
	elseif not a or a.state ~= 'f' then
		return 'error', "'for' asks whether an alert still fires, and this event is none that does", '-'
	end
	return put_off(t, k, u, t.argv[k])
end

-- Decides the rules of one new event; argv[k] to argv[stop - 1] are theirs. Appends to the answer and returns
-- the decisions as JSON, or nil and the full pool.
function decide(t, k, stop, outcome)
	local argv, json = t.argv, nil
	t.body, t.read_event, t.facts = argv[k - 1], false, false
	if argv[k + 1] == 'facts' then
		set_facts(t, argv[k + 2], true)
		k = k + 5
	end
	while k < stop do
		local rule, decision, reason, run = argv[k], argv[k + 1], argv[k + 2], '-'
		local u = rule_of(argv[k + 4])
		counts.match(t, rule)
		if outcome == REOPENED then
			decision = 'duplicate'
			reason = 'the same occurrence again, after it had been resolved here for want of news'
		elseif decision == 'run' or decision == 'dry_run' then
			decision, reason, run = decide_rule(t, k, u)
			if not decision then
				return nil, reason
			end
		end
		k = k + u.words
		t.out_n = t.out_n + 1
		local one, words = decision_texts(rule, decision, reason, run)
		t.out[t.out_n] = t.ended and decision .. '+' .. t.ended .. ' ' .. run .. ' ' .. reason or words
		t.ended = false
		json = json and json .. ',' .. one or one
	end
	return json and list_of(json) or '[]'
end

-- ---- the end of an occurrence ----

-- Did any of the runs begin, or may it still? Not where all wait for approval, did not get it, or ended before they began.
local function had_run(t, rec)
	if rec.ran then
		return true
	end
	for id in string.gmatch(rec.runs, '%S+') do
		local r = run_get(t.p, id)
		if r and (r.state == 'queued' or not untouched(t.p, r)) then
			return true
		end
	end
	return false
end

local function on_resolve(t, inc, sid, rule, rec)
	local why = "the alert resolved, and rule '" .. rule .. "' says on_resolve: cancel"
	if rec.cancel then
		t.cancels = t.cancels or {}
		for id in string.gmatch(rec.runs, '%S+') do
			t.cancels[#t.cancels + 1] = {id, why}
		end
		return
	elseif not had_run(t, rec) then
		return
	end
	local argv, ruleset, from = t.argv, t.ruleset, t.runs_n
	t.argv, t.ruleset = rec.words, rec.ruleset
	local first = plan_runs(t, 1, #rec.words, rule, inc and inc.id or '', t.depth + 1, true)
	t.argv, t.ruleset = argv, ruleset
	t.runs[from + 1].prev = rec.last
	for i = from + 1, t.runs_n do
		t.runs[i].event, t.runs[i].later = sid, true
	end
	add_decision(t, inc, sid, rule, 'run', 'on_resolve: the alert resolved', first)
end

-- What waited for the alert is over: why says what ended it. resolved: the event of the resolve, or nil where it fires on.
function end_waits(t, name, a, inc, why, resolved)
	local fields = {}
	for field in pairs(waits_of(t, name, a).fields) do
		fields[#fields + 1] = field
	end
	table.sort(fields)
	for i = 1, #fields do
		local what, rule = match(fields[i], '^(%a+) (.*)$')
		local rec = waits_of(t, name, a).fields[fields[i]]
		if what == 'for' then
			t.due[name .. ' ' .. rule] = false
			add_decision(t, inc, rec.event, rule, 'pending', 'dropped: ' .. why .. ' after ' ..
				period(math.max(0, t.now - rec.since)), '-')
			set_wait(t, name, a, fields[i], nil)
		elseif what == 'gate' and resolved then
			gate_taken_back(t, name, inc, rule, rec)
			set_wait(t, name, a, fields[i], nil)
		elseif resolved then
			on_resolve(t, inc, resolved, rule, rec)
			set_wait(t, name, a, fields[i], nil)
		end
	end
end

end

-- An inbox entry: {event = the entry id of what is on the bus already or '', incident = id or '', trail}; nil where it is gone.
local function inbox_entry(t, id)
	if not t.taken then
		t.taken, t.taken_list = {}, {}
	end
	local v = call('XRANGE', t.p .. 'inbox', id, id)[1]
	if not v or t.taken[id] then
		return nil
	end
	local entry = {event = '', incident = '', trail = ''}
	for i = 1, #v[2], 2 do
		entry[v[2][i]] = v[2][i + 1]
	end
	t.taken[id] = true
	t.taken_list[#t.taken_list + 1] = id
	return entry
end

local function answer(t, s)
	t.out_n = t.out_n + 1
	t.out[t.out_n] = s
end

local function note_truncated(t, inc)
	if inc and t.truncated ~= '0' and num(t.truncated) > num(read_tail(inc).truncated) then
		touch(t, inc)
		inc.truncated = t.truncated
	end
end

-- Where an event that is no alert belongs: to the run's incident that caused it, or to the open one of its key.
local function incident_of_info(t, corr, window, entry)
	local inc
	if entry and entry.incident ~= '' then
		inc = get_incident(t, entry.incident)
	elseif corr ~= '' then
		inc = find_incident(t, corr, window)
	end
	if inc then
		touch(t, inc)
	end
	return inc or nil
end

-- Plans the bus record of a new event. Its id comes after those of its runs (see the top).
local function plan_record(t, k, entry, incident, decisions)
	local kind, json, sid = KINDS[sub(t.argv[k + 1], 1, 1)], t.argv[k + 5], nil
	if entry and entry.event ~= '' then
		sid = entry.event
		if decisions == '[]' then
			return sid, nil
		end
		kind, json = 'decisions', '{"event":"' .. ulid_of(sid) .. '"}'
	end
	local record = plan_add(t, kind, incident, decisions, json)
	return sid or record, record
end

function keep_alert(t, name, v)
	t.alerts[name] = v
	t.names_n = t.names_n + 1
	names[t.names_n] = name
end

local LISTS = {f = 'alerts:firing', r = 'alerts:resolved', x = 'alerts:resolved'}

-- It changed its state or its occurrence: from is the state before, nil for one that was not known.
function move_alert(t, name, from, to)
	local n = t.moves_n
	moves[n + 1], moves[n + 2], moves[n + 3] = name, from and LISTS[from], LISTS[to]
	t.moves_n = n + 3
end

-- The alert's text, and where a call has only this one event, its key's incident on the way.
local function get_alert(t, k)
	local name = t.argv[k]
	local v = t.alerts[name]
	if v ~= nil or t.as_new then
		return v
	end
	local corr = t.argv[k + 3]
	if corr == '' or t.corr[corr] ~= nil then
		return call('GET', t.p .. 'alert:' .. name)
	end
	local both = call('MGET', t.p .. 'alert:' .. name, t.p .. 'correlation:' .. corr)
	t.corr[corr] = both[2]
	return both[1]
end

-- A message about an alert. Returns the outcome, or nil for a duplicate; then as judge, and the alert.
local function plan_alert(t, k, e)
	local name, a = t.argv[k], nil
	local v = get_alert(t, k)
	local mark, deadline = split_mark(t.argv[k + 1])
	if v then
		local same, rest = same_again(v, mark)
		if same then
			keep_alert(t, name, same)
			if deadline then
				t.deadlines = t.deadlines or {}
				t.deadlines[#t.deadlines + 1] = {name, deadline, false}
			end
			if t.truncated ~= '0' then
				note_truncated(t, get_incident(t, match(rest, '(%S+)$')))
			end
			answer(t, rest)
			return nil
		end
		a = read_alert(v)
	else
		a = fresh
		a.state, a.start, a.last, a.n, a.min, a.max, a.occ = false, '', '', '0', '', '', '0'
		a.first, a.since, a.event, a.inc, a.expires, a.was, a.began = now_text, now_text, '-', '-', false, false, false
	end
	local was = a.state
	a.was, a.began, a.n, a.last = was, a.since, up(a.n), now_text
	local outcome, inc, first = judge(t, a, k, e, mark)
	if deadline or a.expires then
		set_deadline(t, name, a, sub(mark, 1, 1), deadline, outcome ~= DUPLICATE)
	end
	if outcome == DUPLICATE then
		keep_alert(t, name, alert_text(a))
		if t.truncated ~= '0' and a.inc ~= '-' then
			note_truncated(t, get_incident(t, a.inc))
		end
		answer(t, ' ' .. a.event .. ' ' .. a.inc)
		return nil
	end
	move_alert(t, name, was, a.state)
	return outcome, inc, first, a
end

-- An event's numbers, "severity depth window_ms words inbox_id" (words as "12:3" where the last three are topology) and where it has one " SOURCE:DELIVERY": of those without the
-- last two few texts differ, so what they say is kept.
local numbers_of
do

local EVENT = '^(%d) (%d+) (%d+) (%d+):?(%d*) (%S*) ?(.*)$'
local events, events_n = {}, 0

function numbers_of(s)
	local e = events[s]
	if not e then
		local severity, depth, window, words, related, inbox, delivery = match(s, EVENT)
		e = {
			severity = severity, depth = num(depth), window = num(window), words = num(words),
			related = num(related) or 0, inbox = inbox, delivery = delivery,
		}
		if inbox ~= '' or delivery ~= '' then
			return e
		end
		if events_n >= 256 then
			events, events_n = {}, 0
		end
		events[s], events_n = e, events_n + 1
	end
	return e
end

end

-- What a firing alert's incident has to do with others, and what changed before.
local function relate(t, k, e, inc, first)
	if first then
		topology.changes_before(t, inc)
	end
	if e.related > 0 then
		topology.relate(t, inc, k + 6 + e.words - e.related, e.related)
	end
end

-- Plans one event; returns where the next one begins, or nil and the full pool, or nil and '' where it came
-- without JSON and is no duplicate.
local function plan_event(t, k, e)
	local argv, name = t.argv, t.argv[k]
	local stop = k + 6 + e.words
	local entry
	if e.inbox ~= '' then
		entry = inbox_entry(t, e.inbox)
		if not entry then
			answer(t, TAKEN)
			return stop
		end
	end
	local outcome, inc, first, a = NEW, nil, false, nil
	if name ~= '' then
		outcome, inc, first, a = plan_alert(t, k, e)
		if not outcome then
			if e.words > 0 and argv[k + 7] == 'facts' then
				known_source(t, name, argv[k + 8])
			end
			return stop
		end
	else
		inc = incident_of_info(t, argv[k + 3], e.window, entry)
	end
	if argv[k + 5] == '' then
		return nil, ''
	end
	local incident, at, runs = inc and inc.id or '', t.out_n + 1, t.runs_n
	t.out_n = at
	t.name, t.alert, t.key, t.incident, t.inc, t.depth = name, a or false, argv[k + 3], incident, inc or false, e.depth
	t.trail = entry and entry.trail or ''
	if a and inc and a.state == 'f' then
		relate(t, k, e, inc, first)
	end
	if a and waits(a) and outcome == NEW and a.state == 'f' then
		end_waits(t, name, a, inc, 'another occurrence of the alert began', nil)
	end
	local decisions, full = '[]', nil
	if e.words > e.related then
		decisions, full = decide(t, k + 6, stop - e.related, outcome)
		if not decisions then
			return nil, full
		end
	end
	local sid, record = plan_record(t, k, entry, incident, decisions)
	if byte(argv[k + 1]) == 99 then -- c
		topology.note_change(t, k, sid, inc)
	end
	t.out[at] = outcome .. ' ' .. sid .. ' ' .. (inc and incident or '-')
	local others = 0 -- runs of earlier events, which this one found due
	for i = runs + 1, t.runs_n do
		if t.runs[i].later then
			others = others + 1
		else
			t.runs[i].event = sid
		end
	end
	if t.put_off then
		for i = 1, #t.put_off do
			t.put_off[i].event = sid
		end
		t.put_off = false
	end
	if a and a.state == 'r' and waits(a) then
		end_waits(t, name, a, inc, 'the alert resolved', sid)
	end
	if a then
		if outcome == NEW then
			counts.alert(t, name, a, inc, argv[k + 5], t.now, argv[k + 4])
		end
		a.event = sid
		keep_alert(t, name, alert_text(a))
	end
	if inc then
		if a then
			inc.updated = now_text
			note_flaps(t, a, inc)
		end
		if t.runs_n - others > runs then
			inc.runs = text(read_tail(inc).runs + t.runs_n - others - runs)
		end
		note_truncated(t, inc)
		if record then
			add_line(inc, first and record .. '+' .. name or record)
		end
	end
	if t.topology then
		topology.tell(t)
	end
	return stop
end

local plan_delivered
do

-- The event that a delivery id came with before, within the window, as "entry_id incident"; or nil.
local function delivered(t, delivery)
	local v = t.delivered and t.delivered[delivery]
	if v or t.as_new then
		return v
	end
	local source, id = match(delivery, '^([^:]*):(.*)$')
	local seen, words = match(call('HGET', t.p .. 'deliveries:' .. source, id) or '', '^(%d+) (.*)$')
	return seen and num(seen) > t.now - t.limits[10] and words or nil
end

-- out: the answer to the event that came with this id.
local function note_delivery(t, delivery, out)
	local words = match(out, '(%S+ %S+)$')
	if not words then
		return -- another bridge took it
	end
	t.delivered, t.deliveries = t.delivered or {}, t.deliveries or {}
	t.delivered[delivery] = words
	t.deliveries[#t.deliveries + 1] = delivery
end

-- The same for an event that its sender may have delivered before.
function plan_delivered(t, k, e)
	local before = delivered(t, e.delivery)
	if before then
		answer(t, DUPLICATE .. ' ' .. before)
		return k + 6 + e.words
	end
	local at = t.out_n + 1
	local stop, full = plan_event(t, k, e)
	if stop then
		note_delivery(t, e.delivery, t.out[at])
	end
	return stop, full
end

end

-- ---- ingest: writing the plan ----------------------------------------------------------------------
local write_deadlines
do

-- Alerts, incidents and correlation keys in one command, or in some where a storm touches thousands of incidents.
local function write_texts(t)
	local p, n = t.p, 1
	scratch[1] = 'MSET'
	for i = 1, t.names_n do
		local name = names[i]
		scratch[n + 1], scratch[n + 2] = p .. 'alert:' .. name, t.alerts[name]
		n = n + 2
	end
	for i = 1, t.dirty_n do
		local inc = dirty[i]
		scratch[n + 1], scratch[n + 2] = p .. 'incident:' .. inc.id, incident_text(inc)
		n = n + 2
		if not inc.was then
			scratch[n + 1], scratch[n + 2] = p .. 'correlation:' .. inc.corr, inc.id
			n = n + 2
		end
		if inc.filed then
			scratch[n + 1], scratch[n + 2] = p .. 'incident:' .. inc.id .. ':labels', inc.labels
			n = n + 2
			if inc.labels == '-' then
				scratch[n + 1], scratch[n + 2] = p .. 'incident:' .. inc.id .. ':partly', inc.partly
				n = n + 2
			end
		end
	end
	for from = UNPACK + 2, n, UNPACK do
		call('MSET', spread(scratch, from, math.min(from + UNPACK - 1, n)))
	end
	if n > 1 then
		call(spread(scratch, 1, math.min(n, UNPACK + 1)))
	end
end

-- Those that follow each other from and to the same lists go in one command.
local function write_moves(t)
	local i = 1
	while i <= t.moves_n do
		local from, to, n = moves[i + 1], moves[i + 2], 0
		local gone, come = from and from ~= to and {}, {}
		while i <= t.moves_n and moves[i + 1] == from and moves[i + 2] == to do
			n = n + 1
			come[2 * n - 1], come[2 * n] = now_text, moves[i]
			if gone then
				gone[n] = moves[i]
			end
			i = i + 3
		end
		if gone then
			call_list('ZREM', t.p .. from, gone)
		end
		call_list('ZADD', t.p .. to, come)
	end
end

local function write_incidents(t)
	local p = t.p
	for i = 1, t.dirty_n do
		local inc = dirty[i]
		if inc.status ~= inc.was then
			local open = inc.status == 'open'
			if inc.was then
				call('ZREM', p .. (open and 'incidents:done' or 'incidents:open'), inc.id)
			end
			call('ZADD', p .. (open and 'incidents:open' or 'incidents:done'), '0', inc.id)
		end
		if inc.unack then -- it broke again: nobody has seen that yet
			call('HDEL', hand_key(p, inc.id), 'acked', 'acked_by')
		end
		if inc.flaps then
			call('HSET', hand_key(p, inc.id), 'flaps', text(inc.flaps))
		end
		if inc.line_n > 0 then
			local key = p .. 'incident:' .. inc.id .. ':timeline'
			cut_timeline(key, call_list('RPUSH', key, inc.line))
		end
	end
end

local function write_runs(t)
	for i = 1, t.runs_n do
		local r = t.runs[i]
		create_run(t.p, t.now, r, r.later and 'runbookd' or 'bridge',
			(r.cause or r.later and "on_resolve of rule '" or "rule '") .. r.rule .. "', event " .. ulid_of(r.event))
		if r.incident ~= '' then
			local key = t.p .. 'incident:' .. r.incident .. ':runs'
			if call('RPUSH', key, r.id) > TIMELINE + TIMELINE_SLACK then
				call('LTRIM', key, -TIMELINE, -1)
			end
		end
	end
end

local function write_waits(t)
	for name, w in pairs(t.waits) do
		local key = t.p .. 'alert:' .. name .. ':waits'
		if w.dirty and w.was then
			call('DEL', key)
		end
		if w.dirty then
			for field, value in pairs(w.fields) do
				call('HSET', key, field, encode(value))
			end
		end
	end
	for member, due in pairs(t.due) do
		if due then
			call('ZADD', t.p .. 'pending', due, member)
		else
			call('ZREM', t.p .. 'pending', member)
		end
	end
end

-- What a brake let through. Keys of a rule go some time after it; those of all rules stay.
local function write_brake(t, b)
	if b.what == 'runs' and b.added > 0 then
		local times = {}
		for j = 1, b.added do
			times[j] = now_text
		end
		if call_list('LPUSH', b.key, times) > b.count then
			call('LTRIM', b.key, 0, b.count - 1)
		end
	elseif b.touched then
		for host in pairs(b.touched) do
			call('ZADD', b.key, now_text, host)
		end
		if b.added > 0 then
			call('ZREMRANGEBYSCORE', b.key, '-inf', t.now - b.per)
		end
	end
	if b.rule and (b.touched or b.added > 0) then
		call('PEXPIRE', b.key, b.per + 60000)
	end
end

-- Which of them hold, too.
local function write_brakes(t)
	local open = {}
	for i = 1, #t.brakes do
		local b = t.brakes[i]
		local name = sub(b.key, #t.p + 7)
		if b.holds then
			call('HSET', t.p .. 'brakes', name, now_text)
		elseif b.passed then
			open[#open + 1] = name
		end
		write_brake(t, b)
	end
	if #open > 0 then
		call_list('HDEL', t.p .. 'brakes', open)
	end
end

function write_deadlines(t)
	for i = 1, #t.deadlines do
		local name, deadline, fresh = spread(t.deadlines[i])
		if not deadline then
			call('ZREM', t.p .. 'alerts:expiring', name)
		elseif fresh then
			call('ZADD', t.p .. 'alerts:expiring', deadline, name)
		else
			call('ZADD', t.p .. 'alerts:expiring', 'GT', deadline, name)
		end
	end
end

local function write_deliveries(t)
	for i = 1, #t.deliveries do
		local delivery = t.deliveries[i]
		local source, id = match(delivery, '^([^:]*):(.*)$')
		call('HSET', t.p .. 'deliveries:' .. source, id, now_text .. ' ' .. t.delivered[delivery])
		call('ZADD', t.p .. 'deliveries:' .. source .. ':by_time', now_text, id)
		call('SADD', t.p .. 'deliveries', source)
	end
end

-- False, with nothing written, where the bus has gone on without us.
function write_plan(t)
	local bus = t.p .. 'bus'
	if t.counts then
		counts.plan(t)
	end
	for i = 1, t.adds_n, 5 do
		local r = trycall('XADD', bus, adds[i], 'kind', adds[i + 1], 'incident', adds[i + 2], 'decisions',
			adds[i + 3], 'event', adds[i + 4])
		if r.err then
			if i == 1 then
				return false
			end
			error(r.err)
		end
	end
	write_texts(t)
	write_moves(t)
	write_incidents(t)
	if t.indexed then
		write_labels(t)
	end
	if t.topology then
		topology.write(t)
	end
	if t.changes then
		topology.write_changes(t)
	end
	if t.runs_n > 0 then
		write_runs(t)
	end
	if t.taken and #t.taken_list > 0 then
		call('XDEL', t.p .. 'inbox', spread(t.taken_list))
	end
	for key, every in pairs(t.cooldowns_new or {}) do
		call('SET', key, t.cooldowns[key], 'PX', every + 60000)
	end
	if t.deadlines then
		write_deadlines(t)
	end
	if t.deliveries then
		write_deliveries(t)
	end
	if t.waits then
		write_waits(t)
	end
	if t.brakes then
		write_brakes(t)
	end
	if t.sources then
		write_sources(t)
	end
	if t.gates then
		write_gates(t)
	end
	for i = 1, t.inbox and #t.inbox or 0 do
		local entry = t.inbox[i]
		call('XADD', t.p .. 'inbox', '*', 'event', entry[1], 'incident', entry[2], 'json', entry[3],
			'trail', entry[4])
	end
	for i = 1, t.cancels and #t.cancels or 0 do
		cancel_chain(t.p, t.cancels[i][1], t.now, 'runbookd', t.cancels[i][2])
	end
	if t.counts then
		counts.write(t)
	end
	return true
end

-- Of a tick: where the bus has gone on, the next one does it, and what it has put into done.late behind `late` is not said.
function write_due(t, done, late)
	if write_plan(t) then
		return
	end
	read_clock(t.p)
	for i = #done.late, late + 1, -1 do
		done.late[i] = nil
	end
end

-- One step of what a bridge asks for: plan(t, argv) plans, or answers at once; written(t) is the answer when that is
-- written. Once more where the bus had gone on without us.
function in_one_step(keys, argv, plan, written)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	for attempt = 1, 2 do
		local t = new_plan(p, now)
		local answer = plan(t, argv)
		if answer then
			return answer
		elseif write_plan(t) then
			return written(t)
		elseif attempt == 2 then
			return {err = 'ERR the stream ' .. p .. 'bus takes no entry after its last one'}
		end
		read_clock(p)
	end
end

end

local limits_text, limits = '', nil

-- "occurrence_skew_ms reopen_window_ms queue flapping_transitions flapping_ms runs runs_ms hosts hosts_ms
-- delivery_window_ms gate_late_ms gates": the same for all calls of a bridge.
function read_limits(t, s)
	if s ~= limits_text then
		limits_text, limits = s, {}
		for n in string.gmatch(s, '%d+') do
			limits[#limits + 1] = num(n)
		end
		for i = #limits + 1, 12 do
			limits[i] = 0
		end
	end
	t.skew, t.reopen_window, t.queue, t.limits = limits[1], limits[2], limits[3], limits
end

-- The message is through: what it added to the queues counts for the next one.
function end_message(t)
	for pool, n in pairs(t.added) do
		t.pools[pool] = t.pools[pool] + n
	end
	t.added = {}
end

-- Reads the alerts and correlation keys of all events, the first of which is argv[k], in one command.
local function read_ahead(t, argv, k)
	local alerts, incidents = t.alerts, t.corr
	local keys, of, into = {}, {}, {} -- of each key: what it is called in which table
	local n, p = 0, t.p
	while k <= #argv do
		local name, corr = argv[k], argv[k + 3]
		if name ~= '' and alerts[name] == nil then
			alerts[name], n = false, n + 1
			keys[n], of[n], into[n] = p .. 'alert:' .. name, name, alerts
		end
		if corr ~= '' and incidents[corr] == nil then
			incidents[corr], n = false, n + 1
			keys[n], of[n], into[n] = p .. 'correlation:' .. corr, corr, incidents
		end
		k = k + 6 + numbers_of(argv[k + 2]).words
	end
	for from = 1, n, UNPACK do
		local to = math.min(from + UNPACK - 1, n)
		local v = call('MGET', spread(keys, from, to))
		for i = from, to do
			into[i][of[i]] = v[i - from + 1]
		end
	end
end

-- The plan of all events: argv[sizes] says how many each message has, and they begin behind the three words after it.
-- An error, or nil.
local function plan_events(t, argv, sizes)
	local k = sizes + 4
	t.argv, t.truncated, t.ruleset = argv, argv[sizes + 2], argv[sizes + 3]
	read_limits(t, argv[sizes + 1])
	if argv[sizes] ~= '1' and not t.as_new then
		read_ahead(t, argv, k)
	end
	for size in string.gmatch(argv[sizes], '%d+') do
		for _ = 1, num(size) do
			local full
			local e = numbers_of(argv[k + 2])
			k, full = (e.delivery == '' and plan_event or plan_delivered)(t, k, e)
			if full == '' then
				return {err = 'WHOLE an event that came without its JSON is no duplicate'}
			elseif not k then
				return {err = "FULL the queue of pool '" .. full .. "' is full (limits.queue " ..
					t.queue .. ')'}
			end
		end
		if t.runs then
			end_message(t)
		end
	end
end

local function plan_message(t, argv)
	return plan_events(t, argv, 1)
end

local function message_written(t)
	return t.out_n == 1 and t.out[1] or t.out
end

--[[ rb_ingest_v2 KEY sizes limits truncated ruleset, then the events of one or more messages; sizes: how many each has,
"1 1 3". An error stores nothing of any. For each event:
  name     "source:fingerprint" of an alert, '' for what is none
  mark     "f 1763841234567 ": status (f r i) and startsAt in ms (0: none), a blank after each; of one that fires and
           has a deadline "e 1763841234567 1763841477000 ", with that behind it; of a change "c 1763841234567 ", with
           when it happened
  numbers  "severity depth window_ms words inbox_id", words as "12:3" where the last three are topology; and, where the
           sender named this delivery, " SOURCE:ID"
  correlation_key
  head     of one that fires: what its incident is found by and its members that never change: `+`, or `-` where it has
           labels that are left out; then each label, NAME=VALUE and a NUL; then a brace and the members. (Older
           bridges send the members alone.)
           Of a change: what incidents show of it, without its first brace.
  json     empty for an alert that the caller takes for a duplicate: where it is none, the
           answer is the error WHOLE
then `words` words: where the event has facts (37-planned.lua) '' "facts" FACTS '' "0 0"; at the end those of the topology
(37-topology.lua); between them for each rule: rule decision reason cooldown_key numbers (rule_of); where the decision is
run or dry_run, the event's host in place of the reason; then a word for each step, resolve step and failure step (20-runs.lua),
and of a rule over several events the gate words: "kind count within_ms parts timeout_steps" by_key time_ms names why
timeout_why, and the steps on timeout (35-gates.lua); time 0: now; why: that its steps cannot be run for this event.
Answer, texts in an array, or the text itself where there is only one: for each event "outcome entry_id incident",
'-' for none; of a duplicate a blank and then words of which the last two are these, or "1 entry_id incident" where its
delivery came before; of one that was taken by another "3". After a new one (0) or a reopened one (2), for each rule: "decision run reason"; where the event
found a gate of the rule over, "decision+what_that_came_to run reason". ]]
function ingest(keys, argv)
	return in_one_step(keys, argv, plan_message, message_written)
end

-- rb_explain_v2 KEY as_new, then as rb_ingest_v2: what that would answer; as_new 1: as if neither alert nor
-- delivery were known. It is the same plan, thrown away.
function explain(keys, argv)
	local p = keys[1] .. ':'
	local t = new_plan(p, now_ms(p))
	t.as_new = argv[1] == '1'
	local refused = plan_events(t, argv, 2)
	return refused or t.out_n == 1 and t.out[1] or t.out
end

-- ---- ingest: lines of logs -------------------------------------------------------------------------
-- The lines of one pattern that have the same values of its `by` labels are a series; its name is that of the alert which
-- they may raise. A line is known by its mark, so one that is sent again counts once. Those that count stand in
-- `window:NAME` by their times; when there are enough of them the alert fires, and they, and all that come while it
-- does, stand in `seen:NAME`: they never count again. `ends:NAME` has the lines that resolved it. What a call does is
-- kept in t.series until the plan of its events is written.
lines = (function() -- has more names than are left in the scope of all

local EXTRA = 256 -- lines that a series remembers besides those that it has to count
local ENDS = 16 -- lines that resolved it
local TOLD_AGAIN = 3600000 -- ms until it is said again that a pattern has too many series

-- "count within_ms series lines after_ms"
local spec_of = kept(function(s)
	local count, within, series, lines, after = match(s, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
	local u = {
		count = num(count), within = num(within), series = num(series), lines = num(lines), after = num(after),
	}
	u.memory = math.max(u.within, SERIES_MEMORY)
	return u
end)

-- Those of the pattern that may be forgotten make room; not those that this call has begun with.
local function prune(t, pattern)
	local key, room = t.p .. 'series:' .. pattern, 0
	if not t.pruned[pattern] then
		t.pruned[pattern] = true
		local old = call('ZRANGE', key, '-inf', t.now, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
		for i = 1, #old do
			if not t.series[old[i]] and forget_series(t.p, key, old[i], t.now) then
				room = room + 1
			end
		end
	end
	return room
end

-- The one loud event that a pattern has too many series: on the bus, and through the rules by way of the inbox.
local function tell_series(t, pattern, spec)
	if t.told[pattern] then
		return
	end
	t.told[pattern] = (num(call('HGET', t.p .. 'brakes', 'series:' .. pattern) or 0)) > t.now - TOLD_AGAIN and 'before' or 'now'
	if t.told[pattern] == 'before' then
		return
	end
	local json = '{"source":"runbookd","type":"limit","status":"info","time":"' .. received() ..
		'","fingerprint":null,"starts_at":null,"ends_at":null,"severity":"error","summary":' ..
		quote("pattern '" .. pattern .. "' is held back: it follows " .. text(spec.series) ..
			' alerts, its limit (series), and lines that would begin another one are refused; let by have ' ..
			'labels of few values, or raise series') ..
		',"labels":{"limit":"series","pattern":' .. quote(pattern) .. '},"annotations":{},"links":{},"data":{"limit":' ..
		'"series","pattern":' .. quote(pattern) .. ',"count":' .. text(spec.series) .. '},"depth":0}'
	local record, kept_as = plan_add(t, 'info', '', '[]', json)
	t.inbox = t.inbox or {}
	t.inbox[#t.inbox + 1] = {record, '', whole_json(record, kept_as), ''}
end

-- Is there room for one more series? What is to be added in this call counts.
local function admitted(t, pattern, spec)
	local n = t.series_n[pattern] or call('ZCARD', t.p .. 'series:' .. pattern)
	if n >= spec.series then
		n = n - prune(t, pattern)
	end
	t.series_n[pattern] = n
	if n >= spec.series then
		tell_series(t, pattern, spec)
		return false
	end
	t.series_n[pattern] = n + 1
	return true
end

-- nil: the pattern has too many.
local function series_of(t, pattern, name, spec)
	local s = t.series[name]
	if s then
		return s
	end
	local known = call('ZSCORE', t.p .. 'series:' .. pattern, name)
	if not known and not admitted(t, pattern, spec) then
		return nil
	end
	s = {
		name = name, pattern = pattern, spec = spec, times = {}, n = 0, known = {}, window = false,
		counted = {}, seen = {}, ends = {}, lines = {}, kept = false, ended = 0, newest = 0,
	}
	if known then
		local last = call('ZRANGE', t.p .. 'ends:' .. name, -1, -1, 'WITHSCORES')
		s.ended = num(last[2] or 0)
		last = call('ZRANGE', t.p .. 'seen:' .. name, -1, -1, 'WITHSCORES')
		s.newest = num(last[2] or 0)
	end
	t.series[name] = s
	t.series_list[#t.series_list + 1] = s
	return s
end

-- The lines that count, by time, which are looked at only while the alert does not fire.
local function read_window(t, s)
	if s.window then
		return
	end
	s.window = true
	local flat = call('ZRANGE', t.p .. 'window:' .. s.name, 0, -1, 'WITHSCORES')
	for i = 1, #flat, 2 do
		s.n = s.n + 1
		s.known[flat[i]], s.times[s.n] = true, num(flat[i + 1])
		s.counted[#s.counted + 1], s.counted[#s.counted + 2] = flat[i + 1], flat[i]
	end
	s.had = #s.counted
end

local function is_known(t, s, mark)
	if s.known[mark] == nil then
		s.known[mark] = call('ZSCORE', t.p .. 'seen:' .. s.name, mark) and true or false
	end
	return s.known[mark]
end

-- Counts a line; are there `count` of them within some `within` that has this one?
local function count_line(s, mark, time)
	local times, i = s.times, s.n + 1
	while i > 1 and times[i - 1] > time do
		times[i], i = times[i - 1], i - 1
	end
	times[i], s.n = time, s.n + 1
	s.known[mark] = true
	s.counted[#s.counted + 1], s.counted[#s.counted + 2] = text(time), mark
	local most = s.spec.count - 1
	for last = math.max(i, 1 + most), math.min(i + most, s.n) do
		if most == 0 or times[last] - times[last - most] < s.spec.within then
			return true
		end
	end
	return false
end

-- It fires, or fires on: no line counts again.
local function spend_window(s)
	for i = 1, #s.counted do
		s.seen[#s.seen + 1] = s.counted[i]
	end
	s.counted, s.times, s.n, s.spent = {}, {}, 0, true
end

local function fires(t, name)
	local v = t.alerts[name]
	if v == nil then
		v = call('GET', t.p .. 'alert:' .. name) or false
		t.alerts[name] = v
	end
	return v and (byte(v) == 102 or byte(v) == 101) and v -- f, e
end

-- One more line of an alert that fires: it was reported again, and is quiet from now on.
local function fire_on(t, s, v)
	local a = read_alert(v)
	a.n, a.last = up(a.n), now_text
	set_deadline(t, s.name, a, 'f', s.spec.after > 0 and text(t.now + s.spec.after) or nil, false)
	keep_alert(t, s.name, alert_text(a))
end

-- A line of the counter-pattern; as plan_line.
local function plan_end(t, k, e, s, mark, time)
	local stop = k + 6 + e.words
	if s.known[mark] or call('ZSCORE', t.p .. 'ends:' .. s.name, mark) then
		answer(t, 'd')
		return stop
	end
	s.known[mark] = true
	s.ends[#s.ends + 1], s.ends[#s.ends + 2] = text(time), mark
	s.ended = math.max(s.ended, time)
	if not fires(t, s.name) or time < s.newest then -- a later line says that it goes on
		answer(t, 'n')
		return stop
	end
	return plan_event(t, k, e)
end

-- Plans one line; argv[k] is its first word. Returns where the next one begins, or as plan_event.
local function plan_line(t, k)
	local argv = t.argv
	local pattern, spec, mark, time = argv[k], spec_of(argv[k + 1]), argv[k + 2], argv[k + 3]
	local ev = k + 5
	local name, e = argv[ev], numbers_of(argv[ev + 2])
	local stop = ev + 6 + e.words
	local resolves = byte(argv[ev + 1]) == 114 -- r
	if resolves and not t.series[name] and not call('ZSCORE', t.p .. 'series:' .. pattern, name) then
		answer(t, 'n') -- of an alert that nobody heard of
		return stop
	end
	local s = series_of(t, pattern, name, spec)
	if not s then
		answer(t, 's')
		return stop
	end
	local own = time ~= '0'
	time = own and num(time) or t.now
	if resolves then
		return plan_end(t, ev, e, s, mark, time)
	end
	local v = fires(t, name)
	if not v then
		read_window(t, s)
	end
	if is_known(t, s, mark) then
		answer(t, 'd')
		return stop
	elseif not v and own and time < s.ended then -- it came late: what it tells of has been resolved since
		s.known[mark] = true
		s.seen[#s.seen + 1], s.seen[#s.seen + 2] = text(time), mark
		answer(t, 'n')
		return stop
	end
	s.lines[#s.lines + 1] = argv[k + 4]
	s.newest = math.max(s.newest, time)
	if v then
		s.known[mark] = true
		s.seen[#s.seen + 1], s.seen[#s.seen + 2] = text(time), mark
		fire_on(t, s, v)
		answer(t, 'w')
		return stop
	elseif not count_line(s, mark, time) then
		answer(t, 'c')
		return stop
	end
	s.kept = #s.counted / 2 -- the evidence begins with the lines that were counted
	s.after = #s.lines
	spend_window(s)
	argv[ev + 1] = spec.after > 0 and 'e 0 ' .. text(t.now + spec.after) .. ' ' or 'f 0 '
	return plan_event(t, ev, e)
end

-- ZADD, and only the `most` with the greatest scores stay.
local function add_bounded(key, list, most)
	if #list > 0 then
		for from = 1, #list, 2000 do
			call('ZADD', key, spread(list, from, math.min(from + 1999, #list)))
		end
		call('ZREMRANGEBYRANK', key, 0, -most - 1)
	end
end

local function write_evidence(t, s)
	local key, n = t.p .. 'alert:' .. s.name .. ':lines', #s.lines
	local most = s.spec.lines
	if most == 0 or n == 0 then
		return
	end
	call('RPUSH', key, spread(s.lines))
	if s.kept then
		most = math.min(most, s.kept + n - s.after)
	end
	call('LTRIM', key, -most, -1)
end

local function write_series(t)
	local p = t.p
	for i = 1, #t.series_list do
		local s = t.series_list[i]
		local window = p .. 'window:' .. s.name
		if s.spent then
			call('UNLINK', window)
		end
		if #s.counted > (s.spent and 0 or s.had or 0) then
			local most = s.spec.count + EXTRA
			add_bounded(window, s.counted, most)
			call('ZREMRANGEBYSCORE', window, '-inf', s.times[s.n] - s.spec.memory)
		end
		add_bounded(p .. 'seen:' .. s.name, s.seen, EXTRA)
		add_bounded(p .. 'ends:' .. s.name, s.ends, ENDS)
		write_evidence(t, s)
		call('ZADD', p .. 'series:' .. s.pattern, text(t.now + s.spec.memory), s.name)
		call('SADD', p .. 'patterns', s.pattern)
	end
	for pattern, when in pairs(t.told) do
		if when == 'now' then
			call('HSET', p .. 'brakes', 'series:' .. pattern, now_text)
		end
	end
end

local function plan_lines(t, argv)
	t.argv, t.ruleset = argv, argv[2]
	t.series, t.series_list, t.series_n, t.told, t.pruned = {}, {}, {}, {}, {}
	read_limits(t, argv[1])
	local k, full = 3, nil
	while k <= #argv do
		k, full = plan_line(t, k)
		if full == '' then
			return {err = 'WHOLE an event that came without its JSON is no duplicate'}
		elseif not k then
			return {err = "FULL the queue of pool '" .. full .. "' is full (limits.queue " .. t.queue .. ')'}
		end
	end
end

local function lines_written(t)
	write_series(t)
	return t.out
end

--[[ rb_lines_v2 KEY limits ruleset, then for each line that a pattern wants:
  pattern  its name
  numbers  "count within_ms series lines after_ms": threshold, series followed at once, lines kept, quiet time (0: none)
  mark     what tells this line from others of its series, the same when it is sent again
  time     in ms, which orders it; 0: now
  line     as JSON, for people
  then the words of the event that it would raise, or of a resolve, as rb_ingest_v2 has them. Its startsAt and its
  deadline are set here; that of a resolve is 0.
An error stores nothing of any. Answer, for each line: "c" it counts, "d" it was there before, "w" the alert fires already, "n" it
changes nothing, "s" refused, for its pattern has too many series; or what rb_ingest_v2 answers for the event. ]]
return function(keys, argv)
	return in_one_step(keys, argv, plan_lines, lines_written)
end

end)()

do

-- A duplicate whose startsAt is another one, or which has a deadline where the alert had none, or the other way
-- round: as same_again. t: the alert's name and what becomes of its deadline.
local function other_again(t, name, v, mark, deadline, skew)
	local a, status, starts = read_alert(v), sub(mark, 1, 1), sub(mark, 3, -2)
	if status == 'e' then
		status = 'f'
	end
	if not is_duplicate(a, status, starts, num(skew)) then
		return nil
	end
	widen(a, starts, status == 'f' and a.state == 'f')
	if deadline or a.expires then
		set_deadline(t, name, a, status, deadline, false)
	end
	a.n, a.last = up(a.n), now_text
	return alert_text(a), ' ' .. a.event .. ' ' .. a.inc
end

-- As same_again, for what that is not, or has a deadline. t.deadlines grows.
local function deadline_again(t, key, v, mark, deadline, skew)
	local p = match(key, '^(.-}:)')
	local name = sub(key, #p + 7) -- behind "alert:"
	t.p = p
	local same, rest = same_again(v, mark)
	if same then
		t.deadlines = t.deadlines or {}
		t.deadlines[#t.deadlines + 1] = {name, deadline, false}
		return same, rest
	end
	return other_again(t, name, v, mark, deadline, skew)
end

-- rb_again_v1 ALERT_KEY… mark… occurrence_skew_ms: events that the caller takes for duplicates, one key each. The answer
-- as rb_ingest_v2's; the error WHOLE, and nothing written, where one is none.
function again(keys, argv)
	local n = #keys
	read_time(TEST_CLOCK and match(keys[1], '^(.-})') .. ':')
	local out, texts, t = {}, {}, false
	scratch[1] = 'MSET'
	for i = 1, n do
		local key = keys[i]
		local v, same, rest = texts[key] or call('GET', key), nil, nil
		local mark, deadline = split_mark(argv[i])
		if v then
			if not deadline then
				same, rest = same_again(v, mark)
			end
			if not same then
				t = t or {deadlines = false}
				same, rest = deadline_again(t, key, v, mark, deadline, argv[n + 1])
			end
		end
		if not same then
			return {err = 'WHOLE an event that came without its JSON is no duplicate'}
		elseif n == 1 then
			call('SET', key, same)
			out = rest
		else
			texts[key], out[i] = same, rest
			scratch[2 * i], scratch[2 * i + 1] = key, same
		end
	end
	if n > 1 then
		call(spread(scratch, 1, 2 * n + 1))
	end
	if t and t.deadlines then
		write_deadlines(t)
	end
	return out
end

end

end

