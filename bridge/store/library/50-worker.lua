-- ---- runs: for the worker --------------------------------------------------------------------------
local claim, hello, heartbeat, output_add, run_change, run_approve, run_new
local cancel_closed -- 55: of an incident that was closed
do

-- How the JSON of an alert's event begins: its source, its fingerprint (docs/event.md).
local ALERT_EVENT = '^{"id":"[^"]*","received":"[^"]*","source":"([^"\\]*)","type":"[^"\\]*","status":"%a+",' ..
	'"time":[^,]*,"fingerprint":"(%x+)",'

local function stdout_of(p, id)
	local lines, n, size = {}, 0, 0
	for from = 0, 9900, 100 do
		local v = call('LRANGE', p .. 'run:' .. id .. ':output', from, from + 99)
		for i = 1, #v do
			local text = sub(v[i], 1, 1) == 'o' and match(v[i], '^o%d+ (.*)$')
			if text then
				size = size + #text + 1
				if size > STEP_OUTPUT then
					return concat(lines, '\n')
				end
				n = n + 1
				lines[n] = text
			end
		end
		if #v < 100 then
			break
		end
	end
	return concat(lines, '\n')
end

-- An alert's event, with the lines of the log that it has by now, if it is of one.
local function with_lines(p, json)
	local source, fingerprint = match(json, ALERT_EVENT)
	local list = source and lines_of(p, source .. ':' .. fingerprint) or '[]'
	return list ~= '[]' and sub(json, 1, -2) .. ',"lines":' .. list .. '}' or json
end

local function claimed(p, r, now)
	local event, received = 'null', 0
	if r.event ~= '' then
		local _, _, _, json = record(p, r.event)
		event, received = json and with_lines(p, json) or 'null', num(match(r.event, '^%d+'))
	end
	local steps, prev = {}, r.group == '' and r.prev -- of a group none is before another
	while prev and prev ~= '' do
		local s = call('HMGET', p .. 'run:' .. prev, 'step', 'state', 'exit_code', 'prev')
		if not s[1] then
			break
		end
		local n = #steps
		steps[n + 1], steps[n + 2], steps[n + 3], steps[n + 4] = s[1], s[2], s[3] or '', stdout_of(p, prev)
		prev = s[4]
	end
	return {
		r.id, num(r.fence), r.rule, r.runbook, r.sha256, r.step, r.pool, r.params, r.late, event, r.incident,
		r.incident ~= '' and incident_json(p, r.incident) or '', num(r.attempt), r.timeout, received, now,
		num(r.depth), steps, num(r.idempotent), num(r.retries), r.events,
	}
end

local function running(p)
	return call('ZRANGE', p .. 'leases', 0, -1)
end

-- Which state_dir this instance of a worker came from; '' where the name is another instance's by now, or nobody's.
local function home_of(p, worker, instance)
	local v = call('HMGET', p .. 'worker:' .. worker, 'instance', 'home')
	return v[1] == instance and v[2] or ''
end

-- rb_claim_v1 KEY worker instance lease_ms token again pools…: the run as an array, or an empty one. token names
-- this call; again names an earlier one of this instance whose answer did not arrive: its run is given once more.
function claim(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local worker, instance, lease = argv[1], argv[2], now + argv[3]
	local due = math.max(now, id_clock(p, now).ms) -- what was queued before the clock was set back is ready, too
	if argv[5] ~= '' then
		local ids = running(p)
		for i = 1, #ids do
			local r = run_get(p, ids[i])
			if r and r.claim == instance .. ':' .. argv[5] then
				call('ZADD', p .. 'leases', lease, r.id)
				return claimed(p, r, now)
			end
		end
	end
	local seen = {}
	for _ = 1, TICK_WORK do
		local best, best_ready, best_pool
		for i = 6, #argv do
			local v = call('ZRANGE', p .. 'queue:' .. argv[i], '-inf', due, 'BYSCORE', 'LIMIT', 0, 1,
				'WITHSCORES')
			if v[1] and (not best or num(v[2]) < best_ready) then
				best, best_ready, best_pool = v[1], num(v[2]), argv[i]
			end
		end
		if not best then
			return {}
		end
		local r = run_get(p, best)
		local queued = r and r.state == 'queued'
		if queued and not cancel_closed(p, r, now) and not hold_queued(p, r, now, seen) then
			local attempt, claimed_before = (num(r.attempt) or 0) + 1, r.fence ~= ''
			set_state(p, r, 'running', now, 'worker ' .. worker, '', {
				worker = worker, instance = instance, fence = call('INCR', p .. 'fence'),
				attempt = attempt, started = now, claim = instance .. ':' .. argv[4], lease = lease,
				home = home_of(p, worker, instance),
			})
			if not claimed_before and r.first == '1' and r.event ~= '' then
				count_time(p, 'start', r.rule, now - match(r.event, '^%d+'))
			end
			return claimed(p, r, now)
		end
		if not queued then
			call('ZREM', p .. 'queue:' .. best_pool, best)
		end
	end
	return {}
end

-- rb_hello_v1 KEY worker instance home lease_ms pools…: home names its state_dir. What an earlier instance from the same
-- one held is taken from it. Two of one name from two are two workers: the later one is refused while the other lives.
function hello(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local worker, instance, home = argv[1], argv[2], argv[3]
	local other = call('HMGET', p .. 'worker:' .. worker, 'home', 'lease')
	local beaten = call('ZSCORE', p .. 'workers', worker)
	if other[1] and other[1] ~= home and beaten and now - beaten < num(other[2]) then
		return {err = "NAMED another worker is named '" .. worker .. "'; give this one another --name"}
	end
	call('HSET', p .. 'worker:' .. worker, 'instance', instance, 'home', home, 'lease', argv[4], 'since', now,
		'pools', concat(argv, '\n', 5))
	call('ZADD', p .. 'workers', now, worker)
	local ids = running(p)
	for i = 1, #ids do
		local r = run_get(p, ids[i])
		if r and r.worker == worker and r.home == home and r.instance ~= instance then
			worker_gone(p, r, now, "worker '" .. worker .. "' started again without it")
		end
	end
	return 1
end

-- rb_heartbeat_v1 KEY worker instance lease_ms [run fence]…: the places (from 0) of the lost ones; of those that are to
-- be stopped -1 - place
function heartbeat(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local lost, leases, n = {}, {p .. 'leases', 'XX'}, 2
	for i = 4, #argv, 2 do
		local v = call('HMGET', p .. 'run:' .. argv[i], 'state', 'fence', 'cancel')
		if v[1] == 'running' and v[2] == argv[i + 1] then
			if v[3] and v[3] ~= '' then
				lost[#lost + 1] = -1 - (i - 4) / 2
			end
			leases[n + 1], leases[n + 2] = now + argv[3], argv[i]
			n = n + 2
		else
			lost[#lost + 1] = (i - 4) / 2
		end
	end
	-- One that was refused its name still renews what it holds, and is no sign of life of the other.
	if home_of(p, argv[1], argv[2]) ~= '' then
		call('ZADD', p .. 'workers', now, argv[1])
	end
	if n > 2 then
		call('ZADD', spread(leases))
	end
	return lost
end

local FENCED = {err = 'FENCED the run is not held under this fence any more'}

-- rb_output_add_v1 KEY run fence line…: a line is o or e, the time in ms, a blank, the text
function output_add(keys, argv)
	local key = keys[1] .. ':run:' .. argv[1]
	local v = call('HMGET', key, 'state', 'fence')
	if v[1] ~= 'running' or v[2] ~= argv[2] then
		return FENCED
	end
	for from = 3, #argv, 1000 do
		call('RPUSH', key .. ':output', spread(argv, from, math.min(from + 999, #argv)))
	end
	return 1
end

local function put_emitted(p, r, json)
	local body, trail = match(json, '^%s*{%s*(.*)}%s*$'), trail_behind(r)
	call('XADD', p .. 'inbox', '*', 'event', '', 'incident', r.incident, 'json', '{' .. body ..
		(body ~= '' and ',' or '') .. '"emitted":true,"run":"' .. r.id .. '","depth":' .. r.depth ..
		(trail ~= '' and trail_member(trail) or ',"trail":[]') .. '}', 'trail', trail)
end

-- Run r goes back before it began: that was no attempt, and no start.
local function no_attempt(p, r)
	local key, n = p .. 'run:' .. r.id, num(r.attempt) - 1
	if n > 0 then
		call('HSET', key, 'attempt', n)
	else
		call('HDEL', key, 'attempt', 'started', 'worker')
	end
	r.attempt = n > 0 and n .. '' or ''
end

-- rb_run_change_v1 KEY run fence state reason exit signal artifacts params sha256 duration_ms who emitted…
-- sha256 is that of what was executed. State release, which is queued again, without it: nothing was, it had not begun.
function run_change(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local r = run_get(p, argv[1])
	if not r then
		return {err = "NOTFOUND there is no run '" .. argv[1] .. "'"}
	end
	local to, reason = argv[3], argv[4]
	if r.fence ~= argv[2] then
		return FENCED
	end
	if r.state ~= 'running' then
		-- Told again, because the first answer did not arrive.
		if r.state == to or (to == 'retry' and (r.state == 'queued' or r.state == 'failed')) or
			(to == 'release' and r.state == 'queued') or
			(r.state == 'cancelled' and r.cancel ~= '' and (to == 'release' or to == 'retry')) then
			return 1
		end
		return FENCED
	end
	local more = {exit_code = argv[5], signal = argv[6], duration = argv[10]}
	if argv[7] ~= '' then
		more.artifacts = argv[7]
	end
	if argv[8] ~= '' then
		more.params, more.late = argv[8], '0'
	end
	if argv[9] ~= '' then
		more.sha256 = argv[9]
	end
	for i = 12, #argv do
		put_emitted(p, r, argv[i])
	end
	if to == 'release' and argv[9] == '' then
		no_attempt(p, r)
	end
	if r.cancel ~= '' and (to == 'release' or to == 'retry') then
		to = 'cancelled' -- nobody wants it again
	end
	if r.cancel ~= '' and to == 'cancelled' then
		reason = r.cancel .. (reason ~= '' and '; ' .. reason or '')
	end
	if to == 'release' then
		-- Its worker stops, and it may start again: that is no failure, and uses up no retry.
		set_state(p, r, 'queued', now, argv[11], reason, {ready = now})
		return 1
	end
	if to == 'retry' then
		local retried, retries = num(r.retried) or 0, num(r.retries)
		if retried < retries then
			more.retried, more.ready = retried + 1, now + r.backoff
			more.params, more.late = nil, nil
			set_state(p, r, 'queued', now, argv[11], reason, more)
			return 1
		end
		to = 'failed'
		reason = reason .. (retries > 0 and '; all ' .. retries .. ' retries are used up' or
			'; its front matter allows no retries')
	end
	set_state(p, r, to, now, argv[11], reason, more)
	go_on(p, r, now)
	return 1
end

-- rb_run_approve_v1 KEY run yes|no who reason: a run that waits for approval may begin, or is rejected
function run_approve(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local r, who = run_get(p, argv[1]), argv[3]
	if not r then
		return {err = "NOTFOUND there is no run '" .. argv[1] .. "'"}
	elseif r.state ~= 'approval' then
		return {err = "STATE run '" .. argv[1] .. "' does not wait for approval; it is " .. r.state}
	end
	local reason = (argv[2] == 'yes' and 'approved by ' or 'rejected by ') .. who ..
		(argv[4] ~= '' and ': ' .. argv[4] or '')
	if argv[2] == 'yes' then
		set_state(p, r, 'queued', now, who, reason, {ready = now, approved = '1'})
		approved(p, r, now)
	else
		set_state(p, r, 'rejected', now, who, reason, {})
		go_on(p, r, now)
	end
	return 1
end

-- rb_run_new_v2 KEY who idempotency_key ruleset queue, then a step as rb_ingest_v2 has it, then the digest of what was
-- asked for: a key stands for one request only
function run_new(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local asked = argv[6] or '' -- a bridge of before does not say it
	if argv[2] ~= '' then
		local id, of = match(call('HGET', p .. 'idempotency', argv[2]) or '', '^(%S+) ?(.*)$')
		if id and of ~= '' and asked ~= '' and of ~= asked then
			return {err = 'KEYUSED the Idempotency-Key was used for another request, which made run ' .. id ..
				'; give each request a key of its own'}
		elseif id then
			return id
		end
	end
	local r = step.read({
		rule = '', position = 1, incident = '', event = '', depth = 1, ruleset = argv[3], prev = '', next = '',
	}, argv[5])
	if call('ZCARD', p .. 'queue:' .. r.pool) >= num(argv[4]) then
		return {err = "FULL the queue of pool '" .. r.pool .. "' is full (limits.queue " .. argv[4] .. ')'}
	end
	r.id = new_id(id_clock(p, now))
	r.worker, r.attempt = '', ''
	change_record(p, r, 'queued', now, 'by hand, ' .. argv[1])
	create_run(p, now, r, argv[1], 'by hand')
	if argv[2] ~= '' then
		call('HSET', p .. 'idempotency', argv[2], r.id .. ' ' .. asked)
		call('HSET', p .. 'run:' .. r.id, 'idempotency', argv[2])
	end
	return r.id
end

end

