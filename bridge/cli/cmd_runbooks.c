/* cmd_runbooks.c: runbooks list: what can be run, with its parameters.
 *
 * The columns are a choice for people; -o json shows the API's objects whole.
 */
#include "cli/commands.h"
#include "cli/show.h"

static const struct table_column columns[] = {
	{"RUNBOOK", COLUMN_FIXED},
	{"KIND", COLUMN_FIXED},
	{"TIMEOUT", COLUMN_NUMBER},
	{"PARAMETERS", COLUMN_FLEXIBLE},
	{"SUMMARY", COLUMN_FLEXIBLE},
};

/* "path=", those that are not required in brackets: "path= [days=]". */
static struct str params(struct cli *c, const struct json *runbook)
{
	const struct json *list = json_get(runbook, "params");
	struct str text;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	for (const struct json *p = list ? list->child : NULL; p; p = p->next) {
		bool required = show_bool(p, "required");

		if (b.n)
			buf_putc(&b, ' ');
		buf_puts(&b, required ? "" : "[");
		buf_str(&b, p->key.n ? p->key : show_text(p, "name"));
		buf_puts(&b, required ? "=" : "=]");
	}
	text = arena_strdup(&c->arena, buf_as_str(&b));
	buf_release(&b);
	return text;
}

static void row(struct cli *c, struct table *t, const struct json *runbook)
{
	table_cell(t, STYLE_PLAIN, show_text(runbook, "name"));
	table_cell(t, STYLE_PLAIN, show_text(runbook, "kind"));
	table_cell(t, STYLE_PLAIN, show_text(runbook, "timeout"));
	table_cell(t, STYLE_PLAIN, params(c, runbook));
	table_cell(t, STYLE_PLAIN, show_text(runbook, "summary"));
}

static int run(struct cli *c, int argc, char **argv)
{
	static const struct list_view view = {.plural = "runbooks", .columns = columns,
		.columns_n = sizeof(columns) / sizeof(columns[0]), .row = row, .whole = true};

	(void)argc;
	(void)argv;
	return cli_show_list(c, "/api/v1/runbooks", &view);
}

const struct command command_runbooks_list = {
	.name = "runbooks list",
	.synopsis = "",
	.sentence = "the runbooks that the bridge has loaded",
	.run = run,
};
