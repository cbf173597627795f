-- ---- suppression: pauses ---------------------------------------------------------------------------
-- `pauses` holds what people paused: by `all`, `rule NAME`, `runbook NAME` or `matchers TEXT` the words "until since",
-- and [who, reason] as JSON, of matchers with what they say as third. One ends by its time alone; the tick takes it away
-- later. All that decides looks here within its own step, so a pause holds for every bridge from the next decision on; and
-- for every worker from the next claim on: a rule's run that is paused stays in its queue, ready when the pause ends,
-- and stands in `held` by that time, so that it is let go when the pause ends before. What runs already goes on.
local drop_pauses, hold_queued, tick_held
do

local PAUSES = 100 -- that hold at once
local GATE_WORDS = 6 -- of a rule over several events, between its steps and those on timeout

local function read_pause(v)
	local till, since, at = match(v, '^(%d+) (%d+) ()')
	local said = cjson.decode(sub(v, at))
	return {till = num(till), since = num(since), who = said[1], reason = said[2], tests = said[3]}
end

-- Those that hold at `now`: by field, in an order that is always the same, and how many by what kind they are; and those
-- that are over.
local function read_pauses(p, now)
	local flat, over = call('HGETALL', p .. 'pauses'), {}
	local holding = {by = {}, fields = {}, n = 0, matchers = {}}
	for i = 1, #flat, 2 do
		local field, pause = flat[i], read_pause(flat[i + 1])
		if pause.till > now then
			holding.n = holding.n + 1
			holding.by[field], holding.fields[holding.n] = pause, field
		else
			over[#over + 1] = {field, pause}
		end
	end
	table.sort(holding.fields)
	for i = 1, holding.n do
		if holding.by[holding.fields[i]].tests then
			holding.matchers[#holding.matchers + 1] = holding.fields[i]
		end
	end
	return holding, over
end

local function why(what, pause)
	return what .. ' until ' .. rfc3339(pause.till) .. ' by ' .. pause.who .. ': ' .. pause.reason
end

-- ---- matchers, on an event as it is kept ----
-- A test is [kind, name, not, head, tail, word…]: kind l a label, a an annotation, e a member of the event; not 1: the
-- value is none of the words; head and tail: what may stand before and behind a word, 0 nothing, 1 anything, 2 something.

local function word_fits(v, w, head, tail)
	if head == 0 and tail == 0 then
		return v == w
	elseif head == 0 then
		return #v >= #w + tail - 1 and sub(v, 1, #w) == w
	elseif tail == 0 then
		return #v >= #w + head - 1 and sub(v, #v - #w + 1) == w
	end
	local at, stop = find(v, w, head, true) -- of all places the first one has most room behind it
	return at ~= nil and stop + tail - 1 <= #v
end

local PLACES = {l = 'labels', a = 'annotations'}

local function test_holds(test, event)
	local from = test[1] == 'e' and event or event[PLACES[test[1]]]
	local v, fits = type(from) == 'table' and from[test[2]], false
	if type(v) ~= 'string' then
		v = '' -- as of a label that is not there
	end
	for i = 6, #test do
		fits = fits or word_fits(v, test[i], test[4], test[5])
	end
	return fits == (test[3] == 0)
end

-- The field of the first pause whose matchers hold for the event, or nil.
local function matching(holding, event)
	for i = 1, #holding.matchers do
		local field, all = holding.matchers[i], true
		local tests = holding.by[field].tests
		for k = 1, #tests do
			all = all and test_holds(tests[k], event)
		end
		if all then
			return field
		end
	end
	return nil
end

local NO_EVENT = {}

local function event_at(p, sid)
	local v = sid ~= '' and call('XRANGE', p .. 'bus', sid, sid)[1]
	return v and cjson.decode(whole_json(sid, v[2][8])) or NO_EVENT
end

-- The event that t decides on: t.body is its JSON; or it is kept already, as t.body_of.
local function event_of(t)
	if not t.read_event then
		if t.body then
			t.read_event = cjson.decode(t.body)
		elseif t.body_of then
			t.read_event = event_at(t.p, t.body_of)
			local kept = t.read_event == NO_EVENT and t.alert and call('GET', t.p .. 'alert:' .. t.name .. ':event')
			if kept then -- of one that fires for longer than the bus goes back
				t.read_event = cjson.decode(kept)
			end
		else
			t.read_event = NO_EVENT
		end
	end
	return t.read_event
end

local function by_matchers(field, pause)
	return why('what has ' .. sub(field, 10) .. ' is paused', pause)
end

local function paused_by_hand(t, k, u)
	local argv, rule, by = t.argv, t.argv[k], t.pauses.by
	if by.all then
		return why('all rules are paused', by.all)
	elseif by['rule ' .. rule] then
		return why('the rule is paused', by['rule ' .. rule])
	end
	local gate = u.gate and u.gate > 0 and k + 5 + u.steps + u.resolve + u.failure or math.huge
	for i = k + 5, k + u.words - 1 do -- the runbook of each step, and of those on resolve, failure and timeout
		local runbook = (i < gate or i >= gate + GATE_WORDS) and step.runbook(argv[i])
		local pause = runbook and by['runbook ' .. runbook]
		if pause then
			return why("its runbook '" .. runbook .. "' is paused", pause)
		end
	end
	local field = #t.pauses.matchers > 0 and matching(t.pauses, event_of(t))
	return field and by_matchers(field, by[field]) or nil
end

-- The reason why the rule with the first word argv[k] does not run now, or nil. Read once a call.
function paused(t, k, u)
	if not t.pauses then
		t.pauses = read_pauses(t.p, t.now)
	end
	return t.pauses.n > 0 and paused_by_hand(t, k, u) or planned(t)
end

-- ---- queued runs ----

-- The pause that holds this run of a rule, and what to say of it; or nil.
local function pause_of_run(p, holding, r)
	local by = holding.by
	if by.all then
		return by.all, why('all rules are paused', by.all)
	elseif by['rule ' .. r.rule] then
		return by['rule ' .. r.rule], why('the rule is paused', by['rule ' .. r.rule])
	elseif by['runbook ' .. r.runbook] then
		return by['runbook ' .. r.runbook], why('the runbook is paused', by['runbook ' .. r.runbook])
	end
	local field = #holding.matchers > 0 and matching(holding, event_at(p, r.event))
	if field then
		return by[field], by_matchers(field, by[field])
	end
	return nil
end

local function tell_held(p, r, now, reason)
	call('HSET', p .. 'run:' .. r.id, 'reason', reason)
	audit_run(p, r, 'queued', 'queued', now, 'runbookd', reason)
	local sid = change_record(p, r, 'queued', now, reason)
	if r.incident ~= '' then
		local key = p .. 'incident:' .. r.incident .. ':timeline'
		cut_timeline(key, call('RPUSHX', key, sid))
	end
end

-- For the claim: is the queued run r to wait? Then it is ready again when the pause ends. Who starts a run by hand means
-- it. seen: of the call, {} at first.
function hold_queued(p, r, now, seen)
	if r.rule == '' then
		return false
	end
	seen.pauses = seen.pauses or read_pauses(p, now)
	if seen.pauses.n == 0 then
		return false
	end
	local pause, reason = pause_of_run(p, seen.pauses, r)
	if not pause then
		return false
	end
	call('ZADD', p .. 'queue:' .. r.pool, 'XX', text(pause.till), r.id)
	call('ZADD', p .. 'held', text(pause.till), r.id)
	reason = 'paused: ' .. reason
	if r.reason ~= reason then
		tell_held(p, r, now, reason)
	end
	return true
end

-- Held runs whose time has come are ready: those who claim look whether another pause holds them.
function tick_held(p, now)
	local ids = call('ZRANGE', p .. 'held', '-inf', now, 'BYSCORE', 'LIMIT', 0, TICK_WORK)
	for i = 1, #ids do
		local r = run_get(p, ids[i])
		local reason = r and r.state == 'queued' and r.reason
		if reason and sub(reason, 1, 8) == 'paused: ' then
			call('HSET', p .. 'run:' .. r.id, 'reason', '')
			call('ZADD', p .. 'queue:' .. r.pool, 'XX', now, r.id)
			ring(p, r.pool)
		end
		call('ZREM', p .. 'held', ids[i])
	end
	return #ids
end

-- A pause ended before its time: all that is held is looked at again, the first ones at once.
local function let_go(p, now)
	if call('ZUNIONSTORE', p .. 'held', 1, p .. 'held', 'WEIGHTS', 0) > 0 then
		tick_held(p, now)
	end
end

-- ---- acts ----

-- The members that name what is paused, as the API and the audit show it.
local function subject(field)
	local kind, name = match(field, '^(%a+) (.*)$')
	return kind and '"' .. kind .. '":' .. quote(name) or '"all":true'
end

local function pause_json(field, pause)
	return '{' .. subject(field) .. ',"since":"' .. rfc3339(pause.since) .. '","until":"' .. rfc3339(pause.till) ..
		'","who":' .. quote(pause.who) .. ',"reason":' .. quote(pause.reason) .. '}'
end

local function audit_pause(p, what, who, field, rest)
	audit(p, '{"time":"' .. received() .. '","what":"' .. what .. '","who":' .. quote(who) .. ',' .. subject(field) ..
		rest .. '}')
end

-- Those whose time is over, once.
local function over_pauses(p, over)
	for i = 1, #over do
		local field, was = over[i][1], over[i][2]
		call('HDEL', p .. 'pauses', field)
		audit_pause(p, 'pause_end', 'runbookd', field, ',"until":"' .. rfc3339(was.till) ..
			'","reason":' .. quote('its time is over; it was paused by ' .. was.who .. ': ' .. was.reason))
	end
end

-- rb_pause_v1 KEY what for_ms who reason [tests]; what: all, "rule NAME", "runbook NAME", or "matchers TEXT", of which the
-- tests are JSON. One that holds already is replaced. Answers the pause as JSON.
local function pause(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local field, who, reason = argv[1], argv[3], argv[4]
	local said = encode({who, reason})
	local holding, over = read_pauses(p, now)
	if holding.n >= PAUSES and not holding.by[field] then
		return {err = 'STATE there are ' .. PAUSES .. ' pauses (PAUSES), which is all there may be; resume one first'}
	end
	if argv[5] and argv[5] ~= '' then
		said = sub(said, 1, -2) .. ',' .. argv[5] .. ']'
	end
	local new = {till = now + argv[2], since = now, who = who, reason = reason}
	over_pauses(p, over)
	call('HSET', p .. 'pauses', field, text(new.till) .. ' ' .. now_text .. ' ' .. said)
	audit_pause(p, 'pause', who, field, ',"until":"' .. rfc3339(new.till) .. '","reason":' .. quote(reason))
	if holding.by[field] then
		let_go(p, now)
	end
	return pause_json(field, new)
end

-- rb_resume_v1 KEY what who reason: ends it now. Answers the pause that it was.
local function resume(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local field = argv[1]
	local was = read_pauses(p, now).by[field]
	if not was then
		return {err = "NOTFOUND nothing is paused as '" .. field .. "'; GET /api/v1/pauses lists what is"}
	end
	call('HDEL', p .. 'pauses', field)
	audit_pause(p, 'resume', argv[2], field, ',"reason":' .. quote(argv[3]))
	let_go(p, now)
	return pause_json(field, was)
end

-- rb_pauses_v1 KEY: those that hold, as JSON, by what they pause.
local function pauses(keys)
	local p, out = keys[1] .. ':', {}
	local holding = read_pauses(p, now_ms(p))
	for i = 1, holding.n do
		out[i] = pause_json(holding.fields[i], holding.by[holding.fields[i]])
	end
	return '[' .. concat(out, ',') .. ']'
end

-- For the tick: takes away what is over. There are never many.
function drop_pauses(p, now)
	local _, over = read_pauses(p, now)
	over_pauses(p, over)
end

writes('rb_pause_v1', pause)
writes('rb_resume_v1', resume)
reads('rb_pauses_v1', pauses)

end

