-- wrk: messages of FLOOD_ALERTS alerts, new ones each time, for test_fairness.py and bench_bounds.py.
local alerts = tonumber(os.getenv("FLOOD_ALERTS"))
local sent, thread = 0, 0
local message

function setup(t)
	thread = thread + 1
	t:set("number", thread)
end

-- What stays the same is made once, so that wrk has time to send.
function init()
	local list = {}

	for i = 1, alerts do
		list[i] = string.format('{"status":"firing","startsAt":"2026-01-01T00:00:00Z","labels":{"alertname":"Flood",'
			.. '"host":"h-%d-%d","instance":"@"}}', number, i)
	end
	message = '{"version":"4","alerts":[' .. table.concat(list, ",") .. ']}'
end

function request()
	sent = sent + 1
	return wrk.format("POST", "/ingest/flood", {["Content-Type"] = "application/json"}, (message:gsub("@", sent)))
end
