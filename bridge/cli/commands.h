/* commands.h: every command's descriptor, for the table. */
#ifndef RB_CLI_COMMANDS_H
#define RB_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct command command_incidents_list;
extern const struct command command_incidents_show;
extern const struct command command_incidents_timeline;
extern const struct command command_incidents_ack;
extern const struct command command_incidents_unack;
extern const struct command command_incidents_close;
extern const struct command command_incidents_note;
extern const struct command command_incidents_merge;
extern const struct command command_incidents_split;
extern const struct command command_related;
extern const struct command command_alerts_list;
extern const struct command command_events_list;
extern const struct command command_events_tail;
extern const struct command command_events_emit;
extern const struct command command_events_replay;
extern const struct command command_explain;
extern const struct command command_runs_list;
extern const struct command command_runs_show;
extern const struct command command_runs_output;
extern const struct command command_run;
extern const struct command command_rules_list;
extern const struct command command_runbooks_list;
extern const struct command command_audit_list;
extern const struct command command_pause_list;
extern const struct command command_pause_rule;
extern const struct command command_pause_runbook;
extern const struct command command_pause_matchers;
extern const struct command command_pause_all;
extern const struct command command_resume_rule;
extern const struct command command_resume_runbook;
extern const struct command command_resume_matchers;
extern const struct command command_resume_all;
extern const struct command command_insights;
extern const struct command command_check;
extern const struct command command_lint;
extern const struct command command_patterns_suggest;
extern const struct command command_patterns_test;
extern const struct command command_import_am;
extern const struct command command_import_webhook;
extern const struct command command_import_krpn;
extern const struct command command_reload;
extern const struct command command_test;
extern const struct command command_token_new;
extern const struct command command_version;

#endif
