-- ---- incidents by hand -----------------------------------------------------------------------------
-- What a person does with an incident is one call: acknowledge it, close it, leave a note. It is written to the
-- audit and as a record of the kind `act` to the timeline, with who. What stays of it is in the hash
-- `incident:ID:hand`. What is so already is done again without a word, so every call may be sent twice; a note is
-- there twice then.
--
-- A closed incident takes no more alerts. Those that fire in it fire on, and are counted no more; what they do later
-- (a resolve) stands on its timeline. Runs that have not begun are cancelled: at once where they are few, else when a
-- worker would get them. What has begun goes on, with the steps behind it. What waits for `for` is dropped when it is due.
local incident_act
do

local CLOSE_RUNS = 1000 -- runs that a close cancels at once; a worker that asks for a further one finds it cancelled

local function hand_of(p, id)
	return map_of(call('HGETALL', hand_key(p, id)))
end

local function refused(o, why)
	return {err = "STATE incident '" .. o.id .. "' " .. why}
end

-- The record and the line of the act, and its words for the audit; rest: more members, each with a comma before it.
-- Returns the record's entry id.
local function tell(t, o, inc, rest)
	local record = plan_add(t, 'act', inc.id, '[]', '"what":"' .. o.act .. '","who":' .. quote(o.who) .. ',"text":' ..
		quote(o.text) .. (rest or '') .. '}')
	touch(t, inc)
	add_line(inc, record)
	o.audit = '{"time":"' .. received() .. '","what":"' .. o.act .. '","who":' .. quote(o.who) .. ',"incident":"' ..
		inc.id .. '"' .. (rest or '') .. ',"reason":' .. quote(o.text) .. '}'
	return record
end

-- ---- runs that have not begun ----

local function closed_why(who, reason)
	return 'its incident was closed by ' .. who .. ': ' .. reason
end

-- The first runs of chains of which nobody has begun any, at most CLOSE_RUNS.
local function not_begun(p, id)
	local ids, found = call('LRANGE', p .. 'incident:' .. id .. ':runs', 0, -1), {}
	for from = 1, #ids, 1000 do
		local some = {spread(ids, from, math.min(from + 999, #ids))}
		local live = call('ZMSCORE', p .. 'runs:live', spread(some))
		for i = 1, #some do
			local v = live[i] and call('HMGET', p .. 'run:' .. some[i], 'first', 'attempt')
			if v and v[1] == '1' and (v[2] or '') == '' then
				found[#found + 1] = some[i]
				if #found == CLOSE_RUNS then
					return found
				end
			end
		end
	end
	return found
end

-- Of a run that a worker would get: cancels it where its incident was closed before it began. r from run_get.
function cancel_closed(p, r, now)
	if r.first ~= '1' or r.attempt ~= '' or r.incident == '' then
		return false
	end
	local v = call('HMGET', hand_key(p, r.incident), 'closed', 'closed_by', 'reason')
	if not v[1] or r.id > v[1] then
		return false
	end
	cancel_chain(p, r.id, now, v[2], closed_why(v[2], v[3]))
	return true
end

-- ---- the acts ----
-- o: act, id, who, text; to be filled in: set, a list of fields and values of its hash; drop, a list of fields; cancel,
-- runs; done, where there is nothing to do. h: its hash. Each returns an error or nothing.
local acts = {}

function acts.ack(t, o, inc, h)
	if h.acked then
		o.done = true
		return
	elseif inc.status ~= 'open' then
		return refused(o, 'is ' .. inc.status .. ', and only an open one is acknowledged; leave a note on it instead')
	end
	tell(t, o, inc)
	o.set = {'acked', now_text, 'acked_by', o.who}
end

function acts.unack(t, o, inc, h)
	if not h.acked then
		o.done = true
		return
	end
	tell(t, o, inc)
	o.drop = {'acked', 'acked_by'}
end

function acts.close(t, o, inc)
	if inc.status == 'closed' then
		o.done = true
		return
	end
	inc.status, inc.firing = 'closed', '0'
	if inc.resolved == '0' then
		inc.resolved = now_text
	end
	local record = tell(t, o, inc)
	o.set = {'closed', ulid_of(record), 'closed_by', o.who, 'reason', o.text}
	o.cancel = not_begun(t.p, inc.id)
end

function acts.note(t, o, inc)
	tell(t, o, inc)
end

local function plan_act(t, o)
	local v = call('GET', t.p .. 'incident:' .. o.id)
	if not v then
		return {err = "NOTFOUND there is no incident '" .. o.id .. "'"}
	end
	return acts[o.act](t, o, read_incident(o.id, v), hand_of(t.p, o.id))
end

-- What the plan does not know of.
local function write_act(p, now, o)
	if o.set then
		call('HSET', hand_key(p, o.id), spread(o.set))
	end
	if o.drop then
		call('HDEL', hand_key(p, o.id), spread(o.drop))
	end
	audit(p, o.audit)
	for i = 1, o.cancel and #o.cancel or 0 do
		cancel_chain(p, o.cancel[i], now, o.who, closed_why(o.who, o.text))
	end
end

-- rb_incident_act_v1 KEY act id who text: ack, unack, close or note. Answers the incident as JSON.
function incident_act(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	for attempt = 1, 2 do
		local t = new_plan(p, now)
		local o = {act = argv[1], id = argv[2], who = argv[3], text = argv[4]}
		local wrong = plan_act(t, o)
		if wrong then
			return wrong
		elseif o.done then
			return incident_json(p, o.id)
		elseif write_plan(t) then
			write_act(p, now, o)
			return incident_json(p, o.id)
		elseif attempt == 2 then
			return {err = 'ERR the stream ' .. p .. 'bus takes no entry after its last one'}
		end
		read_clock(p)
	end
end

end

