-- ---- suppression: what the configuration plans -----------------------------------------------------
-- Maintenance windows and inhibit rules. Which of them an event belongs to is C's to say, in the event's facts, a line each:
--   m FROM UNTIL NAME      of a maintenance window, in ms
--   w DAYS AT FOR NAME     of one every week: bits from Monday on, and ms since midnight UTC
--   t SET TWO              it is a target of the inhibit rule and the values that SET stands for; TWO 1: a source, too
--   s SET TWO TITLE        it is a source; TWO 1: a target, too
-- Whether a window is open, and whether a source fires, is decided here, in the step that decides the rule. The hash
-- `inhibit:SET` has the sources by their names; one counts while the alert itself says that it fires, so whatever ends an
-- alert ends what it inhibits.
local tick_sources
do

local SETS = 4 -- that a tick looks through
local LOOK = 25 -- members of each

local DAY, WEEK = 86400000, 7 * 86400000

-- Until when the window is open, or nil.
local function open_till(now, line)
	local from, till, name = match(line, '^m (%d+) (%d+) (.*)$')
	if from then
		return now >= num(from) and now < num(till) and num(till) or nil, name
	end
	local days, at, span
	days, at, span, name = match(line, '^w (%d+) (%d+) (%d+) (.*)$')
	local monday = (now + 3 * DAY) % WEEK -- ms since; 1970 began with a Thursday
	for day = 0, 6 do
		local since = (monday - day * DAY - at) % WEEK
		if floor(days / 2 ^ day) % 2 == 1 and since < num(span) then
			return now - since + span, name
		end
	end
	return nil
end

local function fires(t, name)
	local v = t.alerts[name]
	if v == nil then
		v = call('GET', t.p .. 'alert:' .. name)
	end
	return v and (byte(v) == 102 or byte(v) == 101) -- f, e
end

-- value: "TWO TITLE". Does that source inhibit a target that is a source too, or not?
local function inhibits(t, name, value, two)
	return value and name ~= t.name and not (two and byte(value) == 49) and fires(t, name)
end

-- A source that fires: what was planned in this call before what was there. nil: none does.
local function source_of(t, set, two)
	local mine = t.sources and t.sources[set] or {}
	for name, value in pairs(mine) do
		if inhibits(t, name, value, two) then
			return name, value
		end
	end
	local key, cursor = t.p .. 'inhibit:' .. set, '0'
	repeat
		local v = call('HSCAN', key, cursor, 'COUNT', 100)
		cursor = v[1]
		for i = 1, #v[2], 2 do
			local name, value = v[2][i], v[2][i + 1]
			if mine[name] == nil and inhibits(t, name, value, two) then
				return name, value
			end
		end
	until cursor == '0'
	return nil
end

local function reason_of(t, line)
	local kind = sub(line, 1, 1)
	if kind == 't' then
		local set, two = match(line, '^t (%S+) (%d)$')
		local name, value = source_of(t, set, two == '1')
		return name and 'inhibited while alert ' .. sub(value, 3) .. ' (' .. name .. ') fires'
	elseif kind == 's' then
		return nil
	end
	local till, name = open_till(t.now, line)
	return till and "maintenance window '" .. name .. "' until " .. rfc3339(till)
end

-- The reason why no rule runs for the event with the facts of t, or nil. Looked up once an event.
function planned(t)
	if not t.facts then
		return nil
	elseif not t.facts_told then
		t.facts_told, t.facts_say = true, false
		for line in string.gmatch(t.facts, '[^\n]+') do
			t.facts_say = t.facts_say or reason_of(t, line) or false
		end
	end
	return t.facts_say or nil
end

-- The alert fires, or has resolved: so it is a source, or not any more.
local function note_sources(t, name, facts, firing)
	for set, value in string.gmatch('\n' .. facts, '\ns (%S+) ([^\n]*)') do
		t.sources = t.sources or {}
		t.sources[set] = t.sources[set] or {}
		t.sources[set][name] = firing and value
	end
end

-- A duplicate that came whole, as each does once after the inhibit rules have changed.
function known_source(t, name, facts)
	if fires(t, name) then
		note_sources(t, name, facts, true)
	end
end

-- facts: of the event under way, or false. fresh: it comes in.
function set_facts(t, facts, fresh)
	t.facts, t.facts_told = facts, false
	if fresh and t.alert then
		note_sources(t, t.name, facts, t.alert.state == 'f')
	end
end

local function drop_empty(p, set)
	if call('EXISTS', p .. 'inhibit:' .. set) == 0 then
		call('SREM', p .. 'inhibits', set)
	end
end

function write_sources(t)
	for set, names in pairs(t.sources) do
		local key, gone = t.p .. 'inhibit:' .. set, false
		for name, value in pairs(names) do
			if value then
				call('HSET', key, name, value)
				call('SADD', t.p .. 'inhibits', set)
			else
				call('HDEL', key, name)
				gone = true
			end
		end
		if gone then
			drop_empty(t.p, set)
		end
	end
end

-- Sources that ended without a message of theirs take room only: some of some sets are looked at.
function tick_sources(p)
	local sets = call('SRANDMEMBER', p .. 'inhibits', SETS)
	for i = 1, #sets do
		local key, gone = p .. 'inhibit:' .. sets[i], {}
		local names = call('HRANDFIELD', key, LOOK)
		for k = 1, #names do
			if not fires({p = p, alerts = {}}, names[k]) then
				gone[#gone + 1] = names[k]
			end
		end
		if #gone > 0 then
			call('HDEL', key, spread(gone))
		end
		drop_empty(p, sets[i])
	end
end

end

