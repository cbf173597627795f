-- ---- runs: the only place that writes a state ------------------------------------------------------

local CHANGES = {
	queued = {running = true, cancelled = true},
	approval = {queued = true, rejected = true, cancelled = true},
	running = {
		succeeded = true, failed = true, timed_out = true, cancelled = true, lost = true,
		queued = true,
	},
}
local FINAL = {
	succeeded = true, failed = true, timed_out = true, cancelled = true, rejected = true, lost = true,
}

-- What a run has, as its hash or, where it has it not, as is meant then. (With room for all of it: a table that grows is
-- made anew, at some thousand instructions each time.)
local function run_get(p, id)
	local v = call('HGETALL', p .. 'run:' .. id)
	local r = {
		id = id, state = '', reason = '', rule = '', runbook = '', step = '', pool = '', incident = '', event = '', fence = '',
		worker = '', instance = '', attempt = '', late = '0', always = '0', idempotent = '0', timeout = '0', retries = '0',
		backoff = '0', retried = '', outlived = '', prev = '', next = '', depth = '', started = '', broken = '',
		ruleset = '', sha256 = '', first = '', claim = '', home = '', cancel = '', bad = '', after = '', trail = '',
		group = '', params = '{}', events = '', queued = '',
	}
	for i = 1, #v, 2 do
		r[v[i]] = v[i + 1]
	end
	if r.state == '' then
		return nil
	end
	if r.incident ~= '' then
		r.incident = merged_into(p, r.incident)
	end
	return r
end

-- The rules whose runs lead to what comes of run r, the first one first, with a blank between.
local function trail_behind(r)
	return r.trail ~= '' and r.rule ~= '' and r.trail .. ' ' .. r.rule or r.trail .. r.rule
end

-- Such a trail as a member of an event's JSON, behind another one; '' where there is none.
local function trail_member(trail)
	return trail ~= '' and ',"trail":["' .. string.gsub(trail, ' ', '","') .. '"]' or ''
end

local function ring(p, pool)
	if call('LPUSH', p .. 'bell:' .. pool, '1') > BELLS then
		call('LTRIM', p .. 'bell:' .. pool, 0, BELLS - 1)
	end
end

local function enqueue(p, pool, id, ready, now)
	call('ZADD', p .. 'queue:' .. pool, ready, id)
	call('SADD', p .. 'pools', pool)
	if ready <= now then
		ring(p, pool)
	end
end

local function audit_run(p, r, from, to, now, who, reason)
	audit(p, '{"time":"' .. rfc3339(now) .. '","what":"run","run":"' .. r.id .. '","from":' ..
		quote_or_null(from) .. ',"to":"' .. to .. '","who":' .. quote_name(who) .. ',"reason":' ..
		quote(reason) .. ',"rule":' .. quote_or_null(r.rule) .. ',"runbook":' .. quote_name(r.runbook) ..
		',"step":' .. quote_name(r.step) .. ',"attempt":' .. (r.attempt == '' and '0' or r.attempt) ..
		',"ruleset_hash":' .. quote_or_null(r.ruleset) .. ',"runbook_sha256":' ..
		quote_or_null(r.sha256) .. '}')
end

local SEVERITY_OF = {succeeded = 'info', cancelled = 'warning', rejected = 'warning'}

-- The result as an event: a record of the bus at once, and an entry of the inbox, from which a bridge takes it
-- through the rules without storing it again (the entry names the record).
local function result_event(p, r, to, now, reason, more)
	local rule = r.rule ~= '' and '"rule":' .. quote_name(r.rule) .. ',' or ''
	local trail = trail_behind(r)
	local json = '{"source":"runbookd","type":"run","status":"info","time":"' .. rfc3339(now) ..
		'","fingerprint":null,"starts_at":null,"ends_at":null,"severity":"' ..
		(SEVERITY_OF[to] or 'error') .. '","summary":' ..
		quote("runbook '" .. r.runbook .. "' " .. to .. (reason ~= '' and ': ' .. reason or '')) ..
		',"labels":{"outcome":"' .. to .. '",' .. rule .. '"runbook":' .. quote_name(r.runbook) ..
		',"step":' .. quote_name(r.step) .. '},"annotations":{},"links":{},"data":{"run":"' .. r.id ..
		'","incident":' .. quote_or_null(r.incident, true) .. ',"event":' ..
		(r.event ~= '' and '"' .. ulid_of(r.event) .. '"' or 'null') .. ',"reason":' .. quote(reason) ..
		',"exit_code":' .. number_or_null(more.exit_code) .. ',"signal":' ..
		number_or_null(more.signal) .. ',"attempt":' .. (r.attempt == '' and '0' or r.attempt) ..
		',"duration_ms":' .. number_or_null(more.duration) .. '},"depth":' .. r.depth ..
		trail_member(trail) .. '}'
	local sid, kept_as = bus_add(p, now, 'info', r.incident, '[]', json)
	call('XADD', p .. 'inbox', '*', 'event', sid, 'incident', r.incident, 'json',
		sub(whole_json(sid, kept_as), 1, -2) .. ',"run":"' .. r.id .. '"}', 'trail', trail)
	return sid
end

local function change_record(p, r, to, now, reason)
	local json = '{"run":"' .. r.id .. '","rule":' .. quote_or_null(r.rule) .. ',"runbook":' ..
		quote_name(r.runbook) .. ',"step":' .. quote_name(r.step) .. ',"state":"' .. to .. '","reason":' ..
		quote(reason) .. ',"worker":' .. quote_or_null(r.worker) .. ',"attempt":' ..
		(r.attempt == '' and '0' or r.attempt) .. '}'
	return (bus_add(p, now, 'run', r.incident, '[]', json))
end

-- The first `most` (nil: all) of two lists, each of which is in order; is_later(x, y): does x come behind y?
local function woven(a, b, is_later, most)
	local all, i, j = {}, 1, 1
	for n = 1, math.min(#a + #b, most or math.huge) do
		if not b[j] or a[i] and not is_later(a[i], b[j]) then
			all[n], i = a[i], i + 1
		else
			all[n], j = b[j], j + 1
		end
	end
	return all
end

-- n: how long the push has made the timeline. Its first two entries, key and head, stay; how many went is counted.
local function cut_timeline(key, n)
	if n > TIMELINE + TIMELINE_SLACK then
		local first = call('LRANGE', key, 0, 1)
		call('LTRIM', key, -TIMELINE, -1)
		call('LPUSH', key, first[2], first[1])
		call('HINCRBY', sub(key, 1, -#':timeline' - 1) .. ':hand', 'dropped', n - 2 - TIMELINE)
	end
end

-- r from run_get; more: fields of the run to write with it, by name (ready: when a queued one may be claimed).
local function set_state(p, r, to, now, who, reason, more)
	local from = r.state
	if not (CHANGES[from] and CHANGES[from][to]) then
		error('run ' .. r.id .. ' cannot go from ' .. from .. ' to ' .. to)
	end
	local ready, lease = more.ready, more.lease
	more.ready, more.lease = nil, nil
	local final = FINAL[to]
	more.state, more.reason = to, reason
	if final then
		more.finished = now
	end
	local args, n = {p .. 'run:' .. r.id}, 1
	for k, v in pairs(more) do
		args[n + 1], args[n + 2] = k, v
		n = n + 2
		if r[k] then
			r[k] = v .. ''
		end
	end
	call('HSET', spread(args))
	if from == 'queued' then
		call('ZREM', p .. 'queue:' .. r.pool, r.id)
	elseif from == 'approval' then
		call('ZREM', p .. 'approvals', r.id)
	else
		call('ZREM', p .. 'leases', r.id)
		if call('HINCRBY', p .. 'running', r.pool, -1) <= 0 then
			call('HDEL', p .. 'running', r.pool)
		end
	end
	if to == 'running' then
		call('ZADD', p .. 'leases', lease, r.id)
		call('HINCRBY', p .. 'running', r.pool, 1)
	elseif to == 'queued' then
		enqueue(p, r.pool, r.id, ready, now)
	end
	audit_run(p, r, from, to, now, who, reason)
	local sid
	if final then
		call('ZREM', p .. 'runs:live', r.id)
		call('ZADD', p .. 'runs:done', 0, r.id)
		call('HINCRBY', p .. 'stats', 'runs|' .. to .. '|' .. r.rule .. '|' .. r.runbook, 1)
		if from == 'running' and more.duration then
			count_time(p, 'run', r.runbook, num(more.duration))
		end
		sid = result_event(p, r, to, now, reason, more)
	else
		sid = change_record(p, r, to, now, reason)
	end
	if r.incident ~= '' then
		local key = p .. 'incident:' .. r.incident .. ':timeline'
		cut_timeline(key, call('RPUSHX', key, sid))
	end
end

-- Why a run that is made now is not ready, or ''.
local function why_waits(t)
	if t.position > 1 and not t.group then
		return "waits for step '" .. t.before .. "'"
	elseif t.awaits then
		return 'waits for a person to approve the first step'
	end
	return t.approval and 'waits for a person to approve it' or ''
end

-- One run as it is made. t: its step; position 1 is ready at once, or when it is approved; the others wait for the one
-- before, or where they are a group, for nothing but what the first one waits for (t.awaits). t.more: further fields, with
-- their values.
local function create_run(p, now, t, who, reason)
	local waits, state = t.position > 1 and not t.group, t.approval and 'approval' or 'queued'
	call('HSET', p .. 'run:' .. t.id, 'state', state, 'reason', why_waits(t), 'rule', t.rule, 'runbook', t.runbook,
		'sha256', t.sha256, 'step', t.step, 'pool', t.pool, 'params', t.params, 'idempotent', t.idempotent,
		'incident', t.incident, 'event', t.event, 'depth', t.depth, 'ruleset', t.ruleset, 'queued', now,
		'first', (waits or t.later) and '' or '1')
	if t.prev ~= '' or t.next ~= '' then
		call('HSET', p .. 'run:' .. t.id, 'prev', t.prev, 'next', t.next)
	end
	if t.late ~= '0' or t.always ~= '0' or t.timeout ~= '0' or t.retries ~= '0' or t.backoff ~= '0' then
		call('HSET', p .. 'run:' .. t.id, 'late', t.late, 'always', t.always, 'timeout', t.timeout, 'retries', t.retries,
			'backoff', t.backoff)
	end
	if t.trail and t.trail ~= '' then
		call('HSET', p .. 'run:' .. t.id, 'trail', t.trail)
	end
	if t.group then
		call('HSET', p .. 'run:' .. t.id, 'group', t.group, 'left', t.left or '')
	end
	if t.more then
		call('HSET', p .. 'run:' .. t.id, spread(t.more))
	end
	call('ZADD', p .. 'runs:live', 0, t.id)
	if t.approval then
		call('ZADD', p .. 'approvals', t.approval, t.id)
	elseif not waits and not t.awaits then
		enqueue(p, t.pool, t.id, now, now)
	end
	t.attempt = ''
	audit_run(p, t, '', state, now, who, reason)
end

-- A step is one word: "late always idempotent timeout_ms retries backoff_ms pool" and, a NUL before each, its runbook,
-- that one's digest, its parameters and its name. Most are read by nobody, since their rule is in cooldown.
local step = {} -- functions by name
do

local ALL = '^(%d) (%d) (%d) (%d+) (%d+) (%d+) ([^%z]*)%z([^%z]*)%z([^%z]*)%z([^%z]*)%z(.*)$'

function step.read(r, word)
	r.late, r.always, r.idempotent, r.timeout, r.retries, r.backoff, r.pool, r.runbook, r.sha256, r.params, r.step =
		match(word, ALL)
	return r
end

function step.pool(word)
	return match(word, '^[^%z]* ([^%z]*)')
end

function step.runbook(word)
	return match(word, '^[^%z]*%z([^%z]*)')
end

end

-- Notes that the first n steps, of which t.argv[k] is the first, are ready at once; or the pool whose queue is full, and
-- nothing is noted.
local function no_room(t, k, n, forced)
	local argv, pools, added = t.argv, t.pools, t.added
	for i = k, k + n - 1 do
		local pool = step.pool(argv[i])
		pools[pool] = pools[pool] or call('ZCARD', t.p .. 'queue:' .. pool)
		if pools[pool] >= t.queue and not forced then
			return pool
		end
	end
	for i = k, k + n - 1 do
		local pool = step.pool(argv[i])
		added[pool] = (added[pool] or 0) + 1
	end
	return nil
end

-- Plans runs, one behind the other, or all at once (parallel); t.argv[k] is the first step, t.trail the rules that led to
-- their event. Returns the first one's id and the last one, or nil and the full pool. Full is what was full before this
-- message: one message may go over limits.queue, so that no message is too large for ever. forced: no queue is too full.
local function plan_runs(t, k, steps, rule, incident, depth, forced, parallel)
	local argv, first, before = t.argv, nil, nil
	if not t.runs then
		t.runs, t.pools, t.added = {}, {}, {}
	end
	local from, full = t.runs_n, no_room(t, k, parallel and steps or 1, forced)
	if full then
		return nil, full
	end
	for position = 1, steps do
		local r = step.read({
			id = new_id(t.g), rule = rule, position = position, incident = incident, depth = depth,
			ruleset = t.ruleset, prev = '', next = '', trail = t.trail, event = false, attempt = '',
			late = false, always = false, idempotent = false, timeout = false, retries = false, backoff = false, -- room
			pool = false, runbook = false, sha256 = false, params = false, step = false,
		}, argv[k + position - 1])
		if before then
			r.prev, r.before, before.next = before.id, before.step, r.id
		else
			first = r.id
		end
		before = r
		t.runs_n = t.runs_n + 1
		t.runs[t.runs_n] = r
	end
	if parallel then
		before.left = steps
		for i = from + 1, t.runs_n do
			t.runs[i].group = before.id
		end
	end
	return first, before
end

-- ---- chains: the runs of one decision, step by step ------------------------------------------------
-- A run's field `bad` says how its chain fared so far: '' well or merely not succeeded, '1' a step ended in failed,
-- timed_out or lost, 'c' it was cancelled or rejected because somebody asked for it. `after`, on the last run, says what
-- follows: f steps on failure (field `failure`), s it counts for the rule's slo (field `slo`).
--
-- Runs that start at once (`parallel: true`) are a group: each has the id of the last one in `group`, and that one in `left`
-- how many have not ended, and in `broken` and `bad` how all of them fared. They are linked by prev and next as others
-- are, so that later steps find what they said, but none waits for another.
local go_on, cancel_chain, approved, untouched
do

local BAD = {failed = '1', timed_out = '1', lost = '1', rejected = 'c'}

-- objective, in 10^-6 percent; good or bad
local function count_slo(p, rule, spec, good, now)
	local objective, within, window, since = match(spec, '^(%d+) (%d+) (%d+) (%d+)$')
	local key, hour = p .. 'slo:' .. rule, floor(now / 3600000)
	good = good and now - since <= num(within)
	call('HSET', key, 'objective', objective, 'window', window)
	if call('HINCRBY', key, text(hour) .. (good and ' good' or ' bad'), 1) > 1 then
		return
	end
	call('SADD', p .. 'slos', rule)
	local fields = call('HKEYS', key)
	for i = 1, #fields do
		local at = match(fields[i], '^(%d+) ')
		if at and (num(at) + 1) * 3600000 <= now - window then
			call('HDEL', key, fields[i])
		end
	end
end

-- Runs that were made outside of an ingest are counted by their incident, and told of on its timeline.
local function tell_runs(p, runs, n, now, reason)
	local first = runs[1]
	first.worker = ''
	local sid = change_record(p, first, first.approval and 'approval' or 'queued', now, reason)
	local v = first.incident ~= '' and call('GET', p .. 'incident:' .. first.incident)
	if not v then
		return
	end
	local inc, key = read_tail(read_incident(first.incident, v)), p .. 'incident:' .. first.incident
	inc.runs = text(inc.runs + n)
	call('SET', key, incident_text(inc))
	for i = 1, n do
		call('RPUSH', key .. ':runs', runs[i].id)
	end
	cut_timeline(key .. ':timeline', call('RPUSHX', key .. ':timeline', sid))
end

local function run_failure_steps(p, r, now)
	local words = step.packed(cjson.decode(r.failure))
	local t = {p = p, argv = words, g = id_clock(p, now), ruleset = r.ruleset, runs_n = 0, queue = 0, trail = r.trail}
	plan_runs(t, 1, #words, r.rule, r.incident, num(r.depth), true)
	t.runs[1].prev = r.id
	for i = 1, t.runs_n do
		t.runs[i].event, t.runs[i].later = r.event, true
		create_run(p, now, t.runs[i], 'runbookd', "on_failure of rule '" .. r.rule .. "'")
	end
	tell_runs(p, t.runs, t.runs_n, now, "on_failure: step '" .. r.broken .. "' did not succeed")
end

local function chain_ended(p, r, now)
	if find(r.after, 's', 1, true) and r.bad ~= 'c' then
		count_slo(p, r.rule, r.slo, r.broken == '', now)
	end
	if find(r.after, 'f', 1, true) and r.bad == '1' then
		run_failure_steps(p, r, now)
	end
end

-- What `broken` and `bad` of a chain or a group become by the end of r.
local function fared(broken, bad, r)
	if broken == '' and r.state ~= 'succeeded' then
		broken = r.step
	end
	if bad ~= '1' then
		bad = BAD[r.state] or (r.state == 'cancelled' and r.cancel ~= '' and 'c') or bad
	end
	return broken, bad
end

-- One of a group has ended.
local function leave_group(p, r, now)
	local last = r.group == r.id and r or run_get(p, r.group)
	if not last then
		return
	end
	last.broken, last.bad = fared(last.broken, last.bad, r)
	call('HSET', p .. 'run:' .. last.id, 'broken', last.broken, 'bad', last.bad)
	if call('HINCRBY', p .. 'run:' .. last.id, 'left', -1) == 0 and last.after ~= '' then
		chain_ended(p, last, now)
	end
end

-- Calls f for each of the group behind r that nobody has begun.
local function each_waiting(p, r, f)
	local id = r.next
	while id ~= '' do
		local other = run_get(p, id)
		if not other then
			return
		end
		if other.state == 'queued' and other.attempt == '' then
			f(other)
		end
		id = other.next
	end
end

-- The first run of the chain or group that begins with r, or is r's, where nobody has begun any of it; else nil.
function untouched(p, r)
	if r.group == '' then
		return r.first == '1' and r.attempt == '' and r.id or nil
	end
	local first, prev = r.id, r.prev
	while prev and prev ~= '' do
		first, prev = prev, call('HGET', p .. 'run:' .. prev, 'prev')
	end
	local id = first
	while id ~= '' do
		local v = call('HMGET', p .. 'run:' .. id, 'attempt', 'next')
		if (v[1] or '') ~= '' then
			return nil
		end
		id = v[2] or ''
	end
	return first
end

-- Somebody approved r, which is in the queue by now: those that waited with it are, too.
function approved(p, r, now)
	if r.group == '' then
		return
	end
	each_waiting(p, r, function(other)
		call('HSET', p .. 'run:' .. other.id, 'reason', '')
		enqueue(p, other.pool, other.id, now, now)
	end)
end

-- The run has ended: its next step is let into the queue, or cancelled, and so on to the first that may run.
function go_on(p, r, now)
	if r.group ~= '' then
		leave_group(p, r, now)
		if r.state == 'rejected' then
			each_waiting(p, r, function(other)
				other.cancel = "step '" .. r.step .. "' was rejected"
				set_state(p, other, 'cancelled', now, 'runbookd', other.cancel, {})
				leave_group(p, other, now)
			end)
		end
		return
	end
	local broken, bad = fared(r.broken, r.bad, r)
	while r.next ~= '' do
		local nxt = run_get(p, r.next)
		if not nxt or nxt.state ~= 'queued' then
			return
		end
		if broken == '' or nxt.always == '1' then
			call('HSET', p .. 'run:' .. nxt.id, 'reason', '', 'broken', broken, 'bad', bad)
			enqueue(p, nxt.pool, nxt.id, now, now)
			return
		end
		set_state(p, nxt, 'cancelled', now, 'runbookd',
			"step '" .. broken .. "' did not succeed", {broken = broken, bad = bad})
		r = nxt
	end
	if r.after ~= '' then
		r.broken, r.bad = broken, bad
		chain_ended(p, r, now)
	end
end

-- A worker that is to look at once whether something of its own is to be stopped.
local function call_worker(p, worker)
	local key = p .. 'call:' .. worker
	if call('LPUSH', key, '1') > BELLS then
		call('LTRIM', key, 0, BELLS - 1)
	end
	call('PEXPIRE', key, 60000)
end

local function ask_to_stop(p, r, now, who, reason)
	if r.cancel ~= '' then
		return
	end
	call('HSET', p .. 'run:' .. r.id, 'cancel', reason)
	call_worker(p, r.worker)
	audit_run(p, r, 'running', 'running', now, who, 'asked to stop: ' .. reason)
	local key = p .. 'incident:' .. r.incident .. ':timeline'
	cut_timeline(key, call('RPUSHX', key, change_record(p, r, 'running', now, 'asked to stop: ' .. reason)))
end

-- The chain that begins with run id shall end: what nobody has begun is cancelled, and all of it where nothing was;
-- what runs is asked to stop, and its worker tells of the end.
function cancel_chain(p, id, now, who, reason)
	local r, begun = run_get(p, id), false
	while r do
		local group = r.group ~= ''
		begun = begun or r.attempt ~= ''
		if r.state == 'running' then
			ask_to_stop(p, r, now, who, reason)
			if not group then
				return
			end
		elseif not FINAL[r.state] then
			r.cancel = reason
			set_state(p, r, 'cancelled', now, who, reason, {})
			if begun or group then
				go_on(p, r, now)
			end
			if begun and not group then
				return
			end
		end
		r = r.next ~= '' and run_get(p, r.next)
	end
end

end

-- A run whose worker is gone: again where that is safe, else lost.
local function worker_gone(p, r, now, why)
	local outlived = num(r.outlived) or 0
	if r.cancel ~= '' then
		set_state(p, r, 'cancelled', now, 'runbookd', r.cancel .. '; ' .. why, {})
		go_on(p, r, now)
		return true
	end
	if r.idempotent == '1' and outlived < LOST_RETRIES then
		set_state(p, r, 'queued', now, 'runbookd', why .. '; it is idempotent and starts again',
			{ready = now, outlived = outlived + 1})
		return false
	end
	set_state(p, r, 'lost', now, 'runbookd', r.idempotent == '1' and
		why .. '; that is the ' .. outlived + 1 .. 'th worker that it outlived' or
		why .. '; it is not idempotent, so it does not start again', {})
	go_on(p, r, now)
	return true
end

