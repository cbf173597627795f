-- ---- lists -----------------------------------------------------------------------------------------
local list, incident_status, alert_row
local list_labelled -- 75
local place_of, range_of, newest_of
do

-- Each gives {more, resume, cursor, row, cursor, row, …}; resume: where to go on when no row was found.

-- A place to look at: {key, what stands before the id}; all: from and to of it, where no id is named.
function place_of(key, before)
	return {key = key, before = before, max = before == '' and '+' or '(' .. sub(before, 1, -2) .. '\1',
		min = before == '' and '-' or '[' .. before}
end

-- max and min are "(ID", "[ID", "+", "-".
function range_of(place, max, min)
	return max == '+' and place.max or sub(max, 1, 1) .. place.before .. sub(max, 2),
		min == '-' and place.min or sub(min, 1, 1) .. place.before .. sub(min, 2)
end

-- The newest ids of some places, at most `want`; one may come twice.
function newest_of(p, places, max, min, want)
	local all = {}
	local function is_older(a, b)
		return a < b
	end
	for i = 1, #places do
		local to, from = range_of(places[i], max, min)
		local v = call('ZRANGE', p .. places[i].key, to, from, 'BYLEX', 'REV', 'LIMIT', 0, want)
		for j = 1, #v do
			v[j] = sub(v[j], -26)
		end
		all = #all > 0 and woven(all, v, is_older, want) or v
	end
	return all
end

local function list_ids(p, places, status_of, row, argv)
	local status, max, min, limit = argv[2], argv[3], argv[4], num(argv[5])
	local want = status == '' and limit + 1 or SCAN
	local ids = newest_of(p, places, max, min, want)
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

local function places_of(...)
	local places = {...}
	for i = 1, #places do
		places[i] = place_of(places[i], '')
	end
	return places
end

local LIVE, DONE, BOTH = places_of('runs:live'), places_of('runs:done'), places_of('runs:live', 'runs:done')
local OPEN, ENDED, ALL = places_of('incidents:open'), places_of('incidents:done'), places_of('incidents:open', 'incidents:done')

local function run_status(p, id)
	return call('HGET', p .. 'run:' .. id, 'state')
end

function incident_status(p, id)
	return match(call('GET', p .. 'incident:' .. id) or '', '^%a+')
end

local function list_runs(p, argv)
	local status = argv[2]
	local places = status == '' and BOTH or FINAL[status] and DONE or LIVE
	return list_ids(p, places, run_status, run_json, argv)
end

local function list_incidents(p, argv)
	local status = argv[2]
	if argv[7] then
		return list_labelled(p, argv)
	end
	local places = status == '' and ALL or status == 'open' and OPEN or ENDED
	return list_ids(p, places, incident_status, incident_json, argv)
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
			out[#out + 1], out[#out + 2] = v[i][1], event_json(f[4], f[6], whole_json(v[i][1], f[8]))
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
		local r = row(p, v[i], argv[6])
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
function alert_row(p, name)
	local key = p .. 'alert:' .. name
	local v = call('GET', key)
	if not v then
		return nil
	end
	local a = read_alert(v)
	local _, _, _, json = record(p, a.event)
	json = json or call('GET', key .. ':event')
	return json and {
		name, json, a.state, a.inc ~= '-' and merged_into(p, a.inc) or '', a.n, a.occ, a.first, a.last, match(a.since, '^%d+'),
		#a.since > PLAIN and flaps(a, now_ms(p)) and '1' or '',
		a.expires and call('ZSCORE', p .. 'alerts:expiring', name) or '', lines_of(p, name),
	}
end

-- The first event of an alert in this incident. The row tells of the alert as it is now where it still is in it, or in
-- the one that this was merged into.
local function incident_alert_row(p, line, id)
	local sid, name = match(line, '^(%d+-%d+)%+(.*)$')
	if not sid then
		return nil
	end
	local incident = merged_into(p, id)
	local _, _, _, json = record(p, sid)
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

-- rb_list_v1 KEY what status max min limit id, and for incidents all|any label=value …
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

-- ---- one thing, output, inbox, counters ----------------------------------------------------------------
do

-- rb_get_v1 KEY incident|run|event id (an event's: its entry id)
local function get(keys, argv)
	local p, what, id, json = keys[1] .. ':', argv[1], argv[2], nil
	if what == 'incident' then
		json = topology.whole(p, id)
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
	local p = keys[1] .. ':'
	call('HSETNX', p .. 'meta', 'schema', SCHEMA)
	if call('HSETNX', p .. 'meta', 'labels', '1') == 1 then -- what is there is of a library without 75
		call('ZUNIONSTORE', p .. 'incidents:partly', 2, p .. 'incidents:open', p .. 'incidents:done', 'AGGREGATE', 'MAX')
	end
	return version(keys)
end

writes('rb_audit_v1', audit_act)
writes('rb_open_v1', open)
reads('rb_get_v1', get)
reads('rb_output_v1', output)
reads('rb_inbox_v1', inbox)
reads('rb_stats_v1', stats)
reads('rb_version_v1', version)

end

