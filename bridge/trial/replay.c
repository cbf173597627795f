/* replay.c: stored events through a trial.
 *
 * Owns what a history needs that was not made for a trial: the order of time, runs that end as they did, and which
 * event of the trial is which of the history. Deciding is the trial's (trial.h), and so the bridge's.
 *
 * Ids of the trial grow with time, as its events are fed: so the list of those fed is sorted as it grows.
 */
#include "trial/replay.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "source/source.h"

#define EVENT_MEMORY ((size_t)512 << 20) /* of one event while it is played */
#define OWN_SOURCE "runbookd"
#define NEVER_STALE_MS (INT64_C(100) * 365 * 24 * 3600 * 1000)

struct replay_outcome { /* of a run that there was */
	struct str event, rule, step;
	enum run_state state;
	struct str reason;
	int64_t duration_ms;
};

struct replay_fed {
	struct str id; /* in the trial */
	size_t at;     /* in events */
};

void replay_init(struct replay *r, struct arena *a)
{
	*r = (struct replay){.a = a};
}

static int full(struct err *e)
{
	return err_set(e, ERR_LIMIT, "the events need more memory than one may have; give a shorter time");
}

static struct str kept(struct replay *r, const struct json *j, const char *key)
{
	struct str s = json_str(json_get(j, key));

	return s.n ? arena_strdup(r->a, s) : STR_NONE;
}

/* ---- what was ---- */

static size_t place_of(const struct replay_decision *v, size_t n, struct str rule)
{
	size_t i = 0;

	while (i < n && !str_eq(v[i].rule, rule))
		i++;
	return i;
}

/* Only the last decision of a rule counts. later: made after the event was stored, by a rule that waited; one of a rule
 * that had decided nothing on it is of on_resolve, and passed over. -1: the arena is full. */
static int set_decision(struct replay *r, struct replay_decision **list, size_t *n, const struct replay_decision *d,
	bool later)
{
	struct replay_decision *v = *list;
	size_t i = place_of(v, *n, d->rule);

	if (i == *n && later)
		return 0;
	if (i == *n) {
		if ((i & (i - 1)) == 0) /* room for 1, 2, 4, … */
			v = arena_grow(r->a, v, i * sizeof(*v), (i ? 2 * i : 1) * sizeof(*v));
		if (!v)
			return -1;
		*list = v;
		v[(*n)++].rule = arena_strdup(r->a, d->rule);
	}
	v[i].decision = arena_strdup(r->a, d->decision);
	v[i].reason = arena_strdup(r->a, d->reason);
	return arena_failed(r->a) ? -1 : 0;
}

static int set_then(struct replay *r, struct replay_event *ev, const struct json *decisions, bool later)
{
	for (const struct json *j = decisions ? decisions->child : NULL; j; j = j->next) {
		const struct replay_decision d = {json_str(json_get(j, "rule")), json_str(json_get(j, "decision")),
			json_str(json_get(j, "reason"))};

		if (set_decision(r, &ev->then, &ev->then_n, &d, later) != 0)
			return -1;
	}
	return 0;
}

/* What a trial can play of how a run ended. What was cancelled then may not be now. */
static enum run_state state_of(struct str outcome)
{
	static const enum run_state bad[] = {RUN_FAILED, RUN_TIMED_OUT, RUN_LOST};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (str_is(outcome, run_state_name(bad[i])))
			return bad[i];
	return RUN_SUCCEEDED;
}

static int add_outcome(struct replay *r, const struct json *event, struct err *e)
{
	const struct json *labels = json_get(event, "labels"), *data = json_get(event, "data");
	struct replay_outcome *v = r->outcomes;

	r->own++;
	if (!str_is(json_str(json_get(event, "type")), "run"))
		return 0;
	if (r->outcomes_n == r->outcomes_cap) {
		size_t cap = r->outcomes_cap ? r->outcomes_cap * 2 : 64;
		v = arena_grow(r->a, v, r->outcomes_cap * sizeof(*v), cap * sizeof(*v));
		if (!v)
			return full(e);
		r->outcomes = v;
		r->outcomes_cap = cap;
	}
	v[r->outcomes_n] = (struct replay_outcome){
		.event = kept(r, data, "event"),
		.rule = kept(r, labels, "rule"),
		.step = kept(r, labels, "step"),
		.state = state_of(json_str(json_get(labels, "outcome"))),
		.reason = kept(r, data, "reason"),
	};
	json_i64(json_get(data, "duration_ms"), &v[r->outcomes_n++].duration_ms);
	return arena_failed(r->a) ? full(e) : 0;
}

static struct str text_of(struct replay *r, const struct json *j)
{
	struct json_w w;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_write(&w, j);
	struct str s = buf_failed(&b) ? STR_NONE : arena_strdup(r->a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

int replay_add(struct replay *r, const struct json *event, struct err *e)
{
	struct replay_event *v = r->events;
	int64_t ns = 0;

	if (!clock_parse_rfc3339(json_str(json_get(event, "received")), &ns) || json_str(json_get(event, "id")).n == 0)
		return err_set(e, ERR_INPUT, "an event without id or time of arrival; is it runbookd's?");
	if (str_is(json_str(json_get(event, "source")), OWN_SOURCE))
		return add_outcome(r, event, e);
	if (r->n == REPLAY_EVENTS_MAX)
		return err_set(e, ERR_LIMIT, "over %d events; give a shorter time", REPLAY_EVENTS_MAX);
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 256;
		v = arena_grow(r->a, v, r->cap * sizeof(*v), cap * sizeof(*v));
		if (!v)
			return full(e);
		r->events = v;
		r->cap = cap;
	}
	v += r->n++;
	*v = (struct replay_event){
		.id = kept(r, event, "id"),
		.incident = kept(r, event, "incident"),
		.received_ms = ns / 1000000,
		.json = text_of(r, event),
	};
	return set_then(r, v, json_get(event, "decisions"), false) != 0 || arena_failed(r->a) ? full(e) : 0;
}

int replay_later(struct replay *r, struct str event, const struct json *decisions, struct err *e)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = str_cmp(event, r->events[mid].id); /* the newest, and so the greatest, is first */

		if (c == 0)
			return set_then(r, &r->events[mid], decisions, true) != 0 ? full(e) : 0;
		if (c > 0)
			high = mid;
		else
			low = mid + 1;
	}
	return 0;
}

/* ---- runs end as they did ---- */

static int by_key(const void *a, const void *b)
{
	const struct replay_outcome *x = a, *y = b;
	int c = str_cmp(x->event, y->event);

	c = c ? c : str_cmp(x->rule, y->rule);
	return c ? c : str_cmp(x->step, y->step);
}

static int by_id(const void *a, const void *b)
{
	const struct replay_fed *x = a, *y = b;

	return str_cmp(x->id, y->id);
}

/* Which event of the history; NULL for one that the trial has not told the id of, or that is its own. */
static struct replay_event *event_of(const struct replay *r, struct str trial_id)
{
	struct replay_fed key = {.id = trial_id};
	const struct replay_fed *f = r->fed_n ? bsearch(&key, r->fed, r->fed_n, sizeof(key), by_id) : NULL;

	return f ? &r->events[f->at] : NULL;
}

/* While an event without decisions is under way, what runs is on it: the end of its alert. */
static const struct replay_event *event_of_run(const struct replay *r, const struct trial_run *run)
{
	const struct replay_event *ev = event_of(r, run->event);
	struct str id = trial_fed_id(r->trial);

	return ev || (id.n && !str_eq(id, run->event)) ? ev : r->under_way;
}

static void on_run(void *ctx, const struct trial_run *run, struct trial_outcome *out)
{
	struct replay *r = ctx;
	const struct replay_event *ev = event_of_run(r, run);
	struct replay_outcome key = {.event = ev ? ev->id : STR_NONE, .rule = run->rule, .step = run->step};
	const struct replay_outcome *was =
		ev && r->outcomes_n ? bsearch(&key, r->outcomes, r->outcomes_n, sizeof(key), by_key) : NULL;

	if (!was)
		return;
	out->state = was->state;
	out->reason = was->reason;
	out->ends_ms = run->at_ms + was->duration_ms;
}

/* ---- what would be ---- */

static int take_now(struct replay *r, struct replay_event *ev, const struct trial_decision *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct replay_decision d = {v[i].rule, str_of(decision_name(v[i].decision)), v[i].reason};

		if (set_decision(r, &ev->now, &ev->now_n, &d, v[i].later) != 0)
			return -1;
	}
	return 0;
}

static int feed(struct replay *r, size_t at, struct arena *scratch, struct err *e)
{
	static const struct json_limits limits = {.nodes = 2 * SOURCE_NODES_LIMIT};
	struct replay_event *ev = &r->events[at];
	const struct json *j = json_parse_within(scratch, &limits, ev->json, e);
	int64_t now = trial_now(r->trial), when = ev->received_ms > now ? ev->received_ms : now;
	struct trial_answer answer;
	struct event event;

	if (!j || event_read_json(scratch, j, &event, e) != 0)
		return -1;
	event.id = STR_NONE;
	event.received_ms = 0;
	if (trial_advance(r->trial, when, e) != 0)
		return -1;
	r->under_way = ev;
	if (trial_feed(r->trial, when, &event, &answer, e) != 0)
		return -1;
	r->under_way = NULL;
	if (take_now(r, ev, answer.decisions, answer.decisions_n) != 0)
		return full(e);
	if (answer.decisions_n && !answer.duplicate)
		r->fed[r->fed_n++] = (struct replay_fed){arena_strdup(r->a, answer.decisions[0].event), at};
	return 0;
}

static int take_later(struct replay *r, const struct trial_log *log, struct err *e)
{
	for (size_t i = 0; i < log->decisions_n; i++) {
		const struct trial_decision *d = &log->decisions[i];
		struct replay_event *ev = d->later ? event_of(r, d->event) : NULL;

		if (ev && take_now(r, ev, d, 1) != 0)
			return full(e);
	}
	return 0;
}

/* ---- the comparison ---- */

static const struct replay_decision *find(const struct replay_decision *v, size_t n, struct str rule)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].rule, rule))
			return &v[i];
	return NULL;
}

static int compare(struct replay *r, struct replay_event *ev)
{
	struct replay_change *v = arena_array(r->a, ev->then_n + ev->now_n + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return -1;
	for (size_t i = 0; i < ev->then_n; i++) {
		const struct replay_decision *now = find(ev->now, ev->now_n, ev->then[i].rule);

		if (!now || !str_eq(now->decision, ev->then[i].decision))
			v[n++] = (struct replay_change){ev->then[i].rule, &ev->then[i], now};
	}
	for (size_t i = 0; i < ev->now_n; i++)
		if (!find(ev->then, ev->then_n, ev->now[i].rule))
			v[n++] = (struct replay_change){ev->now[i].rule, NULL, &ev->now[i]};
	ev->changes = v;
	ev->changes_n = n;
	r->changed += n > 0;
	return 0;
}

static int by_rule(const void *a, const void *b)
{
	const struct replay_count *x = a, *y = b;
	int c = str_cmp(x->rule, y->rule);

	return c ? c : str_cmp(x->decision, y->decision);
}

/* One entry a decision, sorted, equal ones added up. */
static int count(struct replay *r)
{
	struct replay_count *v;
	size_t n = 0, all = 0;

	for (size_t i = 0; i < r->n; i++)
		all += r->events[i].then_n + r->events[i].now_n;
	v = arena_array(r->a, all + 1, sizeof(*v));
	if (!v)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		const struct replay_event *ev = &r->events[i];

		for (size_t k = 0; k < ev->then_n; k++)
			v[n++] = (struct replay_count){ev->then[k].rule, ev->then[k].decision, 1, 0};
		for (size_t k = 0; k < ev->now_n; k++)
			v[n++] = (struct replay_count){ev->now[k].rule, ev->now[k].decision, 0, 1};
	}
	qsort(v, n, sizeof(*v), by_rule);
	r->counts = v;
	for (size_t i = 0; i < n; i++) {
		struct replay_count *last = r->counts_n ? &v[r->counts_n - 1] : NULL;

		if (last && by_rule(last, &v[i]) == 0) {
			last->then += v[i].then;
			last->now += v[i].now;
		} else {
			v[r->counts_n++] = v[i];
		}
	}
	return 0;
}

static int play_all(struct replay *r, int64_t until_ms, struct err *e)
{
	struct arena scratch;
	int rc = 0;

	arena_init(&scratch, EVENT_MEMORY);
	for (size_t i = r->n; i > 0 && rc == 0; i--) {
		rc = feed(r, i - 1, &scratch, e);
		arena_reset(&scratch);
	}
	arena_release(&scratch);
	return rc == 0 ? trial_advance(r->trial, until_ms, e) : rc;
}

int replay_play(struct replay *r, struct trial *t, struct loaded *l, int64_t until_ms, struct err *e)
{
	struct trial_setup setup = {.rules = l->rules, .conf = l->conf, .on_run = on_run, .ctx = r};
	struct trial_log log;

	l->conf->incidents.stale_after_ms = NEVER_STALE_MS;
	r->fed = arena_array(r->a, r->n + 1, sizeof(*r->fed));
	if (!r->fed)
		return full(e);
	if (r->outcomes_n)
		qsort(r->outcomes, r->outcomes_n, sizeof(*r->outcomes), by_key);
	if (r->n) {
		setup.start_ms = r->events[r->n - 1].received_ms;
		r->trial = t;
		if (trial_begin(t, &setup, e) != 0 || play_all(r, until_ms, e) != 0)
			return -1;
		log = trial_log(t);
		if (take_later(r, &log, e) != 0)
			return -1;
	}
	for (size_t i = 0; i < r->n; i++)
		if (compare(r, &r->events[i]) != 0)
			return full(e);
	return count(r) != 0 ? full(e) : 0;
}
