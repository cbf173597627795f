/* cmd_insights.c: insights: what was learned of alerts and rules over a period, and what could be
 * configured otherwise.
 *
 * A part without rows is left out. What is suggested is printed as it stands, so that it can be
 * pasted.
 */
#include <stdio.h>
#include <stdlib.h>
#include "cli/commands.h"
#include "cli/show.h"

/* ---- cells ---- */

static void cell_seconds(struct cli *c, struct table *t, const struct json *row, const char *key)
{
	struct str s = show_text(row, key);
	char took[SHOW_TIME_MAX];

	if (s.n == 0) {
		table_cellz(t, STYLE_DIM, "-");
		return;
	}
	show_duration((int64_t)(strtod(arena_strdup(&c->arena, s).p, NULL) * 1000), took);
	table_cellz(t, STYLE_PLAIN, took);
}

static struct str percent(struct cli *c, const struct json *row, const char *key)
{
	struct str s = show_text(row, key);

	if (s.n == 0)
		return STR("-");
	return arena_printf(&c->arena, "%.0f%%", strtod(arena_strdup(&c->arena, s).p, NULL) * 100);
}

/* ["a", "b"] as "a, b" */
static struct str names(struct cli *c, const struct json *list, const char *between)
{
	struct str text = STR_NONE;

	for (const struct json *j = list ? list->child : NULL; j; j = j->next)
		text = text.n ? arena_printf(&c->arena, "%.*s%s%.*s", STR_ARG(text), between,
					STR_ARG(j->text))
			      : j->text;
	return text;
}

/* ---- parts ---- */

static const struct table_column alert_columns[] = {{"ALERT", COLUMN_FLEXIBLE},
	{"TIMES", COLUMN_NUMBER}, {"SHARE", COLUMN_NUMBER}, {"RESOLVED", COLUMN_NUMBER},
	{"AFTER", COLUMN_NUMBER}, {"ACKED AFTER", COLUMN_NUMBER}, {"REPAIRED", COLUMN_NUMBER},
	{"REPAIRED AFTER", COLUMN_NUMBER}, {"RULE", COLUMN_EXTRA}};

static void alert_row(struct cli *c, struct table *t, const struct json *a)
{
	table_cell(t, STYLE_PLAIN, show_text(a, "alertname"));
	table_cell(t, STYLE_PLAIN, show_text(a, "occurrences"));
	table_cell(t, STYLE_DIM, percent(c, a, "share"));
	table_cell(t, STYLE_PLAIN, show_text(a, "resolved"));
	cell_seconds(c, t, a, "resolve_seconds");
	cell_seconds(c, t, a, "acknowledge_seconds");
	table_cell(t, STYLE_PLAIN, percent(c, a, "repaired_share"));
	cell_seconds(c, t, a, "repair_seconds");
	table_cell(t, STYLE_DIM, show_text(a, "rule"));
}

static const struct table_column flapper_columns[] = {{"FLAPPING", COLUMN_FLEXIBLE},
	{"CHANGES", COLUMN_NUMBER}, {"TIMES", COLUMN_NUMBER}, {"RESOLVED AFTER", COLUMN_NUMBER}};

static void flapper_row(struct cli *c, struct table *t, const struct json *a)
{
	table_cell(t, STYLE_PLAIN, show_text(a, "alertname"));
	table_cell(t, STYLE_PLAIN, show_text(a, "flapped"));
	table_cell(t, STYLE_PLAIN, show_text(a, "occurrences"));
	cell_seconds(c, t, a, "resolve_seconds");
}

static const struct table_column together_columns[] = {{"ALWAYS TOGETHER", COLUMN_FLEXIBLE},
	{"TIMES", COLUMN_NUMBER}, {"CONFIDENCE", COLUMN_NUMBER}, {"SAME LABELS", COLUMN_EXTRA}};

static void together_row(struct cli *c, struct table *t, const struct json *p)
{
	table_cell(t, STYLE_PLAIN, names(c, json_get(p, "alertnames"), " and "));
	table_cell(t, STYLE_PLAIN, show_text(p, "support"));
	table_cell(t, STYLE_PLAIN, percent(c, p, "confidence"));
	table_cell(t, STYLE_DIM, names(c, json_get(p, "labels"), ", "));
}

static const struct table_column follows_columns[] = {{"AFTER", COLUMN_FLEXIBLE},
	{"COMES", COLUMN_FLEXIBLE}, {"WITHIN", COLUMN_NUMBER}, {"GIVE OR TAKE", COLUMN_NUMBER},
	{"TIMES", COLUMN_NUMBER}, {"CONFIDENCE", COLUMN_NUMBER}};

static void follows_row(struct cli *c, struct table *t, const struct json *p)
{
	table_cell(t, STYLE_PLAIN, show_text(p, "first"));
	table_cell(t, STYLE_PLAIN, show_text(p, "then"));
	cell_seconds(c, t, p, "delay_seconds");
	cell_seconds(c, t, p, "spread_seconds");
	table_cell(t, STYLE_PLAIN, show_text(p, "support"));
	table_cell(t, STYLE_PLAIN, percent(c, p, "confidence"));
}

static const struct table_column rule_columns[] = {
	{"NEVER RAN", COLUMN_FLEXIBLE}, {"MATCHED", COLUMN_NUMBER}};

static void rule_row(struct cli *c, struct table *t, const struct json *r)
{
	(void)c;
	table_cell(t, STYLE_PLAIN, show_text(r, "rule"));
	table_cell(t, STYLE_PLAIN, show_text(r, "matched"));
}

#define COLUMNS(v) v, sizeof(v) / sizeof(v[0])

static const struct part {
	const char *member;
	const struct table_column *columns;
	size_t columns_n;
	void (*row)(struct cli *c, struct table *t, const struct json *item);
} parts[] = {
	{"alerts", COLUMNS(alert_columns), alert_row},
	{"flappers", COLUMNS(flapper_columns), flapper_row},
	{"together", COLUMNS(together_columns), together_row},
	{"follows", COLUMNS(follows_columns), follows_row},
	{"rules_never_fired", COLUMNS(rule_columns), rule_row},
};

static void print_part(struct cli *c, const struct json *answer, const struct part *part)
{
	const struct json *list = json_get(answer, part->member);
	struct table t;

	if (!list || !list->child)
		return;
	table_init(&t, &c->arena, part->columns, part->columns_n);
	for (const struct json *j = list->child; j; j = j->next)
		part->row(c, &t, j);
	table_print(&t, &c->term, &c->out);
	buf_putc(&c->out, '\n');
}

static void print_suggestions(struct cli *c, const struct json *answer)
{
	const struct json *list = json_get(answer, "suggestions");

	for (const struct json *s = list ? list->child : NULL; s; s = s->next) {
		buf_puts(&c->out, "# ");
		term_escape(&c->out, show_text(s, "why"));
		buf_putc(&c->out, '\n');
		term_escape_lines(&c->out, show_text(s, "yaml"));
		buf_putc(&c->out, '\n');
	}
}

static void print_summary(struct cli *c, const struct json *answer)
{
	const struct json *repaired = json_get(answer, "repaired_without_a_person"),
			  *left = json_get(answer, "left_out");
	char since[SHOW_TIME_MAX];

	show_local_full(show_time(answer, "since"), since);
	buf_printf(&c->out, "since %s: %lld occurrences, %lld resolved, ", since,
		(long long)show_i64(answer, "occurrences"),
		(long long)show_i64(repaired, "resolved"));
	buf_str(&c->out, percent(c, repaired, "share"));
	buf_puts(&c->out, " of them repaired without a person\n");
	if (show_i64(left, "alertnames") > 0)
		buf_printf(&c->out, "too many names: %lld with %lld occurrences are left out\n",
			(long long)show_i64(left, "alertnames"),
			(long long)show_i64(left, "occurrences"));
	buf_putc(&c->out, '\n');
}

/* ---- the command ---- */

static int run(struct cli *c, int argc, char **argv)
{
	const struct json *answer = NULL;
	char rows[24];
	struct buf path;

	(void)argc;
	(void)argv;
	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/insights");
	snprintf(rows, sizeof(rows), "%lld", (long long)c->o.limit);
	url_query(&path, "limit", c->o.limit ? rows : NULL);
	int rc = cli_add_times(c, &path);
	if (!rc)
		rc = cli_get(c, path.p, &answer);
	buf_release(&path);
	if (rc)
		return rc;
	if (c->o.format != CLI_TABLE) {
		cli_print(c, answer);
		return CLI_GOOD;
	}
	if (show_time(answer, "since") == 0) {
		fprintf(stderr, "nothing was counted in that time\n");
		return CLI_GOOD;
	}
	print_summary(c, answer);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		print_part(c, answer, &parts[i]);
	print_suggestions(c, answer);
	return CLI_GOOD;
}

const struct command command_insights = {
	.name = "insights",
	.synopsis = "",
	.sentence = "what alerts did over a time (30d), which belong together, and what could be "
		    "configured otherwise",
	.scopes = SCOPE_TIME | SCOPE_LIMIT,
	.run = run,
};
