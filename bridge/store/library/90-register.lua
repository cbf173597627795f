-- ---- registration ----------------------------------------------------------------------------------

writes('rb_ingest_v2', ingest)
writes('rb_again_v1', again)
writes('rb_lines_v2', lines)
reads('rb_explain_v2', explain)
writes('rb_claim_v1', claim)
writes('rb_hello_v1', hello)
writes('rb_heartbeat_v1', heartbeat)
writes('rb_output_add_v1', output_add)
writes('rb_run_change_v1', run_change)
writes('rb_run_approve_v1', run_approve)
writes('rb_run_new_v2', run_new)
writes('rb_tick_v1', tick)
writes('rb_watch_v2', watch)
writes('rb_incident_act_v1', incident_act)
reads('rb_list_v1', list)

-- What bridges of 0.1 call, whose words are others. They answer 503 then, and the sender tries another one or again.
local function older()
	return {err = 'ERR this bridge is older than the function library in Redis; replace it by the version that the others have'}
end

reads('rb_ingest_v1', older)
reads('rb_lines_v1', older)
reads('rb_explain_v1', older)
reads('rb_run_new_v1', older)
reads('rb_watch_v1', older)
