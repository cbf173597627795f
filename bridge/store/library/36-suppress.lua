-- ---- suppression: pauses ---------------------------------------------------------------------------
-- `pauses` holds what people paused: by `all`, `rule NAME` or `runbook NAME` the words "until since", and [who, reason]
-- as JSON. One ends by its time alone; the tick takes it away later. All that decides looks here within its own step, so
-- a pause holds for every bridge from the next decision on. What is queued already goes on.
local pause, resume, pauses, drop_pauses
do

local PAUSES = 100 -- that hold at once

local function read_pause(v)
	local till, since, at = match(v, '^(%d+) (%d+) ()')
	local said = cjson.decode(sub(v, at))
	return {till = num(till), since = num(since), who = said[1], reason = said[2]}
end

-- By field those that hold at `now`; how many they are; the fields of those that are over.
local function read_pauses(p, now)
	local flat, holding, n, over = call('HGETALL', p .. 'pauses'), {}, 0, {}
	for i = 1, #flat, 2 do
		local pause = read_pause(flat[i + 1])
		if pause.till > now then
			holding[flat[i]], n = pause, n + 1
		else
			over[#over + 1] = flat[i]
		end
	end
	return holding, n, over
end

local function why(what, pause)
	return what .. ' until ' .. rfc3339(pause.till) .. ' by ' .. pause.who .. ': ' .. pause.reason
end

-- The reason why the rule with the first word argv[k] does not run now, or nil. Read once a call.
function paused(t, k, u)
	if not t.pauses then
		local n
		t.pauses, n = read_pauses(t.p, t.now)
		t.pauses_any = n > 0
	end
	if not t.pauses_any then
		return nil
	end
	local argv, rule = t.argv, t.argv[k]
	if t.pauses.all then
		return why('all rules are paused', t.pauses.all)
	elseif t.pauses['rule ' .. rule] then
		return why('the rule is paused', t.pauses['rule ' .. rule])
	end
	for i = k + 6, k + u.words - 1, 6 do -- the runbook of each step, and of those on resolve and on failure
		local pause = t.pauses['runbook ' .. argv[i]]
		if pause then
			return why("its runbook '" .. argv[i] .. "' is paused", pause)
		end
	end
	return nil
end

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

-- rb_pause_v1 KEY what for_ms who reason; what: all, "rule NAME" or "runbook NAME". One that holds already is
-- replaced. Answers the pause as JSON.
function pause(keys, argv)
	local p = keys[1] .. ':'
	local now = now_ms(p)
	local field, who, reason = argv[1], argv[3], argv[4]
	local holding, n, over = read_pauses(p, now)
	if n >= PAUSES and not holding[field] then
		return {err = 'STATE there are ' .. PAUSES .. ' pauses (PAUSES), which is all there may be; resume one first'}
	end
	local new = {till = now + argv[2], since = now, who = who, reason = reason}
	if #over > 0 then
		call('HDEL', p .. 'pauses', spread(over))
	end
	call('HSET', p .. 'pauses', field, text(new.till) .. ' ' .. now_text .. ' ' .. encode({who, reason}))
	audit_pause(p, 'pause', who, field, ',"until":"' .. rfc3339(new.till) .. '","reason":' .. quote(reason))
	return pause_json(field, new)
end

-- rb_resume_v1 KEY what who reason: ends it now. Answers the pause that it was.
function resume(keys, argv)
	local p = keys[1] .. ':'
	local field = argv[1]
	local was = read_pauses(p, now_ms(p))[field]
	if not was then
		return {err = "NOTFOUND nothing is paused as '" .. field .. "'; GET /api/v1/pauses lists what is"}
	end
	call('HDEL', p .. 'pauses', field)
	audit_pause(p, 'resume', argv[2], field, ',"reason":' .. quote(argv[3]))
	return pause_json(field, was)
end

-- rb_pauses_v1 KEY: those that hold, as JSON, by what they pause.
function pauses(keys)
	local p = keys[1] .. ':'
	local holding, fields, out = read_pauses(p, now_ms(p)), {}, {}
	for field in pairs(holding) do
		fields[#fields + 1] = field
	end
	table.sort(fields)
	for i = 1, #fields do
		out[i] = pause_json(fields[i], holding[fields[i]])
	end
	return '[' .. concat(out, ',') .. ']'
end

-- For the tick: takes away what is over. There are never many.
function drop_pauses(p, now)
	local _, _, over = read_pauses(p, now)
	if #over > 0 then
		call('HDEL', p .. 'pauses', spread(over))
	end
end

end

