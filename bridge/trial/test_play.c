/* test_play.c: the entries of a test as events in a trial.
 *
 * Owns what a test may leave out: an alert is a message of Alertmanager, made and read as such; a
 * further one with the same labels is a resend of the same occurrence, unless the alert had been
 * resolved or says another starts_at; a resolve is a message about each firing alert that has these
 * labels. A run ends at once and well, unless an entry says otherwise: it takes the first run of
 * its rule and runbook that starts before its time and that no entry took.
 *
 * After the last entry time goes on until nothing is due any more. What comes of it all is judged
 * in test_judge.c.
 */
#include "trial/test_impl.h"

#include <stdlib.h>
#include "base/clock.h"
#include "base/units.h"
#include "source/source.h"

#define TAIL_MS (INT64_C(366) * 24 * 3600 * 1000) /* how long time goes on after the last entry */
#define TAIL_STEPS_MAX 100000

/* An alert that the test has told of. */
struct known {
	struct str source;
	struct test_pairs labels, annotations;
	bool firing;
	int64_t starts_ms;
};

struct play {
	struct test_game *game;
	struct known *known;
	size_t known_n;
};

static int full(struct err *e)
{
	return err_set(e, ERR_LIMIT, "the test needs more memory than one may have");
}

struct str test_time(struct arena *a, int64_t ms)
{
	char text[UNITS_TEXT_MAX];

	units_format_duration(ms, text);
	return arena_strdup(a, str_of(text));
}

struct test_failure *test_fail(struct test_game *g, struct test_place place)
{
	struct test_failure *v = g->failures;

	if (g->failures_n == g->failures_cap) {
		size_t cap = g->failures_cap ? g->failures_cap * 2 : 8;
		v = arena_grow(g->a, v, g->failures_cap * sizeof(*v), cap * sizeof(*v));
		if (!v)
			return NULL;
		g->failures = v;
		g->failures_cap = cap;
	}
	v[g->failures_n] = (struct test_failure){.place = place};
	return &v[g->failures_n++];
}

/* ---- events ---- */

static struct test_fed *add_fed(struct test_game *g, const struct test_event *entry)
{
	struct test_fed *v = g->fed;

	if (g->fed_n == g->fed_cap) {
		size_t cap = g->fed_cap ? g->fed_cap * 2 : 16;
		v = arena_grow(g->a, v, g->fed_cap * sizeof(*v), cap * sizeof(*v));
		if (!v)
			return NULL;
		g->fed = v;
		g->fed_cap = cap;
	}
	v[g->fed_n] = (struct test_fed){.entry = entry, .at_ms = entry->at_ms};
	return &v[g->fed_n++];
}

static int feed(struct test_game *g, struct test_fed *fed, struct err *e)
{
	struct trial_answer answer;

	if (trial_feed(g->trial, TRIAL_T0 + fed->at_ms, &fed->event, &answer, e) < 0)
		return -1;
	if (answer.decisions_n && !answer.duplicate)
		fed->id = answer.decisions[0].event;
	return 0;
}

static void write_pairs(struct json_w *w, const char *key, const struct test_pairs *p)
{
	json_w_key(w, str_of(key));
	json_w_object(w);
	for (size_t i = 0; i < p->n; i++) {
		json_w_key(w, p->v[i].name);
		json_w_str(w, p->v[i].value);
	}
	json_w_end(w, '}');
}

static void write_message(struct buf *out, const struct known *k, int64_t at_ms)
{
	struct json_w w;

	json_w_init(&w, out);
	json_w_object(&w);
	json_w_kstr(&w, "version", STR("4"));
	json_w_key(&w, STR("alerts"));
	json_w_array(&w);
	json_w_object(&w);
	json_w_kstr(&w, "status", k->firing ? STR("firing") : STR("resolved"));
	write_pairs(&w, "labels", &k->labels);
	write_pairs(&w, "annotations", &k->annotations);
	json_w_ktime_ms(&w, "startsAt", TRIAL_T0 + k->starts_ms);
	if (!k->firing)
		json_w_ktime_ms(&w, "endsAt", TRIAL_T0 + at_ms);
	json_w_end(&w, '}');
	json_w_end(&w, ']');
	json_w_end(&w, '}');
}

/* As Alertmanager would send it, through its source. */
static int send_alert(
	struct play *p, const struct known *k, const struct test_event *entry, struct err *e)
{
	struct test_game *g = p->game;
	struct source_batch batch;
	struct source_request rq = {.source = k->source};
	struct source_parse *parse =
		source_begin(g->a, source_kind_find(STR("alertmanager")), &rq);
	struct test_fed *fed = add_fed(g, entry);
	struct buf body;
	int rc = -1;

	buf_init(&body, BUF_NO_LIMIT);
	write_message(&body, k, entry->at_ms);
	if (!parse || !fed || buf_failed(&body)) {
		if (parse)
			source_abort(parse);
		full(e);
	} else if (source_feed(parse, body.p, body.n, e) < 0) {
		source_abort(parse);
	} else if (source_finish(parse, &batch, e) == 0) {
		fed->event = batch.events[0];
		rc = feed(g, fed, e);
	}
	buf_release(&body);
	return rc;
}

static bool pairs_eq(const struct test_pairs *x, const struct test_pairs *y)
{
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (!str_eq(x->v[i].name, y->v[i].name) || !str_eq(x->v[i].value, y->v[i].value))
			return false;
	return true;
}

static struct known *find_known(struct play *p, const struct test_event *ev, struct str source)
{
	for (size_t i = 0; i < p->known_n; i++)
		if (str_eq(p->known[i].source, source) &&
			pairs_eq(&p->known[i].labels, &ev->labels))
			return &p->known[i];
	p->known[p->known_n] = (struct known){.source = source, .labels = ev->labels};
	return &p->known[p->known_n++];
}

static int play_alert(struct play *p, const struct test_event *ev, struct err *e)
{
	struct known *k = find_known(p, ev, ev->source.n ? ev->source : STR("alertmanager"));

	if (!k->firing || ev->has_starts)
		k->starts_ms = ev->has_starts ? ev->starts_ms : ev->at_ms;
	k->firing = true;
	if (ev->annotations.n)
		k->annotations = ev->annotations;
	return send_alert(p, k, ev, e);
}

static struct str value_of(const struct test_pairs *p, struct str name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->v[i].name, name))
			return p->v[i].value;
	return STR_NONE;
}

static bool has_labels(const struct known *k, const struct test_pairs *labels)
{
	for (size_t i = 0; i < labels->n; i++)
		if (!str_eq(value_of(&k->labels, labels->v[i].name), labels->v[i].value))
			return false;
	return true;
}

static int play_resolve(struct play *p, const struct test_event *ev, struct err *e)
{
	struct test_failure *f;
	bool found = false;

	for (size_t i = 0; i < p->known_n; i++) {
		struct known *k = &p->known[i];
		if (!k->firing || !has_labels(k, &ev->labels))
			continue;
		found = true;
		k->firing = false;
		if (send_alert(p, k, ev, e) < 0)
			return -1;
	}
	if (found)
		return 0;
	f = test_fail(p->game, ev->place);
	if (!f)
		return full(e);
	f->expected = STR("an alert with these labels fires and can resolve");
	f->got = STR("none does");
	return 0;
}

static int play_event(struct play *p, const struct test_event *ev, struct err *e)
{
	struct test_fed *fed = add_fed(p->game, ev);

	if (!fed)
		return full(e);
	fed->event = (struct event){
		.source = ev->source.n ? ev->source : STR("cloudevents"),
		.type = ev->type,
		.status = EVENT_INFO,
		.severity = event_severity_of(ev->severity),
		.time_ns = (TRIAL_T0 + ev->at_ms) * 1000000,
		.summary = ev->summary.n ? ev->summary : ev->type,
		.labels = ev->labels.v,
		.labels_n = ev->labels.n,
		.data = ev->data,
	};
	return feed(p->game, fed, e);
}

/* ---- lines ---- */

/* A source that the configuration does not have, or that is none of lines, is one of the test's own. */
static struct bound_source source_of_lines(const struct test_game *g, struct str name)
{
	const struct bound_source *b = sources_find(g->loaded->sources, name);

	if (b && b->kind->lines)
		return *b;
	return (struct bound_source){.name = name, .kind = source_kind_find(STR("logs")), .all = g->loaded->sources};
}

static int play_log(struct play *p, const struct test_event *ev, struct err *e)
{
	const struct bound_source b = source_of_lines(p->game, ev->source.n ? ev->source : STR("logs"));
	const struct trial_line line = {&b, ev->line, ev->labels.v, ev->labels.n};

	return trial_feed_line(p->game->trial, TRIAL_T0 + ev->at_ms, &line, e);
}

/* ---- pauses ---- */

static struct str what_of(struct arena *a, const struct test_pause *p)
{
	static const char *const kinds[] = {[TEST_PAUSE_RULE] = "rule",
		[TEST_PAUSE_RUNBOOK] = "runbook", [TEST_PAUSE_MATCHERS] = "matchers"};

	if (p->kind == TEST_PAUSE_ALL)
		return STR("all");
	return arena_printf(a, "%s %.*s", kinds[p->kind], STR_ARG(p->name));
}

static int play_pause(struct play *p, const struct test_event *ev, struct err *e)
{
	struct test_game *g = p->game;
	struct store_pause in = {
		.what = what_of(g->a, &ev->pause),
		.for_ms = ev->pause.for_ms,
		.who = STR("the test"),
		.reason = ev->pause.reason.n ? ev->pause.reason : STR("the test says so"),
		.tests = ev->pause.tests,
	};
	struct test_failure *f;

	if (!in.what.p)
		return full(e);
	if (ev->kind == TEST_PAUSE)
		return trial_pause(g->trial, TRIAL_T0 + ev->at_ms, &in, e);
	if (trial_resume(g->trial, TRIAL_T0 + ev->at_ms, &in, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	f = test_fail(g, ev->place);
	if (!f)
		return full(e);
	f->expected = arena_printf(g->a, "'%.*s' is paused and can resume", STR_ARG(in.what));
	f->got = STR("it is not");
	return 0;
}

/* ---- runs ---- */

static struct str reason_of(const struct test_run *run)
{
	if (run->retry)
		return STR("exit status 75");
	switch (run->state) {
	case RUN_FAILED:
		return STR("exit status 1");
	case RUN_TIMED_OUT:
		return STR("it took longer than its timeout");
	case RUN_CANCELLED:
		return STR("cancelled by the test");
	case RUN_LOST:
		return STR("its worker was lost");
	default:
		return STR("");
	}
}

static void on_run(void *ctx, const struct trial_run *run, struct trial_outcome *out)
{
	struct test_game *g = ctx;
	int64_t now = run->at_ms - TRIAL_T0;

	for (size_t i = 0; i < g->test->events_n; i++) {
		const struct test_event *ev = &g->test->events[i];
		const struct test_run *r = &ev->run;

		if (ev->kind != TEST_RUN || g->run_used[i] || ev->at_ms < now ||
			!str_eq(r->rule, run->rule) || !str_eq(r->runbook, run->runbook) ||
			(r->has_started && r->started_ms != now))
			continue;
		g->run_used[i] = true;
		*out = (struct trial_outcome){
			.ends_ms = TRIAL_T0 + ev->at_ms,
			.state = r->state,
			.retry = r->retry,
			.reason = reason_of(r),
			.has_exit = r->state == RUN_SUCCEEDED || r->state == RUN_FAILED,
			.exit_code = r->retry		      ? 75
				     : r->state == RUN_FAILED ? 1
							      : 0,
			.output = r->output,
			.emitted = r->emits,
			.emitted_n = r->emits_n,
		};
		return;
	}
}

static void blame_unused(struct test_game *g)
{
	for (size_t i = 0; i < g->test->events_n; i++) {
		const struct test_event *ev = &g->test->events[i];
		struct test_failure *f;

		if (ev->kind != TEST_RUN || g->run_used[i])
			continue;
		f = test_fail(g, ev->place);
		if (!f)
			return;
		f->expected = arena_printf(g->a,
			"a run of rule '%.*s' with runbook '%.*s' is there to end at %.*s",
			STR_ARG(ev->run.rule), STR_ARG(ev->run.runbook),
			STR_ARG(test_time(g->a, ev->at_ms)));
		f->got = STR("none that no other entry took");
		struct trial_log log = trial_log(g->trial);
		test_say_why(g, &log, ev->run.rule, f);
	}
}

/* ---- the whole ---- */

static int by_time(const void *a, const void *b)
{
	const struct test_event *x = *(const struct test_event *const *)a,
				*y = *(const struct test_event *const *)b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return (x > y) - (x < y); /* as written */
}

static int play_entry(struct play *p, const struct test_event *ev, struct err *e)
{
	switch (ev->kind) {
	case TEST_ALERT:
		return play_alert(p, ev, e);
	case TEST_RESOLVE:
		return play_resolve(p, ev, e);
	case TEST_EVENT:
		return play_event(p, ev, e);
	case TEST_LOG:
		return play_log(p, ev, e);
	case TEST_PAUSE:
	case TEST_RESUME:
		return play_pause(p, ev, e);
	case TEST_RUN:
		return 0; /* it ends when the run's time has come */
	}
	return 0;
}

static int64_t last_time(const struct rule_test *t)
{
	int64_t last = 0;

	for (size_t i = 0; i < t->events_n; i++)
		last = t->events[i].at_ms > last ? t->events[i].at_ms : last;
	for (size_t i = 0; i < t->expect_n; i++)
		last = t->expect[i].has_at && t->expect[i].at_ms > last ? t->expect[i].at_ms : last;
	return last;
}

static int play_tail(struct test_game *g, struct err *e)
{
	int64_t last = TRIAL_T0 + last_time(g->test), due;

	if (trial_advance(g->trial, last, e) < 0)
		return -1;
	for (int i = 0; i < TAIL_STEPS_MAX; i++) {
		due = trial_next_due(g->trial);
		if (!due || due > last + TAIL_MS)
			return 0;
		if (trial_advance(g->trial, due, e) < 0)
			return -1;
	}
	return err_set(e, ERR_LIMIT,
		"there is always something due, also %d steps after the last event",
		TAIL_STEPS_MAX);
}

static int play_all(struct play *p, struct err *e)
{
	struct test_game *g = p->game;
	const struct test_event **order = arena_array(g->a, g->test->events_n + 1, sizeof(*order));

	p->known = arena_array(g->a, g->test->events_n + 1, sizeof(*p->known));
	if (!order || !p->known)
		return full(e);
	for (size_t i = 0; i < g->test->events_n; i++)
		order[i] = &g->test->events[i];
	qsort(order, g->test->events_n, sizeof(*order), by_time);
	for (size_t i = 0; i < g->test->events_n; i++)
		if (play_entry(p, order[i], e) < 0)
			return -1;
	return play_tail(g, e);
}

int test_play(struct trial *t, const struct loaded *l, const struct rule_test *test,
	struct arena *a, struct test_result *out, struct err *e)
{
	struct test_game g = {.trial = t, .loaded = l, .test = test, .a = a};
	struct trial_setup setup = {l->rules, l->conf, TRIAL_T0, on_run, &g};
	struct play p = {.game = &g};

	*out = (struct test_result){.failures = NULL};
	g.run_used = arena_array(a, test->events_n + 1, sizeof(*g.run_used));
	if (!g.run_used)
		return full(e);
	if (trial_begin(t, &setup, e) < 0 || play_all(&p, e) < 0)
		return -1;
	out->log = trial_log(t);
	blame_unused(&g);
	test_judge(&g, &out->log);
	out->failures = g.failures;
	out->failures_n = g.failures_n;
	return arena_failed(a) ? full(e) : 0;
}
