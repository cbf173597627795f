-- What wrk sends. Arguments: the case of bench_ingest.py, and the number of the measurement, which keeps the
-- alerts of two measurements apart. BENCH_BODY is one notification; in its alert, alertname, instance, n and
-- fingerprint are replaced.
local KNOWN = 100	-- alerts that are sent again and again
local ALERTS_AN_INCIDENT = 10

local case, run, head
local texts, keys, tail = {}, {}, nil	-- the body: texts[1] <value of keys[1]> texts[2] ... tail
local known, count = {}, 0

local function cut(body)
	local from, first = 1, body:find('"alerts":[', 1, true)
	local places = {}
	for _, key in ipairs({"alertname", "instance", "n", "fingerprint"}) do
		local _, before = body:find('"' .. key .. '":"', first, true)
		table.insert(places, {from = before + 1, to = body:find('"', before + 1, true), key = key})
	end
	table.sort(places, function(x, y) return x.from < y.from end)
	for i, place in ipairs(places) do
		texts[i], keys[i] = body:sub(from, place.from - 1), place.key
		from = place.to
	end
	tail = body:sub(from)
end

local function build(values)
	local body = texts[1] .. values[keys[1]] .. texts[2] .. values[keys[2]] .. texts[3] .. values[keys[3]] ..
		texts[4] .. values[keys[4]] .. tail
	return head .. #body .. "\r\n\r\n" .. body
end

function init(args)
	case, run = args[1], tonumber(args[2])
	cut(os.getenv("BENCH_BODY"))
	head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Alertmanager/0.25.0\r\n" ..
		"Content-Type: application/json\r\nContent-Length: "
	for i = 0, KNOWN - 1 do
		known[i] = build({alertname = "BenchmarkAlert", instance = ("host-%08d:9100"):format(math.floor(i / 10)),
			n = ("%08d"):format(i), fingerprint = ("%016x"):format(i)})
	end
end

function request()
	local i = count
	count = count + 1
	if case == "b" then
		return build({alertname = "BenchmarkAlert", n = ("%08d"):format(i), fingerprint = ("b%03x%012x"):format(run, i),
			instance = ("host-%03d-%05d:9100"):format(run, math.floor(i / ALERTS_AN_INCIDENT))})
	elseif case == "c" then
		return build({alertname = "BenchmarkStorm", n = ("%08d"):format(i), fingerprint = ("c%03x%012x"):format(run, i),
			instance = "storm:9100"})
	end
	return known[i % KNOWN]
end
