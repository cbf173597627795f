/* commands.c: the table of commands, ended by NULL.
 *
 * A new command is a file and a line here; its descriptor stands in its file. Parser, --help and the
 * manual page's list follow this table, in this order.
 */
#include "cli/commands.h"

const struct command *const commands[] = {
	&command_incidents_list,
	&command_incidents_show,
	&command_incidents_timeline,
	&command_incidents_ack,
	&command_incidents_unack,
	&command_incidents_close,
	&command_incidents_note,
	&command_related,
	&command_alerts_list,
	&command_events_list,
	&command_events_emit,
	&command_events_replay,
	&command_runs_list,
	&command_runs_show,
	&command_runs_output,
	&command_run,
	&command_rules_list,
	&command_runbooks_list,
	&command_audit_list,
	&command_pause_list,
	&command_pause_rule,
	&command_pause_runbook,
	&command_pause_all,
	&command_resume_rule,
	&command_resume_runbook,
	&command_resume_all,
	&command_explain,
	&command_check,
	&command_lint,
	&command_test,
	&command_patterns_test,
	&command_patterns_suggest,
	&command_import_am,
	&command_import_webhook,
	&command_import_krpn,
	&command_reload,
	&command_token_new,
	&command_version,
	NULL,
};
