-- ---- what is forgotten -----------------------------------------------------------------------------
-- An incident goes with all that is its own: its texts, its labels, the alerts whose latest incident it is, its runs. As long
-- as one of them is younger than the retention (a run that ended later, or waits for approval; an alert that still fires in
-- an incident which was closed) it stays, with the others that are there: so nothing of an incident outlives it. What
-- belongs to no incident, or to one that is open for longer than the retention, goes by its own age.
local forget_alert, forget_run, forget_incident
do

local TOGETHER = 1000 -- lines of its timeline, and runs, that go with an incident in one tick

function forget_alert(p, name)
	local key = p .. 'alert:' .. name
	call('UNLINK', key, key .. ':event', key .. ':waits', key .. ':lines')
	call('ZREM', p .. 'alerts:resolved', name)
end

-- Has it ended before cutoff, or is it gone? Those that start at once (20) stay until all of them have ended.
local function run_over(p, id, cutoff)
	local v = call('HMGET', p .. 'run:' .. id, 'state', 'finished', 'group')
	if v[1] and (not FINAL[v[1]] or num(v[2]) > cutoff) then
		return false
	end
	local left = v[3] and call('HGET', p .. 'run:' .. v[3], 'left')
	return not left or left == '0'
end

-- One that is not over stays.
function forget_run(p, id, cutoff)
	if not run_over(p, id, cutoff) then
		return false
	end
	local key = call('HGET', p .. 'run:' .. id, 'idempotency')
	if key then
		call('HDEL', p .. 'idempotency', key)
	end
	call('UNLINK', p .. 'run:' .. id, p .. 'run:' .. id .. ':output')
	return true
end

-- The latest of a list behind its first `head` entries, and whether there are more.
local function latest_of(key, head)
	local n = call('LLEN', key) - head
	local v = n > 0 and call('LRANGE', key, -math.min(n, TOGETHER), -1) or {}
	return v, n > TOGETHER
end

-- Of lines of its timeline the alerts whose latest incident it is; nil where one of them stays.
local function alerts_of(p, id, cutoff, lines)
	local mine = {}
	for i = 1, #lines do
		local name = match(lines[i], '^%d+%-%d+%+(.*)$')
		local v = name and call('GET', p .. 'alert:' .. name)
		local a = v and read_alert(v)
		if a and (a.inc == id or merged_into(p, a.inc) == id) then
			if a.state == 'f' or num(match(a.since, '^%d+')) > cutoff then
				return nil
			end
			mine[#mine + 1] = name
		end
	end
	return mine
end

local function runs_over(p, ids, cutoff)
	for i = 1, #ids do
		if not run_over(p, ids[i], cutoff) then
			return false
		end
	end
	return true
end

-- False: it stays for now. budget.left: how much of incidents this tick may still look at; nil where that is used up. An
-- incident with more than TOGETHER lines or runs goes in several turns, the latest of it first.
function forget_incident(p, id, cutoff, budget)
	local key = p .. 'incident:' .. id
	local v = call('GET', key)
	if budget.left <= 0 then
		return nil
	elseif v and num(read_incident(id, v).resolved) > cutoff then
		return false
	end
	local into = merged_into(p, id)
	if into ~= id and call('EXISTS', p .. 'incident:' .. into) == 1 then -- what was in it is looked for through it
		return false
	end
	local lines, more_lines = latest_of(key .. ':timeline', 2)
	local runs, more_runs = latest_of(key .. ':runs', 0)
	budget.left = budget.left - #lines - #runs
	local alerts = runs_over(p, runs, cutoff) and alerts_of(p, id, cutoff, lines)
	if not alerts then
		return false
	end
	for i = 1, #alerts do
		forget_alert(p, alerts[i])
	end
	for i = 1, #runs do
		forget_run(p, runs[i], cutoff)
		call('ZREM', p .. 'runs:done', runs[i])
	end
	if more_lines or more_runs then
		call('LTRIM', key .. ':timeline', 0, -#lines - 1)
		call('LTRIM', key .. ':runs', 0, -#runs - 1)
		return false
	end
	local corr = call('LINDEX', key .. ':timeline', 0)
	if corr and call('GET', p .. 'correlation:' .. corr) == id then
		call('UNLINK', p .. 'correlation:' .. corr)
	end
	forget_labels(p, id)
	topology.forget(p, id)
	call('UNLINK', key, key .. ':timeline', key .. ':runs', key .. ':hand')
	return true
end

end

