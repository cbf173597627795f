#!lua name=runbookd
--[[ runbookd.lua: what runbookd decides and keeps, as functions inside Redis 7.

Owns every key under `rb:{namespace:0}:` (docs/redis.md lists them; docs/design/redis.md says why they
are as they are). One call is one step: either all of it happened or nothing. A Lua error would keep the
writes before it, so each function reads and checks first, and writes after.

  - Time is Redis's own, read once a call; no key's expiry decides anything.
  - Ids (of events, runs, incidents) are ULIDs made of (ms, seq), which only go forward, also when the
    clock does not. The last one a call gives out is that of a record on the stream `bus`, whose entry
    id is ms-seq: so the bus's last id is never below an id in use.
  - JSON comes ready from C and is not looked into: it is only joined to larger texts.
  - set_state() is the only writer of a run's state. It knows which changes are allowed, and writes the
    audit, the counters and the record on the bus in the same step.
  - Functions carry a version in their name. A later library keeps the older ones.

While the library is loaded no global exists but redis.register_function, so what it uses of Lua is
bound at the first call (bind).
]]

local LIBRARY = 1 -- grows with each change of this file
local SCHEMA = 1 -- of the data; STORE_SCHEMA in store.h
local TEST_CLOCK = false -- a test's build says true: time is the number in the key `clock`

local LOST_RETRIES = 3 -- how often an idempotent run may outlive its worker
local BELLS = 64 -- entries of a doorbell list
local TICK_WORK = 100 -- things of one kind that one tick looks at
local SCAN = 1000 -- ids that one list call looks at
local STEP_OUTPUT = 65536 -- bytes of an earlier step's output that a later one is given
local BUCKETS = { -- metric_buckets of base/metrics.c in ms
	0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000,
	300000, 1800000,
}

local call, trycall, num, floor, format, find, sub, match, spread, concat, encode

local function bind()
	call, trycall = redis.call, redis.pcall
	num, floor, spread, concat, encode = tonumber, math.floor, unpack, table.concat, cjson.encode
	format, find, sub, match = string.format, string.find, string.sub, string.match
end

-- ---- time, texts, ids ------------------------------------------------------------------------------

local function now_ms(p)
	if TEST_CLOCK then
		local t = call('GET', p .. 'clock')
		if t then
			return num(t)
		end
	end
	local t = call('TIME')
	return t[1] * 1000 + floor(t[2] / 1000)
end

local day_n, day_s, second_n, second_s = -1, '', -1, ''

-- 1763841234567 -> 2025-11-22T19:53:54.567Z; the second's text is kept for the next call.
local function rfc3339(ms)
	local second = floor(ms / 1000)
	if second ~= second_n then
		local day = floor(second / 86400)
		if day ~= day_n then
			-- Civil date from days: years begin in March, eras of 400 years.
			local z = day + 719468
			local era = floor(z / 146097)
			local doe = z - era * 146097
			local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
			local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
			local mp = floor((5 * doy + 2) / 153)
			local month = mp < 10 and mp + 3 or mp - 9
			local year = yoe + era * 400 + (month <= 2 and 1 or 0)
			day_s = format('%04d-%02d-%02dT', year, month, doy - floor((153 * mp + 2) / 5) + 1)
			day_n = day
		end
		local s = second - day * 86400
		second_s = day_s .. format('%02d:%02d:%02d.', floor(s / 3600), floor(s / 60) % 60, s % 60)
		second_n = second
	end
	return second_s .. format('%03dZ', ms - second * 1000)
end

local function quote(s)
	if find(s, '[%c"\\]') then
		return encode(s)
	end
	return '"' .. s .. '"'
end

local function quote_or_null(s)
	return s and s ~= '' and quote(s) or 'null'
end

local function number_or_null(s)
	return s and s ~= '' and s or 'null'
end

local function time_or_null(s)
	return s and s ~= '' and '"' .. rfc3339(num(s)) .. '"' or 'null'
end

local DIGITS = {
	[0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
	'G', 'H', 'J', 'K', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
}
local ulid_ms, ulid_head = -1, ''

local function base32(v, digits)
	local s = ''
	for _ = 1, digits do
		local high = floor(v / 32)
		s = DIGITS[v - high * 32] .. s
		v = high
	end
	return s
end

-- As id_from_ms_seq in base/id.c; seq stays below 2^53.
local function ulid(ms, seq)
	if ms ~= ulid_ms then
		ulid_ms, ulid_head = ms, base32(ms, 10)
	end
	if seq < 1024 then
		local high = floor(seq / 32)
		return ulid_head .. '00000000000000' .. DIGITS[high] .. DIGITS[seq - high * 32]
	end
	return ulid_head .. '00000' .. base32(seq, 11)
end

-- "1763841234567-0" -> the event's id
local function ulid_of(sid)
	local ms, seq = match(sid, '^(%d+)-(%d+)$')
	return ulid(num(ms), num(seq))
end

-- By prefix: the last (ms, seq) given out. Only a cache: the truth is the bus's last id.
local clocks = {}

local function read_clock(p)
	local info = trycall('XINFO', 'STREAM', p .. 'bus')
	local g = {ms = 0, seq = 0}
	if not info.err then
		for i = 1, #info, 2 do
			if info[i] == 'last-generated-id' then
				local ms, seq = match(info[i + 1], '^(%d+)-(%d+)$')
				g.ms, g.seq = num(ms), num(seq)
			end
		end
	end
	clocks[p] = g
	return g
end

local function id_clock(p, now)
	local g = clocks[p] or read_clock(p)
	if now > g.ms then
		g.ms, g.seq = now, -1
	end
	return g
end

local function new_id(g)
	g.seq = g.seq + 1
	return ulid(g.ms, g.seq)
end

-- A record that begins `{"id":…,"received":…,` and goes on with the members of rest. Returns its entry id
-- and its JSON. Another Redis may have written meanwhile (a failover there and back): then once more.
local function bus_add(p, now, kind, incident, decisions, rest)
	local g = id_clock(p, now)
	for attempt = 1, 2 do
		local id = new_id(g)
		local sid = g.ms .. '-' .. g.seq
		local json = '{"id":"' .. id .. '","received":"' .. rfc3339(now) .. '",' .. rest
		local r = trycall('XADD', p .. 'bus', sid, 'kind', kind, 'incident', incident, 'decisions',
			decisions, 'event', json)
		if not r.err then
			return sid, json
		end
		if attempt == 2 then
			error(r.err)
		end
		read_clock(p)
		g = id_clock(p, now)
	end
end

-- ---- counters --------------------------------------------------------------------------------------

local function count_time(p, name, label, ms)
	local bucket = #BUCKETS
	for i = 1, #BUCKETS do
		if ms <= BUCKETS[i] then
			bucket = i - 1
			break
		end
	end
	call('HINCRBY', p .. 'stats', name .. '|' .. bucket .. '|' .. label, 1)
	call('HINCRBY', p .. 'stats', name .. '|ms|' .. label, ms)
end

local function audit(p, json)
	call('XADD', p .. 'audit', '*', 'event', json)
end

-- ---- runs: the only place that writes a state ------------------------------------------------------

local CHANGES = {
	queued = {running = true, cancelled = true},
	running = {
		succeeded = true, failed = true, timed_out = true, cancelled = true, lost = true,
		queued = true,
	},
}
local FINAL = {
	succeeded = true, failed = true, timed_out = true, cancelled = true, rejected = true, lost = true,
}
local RUN_FIELDS = {
	'state', 'rule', 'runbook', 'step', 'pool', 'incident', 'event', 'fence', 'worker', 'instance',
	'attempt', 'always', 'idempotent', 'retries', 'backoff', 'retried', 'outlived', 'next', 'depth',
	'started', 'broken', 'ruleset', 'sha256', 'first', 'claim',
}

local function run_get(p, id)
	local v = call('HMGET', p .. 'run:' .. id, spread(RUN_FIELDS))
	if not v[1] then
		return nil
	end
	local r = {id = id}
	for i = 1, #RUN_FIELDS do
		r[RUN_FIELDS[i]] = v[i] or ''
	end
	return r
end

local function ring(p, pool)
	if call('LPUSH', p .. 'bell:' .. pool, '1') > BELLS then
		call('LTRIM', p .. 'bell:' .. pool, 0, BELLS - 1)
	end
end

local function enqueue(p, pool, id, ready, now)
	call('ZADD', p .. 'queue:' .. pool, ready, id)
	call('SADD', p .. 'pools', pool)
	if ready <= now then
		ring(p, pool)
	end
end

local function audit_run(p, r, from, to, now, who, reason)
	audit(p, '{"time":"' .. rfc3339(now) .. '","what":"run","run":"' .. r.id .. '","from":' ..
		quote_or_null(from) .. ',"to":"' .. to .. '","who":' .. quote(who) .. ',"reason":' ..
		quote(reason) .. ',"rule":' .. quote_or_null(r.rule) .. ',"runbook":' .. quote(r.runbook) ..
		',"step":' .. quote(r.step) .. ',"attempt":' .. (r.attempt == '' and '0' or r.attempt) ..
		',"ruleset_hash":' .. quote_or_null(r.ruleset) .. ',"runbook_sha256":' ..
		quote_or_null(r.sha256) .. '}')
end

local SEVERITY_OF = {succeeded = 'info', cancelled = 'warning', rejected = 'warning'}

-- The result as an event: a record of the bus at once, and an entry of the inbox, from which a bridge takes it
-- through the rules without storing it again (the entry names the record).
local function result_event(p, r, to, now, reason, more)
	local rule = r.rule ~= '' and '"rule":' .. quote(r.rule) .. ',' or ''
	local rest = '"source":"runbookd","type":"run","status":"info","time":"' .. rfc3339(now) ..
		'","fingerprint":null,"starts_at":null,"ends_at":null,"severity":"' ..
		(SEVERITY_OF[to] or 'error') .. '","summary":' ..
		quote("runbook '" .. r.runbook .. "' " .. to .. (reason ~= '' and ': ' .. reason or '')) ..
		',"labels":{"outcome":"' .. to .. '",' .. rule .. '"runbook":' .. quote(r.runbook) ..
		',"step":' .. quote(r.step) .. '},"annotations":{},"links":{},"data":{"run":"' .. r.id ..
		'","incident":' .. quote_or_null(r.incident) .. ',"event":' ..
		(r.event ~= '' and '"' .. ulid_of(r.event) .. '"' or 'null') .. ',"reason":' .. quote(reason) ..
		',"exit_code":' .. number_or_null(more.exit_code) .. ',"signal":' ..
		number_or_null(more.signal) .. ',"attempt":' .. (r.attempt == '' and '0' or r.attempt) ..
		',"duration_ms":' .. number_or_null(more.duration) .. '},"depth":' .. r.depth .. '}'
	local sid, json = bus_add(p, now, 'info', r.incident, '[]', rest)
	call('XADD', p .. 'inbox', '*', 'event', sid, 'incident', r.incident, 'json',
		sub(json, 1, -2) .. ',"run":"' .. r.id .. '"}')
	return sid
end

local function change_record(p, r, to, now, reason)
	local rest = '"run":"' .. r.id .. '","rule":' .. quote_or_null(r.rule) .. ',"runbook":' ..
		quote(r.runbook) .. ',"step":' .. quote(r.step) .. ',"state":"' .. to .. '","reason":' ..
		quote(reason) .. ',"worker":' .. quote_or_null(r.worker) .. ',"attempt":' ..
		(r.attempt == '' and '0' or r.attempt) .. '}'
	return (bus_add(p, now, 'run', r.incident, '[]', rest))
end

-- r from run_get; more: fields of the run to write with it, by name (ready: when a queued one may be claimed).
local function set_state(p, r, to, now, who, reason, more)
	local from = r.state
	if not (CHANGES[from] and CHANGES[from][to]) then
		error('run ' .. r.id .. ' cannot go from ' .. from .. ' to ' .. to)
	end
	local ready, lease = more.ready, more.lease
	more.ready, more.lease = nil, nil
	local final = FINAL[to]
	more.state, more.reason = to, reason
	if final then
		more.finished = now
	end
	local args, n = {p .. 'run:' .. r.id}, 1
	for k, v in pairs(more) do
		args[n + 1], args[n + 2] = k, v
		n = n + 2
		if r[k] then
			r[k] = v .. ''
		end
	end
	call('HSET', spread(args))
	if from == 'queued' then
		call('ZREM', p .. 'queue:' .. r.pool, r.id)
	else
		call('ZREM', p .. 'leases', r.id)
		if call('HINCRBY', p .. 'running', r.pool, -1) <= 0 then
			call('HDEL', p .. 'running', r.pool)
		end
	end
	if to == 'running' then
		call('ZADD', p .. 'leases', lease, r.id)
		call('HINCRBY', p .. 'running', r.pool, 1)
	elseif to == 'queued' then
		enqueue(p, r.pool, r.id, ready, now)
	end
	audit_run(p, r, from, to, now, who, reason)
	local sid
	if final then
		call('ZREM', p .. 'runs:live', r.id)
		call('ZADD', p .. 'runs:done', 0, r.id)
		call('HINCRBY', p .. 'stats', 'runs|' .. to .. '|' .. r.rule .. '|' .. r.runbook, 1)
		if from == 'running' and more.duration then
			count_time(p, 'run', r.runbook, num(more.duration))
		end
		sid = result_event(p, r, to, now, reason, more)
	else
		sid = change_record(p, r, to, now, reason)
	end
	if r.incident ~= '' then
		call('RPUSHX', p .. 'incident:' .. r.incident .. ':timeline', sid)
	end
end

-- The run has ended: its next step is let into the queue, or cancelled, and so on to the first that may run.
local function go_on(p, r, now)
	local broken = r.broken
	if broken == '' and r.state ~= 'succeeded' then
		broken = r.step
	end
	while r.next ~= '' do
		local nxt = run_get(p, r.next)
		if not nxt or nxt.state ~= 'queued' then
			return
		end
		if broken == '' or nxt.always == '1' then
			call('HSET', p .. 'run:' .. nxt.id, 'reason', '', 'broken', broken)
			enqueue(p, nxt.pool, nxt.id, now, now)
			return
		end
		set_state(p, nxt, 'cancelled', now, 'runbookd',
			"step '" .. broken .. "' did not succeed", {broken = broken})
		r = nxt
	end
end

-- One run as it is made. t: its step; position 1 is ready at once, the others wait for the one before.
local function create_run(p, now, t, who, reason)
	local waits = t.position > 1
	call('HSET', p .. 'run:' .. t.id, 'state', 'queued', 'reason',
		waits and "waits for step '" .. t.before .. "'" or '', 'rule', t.rule, 'runbook', t.runbook,
		'sha256', t.sha256, 'step', t.step, 'pool', t.pool, 'params', t.params, 'late', t.late,
		'always', t.always, 'idempotent', t.idempotent, 'timeout', t.timeout, 'retries', t.retries,
		'backoff', t.backoff, 'incident', t.incident, 'event', t.event, 'depth', t.depth, 'ruleset',
		t.ruleset, 'queued', now, 'prev', t.prev, 'next', t.next, 'first', waits and '' or '1')
	call('ZADD', p .. 'runs:live', 0, t.id)
	if not waits then
		enqueue(p, t.pool, t.id, now, now)
	end
	t.attempt = ''
	audit_run(p, t, '', 'queued', now, who, reason)
end

-- A run whose worker is gone: again where that is safe, else lost.
local function worker_gone(p, r, now, why)
	local outlived = num(r.outlived) or 0
	if r.idempotent == '1' and outlived < LOST_RETRIES then
		set_state(p, r, 'queued', now, 'runbookd', why .. '; it is idempotent and starts again',
			{ready = now, outlived = outlived + 1})
		return false
	end
	set_state(p, r, 'lost', now, 'runbookd', r.idempotent == '1' and
		why .. '; that is the ' .. outlived + 1 .. 'th worker that it outlived' or
		why .. '; it is not idempotent, so it does not start again', {})
	go_on(p, r, now)
	return true
end

-- ---- ingest ----------------------------------------------------------------------------------------
-- The plan is made on copies of what was read (t.alerts, t.incidents, …), so that a batch whose events touch
-- the same things sees its own earlier events, and that nothing is written before all is known to fit.

local SEVERITIES = {[0] = 'unknown', 'info', 'warning', 'error', 'critical'}
local KINDS = {f = 'firing', r = 'resolved', i = 'info'}
local NEW, DUPLICATE, REOPENED, TAKEN = 0, 1, 2, 3

local function new_plan(p, now)
	return {
		p = p, now = now, g = id_clock(p, now), received = rfc3339(now), out = {}, out_n = 0,
		alerts = {}, alert_list = {}, alerts_n = 0, incidents = {}, dirty = {}, dirty_n = 0, corr = {},
		cooldowns = {}, pools = {}, runs = {}, runs_n = 0, adds = {}, adds_n = 0, taken = {},
		taken_list = {}, taken_n = 0,
	}
end

local function get_alert(t, name)
	local a = t.alerts[name]
	if a then
		return a
	end
	local v = call('HMGET', t.p .. 'alert:' .. name, 'state', 'start', 'event', 'inc', 'n', 'min', 'max',
		'occ')
	local start = num(v[2] or 0)
	a = {
		name = name, was = v[1], state = v[1], start = start, event = v[3], inc = v[4] or '',
		n = v[5] or 0, min = v[6] and num(v[6]) or start, max = v[7] and num(v[7]) or start,
		occ = v[8] or 0, ranged = v[6],
	}
	t.alerts[name] = a
	t.alerts_n = t.alerts_n + 1
	t.alert_list[t.alerts_n] = a
	return a
end

local function get_incident(t, id)
	local inc = t.incidents[id]
	if inc ~= nil then
		return inc
	end
	local v = call('HMGET', t.p .. 'incident:' .. id, 'status', 'updated', 'resolved', 'alerts', 'firing',
		'severity', 'sources', 'runs', 'truncated')
	inc = v[1] and {
		id = id, was = v[1], status = v[1], updated = num(v[2]), resolved = num(v[3]) or '',
		alerts = num(v[4]), firing = num(v[5]), severity = num(v[6]), sources = v[7],
		runs = num(v[8]), runs_was = num(v[8]), truncated = num(v[9]), line_n = 0, line = {},
	} or false
	t.incidents[id] = inc
	return inc
end

local function touch(t, inc)
	if not inc.dirty then
		inc.dirty = true
		t.dirty_n = t.dirty_n + 1
		t.dirty[t.dirty_n] = inc
	end
end

local function reopen(inc)
	if inc.status == 'resolved' then
		inc.status, inc.resolved = 'open', ''
	end
end

-- The incident that takes new alerts of this correlation key now, or nil.
local function find_incident(t, corr, window)
	local id = t.corr[corr]
	if id == nil then
		id = call('HGET', t.p .. 'correlations', corr)
		t.corr[corr] = id
	end
	local inc = id and get_incident(t, id)
	if not inc then
		return nil
	end
	if inc.status == 'open' and t.now - inc.updated <= window then
		return inc
	end
	if inc.status == 'resolved' and t.now - (num(inc.resolved) or 0) <= t.reopen_window then
		return inc
	end
	return nil
end

local function new_incident(t, corr, head)
	local id = new_id(t.g)
	local inc = {
		id = id, was = false, status = 'open', updated = t.now, resolved = '', alerts = 0, firing = 0,
		severity = -1, sources = '', runs = 0, runs_was = 0, truncated = 0, corr = corr, line_n = 1,
		line = {head},
	}
	t.incidents[id] = inc
	t.corr[corr] = id
	return inc
end

-- The alert stops to fire where it was counted as firing.
local function leave(t, a)
	local inc = a.inc ~= '' and get_incident(t, a.inc)
	if not inc then
		return nil
	end
	touch(t, inc)
	if inc.firing > 0 then
		inc.firing = inc.firing - 1
	end
	if inc.firing == 0 and inc.status == 'open' then
		inc.status, inc.resolved = 'resolved', t.now
	end
	return inc
end

-- The alert begins to fire (again) in an incident: its own while that stands, else by the correlation key.
local function join(t, a, k, own)
	local argv, inc = t.argv, nil
	local corr = argv[k + 6]
	if own and a.inc ~= '' then
		inc = get_incident(t, a.inc)
		if inc and inc.status == 'closed' then
			inc = nil
		end
	end
	if not inc then
		if corr == '' then
			a.inc = ''
			return nil, false
		end
		inc = find_incident(t, corr, num(argv[k + 7])) or new_incident(t, corr, argv[k + 8])
	end
	touch(t, inc)
	reopen(inc)
	inc.firing = inc.firing + 1
	local severity = num(argv[k + 4])
	if severity > inc.severity then
		inc.severity = severity
	end
	local source = quote(argv[k + 1])
	if inc.sources == '' then
		inc.sources = source
	elseif not find(inc.sources, source, 1, true) then
		inc.sources = inc.sources .. ',' .. source
	end
	local first = a.inc ~= inc.id
	if first then
		inc.alerts = inc.alerts + 1
		a.inc = inc.id
	end
	return inc, first
end

-- The message belongs to the occurrence that a is in; its startsAt may widen what is known of it.
local function widen(a, starts, down)
	if starts > a.max then
		a.max, a.widened = starts, true
	elseif down and starts < a.min and starts ~= 0 then
		a.min, a.widened = starts, true
	end
end

-- What a message about an alert means: the outcome; for a new event also the incident (or nil) and whether the
-- alert is new to it. Changes a. The table is in docs/design/redis.md, "Occurrences".
local function judge(t, a, k)
	local starts, state = num(t.argv[k + 3]), a.state
	a.n = a.n + 1
	if t.argv[k] == 'r' then
		if state == 'r' or (state and starts ~= 0 and starts < a.min - t.skew) then
			widen(a, starts, false)
			return DUPLICATE
		end
		local inc
		if state == 'f' then
			inc = leave(t, a)
		elseif state then
			inc = a.inc ~= '' and get_incident(t, a.inc) or nil
		else
			a.start, a.min, a.max = starts, starts, starts
		end
		widen(a, starts, false)
		a.state = 'r'
		return NEW, inc
	end
	if state == 'r' then
		if starts ~= 0 and starts <= a.max then
			return DUPLICATE
		end
	elseif state and starts <= a.start + t.skew and (state == 'f' or starts ~= 0) then
		widen(a, starts, true)
		if state == 'f' then
			return DUPLICATE
		end
		a.state = 'f'
		return REOPENED, join(t, a, k, true)
	end
	if state == 'f' then
		leave(t, a)
	end
	if starts == 0 then
		starts = t.now
	end
	a.state, a.start, a.min, a.max, a.occ = 'f', starts, starts, starts, a.occ + 1
	return NEW, join(t, a, k, state == 'f')
end

local function cooling(t, key)
	local deadline = t.cooldowns[key]
	if deadline == nil then
		deadline = num(call('GET', key) or 0)
		t.cooldowns[key] = deadline
	end
	return deadline > t.now and deadline or nil
end

-- Plans the runs of one rule; argv[k] is its first step. Returns the first run's id, or nil and the full pool.
local function plan_runs(t, k, steps, rule, incident, depth)
	local argv, first, before = t.argv, nil, nil
	for position = 1, steps do
		local r = {
			id = new_id(t.g), rule = rule, position = position, step = argv[k], runbook = argv[k + 1],
			sha256 = argv[k + 2], pool = argv[k + 3], params = argv[k + 4], late = argv[k + 5],
			always = argv[k + 6], idempotent = argv[k + 7], timeout = argv[k + 8],
			retries = argv[k + 9], backoff = argv[k + 10], incident = incident, depth = depth,
			ruleset = t.ruleset, prev = '', next = '',
		}
		k = k + 11
		if before then
			r.prev, r.before, before.next = before.id, before.step, r.id
		else
			first = r.id
			local waiting = t.pools[r.pool] or call('ZCARD', t.p .. 'queue:' .. r.pool)
			if waiting >= t.queue then
				return nil, r.pool
			end
			t.pools[r.pool] = waiting + 1
		end
		before = r
		t.runs_n = t.runs_n + 1
		t.runs[t.runs_n] = r
	end
	return first
end

-- Decides the rules of one new event; argv[k] to argv[stop - 1] are theirs. Appends to the answer and returns
-- the decisions as JSON, or nil and the full pool.
local function decide(t, k, stop, outcome, corr, incident, depth)
	local argv, out, n, json = t.argv, t.out, t.out_n, nil
	while k < stop do
		local rule, decision, reason = argv[k], argv[k + 1], argv[k + 2]
		local every, key, steps, run = argv[k + 3], argv[k + 4], num(argv[k + 5]), ''
		k = k + 6
		if outcome == REOPENED then
			decision = 'duplicate'
			reason = 'the same occurrence again, after it had been resolved here for want of news'
		elseif decision == 'run' then
			local deadline
			if every ~= '0' then
				key = t.p .. 'cooldown:' .. rule .. ':' .. (key ~= '' and key or corr)
				deadline = cooling(t, key)
			end
			if deadline then
				decision, reason = 'cooldown', 'in cooldown until ' .. rfc3339(deadline)
			else
				local full
				run, full = plan_runs(t, k, steps, rule, incident, depth)
				if not run then
					return nil, full
				end
				if every ~= '0' then
					t.cooldowns[key] = t.now + num(every)
					t.cooldowns_new = t.cooldowns_new or {}
					t.cooldowns_new[key] = num(every)
				end
			end
		end
		k = k + 11 * steps
		out[n + 1], out[n + 2], out[n + 3] = decision, reason, run
		n = n + 3
		json = (json and json .. ',' or '[') .. '{"rule":' .. quote(rule) .. ',"decision":"' .. decision ..
			'","reason":' .. quote(reason) .. ',"run":' .. (run ~= '' and '"' .. run .. '"' or 'null') .. '}'
	end
	t.out_n = n
	return json and json .. ']' or '[]'
end

-- An inbox entry: {event = "sid" of what is on the bus already or '', incident = id or ''}; nil where it is gone.
local function inbox_entry(t, id)
	local v = call('XRANGE', t.p .. 'inbox', id, id)[1]
	if not v or t.taken[id] then
		return nil
	end
	local entry = {event = '', incident = ''}
	for i = 1, #v[2], 2 do
		entry[v[2][i]] = v[2][i + 1]
	end
	t.taken[id] = true
	t.taken_n = t.taken_n + 1
	t.taken_list[t.taken_n] = id
	return entry
end

local function answer(t, outcome, event, incident)
	local out, n = t.out, t.out_n
	out[n + 1], out[n + 2], out[n + 3] = outcome, event, incident
	t.out_n = n + 3
end

local function note_truncated(t, inc)
	if inc and t.truncated > inc.truncated then
		touch(t, inc)
		inc.truncated = t.truncated
	end
end

-- Where an event that is no alert belongs: to the run's incident that caused it, or to the open one of its key.
local function incident_of_info(t, k, entry)
	local inc
	if entry and entry.incident ~= '' then
		inc = get_incident(t, entry.incident)
	elseif t.argv[k + 6] ~= '' then
		inc = find_incident(t, t.argv[k + 6], num(t.argv[k + 7]))
	end
	if inc then
		touch(t, inc)
	end
	return inc or nil
end

-- Plans the bus record of a new event. Its id comes after those of its runs (see the top).
local function plan_record(t, k, entry, inc, decisions)
	local g, kind, rest, sid = t.g, KINDS[t.argv[k]], t.argv[k + 9], nil
	if entry and entry.event ~= '' then
		sid = entry.event
		if decisions == '[]' then
			return sid, nil
		end
		kind, rest = 'decisions', '"event":"' .. ulid_of(sid) .. '"}'
	end
	local id = new_id(g)
	local record = g.ms .. '-' .. g.seq
	local adds, n = t.adds, t.adds_n
	adds[n + 1], adds[n + 2], adds[n + 3], adds[n + 4] = record, kind, inc and inc.id or '', decisions
	adds[n + 5] = '{"id":"' .. id .. '","received":"' .. t.received .. '",' .. rest
	t.adds_n = n + 5
	return sid or record, record
end

-- Plans one event; returns where the next one begins, or nil and the full pool, or nil and '' where it came
-- without JSON and is no duplicate.
local function plan_event(t, k)
	local argv = t.argv
	local stop = k + 12 + num(argv[k + 11])
	local entry
	if argv[k + 10] ~= '' then
		entry = inbox_entry(t, argv[k + 10])
		if not entry then
			answer(t, TAKEN, '', '')
			return stop
		end
	end
	local outcome, inc, first, a = NEW, nil, false, nil
	if argv[k + 2] ~= '' and argv[k] ~= 'i' then
		a = get_alert(t, argv[k + 1] .. ':' .. argv[k + 2])
		outcome, inc, first = judge(t, a, k)
		if outcome == DUPLICATE then
			if t.truncated > 0 and a.inc ~= '' then
				note_truncated(t, get_incident(t, a.inc))
			end
			answer(t, DUPLICATE, a.event, a.inc)
			return stop
		end
	else
		inc = incident_of_info(t, k, entry)
	end
	if argv[k + 9] == '' then
		return nil, ''
	end
	local incident = inc and inc.id or ''
	answer(t, outcome, '', incident)
	local at, runs = t.out_n - 1, t.runs_n
	local decisions, full = decide(t, k + 12, stop, outcome, argv[k + 6], incident, argv[k + 5] + 1)
	if not decisions then
		return nil, full
	end
	local sid, record = plan_record(t, k, entry, inc, decisions)
	t.out[at] = sid
	for i = runs + 1, t.runs_n do
		t.runs[i].event = sid
	end
	if a then
		a.event, a.new = sid, true
	end
	if inc then
		if a then
			inc.updated = t.now
		end
		inc.runs = inc.runs + t.runs_n - runs
		note_truncated(t, inc)
		if record then
			inc.line_n = inc.line_n + 1
			inc.line[inc.line_n] = first and record .. '+' .. a.name or record
		end
	end
	return stop
end

-- ---- ingest: writing the plan ----

local function write_alert(t, a)
	local args
	if a.stale then
		call('HSET', t.p .. 'alert:' .. a.name, 'state', a.state, 'since', t.now)
		return
	end
	if a.new then
		args = {t.p .. 'alert:' .. a.name, 'n', a.n, 'last', t.now, 'state', a.state, 'start', a.start,
			'event', a.event, 'inc', a.inc, 'occ', a.occ}
		if not a.was then
			args[16], args[17] = 'first', t.now
		end
		if a.was ~= a.state then
			args[#args + 1], args[#args + 2] = 'since', t.now
		end
	else
		args = {t.p .. 'alert:' .. a.name, 'n', a.n, 'last', t.now}
	end
	if a.widened or a.ranged then
		local n = #args
		args[n + 1], args[n + 2], args[n + 3], args[n + 4] = 'min', a.min, 'max', a.max
	end
	call('HSET', spread(args))
end

local SETS = {f = 'alerts:firing', r = 'alerts:resolved', x = 'alerts:resolved'}

local function write_alerts(t)
	local firing, firing_n, resolved, resolved_n = {t.p .. 'alerts:firing'}, 1, {t.p .. 'alerts:resolved'}, 1
	for i = 1, t.alerts_n do
		local a = t.alert_list[i]
		write_alert(t, a)
		if a.new then
			if a.state == 'f' then
				firing[firing_n + 1], firing[firing_n + 2] = t.now, a.name
				firing_n = firing_n + 2
			else
				resolved[resolved_n + 1], resolved[resolved_n + 2] = t.now, a.name
				resolved_n = resolved_n + 2
			end
			if a.was and SETS[a.was] ~= SETS[a.state] then
				call('ZREM', t.p .. SETS[a.was], a.name)
			end
		end
	end
	if firing_n > 1 then
		call('ZADD', spread(firing))
	end
	if resolved_n > 1 then
		call('ZADD', spread(resolved))
	end
end

local function write_incident(t, inc)
	local key = t.p .. 'incident:' .. inc.id
	if inc.was then
		call('HSET', key, 'updated', inc.updated, 'alerts', inc.alerts, 'firing', inc.firing, 'severity',
			inc.severity, 'sources', inc.sources, 'status', inc.status, 'resolved', inc.resolved, 'runs',
			inc.runs, 'truncated', inc.truncated)
		if inc.status ~= inc.was then
			local open = inc.status == 'open'
			call('ZREM', t.p .. (open and 'incidents:done' or 'incidents:open'), inc.id)
			call('ZADD', t.p .. (open and 'incidents:open' or 'incidents:done'), 0, inc.id)
		end
	else
		call('HSET', key, 'status', inc.status, 'opened', t.now, 'updated', inc.updated, 'resolved',
			inc.resolved, 'alerts', inc.alerts, 'firing', inc.firing, 'severity', inc.severity, 'sources',
			inc.sources, 'runs', inc.runs, 'truncated', inc.truncated, 'corr', inc.corr)
		call('HSET', t.p .. 'correlations', inc.corr, inc.id)
		call('ZADD', t.p .. (inc.status == 'open' and 'incidents:open' or 'incidents:done'), 0, inc.id)
	end
	if inc.line_n > 0 then
		call('RPUSH', key .. ':timeline', spread(inc.line))
	end
end

local function write_runs(t)
	for i = 1, t.runs_n do
		local r = t.runs[i]
		create_run(t.p, t.now, r, 'bridge', "rule '" .. r.rule .. "', event " .. ulid_of(r.event))
		if r.incident ~= '' then
			call('RPUSH', t.p .. 'incident:' .. r.incident .. ':runs', r.id)
		end
	end
	if t.cooldowns_new then
		for key, every in pairs(t.cooldowns_new) do
			call('SET', key, t.cooldowns[key], 'PX', every + 60000)
		end
	end
end

-- False, with nothing written, where the bus has gone on without us.
local function write_plan(t)
	local bus, adds = t.p .. 'bus', t.adds
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
	write_alerts(t)
	for i = 1, t.dirty_n do
		write_incident(t, t.dirty[i])
	end
	if t.runs_n > 0 then
		write_runs(t)
	end
	if t.taken_n > 0 then
		call('XDEL', t.p .. 'inbox', spread(t.taken_list))
	end
	return true
end

--[[ rb_ingest_v1 KEY ruleset skew reopen_window queue truncated n, then for each of n events:
  f|r|i source fingerprint starts_ms severity depth correlation_key window_ms head json inbox_id words,
  then `words` words: for each rule: rule decision reason cooldown_ms cooldown_key steps,
  then for each step: step runbook sha256 pool params late always idempotent timeout_ms retries backoff_ms
json may be empty for an alert that the caller takes for a duplicate; where it is none the answer is the error WHOLE.
Answer, flat: for each event: outcome, entry id, incident; unless it is a duplicate or taken, for each rule:
decision, reason, run. ]]
local function ingest(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	for attempt = 1, 2 do
		local t = new_plan(p, now)
		t.argv, t.ruleset, t.skew, t.reopen_window = argv, argv[1], num(argv[2]), num(argv[3])
		t.queue, t.truncated = num(argv[4]), num(argv[5])
		local k = 7
		for _ = 1, num(argv[6]) do
			local full
			k, full = plan_event(t, k)
			if full == '' then
				return {err = 'WHOLE an event that came without its JSON is no duplicate'}
			elseif not k then
				return {err = "FULL the queue of pool '" .. full .. "' is full (limits.queue " ..
					argv[4] .. ')'}
			end
		end
		if write_plan(t) then
			return t.out
		elseif attempt == 2 then
			return {err = 'ERR the stream ' .. p .. 'bus takes no entry after its last one'}
		end
		read_clock(p)
	end
end

-- ---- rows as the API shows them --------------------------------------------------------------------

local function map_of(flat)
	local m = {}
	for i = 1, #flat, 2 do
		m[flat[i]] = flat[i + 1]
	end
	return m
end

local function incident_json(p, id)
	local key = p .. 'incident:' .. id
	local m = map_of(call('HGETALL', key))
	if not m.status then
		return nil
	end
	local head = call('LINDEX', key .. ':timeline', 0) or '"title":"","key":{},"labels":{}'
	return '{"id":"' .. id .. '","status":"' .. m.status .. '","acked":false,"severity":"' ..
		(SEVERITIES[num(m.severity)] or 'unknown') .. '",' .. head .. ',"opened":' ..
		time_or_null(m.opened) .. ',"updated":' .. time_or_null(m.updated) .. ',"resolved":' ..
		time_or_null(m.resolved) .. ',"alerts":' .. m.alerts .. ',"firing":' .. m.firing ..
		',"sources":[' .. m.sources .. '],"runs":' .. m.runs .. ',"truncated":' .. m.truncated .. '}'
end

local function run_json(p, id)
	local m = map_of(call('HGETALL', p .. 'run:' .. id))
	if not m.state then
		return nil
	end
	return '{"id":"' .. id .. '","rule":' .. quote_or_null(m.rule) .. ',"runbook":' .. quote(m.runbook) ..
		',"step":' .. quote(m.step) .. ',"state":"' .. m.state .. '","reason":' .. quote(m.reason) ..
		',"incident":' .. quote_or_null(m.incident) .. ',"event":' ..
		(m.event ~= '' and '"' .. ulid_of(m.event) .. '"' or 'null') .. ',"pool":' .. quote(m.pool) ..
		',"worker":' .. quote_or_null(m.worker) .. ',"attempt":' .. (m.attempt or '0') ..
		',"params":' .. m.params .. ',"queued":' .. time_or_null(m.queued) .. ',"started":' ..
		time_or_null(m.started) .. ',"finished":' .. time_or_null(m.finished) .. ',"exit_code":' ..
		number_or_null(m.exit_code) .. ',"signal":' .. number_or_null(m.signal) ..
		',"duration_ms":' .. number_or_null(m.duration) .. ',"verified":null,"artifacts":' ..
		(m.artifacts or '[]') .. ',"depth":' .. m.depth .. ',"ruleset_hash":' ..
		quote_or_null(m.ruleset) .. ',"runbook_sha256":' .. quote_or_null(m.sha256) .. '}'
end

-- A record of the bus: {kind, incident, decisions, json}, or nil.
local function record(p, sid)
	local v = call('XRANGE', p .. 'bus', sid, sid)[1]
	if v then
		v = v[2]
		return v[2], v[4], v[6], v[8]
	end
end

local EVENTS = {firing = true, resolved = true, info = true}

local function event_json(incident, decisions, json)
	return sub(json, 1, -2) .. ',"incident":' .. quote_or_null(incident) .. ',"decisions":' .. decisions .. '}'
end

local function timeline_json(sid, kind, incident, decisions, json)
	local ms = num(match(sid, '^%d+'))
	local member = EVENTS[kind] and 'event' or kind
	return '{"id":"' .. ulid_of(sid) .. '","time":"' .. rfc3339(ms) .. '","kind":"' .. member ..
		'","incident":' .. quote_or_null(incident) .. (kind == 'decisions' and ',"of":' or
		',"' .. member .. '":') .. json .. ',"decisions":' .. decisions .. '}'
end

-- ---- runs: for the worker --------------------------------------------------------------------------

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

local function claimed(p, r, now)
	local v = call('HMGET', p .. 'run:' .. r.id, 'params', 'late', 'timeout', 'prev')
	local event, received = 'null', 0
	if r.event ~= '' then
		local _, _, _, json = record(p, r.event)
		event, received = json or 'null', num(match(r.event, '^%d+'))
	end
	local steps, prev = {}, v[4]
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
		r.id, num(r.fence), r.rule, r.runbook, r.sha256, r.step, r.pool, v[1], v[2], event, r.incident,
		r.incident ~= '' and incident_json(p, r.incident) or '', num(r.attempt), v[3], received, now,
		num(r.depth), steps,
	}
end

local function running(p)
	return call('ZRANGE', p .. 'leases', 0, -1)
end

-- rb_claim_v1 KEY worker instance lease_ms token again pools…: the run as an array, or an empty one. token names
-- this call; again names an earlier one of this instance whose answer did not arrive: its run is given once more.
local function claim(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local worker, instance, lease = argv[1], argv[2], now + argv[3]
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
	for _ = 1, TICK_WORK do
		local best, best_ready, best_pool
		for i = 6, #argv do
			local v = call('ZRANGE', p .. 'queue:' .. argv[i], '-inf', now, 'BYSCORE', 'LIMIT', 0, 1,
				'WITHSCORES')
			if v[1] and (not best or num(v[2]) < best_ready) then
				best, best_ready, best_pool = v[1], num(v[2]), argv[i]
			end
		end
		if not best then
			return {}
		end
		local r = run_get(p, best)
		if r and r.state == 'queued' then
			local attempt = (num(r.attempt) or 0) + 1
			set_state(p, r, 'running', now, 'worker ' .. worker, '', {
				worker = worker, instance = instance, fence = call('INCR', p .. 'fence'),
				attempt = attempt, started = now, claim = instance .. ':' .. argv[4], lease = lease,
			})
			if attempt == 1 and r.first == '1' and r.event ~= '' then
				count_time(p, 'start', r.rule, now - match(r.event, '^%d+'))
			end
			return claimed(p, r, now)
		end
		call('ZREM', p .. 'queue:' .. best_pool, best)
	end
	return {}
end

-- rb_hello_v1 KEY worker instance pools…
local function hello(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local worker, instance = argv[1], argv[2]
	call('HSET', p .. 'worker:' .. worker, 'instance', instance, 'since', now, 'pools',
		concat(argv, '\n', 3))
	call('ZADD', p .. 'workers', now, worker)
	local ids = running(p)
	for i = 1, #ids do
		local r = run_get(p, ids[i])
		if r and r.worker == worker and r.instance ~= instance then
			worker_gone(p, r, now, "worker '" .. worker .. "' started again without it")
		end
	end
	return 1
end

-- rb_heartbeat_v1 KEY worker instance lease_ms [run fence]…: the places (from 0) of the lost ones
local function heartbeat(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local lost, leases, n = {}, {p .. 'leases', 'XX'}, 2
	for i = 4, #argv, 2 do
		local v = call('HMGET', p .. 'run:' .. argv[i], 'state', 'fence')
		if v[1] == 'running' and v[2] == argv[i + 1] then
			leases[n + 1], leases[n + 2] = now + argv[3], argv[i]
			n = n + 2
		else
			lost[#lost + 1] = (i - 4) / 2
		end
	end
	call('ZADD', p .. 'workers', now, argv[1])
	if n > 2 then
		call('ZADD', spread(leases))
	end
	return lost
end

local FENCED = {err = 'FENCED the run is not held under this fence any more'}

-- rb_output_add_v1 KEY run fence line…: a line is o or e, the time in ms, a blank, the text
local function output_add(keys, argv)
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
	local body = match(json, '^%s*{%s*(.*)}%s*$')
	call('XADD', p .. 'inbox', '*', 'event', '', 'incident', r.incident, 'json', '{' .. body ..
		(body ~= '' and ',' or '') .. '"run":"' .. r.id .. '","depth":' .. r.depth .. '}')
end

-- rb_run_change_v1 KEY run fence state reason exit signal artifacts params sha256 duration_ms who emitted…
local function run_change(keys, argv)
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
			(to == 'release' and r.state == 'queued') then
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

-- rb_run_new_v1 KEY who idempotency_key ruleset queue step runbook sha256 pool params late always idempotent
-- timeout_ms retries backoff_ms
local function run_new(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	if argv[2] ~= '' then
		local id = call('HGET', p .. 'idempotency', argv[2])
		if id then
			return id
		end
	end
	local r = {
		rule = '', position = 1, step = argv[5], runbook = argv[6], sha256 = argv[7], pool = argv[8],
		params = argv[9], late = argv[10], always = argv[11], idempotent = argv[12],
		timeout = argv[13], retries = argv[14], backoff = argv[15], incident = '', event = '',
		depth = 1, ruleset = argv[3], prev = '', next = '',
	}
	if call('ZCARD', p .. 'queue:' .. r.pool) >= num(argv[4]) then
		return {err = "FULL the queue of pool '" .. r.pool .. "' is full (limits.queue " .. argv[4] .. ')'}
	end
	r.id = new_id(id_clock(p, now))
	r.worker, r.attempt = '', ''
	change_record(p, r, 'queued', now, 'by hand, ' .. argv[1])
	create_run(p, now, r, argv[1], 'by hand')
	if argv[2] ~= '' then
		call('HSET', p .. 'idempotency', argv[2], r.id)
		call('HSET', p .. 'run:' .. r.id, 'idempotency', argv[2])
	end
	return r.id
end

-- ---- time ------------------------------------------------------------------------------------------

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

-- Runs that nobody claimed in time; and the bell for those that became ready, or whose bell was heard in vain.
local function tick_queues(p, now, ttl, done)
	local pools, looked = call('SMEMBERS', p .. 'pools'), 0
	for i = 1, #pools do
		local pool = pools[i]
		local queue = p .. 'queue:' .. pool
		local ids = call('ZRANGE', queue, '-inf', now - ttl, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
		for j = 1, #ids do
			local r = run_get(p, ids[j])
			if r and r.state == 'queued' then
				set_state(p, r, 'cancelled', now, 'runbookd',
					"no worker of pool '" .. pool .. "' claimed it within limits.queue_ttl", {})
				go_on(p, r, now)
				done.expired = done.expired + 1
			else
				call('ZREM', queue, ids[j])
			end
		end
		looked = #ids > looked and #ids or looked
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

-- An alert that fires is looked at when nothing changed for a while: resolved where nobody spoke of it for
-- stale_after, else moved on to when it was last heard of, with its event beside it, since the bus is trimmed.
local function tick_stale(p, now, stale_after, retention, done)
	local age = math.min(stale_after, floor(retention / 2))
	local names = call('ZRANGE', p .. 'alerts:firing', '-inf', now - age, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	if #names == 0 then
		return 0
	end
	local t = new_plan(p, now)
	for i = 1, #names do
		local key = p .. 'alert:' .. names[i]
		local v = call('HMGET', key, 'last', 'event', 'json')
		local last = num(v[1] or 0)
		if now - last < stale_after then
			call('ZADD', p .. 'alerts:firing', last > now - age and last or now, names[i])
			if not v[3] then
				local _, _, _, json = record(p, v[2])
				if json then
					call('HSET', key, 'json', json)
				end
			end
		else
			local a = get_alert(t, names[i])
			local inc = leave(t, a)
			local source, fingerprint = match(names[i], '^(.*):(.-)$')
			new_id(t.g)
			local sid, n = t.g.ms .. '-' .. t.g.seq, t.adds_n
			t.adds[n + 1], t.adds[n + 2], t.adds[n + 3], t.adds[n + 4] = sid, 'alert', a.inc, '[]'
			t.adds[n + 5] = '{"id":"' .. ulid_of(sid) .. '","received":"' .. t.received ..
				'","source":' .. quote(source) .. ',"fingerprint":' .. quote(fingerprint) ..
				',"status":"resolved","last_seen":' .. time_or_null(v[1]) ..
				',"reason":"not reported for longer than incidents.stale_after"}'
			t.adds_n = n + 5
			a.state, a.stale, a.new = 'x', true, true
			if inc then
				inc.updated = now
				inc.line_n = inc.line_n + 1
				inc.line[inc.line_n] = sid
			end
			done.resolved_stale = done.resolved_stale + 1
		end
	end
	if t.adds_n > 0 and not write_plan(t) then
		read_clock(p) -- the next tick does it
	end
	return #names
end

-- Members of a set by id that were made before cutoff; those that forget() keeps are passed until the set is through.
local function trim_ids(p, name, cutoff, forget)
	local from = call('HGET', p .. 'meta', 'trim:' .. name)
	local ids = call('ZRANGE', p .. name, from and from ~= '' and '(' .. from or '-',
		'(' .. ulid(math.max(cutoff, 0) + 1, 0), 'BYLEX', 'LIMIT', 0, TICK_WORK)
	local trimmed = 0
	for i = 1, #ids do
		if forget(ids[i]) then
			call('ZREM', p .. name, ids[i])
			trimmed = trimmed + 1
		end
	end
	local at = #ids == TICK_WORK and ids[#ids] or ''
	if at ~= (from or '') then
		call('HSET', p .. 'meta', 'trim:' .. name, at)
	end
	return trimmed, #ids
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

local function forget_incident(p, id, cutoff)
	local v = call('HMGET', p .. 'incident:' .. id, 'resolved', 'corr')
	if v[1] and v[1] ~= '' and num(v[1]) > cutoff then
		return false
	end
	if v[2] and call('HGET', p .. 'correlations', v[2]) == id then
		call('HDEL', p .. 'correlations', v[2])
	end
	call('UNLINK', p .. 'incident:' .. id, p .. 'incident:' .. id .. ':timeline',
		p .. 'incident:' .. id .. ':runs')
	return true
end

local function forget_run(p, id, cutoff)
	local v = call('HMGET', p .. 'run:' .. id, 'finished', 'idempotency')
	if v[1] and v[1] ~= '' and num(v[1]) > cutoff then
		return false
	end
	if v[2] then
		call('HDEL', p .. 'idempotency', v[2])
	end
	call('UNLINK', p .. 'run:' .. id, p .. 'run:' .. id .. ':output')
	return true
end

local function tick_retention(p, now, cutoff, audit_cutoff, done)
	local names = call('ZRANGE', p .. 'alerts:resolved', '-inf', cutoff, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	for i = 1, #names do
		call('UNLINK', p .. 'alert:' .. names[i])
		call('ZREM', p .. 'alerts:resolved', names[i])
	end
	local incidents, looked = trim_ids(p, 'incidents:done', cutoff, function(id)
		return forget_incident(p, id, cutoff)
	end)
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

-- rb_tick_v1 KEY queue_ttl_ms stale_after_ms retention_ms audit_retention_ms:
-- requeued, lost, expired, resolved_stale, trimmed, more
local function tick(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local done = {lost = 0, requeued = 0, expired = 0, resolved_stale = 0, trimmed = 0}
	local retention = num(argv[3])
	local most = math.max(
		tick_leases(p, now, done),
		tick_queues(p, now, num(argv[1]), done),
		tick_stale(p, now, num(argv[2]), retention, done),
		tick_retention(p, now, now - retention, now - argv[4], done))
	return {
		done.requeued, done.lost, done.expired, done.resolved_stale, done.trimmed,
		most >= TICK_WORK and 1 or 0,
	}
end

-- ---- lists -----------------------------------------------------------------------------------------
-- Each gives {more, resume, cursor, row, cursor, row, …}; resume: where to go on when no row was found.

-- Ids of several sets, newest first. min and max as ZRANGE BYLEX takes them.
local function newest_ids(p, sets, max, min, want)
	local all = {}
	for i = 1, #sets do
		local ids = call('ZRANGE', p .. sets[i], max, min, 'BYLEX', 'REV', 'LIMIT', 0, want)
		for j = 1, #ids do
			all[#all + 1] = ids[j]
		end
	end
	if #sets > 1 then
		table.sort(all, function(a, b)
			return a > b
		end)
	end
	return all
end

local function list_ids(p, sets, field, key, row, argv)
	local status, max, min, limit = argv[2], argv[3], argv[4], num(argv[5])
	local want = status == '' and limit + 1 or SCAN
	local ids = newest_ids(p, sets, max, min, want)
	local out, rows, last = {0, ''}, 0, ''
	local n = #ids < want and #ids or want
	for i = 1, n do
		local id = ids[i]
		if status == '' or call('HGET', p .. key .. id, field) == status then
			if rows == limit then
				out[1] = 1
				break
			end
			local json = row(p, id)
			if json then
				out[#out + 1], out[#out + 2] = id, json
				rows = rows + 1
			end
		end
		last = id
	end
	if n == want then
		out[1] = 1
	end
	out[2] = last
	return out
end

local LIVE, DONE, BOTH = {'runs:live'}, {'runs:done'}, {'runs:live', 'runs:done'}
local OPEN, ENDED, ALL = {'incidents:open'}, {'incidents:done'}, {'incidents:open', 'incidents:done'}

local function list_runs(p, argv)
	local status = argv[2]
	local sets = status == '' and BOTH or FINAL[status] and DONE or LIVE
	return list_ids(p, sets, 'state', 'run:', run_json, argv)
end

local function list_incidents(p, argv)
	local status = argv[2]
	local sets = status == '' and ALL or status == 'open' and OPEN or ENDED
	return list_ids(p, sets, 'status', 'incident:', incident_json, argv)
end

-- Streams, by entry id. status: of events.
local function list_events(p, argv)
	local status, limit = argv[2], num(argv[5])
	local v = call('XREVRANGE', p .. 'bus', argv[3], argv[4], 'COUNT', SCAN)
	local out, rows = {0, ''}, 0
	for i = 1, #v do
		local f = v[i][2]
		if EVENTS[f[2]] and (status == '' or f[2] == status) then
			if rows == limit then
				out[1] = 1
				return out
			end
			out[#out + 1], out[#out + 2] = v[i][1], event_json(f[4], f[6], f[8])
			rows = rows + 1
		end
		out[2] = v[i][1]
	end
	if #v == SCAN then
		out[1] = 1
	end
	return out
end

local function list_audit(p, argv)
	local limit = num(argv[5])
	local v = call('XREVRANGE', p .. 'audit', argv[3], argv[4], 'COUNT', limit + 1)
	local out = {#v > limit and 1 or 0, ''}
	for i = 1, math.min(#v, limit) do
		out[#out + 1], out[#out + 2] = v[i][1], v[i][2][2]
		out[2] = v[i][1]
	end
	return out
end

-- Lists of an incident, by place; argv[3] is the first place.
local function list_places(p, argv, what, row)
	local from, limit = num(argv[3]), num(argv[5])
	if call('EXISTS', p .. 'incident:' .. argv[6]) == 0 then
		return {err = "NOTFOUND there is no incident '" .. argv[6] .. "'"}
	end
	local v = call('LRANGE', p .. 'incident:' .. argv[6] .. ':' .. what, from, from + SCAN - 1)
	local out, rows = {0, from}, 0
	for i = 1, #v do
		if rows == limit then
			out[1] = 1
			return out
		end
		local r = row(p, v[i])
		if r then
			out[#out + 1], out[#out + 2] = from + i, r
			rows = rows + 1
		end
		out[2] = from + i
	end
	if #v == SCAN then
		out[1] = 1
	end
	return out
end

local function timeline_row(p, line)
	local sid = match(line, '^%d+-%d+')
	if not sid then
		return nil -- the head
	end
	local kind, incident, decisions, json = record(p, sid)
	return kind and timeline_json(sid, kind, incident, decisions, json)
end

-- What an alert's row is made of, in C: event's JSON, and the alert's own fields.
local function alert_row(p, name, event)
	local v = call('HMGET', p .. 'alert:' .. name, 'state', 'event', 'inc', 'n', 'occ', 'first', 'last',
		'since', 'json')
	if not v[1] then
		return nil
	end
	local _, _, _, json = record(p, event or v[2])
	json = json or v[9]
	if not json then
		return nil
	end
	return {name, json, v[1], v[3], v[4], v[5], v[6], v[7], v[8]}
end

-- The first event of an alert in this incident. The row tells of the alert as it is now where it still is in it.
local function incident_alert_row(p, line)
	local sid, name = match(line, '^(%d+-%d+)%+(.*)$')
	if not sid then
		return nil
	end
	local _, incident, _, json = record(p, sid)
	local r = alert_row(p, name)
	if r and r[4] == incident then
		return r
	elseif json then
		r = r or {name, '', '', '', '1', '1', '', '', ''}
		r[2], r[3], r[4] = json, 'r', incident
	end
	return json and r
end

-- Alerts by time of their last change. argv[3]: "score name" of the row before, or a score; argv[4]: the least score.
local function list_alerts(p, argv)
	local status, limit = argv[2], num(argv[5])
	local score, name = match(argv[3], '^(%d+) (.*)$')
	local max = score or argv[3]
	local sets = {'alerts:firing', 'alerts:resolved'}
	if status ~= '' then
		sets = {status == 'firing' and 'alerts:firing' or 'alerts:resolved'}
	end
	local all = {}
	for i = 1, #sets do
		local found, offset = 0, 0
		repeat
			local v = call('ZRANGE', p .. sets[i], max, argv[4], 'BYSCORE', 'REV', 'LIMIT', offset, 200,
				'WITHSCORES')
			for j = 1, #v, 2 do
				if not score or v[j + 1] ~= score or v[j] < name then
					all[#all + 1] = {v[j], num(v[j + 1])}
					found = found + 1
				end
			end
			offset = offset + 200
		until #v < 400 or found > limit
	end
	table.sort(all, function(a, b)
		return a[2] > b[2] or (a[2] == b[2] and a[1] > b[1])
	end)
	local out = {#all > limit and 1 or 0, ''}
	for i = 1, math.min(#all, limit) do
		local cursor = format('%d ', all[i][2]) .. all[i][1]
		local r = alert_row(p, all[i][1])
		if r then
			out[#out + 1], out[#out + 2] = cursor, r
		end
		out[2] = cursor
	end
	return out
end

-- rb_list_v1 KEY what status max min limit id
local function list(keys, argv)
	local p, what = keys[1] .. ':', argv[1]
	if what == 'incidents' then
		return list_incidents(p, argv)
	elseif what == 'runs' then
		return list_runs(p, argv)
	elseif what == 'alerts' then
		return list_alerts(p, argv)
	elseif what == 'events' then
		return list_events(p, argv)
	elseif what == 'audit' then
		return list_audit(p, argv)
	elseif what == 'timeline' then
		return list_places(p, argv, 'timeline', timeline_row)
	elseif what == 'incident_alerts' then
		return list_places(p, argv, 'timeline', incident_alert_row)
	elseif what == 'incident_runs' then
		return list_places(p, argv, 'runs', run_json)
	end
	return {err = "ERR there is no list '" .. what .. "'"}
end

-- rb_get_v1 KEY incident|run|event id (an event's: its entry id)
local function get(keys, argv)
	local p, what, id, json = keys[1] .. ':', argv[1], argv[2], nil
	if what == 'incident' then
		json = incident_json(p, id)
	elseif what == 'run' then
		json = run_json(p, id)
	else
		local kind, incident, decisions, event = record(p, id)
		json = EVENTS[kind] and event_json(incident, decisions, event)
		id = ulid_of(id)
	end
	return json or {err = 'NOTFOUND there is no ' .. what .. " '" .. id .. "'"}
end

-- rb_output_v1 KEY run from limit: whether it may still grow, then the lines
local function output(keys, argv)
	local key, from, limit = keys[1] .. ':run:' .. argv[1], num(argv[2]), num(argv[3])
	local state = call('HGET', key, 'state')
	if not state then
		return {err = "NOTFOUND there is no run '" .. argv[1] .. "'"}
	end
	local v = call('LRANGE', key .. ':output', from, from + limit - 1)
	local more = not FINAL[state] or call('LLEN', key .. ':output') > from + #v
	table.insert(v, 1, more and 1 or 0)
	return v
end

-- rb_inbox_v1 KEY limit: id, json, id, json, …
local function inbox(keys, argv)
	local v = call('XRANGE', keys[1] .. ':inbox', '-', '+', 'COUNT', argv[1])
	local out = {}
	for i = 1, #v do
		out[2 * i - 1], out[2 * i] = v[i][1], v[i][2][6]
	end
	return out
end

-- rb_audit_v1 KEY json
local function audit_act(keys, argv)
	local p = keys[1] .. ':'
	audit(p, '{"time":"' .. rfc3339(now_ms(p)) .. '",' .. sub(argv[1], 2))
	return 1
end

-- rb_stats_v1 KEY: {incidents open, [pool, depth, oldest_ms]…, [pool, running]…, [counter, value]…}
local function stats(keys)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local pools, names = {}, {}
	local function add(pool)
		if not pools[pool] then
			pools[pool] = true
			names[#names + 1] = pool
		end
	end
	local queued = call('SMEMBERS', p .. 'pools')
	for i = 1, #queued do
		add(queued[i])
	end
	local workers = call('ZRANGE', p .. 'workers', now - 300000, '+inf', 'BYSCORE')
	for i = 1, #workers do
		for pool in string.gmatch(call('HGET', p .. 'worker:' .. workers[i], 'pools') or '', '[^\n]+') do
			add(pool)
		end
	end
	local queues = {}
	for i = 1, #names do
		local key = p .. 'queue:' .. names[i]
		local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
		queues[3 * i - 2], queues[3 * i - 1] = names[i], call('ZCARD', key)
		queues[3 * i] = first[2] and math.max(0, now - first[2]) or 0
	end
	return {
		call('ZCARD', p .. 'incidents:open'), queues, call('HGETALL', p .. 'running'),
		call('HGETALL', p .. 'stats'),
	}
end

-- rb_version_v1 KEY: of the library, and of the data ('' where there is none yet). rb_open_v1 KEY sets that.
local function version(keys)
	return {LIBRARY, call('HGET', keys[1] .. ':meta', 'schema') or ''}
end

local function open(keys)
	call('HSETNX', keys[1] .. ':meta', 'schema', SCHEMA)
	return version(keys)
end

-- ---- registration ----------------------------------------------------------------------------------

local function writes(name, f)
	redis.register_function(name, function(keys, argv)
		if not call then
			bind()
		end
		return f(keys, argv)
	end)
end

local function reads(name, f)
	redis.register_function{
		function_name = name,
		callback = function(keys, argv)
			if not call then
				bind()
			end
			return f(keys, argv)
		end,
		flags = {'no-writes'},
	}
end

writes('rb_ingest_v1', ingest)
writes('rb_claim_v1', claim)
writes('rb_hello_v1', hello)
writes('rb_heartbeat_v1', heartbeat)
writes('rb_output_add_v1', output_add)
writes('rb_run_change_v1', run_change)
writes('rb_run_new_v1', run_new)
writes('rb_tick_v1', tick)
writes('rb_audit_v1', audit_act)
writes('rb_open_v1', open)
reads('rb_list_v1', list)
reads('rb_get_v1', get)
reads('rb_output_v1', output)
reads('rb_inbox_v1', inbox)
reads('rb_stats_v1', stats)
reads('rb_version_v1', version)
