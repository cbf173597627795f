/* cmd_related.c: related: the incidents that had something to do with a host, a service, a deploy.
 *
 * Looked up by the labels of all their alerts, not only of the first one as `incidents list
 * --filter` does.
 */
#include "cli/commands.h"
#include "cli/show.h"

static const struct table_column columns[] = {
	{"ID", COLUMN_FIXED},
	{"STATUS", COLUMN_FIXED},
	{"SEVERITY", COLUMN_FIXED},
	{"OPENED", COLUMN_NUMBER},
	{"TITLE", COLUMN_FLEXIBLE},
	{"SHARED", COLUMN_FLEXIBLE},
};

static struct str shared(struct cli *c, const struct json *incident)
{
	const struct json *list = json_get(incident, "shared");
	struct str all = STR("");

	for (const struct json *s = list ? list->child : NULL; s; s = s->next)
		all = arena_printf(&c->arena, "%.*s%s%.*s", STR_ARG(all), all.n ? " " : "",
			STR_ARG(json_str(s)));
	return all;
}

static void row(struct cli *c, struct table *t, const struct json *incident)
{
	struct str status = show_text(incident, "status"),
		   severity = show_text(incident, "severity");
	char age[SHOW_TIME_MAX];

	show_age(show_time(incident, "opened"), c->now_ms, age);
	table_cell(t, STYLE_PLAIN, show_text(incident, "id"));
	table_cell(t, term_style_of(status), status);
	table_cell(t, term_style_of(severity), severity);
	table_cellz(t, STYLE_PLAIN, age);
	table_cell(t, STYLE_PLAIN, show_text(incident, "title"));
	table_cell(t, STYLE_DIM, shared(c, incident));
}

static int run(struct cli *c, int argc, char **argv)
{
	static const struct list_view view = {.plural = "related incidents",
		.columns = columns,
		.columns_n = sizeof(columns) / sizeof(columns[0]),
		.row = row};
	struct buf path;
	int rc;

	(void)argc;
	(void)argv;
	if (c->o.labels_n == 0) {
		cli_error("related needs a label, as --label instance=db-17");
		return CLI_USAGE;
	}
	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/related");
	for (size_t i = 0; i < c->o.labels_n; i++)
		url_query(&path, "label", c->o.labels[i]);
	rc = cli_show_list(c, path.p, &view);
	buf_release(&path);
	return rc;
}

const struct command command_related = {
	.name = "related",
	.synopsis = "-l NAME=VALUE...",
	.sentence = "incidents of which some alert had one of these labels, newest first",
	.scopes = SCOPE_LABEL | SCOPE_STATUS | SCOPE_FILTER | SCOPE_TIME | SCOPE_LIMIT,
	.run = run,
};
