/* timeline.c: the records of an incident's timeline, in words.
 *
 * A record has a time, a kind, and a member of that name: an event (an alert, a run's result, or another),
 * a run's change of state, what a person did, or decisions alone, where an event was looked at again. What each rule decided
 * stands with it. A kind that this version does not know is shown with its members: a newer bridge must
 * not make the page unreadable.
 */
#include "cli/timeline.h"

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

static void add_event(struct cli *c, struct table *t, int64_t ms, const struct json *event)
{
	struct str type = show_text(event, "type"), summary = show_text(event, "summary");
	bool is_alert = str_is(type, "alert");
	struct str name = is_alert ? show_alert_name(&c->arena, event) : type;

	if (summary.n == 0)
		summary = show_pairs(&c->arena, json_get(event, "labels"));
	add(c, t, ms, is_alert ? "alert" : "event", show_text(event, "status"),
		str_eq(name, summary) ? name : joined(c, name, summary));
}

/* What a person did: "token ann: the fan", "token ann, 01JD… into 01JE…: one and the same". */
static void add_act(struct cli *c, struct table *t, int64_t ms, const struct json *act)
{
	struct str who = show_text(act, "who"), into = show_text(act, "into");
	const struct json *alerts = json_get(act, "alerts");

	if (into.n && alerts)
		who = arena_printf(&c->arena, "%.*s, %zu alert%s of %.*s into %.*s", STR_ARG(who),
			alerts->count, alerts->count == 1 ? "" : "s", STR_ARG(show_text(act, "incident")), STR_ARG(into));
	else if (into.n)
		who = arena_printf(&c->arena, "%.*s, %.*s into %.*s", STR_ARG(who),
			STR_ARG(show_text(act, "incident")), STR_ARG(into));
	add(c, t, ms, "person", show_text(act, "what"), joined(c, who, show_text(act, "text")));
}

/* Which incident is a symptom of which. */
static void add_relation(struct cli *c, struct table *t, int64_t ms, const struct json *relation)
{
	add(c, t, ms, "topology", STR("symptom"),
		arena_printf(&c->arena, "%.*s is a symptom of %.*s: it depends on %.*s",
			STR_ARG(show_text(relation, "symptom")), STR_ARG(show_text(relation, "root")),
			STR_ARG(show_text(relation, "node"))));
}

static bool is_result(const struct json *event)
{
	return str_is(show_text(event, "type"), "run") && str_is(show_text(event, "source"), "runbookd");
}

static void add_entry(struct cli *c, struct table *t, const struct json *entry)
{
	struct str kind = show_text(entry, "kind");
	const struct json *what = json_getn(entry, kind);
	int64_t ms = show_time(entry, "time");

	if (str_is(kind, "run"))
		add_change(c, t, ms, what);
	else if (str_is(kind, "event") && is_result(what))
		add_result(c, t, ms, what);
	else if (str_is(kind, "event"))
		add_event(c, t, ms, what);
	else if (str_is(kind, "act"))
		add_act(c, t, ms, what);
	else if (str_is(kind, "topology"))
		add_relation(c, t, ms, what);
	else if (!str_is(kind, "decisions"))
		add(c, t, ms, "other", kind, show_pairs(&c->arena, what));
	add_decisions(c, t, ms, entry);
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
