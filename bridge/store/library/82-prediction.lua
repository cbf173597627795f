-- ---- prediction: rates against their own past, and what is to be expected ---------------------------
-- Of what 80 counts. A rate is how often a name, or all of them, fired in the hour of the clock that it is. Its past is the
-- same hour of the days before, and of the same day of the weeks before: medians, so that neither a storm nor a quiet day of
-- then matters. A part that is a function of its own, as 80.
counts.rates, counts.told, counts.trim_told, counts.expected = (function()

local RATE_DAYS = 28 -- days before that are looked at
local RATE_DAYS_LEAST = 7 -- so many have to be known
local RATE_WEEKS_LEAST = 3 -- weeks that have to be known for the day of the week to count
local RATE_LEAST = 10 -- occurrences of a name in an hour that can be unusual
local STORM_LEAST = 50 -- the same of all names
local RATE_SPREADS = 6 -- times the usual spread above the median
local RATE_TIMES = 3 -- times the median, at least
local RATE_QUIET = 21600000 -- ms until it is told again
local RATE_TOLD = 100 -- names that are told of within that
local EXPECTED_GAP = 300000 -- ms: INSIGHT_GAP
local EXPECTED_LINES = 16 -- alerts of an incident that are looked at: the latest
local EXPECTED_SUPPORT, EXPECTED_CONFIDENCE, EXPECTED_LIFT = 5, 0.5, 3 -- as insights have them, but for the confidence
local EXPECTED_MOST = 5
local DAY, HOUR = 86400000, 3600000

-- ---- rates ----

local function median(values)
	table.sort(values)
	local n = #values
	return n % 2 == 1 and values[(n + 1) / 2] or (values[n / 2] + values[n / 2 + 1]) / 2
end

-- The median, and from where on a value is unusual.
local function bounds(values, least)
	local usual, deviations = median(values), {}
	for i = 1, #values do
		deviations[i] = math.abs(values[i] - usual)
	end
	local spread = 1.4826 * median(deviations) -- of a normal distribution the standard deviation
	return usual, math.max(least - 1, usual + RATE_SPREADS * spread, RATE_TIMES * usual)
end

-- What is usual, and what is unusual; nil while too little is known. The first day of all counts as far as it is known.
local function past_of(t, c, name, least)
	local first = call('ZRANGE', t.p .. 'insights:days', 0, 0)[1]
	local span = first and math.min(RATE_DAYS, c.day - first) or 0
	if span < RATE_DAYS_LEAST then
		return nil
	end
	local days, weeks, field = {}, {}, format('%02d', c.hour) .. (name ~= '' and ' ' .. name or '')
	for d = 1, span do
		days[d] = num(call('HGET', t.p .. 'insights:' .. text(c.day - d), field) or 0)
		if d % 7 == 0 then
			weeks[#weeks + 1] = days[d]
		end
	end
	local usual, limit = bounds(days, least)
	if #weeks >= RATE_WEEKS_LEAST then
		local usual_then, limit_then = bounds(weeks, least)
		if limit_then > limit then
			usual, limit = usual_then, limit_then
		end
	end
	return usual, limit, span
end

-- The counts at which a rate is looked at, from `least` on: half as many more each time.
local points_from = kept(function(least)
	local points = {least}
	for i = 2, 60 do
		points[i] = points[i - 1] + math.ceil(points[i - 1] / 2)
	end
	return points
end)

local function reaches(had, n, least)
	if n < least then
		return false
	end
	local points, i = points_from(least), 1
	while had >= points[i] do
		i = i + 1
	end
	return n >= points[i]
end

-- The one loud event: on the bus, and through the rules by way of the inbox.
local function tell(t, c, name, n, usual, limit, days)
	local all = name == ''
	local what = all and 'alert_storm' or 'unusual_rate'
	local since = c.day * DAY + c.hour * HOUR
	local json = '{"source":"runbookd","type":"' .. what .. '","status":"info","time":"' .. received() ..
		'","fingerprint":null,"starts_at":null,"ends_at":null,"severity":"warning","summary":' ..
		quote((all and 'alerts' or "'" .. name .. "'") .. ' began ' .. text(n) .. ' times since ' ..
			sub(rfc3339(since), 12, 16) .. ' UTC; usual at this hour are ' .. format('%g', usual)) ..
		',"labels":{' .. (all and '' or '"alertname":' .. quote(name)) .. '},"annotations":{},"links":{},"data":{' ..
		(all and '' or '"alertname":' .. quote(name) .. ',') .. '"count":' .. text(n) .. ',"usual":' ..
		format('%g', usual) .. ',"limit":' .. format('%.1f', limit) .. ',"days":' .. text(days) .. ',"since":"' ..
		rfc3339(since) .. '"},"depth":0}'
	local record, kept_as = plan_add(t, 'info', '', '[]', json)
	t.inbox = t.inbox or {}
	t.inbox[#t.inbox + 1] = {record, '', whole_json(record, kept_as), ''}
	c.told = c.told or {}
	c.told[#c.told + 1] = name
end

local function look(t, c, name, n, least)
	local key = t.p .. 'insights:told'
	local last = call('ZSCORE', key, name)
	if last and t.now - last < RATE_QUIET or call('ZCARD', key) + (c.told and #c.told or 0) >= RATE_TOLD then
		return
	end
	local usual, limit, days = past_of(t, c, name, least)
	if usual and n > limit then
		tell(t, c, name, n, usual, limit, days)
	end
end

-- For 80, when a plan's counts are added up.
local function rates(t, c)
	if reaches(c.had, c.fired, STORM_LEAST) then
		look(t, c, '', c.fired, STORM_LEAST)
	end
	for i = 1, #c.list do
		local r = c.names[c.list[i]]
		if reaches(r.had, r.fired, RATE_LEAST) then
			look(t, c, c.list[i], r.fired, RATE_LEAST)
		end
	end
end

local function write_told(t, c)
	for i = 1, #c.told do
		call('ZADD', t.p .. 'insights:told', now_text, c.told[i])
	end
end

local function trim_told(p, now)
	call('ZREMRANGEBYSCORE', p .. 'insights:told', '-inf', now - RATE_QUIET)
end

-- ---- what is to be expected ----

-- The names of the incident's latest alerts, and of those that began just now, when.
local function names_of(p, id, now)
	local lines, names, begun = call('LRANGE', p .. 'incident:' .. id .. ':timeline', -4 * EXPECTED_LINES, -1), {}, {}
	local looked, i = 0, #lines
	while i > 0 and looked < EXPECTED_LINES do
		local alert = match(lines[i], '^%d+%-%d+%+(.*)$')
		local v = alert and call('GET', p .. 'alert:' .. alert)
		local a = v and read_alert(v)
		local _, _, _, json
		if a then
			looked = looked + 1
			_, _, _, json = record(p, a.event)
		end
		local name = json and counts.name_of(alert, json)
		if name then
			names[name] = true
			local since = num(match(a.since, '^%d+'))
			if a.state == 'f' and now - since < EXPECTED_GAP then
				begun[name] = math.max(begun[name] or 0, since)
			end
		end
		i = i - 1
	end
	return names, begun
end

-- Of the days that are kept and matter: how often the name began.
local function times_of(p, day, name)
	local n = 0
	for d = day - RATE_DAYS, day do
		local v = call('HGET', p .. 'insights:' .. text(d), 'n ' .. name)
		n = n + (v and counts.begun_of(v) or 0)
	end
	return n
end

local function followers(p, day, name)
	local sum = {}
	for d = day - RATE_DAYS, day do
		local list = counts.read_followers(call('HGET', p .. 'insights:' .. text(d) .. ':after', name))
		for i = 1, #list do
			local f = list[i]
			local s = sum[f.name] or {name = f.name, n = 0, seconds = 0, squares = 0}
			sum[f.name] = s
			s.n, s.seconds, s.squares = s.n + f.n, s.seconds + f.seconds, s.squares + f.squares
		end
	end
	return sum
end

-- Adds what is likely to follow a name that began at `since`.
local function add_expected(p, now, out, name, since, there)
	local day = floor(now / DAY)
	local first = call('ZRANGE', p .. 'insights:days', 0, 0)[1]
	local times = times_of(p, day, name)
	if times < EXPECTED_SUPPORT then
		return
	end
	local seconds = (math.min(RATE_DAYS, day - first) + 1) * DAY / 1000
	for follower, s in pairs(followers(p, day, name)) do
		local confidence = math.min(1, s.n / times)
		if not there[follower] and s.n >= EXPECTED_SUPPORT and confidence >= EXPECTED_CONFIDENCE and
			s.n * seconds >= EXPECTED_LIFT * times * times_of(p, day, follower) * EXPECTED_GAP / 1000 then
			local mean = s.seconds / s.n
			out[#out + 1] = {
				name = follower, after = name, confidence = confidence, n = s.n, mean = mean,
				spread = math.sqrt(math.max(0, s.squares / s.n - mean * mean)), at = since + floor(mean * 1000),
			}
		end
	end
end

-- What an open incident has to expect, as JSON: of what followed its alerts before and has not come yet, the surest first.
-- Only while it may come: EXPECTED_GAP from the alert on.
local function expected(p, id, now)
	if match(call('GET', p .. 'incident:' .. id) or '', '^%a+') ~= 'open' then
		return '[]'
	end
	local there, begun = names_of(p, id, now)
	local out, rows = {}, {}
	for name, since in pairs(begun) do
		add_expected(p, now, out, name, since, there)
	end
	table.sort(out, function(a, b)
		return a.confidence > b.confidence or a.confidence == b.confidence and
			(a.name < b.name or a.name == b.name and a.after < b.after)
	end)
	for i = 1, math.min(#out, EXPECTED_MOST) do
		local e = out[i]
		rows[i] = '{"alertname":' .. quote(e.name) .. ',"after":' .. quote(e.after) .. ',"confidence":' ..
			format('%.3f', e.confidence) .. ',"support":' .. text(e.n) .. ',"delay_seconds":' .. format('%.1f', e.mean) ..
			',"spread_seconds":' .. format('%.1f', e.spread) .. ',"expected_at":"' .. rfc3339(e.at) .. '"}'
	end
	return '[' .. concat(rows, ',') .. ']'
end

return rates, write_told, trim_told, expected

end)()

