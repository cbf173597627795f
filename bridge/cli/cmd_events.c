/* cmd_events.c: events list: everything that came in, alerts and others, newest first.
 *
 * The columns are a choice for people; -o json shows the API's objects whole.
 */
#include "cli/commands.h"
#include "cli/show.h"

static const struct table_column columns[] = {
	{"ID", COLUMN_FIXED},
	{"RECEIVED", COLUMN_FIXED},
	{"TYPE", COLUMN_FLEXIBLE},
	{"STATUS", COLUMN_FIXED},
	{"SEVERITY", COLUMN_FIXED},
	{"WHAT", COLUMN_FLEXIBLE},
	{"SOURCE", COLUMN_EXTRA},
};

static void row(struct cli *c, struct table *t, const struct json *event)
{
	struct str status = show_text(event, "status"), severity = show_text(event, "severity");
	struct str summary = show_text(event, "summary");
	char time[SHOW_TIME_MAX];

	show_local(show_time(event, "received"), c->now_ms, time);
	table_cell(t, STYLE_PLAIN, show_text(event, "id"));
	table_cellz(t, STYLE_PLAIN, time);
	table_cell(t, STYLE_PLAIN, show_text(event, "type"));
	table_cell(t, term_style_of(status), status);
	table_cell(t, term_style_of(severity), severity);
	table_cell(t, STYLE_PLAIN, summary.n ? summary : show_pairs(&c->arena, json_get(event, "labels")));
	table_cell(t, STYLE_DIM, show_text(event, "source"));
}

static int run(struct cli *c, int argc, char **argv)
{
	static const struct list_view view = {.plural = "events", .columns = columns,
		.columns_n = sizeof(columns) / sizeof(columns[0]), .row = row};

	(void)argc;
	(void)argv;
	return cli_show_list(c, "/api/v1/events", &view);
}

const struct command command_events_list = {
	.name = "events list",
	.synopsis = "",
	.sentence = "events of all kinds, newest first",
	.scopes = SCOPE_STATUS | SCOPE_FILTER | SCOPE_TIME | SCOPE_LIMIT,
	.run = run,
};
