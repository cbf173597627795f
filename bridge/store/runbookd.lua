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

Lua has at most 200 locals in one scope. So what only one part uses stands in a block, `do` to `end`, without
indentation, and what others may use of it is named before: `local f`, then in the block `function f()`.

While the library is loaded no global exists but redis.register_function, so what it uses of Lua is
bound at the first call (bind).
]]

local LIBRARY = 1 -- grows with each change of this file
local SCHEMA = 1 -- of the data; STORE_SCHEMA in store.h
local TEST_CLOCK = false -- a test's build says true: time is the number in the key `clock`

local LOST_RETRIES = 3 -- how often an idempotent run may outlive its worker
local BELLS = 64 -- entries of a doorbell list
local TICK_WORK = 100 -- things of one kind that one tick looks at
local DUE_AGAIN = 1000 -- ms until what was due is tried again where a queue was full
local RESOLVE_RUNS = 16 -- runs of one rule that a resolve looks at: the latest ones for that alert
local TICK_POOLS = 1000 -- pools that one tick, or one look at the counters, looks at; chosen anew each time
local TIMELINE = 10000 -- entries that an incident keeps of its timeline, and of its runs: the latest
local TIMELINE_SLACK = 1000 -- by how much it may grow over that before it is cut
local SCAN = 1000 -- ids that one list call looks at
local DELIVERIES = 100000 -- delivery ids that are remembered of one source: the latest
local SERIES_MEMORY = 3600000 -- ms that a series of log lines is remembered, at least: what is sent again within is known
local STEP_OUTPUT = 65536 -- bytes of an earlier step's output that a later one is given
local BUCKETS = { -- metric_buckets of base/metrics.c in ms
	0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000,
	300000, 1800000,
}

local call, trycall, num, floor, format, find, sub, byte, match, spread, concat, encode

-- Making a text of a number, or a number of a text, costs as much as half a small command. So: texts of small numbers;
-- the next and the one before of a text; ten bits as two digits of an id.
local TEXT, NEXT, BEFORE, PAIR = {}, {}, {}, {}

local DIGITS = {
	[0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
	'G', 'H', 'J', 'K', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
}

local function bind()
	call, trycall = redis.call, redis.pcall
	num, floor, spread, concat, encode = tonumber, math.floor, unpack, table.concat, cjson.encode
	format, find, sub, byte, match = string.format, string.find, string.sub, string.byte, string.match
	for i = 0, 255 do
		TEXT[i] = format('%d', i)
	end
	for i = 0, 254 do
		NEXT[TEXT[i]], BEFORE[TEXT[i + 1]] = TEXT[i + 1], TEXT[i]
	end
	for i = 0, 1023 do
		PAIR[i] = DIGITS[floor(i / 32)] .. DIGITS[i % 32]
	end
end

local function text(n)
	return TEXT[n] or format('%.0f', n)
end

-- n + 1 and n - 1 of whole numbers as texts. Of larger ones mostly the last digit changes.
local function up(n)
	if NEXT[n] then
		return NEXT[n]
	end
	local last = sub(n, -1)
	return last ~= '9' and sub(n, 1, -2) .. NEXT[last] or format('%.0f', n + 1)
end

local function down(n)
	return BEFORE[n] or format('%.0f', n - 1)
end

-- ---- time, texts, ids ------------------------------------------------------------------------------

local now_text = '' -- of the call under way, set by read_time: now as digits
local read_time, now_ms, rfc3339, received, period
local quote, quote_or_null, number_or_null, time_or_null
local ulid, ulid_of, read_clock, id_clock, new_id, entry_id, bus_add
do

local now_second, now_pad = '', '' -- now_text in parts
local ZEROS = {'000', '000', '000', '00', '0', ''} -- before the ms of so many digits of microseconds

function read_time(p)
	local clock = TEST_CLOCK and call('GET', p .. 'clock')
	if clock then
		now_text, now_second, now_pad = clock, sub(clock, 1, -4), sub(clock, -3)
		return
	end
	local t = call('TIME')
	local us = t[2]
	now_second, now_pad = t[1], ZEROS[#us] .. sub(us, 1, -4)
	now_text = now_second .. now_pad
end

function now_ms(p)
	read_time(p)
	return num(now_text)
end

local day_n, day_s, second_n, second_s = -1, '', -1, ''

-- 1763841234 -> 2025-11-22T19:53:54. with the dot; the last one is kept.
local function second_text(second)
	if second == second_n then
		return second_s
	end
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
	return second_s
end

function rfc3339(ms)
	local second = floor(ms / 1000)
	return second_text(second) .. format('%03dZ', ms - second * 1000)
end

local received_second, received_head = '', ''

-- Now, as rfc3339 has it.
function received()
	if now_second ~= received_second then
		received_second, received_head = now_second, second_text(num(now_second))
	end
	return received_head .. now_pad .. 'Z'
end

function quote(s)
	if find(s, '[%c"\\]') then
		return encode(s)
	end
	return '"' .. s .. '"'
end

function quote_or_null(s)
	return s and s ~= '' and s ~= '-' and quote(s) or 'null'
end

function number_or_null(s)
	return s and s ~= '' and s or 'null'
end

function time_or_null(s)
	return s and s ~= '' and s ~= '0' and '"' .. rfc3339(num(s)) .. '"' or 'null'
end

-- 5400000 -> 1h30m. What is over a second is told to the second.
function period(ms)
	if ms < 1000 then
		return format('%dms', ms)
	end
	local second, s = floor(ms / 1000), ''
	for _, unit in ipairs({{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}}) do
		local n = floor(second / unit[1])
		if n > 0 then
			s = s .. format('%d', n) .. unit[2]
			second = second - n * unit[1]
		end
	end
	return s
end

local ulid_ms, ulid_head, ulid_high, ulid_high_head = -1, '', -1, ''

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
function ulid(ms, seq)
	if ms ~= ulid_ms then
		local high = floor(ms / 1048576)
		if high ~= ulid_high then
			ulid_high, ulid_high_head = high, base32(high, 6)
		end
		local low = ms - high * 1048576
		local middle = floor(low / 1024)
		ulid_ms, ulid_head = ms, ulid_high_head .. PAIR[middle] .. PAIR[low - middle * 1024]
	end
	if seq < 1024 then
		return ulid_head .. '00000000000000' .. PAIR[seq]
	end
	return ulid_head .. '00000' .. base32(seq, 11)
end

-- "1763841234567-0" -> the event's id
function ulid_of(sid)
	local ms, seq = match(sid, '^(%d+)-(%d+)$')
	return ulid(num(ms), num(seq))
end

-- By prefix: the last (ms, seq) given out. Only a cache: the truth is the bus's last id.
local clocks = {}

function read_clock(p)
	local info = trycall('XINFO', 'STREAM', p .. 'bus')
	local g = {ms = 0, text = '0', seq = 0}
	if not info.err then
		for i = 1, #info, 2 do
			if info[i] == 'last-generated-id' then
				local ms, seq = match(info[i + 1], '^(%d+)-(%d+)$')
				g.ms, g.text, g.seq = num(ms), ms, num(seq)
			end
		end
	end
	clocks[p] = g
	return g
end

function id_clock(p, now)
	local g = clocks[p] or read_clock(p)
	if now > g.ms then
		g.ms, g.text, g.seq = now, now_text, -1
	end
	return g
end

function new_id(g)
	g.seq = g.seq + 1
	return ulid(g.ms, g.seq)
end

-- The entry id that belongs to the id which new_id gave last.
function entry_id(g)
	return g.text .. '-' .. text(g.seq)
end

-- A record that begins `{"id":…,"received":…,` and goes on with the members of rest. Returns its entry id
-- and its JSON. Another Redis may have written meanwhile (a failover there and back): then once more.
function bus_add(p, now, kind, incident, decisions, rest)
	local g = id_clock(p, now)
	for attempt = 1, 2 do
		local id = new_id(g)
		local sid = entry_id(g)
		local json = '{"id":"' .. id .. '","received":"' .. received() .. '",' .. rest
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

-- ---- alerts and incidents, as they are kept --------------------------------------------------------
-- One text each, values with a blank between: read and written with one small command. docs/redis.md names them.

-- "state start last count min max occurrences first since event incident". since is when the state last changed; behind
-- that where there is more to say: the changes before within flapping.window, the latest first, each after a comma; '!'
-- and until when it flaps; '+' where the hash alert:NAME:waits is there. State e is f with a deadline, whose time is the
-- alert's score in `alerts:expiring`; read_alert gives it as f, and expires true.
local ALERT = '^(%a) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+)$'
local PLAIN = 13 -- digits of a since that says no more

local function read_alert(v)
	local state, start, last, n, min, max, occ, first, since, event, inc = match(v, ALERT)
	local expires = state == 'e'
	return {
		state = expires and 'f' or state, start = start, last = last, n = n, min = min, max = max, occ = occ,
		first = first, since = since, event = event, inc = inc, expires = expires,
	}
end

local function alert_text(a)
	return (a.expires and 'e' or a.state) .. ' ' .. a.start .. ' ' .. a.last .. ' ' .. a.n .. ' ' .. a.min .. ' ' .. a.max .. ' ' ..
		a.occ .. ' ' .. a.first .. ' ' .. a.since .. ' ' .. a.event .. ' ' .. a.inc
end

-- The alert's state changes from firing to resolved or back, at the time `at`; limits: as read_limits has them.
local function change_since(a, now, limits, at)
	if a.since == a.first then -- its first change, since it appeared
		a.since = at
		return
	end
	local most, window = limits[4], limits[5]
	local list, n, oldest = at, 1, num(at)
	for time in string.gmatch(match(a.since, '^[%d,]+'), '%d+') do
		local ms = num(time)
		if n >= most or ms <= now - window then
			break
		elseif time ~= a.first then -- then it appeared, which is no change
			list, n, oldest = list .. ',' .. time, n + 1, ms
		end
	end
	if n >= most and most > 0 then
		list = list .. '!' .. text(oldest + window)
	end
	a.since = list .. (sub(a.since, -1) == '+' and '+' or '')
end

-- Until when it flaps, or nil.
local function flaps(a, now)
	local till = #a.since > PLAIN and num(match(a.since, '!(%d+)') or 0)
	return till and till > now and till or nil
end

local function waits(a)
	return #a.since > PLAIN and sub(a.since, -1) == '+'
end

-- "status updated resolved alerts firing severity runs truncated opened sources"; times 0 where there is none.
-- What seldom changes is last, and is taken apart only where it is needed.
local INCIDENT, TAIL = '^(%a+) (%d+) (%d+) (%d+) (%d+) (%d) ()', '^(%d+) (%d+) (%d+) ()'

local function read_incident(id, v)
	local status, updated, resolved, alerts, firing, severity, tail = match(v, INCIDENT)
	return {
		id = id, was = status, status = status, updated = updated, resolved = resolved, alerts = alerts,
		firing = firing, severity = severity, tail = sub(v, tail), line_n = 0, dirty = false, line = false,
	}
end

-- Sets runs, truncated, opened and sources.
local function read_tail(inc)
	if inc.tail then
		local runs, truncated, opened, sources = match(inc.tail, TAIL)
		inc.runs, inc.truncated, inc.opened, inc.sources = runs, truncated, opened, sub(inc.tail, sources)
		inc.tail = nil
	end
	return inc
end

local function incident_text(inc)
	return inc.status .. ' ' .. inc.updated .. ' ' .. inc.resolved .. ' ' .. inc.alerts .. ' ' .. inc.firing ..
		' ' .. inc.severity .. ' ' ..
		(inc.tail or inc.runs .. ' ' .. inc.truncated .. ' ' .. inc.opened .. ' ' .. inc.sources)
end

-- source: quoted
local function add_source(inc, source)
	if find(inc.tail or inc.sources, source, 1, true) then
		return
	end
	read_tail(inc)
	inc.sources = inc.sources == '' and source or inc.sources .. ',' .. source
end

-- A message's mark: "f 1763841234567 ", or with a deadline "e 1763841234567 1763841477000 ". What the alert's text begins
-- with where it says the same, and the deadline or nil.
local function split_mark(mark)
	if byte(mark) ~= 101 then -- 'e'
		return mark, nil
	end
	local head, deadline = match(mark, '^(e %d+ )(%d+) $')
	return head, deadline
end

-- An alert's text after the same message once more, and how it ends: " min … incident". nil: it is not the same.
local function same_again(v, mark)
	local at = #mark
	if sub(v, 1, at) ~= mark then
		return nil
	end
	at = find(v, ' ', at + 1, true) -- after `last`
	local stop = find(v, ' ', at + 1, true)
	local rest = sub(v, stop)
	return mark .. now_text .. ' ' .. up(sub(v, at + 1, stop - 1)) .. rest, rest
end

-- ---- runs: the only place that writes a state ------------------------------------------------------

local CHANGES = {
	queued = {running = true, cancelled = true},
	approval = {queued = true, rejected = true, cancelled = true},
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
	'started', 'broken', 'ruleset', 'sha256', 'first', 'claim', 'home', 'cancel', 'bad', 'after',
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

-- n: how long the push has made the timeline. Its first two entries, key and head, stay.
local function cut_timeline(key, n)
	if n > TIMELINE + TIMELINE_SLACK then
		local first = call('LRANGE', key, 0, 1)
		call('LTRIM', key, -TIMELINE, -1)
		call('LPUSH', key, first[2], first[1])
	end
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
	elseif from == 'approval' then
		call('ZREM', p .. 'approvals', r.id)
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
		local key = p .. 'incident:' .. r.incident .. ':timeline'
		cut_timeline(key, call('RPUSHX', key, sid))
	end
end

-- One run as it is made. t: its step; position 1 is ready at once, or when it is approved; the others wait for the one
-- before. t.more: further fields, with their values.
local function create_run(p, now, t, who, reason)
	local waits, state = t.position > 1, t.approval and 'approval' or 'queued'
	call('HSET', p .. 'run:' .. t.id, 'state', state, 'reason', waits and "waits for step '" .. t.before .. "'" or
		t.approval and 'waits for a person to approve it' or '', 'rule', t.rule, 'runbook', t.runbook,
		'sha256', t.sha256, 'step', t.step, 'pool', t.pool, 'params', t.params, 'late', t.late,
		'always', t.always, 'idempotent', t.idempotent, 'timeout', t.timeout, 'retries', t.retries,
		'backoff', t.backoff, 'incident', t.incident, 'event', t.event, 'depth', t.depth, 'ruleset',
		t.ruleset, 'queued', now, 'prev', t.prev, 'next', t.next, 'first', (waits or t.later) and '' or '1')
	if t.more then
		call('HSET', p .. 'run:' .. t.id, spread(t.more))
	end
	call('ZADD', p .. 'runs:live', 0, t.id)
	if t.approval then
		call('ZADD', p .. 'approvals', t.approval, t.id)
	elseif not waits then
		enqueue(p, t.pool, t.id, now, now)
	end
	t.attempt = ''
	audit_run(p, t, '', state, now, who, reason)
end

local STEP = '^(%d) (%d) (%d) (%d+) (%d+) (%d+)$' -- late always idempotent timeout_ms retries backoff_ms

-- Plans runs, one behind the other; t.argv[k] is the first step. Returns the first one's id and the last one, or nil and
-- the full pool. Full is what was full before this message: one message may go over limits.queue, so that no message is
-- too large for ever. forced: no queue is too full.
local function plan_runs(t, k, steps, rule, incident, depth, forced)
	local argv, first, before = t.argv, nil, nil
	if not t.runs then
		t.runs, t.pools, t.added = {}, {}, {}
	end
	for position = 1, steps do
		local r = {
			id = new_id(t.g), rule = rule, position = position, step = argv[k], runbook = argv[k + 1],
			sha256 = argv[k + 2], pool = argv[k + 3], params = argv[k + 4], incident = incident,
			depth = depth, ruleset = t.ruleset, prev = '', next = '',
		}
		r.late, r.always, r.idempotent, r.timeout, r.retries, r.backoff = match(argv[k + 5], STEP)
		k = k + 6
		if before then
			r.prev, r.before, before.next = before.id, before.step, r.id
		else
			first = r.id
			local waiting = t.pools[r.pool] or call('ZCARD', t.p .. 'queue:' .. r.pool)
			if waiting >= t.queue and not forced then
				return nil, r.pool
			end
			t.pools[r.pool] = waiting
			t.added[r.pool] = (t.added[r.pool] or 0) + 1
		end
		before = r
		t.runs_n = t.runs_n + 1
		t.runs[t.runs_n] = r
	end
	return first, before
end

-- ---- chains: the runs of one decision, step by step ------------------------------------------------
-- A run's field `bad` says how its chain fared so far: '' well or merely not succeeded, '1' a step ended in failed,
-- timed_out or lost, 'c' it was cancelled or rejected because somebody asked for it. `after`, on the last run, says what
-- follows: f steps on failure (field `failure`), s it counts for the rule's slo (field `slo`).
local go_on, cancel_chain
do

local BAD = {failed = '1', timed_out = '1', lost = '1', rejected = 'c'}

-- objective, in 10^-6 percent; good or bad
local function count_slo(p, rule, spec, good, now)
	local objective, within, window, since = match(spec, '^(%d+) (%d+) (%d+) (%d+)$')
	local key, hour = p .. 'slo:' .. rule, floor(now / 3600000)
	good = good and now - since <= num(within)
	call('HSET', key, 'objective', objective, 'window', window)
	if call('HINCRBY', key, text(hour) .. (good and ' good' or ' bad'), 1) > 1 then
		return
	end
	call('SADD', p .. 'slos', rule)
	local fields = call('HKEYS', key)
	for i = 1, #fields do
		local at = match(fields[i], '^(%d+) ')
		if at and (num(at) + 1) * 3600000 <= now - window then
			call('HDEL', key, fields[i])
		end
	end
end

-- Runs that were made outside of an ingest are counted by their incident, and told of on its timeline.
local function tell_runs(p, runs, n, now, reason)
	local first = runs[1]
	first.worker = ''
	local sid = change_record(p, first, first.approval and 'approval' or 'queued', now, reason)
	local v = first.incident ~= '' and call('GET', p .. 'incident:' .. first.incident)
	if not v then
		return
	end
	local inc, key = read_tail(read_incident(first.incident, v)), p .. 'incident:' .. first.incident
	inc.runs = text(inc.runs + n)
	call('SET', key, incident_text(inc))
	for i = 1, n do
		call('RPUSH', key .. ':runs', runs[i].id)
	end
	cut_timeline(key .. ':timeline', call('RPUSHX', key .. ':timeline', sid))
end

local function run_failure_steps(p, r, now)
	local words = cjson.decode(call('HGET', p .. 'run:' .. r.id, 'failure'))
	local t = {p = p, argv = words, g = id_clock(p, now), ruleset = r.ruleset, runs_n = 0, queue = 0}
	plan_runs(t, 1, #words / 6, r.rule, r.incident, num(r.depth), true)
	t.runs[1].prev = r.id
	for i = 1, t.runs_n do
		t.runs[i].event, t.runs[i].later = r.event, true
		create_run(p, now, t.runs[i], 'runbookd', "on_failure of rule '" .. r.rule .. "'")
	end
	tell_runs(p, t.runs, t.runs_n, now, "on_failure: step '" .. r.broken .. "' did not succeed")
end

local function chain_ended(p, r, now)
	if find(r.after, 's', 1, true) and r.bad ~= 'c' then
		count_slo(p, r.rule, call('HGET', p .. 'run:' .. r.id, 'slo'), r.broken == '', now)
	end
	if find(r.after, 'f', 1, true) and r.bad == '1' then
		run_failure_steps(p, r, now)
	end
end

-- The run has ended: its next step is let into the queue, or cancelled, and so on to the first that may run.
function go_on(p, r, now)
	local broken, bad = r.broken, r.bad
	if broken == '' and r.state ~= 'succeeded' then
		broken = r.step
	end
	if bad ~= '1' then
		bad = BAD[r.state] or (r.state == 'cancelled' and r.cancel ~= '' and 'c') or bad
	end
	while r.next ~= '' do
		local nxt = run_get(p, r.next)
		if not nxt or nxt.state ~= 'queued' then
			return
		end
		if broken == '' or nxt.always == '1' then
			call('HSET', p .. 'run:' .. nxt.id, 'reason', '', 'broken', broken, 'bad', bad)
			enqueue(p, nxt.pool, nxt.id, now, now)
			return
		end
		set_state(p, nxt, 'cancelled', now, 'runbookd',
			"step '" .. broken .. "' did not succeed", {broken = broken, bad = bad})
		r = nxt
	end
	if r.after ~= '' then
		r.broken, r.bad = broken, bad
		chain_ended(p, r, now)
	end
end

-- A worker that is to look at once whether something of its own is to be stopped.
local function call_worker(p, worker)
	local key = p .. 'call:' .. worker
	if call('LPUSH', key, '1') > BELLS then
		call('LTRIM', key, 0, BELLS - 1)
	end
	call('PEXPIRE', key, 60000)
end

-- The chain that begins with run id shall end: what nobody has begun is cancelled, and all of it where nothing was;
-- what runs is asked to stop, and its worker tells of the end.
function cancel_chain(p, id, now, who, reason)
	local r, begun = run_get(p, id), false
	while r do
		begun = begun or r.attempt ~= ''
		if r.state == 'running' then
			if r.cancel == '' then
				call('HSET', p .. 'run:' .. r.id, 'cancel', reason)
				call_worker(p, r.worker)
				audit_run(p, r, 'running', 'running', now, who, 'asked to stop: ' .. reason)
				local key = p .. 'incident:' .. r.incident .. ':timeline'
				cut_timeline(key, call('RPUSHX', key,
					change_record(p, r, 'running', now, 'asked to stop: ' .. reason)))
			end
			return
		elseif not FINAL[r.state] then
			r.cancel = reason
			set_state(p, r, 'cancelled', now, who, reason, {})
			if begun then
				go_on(p, r, now)
				return
			end
		end
		r = r.next ~= '' and run_get(p, r.next)
	end
end

end

-- A run whose worker is gone: again where that is safe, else lost.
local function worker_gone(p, r, now, why)
	local outlived = num(r.outlived) or 0
	if r.cancel ~= '' then
		set_state(p, r, 'cancelled', now, 'runbookd', r.cancel .. '; ' .. why, {})
		go_on(p, r, now)
		return true
	end
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
local new_plan, read_limits, end_message, write_plan -- a plan, and its writing
local get_incident, touch, add_line, leave, plan_add, keep_alert, move_alert -- what is planned
local rule_of, decide_now, add_decision, waits_of, set_wait, end_waits -- what rules do
local ingest, explain, again, lines -- the calls
do

local KINDS = {f = 'firing', e = 'firing', r = 'resolved', i = 'info'}
local NEW, DUPLICATE, REOPENED, TAKEN = '0', '1', '2', '3'

-- The plan of the call under way. It and its lists are used by one call after the other, which costs less than new ones;
-- what is past their counts is of an earlier call.
local plan = {}
local names = {} -- of the alerts that changed
local dirty = {} -- incidents that changed
local adds = {} -- of each new record: entry id, kind, incident, decisions, JSON
local moves = {} -- of each alert that changed its state or occurrence: name, list before, list now
local scratch = {} -- the words of a command

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
	t.argv, t.truncated, t.ruleset, t.as_new = false, '0', '', false
	return t
end

function get_incident(t, id)
	local inc = t.incidents[id]
	if inc == nil then
		local v = call('GET', t.p .. 'incident:' .. id)
		inc = v and read_incident(id, v) or false
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

local function new_incident(t, corr, head)
	local id = new_id(t.g)
	local inc = {
		id = id, was = false, status = 'open', opened = now_text, updated = now_text, resolved = '0',
		alerts = '0', firing = '0', severity = '0', runs = '0', truncated = '0', sources = '',
		corr = corr, line = {corr, head}, line_n = 2,
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
	if inc.firing ~= '0' then
		inc.firing = down(inc.firing)
	end
	if inc.firing == '0' and inc.status == 'open' then
		inc.status, inc.resolved = 'resolved', now_text
	end
	return inc
end

-- Plans a record of the bus, {"id":…,"received":…, and rest: its entry id and its JSON.
function plan_add(t, kind, incident, decisions, rest)
	local g, n = t.g, t.adds_n
	local json = '{"id":"' .. new_id(g) .. '","received":"' .. received() .. '",' .. rest
	local record = entry_id(g)
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
		inc.status, inc.resolved = 'open', '0'
	end
	inc.firing = up(inc.firing)
	if e.severity > inc.severity then
		inc.severity = e.severity
	end
	add_source(inc, source_of(t.argv[k]))
	if a.inc == inc.id then
		return inc, false
	end
	inc.alerts = up(inc.alerts)
	a.inc = inc.id
	return inc, true
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
		return REOPENED, join(t, a, k, e, true)
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
-- skip_flapping approval expires_ms resolve_steps failure_steps slo_objective slo_within_ms slo_window_ms". Few texts
-- differ, so what they say is kept.
do

local rules, rules_n = {}, 0

function rule_of(s)
	local u = rules[s]
	if not u then
		local v, n = {}, 0
		for word in string.gmatch(s, '%d+') do
			n = n + 1
			v[n] = num(word)
		end
		local resolve, failure = v[12] or 0, v[13] or 0
		u = {
			cooldown = v[1], steps = v[2], more = n > 2, for_ms = v[3] or 0, runs = v[4] or 0, runs_ms = v[5],
			hosts = v[6] or 0, hosts_ms = v[7], on_resolve = v[8] or 0, skip_flapping = v[9] == 1,
			approval = v[10] == 1, expires = v[11] or 0, resolve = resolve, failure = failure,
			slo = v[14] and v[14] > 0 and format('%d %d %d', v[14], v[15], v[16]) or '',
			words = 5 + 6 * (v[2] + resolve + failure),
		}
		if rules_n >= 1024 then
			rules, rules_n = {}, 0
		end
		rules[s], rules_n = u, rules_n + 1
	end
	return u
end

end

-- ---- ingest: what holds a rule back ----------------------------------------------------------------
-- Of the event under way t has: name, alert (nil: it is none), key (its correlation key), incident (id or ''), inc,
-- depth. What is decided in this call already counts.
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
			w.fields[flat[i]] = cjson.decode(flat[i + 1])
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

local function slice(v, from, n)
	local out = {}
	for i = 1, n do
		out[i] = v[from + i - 1]
	end
	return out
end

-- In a storm one decision is made again and again: the last text is kept.
local last_rule, last_decision, last_reason, last_run, last_json

local function decision_json(rule, decision, reason, run)
	if reason ~= last_reason or rule ~= last_rule or decision ~= last_decision or run ~= last_run then
		last_rule, last_decision, last_reason, last_run = rule, decision, reason, run
		last_json = '{"rule":' .. quote(rule) .. ',"decision":"' .. decision .. '","reason":' .. quote(reason) ..
			',"run":' .. (run ~= '-' and '"' .. run .. '"' or 'null') .. '}'
	end
	return last_json
end

-- A decision on the event sid, made after its record was: a record of its own.
function add_decision(t, inc, sid, rule, decision, reason, run)
	local record = plan_add(t, 'decisions', inc and inc.id or '',
		'[' .. decision_json(rule, decision, reason, run) .. ']', '"event":"' .. ulid_of(sid) .. '"}')
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
	local rest = '"source":"runbookd","type":"limit","status":"info","time":"' .. received() ..
		'","fingerprint":null,"starts_at":null,"ends_at":null,"severity":"error","summary":' ..
		quote("rule '" .. rule .. "' is held back: " .. reason) .. ',"labels":{"limit":"' .. limit ..
		'","rule":' .. quote(rule) .. '},"annotations":{},"links":{},"data":{"limit":"' .. limit ..
		'","rule":' .. quote(rule) .. ',"count":' .. text(b.count) .. ',"per_ms":' .. text(b.per) ..
		'},"depth":' .. text(t.depth) .. '}'
	local record, json = plan_add(t, 'info', t.incident, '[]', rest)
	if t.inc then
		add_line(t.inc, record)
	end
	t.inbox = t.inbox or {}
	t.inbox[#t.inbox + 1] = {record, t.incident, json}
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
		local words = slice(t.argv, k + 5 + 6 * (u.steps + u.resolve), 6 * u.failure)
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
		words = slice(t.argv, k + 5 + 6 * u.steps, 6 * u.resolve),
	})
end

local function would_run(t, k, u)
	local names = {}
	for i = 1, u.steps do
		names[i] = "'" .. t.argv[k + 5 + 6 * (i - 1) + 1] .. "'"
	end
	return (u.approval and 'would ask for approval to run ' or 'would run ') .. concat(names, ', then ')
end

-- The rule may run: its runs. decision, reason and run, or nil and the full pool.
local function start(t, k, u, rule)
	local first, last = plan_runs(t, k + 5, u.steps, rule, t.incident, t.depth + 1)
	if not first then
		return nil, last
	end
	if u.more then
		after_steps(t, k, u, last)
		if u.on_resolve > 0 and t.alert and t.alert.state == 'f' then
			until_resolved(t, k, u, rule, first, last)
		end
		if u.approval then
			t.runs[t.runs_n - u.steps + 1].approval = u.expires > 0 and text(t.now + u.expires) or '+inf'
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

-- From cooldown on; argv[k] is the rule's first word. decision, reason and run, or nil and the full pool.
function decide_now(t, k, u)
	local argv = t.argv
	local rule, host, key, dry = argv[k], argv[k + 2], argv[k + 3], argv[k + 1] == 'dry_run'
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
		due = text(due), since = now_text, key = t.key, depth = t.depth, ruleset = t.ruleset,
		words = slice(t.argv, k, u.words),
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
	if u.for_ms == 0 then
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
	while k < stop do
		local rule, decision, reason, run = argv[k], argv[k + 1], argv[k + 2], '-'
		local u = rule_of(argv[k + 4])
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
		t.out[t.out_n] = decision .. ' ' .. run .. ' ' .. reason
		json = (json and json .. ',' or '[') .. decision_json(rule, decision, reason, run)
	end
	return json and json .. ']' or '[]'
end

-- ---- the end of an occurrence ----

-- Did any of the runs begin, or may it still? Not where all wait for approval or did not get it.
local function had_run(t, rec)
	if rec.ran then
		return true
	end
	for id in string.gmatch(rec.runs, '%S+') do
		local state = call('HGET', t.p .. 'run:' .. id, 'state')
		if state and state ~= 'approval' and state ~= 'rejected' then
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
	local first = plan_runs(t, 1, #rec.words / 6, rule, inc and inc.id or '', t.depth + 1, true)
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
		elseif resolved then
			on_resolve(t, inc, resolved, rule, rec)
			set_wait(t, name, a, fields[i], nil)
		end
	end
end

end

-- An inbox entry: {event = the entry id of what is on the bus already or '', incident = id or ''}; nil where it is gone.
local function inbox_entry(t, id)
	if not t.taken then
		t.taken, t.taken_list = {}, {}
	end
	local v = call('XRANGE', t.p .. 'inbox', id, id)[1]
	if not v or t.taken[id] then
		return nil
	end
	local entry = {event = '', incident = ''}
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
	local kind, rest, sid = KINDS[sub(t.argv[k + 1], 1, 1)], t.argv[k + 5], nil
	if entry and entry.event ~= '' then
		sid = entry.event
		if decisions == '[]' then
			return sid, nil
		end
		kind, rest = 'decisions', '"event":"' .. ulid_of(sid) .. '"}'
	end
	local record = plan_add(t, kind, incident, decisions, rest)
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
		a = {
			state = nil, start = '', last = '', n = '0', min = '', max = '', occ = '0', first = now_text,
			since = now_text, event = '-', inc = '-', expires = false,
		}
	end
	local was = a.state
	a.n, a.last = up(a.n), now_text
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

-- An event's numbers, "severity depth window_ms words inbox_id" and where it has one " SOURCE:DELIVERY": of those without the
-- last two few texts differ, so what they say is kept.
local numbers_of
do

local EVENT = '^(%d) (%d+) (%d+) (%d+) (%S*) ?(.*)$'
local events, events_n = {}, 0

function numbers_of(s)
	local e = events[s]
	if not e then
		local severity, depth, window, words, inbox, delivery = match(s, EVENT)
		e = {
			severity = severity, depth = num(depth), window = num(window), words = num(words), inbox = inbox,
			delivery = delivery,
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
	if a and waits(a) and outcome == NEW and a.state == 'f' then
		end_waits(t, name, a, inc, 'another occurrence of the alert began', nil)
	end
	local decisions, full = '[]', nil
	if e.words > 0 then
		decisions, full = decide(t, k + 6, stop, outcome)
		if not decisions then
			return nil, full
		end
	end
	local sid, record = plan_record(t, k, entry, incident, decisions)
	t.out[at] = outcome .. ' ' .. sid .. ' ' .. (inc and incident or '-')
	for i = runs + 1, t.runs_n do
		t.runs[i].event = sid
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
		a.event = sid
		keep_alert(t, name, alert_text(a))
	end
	if inc then
		if a then
			inc.updated = now_text
		end
		if t.runs_n > runs then
			inc.runs = text(read_tail(inc).runs + t.runs_n - runs)
		end
		note_truncated(t, inc)
		if record then
			add_line(inc, first and record .. '+' .. name or record)
		end
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

local UNPACK = 4000 -- texts of one command: Lua unpacks less than 8000, and an error in the middle would keep the writes before

-- A command with a list that may be longer: as many commands as it takes. Returns the last one's answer.
local function call_list(command, key, list)
	local n = #list
	for from = 1, n - UNPACK, UNPACK do
		call(command, key, spread(list, from, from + UNPACK - 1))
	end
	return call(command, key, spread(list, n - (n - 1) % UNPACK, n))
end

-- Alerts, incidents and correlation keys in one command.
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
	end
	if n > 1 then
		call(spread(scratch, 1, n))
	end
end

local function write_moves(t)
	for i = 1, t.moves_n, 3 do
		local name, from, to = moves[i], moves[i + 1], moves[i + 2]
		if from and from ~= to then
			call('ZREM', t.p .. from, name)
		end
		call('ZADD', t.p .. to, now_text, name)
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
			(r.later and "on_resolve of rule '" or "rule '") .. r.rule .. "', event " .. ulid_of(r.event))
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
	for i = 1, t.inbox and #t.inbox or 0 do
		local entry = t.inbox[i]
		call('XADD', t.p .. 'inbox', '*', 'event', entry[1], 'incident', entry[2], 'json', entry[3])
	end
	for i = 1, t.cancels and #t.cancels or 0 do
		cancel_chain(t.p, t.cancels[i][1], t.now, 'runbookd', t.cancels[i][2])
	end
	return true
end

end

local limits_text, limits = '', nil

-- "occurrence_skew_ms reopen_window_ms queue flapping_transitions flapping_ms runs runs_ms hosts hosts_ms
-- delivery_window_ms": the same for all calls of a bridge.
function read_limits(t, s)
	if s ~= limits_text then
		limits_text, limits = s, {}
		for n in string.gmatch(s, '%d+') do
			limits[#limits + 1] = num(n)
		end
		for i = #limits + 1, 10 do
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

-- The plan of all events: argv[sizes] says how many each message has, and they begin behind the three words after it.
-- An error, or nil.
local function plan_events(t, argv, sizes)
	local k = sizes + 4
	t.argv, t.truncated, t.ruleset = argv, argv[sizes + 2], argv[sizes + 3]
	read_limits(t, argv[sizes + 1])
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

--[[ rb_ingest_v1 KEY sizes limits truncated ruleset, then the events of one or more messages; sizes: how many each has,
"1 1 3". An error stores nothing of any. For each event:
  name     "source:fingerprint" of an alert, '' for what is none
  mark     "f 1763841234567 ": status (f r i) and startsAt in ms (0: none), a blank after each; of one that fires and
           has a deadline "e 1763841234567 1763841477000 ", with that behind it
  numbers  "severity depth window_ms words inbox_id" and, where the sender named this delivery, " SOURCE:ID"
  correlation_key
  head     an incident's JSON members that never change
  json     without its first brace; empty for an alert that the caller takes for a duplicate: where it is none, the
           answer is the error WHOLE
then `words` words: for each rule: rule decision reason cooldown_key numbers (rule_of); where the decision is run or
dry_run, the event's host in place of the reason; then for each step, resolve step and failure step:
step runbook sha256 pool params "late always idempotent timeout_ms retries backoff_ms"
Answer, texts in an array, or the text itself where there is only one: for each event "outcome entry_id incident",
'-' for none; of a duplicate a blank and then words of which the last two are these, or "1 entry_id incident" where its
delivery came before; of one that was taken by another "3". After a new one (0) or a reopened one (2), for each rule: "decision run reason". ]]
function ingest(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	for attempt = 1, 2 do
		local t = new_plan(p, now)
		local refused = plan_events(t, argv, 1)
		if refused then
			return refused
		elseif write_plan(t) then
			return t.out_n == 1 and t.out[1] or t.out
		elseif attempt == 2 then
			return {err = 'ERR the stream ' .. p .. 'bus takes no entry after its last one'}
		end
		read_clock(p)
	end
end

-- rb_explain_v1 KEY as_new, then as rb_ingest_v1: what that would answer; as_new 1: as if neither alert nor
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
do

local EXTRA = 256 -- lines that a series remembers besides those that it has to count
local ENDS = 16 -- lines that resolved it
local TOLD_AGAIN = 3600000 -- ms until it is said again that a pattern has too many series

local specs, specs_n = {}, 0

-- "count within_ms series lines after_ms"
local function spec_of(s)
	local u = specs[s]
	if not u then
		local count, within, series, lines, after = match(s, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
		u = {
			count = num(count), within = num(within), series = num(series), lines = num(lines), after = num(after),
		}
		u.memory = math.max(u.within, SERIES_MEMORY)
		if specs_n >= 1024 then
			specs, specs_n = {}, 0
		end
		specs[s], specs_n = u, specs_n + 1
	end
	return u
end

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
	local rest = '"source":"runbookd","type":"limit","status":"info","time":"' .. received() ..
		'","fingerprint":null,"starts_at":null,"ends_at":null,"severity":"error","summary":' ..
		quote("pattern '" .. pattern .. "' is held back: it follows " .. text(spec.series) ..
			' alerts, its limit (series), and lines that would begin another one are refused; let by have ' ..
			'labels of few values, or raise series') ..
		',"labels":{"limit":"series","pattern":' .. quote(pattern) .. '},"annotations":{},"links":{},"data":{"limit":' ..
		'"series","pattern":' .. quote(pattern) .. ',"count":' .. text(spec.series) .. '},"depth":0}'
	local record, json = plan_add(t, 'info', '', '[]', rest)
	t.inbox = t.inbox or {}
	t.inbox[#t.inbox + 1] = {record, '', json}
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

--[[ rb_lines_v1 KEY limits ruleset, then for each line that a pattern wants:
  pattern  its name
  numbers  "count within_ms series lines after_ms": threshold, series followed at once, lines kept, quiet time (0: none)
  mark     what tells this line from others of its series, the same when it is sent again
  time     in ms, which orders it; 0: now
  line     as JSON, for people
  then the words of the event that it would raise, or of a resolve, as rb_ingest_v1 has them. Its startsAt and its
  deadline are set here; that of a resolve is 0.
An error stores nothing of any. Answer, for each line: "c" it counts, "d" it was there before, "w" the alert fires already, "n" it
changes nothing, "s" refused, for its pattern has too many series; or what rb_ingest_v1 answers for the event. ]]
function lines(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	for attempt = 1, 2 do
		local t = new_plan(p, now)
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
		if write_plan(t) then
			write_series(t)
			return t.out
		elseif attempt == 2 then
			return {err = 'ERR the stream ' .. p .. 'bus takes no entry after its last one'}
		end
		read_clock(p)
	end
end

end

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
-- as rb_ingest_v1's; the error WHOLE, and nothing written, where one is none.
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

-- ---- rows as the API shows them --------------------------------------------------------------------

-- The lines of a log that are an alert's evidence, as a JSON array.
local function lines_of(p, name)
	return '[' .. concat(call('LRANGE', p .. 'alert:' .. name .. ':lines', 0, -1), ',') .. ']'
end

local function map_of(flat)
	local m = {}
	for i = 1, #flat, 2 do
		m[flat[i]] = flat[i + 1]
	end
	return m
end

local SEVERITIES = {[0] = 'unknown', 'info', 'warning', 'error', 'critical'}

local function incident_json(p, id)
	local key = p .. 'incident:' .. id
	local v = call('GET', key)
	if not v then
		return nil
	end
	local inc = read_tail(read_incident(id, v))
	return '{"id":"' .. id .. '","status":"' .. inc.status .. '","acked":false,"severity":"' ..
		SEVERITIES[num(inc.severity)] .. '",' .. (call('LINDEX', key .. ':timeline', 1) or
		'"title":"","key":{},"labels":{}') .. ',"opened":' .. time_or_null(inc.opened) .. ',"updated":' ..
		time_or_null(inc.updated) .. ',"resolved":' .. time_or_null(inc.resolved) .. ',"alerts":' ..
		inc.alerts .. ',"firing":' .. inc.firing .. ',"sources":[' .. inc.sources .. '],"runs":' ..
		inc.runs .. ',"truncated":' .. inc.truncated .. '}'
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
local claim, hello, heartbeat, output_add, run_change, run_approve, run_new
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
	local v = call('HMGET', p .. 'run:' .. r.id, 'params', 'late', 'timeout', 'prev')
	local event, received = 'null', 0
	if r.event ~= '' then
		local _, _, _, json = record(p, r.event)
		event, received = json and with_lines(p, json) or 'null', num(match(r.event, '^%d+'))
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
		num(r.depth), steps, num(r.idempotent) or 0, num(r.retries) or 0,
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
		if r and r.state == 'queued' then
			local attempt = (num(r.attempt) or 0) + 1
			set_state(p, r, 'running', now, 'worker ' .. worker, '', {
				worker = worker, instance = instance, fence = call('INCR', p .. 'fence'),
				attempt = attempt, started = now, claim = instance .. ':' .. argv[4], lease = lease,
				home = home_of(p, worker, instance),
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
	local body = match(json, '^%s*{%s*(.*)}%s*$')
	call('XADD', p .. 'inbox', '*', 'event', '', 'incident', r.incident, 'json', '{' .. body ..
		(body ~= '' and ',' or '') .. '"emitted":true,"run":"' .. r.id .. '","depth":' .. r.depth .. '}')
end

-- rb_run_change_v1 KEY run fence state reason exit signal artifacts params sha256 duration_ms who emitted…
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
		set_state(p, r, 'queued', now, who, reason, {ready = now})
	else
		set_state(p, r, 'rejected', now, who, reason, {})
		go_on(p, r, now)
	end
	return 1
end

-- rb_run_new_v1 KEY who idempotency_key ruleset queue, then a step as rb_ingest_v1 has it, then the digest of what was
-- asked for: a key stands for one request only
function run_new(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local asked = argv[11] or '' -- a bridge of before does not say it
	if argv[2] ~= '' then
		local id, of = match(call('HGET', p .. 'idempotency', argv[2]) or '', '^(%S+) ?(.*)$')
		if id and of ~= '' and asked ~= '' and of ~= asked then
			return {err = 'KEYUSED the Idempotency-Key was used for another request, which made run ' .. id ..
				'; give each request a key of its own'}
		elseif id then
			return id
		end
	end
	local r = {
		rule = '', position = 1, step = argv[5], runbook = argv[6], sha256 = argv[7], pool = argv[8],
		params = argv[9], incident = '', event = '', depth = 1, ruleset = argv[3], prev = '', next = '',
	}
	r.late, r.always, r.idempotent, r.timeout, r.retries, r.backoff = match(argv[10], STEP)
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

-- Runs that nobody claimed in time; and the bell for those that became ready, or whose bell was heard in vain.
local function tick_queues(p, now, ttl, done)
	local pools, looked = call('SRANDMEMBER', p .. 'pools', TICK_POOLS), 0
	for i = 1, #pools do
		local pool = pools[i]
		local queue = p .. 'queue:' .. pool
		local ids = looked < TICK_WORK and
			call('ZRANGE', queue, '-inf', now - ttl, 'BYSCORE', 'LIMIT', 0, TICK_WORK - looked) or {}
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

-- Resolved by us, as of the time `at`.
local function resolve_here(t, name, a, at, reason)
	local inc = leave(t, a)
	local source, fingerprint = match(name, '^(.*):(.-)$')
	local sid = plan_add(t, 'alert', a.inc ~= '-' and a.inc or '', '[]', '"source":' .. quote(source) ..
		',"fingerprint":' .. quote(fingerprint) .. ',"status":"resolved","last_seen":' ..
		time_or_null(a.last) .. ',"ends_at":' .. time_or_null(at) .. ',"reason":' .. quote(reason) .. '}')
	local runs = t.runs_n
	a.state = 'x'
	change_since(a, t.now, t.limits, at)
	if a.expires then
		t.deadlines = t.deadlines or {}
		t.deadlines[#t.deadlines + 1] = {name, false, false}
		a.expires = false
	end
	if waits(a) then
		t.depth = 0
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

-- What was put off is decided now, from cooldown on. false: a queue is full, and it stays.
local function decide_due(t, member, name, rule, a, rec, done)
	local inc, runs = a.inc ~= '-' and get_incident(t, a.inc) or nil, t.runs_n
	local u = rule_of(rec.words[5])
	t.argv, t.ruleset, t.name, t.alert, t.key = rec.words, rec.ruleset, name, a, rec.key
	t.inc, t.incident, t.depth = inc or false, inc and inc.id or '', rec.depth
	if inc then
		touch(t, inc)
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
	local t = new_plan(p, now)
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
	if not write_plan(t) then
		read_clock(p) -- the next tick does it
		done.late = {}
	end
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
	for _, key in ipairs({'pending', 'approvals', 'alerts:expiring'}) do
		local first = call('ZRANGE', p .. key, '(' .. text(now), '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
		local at = first[2] and first[2] ~= 'inf' and num(first[2]) - now
		if at and (least < 0 or at < least) then
			least = at
		end
	end
	return least
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
	local key = p .. 'incident:' .. id
	local v = call('GET', key)
	if v and num(read_incident(id, v).resolved) > cutoff then
		return false
	end
	local corr = call('LINDEX', key .. ':timeline', 0)
	if corr and call('GET', p .. 'correlation:' .. corr) == id then
		call('UNLINK', p .. 'correlation:' .. corr)
	end
	call('UNLINK', key, key .. ':timeline', key .. ':runs')
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
	local names = call('ZRANGE', p .. 'alerts:resolved', '-inf', cutoff, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	for i = 1, #names do
		local key = p .. 'alert:' .. names[i]
		call('UNLINK', key, key .. ':event', key .. ':waits', key .. ':lines')
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

-- rb_tick_v1 KEY queue_ttl_ms stale_after_ms retention_ms audit_retention_ms limits (as rb_ingest_v1 has them):
-- requeued, lost, expired, resolved_stale, trimmed, more, due_in_ms, [rule, decision]… of what was due
function tick(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	call('HSETNX', p .. 'meta', 'schema', SCHEMA) -- Redis may have been emptied since the bridge opened it
	local done = {lost = 0, requeued = 0, expired = 0, resolved_stale = 0, trimmed = 0, late = {}}
	local retention = num(argv[3])
	-- What is over does not fire any more: all of it first, however much there is.
	local expiring = tick_expiring(p, now, argv[5], done)
	local most = math.max(
		expiring,
		expiring < TICK_WORK and tick_pending(p, now, argv[5], done) or 0,
		tick_approvals(p, now, done),
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

-- ---- lists -----------------------------------------------------------------------------------------
local list
do

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

local function list_ids(p, sets, status_of, row, argv)
	local status, max, min, limit = argv[2], argv[3], argv[4], num(argv[5])
	local want = status == '' and limit + 1 or SCAN
	local ids = newest_ids(p, sets, max, min, want)
	local out, rows, last = {0, ''}, 0, ''
	local n = #ids < want and #ids or want
	for i = 1, n do
		local id = ids[i]
		if status == '' or status_of(p, id) == status then
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

local function run_status(p, id)
	return call('HGET', p .. 'run:' .. id, 'state')
end

local function incident_status(p, id)
	return match(call('GET', p .. 'incident:' .. id) or '', '^%a+')
end

local function list_runs(p, argv)
	local status = argv[2]
	local sets = status == '' and BOTH or FINAL[status] and DONE or LIVE
	return list_ids(p, sets, run_status, run_json, argv)
end

local function list_incidents(p, argv)
	local status = argv[2]
	local sets = status == '' and ALL or status == 'open' and OPEN or ENDED
	return list_ids(p, sets, incident_status, incident_json, argv)
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
	local first = what == 'timeline' and from < 2 and 2 or from -- after key and head
	local v = call('LRANGE', p .. 'incident:' .. argv[6] .. ':' .. what, first, first + SCAN - 1)
	from = first
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
	local kind, incident, decisions, json = record(p, sid)
	return kind and timeline_json(sid, kind, incident, decisions, json)
end

-- What an alert's row is made of, in C: event's JSON, and the alert's own fields.
local function alert_row(p, name)
	local key = p .. 'alert:' .. name
	local v = call('GET', key)
	if not v then
		return nil
	end
	local a = read_alert(v)
	local _, _, _, json = record(p, a.event)
	json = json or call('GET', key .. ':event')
	return json and {
		name, json, a.state, a.inc ~= '-' and a.inc or '', a.n, a.occ, a.first, a.last, match(a.since, '^%d+'),
		#a.since > PLAIN and flaps(a, now_ms(p)) and '1' or '',
		a.expires and call('ZSCORE', p .. 'alerts:expiring', name) or '', lines_of(p, name),
	}
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
		r = r or {name, '', '', '', '1', '1', '', '', '', '', '', '[]'}
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
function list(keys, argv)
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

-- rb_inbox_v1 KEY limit bytes after: id, json, id, json, … of entries behind that one ('': from the beginning); so
-- many, and so many bytes of JSON, but one at least
local function inbox(keys, argv)
	local bytes, after = num(argv[2]), argv[3]
	local v = call('XRANGE', keys[1] .. ':inbox', after ~= '' and '(' .. after or '-', '+', 'COUNT', argv[1])
	local out = {}
	for i = 1, #v do
		local json = v[i][2][6]
		bytes = bytes - #json
		if bytes < 0 and i > 1 then
			break
		end
		out[2 * i - 1], out[2 * i] = v[i][1], json
	end
	return out
end

-- rb_audit_v1 KEY json
local function audit_act(keys, argv)
	local p = keys[1] .. ':'
	audit(p, '{"time":"' .. rfc3339(now_ms(p)) .. '",' .. sub(argv[1], 2))
	return 1
end

-- [rule, objective, good, bad]… of the hours within each slo's window
local function slos(p, now)
	local out, rules = {}, call('SRANDMEMBER', p .. 'slos', TICK_POOLS)
	for i = 1, #rules do
		local m = map_of(call('HGETALL', p .. 'slo:' .. rules[i]))
		local from, n = now - (m.window or 0), {good = 0, bad = 0}
		for field, count in pairs(m) do
			local hour, what = match(field, '^(%d+) (%a+)$')
			if hour and (num(hour) + 1) * 3600000 > from then
				n[what] = n[what] + count
			end
		end
		local k = #out
		out[k + 1], out[k + 2], out[k + 3], out[k + 4] = rules[i], m.objective or '0', text(n.good), text(n.bad)
	end
	return out
end

-- rb_stats_v1 KEY: {incidents open, [pool, depth, oldest_ms]…, [pool, running]…, [counter, value]…, slos}
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
	local queued = call('SRANDMEMBER', p .. 'pools', TICK_POOLS)
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
		call('HGETALL', p .. 'stats'), slos(p, now),
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
writes('rb_again_v1', again)
writes('rb_lines_v1', lines)
reads('rb_explain_v1', explain)
writes('rb_claim_v1', claim)
writes('rb_hello_v1', hello)
writes('rb_heartbeat_v1', heartbeat)
writes('rb_output_add_v1', output_add)
writes('rb_run_change_v1', run_change)
writes('rb_run_approve_v1', run_approve)
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
