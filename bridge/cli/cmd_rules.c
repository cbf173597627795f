/* cmd_rules.c: rules list: what the running bridge has loaded, in its order.
 *
 * The columns are a choice for people; -o json shows the API's objects whole.
 */
#include "cli/commands.h"
#include "cli/show.h"

static const struct table_column columns[] = {
	{"RULE", COLUMN_FLEXIBLE},
	{"WHEN", COLUMN_FIXED},
	{"MODE", COLUMN_EXTRA},
	{"MATCH", COLUMN_FLEXIBLE},
	{"STEPS", COLUMN_FLEXIBLE},
	{"DESCRIPTION", COLUMN_EXTRA},
};

/* ["disk-usage", "rotate-logs"] or objects with a runbook each: "disk-usage, rotate-logs". */
static struct str steps(struct cli *c, const struct json *rule)
{
	const struct json *list = json_get(rule, "steps");
	struct str text;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	for (const struct json *s = list ? list->child : NULL; s; s = s->next) {
		if (b.n)
			buf_puts(&b, ", ");
		buf_str(&b, s->kind == JSON_STRING ? s->text : show_text(s, "runbook"));
	}
	text = arena_strdup(&c->arena, buf_as_str(&b));
	buf_release(&b);
	return text;
}

static void row(struct cli *c, struct table *t, const struct json *rule)
{
	table_cell(t, STYLE_PLAIN, show_text(rule, "name"));
	table_cell(t, STYLE_PLAIN, show_text(rule, "when"));
	table_cell(t, term_style_of(show_text(rule, "mode")), show_text(rule, "mode"));
	table_cell(t, STYLE_PLAIN, show_text(rule, "match"));
	table_cell(t, STYLE_PLAIN, steps(c, rule));
	table_cell(t, STYLE_DIM, show_text(rule, "description"));
}

static int run(struct cli *c, int argc, char **argv)
{
	static const struct list_view view = {.plural = "rules", .columns = columns,
		.columns_n = sizeof(columns) / sizeof(columns[0]), .row = row, .whole = true};

	(void)argc;
	(void)argv;
	return cli_show_list(c, "/api/v1/rules", &view);
}

const struct command command_rules_list = {
	.name = "rules list",
	.synopsis = "",
	.sentence = "the rules that the bridge has loaded",
	.run = run,
};
