/* incident_page.c: what the person on call reads at 3 am, in the order of the questions.
 *
 * What is broken, how bad, since when, because of what; what changed before; which alerts say so; what the machine already tried, how that
 * ended and what it printed; and what happened when. Times are local, with their age. What is long is
 * cut at its old end, and the line that says so names the command that shows the rest. All texts are
 * escaped.
 */
#include "cli/incident_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include "cli/run_view.h"
#include "cli/show.h"
#include "cli/timeline.h"

#define LINES_SHOWN 10 /* of one alert */
#define ALERTS_SHOWN 20
#define CHANGES_SHOWN 10
#define RUNS_SHOWN 20
#define TIMELINE_SHOWN 40
#define FETCH_MAX 10000
#define WORD_WIDTH 11
#define BELOW "             "

static void escaped(struct cli *c, enum style style, struct str text)
{
	term_style_on(&c->term, &c->out, style);
	term_escape(&c->out, text);
	term_style_off(&c->term, &c->out, style);
}

/* The API's words at the start of a line: "succeeded" is the longest. */
static void padded(struct cli *c, struct str word)
{
	escaped(c, term_style_of(word), word);
	for (size_t i = word.n; i < WORD_WIDTH; i++)
		buf_putc(&c->out, ' ');
}

/* A line below, where the word above ends. */
static void below(struct cli *c, enum style style, struct str text)
{
	if (text.n == 0)
		return;
	buf_puts(&c->out, BELOW);
	escaped(c, style, text);
	buf_putc(&c->out, '\n');
}

static void heading(struct cli *c, const char *title, struct str more)
{
	buf_putc(&c->out, '\n');
	escaped(c, STYLE_BOLD, str_of(title));
	if (more.n) {
		buf_puts(&c->out, "  ");
		escaped(c, STYLE_DIM, more);
	}
	buf_putc(&c->out, '\n');
}

static void field(struct cli *c, const char *name, struct str value)
{
	if (value.n == 0)
		return;
	term_style_on(&c->term, &c->out, STYLE_DIM);
	buf_printf(&c->out, "%-9s", name);
	term_style_off(&c->term, &c->out, STYLE_DIM);
	term_escape(&c->out, value);
	buf_putc(&c->out, '\n');
}

static void field_time(struct cli *c, const char *name, const struct json *incident, const char *key)
{
	int64_t ms = show_time(incident, key);
	char full[SHOW_TIME_MAX], age[SHOW_TIME_MAX];

	if (!ms)
		return;
	show_local_full(ms, full);
	show_age(ms, c->now_ms, age);
	field(c, name, arena_printf(&c->arena, "%s (%s ago)", full, age));
}

static int get_items(struct cli *c, const char *path, const char *what, struct cli_list *out)
{
	struct str whole = arena_printf(&c->arena, "%s/%s", path, what);

	return cli_list_path(c, whole.p ? whole.p : path, FETCH_MAX, out);
}

/* ---- head ---- */

/* "acknowledged by token ann (12m ago)", where it is open. */
static void print_acked(struct cli *c, const struct json *incident)
{
	char age[SHOW_TIME_MAX];

	if (!show_bool(incident, "acked")) {
		buf_puts(&c->out, ", not acknowledged");
		return;
	}
	buf_puts(&c->out, ", acknowledged");
	if (show_text(incident, "acked_by").n == 0)
		return;
	show_age(show_time(incident, "acked_at"), c->now_ms, age);
	buf_puts(&c->out, " by ");
	term_escape(&c->out, show_text(incident, "acked_by"));
	buf_printf(&c->out, " (%s ago)", age);
}

/* Whose symptom it is, or how many it has. */
static void print_relations(struct cli *c, const struct json *incident)
{
	const struct json *own = json_get(incident, "root_of");
	size_t n = 0;

	if (show_text(incident, "symptom_of").n)
		field(c, "cause", arena_printf(&c->arena, "it is a symptom of incident %.*s",
			STR_ARG(show_text(incident, "symptom_of"))));
	for (const struct json *s = own ? own->child : NULL; s; s = s->next)
		n++;
	if (n)
		field(c, "symptoms", arena_printf(&c->arena, "%zu: %.*s%s", n, STR_ARG(json_str(own->child)),
			n > 1 ? ", …" : ""));
}

/* What is not as whole as it looks. */
static void print_gaps(struct cli *c, const struct json *incident)
{
	int64_t truncated = show_i64(incident, "truncated"), dropped = show_i64(incident, "dropped");

	if (truncated)
		field(c, "note", arena_printf(&c->arena,
			"the sender left out %" PRId64 " alerts (its max_alerts); there may be more", truncated));
	if (dropped)
		field(c, "note", arena_printf(&c->arena,
			"the oldest %" PRId64 " entries of the timeline are not kept any more, nor alerts that only they name",
			dropped));
}

/* What people made of it. */
static void print_ended(struct cli *c, const struct json *incident)
{
	struct str by = show_text(incident, "closed_by"), why = show_text(incident, "closed_reason");
	struct str into = show_text(incident, "merged_into"), from = show_text(incident, "split_from");

	if (from.n)
		field(c, "split", arena_printf(&c->arena, "from %.*s", STR_ARG(from)));
	if (by.n == 0)
		return;
	if (into.n)
		by = arena_printf(&c->arena, "%.*s into %.*s", STR_ARG(by), STR_ARG(into));
	field(c, into.n ? "merged" : "closed",
		arena_printf(&c->arena, "by %.*s%s%.*s", STR_ARG(by), why.n ? ": " : "", STR_ARG(why)));
}

static double number(struct cli *c, const struct json *j, const char *key)
{
	struct str s = arena_strdup(&c->arena, show_text(j, key));

	return s.p ? strtod(s.p, NULL) : 0;
}

/* "QueueBacklog, 1m30s after DbFailover began, as 29 times before (97%)" */
static void print_expected(struct cli *c, const struct json *incident)
{
	const struct json *list = json_get(incident, "expected_next");

	for (const struct json *e = list ? list->child : NULL; e; e = e->next) {
		struct str name = show_text(e, "alertname"), after = show_text(e, "after");
		char took[SHOW_TIME_MAX];

		show_duration((int64_t)(number(c, e, "delay_seconds") * 1000), took);
		field(c, "expect", arena_printf(&c->arena, "%.*s, %s after %.*s began, as %" PRId64 " times before (%.0f%%)",
			STR_ARG(name), took, STR_ARG(after), show_i64(e, "support"),
			number(c, e, "confidence") * 100));
	}
}

static void print_head(struct cli *c, const struct json *incident)
{
	struct str severity = show_text(incident, "severity"), status = show_text(incident, "status");

	escaped(c, STYLE_BOLD, show_text(incident, "title"));
	buf_putc(&c->out, '\n');
	escaped(c, term_style_of(severity), severity);
	buf_puts(&c->out, ", ");
	escaped(c, term_style_of(status), status);
	if (str_is(status, "open"))
		print_acked(c, incident);
	if (show_bool(incident, "flapping"))
		buf_puts(&c->out, ", flapping");
	buf_puts(&c->out, "\n\n");
	field(c, "key", show_pairs(&c->arena, json_get(incident, "key")));
	field_time(c, "opened", incident, "opened");
	field_time(c, "updated", incident, "updated");
	field_time(c, "resolved", incident, "resolved");
	print_expected(c, incident);
	print_ended(c, incident);
	field(c, "id", show_text(incident, "id"));
	print_relations(c, incident);
	print_gaps(c, incident);
}

/* ---- changes ---- */

/* How long before the incident opened, which may be no time at all. */
static void print_change(struct cli *c, const struct json *change, int64_t opened)
{
	int64_t when = show_time(change, "time");
	char time[SHOW_TIME_MAX], before[SHOW_TIME_MAX];

	show_local(when, c->now_ms, time);
	show_duration(opened > when ? opened - when : 0, before);
	buf_puts(&c->out, "  ");
	escaped(c, STYLE_BOLD, show_text(change, "type"));
	buf_printf(&c->out, "  %s, %s before", time, before);
	if (show_text(change, "summary").n) {
		buf_puts(&c->out, ": ");
		escaped(c, STYLE_PLAIN, show_text(change, "summary"));
	}
	buf_putc(&c->out, '\n');
	below(c, STYLE_DIM, show_pairs(&c->arena, json_get(change, "labels")));
}

static void print_changes(struct cli *c, const struct json *incident)
{
	const struct json *list = json_get(incident, "what_changed");
	size_t n = 0;

	if (!list || !list->child)
		return;
	heading(c, "What changed", STR("within an hour before, nearest first"));
	for (const struct json *l = list->child; l; l = l->next)
		if (n++ < CHANGES_SHOWN)
			print_change(c, l, show_time(incident, "opened"));
	if (n > CHANGES_SHOWN)
		buf_printf(&c->out, "  and %zu more: runbookctl -o json incidents show\n", n - CHANGES_SHOWN);
}

/* ---- alerts ---- */

/* Labels but those that the line above shows. */
static struct str other_labels(struct cli *c, const struct json *alert)
{
	const struct json *labels = json_get(alert, "labels");
	struct json rest = {.kind = JSON_OBJECT}, *last = NULL;

	for (const struct json *l = labels ? labels->child : NULL; l; l = l->next) {
		bool shown = str_is(l->key, "alertname") ||
			(str_is(l->key, "severity") && str_eq(json_str(l), show_text(alert, "severity")));
		struct json *copy = shown ? NULL : arena_alloc(&c->arena, sizeof(*copy));

		if (!copy)
			continue;
		*copy = *l;
		copy->next = NULL;
		*(last ? &last->next : &rest.child) = copy;
		last = copy;
	}
	return show_pairs(&c->arena, &rest);
}

/* The latest lines of the log that the alert came from. */
static void print_lines(struct cli *c, const struct json *lines)
{
	size_t n = 0, skip;

	for (const struct json *l = lines ? lines->child : NULL; l; l = l->next)
		n++;
	skip = n > LINES_SHOWN ? n - LINES_SHOWN : 0;
	if (skip > 0)
		below(c, STYLE_DIM, arena_printf(&c->arena, "%zu lines before: runbookctl -o json alerts list", skip));
	for (const struct json *l = lines ? lines->child : NULL; l; l = l->next) {
		if (skip > 0)
			skip--;
		else
			below(c, STYLE_PLAIN, arena_printf(&c->arena, "| %.*s", STR_ARG(json_str(l))));
	}
}

static void print_alert(struct cli *c, const struct json *alert)
{
	struct str status = show_text(alert, "status"), severity = show_text(alert, "severity");
	struct str summary = show_text(alert, "summary"), name = show_alert_name(&c->arena, alert);
	bool firing = str_is(status, "firing");
	int64_t when = show_time(alert, firing ? "starts_at" : "ends_at");
	char time[SHOW_TIME_MAX], age[SHOW_TIME_MAX];

	show_local(when, c->now_ms, time);
	show_age(when, c->now_ms, age);
	buf_puts(&c->out, "  ");
	padded(c, status);
	padded(c, severity);
	escaped(c, STYLE_BOLD, name);
	if (when)
		buf_printf(&c->out, "  %s %s (%s ago)", firing ? "since" : "at", time, age);
	if (show_i64(alert, "count") > 1)
		buf_printf(&c->out, ", reported %" PRId64 " times", show_i64(alert, "count"));
	if (show_bool(alert, "flapping"))
		buf_puts(&c->out, ", flapping");
	buf_putc(&c->out, '\n');
	if (!str_eq(summary, name))
		below(c, STYLE_PLAIN, summary);
	below(c, STYLE_DIM, other_labels(c, alert));
	print_lines(c, json_get(alert, "lines"));
}

static int print_alerts(struct cli *c, const char *path)
{
	struct cli_list list;
	size_t firing = 0, shown = 0;
	int rc = get_items(c, path, "alerts", &list);

	if (rc)
		return rc;
	for (size_t i = 0; i < list.n; i++)
		firing += str_is(show_text(list.v[i], "status"), "firing");
	heading(c, "Alerts", arena_printf(&c->arena, "%zu of %zu firing", firing, list.n));
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < list.n && shown < ALERTS_SHOWN; i++) {
			if (str_is(show_text(list.v[i], "status"), "firing") != (pass == 0))
				continue;
			print_alert(c, list.v[i]);
			shown++;
		}
	}
	if (shown < list.n)
		buf_printf(&c->out, "  and %zu more: runbookctl alerts list\n", list.n - shown);
	return 0;
}

/* ---- runs ---- */

static int print_run(struct cli *c, const struct json *run)
{
	struct str state = show_text(run, "state"), took = run_took(c, run), reason = run_reason(c, run);
	struct str rule = show_text(run, "rule");
	int64_t started = show_time(run, "started");
	int64_t when = started ? started : show_time(run, "queued");
	char time[SHOW_TIME_MAX], age[SHOW_TIME_MAX];

	show_local(when, c->now_ms, time);
	show_age(when, c->now_ms, age);
	buf_puts(&c->out, "  ");
	padded(c, state);
	escaped(c, STYLE_BOLD, show_text(run, "runbook"));
	buf_printf(&c->out, "  %s (%s ago)", time, age);
	if (took.n)
		buf_printf(&c->out, ", took %.*s", STR_ARG(took));
	if (rule.n) {
		buf_puts(&c->out, ", rule ");
		escaped(c, STYLE_PLAIN, rule);
	}
	buf_puts(&c->out, "  ");
	escaped(c, STYLE_DIM, show_text(run, "id"));
	buf_putc(&c->out, '\n');
	below(c, term_style_of(state), reason);
	return started ? run_print_ends(c, run, BELOW "| ") : 0;
}

static int print_runs(struct cli *c, const char *path)
{
	struct cli_list list;
	size_t skip;
	int rc = get_items(c, path, "runs", &list);

	if (rc)
		return rc;
	heading(c, "What ran", list.n ? STR("") : STR("nothing"));
	skip = list.n > RUNS_SHOWN ? list.n - RUNS_SHOWN : 0;
	if (skip)
		buf_printf(&c->out, "  %zu before: runbookctl runs list\n", skip);
	for (size_t i = skip; i < list.n && rc == 0; i++)
		rc = print_run(c, list.v[i]);
	return rc;
}

/* ---- timeline ---- */

static int print_timeline(struct cli *c, const char *path, const struct json *incident)
{
	struct cli_list list;
	size_t skip;
	int rc = get_items(c, path, "timeline", &list);

	if (rc)
		return rc;
	heading(c, "Timeline", STR(""));
	skip = list.n > TIMELINE_SHOWN ? list.n - TIMELINE_SHOWN : 0;
	if (skip) {
		buf_printf(&c->out, "  %zu before: runbookctl incidents timeline ", skip);
		term_escape(&c->out, show_text(incident, "id"));
		buf_putc(&c->out, '\n');
	}
	timeline_print(c, list.v + skip, list.n - skip, 2);
	return 0;
}

int incident_page(struct cli *c, const char *path, const struct json *incident)
{
	int rc;

	print_head(c, incident);
	print_changes(c, incident);
	rc = print_alerts(c, path);
	if (rc == 0)
		rc = print_runs(c, path);
	return rc ? rc : print_timeline(c, path, incident);
}
