-- ---- bridges of before -----------------------------------------------------------------------------
-- A bridge that ran when a newer one brought this library goes on calling what it knows: a step is six words there, and an
-- event's JSON has not its first brace. Its words become those of now, and then it is served as all others. They are gone
-- when all bridges are of this version, so what it costs matters little.
do

local RULE, EVENT, GATE = 5, 6, 6 -- words of a rule before its steps, of an event before its rules, of a gate before its steps

local function copy(argv, from, to, out)
	for i = from, to do
		out[#out + 1] = argv[i]
	end
	return to + 1
end

local function steps(argv, k, n, out)
	for _ = 1, n do
		out[#out + 1] = step.joined(argv, k)
		k = k + 6
	end
	return k
end

-- Of the rule at argv[k]; returns where the next one is.
local function rule_words(argv, k, out)
	local u = rule_of(argv[k + 4])
	local late = u.gate > GATE and (u.gate - GATE) / 6 or 0
	local at = #out + RULE
	k = copy(argv, k, k + RULE - 1, out)
	if late > 0 then -- its 17th number says how many words a gate has
		local n = 0
		out[at] = string.gsub(out[at], '%d+', function()
			n = n + 1
			return n == 17 and text(GATE + late) or nil
		end)
	end
	k = steps(argv, k, u.steps + u.resolve + u.failure, out)
	return u.gate > 0 and steps(argv, copy(argv, k, k + GATE - 1, out), late, out) or k
end

local function event_words(argv, k, out)
	local before, words, topology, after = match(argv[k + 2], '^(%d+ %d+ %d+ )(%d+):?(%d*)(.*)$')
	local at, stop = #out + 1, k + EVENT + num(words)
	k = copy(argv, k, k + EVENT - 1, out)
	if byte(out[at + 5]) == 34 then -- "
		out[at + 5] = '{' .. out[at + 5]
	end
	while k < stop - (num(topology) or 0) do
		k = rule_words(argv, k, out)
	end
	copy(argv, k, stop - 1, out)
	out[at + 2] = before .. text(#out - at - EVENT + 1) .. (topology ~= '' and ':' .. topology or '') .. after
	return stop
end

-- argv as it is now: `head` words, then until the end what `each` reads.
local function as_now(argv, head, each)
	local out = {}
	local k = copy(argv, 1, head, out)
	while k <= #argv do
		k = each(argv, k, out)
	end
	return out
end

local function line_words(argv, k, out)
	return event_words(argv, copy(argv, k, k + 4, out), out)
end

local function watched_words(argv, k, out)
	local n, at = num(argv[k + 1]), #out + 2
	k = copy(argv, k, k + 1, out)
	if n > 0 then
		k = rule_words(argv, k, out)
	end
	out[at] = text(#out - at)
	return k
end

writes('rb_ingest_v1', function(keys, argv)
	return ingest(keys, as_now(argv, 4, event_words))
end)

reads('rb_explain_v1', function(keys, argv)
	return explain(keys, as_now(argv, 5, event_words))
end)

writes('rb_lines_v1', function(keys, argv)
	return lines(keys, as_now(argv, 2, line_words))
end)

writes('rb_watch_v1', function(keys, argv)
	return watch(keys, as_now(argv, 2, watched_words))
end)

writes('rb_run_new_v1', function(keys, argv)
	local out = {}
	copy(argv, 11, #argv, out)
	return run_new(keys, {argv[1], argv[2], argv[3], argv[4], step.joined(argv, 5), spread(out)})
end)

end
