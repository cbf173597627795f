/* cmd_incidents.c: incidents list, show and timeline.
 *
 * `show` is the page that the person on call opens at 3 am (incident_page.c); without an ID it is that of
 * the newest open incident.
 */
#include "cli/commands.h"
#include "cli/incident_page.h"
#include "cli/show.h"
#include "cli/timeline.h"

static const struct table_column columns[] = {
	{"ID", COLUMN_FIXED},
	{"STATUS", COLUMN_FIXED},
	{"SEVERITY", COLUMN_FIXED},
	{"OPENED", COLUMN_NUMBER},
	{"FIRING", COLUMN_NUMBER},
	{"RUNS", COLUMN_EXTRA},
	{"TITLE", COLUMN_FLEXIBLE},
	{"KEY", COLUMN_EXTRA},
};

static void row(struct cli *c, struct table *t, const struct json *incident)
{
	struct str status = show_text(incident, "status"), severity = show_text(incident, "severity");
	bool acked = str_is(status, "open") && show_bool(incident, "acked");
	char age[SHOW_TIME_MAX];

	show_age(show_time(incident, "opened"), c->now_ms, age);
	table_cell(t, STYLE_PLAIN, show_text(incident, "id"));
	table_cell(t, acked ? STYLE_PLAIN : term_style_of(status), acked ? STR("acked") : status);
	table_cell(t, term_style_of(severity), severity);
	table_cellz(t, STYLE_PLAIN, age);
	table_cell(t, STYLE_PLAIN, arena_printf(&c->arena, "%.*s/%.*s", STR_ARG(show_text(incident, "firing")),
		STR_ARG(show_text(incident, "alerts"))));
	table_cell(t, STYLE_PLAIN, show_text(incident, "runs"));
	table_cell(t, STYLE_PLAIN, show_text(incident, "title"));
	table_cell(t, STYLE_DIM, show_pairs(&c->arena, json_get(incident, "key")));
}

static int run_list(struct cli *c, int argc, char **argv)
{
	static const struct list_view view = {.plural = "incidents", .columns = columns,
		.columns_n = sizeof(columns) / sizeof(columns[0]), .row = row};

	(void)argc;
	(void)argv;
	return cli_show_list(c, "/api/v1/incidents", &view);
}

static int newest_open(struct cli *c, const char **id)
{
	struct cli_list list;
	int rc = cli_list_path(c, "/api/v1/incidents?status=open", 1, &list);

	if (rc)
		return rc;
	if (list.n == 0) {
		cli_error("no incident is open; see runbookctl incidents list");
		return CLI_NOT_FOUND;
	}
	*id = arena_strdup(&c->arena, show_text(list.v[0], "id")).p;
	return *id ? 0 : CLI_FAILED;
}

static int run_show(struct cli *c, int argc, char **argv)
{
	const char *id = argc ? argv[0] : NULL;
	const struct json *incident;
	struct buf path;
	int rc = id ? 0 : newest_open(c, &id);

	if (rc)
		return rc;
	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/incidents/");
	url_segment(&path, id);
	rc = cli_get(c, path.p, &incident);
	if (rc == 0 && c->o.format == CLI_TABLE)
		rc = incident_page(c, path.p, incident);
	else if (rc == 0)
		cli_print(c, incident);
	buf_release(&path);
	return rc;
}

static int run_timeline(struct cli *c, int argc, char **argv)
{
	struct cli_list list;
	struct buf path;
	int rc;

	(void)argc;
	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/incidents/");
	url_segment(&path, argv[0]);
	buf_puts(&path, "/timeline");
	rc = cli_list_path(c, path.p, c->o.limit ? (size_t)c->o.limit : CLI_LIMIT_MAX, &list);
	buf_release(&path);
	if (rc)
		return rc;
	if (c->o.format == CLI_TABLE)
		timeline_print(c, list.v, list.n, 0);
	else
		cli_print_list(c, &list);
	return CLI_GOOD;
}

const struct command command_incidents_list = {
	.name = "incidents list",
	.synopsis = "",
	.sentence = "incidents, newest first",
	.scopes = SCOPE_STATUS | SCOPE_FILTER | SCOPE_TIME | SCOPE_LIMIT,
	.run = run_list,
};

const struct command command_incidents_show = {
	.name = "incidents show",
	.synopsis = "[ID]",
	.sentence = "what is broken, what ran and what it printed (without ID: the newest open one)",
	.args_max = 1,
	.run = run_show,
};

const struct command command_incidents_timeline = {
	.name = "incidents timeline",
	.synopsis = "ID",
	.sentence = "all that happened to an incident: alerts, decisions and runs, oldest first",
	.scopes = SCOPE_LIMIT,
	.args_min = 1,
	.args_max = 1,
	.run = run_timeline,
};
