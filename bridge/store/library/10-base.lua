#!lua name=runbookd
--[[ The library runbookd: what runbookd decides and keeps, as functions inside Redis 7.

Owns every key under `rb:{namespace:0}:` (docs/redis.md lists them; docs/design/redis.md says why they
are as they are). One call is one step: either all of it happened or nothing. A Lua error would keep the
writes before it, so each function reads and checks first, and writes after.

  - Time is Redis's own, read once a call; no key's expiry decides anything.
  - Ids (of events, runs, incidents) are ULIDs made of (ms, seq), which only go forward, also when the
    clock does not. The last one a call gives out is that of a record on the stream `bus`, whose entry
    id is ms-seq: so the bus's last id is never below an id in use.
  - JSON comes ready from C and is not looked into: it is only joined to larger texts. (80 takes an alert's labels out of it.)
  - set_state() is the only writer of a run's state. It knows which changes are allowed, and writes the
    audit, the counters and the record on the bus in the same step.
  - Functions carry a version in their name. A later library keeps the older ones.

Redis takes a library as one text: the files of this folder in the order of their names, made to one by the Makefile.
What is in which:
  10 what all of them use
  20 the states of runs
  30 what a message does
  35 rules over several events
  36 what people keep from running for a time
  37 what the configuration does: maintenance, inhibition
  37 what depends on what, and what changed before
  40 rows as the API shows them
  50 what the worker calls
  55 what people do with incidents, and what is forgotten
  60 what time does
  70 lists
  75 what incidents are found by, and what any client may ask
  80 what is counted of alerts and rules
  82 what is unusual in it, and what is to be expected
  90 the names

Lua has at most 200 locals in one scope. So what only one part uses stands in a block, `do` to `end`, without
indentation, and what others may use of it is named before: `local f`, then in the block `function f()`.
Those of a block that is open count, too: so parts with many stand in a function of their own (75, 80, 82, lines in 30).

While the library is loaded no global exists but redis.register_function, so what it uses of Lua is
bound at the first call (bind).
]]

local LIBRARY = 4 -- grows with each change of these files
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

-- The names by which functions are called. A part may register its own in its block: then nobody else needs the name.
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

-- parse(text), which keeps what it made of 1024 texts. For those of which few differ, as a rule's numbers.
local function kept(parse)
	local known, n = {}, 0
	return function(s)
		local v = known[s]
		if not v then
			v = parse(s)
			if n >= 1024 then
				known, n = {}, 0
			end
			known[s], n = v, n + 1
		end
		return v
	end
end

-- Texts of one command: Lua unpacks less than 8000, and an error in the middle would keep the writes before.
local UNPACK = 4000

-- A command with a list that may be longer: as many commands as it takes. Returns the last one's answer; nothing of an
-- empty list.
local function call_list(command, key, list)
	local n = #list
	for from = 1, n - UNPACK, UNPACK do
		call(command, key, spread(list, from, from + UNPACK - 1))
	end
	return n > 0 and call(command, key, spread(list, n - (n - 1) % UNPACK, n))
end

-- Of a whole number.
local function text(n)
	return TEXT[n] or format('%d', n)
end

-- n + 1 and n - 1 of whole numbers as texts. Of larger ones mostly the last digit changes.
local function up(n)
	if NEXT[n] then
		return NEXT[n]
	end
	local last = sub(n, -1)
	return last ~= '9' and sub(n, 1, -2) .. NEXT[last] or format('%d', n + 1)
end

local function down(n)
	return BEFORE[n] or format('%d', n - 1)
end

-- ---- time, texts, ids ------------------------------------------------------------------------------

local now_text = '' -- of the call under way, set by read_time: now as digits
local read_time, now_ms, rfc3339, received, period
local quote, quote_name, quote_or_null, number_or_null, time_or_null
local ulid, ulid_of, read_clock, id_clock, new_id, next_entry, whole_json, bus_add
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

-- For what few differ in: rules, runbooks, workers, digests. The look at each byte costs more than to keep it.
quote_name = kept(quote)

-- Of a name, as above; is_id: of an id, which has nothing to look for.
function quote_or_null(s, is_id)
	return s and s ~= '' and s ~= '-' and (is_id and '"' .. s .. '"' or quote_name(s)) or 'null'
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

-- The entry id of the next record, and its JSON as the bus keeps it: without what follows from that id, which is the
-- record's own id and when it was received; where the clock went back, that does not follow.
function next_entry(g, now, json)
	g.seq = g.seq + 1
	if g.ms ~= now then
		json = '{"received":"' .. received() .. '",' .. sub(json, 2)
	end
	return g.text .. '-' .. text(g.seq), json
end

-- A record's JSON as all but the bus have it, with its id first. Records of before are kept like that.
function whole_json(sid, json)
	if sub(json, 1, 7) == '{"id":"' then
		return json
	end
	local known = sub(json, 1, 13) == '{"received":"'
	return '{"id":"' .. ulid_of(sid) .. '",' .. (known and '' or '"received":"' .. rfc3339(num(match(sid, '^%d+'))) .. '",') ..
		sub(json, 2)
end

-- A new record; returns its entry id, and its JSON as the bus keeps it. Another Redis may have written meanwhile (a
-- failover there and back): then once more.
function bus_add(p, now, kind, incident, decisions, json)
	local g = id_clock(p, now)
	for attempt = 1, 2 do
		local sid, kept_as = next_entry(g, now, json)
		local r = trycall('XADD', p .. 'bus', sid, 'kind', kind, 'incident', incident, 'decisions',
			decisions, 'event', kept_as)
		if not r.err then
			return sid, kept_as
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
		first = first, since = since, event = event, inc = inc, expires = expires, was = false, began = false,
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
		labels = false, filed = false, has = false, partly = false, unack = false, flaps = false,
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

-- The hash of what people did with an incident, and of what is seldom said of it (55).
local function hand_key(p, id)
	return p .. 'incident:' .. id .. ':hand'
end

-- The incident that this one was merged into, or itself. Alerts and runs keep the id of the one that they were in, so
-- whoever reads it asks here.
local function merged_into(p, id)
	return call('HGET', hand_key(p, id), 'merged_into') or id
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

