/* cmd_runs.c: runs list, show and output: what was executed, how it ended, what it printed.
 *
 * `output` gives the bytes as the run printed them where standard output is no terminal, and escapes
 * what a terminal would act on where it is one.
 */
#include "cli/commands.h"
#include "cli/run_view.h"
#include "cli/show.h"

static const struct table_column columns[] = {
	{"ID", COLUMN_FIXED},
	{"STATE", COLUMN_FIXED},
	{"RUNBOOK", COLUMN_FLEXIBLE},
	{"RULE", COLUMN_EXTRA},
	{"QUEUED", COLUMN_NUMBER},
	{"TOOK", COLUMN_NUMBER},
	{"REASON", COLUMN_FLEXIBLE},
	{"INCIDENT", COLUMN_EXTRA},
};

static void row(struct cli *c, struct table *t, const struct json *run)
{
	struct str state = show_text(run, "state");
	char age[SHOW_TIME_MAX];

	show_age(show_time(run, "queued"), c->now_ms, age);
	table_cell(t, STYLE_PLAIN, show_text(run, "id"));
	table_cell(t, term_style_of(state), state);
	table_cell(t, STYLE_PLAIN, show_text(run, "runbook"));
	table_cell(t, STYLE_PLAIN, show_text(run, "rule"));
	table_cellz(t, STYLE_PLAIN, age);
	table_cell(t, STYLE_PLAIN, run_took(c, run));
	table_cell(t, STYLE_PLAIN, run_reason(c, run));
	table_cell(t, STYLE_DIM, show_text(run, "incident"));
}

static int run_list(struct cli *c, int argc, char **argv)
{
	static const struct list_view view = {.plural = "runs", .columns = columns,
		.columns_n = sizeof(columns) / sizeof(columns[0]), .row = row};

	(void)argc;
	(void)argv;
	return cli_show_list(c, "/api/v1/runs", &view);
}

/* ---- show ---- */

static void line(struct cli *c, const char *name, enum style style, struct str value)
{
	if (value.n == 0)
		return;
	term_style_on(&c->term, &c->out, STYLE_DIM);
	buf_printf(&c->out, "%-10s", name);
	term_style_off(&c->term, &c->out, STYLE_DIM);
	buf_putc(&c->out, ' ');
	term_style_on(&c->term, &c->out, style);
	term_escape(&c->out, value);
	term_style_off(&c->term, &c->out, style);
	buf_putc(&c->out, '\n');
}

static void line_time(struct cli *c, const char *name, const struct json *run, const char *key)
{
	int64_t ms = show_time(run, key);
	char full[SHOW_TIME_MAX], age[SHOW_TIME_MAX];

	if (!ms)
		return;
	show_local_full(ms, full);
	show_age(ms, c->now_ms, age);
	line(c, name, STYLE_PLAIN, arena_printf(&c->arena, "%s (%s ago)", full, age));
}

static struct str artifacts(struct cli *c, const struct json *run)
{
	const struct json *list = json_get(run, "artifacts");
	struct str text;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	for (const struct json *a = list ? list->child : NULL; a; a = a->next) {
		if (b.n)
			buf_puts(&b, ", ");
		buf_str(&b, a->kind == JSON_STRING ? a->text : show_text(a, "name"));
		if (show_text(a, "size").n) {
			buf_puts(&b, " (");
			buf_str(&b, show_text(a, "size"));
			buf_puts(&b, " bytes)");
		}
	}
	text = arena_strdup(&c->arena, buf_as_str(&b));
	buf_release(&b);
	return text;
}

static int print_page(struct cli *c, const struct json *run)
{
	struct str state = show_text(run, "state"), attempt = show_text(run, "attempt");

	line(c, "run", STYLE_BOLD, show_text(run, "id"));
	line(c, "state", term_style_of(state), state);
	line(c, "reason", STYLE_PLAIN, run_reason(c, run));
	line(c, "runbook", STYLE_PLAIN, show_text(run, "runbook"));
	line(c, "rule", STYLE_PLAIN, show_text(run, "rule"));
	line(c, "incident", STYLE_PLAIN, show_text(run, "incident"));
	line(c, "event", STYLE_PLAIN, show_text(run, "event"));
	line(c, "params", STYLE_PLAIN, show_pairs(&c->arena, json_get(run, "params")));
	line(c, "pool", STYLE_PLAIN, show_text(run, "pool"));
	line(c, "worker", STYLE_PLAIN, show_text(run, "worker"));
	line(c, "attempt", STYLE_PLAIN, str_is(attempt, "0") ? STR("") : attempt);
	line_time(c, "queued", run, "queued");
	line_time(c, "started", run, "started");
	line_time(c, "finished", run, "finished");
	line(c, "took", STYLE_PLAIN, run_took(c, run));
	line(c, "exit", STYLE_PLAIN, show_text(run, "exit_code"));
	line(c, "artifacts", STYLE_PLAIN, artifacts(c, run));
	return run_print_ends(c, run, "  | ");
}

static int run_show(struct cli *c, int argc, char **argv)
{
	const struct json *run;
	struct buf path;
	int rc;

	(void)argc;
	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/runs/");
	url_segment(&path, argv[0]);
	rc = cli_get(c, path.p, &run);
	buf_release(&path);
	if (rc)
		return rc;
	if (c->o.format == CLI_TABLE)
		return print_page(c, run);
	cli_print(c, run);
	return CLI_GOOD;
}

static int run_output(struct cli *c, int argc, char **argv)
{
	(void)argc;
	if (c->o.format == CLI_YAML) {
		cli_error("the output of a run has no yaml form; take -o json, or none");
		return CLI_USAGE;
	}
	return cli_follow_output(c, argv[0], c->o.follow);
}

const struct command command_runs_list = {
	.name = "runs list",
	.synopsis = "",
	.sentence = "runs, newest first",
	.scopes = SCOPE_STATUS | SCOPE_FILTER | SCOPE_TIME | SCOPE_LIMIT,
	.run = run_list,
};

const struct command command_runs_show = {
	.name = "runs show",
	.synopsis = "ID",
	.sentence = "one run: state and reason, parameters, times, how its output begins and ends",
	.args_min = 1,
	.args_max = 1,
	.run = run_show,
};

const struct command command_runs_output = {
	.name = "runs output",
	.synopsis = "ID [-f]",
	.sentence = "what a run printed; with -f as it comes, until it ended",
	.scopes = SCOPE_FOLLOW,
	.args_min = 1,
	.args_max = 1,
	.run = run_output,
};
