/* timeline.c: the records of an incident's timeline, in words.
 *
 * A record is an alert or another event (with what each rule decided about it), a change of a run, or a
 * run's result. Kinds that this version does not know are shown with their type and their labels: a
 * newer bridge must not make the page unreadable.
 */
#include "cli/timeline.h"

#include <inttypes.h>
#include "cli/show.h"

static const struct table_column columns[] = {
	{NULL, COLUMN_FIXED},	/* time */
	{NULL, COLUMN_FIXED},	/* alert, rule, run, … */
	{NULL, COLUMN_FIXED},	/* what became of it */
	{NULL, COLUMN_FLEXIBLE},
};

static void add(struct cli *c, struct table *t, int64_t ms, const char *kind, struct str what,
	struct str text)
{
	char time[SHOW_TIME_MAX];

	show_local(ms, c->now_ms, time);
	table_cellz(t, STYLE_DIM, time);
	table_cellz(t, STYLE_PLAIN, kind);
	table_cell(t, term_style_of(what), what);
	table_cell(t, STYLE_PLAIN, text);
}

/* "a: b", or the one that is there. */
static struct str joined(struct cli *c, struct str a, struct str b)
{
	if (a.n == 0 || b.n == 0)
		return a.n ? a : b;
	return arena_printf(&c->arena, "%.*s: %.*s", STR_ARG(a), STR_ARG(b));
}

static void add_decisions(struct cli *c, struct table *t, int64_t ms, const struct json *entry)
{
	const struct json *list = json_get(entry, "decisions");

	for (const struct json *d = list ? list->child : NULL; d; d = d->next)
		add(c, t, ms, "rule", show_text(d, "decision"),
			joined(c, show_text(d, "rule"), show_text(d, "reason")));
}

static void add_result(struct cli *c, struct table *t, int64_t ms, const struct json *entry)
{
	const struct json *data = json_get(entry, "data"), *labels = json_get(entry, "labels");
	struct str text = show_text(labels, "runbook"), reason = show_text(data, "reason");

	if (show_text(data, "duration_ms").n) {
		char took[SHOW_TIME_MAX];

		show_duration(show_i64(data, "duration_ms"), took);
		text = arena_printf(&c->arena, "%.*s after %s", STR_ARG(text), took);
	}
	add(c, t, ms, "run", show_text(labels, "outcome"), joined(c, text, reason));
}

static void add_change(struct cli *c, struct table *t, int64_t ms, const struct json *entry)
{
	struct str text = show_text(entry, "runbook"), worker = show_text(entry, "worker");

	if (str_is(show_text(entry, "state"), "running") && worker.n)
		text = arena_printf(&c->arena, "%.*s on %.*s", STR_ARG(text), STR_ARG(worker));
	add(c, t, ms, "run", show_text(entry, "state"), joined(c, text, show_text(entry, "reason")));
}

static void add_event(struct cli *c, struct table *t, int64_t ms, const struct json *entry)
{
	struct str type = show_text(entry, "type"), summary = show_text(entry, "summary");
	struct str name = str_is(type, "alert") ? show_alert_name(&c->arena, entry) : type;
	const char *kind = str_is(type, "alert") ? "alert" : "event";

	if (summary.n == 0)
		summary = show_pairs(&c->arena, json_get(entry, "labels"));
	add(c, t, ms, kind, show_text(entry, "status"), str_eq(name, summary) ? name : joined(c, name, summary));
	add_decisions(c, t, ms, entry);
}

static void add_entry(struct cli *c, struct table *t, const struct json *entry)
{
	int64_t received = show_time(entry, "received");
	int64_t ms = received ? received : show_time(entry, "time");

	if (show_text(entry, "state").n)
		add_change(c, t, ms, entry);
	else if (str_is(show_text(entry, "type"), "run") && json_get(json_get(entry, "data"), "run"))
		add_result(c, t, ms, entry);
	else
		add_event(c, t, ms, entry);
}

void timeline_print(struct cli *c, const struct json *const *entries, size_t n, int indent)
{
	struct table t;

	table_init(&t, &c->arena, columns, sizeof(columns) / sizeof(columns[0]));
	t.indent = indent;
	for (size_t i = 0; i < n; i++)
		add_entry(c, &t, entries[i]);
	table_print(&t, &c->term, &c->out);
}
