/* cmd_alerts.c: alerts list: what fires and what fired, newest first.
 *
 * The columns are a choice for people; -o json shows the API's objects whole.
 */
#include "cli/commands.h"
#include "cli/show.h"

static const struct table_column columns[] = {
	{"STATUS", COLUMN_FIXED},
	{"SEVERITY", COLUMN_FIXED},
	{"SINCE", COLUMN_NUMBER},
	{"COUNT", COLUMN_EXTRA},
	{"ALERT", COLUMN_FLEXIBLE},
	{"SUMMARY", COLUMN_FLEXIBLE},
	{"SOURCE", COLUMN_EXTRA},
	{"FINGERPRINT", COLUMN_EXTRA},
	{"INCIDENT", COLUMN_EXTRA},
};

static void row(struct cli *c, struct table *t, const struct json *alert)
{
	struct str status = show_text(alert, "status"), severity = show_text(alert, "severity");
	char age[SHOW_TIME_MAX];

	show_age(show_time(alert, "starts_at"), c->now_ms, age);
	table_cell(t, term_style_of(status), status);
	table_cell(t, term_style_of(severity), severity);
	table_cellz(t, STYLE_PLAIN, age);
	table_cell(t, STYLE_PLAIN, show_text(alert, "count"));
	table_cell(t, STYLE_PLAIN, show_alert_name(&c->arena, alert));
	table_cell(t, STYLE_PLAIN, show_text(alert, "summary"));
	table_cell(t, STYLE_DIM, show_text(alert, "source"));
	table_cell(t, STYLE_DIM, show_text(alert, "fingerprint"));
	table_cell(t, STYLE_PLAIN, show_text(alert, "incident"));
}

static int run(struct cli *c, int argc, char **argv)
{
	static const struct list_view view = {.plural = "alerts", .columns = columns,
		.columns_n = sizeof(columns) / sizeof(columns[0]), .row = row};

	(void)argc;
	(void)argv;
	return cli_show_list(c, "/api/v1/alerts", &view);
}

const struct command command_alerts_list = {
	.name = "alerts list",
	.synopsis = "",
	.sentence = "alerts, newest first",
	.scopes = SCOPE_STATUS | SCOPE_FILTER | SCOPE_TIME | SCOPE_LIMIT,
	.run = run,
};
