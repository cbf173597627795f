-- ---- registration ----------------------------------------------------------------------------------

local function writes(name, f)
	redis.register_function(name, function(keys, argv)
		if not call then
			bind()
		end
		return f(keys, argv)
	end)
end

local function reads(name, f)
	redis.register_function{
		function_name = name,
		callback = function(keys, argv)
			if not call then
				bind()
			end
			return f(keys, argv)
		end,
		flags = {'no-writes'},
	}
end

writes('rb_ingest_v1', ingest)
writes('rb_again_v1', again)
writes('rb_lines_v1', lines)
reads('rb_explain_v1', explain)
writes('rb_claim_v1', claim)
writes('rb_hello_v1', hello)
writes('rb_heartbeat_v1', heartbeat)
writes('rb_output_add_v1', output_add)
writes('rb_run_change_v1', run_change)
writes('rb_run_approve_v1', run_approve)
writes('rb_run_new_v1', run_new)
writes('rb_tick_v1', tick)
writes('rb_watch_v1', watch)
writes('rb_audit_v1', audit_act)
writes('rb_open_v1', open)
writes('rb_pause_v1', pause)
writes('rb_resume_v1', resume)
writes('rb_incident_act_v1', incident_act)
reads('rb_pauses_v1', pauses)
reads('rb_list_v1', list)
reads('rb_get_v1', get)
reads('rb_output_v1', output)
reads('rb_inbox_v1', inbox)
reads('rb_stats_v1', stats)
reads('rb_version_v1', version)
-- For any client: these names stay.
reads('rb_incidents', incidents_of)
reads('rb_incident', incident_of)
reads('rb_related', related_to)
reads('rb_alert', alert_of)
