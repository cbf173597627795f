-- ---- time ------------------------------------------------------------------------------------------
local tick
do

local function tick_leases(p, now, done)
	local ids = call('ZRANGE', p .. 'leases', '-inf', now, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	for i = 1, #ids do
		local r = run_get(p, ids[i])
		if not r or r.state ~= 'running' then
			call('ZREM', p .. 'leases', ids[i])
		elseif worker_gone(p, r, now, "worker '" .. r.worker .. "' was silent until its lease ran out") then
			done.lost = done.lost + 1
		else
			done.requeued = done.requeued + 1
		end
	end
	return #ids
end

-- Runs that nobody claimed in time, unless a pause holds them; and the bell for those that became ready, or whose bell was heard in vain.
local function tick_queues(p, now, ttl, done)
	local pools, looked, seen = call('SRANDMEMBER', p .. 'pools', TICK_POOLS), 0, {}
	for i = 1, #pools do
		local pool = pools[i]
		local queue = p .. 'queue:' .. pool
		local ids = looked < TICK_WORK and
			call('ZRANGE', queue, '-inf', now - ttl, 'BYSCORE', 'LIMIT', 0, TICK_WORK - looked) or {}
		for j = 1, #ids do
			local r = run_get(p, ids[j])
			if not r or r.state ~= 'queued' then
				call('ZREM', queue, ids[j])
			elseif not hold_queued(p, r, now, seen) then
				set_state(p, r, 'cancelled', now, 'runbookd',
					"no worker of pool '" .. pool .. "' claimed it within limits.queue_ttl", {})
				go_on(p, r, now)
				done.expired = done.expired + 1
			end
		end
		looked = looked + #ids
		local first = call('ZRANGE', queue, 0, 0, 'WITHSCORES')
		if not first[1] then
			call('SREM', p .. 'pools', pool)
			call('DEL', p .. 'bell:' .. pool)
		elseif num(first[2]) <= now and call('LLEN', p .. 'bell:' .. pool) == 0 then
			ring(p, pool)
		end
	end
	return looked
end

-- For insights; what the alert's labels are is read from its latest event.
local function count_here(t, name, a, inc, at)
	local _, _, _, json = record(t.p, a.event)
	json = json or call('GET', t.p .. 'alert:' .. name .. ':event')
	if json then
		counts.alert(t, name, a, inc, json, num(at), '')
	end
end

-- Resolved by us, as of the time `at`.
local function resolve_here(t, name, a, at, reason)
	local inc = leave(t, a)
	local source, fingerprint = match(name, '^(.*):(.-)$')
	local sid = plan_add(t, 'alert', a.inc ~= '-' and a.inc or '', '[]', '{"source":' .. quote(source) ..
		',"fingerprint":' .. quote(fingerprint) .. ',"status":"resolved","last_seen":' ..
		time_or_null(a.last) .. ',"ends_at":' .. time_or_null(at) .. ',"reason":' .. quote(reason) .. '}')
	local runs = t.runs_n
	a.was, a.began, a.state = 'f', a.since, 'x'
	change_since(a, t.now, t.limits, at)
	count_here(t, name, a, inc, at)
	if a.expires then
		t.deadlines = t.deadlines or {}
		t.deadlines[#t.deadlines + 1] = {name, false, false}
		a.expires = false
	end
	if waits(a) then
		t.depth, t.trail = 0, ''
		end_waits(t, name, a, inc, 'the alert was not reported any more and counts as resolved', a.event)
	end
	keep_alert(t, name, alert_text(a))
	move_alert(t, name, 'f', 'x')
	if inc then
		if num(at) > num(inc.updated) then
			inc.updated = at
		end
		if inc.status == 'resolved' then -- it was over when its last alert was, but not before what it heard since
			inc.resolved = inc.updated
		end
		note_flaps(t, a, inc)
		inc.runs = t.runs_n > runs and text(read_tail(inc).runs + t.runs_n - runs) or inc.runs
		add_line(inc, sid)
	end
end

-- Alerts whose deadline passed: resolved as of that time, however late this is.
local function tick_expiring(p, now, limits_of_bridge, done)
	local due = call('ZRANGE', p .. 'alerts:expiring', '-inf', now, 'BYSCORE', 'LIMIT', 0, TICK_WORK, 'WITHSCORES')
	if #due == 0 then
		return 0
	end
	local t = new_plan(p, now)
	read_limits(t, limits_of_bridge)
	local n = 0
	for i = 1, #due, 2 do
		local name = due[i]
		local v = call('GET', p .. 'alert:' .. name)
		local a = v and read_alert(v)
		if a and a.expires then
			resolve_here(t, name, a, text(num(due[i + 1])), 'its end came, and it was not reported again')
			n = n + 1
		else
			call('ZREM', p .. 'alerts:expiring', name)
		end
	end
	if n > 0 and not write_plan(t) then
		read_clock(p) -- the next tick does it
	else
		done.resolved_stale = done.resolved_stale + n
	end
	return #due / 2
end

-- Delivery ids that are older than the window, or too many, of some sources.
local function tick_deliveries(p, now, limits_of_bridge)
	local sources, most = call('SRANDMEMBER', p .. 'deliveries', TICK_POOLS), 0
	if #sources == 0 then
		return 0
	end
	local window = num(match(limits_of_bridge, '^%d+ %d+ %d+ %d+ %d+ %d+ %d+ %d+ %d+ (%d+)') or 0)
	for i = 1, window > 0 and #sources or 0 do
		local key = p .. 'deliveries:' .. sources[i]
		local over = call('ZCARD', key .. ':by_time') - DELIVERIES
		local ids = over > 0 and call('ZRANGE', key .. ':by_time', 0, math.min(over, 10 * TICK_WORK) - 1) or
			call('ZRANGE', key .. ':by_time', '-inf', now - window, 'BYSCORE', 'LIMIT', 0, 10 * TICK_WORK)
		if #ids > 0 then
			call('HDEL', key, spread(ids))
			call('ZREM', key .. ':by_time', spread(ids))
		end
		if call('ZCARD', key .. ':by_time') == 0 then
			call('SREM', p .. 'deliveries', sources[i])
		end
		most = math.max(most, #ids / 10)
	end
	return most
end

-- An alert that fires is looked at when nothing changed for a while: resolved where nobody spoke of it for
-- stale_after, else moved on to when it was last heard of, with its event beside it, since the bus is trimmed.
local function tick_stale(p, now, stale_after, retention, limits_of_bridge, done)
	local age = math.min(stale_after, floor(retention / 2))
	local names = call('ZRANGE', p .. 'alerts:firing', '-inf', now - age, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	if #names == 0 then
		return 0
	end
	local t = new_plan(p, now)
	read_limits(t, limits_of_bridge)
	for i = 1, #names do
		local name = names[i]
		local key = p .. 'alert:' .. name
		local v = call('GET', key)
		local a = v and read_alert(v)
		if not a then
			call('ZREM', p .. 'alerts:firing', name)
		elseif a.expires or now - a.last < stale_after then
			call('ZADD', p .. 'alerts:firing', now - a.last < age and a.last or now_text, name)
			local _, _, _, json = record(p, a.event)
			if json then
				call('SET', key .. ':event', json)
			end
		else
			resolve_here(t, name, a, now_text, 'not reported for longer than incidents.stale_after')
			done.resolved_stale = done.resolved_stale + 1
		end
	end
	if t.adds_n > 0 and not write_plan(t) then
		read_clock(p) -- the next tick does it
	end
	return #names
end

-- ---- for: what is due ----

-- What was put off is decided now, from pauses on. false: a queue is full, and it stays.
local function decide_due(t, member, name, rule, a, rec, done)
	local inc, runs = a.inc ~= '-' and get_incident(t, a.inc) or nil, t.runs_n
	local u = rule_of(rec.words[5])
	t.argv, t.ruleset, t.name, t.alert, t.key = rec.words, rec.ruleset, name, a, rec.key
	t.inc, t.incident, t.depth, t.trail = inc or false, inc and inc.id or '', rec.depth, rec.trail or ''
	t.body, t.body_of, t.read_event = false, rec.event, false
	set_facts(t, rec.facts or false, false)
	if inc then
		touch(t, inc)
	end
	if inc and inc.status == 'closed' then
		t.due[member] = false
		set_wait(t, name, a, 'for ' .. rule, nil)
		add_decision(t, inc, rec.event, rule, 'pending', 'dropped: its incident was closed', '-')
		keep_alert(t, name, alert_text(a))
		return
	end
	local decision, reason, run = decide_now(t, 1, u)
	if not decision then
		t.due[member] = t.now + DUE_AGAIN
		return
	end
	set_wait(t, name, a, 'for ' .. rule, nil)
	t.due[member] = false
	for i = runs + 1, t.runs_n do
		t.runs[i].event = rec.event
	end
	if decision == 'run' then
		reason = 'it still fires after ' .. period(u.for_ms)
	end
	add_decision(t, inc, rec.event, rule, decision, reason, run)
	if inc and t.runs_n > runs then
		inc.runs = text(read_tail(inc).runs + t.runs_n - runs)
	end
	keep_alert(t, name, alert_text(a))
	done.late[#done.late + 1], done.late[#done.late + 2] = rule, decision
end

local function tick_pending(p, now, limits_of_bridge, done)
	local members = call('ZRANGE', p .. 'pending', '-inf', now, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	if #members == 0 then
		return 0
	end
	local t, late = new_plan(p, now), #done.late
	read_limits(t, limits_of_bridge)
	for i = 1, #members do
		local name, rule = match(members[i], '^(.*) (%S+)$')
		local v = t.alerts[name] or call('GET', p .. 'alert:' .. name)
		local a = v and read_alert(v)
		local rec = a and a.state == 'f' and waits_of(t, name, a).fields['for ' .. rule]
		if rec then
			decide_due(t, members[i], name, rule, a, rec, done)
		else
			call('ZREM', p .. 'pending', members[i])
		end
		if t.runs then
			end_message(t)
		end
	end
	write_due(t, done, late)
	return #members
end

local function tick_approvals(p, now, done)
	local ids = call('ZRANGE', p .. 'approvals', '-inf', now, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	for i = 1, #ids do
		local r = run_get(p, ids[i])
		if r and r.state == 'approval' then
			set_state(p, r, 'rejected', now, 'runbookd', 'nobody approved it in time', {})
			go_on(p, r, now)
			done.expired = done.expired + 1
		else
			call('ZREM', p .. 'approvals', ids[i])
		end
	end
	return #ids
end

-- In how many ms the next thing is due that does not wait for a tick; -1: none. What is due already had its turn.
local function due_in(p, now)
	local least = -1
	for _, key in ipairs({'pending', 'gates', 'held', 'approvals', 'alerts:expiring'}) do
		local first = call('ZRANGE', p .. key, '(' .. text(now), '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
		local at = first[2] and first[2] ~= 'inf' and num(first[2]) - now
		if at and (least < 0 or at < least) then
			least = at
		end
	end
	return least
end

-- Members of a set by id that were made before cutoff; those that forget() keeps are passed until the set is through. It
-- goes on with that one for which forget() says nil.
local function trim_ids(p, name, cutoff, forget)
	local from = call('HGET', p .. 'meta', 'trim:' .. name) or ''
	local ids = call('ZRANGE', p .. name, from ~= '' and '(' .. from or '-',
		'(' .. ulid(math.max(cutoff, 0) + 1, 0), 'BYLEX', 'LIMIT', 0, TICK_WORK)
	local trimmed, at, whole = 0, from, true
	for i = 1, #ids do
		local gone = forget(ids[i])
		if gone == nil then
			whole = false
			break
		elseif gone then
			call('ZREM', p .. name, ids[i])
			trimmed = trimmed + 1
		end
		at = ids[i]
	end
	at = (not whole or #ids == TICK_WORK) and at or ''
	if at ~= from then
		call('HSET', p .. 'meta', 'trim:' .. name, at)
	end
	return trimmed, whole and #ids or TICK_WORK
end

local function trim_stream(p, name, cutoff)
	if cutoff <= 0 then
		return 0
	end
	local n = call('XTRIM', p .. name, 'MINID', '~', cutoff .. '-0', 'LIMIT', 10 * TICK_WORK)
	if n < 10 * TICK_WORK then
		n = n + call('XTRIM', p .. name, 'MINID', '=', cutoff .. '-0')
	end
	return n
end

-- One slo a tick: gone where no hour of its window has a run.
local function trim_slo(p, now)
	local rule = call('SRANDMEMBER', p .. 'slos')
	if not rule then
		return
	end
	local key = p .. 'slo:' .. rule
	local from = now - (call('HGET', key, 'window') or 0)
	local fields = call('HKEYS', key)
	for i = 1, #fields do
		local hour = match(fields[i], '^(%d+) ')
		if hour and (num(hour) + 1) * 3600000 > from then
			return
		end
	end
	call('SREM', p .. 'slos', rule)
	call('UNLINK', key)
end

local function tick_retention(p, now, cutoff, audit_cutoff, done)
	trim_slo(p, now)
	counts.trim(p, now, cutoff)
	local budget = {left = 10 * TICK_WORK}
	local incidents, looked = trim_ids(p, 'incidents:done', cutoff, function(id)
		return forget_incident(p, id, cutoff, budget)
	end)
	local names = call('ZRANGE', p .. 'alerts:resolved', '-inf', cutoff, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	for i = 1, #names do
		forget_alert(p, names[i])
	end
	local runs, looked_runs = trim_ids(p, 'runs:done', cutoff, function(id)
		return forget_run(p, id, cutoff)
	end)
	local workers = call('ZRANGE', p .. 'workers', '-inf', cutoff, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	for i = 1, #workers do
		call('UNLINK', p .. 'worker:' .. workers[i])
		call('ZREM', p .. 'workers', workers[i])
	end
	local records = trim_stream(p, 'bus', cutoff) + trim_stream(p, 'audit', audit_cutoff)
	done.trimmed = done.trimmed + #names + incidents + runs + records
	return math.max(#names, looked, looked_runs, records >= 10 * TICK_WORK and TICK_WORK or 0)
end

-- Series of log lines whose time is over, of some patterns.
local function tick_series(p, now)
	local patterns, most = call('SRANDMEMBER', p .. 'patterns', TICK_POOLS), 0
	for i = 1, #patterns do
		local key = p .. 'series:' .. patterns[i]
		local names = call('ZRANGE', key, '-inf', now, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
		for j = 1, #names do
			forget_series(p, key, names[j], now)
		end
		if call('ZCARD', key) == 0 then
			call('SREM', p .. 'patterns', patterns[i])
		end
		most = math.max(most, #names)
	end
	return most
end

-- rb_tick_v1 KEY queue_ttl_ms stale_after_ms retention_ms audit_retention_ms limits (as rb_ingest_v2 has them):
-- requeued, lost, expired, resolved_stale, trimmed, more, due_in_ms, [rule, decision]… of what was due
function tick(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	call('HSETNX', p .. 'meta', 'schema', SCHEMA) -- Redis may have been emptied since the bridge opened it
	local done = {lost = 0, requeued = 0, expired = 0, resolved_stale = 0, trimmed = 0, late = {}}
	local retention = num(argv[3])
	drop_pauses(p, now)
	tick_sources(p)
	topology.drop_changes(p, now)
	-- What is over does not fire any more: all of it first, however much there is.
	local expiring = tick_expiring(p, now, argv[5], done)
	local most = math.max(
		expiring,
		expiring < TICK_WORK and tick_pending(p, now, argv[5], done) or 0,
		gate_tick(p, now, argv[5], retention, done),
		tick_approvals(p, now, done),
		tick_held(p, now),
		tick_leases(p, now, done),
		tick_queues(p, now, num(argv[1]), done),
		tick_deliveries(p, now, argv[5]),
		tick_series(p, now),
		tick_stale(p, now, num(argv[2]), retention, argv[5], done),
		tick_retention(p, now, now - retention, now - argv[4], done))
	return {
		done.requeued, done.lost, done.expired, done.resolved_stale, done.trimmed,
		most >= TICK_WORK and 1 or 0, due_in(p, now), done.late,
	}
end

end

