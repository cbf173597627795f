-- wrk: messages of FLOOD_ALERTS alerts, new ones each time, for test_fairness.py.
local alerts = tonumber(os.getenv("FLOOD_ALERTS"))
local sent, thread = 0, 0

function setup(t)
	thread = thread + 1
	t:set("number", thread)
end

function request()
	local list = {}

	sent = sent + 1
	for i = 1, alerts do
		list[i] = string.format('{"status":"firing","startsAt":"2026-01-01T00:00:00Z","labels":{"alertname":"Flood",'
			.. '"instance":"h-%d-%d-%d"}}', number, sent, i)
	end
	return wrk.format("POST", "/ingest/flood", {["Content-Type"] = "application/json"},
		'{"version":"4","alerts":[' .. table.concat(list, ",") .. ']}')
end
