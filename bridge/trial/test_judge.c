/* test_judge.c: what a test expects against what came of it.
 *
 * An expectation is met by one run, one decision, or one change of an alert, of its own: two
 * expectations cannot share one. Which one meets which is chosen so that as many as can be are met
 * (a matching by augmenting paths), so that the order of writing and what an entry leaves out do
 * not matter.
 */
#include "trial/test_impl.h"

#define NONE SIZE_MAX

/* Expectations on the left, what happened on the right. */
struct match {
	const struct test_expect **left;
	size_t left_n, right_n;
	const struct trial_run *runs; /* or */
	const struct trial_decision *decisions; /* or */
	const struct trial_alert *alerts;
	size_t *of_left, *of_right; /* partner, or NONE */
	bool *seen;		    /* of the right, in this round */
};

static struct str param(const struct trial_run *run, struct str name)
{
	for (size_t i = 0; i < run->params_n; i++)
		if (str_eq(run->params[i].name, name))
			return run->params[i].value;
	return STR_NONE;
}

static bool meets_run(const struct test_expect *x, const struct trial_run *run)
{
	if (!str_eq(x->rule, run->rule) || (x->runbook.n && !str_eq(x->runbook, run->runbook)) ||
		(x->has_at && TRIAL_T0 + x->at_ms != run->at_ms))
		return false;
	for (size_t i = 0; i < x->with.n; i++)
		if (!str_eq(param(run, x->with.v[i].name), x->with.v[i].value))
			return false;
	return true;
}

static bool meets_decision(const struct test_expect *x, const struct trial_decision *d)
{
	return str_eq(x->rule, d->rule) && x->decision == d->decision &&
	       (!x->has_at || TRIAL_T0 + x->at_ms == d->at_ms);
}

static bool meets_alert(const struct test_expect *x, const struct trial_alert *a)
{
	const struct event labels = {.labels = (struct kv *)a->labels, .labels_n = a->labels_n};

	if (x->resolved != a->resolved || (x->has_at && TRIAL_T0 + x->at_ms != a->at_ms))
		return false;
	for (size_t i = 0; i < x->alert.n; i++)
		if (!str_eq(event_label(&labels, x->alert.v[i].name), x->alert.v[i].value))
			return false;
	return true;
}

static bool meets(const struct match *m, size_t l, size_t r)
{
	if (m->alerts)
		return meets_alert(m->left[l], &m->alerts[r]);
	return m->runs ? meets_run(m->left[l], &m->runs[r])
		       : meets_decision(m->left[l], &m->decisions[r]);
}

static bool augment(struct match *m, size_t l)
{
	for (size_t r = 0; r < m->right_n; r++) {
		if (m->seen[r] || !meets(m, l, r))
			continue;
		m->seen[r] = true;
		if (m->of_right[r] == NONE || augment(m, m->of_right[r])) {
			m->of_right[r] = l;
			m->of_left[l] = r;
			return true;
		}
	}
	return false;
}

static bool find_match(struct match *m, struct arena *a)
{
	m->of_left = arena_array(a, m->left_n + 1, sizeof(size_t));
	m->of_right = arena_array(a, m->right_n + 1, sizeof(size_t));
	m->seen = arena_array(a, m->right_n + 1, sizeof(bool));
	if (!m->seen || !m->of_left || !m->of_right)
		return false;
	for (size_t l = 0; l < m->left_n; l++)
		m->of_left[l] = NONE;
	for (size_t r = 0; r < m->right_n; r++)
		m->of_right[r] = NONE;
	for (size_t l = 0; l < m->left_n; l++) {
		memset(m->seen, 0, m->right_n * sizeof(bool));
		augment(m, l);
	}
	return true;
}

/* ---- words ---- */

static void put_pairs(struct buf *b, const struct kv *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%.*s='%.*s'", i ? " " : " with ", STR_ARG(v[i].name),
			STR_ARG(v[i].value));
}

static struct str keep(struct test_game *g, struct buf *b)
{
	struct str s = arena_strdup(g->a, buf_as_str(b));

	buf_release(b);
	return s;
}

static void put_alert(struct buf *b, bool resolved, const struct kv *v, size_t n)
{
	buf_puts(b, "alert {");
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%.*s=\"%.*s\"", i ? ", " : "", STR_ARG(v[i].name),
			STR_ARG(v[i].value));
	buf_puts(b, resolved ? "} resolves" : "} fires");
}

static struct str expected(struct test_game *g, const struct test_expect *x)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	if (x->has_at)
		buf_printf(&b, "at %.*s: ", STR_ARG(test_time(g->a, x->at_ms)));
	if (x->alert.n) {
		put_alert(&b, x->resolved, x->alert.v, x->alert.n);
		return keep(g, &b);
	}
	buf_printf(&b, "rule '%.*s' ", STR_ARG(x->rule));
	if (x->has_decision)
		buf_printf(&b, "decides %s", decision_name(x->decision));
	else if (x->runbook.n)
		buf_printf(&b, "runs '%.*s'", STR_ARG(x->runbook));
	else
		buf_puts(&b, "runs");
	put_pairs(&b, x->with.v, x->with.n);
	return keep(g, &b);
}

static void put_run(struct test_game *g, struct buf *b, const struct trial_run *run)
{
	buf_printf(b, "at %.*s: ran '%.*s'", STR_ARG(test_time(g->a, run->at_ms - TRIAL_T0)),
		STR_ARG(run->runbook));
	put_pairs(b, run->params, run->params_n);
	if (run->attempt > 1)
		buf_printf(b, ", attempt %lld", (long long)run->attempt);
}

#define GOT_MAX 5 /* runs or decisions that are named */

/* What this rule did instead: runs that met no other expectation first. */
static struct str got_runs(struct test_game *g, const struct match *m, struct str rule)
{
	struct buf b;
	size_t n = 0, more = 0;

	buf_init(&b, BUF_NO_LIMIT);
	for (int met = 0; met < 2; met++) {
		for (size_t r = 0; r < m->right_n; r++) {
			if (!str_eq(m->runs[r].rule, rule) || (m->of_right[r] != NONE) != met)
				continue;
			if (n == GOT_MAX) {
				more++;
				continue;
			}
			buf_puts(&b, n++ ? "; " : "");
			put_run(g, &b, &m->runs[r]);
			buf_puts(&b, met ? " (which is expected in another entry)" : "");
		}
	}
	if (more)
		buf_printf(&b, "; and %zu more", more);
	if (n == 0)
		buf_printf(&b, "no run of rule '%.*s'", STR_ARG(rule));
	return keep(g, &b);
}

static struct str got_decisions(struct test_game *g, const struct match *m, struct str rule)
{
	struct buf b;
	size_t n = 0;

	buf_init(&b, BUF_NO_LIMIT);
	for (size_t r = 0; r < m->right_n && n < GOT_MAX; r++)
		if (str_eq(m->decisions[r].rule, rule))
			buf_printf(&b, "%sat %.*s: %s", n++ ? "; " : "",
				STR_ARG(test_time(g->a, m->decisions[r].at_ms - TRIAL_T0)),
				decision_name(m->decisions[r].decision));
	if (n == 0)
		buf_printf(&b, "no decision of rule '%.*s'", STR_ARG(rule));
	return keep(g, &b);
}

static struct str name_in(const struct test_expect *x)
{
	for (size_t i = 0; i < x->alert.n; i++)
		if (str_is(x->alert.v[i].name, "alertname"))
			return x->alert.v[i].value;
	return STR_NONE;
}

/* What alerts of this name did; of all, where there is none of it. */
static struct str got_alerts(
	struct test_game *g, const struct match *m, const struct test_expect *x)
{
	struct buf b;
	size_t n = 0;

	buf_init(&b, BUF_NO_LIMIT);
	for (int any = 0; any < 2 && n == 0; any++)
		for (size_t r = 0; r < m->right_n && n < GOT_MAX; r++) {
			const struct trial_alert *a = &m->alerts[r];
			const struct event labels = {
				.labels = (struct kv *)a->labels, .labels_n = a->labels_n};

			if (!any && !str_eq(event_label(&labels, STR("alertname")), name_in(x)))
				continue;
			buf_printf(&b, "%sat %.*s: ", n++ ? "; " : "",
				STR_ARG(test_time(g->a, a->at_ms - TRIAL_T0)));
			put_alert(&b, a->resolved, a->labels, a->labels_n);
		}
	if (n == 0)
		buf_puts(&b, "no alert");
	return keep(g, &b);
}

/* ---- the judgement ---- */

static void blame_missing(struct test_game *g, const struct trial_log *log, const struct match *m)
{
	for (size_t l = 0; l < m->left_n; l++) {
		const struct test_expect *x = m->left[l];
		struct test_failure *f;

		if (m->of_left[l] != NONE)
			continue;
		f = test_fail(g, x->place);
		if (!f)
			return;
		f->expected = expected(g, x);
		f->got = m->alerts ? got_alerts(g, m, x)
			 : m->runs ? got_runs(g, m, x->rule)
				   : got_decisions(g, m, x->rule);
		if (!m->alerts)
			test_say_why(g, log, x->rule, f);
	}
}

static void blame_run(struct test_game *g, const struct trial_log *log, struct test_place place,
	struct str want, const struct trial_run *run)
{
	struct test_failure *f = test_fail(g, place);
	struct buf b;

	if (!f)
		return;
	buf_init(&b, BUF_NO_LIMIT);
	buf_printf(&b, "rule '%.*s' ", STR_ARG(run->rule));
	put_run(g, &b, run);
	f->expected = want;
	f->got = keep(g, &b);
	test_say_why(g, log, run->rule, f);
}

static void blame_decision(struct test_game *g, const struct trial_log *log,
	struct test_place place, struct str want, const struct trial_decision *d)
{
	struct test_failure *f = test_fail(g, place);

	if (!f)
		return;
	f->expected = want;
	f->got = arena_printf(g->a, "rule '%.*s' at %.*s: %s", STR_ARG(d->rule),
		STR_ARG(test_time(g->a, d->at_ms - TRIAL_T0)), decision_name(d->decision));
	test_say_why(g, log, d->rule, f);
}

/* What would be a run if the rule were enforced, or a person said yes. */
static bool is_almost_run(const struct trial_decision *d)
{
	return d->decision == DECISION_DRY_RUN || d->decision == DECISION_APPROVAL;
}

static void judge_no_alert(
	struct test_game *g, const struct trial_log *log, const struct test_name *name)
{
	for (size_t i = 0; i < log->alerts_n; i++) {
		const struct trial_alert *a = &log->alerts[i];
		const struct event labels = {
			.labels = (struct kv *)a->labels, .labels_n = a->labels_n};
		struct test_failure *f;
		struct buf b;

		if (a->resolved || !str_eq(event_label(&labels, STR("alertname")), name->text))
			continue;
		f = test_fail(g, name->place);
		if (!f)
			return;
		f->expected = arena_printf(g->a, "no alert '%.*s' fires", STR_ARG(name->text));
		buf_init(&b, BUF_NO_LIMIT);
		buf_printf(&b, "at %.*s: ", STR_ARG(test_time(g->a, a->at_ms - TRIAL_T0)));
		put_alert(&b, false, a->labels, a->labels_n);
		f->got = keep(g, &b);
		return;
	}
}

static void judge_none(
	struct test_game *g, const struct trial_log *log, const struct test_name *name)
{
	struct str want = arena_printf(g->a, "rule '%.*s' runs nothing", STR_ARG(name->text));

	for (size_t i = 0; i < log->runs_n; i++) {
		if (str_eq(log->runs[i].rule, name->text)) {
			blame_run(g, log, name->place, want, &log->runs[i]);
			return;
		}
	}
	judge_no_alert(g, log, name);
	for (size_t i = 0; i < log->decisions_n; i++) {
		if (str_eq(log->decisions[i].rule, name->text) &&
			is_almost_run(&log->decisions[i])) {
			blame_decision(g, log, name->place, want, &log->decisions[i]);
			return;
		}
	}
}

static void judge_exact(struct test_game *g, const struct trial_log *log, const struct match *runs,
	const struct match *decisions)
{
	struct str want = STR("nothing runs but what 'expect' lists (exact: true)");

	for (size_t r = 0; r < runs->right_n; r++)
		if (runs->of_right[r] == NONE)
			blame_run(g, log, g->test->place, want, &runs->runs[r]);
	for (size_t r = 0; r < decisions->right_n; r++)
		if (decisions->of_right[r] == NONE && is_almost_run(&decisions->decisions[r]))
			blame_decision(g, log, g->test->place, want, &decisions->decisions[r]);
}

void test_judge(struct test_game *g, const struct trial_log *log)
{
	static const struct trial_run no_runs[1];
	static const struct trial_alert no_alerts[1];
	struct match runs = {.runs = log->runs ? log->runs : no_runs, .right_n = log->runs_n};
	struct match decisions = {.decisions = log->decisions, .right_n = log->decisions_n};
	struct match alerts = {
		.alerts = log->alerts ? log->alerts : no_alerts, .right_n = log->alerts_n};

	runs.left = arena_array(g->a, g->test->expect_n + 1, sizeof(*runs.left));
	decisions.left = arena_array(g->a, g->test->expect_n + 1, sizeof(*decisions.left));
	alerts.left = arena_array(g->a, g->test->expect_n + 1, sizeof(*alerts.left));
	if (!runs.left || !decisions.left || !alerts.left)
		return;
	for (size_t i = 0; i < g->test->expect_n; i++) {
		struct match *m = g->test->expect[i].alert.n	      ? &alerts
				  : g->test->expect[i].has_decision ? &decisions
								    : &runs;
		m->left[m->left_n++] = &g->test->expect[i];
	}
	if (!find_match(&runs, g->a) || !find_match(&decisions, g->a) || !find_match(&alerts, g->a))
		return;
	blame_missing(g, log, &runs);
	blame_missing(g, log, &decisions);
	blame_missing(g, log, &alerts);
	for (size_t i = 0; i < g->test->expect_none_n; i++)
		judge_none(g, log, &g->test->expect_none[i]);
	if (g->test->exact)
		judge_exact(g, log, &runs, &decisions);
}
