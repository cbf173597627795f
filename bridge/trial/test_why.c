/* test_why.c: why a rule did what it did, or did not, in the words of the decisions themselves.
 *
 * Where the rule has decisions, these with their reasons and events; where it has none, for each
 * event the first condition that does not hold, and the value that it saw.
 */
#include "trial/test_impl.h"

#define SAW_MAX 200
#define LABELS_MAX 6

static void say(struct test_failure *f, struct str line)
{
	if (f->why_n < TEST_WHY_MAX)
		f->why[f->why_n++] = line;
}

/* "alert {alertname="A", instance="b"} (line 6)" */
static struct str describe(struct test_game *g, const struct test_fed *fed)
{
	struct buf b;
	struct str s;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, test_event_kind_name(fed->entry->kind));
	if (fed->entry->kind == TEST_EVENT)
		buf_printf(&b, " '%.*s'", STR_ARG(fed->event.type));
	buf_puts(&b, " {");
	for (size_t i = 0; i < fed->event.labels_n && i < LABELS_MAX; i++)
		buf_printf(&b, "%s%.*s=\"%.*s\"", i ? ", " : "", STR_ARG(fed->event.labels[i].name),
			STR_ARG(fed->event.labels[i].value));
	buf_printf(&b, "%s} (line %d)", fed->event.labels_n > LABELS_MAX ? ", …" : "",
		fed->entry->place.line);
	s = arena_strdup(g->a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static struct str event_of(struct test_game *g, const struct trial_decision *d)
{
	for (size_t i = 0; i < g->fed_n; i++)
		if (g->fed[i].id.n && str_eq(g->fed[i].id, d->event))
			return describe(g, &g->fed[i]);
	return STR("an event of runbookd itself");
}

static const struct rule *find_rule(const struct test_game *g, struct str name)
{
	const struct ruleset *rs = g->loaded->rules;

	for (size_t i = 0; i < rs->rules_n; i++)
		if (str_eq(rs->rules[i].name, name))
			return &rs->rules[i];
	return NULL;
}

static bool wants_status(const struct rule *r, enum event_status s)
{
	return r->when == WHEN_ANY || (r->when == WHEN_RESOLVED) == (s == EVENT_RESOLVED);
}

static const char *when_name(enum rule_when w)
{
	return w == WHEN_ANY ? "any" : w == WHEN_RESOLVED ? "resolved" : "firing";
}

static bool holds(struct test_game *g, const struct matchers *m, const struct event *ev,
	struct str *text, struct str *saw)
{
	return matchers_first_failing(m, g->loaded->rules->scratch, g->a, ev, text, saw) == m->n;
}

/* Which condition of the rule does not hold for this event; "" all do. */
static struct str first_failing(struct test_game *g, const struct rule *r, const struct event *ev)
{
	struct str text = STR_NONE, saw = STR_NONE;
	bool one = r->any_n == 0;

	if (!holds(g, &r->match, ev, &text, &saw))
		return arena_printf(g->a, "its matcher %.*s does not hold: the value is '%.*s'%s",
			STR_ARG(text), (int)(saw.n < SAW_MAX ? saw.n : SAW_MAX), saw.p ? saw.p : "",
			saw.n > SAW_MAX ? "…" : "");
	for (size_t i = 0; i < r->any_n && !one; i++)
		one = holds(g, &r->any[i], ev, &text, &saw);
	if (!one)
		return arena_printf(g->a,
			"none of its 'any' holds: the last fails at %.*s, where the value is "
			"'%.*s'%s",
			STR_ARG(text), (int)(saw.n < SAW_MAX ? saw.n : SAW_MAX), saw.p ? saw.p : "",
			saw.n > SAW_MAX ? "…" : "");
	if (!wants_status(r, ev->status))
		return arena_printf(g->a,
			"it is for events that are '%s' (when), and this one is %s",
			when_name(r->when), event_status_name(ev->status));
	return STR("");
}

static void say_matchers(struct test_game *g, const struct rule *r, struct test_failure *f)
{
	for (size_t i = 0; i < g->fed_n && f->why_n < TEST_WHY_MAX; i++) {
		const struct test_fed *fed = &g->fed[i];
		struct str why = first_failing(g, r, &fed->event);

		say(f, arena_printf(g->a, "at %.*s: %.*s: %.*s",
			       STR_ARG(test_time(g->a, fed->at_ms)), STR_ARG(describe(g, fed)),
			       STR_ARG(why.n ? why : STR("it matches"))));
	}
	if (g->fed_n == 0)
		say(f, STR("the test has no event"));
}

void test_say_why(
	struct test_game *g, const struct trial_log *log, struct str rule, struct test_failure *f)
{
	const struct rule *r = find_rule(g, rule);
	size_t n = 0;

	for (size_t i = 0; i < log->decisions_n; i++) {
		const struct trial_decision *d = &log->decisions[i];
		if (!str_eq(d->rule, rule))
			continue;
		n++;
		say(f, arena_printf(g->a, "at %.*s: %s (%.*s) on %.*s",
			       STR_ARG(test_time(g->a, d->at_ms - TRIAL_T0)),
			       decision_name(d->decision), STR_ARG(d->reason),
			       STR_ARG(event_of(g, d))));
	}
	if (n == 0 && r)
		say_matchers(g, r, f);
}
