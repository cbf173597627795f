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

-- What people did with an incident, and what is seldom said of it: h from its hash.
local function hand_json(p, h)
	return ',"acked_at":' .. time_or_null(h.acked) .. ',"acked_by":' .. quote_or_null(h.acked_by) .. ',"closed_by":' ..
		quote_or_null(h.closed_by) .. ',"closed_reason":' .. (h.reason and h.reason ~= '' and quote(h.reason) or 'null') .. ',"flapping":' ..
		(h.flaps and num(h.flaps) > now_ms(p) and 'true' or 'false') .. ',"dropped":' .. (h.dropped or '0') ..
		',"merged_into":' .. quote_or_null(h.merged_into, true) .. ',"merged":[' ..
		string.gsub(string.gsub(h.merged or '', '%w+', '"%0"'), ' ', ',') .. '],"split_from":' ..
		quote_or_null(h.split_from, true)
end

local function incident_json(p, id)
	local key = p .. 'incident:' .. id
	local v = call('GET', key)
	if not v then
		return nil
	end
	local inc, h = read_tail(read_incident(id, v)), map_of(call('HGETALL', hand_key(p, id)))
	return '{"id":"' .. id .. '","status":"' .. inc.status .. '","acked":' .. (h.acked and 'true' or 'false') ..
		',"severity":"' .. SEVERITIES[num(inc.severity)] .. '",' .. (call('LINDEX', key .. ':timeline', 1) or
		'"title":"","key":{},"labels":{}') .. ',"opened":' .. time_or_null(inc.opened) .. ',"updated":' ..
		time_or_null(inc.updated) .. ',"resolved":' .. time_or_null(inc.resolved) .. ',"alerts":' ..
		inc.alerts .. ',"firing":' .. inc.firing .. ',"sources":[' .. inc.sources .. '],"runs":' ..
		inc.runs .. ',"truncated":' .. inc.truncated .. hand_json(p, h) .. ',' .. topology.row(p, id) .. '}'
end

-- With what only the incident itself shows, not its row in a list.
function topology.whole(p, id)
	local json = incident_json(p, id)
	return json and sub(json, 1, -2) .. ',' .. topology.detail(p, id) .. ',"expected_next":' ..
		counts.expected(p, id, now_ms(p)) .. '}'
end

local function run_json(p, id)
	local m = map_of(call('HGETALL', p .. 'run:' .. id))
	if not m.state then
		return nil
	end
	return '{"id":"' .. id .. '","rule":' .. quote_or_null(m.rule) .. ',"runbook":' .. quote(m.runbook) ..
		',"step":' .. quote(m.step) .. ',"state":"' .. m.state .. '","reason":' .. quote(m.reason) ..
		',"incident":' .. quote_or_null(m.incident ~= '' and merged_into(p, m.incident), true) .. ',"event":' ..
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
		return v[2], v[4], v[6], whole_json(sid, v[8])
	end
end

local EVENTS = {firing = true, resolved = true, info = true}

local function event_json(incident, decisions, json)
	return sub(json, 1, -2) .. ',"incident":' .. quote_or_null(incident, true) .. ',"decisions":' .. decisions .. '}'
end

local function timeline_json(sid, kind, incident, decisions, json)
	local ms = num(match(sid, '^%d+'))
	local member = EVENTS[kind] and 'event' or kind
	return '{"id":"' .. ulid_of(sid) .. '","time":"' .. rfc3339(ms) .. '","kind":"' .. member ..
		'","incident":' .. quote_or_null(incident, true) .. (kind == 'decisions' and ',"of":' or
		',"' .. member .. '":') .. json .. ',"decisions":' .. decisions .. '}'
end

