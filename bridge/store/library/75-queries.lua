-- ---- labels of incidents, and what any client may ask -----------------------------------------------
-- Incidents are filed under the labels of the alerts that joined them: `labels` has a member NAME=VALUE, NUL, ID for each
-- of the alert that opened it, which a list shows and filters by, and `labels:later` for each of the others that is one
-- more; all with score 0, so those of a label lie beside each other in the order of the ids. What an incident is filed under
-- stands in `incident:ID:labels`, so that it is taken out when it is forgotten. An incident that is not filed under all that
-- it has is in `incidents:partly` and is filed no further: a list that has to be exact looks at those, too. What it is filed
-- under stands in `incident:ID:partly` then, and `incident:ID:labels` is `-`, so that a storm reads one byte an alert.
-- The part is a function that is called at once, as 80 and 82, since it has more names than are left in the scope of all.
list_labelled = (function()

local INDEX_BYTES = 4096 -- of all labels that an incident is filed under
local BLOCK = 250 -- ids that are looked at together
local QUERY_IDS = 10000 -- ids that rb_incidents and rb_related look at
local QUERY_LIMIT = 1000 -- incidents that they give
local QUERY_LABELS = 16 -- labels that they take
local QUERY_TIME = '^%d%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?%d?$' -- ms that an id can have
local WHOLE, PARTLY = 43, 45 -- + and -: what a head, and the text incident:ID:labels, begin with

-- An incident's JSON members out of a head, as rb_ingest_v2 has it.
function head_json(head)
	local first, at = byte(head), 2
	if first ~= WHOLE and first ~= PARTLY then
		return head -- of a bridge that does not say what its labels are
	end
	local stop = find(head, '\0', at, true)
	while stop do
		at = stop + 1
		stop = find(head, '\0', at, true)
	end
	return sub(head, at + 1)
end

-- new: the labels that are more than before; text: all. Plans `labels` as t.indexed, `labels:later` as its field later.
local function file(t, inc, text, new, whole)
	t.indexed = t.indexed or {later = {}}
	local list = inc.labels == '\0' and t.indexed or t.indexed.later -- what is filed first is of the alert that opened it
	local n = #list
	for i = 1, #new do
		list[n + 1], list[n + 2], n = '0', new[i] .. inc.id, n + 2
	end
	inc.labels, inc.filed = text, true
	if not whole then
		inc.labels, inc.partly = '-', text
		t.partly = t.partly or {}
		t.partly[#t.partly + 1], t.partly[#t.partly + 2] = '0', inc.id
	end
end

-- All that the incident is filed under: a NUL, and labels with a NUL behind each.
function labels_of(t, inc)
	local key = t.p .. 'incident:' .. inc.id
	inc.labels = inc.labels or inc.was and call('GET', key .. ':labels') or '\0'
	if inc.labels ~= '-' then
		return inc.labels
	end
	inc.partly = inc.partly or call('GET', key .. ':partly') or '\0'
	return inc.partly
end

-- As note_labels, of the alert that opened the incident: no label is there already.
local function note_first(t, inc, head)
	t.indexed = t.indexed or {later = {}}
	local list, id, at = t.indexed, inc.id, 2
	local n, stop = #list, find(head, '\0', 2, true)
	while stop do
		list[n + 1], list[n + 2], n = '0', sub(head, at, stop) .. id, n + 2
		at = stop + 1
		stop = find(head, '\0', at, true)
	end
	inc.labels, inc.filed = '\0' .. sub(head, 2, at - 1), at > 2
end

-- Plans to file the incident under the labels of an alert that joins it.
function note_labels(t, inc, head)
	local text = inc.labels or inc.was and call('GET', t.p .. 'incident:' .. inc.id .. ':labels') or '\0'
	inc.labels = text
	if text == '-' then
		return
	elseif text == '\0' and #head <= INDEX_BYTES and byte(head) == WHOLE then
		note_first(t, inc, head)
		return
	end
	local known, new, size = inc.has or {}, {}, #text -- known: of this call, so that the alerts of a storm are looked up once
	local first, at, n = byte(head), 2, 0
	local whole = first == WHOLE
	local stop = (whole or first == PARTLY) and find(head, '\0', at, true)
	while stop do
		local label = sub(head, at, stop) -- with its NUL
		if not known[label] and not find(text, '\0' .. label, 1, true) then
			if size + #label > INDEX_BYTES then
				whole = false
			else
				n = n + 1
				new[n], size = label, size + #label
			end
		end
		known[label] = true
		at = stop + 1
		stop = find(head, '\0', at, true)
	end
	inc.has = known
	if n > 0 or not whole then
		file(t, inc, text .. concat(new), new, whole)
	end
end

function write_labels(t)
	call_list('ZADD', t.p .. 'labels', t.indexed)
	call_list('ZADD', t.p .. 'labels:later', t.indexed.later)
	if t.partly then
		call_list('ZADD', t.p .. 'incidents:partly', t.partly)
	end
end

-- What `incident:ID:labels` says, and the labels, as labels_of has them; nil where it was never filed.
local function read_filed(p, id)
	local key = p .. 'incident:' .. id
	local v = call('GET', key .. ':labels')
	return v, v == '-' and call('GET', key .. ':partly') or v
end

function forget_labels(p, id)
	local key = p .. 'incident:' .. id
	local _, labels = read_filed(p, id)
	local filed = {}
	for label in string.gmatch(labels or '', '[^%z]+') do
		filed[#filed + 1] = label .. '\0' .. id
	end
	call_list('ZREM', p .. 'labels', filed)
	call_list('ZREM', p .. 'labels:later', filed)
	call('ZREM', p .. 'incidents:partly', id)
	call('UNLINK', key .. ':labels', key .. ':partly')
end

-- Files the incident `into` under what `from` is filed under, too.
function merge_labels(t, from, into)
	local v, labels = read_filed(t.p, from.id)
	note_labels(t, into, v and (v == '-' and '-' or '+') .. sub(labels, 2) or '')
end

-- ---- looking up ----

-- Of each label the places where its incidents are. first: of those only whose first alert had it.
local function label_places(labels, first)
	local groups = {}
	for i = 1, #labels do
		local label = labels[i] .. '\0'
		groups[i] = {place_of('labels', label), not first and place_of('labels:later', label) or nil}
	end
	return groups
end

local function size_of(p, places, max, min)
	local n = 0
	for i = 1, #places do
		local to, from = range_of(places[i], max, min)
		n = n + call('ZLEXCOUNT', p .. places[i].key, from, to)
	end
	return n
end

-- Of groups of places the one with the fewest ids between min and max, and that number; the others.
local function smallest(p, groups, max, min)
	local least, at, others = nil, 1, {}
	for i = 1, #groups do
		local n = size_of(p, groups[i], max, min)
		if not least or n < least then
			least, at = n, i
		end
	end
	for i = 1, #groups do
		if i ~= at then
			others[#others + 1] = groups[i]
		end
	end
	return groups[at], least, others
end

-- For each of ids 1 to n its score at a place, or false.
local function scores_at(p, place, ids, n)
	local names = {}
	for i = 1, n do
		names[i] = place.before .. ids[i]
	end
	return call('ZMSCORE', p .. place.key, spread(names))
end

-- For each of ids 1 to n: is it at some place of each group, or at `free` (nil: none)?
local function wanted_of(p, groups, free, ids, n)
	local wanted, at_free = {}, free and scores_at(p, free, ids, n)
	for i = 1, n do
		wanted[i] = true
	end
	for k = 1, #groups do
		local one, other = groups[k][1], groups[k][2]
		local scores, more = scores_at(p, one, ids, n), other and scores_at(p, other, ids, n)
		for i = 1, n do
			wanted[i] = wanted[i] and (scores[i] or more and more[i] or at_free and at_free[i]) and true or false
		end
	end
	return wanted
end

-- What the constant members of an incident have in them whose first alert has these labels; those left out may be written in
-- more than one way.
local function shown_as(labels)
	local parts = {}
	for i = 1, #labels do
		local name, value = match(labels[i], '^([^=]+)=(.*)$')
		if not find(labels[i], '[^%w%._:@ %-=]') then
			parts[#parts + 1] = '"' .. name .. '":"' .. value .. '"'
		end
	end
	return parts
end

-- False where it is certain that the first alert has not all of them: such a row is not made only to be thrown away.
local function may_show(p, id, parts)
	local json = #parts > 0 and call('LINDEX', p .. 'incident:' .. id .. ':timeline', 1)
	for i = 1, json and #parts or 0 do
		if not find(json, parts[i], 1, true) then
			return false
		end
	end
	return true
end

-- Incidents at the places `from` that are in all groups of `others` (or at free), newest first; as the lists of rb_list_v1.
-- q: max, min, status ('' all), limit, look: ids that are looked at, parts: of shown_as.
local function search(p, q, from, others, free, row)
	local out, rows, looked, last, max = {0, ''}, 0, 0, '', q.max
	while looked < q.look do
		local ids = newest_of(p, from, max, q.min, BLOCK)
		local n = math.min(#ids, BLOCK)
		local wanted = n > 0 and wanted_of(p, others, free, ids, n)
		for i = 1, n do
			local id = ids[i]
			if wanted[i] and id ~= last and (q.status == '' or incident_status(p, id) == q.status) and may_show(p, id, q.parts) then
				if rows == q.limit then
					out[1], out[2] = 1, last
					return out
				end
				local json = row(p, id)
				if json then
					out[#out + 1], out[#out + 2] = id, json
					rows = rows + 1
				end
			end
			last = id
		end
		out[2] = last
		if n < BLOCK then
			return out
		end
		looked, max = looked + n, '(' .. last
	end
	out[1] = 1
	return out
end

local OPEN, ENDED = {place_of('incidents:open', '')}, {place_of('incidents:done', '')}

-- Incidents that have all of these labels. exact: whose first alert has them; and those of incidents:partly, which may not.
local function with_all(p, q, exact)
	local groups = label_places(q.labels, exact)
	if q.status == 'open' then
		groups[#groups + 1] = OPEN
	end
	local from, least, others = smallest(p, groups, q.max, q.min)
	if q.status ~= '' and q.status ~= 'open' and size_of(p, ENDED, q.max, q.min) < least then
		from, others = ENDED, groups -- else nearly all are: it is quicker to look at each one's status
	end
	local partly = exact and call('EXISTS', p .. 'incidents:partly') == 1 and place_of('incidents:partly', '') or nil
	return search(p, q, {from[1], from[2] or partly, from[2] and partly}, others, partly, incident_json)
end

-- Incidents that have some of these labels; each with those that it has.
local function with_any(p, q)
	local groups, places = label_places(q.labels), {}
	for i = 1, #groups do
		places[2 * i - 1], places[2 * i] = groups[i][1], groups[i][2]
	end
	return search(p, q, places, {}, nil, function(_, id)
		local json, shared = incident_json(p, id), {}
		for i = 1, #groups do
			local member = groups[i][1].before .. id
			if call('ZSCORE', p .. 'labels', member) or call('ZSCORE', p .. 'labels:later', member) then
				shared[#shared + 1] = quote(q.labels[i])
			end
		end
		return json and sub(json, 1, -2) .. ',"shared":[' .. concat(shared, ',') .. ']}'
	end)
end

-- rb_list_v1 incidents, with labels: argv[7] is `all` or `any`, and they stand behind it.
local function list_by_labels(p, argv)
	local q = {status = argv[2], max = argv[3], min = argv[4], limit = num(argv[5]), look = SCAN, labels = {}, parts = {}}
	for i = 8, #argv do
		q.labels[i - 7] = argv[i]
	end
	if argv[7] == 'any' then
		return with_any(p, q)
	end
	q.parts = shown_as(q.labels)
	return with_all(p, q, true)
end

-- ---- what any client may ask ----

local function is_id(s)
	return #s == 26 and match(s, '^[0-7][0-9A-HJKMNP-TV-Z]+$')
end

-- SINCE UNTIL LIMIT label… of argv from k on, as search has them; or nil and an error.
local function read_query(argv, k)
	local since, till, limit = argv[k] or '', argv[k + 1] or '', num(argv[k + 2] or '')
	local q = {status = '', max = '+', min = '-', limit = limit, look = QUERY_IDS, labels = {}, parts = {}}
	if is_id(till) then
		q.max = '(' .. till
	elseif match(till, QUERY_TIME) then
		q.max = till ~= '0' and '(' .. ulid(num(till) + 1, 0) or '+'
	else
		return nil, {err = "ERR UNTIL is '" .. till .. "'; want a time in ms, 0 for none, or `next` of the page before"}
	end
	if not match(since, QUERY_TIME) then
		return nil, {err = "ERR SINCE is '" .. since .. "'; want a time in ms, or 0 for none"}
	elseif not limit or limit < 1 or limit > QUERY_LIMIT or limit ~= floor(limit) then
		return nil, {err = 'ERR LIMIT is a number from 1 to ' .. QUERY_LIMIT}
	elseif #argv - k - 2 > QUERY_LABELS then
		return nil, {err = 'ERR more than ' .. QUERY_LABELS .. ' labels'}
	end
	q.min = since ~= '0' and '[' .. ulid(num(since), 0) or '-'
	for i = k + 3, #argv do
		if not match(argv[i], '^[^=]+=.') then
			return nil, {err = "ERR '" .. argv[i] .. "' is no label; want name=value"}
		end
		q.labels[#q.labels + 1] = argv[i]
	end
	return q
end

-- {"items":[…],"next":ID or null}
local function page_json(found)
	local rows = {}
	for i = 4, #found, 2 do
		rows[#rows + 1] = found[i]
	end
	return '{"items":[' .. concat(rows, ',') .. '],"next":' .. (found[1] == 1 and quote_or_null(found[2], true) or 'null') .. '}'
end

-- rb_incidents KEY STATUS|* SINCE UNTIL LIMIT [label=value …]
local function incidents_of(keys, argv)
	local p, status = keys[1] .. ':', argv[1] or ''
	local q, refused = read_query(argv, 2)
	if status ~= '*' and status ~= 'open' and status ~= 'resolved' and status ~= 'closed' then
		return {err = "ERR STATUS is '" .. status .. "'; want open, resolved, closed or *"}
	elseif not q then
		return refused
	end
	q.status = status ~= '*' and status or ''
	if #q.labels > 0 then
		return page_json(with_all(p, q, false))
	end
	local open, ended = place_of('incidents:open', ''), place_of('incidents:done', '')
	local places = status == 'open' and {open} or status == '*' and {open, ended} or {ended}
	return page_json(search(p, q, places, {}, nil, incident_json))
end

-- rb_related KEY SINCE UNTIL LIMIT label=value …
local function related_to(keys, argv)
	local q, refused = read_query(argv, 1)
	if not q then
		return refused
	elseif #q.labels == 0 then
		return {err = 'ERR want at least one label=value'}
	end
	return page_json(with_any(keys[1] .. ':', q))
end

-- rb_incident KEY ID
local function incident_of(keys, argv)
	local id = argv[1] or ''
	return is_id(id) and topology.whole(keys[1] .. ':', id) or {err = "NOTFOUND there is no incident '" .. id .. "'"}
end

-- ---- an alert ----

-- The place of the quote that ends the string which begins at `at`.
local function string_end(json, at)
	at = at + 1
	while byte(json, at) ~= 34 do
		at = find(json, '["\\]', at)
		if byte(json, at) == 92 then
			at = at + 2
		end
	end
	return at
end

-- The last place of the value that begins at `at`, of an object's members.
local function value_end(json, at)
	local depth = 0
	while true do
		at = find(json, '["%[%]{},]', at)
		local c = byte(json, at)
		if c == 34 then -- "
			at = string_end(json, at)
		elseif c == 91 or c == 123 then -- [ {
			depth = depth + 1
		elseif depth == 0 then -- , or the object's own end
			return at - 1
		elseif c ~= 44 then -- ] }
			depth = depth - 1
		end
		at = at + 1
	end
end

-- The members of an object that C wrote, as they stand there: cjson would change numbers and empty arrays.
local function members(json)
	local m, at = {}, 2
	while true do
		local name, from = match(json, '^"([^"\\]*)":()', at)
		if not name then
			return m
		end
		local stop = value_end(json, from)
		m[name], at = sub(json, from, stop), stop + 2
	end
end

-- rb_alert KEY SOURCE FINGERPRINT: as store_list.c writes a row of alerts
local function alert_of(keys, argv)
	local p, source, fingerprint = keys[1] .. ':', argv[1] or '', argv[2] or ''
	local r = alert_row(p, source .. ':' .. fingerprint)
	if not r then
		return {err = "NOTFOUND there is no alert '" .. fingerprint .. "' of source '" .. source .. "'"}
	end
	local m, firing, out = members(r[2]), r[3] == 'f', {}
	local function put(name, raw)
		out[#out + 1] = '"' .. name .. '":' .. (raw or 'null')
	end
	put('fingerprint', m.fingerprint)
	put('source', m.source)
	put('status', firing and '"firing"' or '"resolved"')
	for _, name in ipairs({'severity', 'summary', 'labels', 'annotations', 'links', 'starts_at'}) do
		put(name, m[name])
	end
	put('ends_at', not firing and byte(m.ends_at or '') ~= 34 and time_or_null(r[9]) or m.ends_at)
	put('expires_at', firing and time_or_null(r[11]) or nil)
	put('first_seen', time_or_null(r[7]))
	put('last_seen', time_or_null(r[8]))
	put('count', r[5])
	put('occurrences', r[6])
	put('flapping', r[10] ~= '' and 'true' or 'false')
	put('incident', quote_or_null(r[4], true))
	put('lines', r[12])
	put('data', m.data)
	return '{' .. concat(out, ',') .. '}'
end

-- For any client: these names stay.
reads('rb_incidents', incidents_of)
reads('rb_incident', incident_of)
reads('rb_related', related_to)
reads('rb_alert', alert_of)

return list_by_labels

end)()
