-- ---- gates: rules over several events -----------------------------------------------------------------
-- What a rule over several events has counted for one combination of its `by` values is a gate: one JSON text in
-- `gate:RULE:KEY`, and "RULE KEY" in the sorted set `gates` by the time when it is over. docs/design/gates.md has the why.
--   threshold  events = the events that count, by time
--   all_of, sequence  events likewise, with the bits of the parts that each is, and its alert; words = its steps on
--              timeout. One that has ended stays for limits.gate_late, so that what belongs to it is known: ended, how
--   absent     last, event = the latest event; words = what the rule asked for with it. One that has fired: fired
-- All is planned (t.gates) and written with the plan. An end is planned by whoever finds it due first, tick or event.
local gate_tick, watch
do

local THRESHOLD, ALL_OF, SEQUENCE, ABSENT = 1, 2, 3, 4
local GATE_EVENTS = 100 -- events that a run is told of besides its own: the latest
local GATE_KEPT = 64 -- events that an open gate keeps; a threshold twice its count and so many
local GATE_TAKEN = 16 -- gates of one rule that an alert's resolve looks at: the latest
local WATCH_KEPT = 90000 -- ms after which a rule with `absent` that no bridge names any more is not watched

local specs, specs_n = {}, 0

-- "kind count within_ms parts timeout_steps"
local function spec_of(s)
	local u = specs[s]
	if not u then
		local kind, count, within, parts, steps = match(s, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
		u = {kind = num(kind), count = num(count), within = num(within), parts = num(parts), steps = num(steps)}
		if specs_n >= 1024 then
			specs, specs_n = {}, 0
		end
		specs[s], specs_n = u, specs_n + 1
	end
	return u
end

-- rec: what is kept, or false; was: whether Redis has it.
local function get_gate(t, rule, key)
	local member = rule .. ' ' .. key
	t.gates = t.gates or {}
	local g = t.gates[member]
	if not g then
		local v = call('GET', t.p .. 'gate:' .. rule .. ':' .. key)
		g = {rule = rule, key = key, was = v and true or false, rec = v and cjson.decode(v) or false}
		t.gates[member] = g
	end
	return g
end

local function keep(g, rec)
	g.rec, g.dirty = rec, true
end

-- Is there room for one more gate of the rule? What this call begins counts.
local function admitted(t, g)
	if g.was or g.counted then
		return true
	end
	t.gates_n = t.gates_n or {}
	local n = t.gates_n[g.rule] or num(call('HGET', t.p .. 'gates:count', g.rule) or 0)
	if n >= t.limits[12] then
		return false
	end
	t.gates_n[g.rule], g.counted = n + 1, true
	return true
end

-- Events are kept by time, those of one time as they came.
local function insert(events, ev)
	local i = #events + 1
	while i > 1 and events[i - 1].time > ev.time do
		events[i], i = events[i - 1], i - 1
	end
	events[i] = ev
	return i
end

-- What t holds of the event under way, while something else is decided.
local function aside(t, f)
	local argv, ruleset, name, alert, key = t.argv, t.ruleset, t.name, t.alert, t.key
	local inc, incident, depth, trail = t.inc, t.incident, t.depth, t.trail
	local body, body_of, event, facts = t.body, t.body_of, t.read_event, t.facts
	local a, b = f()
	t.argv, t.ruleset, t.name, t.alert, t.key = argv, ruleset, name, alert, key
	t.inc, t.incident, t.depth, t.trail = inc, incident, depth, trail
	t.body, t.body_of, t.read_event = body, body_of, event
	set_facts(t, facts, false)
	return a, b
end

-- ---- how far a gate is ----

local function has_part(ev, i)
	return floor(ev.parts / 2 ^ (i - 1)) % 2 == 1
end

-- The names of the parts that are missing, and how many there are.
local function missing_of(rec)
	local names, missing, at, following = {}, {}, 0, 1
	for name in string.gmatch(rec.names, '[^\n]+') do
		names[#names + 1] = name
	end
	for _, ev in ipairs(rec.events) do
		if rec.kind == SEQUENCE and has_part(ev, following) then
			following = following + 1
		end
	end
	for i = 1, rec.count do
		local there = rec.kind == SEQUENCE and i < following
		for _, ev in ipairs(rec.kind == ALL_OF and rec.events or {}) do
			there = there or has_part(ev, i)
		end
		if not there then
			at = at + 1
			missing[at] = names[i] or text(i)
		end
	end
	return missing, at
end

local function how_far(rec)
	local missing, n = missing_of(rec)
	return text(rec.count - n) .. ' of ' .. text(rec.count), concat(missing, '; ')
end

-- ---- ends ----

local function ids_of(events, own)
	local ids = {}
	for i = math.max(1, #events - GATE_EVENTS), #events do
		if events[i] ~= own and #ids < GATE_EVENTS then
			ids[#ids + 1] = '"' .. ulid_of(events[i].event) .. '"'
		end
	end
	return '[' .. concat(ids, ',') .. ']'
end

local function tell_events(t, from, ids)
	for i = from + 1, t.runs_n do
		local r = t.runs[i]
		r.more = r.more or {}
		r.more[#r.more + 1], r.more[#r.more + 2] = 'events', ids
	end
end

-- The event at hand completes it: decided from cooldown on. decision, reason and run, or nil and the full pool.
local function completed(t, k, u, at, events, own, why)
	if t.argv[at + 4] ~= '' then
		return 'error', t.argv[at + 4], '-'
	end
	local from = t.runs_n
	local decision, reason, run = decide_now(t, k, u)
	if not decision then
		return nil, reason
	end
	tell_events(t, from, ids_of(events, own))
	return decision, decision == 'run' and why or why .. '; ' .. reason, run
end

-- An ended gate is remembered for as long as what belongs to it may come.
local function ended(t, g, at, how)
	local rec = g.rec
	if t.limits[11] == 0 then
		keep(g, false)
	else
		keep(g, {kind = rec.kind, names = rec.names, ended = at, how = how, due = t.now + t.limits[11]})
	end
end

-- Runs of an end that is nobody's event now: they belong to an earlier one.
local function runs_of(t, from, event, cause)
	for i = from + 1, t.runs_n do
		t.runs[i].event, t.runs[i].later, t.runs[i].cause = event, true, cause
	end
end

local function count_runs(t, inc, from)
	if inc and t.runs_n > from then
		touch(t, inc)
		inc.runs = text(read_tail(inc).runs + t.runs_n - from)
	end
end

-- Why a person does not want the steps on timeout to run now, or nil.
local function timeout_paused(t, rec, rule)
	local argv = {rule, '', '', '', ''} -- as a rule's words are laid out
	for i = 1, #rec.words do
		argv[5 + i] = rec.words[i]
	end
	return (aside(t, function()
		t.argv, t.alert = argv, false
		t.body, t.body_of, t.read_event = false, rec.events[1].event, false
		set_facts(t, rec.facts or false, false)
		return paused(t, 1, {words = #argv})
	end))
end

-- Some came, and not all: its steps on timeout run, whatever waits in the queue. Returns the decision.
local function time_out(t, g)
	local rec, from, first = g.rec, t.runs_n, g.rec.events[1]
	local inc = rec.incident ~= '' and get_incident(t, rec.incident) or nil
	rec.incident = inc and inc.id or rec.incident -- it may have been merged since
	local far, missing = how_far(rec)
	local why = far .. ' came within ' .. period(rec.within) .. '; missing: ' .. missing
	local decision, reason, run = 'pending', 'dropped: ' .. why, '-'
	local held = rec.words and timeout_paused(t, rec, g.rule)
	if rec.why ~= '' then
		decision, reason = 'error', 'on_timeout: ' .. rec.why .. ' (' .. why .. ')'
	elseif held then
		decision, reason = 'paused', held .. ' (on_timeout: ' .. why .. ')'
	elseif rec.words and rec.dry then
		decision, reason = 'dry_run', 'its mode is dry_run; it would run on_timeout: ' .. why
	elseif rec.words then
		decision, reason = 'run', 'on_timeout: ' .. why
		aside(t, function()
			t.argv, t.ruleset, t.trail = rec.words, rec.ruleset, rec.trail or ''
			run = plan_runs(t, 1, #rec.words / 6, g.rule, rec.incident, rec.depth + 1, true)
		end)
		runs_of(t, from, first.event, "on_timeout of rule '")
		tell_events(t, from, ids_of(rec.events, first))
		count_runs(t, inc, from)
	end
	add_decision(t, inc, first.event, g.rule, decision, reason, run)
	ended(t, g, rec.due, 'timed out')
	return decision
end

-- The rule is another one by now than when the gate began.
local function drop_changed(t, g)
	local rec = g.rec
	if rec.events and rec.kind ~= THRESHOLD then
		add_decision(t, nil, rec.events[1].event, g.rule, 'pending', 'dropped: the rule was changed', '-')
	end
	keep(g, false)
end

-- ---- threshold ----

-- How many events there are at most within some `within` that has event i.
local function most_within(events, i, within)
	local best, last = 0, i
	for first = 1, i do
		if events[i].time - events[first].time < within then
			while events[last + 1] and events[last + 1].time - events[first].time < within do
				last = last + 1
			end
			best = math.max(best, last - first + 1)
		end
	end
	return best
end

local function count_event(t, k, u, at, spec, g, ev)
	local events = g.rec and g.rec.events or {}
	local oldest = t.now - t.limits[11] - spec.within
	while events[1] and (events[1].time <= oldest or #events >= 2 * spec.count + GATE_KEPT) do
		table.remove(events, 1)
	end
	local n = most_within(events, insert(events, ev), spec.within)
	if n >= spec.count then
		local decision, reason, run = completed(t, k, u, at, events, ev,
			text(n) .. ' within ' .. period(spec.within))
		keep(g, false)
		return decision, reason, run
	end
	keep(g, {
		kind = THRESHOLD, names = '', events = events,
		due = events[#events].time + spec.within + t.limits[11],
	})
	return 'pending', text(n) .. ' of ' .. text(spec.count) .. ' within ' .. period(spec.within) .. ': waits for ' ..
		text(spec.count - n) .. ' more', '-'
end

-- ---- all_of, sequence ----

-- So that the alert's resolve finds it.
local function note_taken(t, rule, key)
	local field = 'gate ' .. rule
	local w = waits_of(t, t.name, t.alert).fields[field] or {keys = {}}
	for i = 1, #w.keys do
		if w.keys[i] == key then
			return
		end
	end
	w.keys[#w.keys + 1] = key
	if #w.keys > GATE_TAKEN then
		table.remove(w.keys, 1)
	end
	set_wait(t, t.name, t.alert, field, w)
end

local function open_gate(t, k, at, spec)
	local words = {}
	for i = 1, 6 * spec.steps do
		words[i] = t.argv[at + 5 + i]
	end
	return {
		kind = spec.kind, names = t.argv[at + 3], count = spec.count, within = spec.within, events = {},
		words = spec.steps > 0 and words or nil, why = t.argv[at + 5], dry = t.argv[k + 1] == 'dry_run',
		ruleset = t.ruleset, incident = t.incident, depth = t.depth, trail = t.trail, facts = t.facts or nil,
	}
end

local function too_late(why)
	return 'limit', 'it came too late: ' .. why, '-'
end

-- Why the event cannot take part in the gate, or nil.
local function late_for(t, g, spec, ev)
	local rec = g.rec
	if rec and rec.ended and ev.time < rec.ended then
		return 'the gate that it belongs to ' .. rec.how .. ' at ' .. rfc3339(rec.ended)
	elseif ev.time + spec.within <= t.now then
		return 'its gate would have been over at ' .. rfc3339(ev.time + spec.within)
	elseif not rec or rec.ended then
		return nil
	elseif rec.events[#rec.events].time - ev.time >= spec.within then
		return 'others of its gate came over ' .. period(spec.within) .. ' after it'
	end
	return #rec.events >= GATE_KEPT and 'its gate has ' .. text(GATE_KEPT) .. ' events already' or nil
end

local function gate_event(t, k, u, at, spec, g, ev)
	local late = late_for(t, g, spec, ev)
	if late then
		return too_late(late)
	end
	local rec = g.rec and not g.rec.ended and g.rec or open_gate(t, k, at, spec)
	insert(rec.events, ev)
	rec.due = rec.events[1].time + spec.within
	keep(g, rec)
	local missing, n = missing_of(rec)
	if n == 0 then
		local decision, reason, run = completed(t, k, u, at, rec.events, ev,
			'all ' .. text(rec.count) .. (spec.kind == SEQUENCE and ' came in order' or ' came'))
		ended(t, g, t.now, 'passed')
		return decision, reason, run
	end
	if ev.alert then
		note_taken(t, g.rule, g.key)
	end
	return 'pending', text(rec.count - n) .. ' of ' .. text(rec.count) .. ': waits for ' .. concat(missing, '; ') ..
		' until ' .. rfc3339(rec.due), '-'
end

-- The alert resolved: what it was in gates of the rule holds no longer.
function gate_taken_back(t, name, inc, rule, wait)
	for i = 1, #wait.keys do
		local g, left, mine = get_gate(t, rule, wait.keys[i]), {}, nil
		local rec = g.rec
		for _, ev in ipairs(rec and rec.kind ~= THRESHOLD and rec.due > t.now and rec.events or {}) do
			if ev.alert == name then
				mine = ev
			else
				left[#left + 1] = ev
			end
		end
		if mine then
			rec.events = left
			rec.due = left[1] and left[1].time + rec.within
			keep(g, left[1] and rec or false)
			add_decision(t, inc, mine.event, rule, 'pending', 'dropped: the alert resolved' ..
				(left[1] and ', and others wait on' or ''), '-')
		end
	end
end

-- ---- absent ----

-- None came: the rule is decided with the words of the latest one. Returns the decision, or nil and the full pool.
local function fire_absent(t, g)
	local rec, from = g.rec, t.runs_n
	if call('HEXISTS', t.p .. 'absents', g.rule) == 0 then
		keep(g, false) -- no such rule any more
		return false
	end
	local inc = rec.incident ~= '' and get_incident(t, rec.incident) or nil
	rec.incident = inc and inc.id or rec.incident -- it may have been merged since
	local why = 'none of ' .. rec.names .. ' came for ' .. period(rec.within) ..
		(rec.event == '' and ' since ' or '; the last one was at ') .. rfc3339(rec.last)
	if rec.event == '' then
		rec.event = plan_add(t, 'info', '', '[]', '"source":"runbookd","type":"absent","status":"info","time":"' ..
			received() .. '","fingerprint":null,"starts_at":null,"ends_at":null,"severity":"error","summary":' ..
			quote("rule '" .. g.rule .. "': " .. why) .. ',"labels":{"rule":' .. quote(g.rule) ..
			'},"annotations":{},"links":{},"data":{}}')
	end
	local decision, reason, run = 'error', rec.why, '-'
	if rec.why == '' then
		local full
		decision, full = aside(t, function()
			local d
			t.argv, t.ruleset, t.name, t.alert, t.key = rec.words, rec.ruleset, '', false, rec.key
			t.inc, t.incident, t.depth, t.trail = inc or false, rec.incident, rec.depth, rec.trail or ''
			t.body, t.body_of, t.read_event = false, rec.event, false
			set_facts(t, rec.facts or false, false)
			d, reason, run = decide_now(t, 1, rule_of(rec.words[5]))
			return d, reason
		end)
		if not decision then
			return nil, full
		end
		reason = decision == 'run' and why or why .. '; ' .. reason
	end
	runs_of(t, from, rec.event, "rule '")
	count_runs(t, inc, from)
	add_decision(t, inc, rec.event, g.rule, decision, reason, run)
	keep(g, {
		kind = ABSENT, names = rec.names, last = rec.last, fired = rec.due, within = rec.within,
		forever = g.key == '', due = t.now + (t.keep or 0),
	})
	return decision
end

local function watched(t, k, u, at, spec, last)
	return {
		kind = ABSENT, names = t.argv[at + 3], within = spec.within, last = last, due = last + spec.within,
		event = '', words = slice(t.argv, k, u.words), why = t.argv[at + 4], key = t.key, depth = t.depth,
		trail = t.trail, ruleset = t.ruleset, incident = t.incident, facts = t.facts or nil,
	}
end

local function heartbeat(t, k, u, at, spec, g, time)
	if g.rec and not g.rec.fired and t.now >= g.rec.due and time >= g.rec.due then
		local decision, full = fire_absent(t, g)
		if decision == nil then
			return nil, full
		end
	end
	local rec = g.rec
	if rec and rec.fired and time + spec.within <= t.now then
		return too_late('that none came was said as of ' .. rfc3339(rec.fired))
	end
	if not rec or rec.fired or time >= rec.last then
		rec = watched(t, k, u, at, spec, time)
		t.put_off = t.put_off or {}
		t.put_off[#t.put_off + 1] = rec
		keep(g, rec)
	end
	return 'pending', 'runs if no other one came until ' .. rfc3339(rec.due), '-'
end

-- ---- from outside ----

-- One rule over several events; as decide_now.
function gate_decide(t, k, u)
	local argv, at = t.argv, k + 5 + 6 * (u.steps + u.resolve + u.failure)
	local spec, own = spec_of(argv[at]), num(argv[at + 2])
	local time = own > 0 and math.min(own, t.now) or t.now
	if t.now - time > t.limits[11] then
		return too_late(period(t.now - time) .. ' after it happened; limits.gate_late is ' ..
			period(t.limits[11]))
	end
	local g = get_gate(t, argv[k], argv[at + 1])
	if g.rec and (g.rec.kind ~= spec.kind or g.rec.names ~= argv[at + 3]) then
		drop_changed(t, g)
	end
	if spec.kind ~= ABSENT and g.rec and g.rec.due <= t.now then
		if g.rec.events and spec.kind ~= THRESHOLD then
			time_out(t, g)
		else
			keep(g, false)
		end
	end
	if not g.rec and not admitted(t, g) then
		return 'limit', 'the rule follows ' .. text(t.limits[12]) .. ' different values of its by at once ' ..
			'(limits.gates); let by have fields of few values, or raise it', '-'
	end
	if spec.kind == ABSENT then
		return heartbeat(t, k, u, at, spec, g, time)
	end
	local ev = {time = time, parts = spec.parts, alert = t.alert and t.name or nil}
	t.put_off = t.put_off or {}
	t.put_off[#t.put_off + 1] = ev
	return (spec.kind == THRESHOLD and count_event or gate_event)(t, k, u, at, spec, g, ev)
end

function write_gates(t)
	for member, g in pairs(t.gates) do
		local rec = g.rec
		if g.dirty and rec then
			call('SET', t.p .. 'gate:' .. g.rule .. ':' .. g.key, encode(rec))
			call('ZADD', t.p .. 'gates', g.again or rec.forever and '+inf' or text(rec.due), member)
			if not g.was then
				call('HINCRBY', t.p .. 'gates:count', g.rule, 1)
			end
		elseif g.dirty and g.was then
			call('UNLINK', t.p .. 'gate:' .. g.rule .. ':' .. g.key)
			call('ZREM', t.p .. 'gates', member)
			if call('HINCRBY', t.p .. 'gates:count', g.rule, -1) <= 0 then
				call('HDEL', t.p .. 'gates:count', g.rule)
			end
		end
	end
end

-- What is over. false: a queue is full, and it stays.
local function gate_over(t, g, done)
	local rec, decision = g.rec, nil
	if rec.ended or rec.fired or rec.kind == THRESHOLD then
		keep(g, false)
	elseif rec.kind == ABSENT then
		decision = fire_absent(t, g)
		if decision == nil then
			g.again, g.dirty = t.now + DUE_AGAIN, true
		end
	else
		decision = time_out(t, g)
	end
	if decision then
		done.late[#done.late + 1], done.late[#done.late + 2] = g.rule, decision
	end
end

function gate_tick(p, now, limits_of_bridge, retention, done)
	local members = call('ZRANGE', p .. 'gates', '-inf', now, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	if #members == 0 then
		return 0
	end
	local t, late = new_plan(p, now), #done.late
	read_limits(t, limits_of_bridge)
	t.keep = retention
	for i = 1, #members do
		local g = get_gate(t, match(members[i], '^(%S+) (.*)$'))
		if g.rec then
			gate_over(t, g, done)
		else
			call('ZREM', p .. 'gates', members[i])
		end
		if t.runs then
			end_message(t)
		end
	end
	if not write_plan(t) then
		read_clock(p) -- the next tick does it
		for i = #done.late, late + 1, -1 do
			done.late[i] = nil
		end
	end
	return #members
end

-- A rule without `by` is watched from when it is loaded.
local function watch_rule(t, rule, k)
	local u = rule_of(t.argv[k + 4])
	local at = k + 5 + 6 * (u.steps + u.resolve + u.failure)
	local spec, g = spec_of(t.argv[at]), get_gate(t, rule, '')
	t.key, t.depth, t.trail, t.incident = '', 0, '', ''
	local rec = g.rec
	if rec and (rec.kind ~= ABSENT or rec.names ~= t.argv[at + 3]) then
		drop_changed(t, g)
		rec = false
	end
	if not rec then
		keep(g, watched(t, k, u, at, spec, t.now))
	elseif not rec.fired and rec.event == '' and rec.ruleset ~= t.ruleset then
		keep(g, watched(t, k, u, at, spec, rec.last))
	end
end

-- rb_watch_v1 KEY limits ruleset, then for each rule with `absent`: its name, a number of words, and where it has no
-- `by` those words, as rb_ingest_v1 has them for a rule. Said when rules were loaded, and again now and then.
function watch(keys, argv)
	local p = keys[1] .. ':'
	local t, k, named = new_plan(p, now_ms(p)), 3, {}
	t.argv, t.ruleset = argv, argv[2]
	read_limits(t, argv[1])
	while k <= #argv do
		named[argv[k]] = true
		if argv[k + 1] ~= '0' then
			watch_rule(t, argv[k], k + 2)
		end
		k = k + 2 + argv[k + 1]
	end
	local known = call('HGETALL', p .. 'absents')
	for rule in pairs(named) do
		call('HSET', p .. 'absents', rule, now_text)
	end
	for i = 1, #known, 2 do
		if not named[known[i]] and t.now - known[i + 1] > WATCH_KEPT then
			call('HDEL', p .. 'absents', known[i])
		end
	end
	if not write_plan(t) then
		read_clock(p)
	end
	return 1
end

end

