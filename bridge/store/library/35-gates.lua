-- ---- gates: rules over several events -----------------------------------------------------------------
-- What a rule over several events has counted for one combination of its `by` values is a gate: one JSON text in
-- `gate:RULE:KEY`, and "RULE KEY" in the sorted set `gates` by the time when it is over. docs/design/gates.md has the why.
--   threshold  events = the events that count, by time
--   all_of, sequence  events likewise, with the bits of the parts that each is, and its alert; words = its steps on
--              timeout. When one ended last, and how, stays for limits.gate_late, so that what belongs to it is known,
--              alone (no events) or with the next one
--   absent     last, event = the latest event; words = what the rule asked for with it; alerts: those among its events,
--              whose repetitions count, too. One that has fired: fired = the time as of which it did
-- All is planned (t.gates) and written with the plan. An end is planned by whoever finds it due first, tick or event;
-- an event says so in t.ended: what was decided then.
local gate_tick, watch
do

local THRESHOLD, ALL_OF, SEQUENCE, ABSENT = 1, 2, 3, 4
local GATE_EVENTS = 100 -- events that a run is told of besides its own: the latest
local GATE_KEPT = 64 -- events that an open gate keeps, besides parts that were missing; a threshold twice its count and so many
local GATE_TAKEN = 16 -- gates of one rule that an alert's resolve looks at: the latest
local WATCH_ALERTS = 16 -- alerts of an `absent` whose repetitions count: the latest
local WATCH_KEPT = 90000 -- ms after which a rule with `absent` that no bridge names any more is not watched

-- "kind count within_ms parts timeout_steps"
local spec_of = kept(function(s)
	local kind, count, within, parts, steps = match(s, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
	return {kind = num(kind), count = num(count), within = num(within), parts = num(parts), steps = num(steps)}
end)

-- rec: what is kept, or false; was: whether Redis has it.
local function get_gate(t, rule, key)
	local member = rule .. ' ' .. key
	t.gates = t.gates or {}
	local g = t.gates[member]
	if not g then
		local v = call('GET', t.p .. 'gate:' .. rule .. ':' .. key)
		g = {rule = rule, key = key, was = v and true or false, rec = v and step.read_kept(v) or false}
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

-- The list with v as its latest, of at most so many.
local function with_latest(list, v, most)
	for i = #list, 1, -1 do
		if list[i] == v then
			table.remove(list, i)
		end
	end
	list[#list + 1] = v
	if #list > most then
		table.remove(list, 1)
	end
	return list
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

-- The event from which `within` counts: the earliest, of a sequence the first that is its first part; or nil.
local function begin_of(rec)
	for _, ev in ipairs(rec.events) do
		if rec.kind ~= SEQUENCE or has_part(ev, 1) then
			return ev
		end
	end
end

-- Until when it waits. What came of a sequence before its first part waits for one that happened before and is late.
local function set_due(t, rec)
	local first = begin_of(rec)
	rec.due = first and first.time + rec.within or rec.events[#rec.events].time + t.limits[11]
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

-- The gate is no more. When one ended last is remembered for as long as what belongs to it may come, also while another
-- one is open.
local function close(t, g, ended, how)
	local rec = g.rec
	local due = ended and ended + t.limits[11] or 0
	keep(g, due > t.now and {kind = rec.kind, names = rec.names, ended = ended, how = how, due = due})
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
		t.body, t.body_of, t.read_event = false, begin_of(rec).event, false
		set_facts(t, rec.facts or false, false)
		return paused(t, 1, {words = #argv})
	end))
end

-- Some came, and not all: its steps on timeout run, whatever waits in the queue. Returns the decision.
local function time_out(t, g)
	local rec, from, first = g.rec, t.runs_n, begin_of(g.rec)
	local far, missing = how_far(rec)
	if not first then
		add_decision(t, nil, rec.events[1].event, g.rule, 'pending', 'dropped: ' .. far .. ' came; missing: ' .. missing, '-')
		close(t, g, rec.ended, rec.how)
		return 'pending'
	end
	local inc = rec.incident ~= '' and get_incident(t, rec.incident) or nil
	rec.incident = inc and inc.id or '' -- it may have been merged since, or be gone
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
			run = plan_runs(t, 1, #rec.words, g.rule, rec.incident, rec.depth + 1, true)
		end)
		runs_of(t, from, first.event, "on_timeout of rule '")
		tell_events(t, from, ids_of(rec.events, first))
		count_runs(t, inc, from)
	end
	add_decision(t, inc, first.event, g.rule, decision, reason, run)
	close(t, g, rec.due, 'timed out')
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
	with_latest(w.keys, key, GATE_TAKEN)
	set_wait(t, t.name, t.alert, field, w)
end

-- What runs on timeout is what the rule asks for with the event at hand. to: the gate's rec, or `asks` of an event that
-- may yet be the earliest one, as the alert that is it now may resolve.
local ASKS = {'words', 'why', 'dry', 'ruleset', 'incident', 'depth', 'trail', 'facts'}

local function begin_with(t, k, at, spec, to)
	local words = {}
	for i = 1, spec.steps do
		words[i] = t.argv[at + 5 + i]
	end
	to.words, to.why, to.dry = spec.steps > 0 and words or nil, t.argv[at + 5], t.argv[k + 1] == 'dry_run'
	to.ruleset, to.incident, to.depth, to.trail = t.ruleset, t.incident, t.depth, t.trail
	to.facts = t.facts or nil
end

-- Another event may be the earliest now.
local function begin_again(rec)
	local asks = (begin_of(rec) or rec).asks
	for i = 1, asks and #ASKS or 0 do
		rec[ASKS[i]] = asks[ASKS[i]]
	end
end

local function too_late(why)
	return 'limit', 'it came too late: ' .. why, '-'
end

-- Is it a part that is missing? Then it is taken however many there are.
local function brings_on(rec, ev)
	local _, before = missing_of(rec)
	local at = insert(rec.events, ev)
	local _, after = missing_of(rec)
	table.remove(rec.events, at)
	return after < before
end

-- Why the event cannot take part in the gate, or nil.
local function late_for(t, g, spec, ev)
	local rec = g.rec
	if rec and rec.ended and ev.time < rec.ended then
		return 'the gate that it belongs to ' .. rec.how .. ' at ' .. rfc3339(rec.ended)
	elseif ev.time + spec.within <= t.now then
		return 'its gate would have been over at ' .. rfc3339(ev.time + spec.within)
	elseif not rec or not rec.events then
		return nil
	elseif rec.events[#rec.events].time - ev.time >= spec.within then
		return 'others of its gate came over ' .. period(spec.within) .. ' after it'
	end
	return #rec.events >= GATE_KEPT and not brings_on(rec, ev) and
		'its gate has ' .. text(GATE_KEPT) .. ' events already' or nil
end

-- What came of a sequence so long before its first part that none can precede it any more.
local function drop_leading(t, rec)
	local events = rec.events
	while events[2] and not has_part(events[1], 1) and events[1].time < t.now - t.limits[11] do
		table.remove(events, 1)
	end
end

local function gate_event(t, k, u, at, spec, g, ev)
	if spec.kind == SEQUENCE and g.rec and g.rec.events then
		drop_leading(t, g.rec)
	end
	local late = late_for(t, g, spec, ev)
	if late then
		return too_late(late)
	end
	local rec = g.rec and g.rec.events and g.rec or {
		kind = spec.kind, names = t.argv[at + 3], count = spec.count, within = spec.within, events = {},
		ended = g.rec and g.rec.ended or nil, how = g.rec and g.rec.how or nil,
	}
	insert(rec.events, ev)
	local first = begin_of(rec)
	if first == ev then
		begin_with(t, k, at, spec, rec)
	elseif first and first.alert and (spec.kind ~= SEQUENCE or has_part(ev, 1)) then
		ev.asks = {}
		begin_with(t, k, at, spec, ev.asks)
	end
	set_due(t, rec)
	keep(g, rec)
	local missing, n = missing_of(rec)
	if n == 0 then
		local decision, reason, run = completed(t, k, u, at, rec.events, ev,
			'all ' .. text(rec.count) .. (spec.kind == SEQUENCE and ' came in order' or ' came'))
		close(t, g, t.now, 'passed')
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
			if left[1] then
				begin_again(rec)
				set_due(t, rec)
				keep(g, rec)
			else
				close(t, g, rec.ended, rec.how)
			end
			add_decision(t, inc, mine.event, rule, 'pending', 'dropped: the alert resolved' ..
				(left[1] and ', and others wait on' or ''), '-')
		end
	end
end

-- ---- absent ----

-- When an alert among its events was heard of last, which a repetition does not come here to say; or 0.
local function heard_of(t, rec)
	local heard = 0
	for _, name in ipairs(rec.alerts or {}) do
		local v = t.alerts[name] or call('GET', t.p .. 'alert:' .. name)
		heard = math.max(heard, v and num(read_alert(v).last) or 0)
	end
	return heard
end

local function loaded(t, g)
	return call('HEXISTS', t.p .. 'absents', g.rule) == 1
end

-- None came: the rule is decided with the words of the latest one. Returns the decision, false where it is not due after
-- all, or nil and the full pool.
local function fire_absent(t, g)
	local rec, from, heard = g.rec, t.runs_n, heard_of(t, g.rec)
	if not loaded(t, g) then
		keep(g, false)
		return false
	elseif heard > rec.last then
		rec.last, rec.due = heard, heard + rec.within
		keep(g, rec)
		if rec.due > t.now then
			return false
		end
	end
	local inc = rec.incident ~= '' and get_incident(t, rec.incident) or nil
	rec.incident = inc and inc.id or '' -- it may have been merged since, or be gone
	local why = 'none of ' .. rec.names .. ' came for ' .. period(rec.within) ..
		(rec.event == '' and ' since ' or '; the last one was at ') .. rfc3339(rec.last)
	if rec.event == '' then
		rec.event = plan_add(t, 'info', '', '[]', '{"source":"runbookd","type":"absent","status":"info","time":"' ..
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
	rec.fired = rec.due
	if rec.alerts then
		rec.due = t.now + rec.within
	else
		rec.words, rec.due = nil, t.now + math.max(t.keep or 0, t.limits[11])
	end
	keep(g, rec)
	return decision
end

-- One that fired is due again. With alerts: has one been heard of since? It is asked again when an eighth of the time since
-- then went by. Without: it was kept for as long as anything is.
local function after_fired(t, g)
	local rec, heard = g.rec, heard_of(t, g.rec)
	if not rec.alerts or not loaded(t, g) or g.key ~= '' and t.now - rec.fired > t.keep then
		keep(g, false)
	elseif heard > rec.fired then
		rec.fired, rec.last, rec.due = nil, heard, heard + rec.within
		keep(g, rec)
	else
		rec.due = t.now + math.max(rec.within, floor((t.now - rec.fired) / 8))
		keep(g, rec)
	end
end

local function watched(t, k, u, at, spec, last, was)
	local alerts = was and was.alerts or nil
	if t.alert then
		alerts = with_latest(alerts or {}, t.name, WATCH_ALERTS)
	end
	return {
		kind = ABSENT, names = t.argv[at + 3], within = spec.within, last = last, due = last + spec.within, alerts = alerts,
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
		t.ended = decision
	end
	local rec = g.rec
	if rec and rec.fired and time + spec.within <= t.now then
		return too_late('that none came was said as of ' .. rfc3339(rec.fired))
	end
	if not rec or rec.fired or time >= rec.last then
		rec = watched(t, k, u, at, spec, time, rec)
		t.put_off = t.put_off or {}
		t.put_off[#t.put_off + 1] = rec
		keep(g, rec)
	end
	return 'pending', 'runs if no other one came until ' .. rfc3339(rec.due), '-'
end

-- ---- from outside ----

-- One rule over several events; as decide_now.
function gate_decide(t, k, u)
	local argv, at = t.argv, k + 5 + u.steps + u.resolve + u.failure
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
			t.ended = time_out(t, g)
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

-- Without `by` it is watched for as long as it is loaded: one that fired waits for its next event.
local function endless(g)
	return g.rec.fired and g.key == '' and not g.rec.alerts
end

function write_gates(t)
	for member, g in pairs(t.gates) do
		local rec = g.rec
		if g.dirty and rec then
			call('SET', t.p .. 'gate:' .. g.rule .. ':' .. g.key, encode(rec))
			call('ZADD', t.p .. 'gates', g.again or endless(g) and '+inf' or text(rec.due), member)
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
	if rec.fired then
		after_fired(t, g)
	elseif not rec.events and rec.kind ~= ABSENT or rec.kind == THRESHOLD then
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
	write_due(t, done, late)
	return #members
end

-- A rule without `by` is watched from when it is loaded.
local function watch_rule(t, rule, k)
	local u = rule_of(t.argv[k + 4])
	local at = k + 5 + u.steps + u.resolve + u.failure
	local spec, g = spec_of(t.argv[at]), get_gate(t, rule, '')
	t.key, t.depth, t.trail, t.incident, t.alert = '', 0, '', '', false
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

-- rb_watch_v2 KEY limits ruleset, then for each rule with `absent`: its name, a number of words, and where it has no
-- `by` those words, as rb_ingest_v2 has them for a rule. Said when rules were loaded, and again now and then.
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
			local g = get_gate(t, known[i], '')
			if g.rec and endless(g) then -- nobody else would take it away
				keep(g, false)
			end
			call('HDEL', p .. 'absents', known[i])
		end
	end
	if not write_plan(t) then
		read_clock(p)
	end
	return 1
end

end

