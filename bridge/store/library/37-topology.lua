-- ---- topology: roots and their symptoms ------------------------------------------------------------
-- What an alert has to do with others comes with it, in words: `uKEY` where others depend on it, `dKEY` where it depends
-- on another; the same KEY on both sides means that they belong together. Its incident is then noted in `topology:up:KEY`
-- or `topology:down:KEY`, and finds those of the other side there, whichever came first. That of what is depended on is
-- the root, the other one its symptom, until it is forgotten or finds another root after that one was over.
--
-- A symptom has one root and a root is no symptom: who adopts a root adopts its symptoms, too. Of several candidates it is
-- the one that opened first. All of it is planned in t.topology and written with the plan.
do

local WINDOW = 300000 -- ms by which a symptom may open before its root, and come after the root resolved (TOPOLOGY_WINDOW)
local ROOTS = 16 -- incidents that stand in one topology:up:KEY: the latest
local WAITING = 1000 -- in one topology:down:KEY
local SYMPTOMS = 1000 -- of one root; further ones stand for themselves

local function plan_of(t)
	local x = t.topology
	if not x then
		x = {roots = {}, symptoms = {}, read = {}, entries = {}, known = {}, gone = {}, moves = {}, told = 0,
			merged = false}
		t.topology = x
	end
	return x
end

-- A symptom's root, or false.
local function root_of(t, id)
	local x = plan_of(t)
	local root = x.roots[id]
	if root == nil then
		root = call('HGET', t.p .. 'symptoms', id) or false
		x.roots[id] = root
	end
	return root
end

local function symptoms_of(t, id)
	local x = plan_of(t)
	local list = x.symptoms[id]
	if not list then
		list = call('ZRANGE', t.p .. 'incident:' .. id .. ':symptoms', 0, -1)
		x.symptoms[id] = list
	end
	return list
end

-- Open, or over for so short a time that it still explains what comes in.
local function stands(t, inc)
	return inc and (inc.status == 'open' or inc.status == 'resolved' and t.now - inc.resolved <= WINDOW)
end

-- root: or false; node: what it depends on.
local function set_root(t, id, root, node)
	local x, before = plan_of(t), root_of(t, id)
	local list = before and symptoms_of(t, before) or {}
	for i = 1, #list do
		if list[i] == id then
			table.remove(list, i)
			break
		end
	end
	if root then
		list = symptoms_of(t, root)
		list[#list + 1] = id
	end
	x.roots[id] = root
	x.moves[#x.moves + 1] = {id = id, from = before, to = root, node = node}
end

-- The root that stands for this one: its own, or itself.
local function top_of(t, inc)
	local root = root_of(t, inc.id)
	if root and not stands(t, get_incident(t, root)) then
		set_root(t, inc.id, false, '')
		root = false
	end
	return root or inc.id
end

local function adopt(t, up, inc, node)
	local top, before = top_of(t, up), root_of(t, inc.id)
	if top == inc.id or before and stands(t, get_incident(t, before)) then
		return
	end
	local own = symptoms_of(t, inc.id)
	if #symptoms_of(t, top) + #own >= SYMPTOMS then
		return
	end
	set_root(t, inc.id, top, node)
	for i = #own, 1, -1 do
		set_root(t, own[i], top, node)
	end
end

-- Ids of a side since the score `since`, the earliest first; what this call noted is among them.
local function ids_of(t, name, since)
	local x = plan_of(t)
	local ids = x.read[name]
	if not ids then
		ids = call('ZRANGE', t.p .. name, since, '+inf', 'BYSCORE')
		x.read[name] = ids
		for i = 1, #x.entries do
			if x.entries[i].name == name then
				ids[#ids + 1] = x.entries[i].id
			end
		end
	end
	return ids
end

local function enter(t, name, inc, up)
	local x = plan_of(t)
	if x.known[name .. inc.id] then
		return
	end
	x.known[name .. inc.id] = true
	x.entries[#x.entries + 1] = {name = name, id = inc.id, opened = read_tail(inc).opened, up = up}
	if x.read[name] then
		x.read[name][#x.read[name] + 1] = inc.id
	end
end

-- Others depend on it: those that opened a short while ago are its symptoms.
local function as_root(t, inc, key, node)
	enter(t, 'topology:up:' .. key, inc, true)
	local ids = ids_of(t, 'topology:down:' .. key, text(t.now - WINDOW))
	for i = 1, #ids do
		local other = ids[i] ~= inc.id and get_incident(t, ids[i])
		if other and other.status ~= 'closed' then
			adopt(t, inc, other, node)
		end
	end
end

local function as_symptom(t, inc, key, node)
	local name = 'topology:up:' .. key
	enter(t, 'topology:down:' .. key, inc, false)
	local ids = ids_of(t, name, '-inf')
	for i = 1, #ids do
		local other = ids[i] ~= inc.id and get_incident(t, ids[i])
		if stands(t, other) then
			adopt(t, other, inc, node)
		elseif ids[i] ~= inc.id then
			local gone = plan_of(t).gone
			gone[#gone + 1] = {name, ids[i]}
		end
	end
end

-- The n words argv[k]… of an alert that fires in this incident.
function topology.relate(t, inc, k, n)
	for i = k, k + n - 1 do
		local key = sub(t.argv[i], 2)
		local node = match(key, '^[^:]*');
		(byte(t.argv[i]) == 117 and as_root or as_symptom)(t, inc, key, node) -- u
	end
end

-- Plans a record of each adoption that has none yet, on both timelines: behind the event's own.
function topology.tell(t)
	local x = t.topology
	while x.told < #x.moves do
		x.told = x.told + 1
		local m = x.moves[x.told]
		if m.to then
			local record = plan_add(t, 'topology', m.to, '[]', '{"root":"' .. m.to .. '","symptom":"' .. m.id ..
				'","node":' .. quote(m.node) .. '}')
			for _, id in ipairs({m.to, m.id}) do
				local inc = get_incident(t, id)
				if inc then
					touch(t, inc)
					add_line(inc, record)
				end
			end
		end
	end
end

-- The root that holds back rules with only: root for the event under way, or false.
function topology.held(t)
	local id = t.inc and root_of(t, t.inc.id)
	local root = id and get_incident(t, id)
	return stands(t, root) and root.id
end

-- `from` is merged into another one, which takes its place as a root, or as a symptom where it is neither.
function topology.merged(t, from, into)
	local root, own = root_of(t, from), symptoms_of(t, from)
	plan_of(t).merged = {from, into}
	if root then
		set_root(t, from, false, '')
	end
	if root_of(t, into) == from then
		set_root(t, into, false, '')
	end
	if root and root ~= into and not root_of(t, into) and #symptoms_of(t, into) == 0 then
		set_root(t, into, root, '')
	end
	local top = root_of(t, into) or into
	for i = #own, 1, -1 do
		set_root(t, own[i], own[i] ~= top and top, '')
	end
end

function topology.write(t)
	local p, x = t.p, t.topology
	for i = 1, #x.entries do
		local e = x.entries[i]
		local key = p .. e.name
		call('ZADD', key, e.opened, e.id)
		if e.up then
			call('ZREMRANGEBYRANK', key, 0, -ROOTS - 1)
			call('SADD', p .. 'incident:' .. e.id .. ':nodes', e.name)
		else
			call('ZREMRANGEBYSCORE', key, '-inf', text(t.now - WINDOW))
			call('ZREMRANGEBYRANK', key, 0, -WAITING - 1)
			call('PEXPIRE', key, WINDOW + 60000)
		end
	end
	for i = 1, #x.gone do
		call('ZREM', p .. x.gone[i][1], x.gone[i][2])
	end
	for i = 1, #x.moves do
		local m = x.moves[i]
		if m.from then
			call('ZREM', p .. 'incident:' .. m.from .. ':symptoms', m.id)
		end
		if m.to then
			call('HSET', p .. 'symptoms', m.id, m.to)
			call('ZADD', p .. 'incident:' .. m.to .. ':symptoms', now_text, m.id)
		else
			call('HDEL', p .. 'symptoms', m.id)
		end
	end
	if x.merged then
		topology.unite_changes(p, x.merged[1], x.merged[2])
	end
end

-- An incident and all that says so of it goes.
function topology.forget(p, id)
	local key = p .. 'incident:' .. id
	local names = call('SMEMBERS', key .. ':nodes')
	for i = 1, #names do
		call('ZREM', p .. names[i], id)
	end
	local root = call('HGET', p .. 'symptoms', id)
	if root then
		call('ZREM', p .. 'incident:' .. root .. ':symptoms', id)
		call('HDEL', p .. 'symptoms', id)
	end
	local own = call('ZRANGE', key .. ':symptoms', 0, -1)
	call_list('HDEL', p .. 'symptoms', own) -- there are more than SYMPTOMS where roots were merged
	call('UNLINK', key .. ':nodes', key .. ':symptoms', key .. ':changes')
end

-- Members of an incident's row.
function topology.row(p, id)
	return '"root":' .. (call('EXISTS', p .. 'incident:' .. id .. ':symptoms') == 1 and 'true' or 'false') ..
		',"symptom_of":' .. quote_or_null(call('HGET', p .. 'symptoms', id), true)
end

-- Members that only the incident itself shows, not its row in a list.
function topology.detail(p, id)
	local key = p .. 'incident:' .. id
	local own = call('ZRANGE', key .. ':symptoms', 0, -1)
	for i = 1, #own do
		own[i] = '"' .. own[i] .. '"'
	end
	return '"root_of":[' .. concat(own, ',') .. '],"what_changed":[' ..
		concat(call('ZRANGE', key .. ':changes', 0, -1, 'REV'), ',') .. ']'
end

end

-- ---- changes: what went before an incident ---------------------------------------------------------
-- A change is put on the timeline of each incident that shares its labels and opened within an hour after it: has a label
-- of its names, and where it has one of them, the same value. The changes of the last hour stand in `changes`, and an alert that
-- is new to an incident is held against them; a change that is told late is held against the incidents since it happened.
do

local WINDOW = 3600000 -- ms between a change and the incident that it may have led to (CHANGE_WINDOW)
local CHANGES = 256 -- that are looked at: the latest
local KEPT = 50 -- of one incident: the nearest
local LOOK = 100 -- incidents that a late change looks at, of those open and of the others: the latest

-- labels: of each what labels_of (75) has of it, and how that begins.
local function new_change(sid, at, json)
	local c = {sid = sid, at = at, json = json, labels = {}}
	for name, value in pairs(cjson.decode(json).labels) do
		c.labels[#c.labels + 1] = {'\0' .. name .. '=' .. value .. '\0', '\0' .. name .. '='}
	end
	return c
end

-- By prefix: the changes as they stood when `last` was the latest one.
local cache = {}

local function read_changes(p, last, now)
	local c = cache[p]
	if not c or c.last ~= last then
		local flat = call('ZRANGE', p .. 'changes', '(' .. text(now - WINDOW), '+inf', 'BYSCORE', 'WITHSCORES')
		c = {last = last, list = {}}
		for i = 1, #flat, 2 do
			local sid, json = match(flat[i], '^(%S+) (.*)$')
			c.list[#c.list + 1] = new_change(sid, num(flat[i + 1]), json)
		end
		cache[p] = c
	end
	return c.list
end

local NONE = {}

local function plan_of(t)
	local x = t.changes
	if not x then
		x = {before = NONE, new = {}, links = {}, linked = {}}
		local last = call('HGET', t.p .. 'meta', 'change')
		if last and num(match(last, '^%d+')) > t.now - WINDOW then
			x.before = read_changes(t.p, last, t.now)
		end
		t.changes = x
	end
	return x
end

-- labels: as labels_of (75) has them: of all its alerts.
local function shares(c, labels)
	local n = 0
	for i = 1, #c.labels do
		local label = c.labels[i]
		if find(labels, label[1], 1, true) then
			n = n + 1
		elseif find(labels, label[2], 1, true) then
			return false
		end
	end
	return n > 0
end

-- told: it is on the timeline anyway
local function link(t, inc, c, told)
	local x, key = plan_of(t), inc.id .. c.sid
	if x.linked[key] then
		return
	end
	x.linked[key] = true
	if inc.was and call('ZSCORE', t.p .. 'incident:' .. inc.id .. ':changes', c.json) then
		return
	end
	x.links[#x.links + 1] = {inc.id, c}
	touch(t, inc)
	if not told then
		add_line(inc, c.sid)
	end
end

local function find_before(t, inc, list, opened)
	for i = 1, #list do
		local c = list[i]
		if c.at <= opened and c.at > opened - WINDOW and shares(c, labels_of(t, inc)) then
			link(t, inc, c, false)
		end
	end
end

-- An alert is new to the incident.
function topology.changes_before(t, inc)
	local x = plan_of(t)
	if #x.before == 0 and #x.new == 0 then
		return
	end
	local opened = num(read_tail(inc).opened)
	if opened > t.now - WINDOW then
		find_before(t, inc, x.before, opened)
		find_before(t, inc, x.new, opened)
	end
end

-- own: the incident on whose timeline the change is anyway
local function look_late(t, c, inc, own)
	if num(read_tail(inc).opened) >= c.at and shares(c, labels_of(t, inc)) then
		link(t, inc, c, inc == own)
	end
end

-- The event sid is a change, argv[k] its first word; own: the incident on whose timeline it is anyway, or nil.
function topology.note_change(t, k, sid, own)
	local x, at = plan_of(t), num(sub(t.argv[k + 1], 3, -2))
	if at == 0 or at > t.now then
		at = t.now
	elseif at <= t.now - WINDOW then
		return
	end
	local c = new_change(sid, at, '{"event":"' .. ulid_of(sid) .. '","time":"' .. rfc3339(at) .. '",' .. t.argv[k + 4])
	x.new[#x.new + 1] = c
	for _, inc in pairs(t.incidents) do
		if inc and not inc.was then
			look_late(t, c, inc, own)
		end
	end
	for _, set in ipairs({'incidents:open', 'incidents:done'}) do
		local ids = call('ZRANGE', t.p .. set, '+', '[' .. ulid(at, 0), 'BYLEX', 'REV', 'LIMIT', 0, LOOK)
		for i = 1, #ids do
			local inc = get_incident(t, ids[i])
			if inc and inc.was then
				look_late(t, c, inc, own)
			end
		end
	end
end

local function write_changes(p, new, now)
	for i = 1, #new do
		call('ZADD', p .. 'changes', text(new[i].at), new[i].sid .. ' ' .. new[i].json)
	end
	call('HSET', p .. 'meta', 'change', new[#new].sid)
	call('ZREMRANGEBYSCORE', p .. 'changes', '-inf', text(now - WINDOW))
	call('ZREMRANGEBYRANK', p .. 'changes', 0, -CHANGES - 1)
end

function topology.write_changes(t)
	local x = t.changes
	if #x.new > 0 then
		write_changes(t.p, x.new, t.now)
	end
	for i = 1, #x.links do
		local key, c = t.p .. 'incident:' .. x.links[i][1] .. ':changes', x.links[i][2]
		call('ZADD', key, text(c.at), c.json)
		call('ZREMRANGEBYRANK', key, 0, -KEPT - 1)
	end
end

-- An incident is merged into another one.
function topology.unite_changes(p, from, into)
	local key = p .. 'incident:' .. into .. ':changes'
	call('ZUNIONSTORE', key, 2, key, p .. 'incident:' .. from .. ':changes', 'AGGREGATE', 'MAX')
	call('ZREMRANGEBYRANK', key, 0, -KEPT - 1)
end

-- For the tick: those that are too old.
function topology.drop_changes(p, now)
	call('ZREMRANGEBYSCORE', p .. 'changes', '-inf', text(now - WINDOW))
end

end

