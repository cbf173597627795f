/* cmd_audit.c: audit list: who or what changed what, when and why, newest first.
 *
 * The columns are a choice for people; -o json shows the records whole.
 */
#include "cli/commands.h"
#include "cli/show.h"

static const struct table_column columns[] = {
	{"TIME", COLUMN_FIXED},
	{"WHAT", COLUMN_FIXED},
	{"CHANGE", COLUMN_FIXED},
	{"RULE", COLUMN_EXTRA},
	{"RUNBOOK", COLUMN_FLEXIBLE},
	{"WHO", COLUMN_FLEXIBLE},
	{"REASON", COLUMN_FLEXIBLE},
	{"RUN", COLUMN_EXTRA},
};

/* "running > succeeded" */
static struct str change(struct cli *c, const struct json *record)
{
	struct str from = show_text(record, "from"), to = show_text(record, "to");

	if (from.n == 0)
		return to;
	return arena_printf(&c->arena, "%.*s > %.*s", STR_ARG(from), STR_ARG(to));
}

static void row(struct cli *c, struct table *t, const struct json *record)
{
	char time[SHOW_TIME_MAX];

	show_local(show_time(record, "time"), c->now_ms, time);
	table_cellz(t, STYLE_PLAIN, time);
	table_cell(t, STYLE_PLAIN, show_text(record, "what"));
	table_cell(t, term_style_of(show_text(record, "to")), change(c, record));
	table_cell(t, STYLE_PLAIN, show_text(record, "rule"));
	table_cell(t, STYLE_PLAIN, show_text(record, "runbook"));
	table_cell(t, STYLE_PLAIN, show_text(record, "who"));
	table_cell(t, STYLE_PLAIN, show_text(record, "reason"));
	table_cell(t, STYLE_DIM, show_text(record, "run"));
}

static int run(struct cli *c, int argc, char **argv)
{
	static const struct list_view view = {.plural = "records", .columns = columns,
		.columns_n = sizeof(columns) / sizeof(columns[0]), .row = row};

	(void)argc;
	(void)argv;
	return cli_show_list(c, "/api/v1/audit", &view);
}

const struct command command_audit_list = {
	.name = "audit list",
	.synopsis = "",
	.sentence = "who or what changed what, when and why, newest first",
	.scopes = SCOPE_FILTER | SCOPE_TIME | SCOPE_LIMIT,
	.run = run,
};
