/* trial_runs.c: the worker of a trial: claims what is ready, fills in its parameters, and ends it
 * as it was told.
 *
 * It is a worker as the store sees one: its claims, its changes of state and its output are the
 * same calls. What it does not do is execute: how a run ends is said by the trial's user. Its lease
 * never ends, for it cannot be silent.
 */
#include "trial/trial_impl.h"

#include "flow/claim.h"

#define WORKER STR("trial")
#define INSTANCE STR("trial")

#define CLAIMS_MAX 64 /* at once */

struct claim_wait {
	struct trial *t;
	size_t found;
};

/* ---- which pools ---- */

static void add_pool(struct trial_pools *w, struct str pool)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_eq(w->v[i], pool))
			return;
	if (w->n < TRIAL_POOLS_MAX)
		w->v[w->n++] = pool;
}

static void on_queued(void *ctx, const struct err *e, const struct store_rows *rows)
{
	struct trial_pools *w = ctx;
	struct err ignored;

	w->runs = e ? 0 : rows->n;
	for (size_t i = 0; i < w->runs; i++)
		add_pool(w, json_str(json_get(
				    json_parse(&w->t->scratch, rows->v[i], &ignored), "pool")));
	trial_ended(w->t, e);
}

void trial_ask_pools(struct trial *t, struct trial_pools *w)
{
	struct store_page page = {.status = STR("queued"), .limit = TRIAL_POOLS_MAX};

	w->t = t;
	w->n = w->runs = 0;
	trial_began(t, store_list(t->store, STORE_RUNS, &page, on_queued, w, &t->failed));
}

/* ---- claiming ---- */

static struct held_run *hold(struct trial *t, const struct store_claimed *c, struct err *e)
{
	struct trial_run *runs = trial_grow(t, t->runs, t->runs_n, &t->runs_cap, sizeof(*runs));
	struct held_run *held =
		runs ? trial_grow(t, t->held, t->held_n, &t->held_cap, sizeof(*held)) : NULL;

	if (!held) {
		trial_full(e);
		return NULL;
	}
	t->runs = runs;
	t->held = held;
	runs[t->runs_n] = (struct trial_run){
		.at_ms = t->now,
		.run = arena_strdup(&t->kept, c->run),
		.rule = arena_strdup(&t->kept, c->rule),
		.step = arena_strdup(&t->kept, c->step),
		.runbook = arena_strdup(&t->kept, c->runbook),
		.pool = arena_strdup(&t->kept, c->pool),
		.attempt = c->attempt,
		.state = RUN_RUNNING,
	};
	held[t->held_n] = (struct held_run){.at = t->runs_n++, .fence = c->fence};
	return &held[t->held_n++];
}

/* Claimed texts live until the callback returns. */
static struct store_claimed copy_claim(struct arena *a, const struct store_claimed *c)
{
	struct store_claimed copy = *c;

	copy.params_json = arena_strdup(a, c->params_json);
	copy.event_json = arena_strdup(a, c->event_json);
	copy.incident_json = arena_strdup(a, c->incident_json);
	copy.steps_json = arena_strdup(a, c->steps_json);
	return copy;
}

/* As the worker prepares it: its parameters, or why it cannot start. */
static int prepare(struct trial *t, const struct store_claimed *c, struct trial_run *run,
	const struct runbook **rb, struct err *e)
{
	struct store_claimed copy = copy_claim(&t->kept, c);
	struct claim_inputs in;

	*rb = ruleset_runbook(t->ic.rules, c->runbook);
	if (!*rb)
		return err_set(e, ERR_INPUT, "there is no runbook '%.*s'", STR_ARG(c->runbook));
	if (claim_read(&in, &t->kept, &copy, *rb, e) < 0)
		return -1;
	run->params = in.params;
	run->params_n = in.params_n;
	run->event = in.event_json ? in.event.id : STR_NONE;
	return 0;
}

static void copy_outcome(struct trial *t, struct held_run *h)
{
	h->outcome.reason = arena_strdup(&t->kept, h->outcome.reason);
	h->outcome.output = arena_strdup(&t->kept, h->outcome.output);
	if (h->outcome.ends_ms < t->now)
		h->outcome.ends_ms = t->now;
}

static int take(struct trial *t, const struct store_claimed *c, struct err *e)
{
	const struct runbook *rb = NULL;
	struct err why = {.code = ERR_NONE};
	struct held_run *h;

	if (t->runs_n == TRIAL_RUNS_MAX)
		return err_set(e, ERR_LIMIT, "over %d runs started in one trial; give it fewer events", TRIAL_RUNS_MAX);
	h = hold(t, c, e);
	if (!h)
		return -1;
	h->outcome =
		(struct trial_outcome){.ends_ms = t->now, .state = RUN_SUCCEEDED, .has_exit = true};
	if (prepare(t, c, &t->runs[h->at], &rb, &why) < 0)
		h->outcome = (struct trial_outcome){
			.ends_ms = t->now, .state = RUN_FAILED, .reason = str_of(why.text)};
	else if (t->setup.on_run)
		t->setup.on_run(t->setup.ctx, &t->runs[h->at], &h->outcome);
	if (rb)
		h->backoff_ms = rb->retries_backoff_ms;
	copy_outcome(t, h);
	if (arena_failed(&t->kept))
		return trial_full(e);
	return h->outcome.ends_ms > t->now ? trial_due_at(t, h->outcome.ends_ms, e) : 0;
}

static void on_claim(void *ctx, const struct err *e, const struct store_claimed *c)
{
	struct claim_wait *w = ctx;
	struct err mine = {.code = ERR_NONE};

	if (!e && c->run.n > 0) {
		w->found++;
		take(w->t, c, &mine);
	}
	trial_ended(w->t, e ? e : mine.code ? &mine : NULL);
}

/* As many claims as there are runs, at once: those for which there is none yet say so. */
static int claim_all(struct trial *t, const struct trial_pools *pools, bool *moved, struct err *e)
{
	size_t n = pools->runs < CLAIMS_MAX ? pools->runs : CLAIMS_MAX;
	struct claim_wait w = {.t = t};

	for (size_t i = 0; i < n; i++)
		trial_began(t, store_claim(t->store, WORKER, INSTANCE, pools->v, pools->n,
				       TRIAL_LEASE_MS, on_claim, &w, &t->failed));
	if (w.t->calls && trial_await(t, e) < 0)
		return -1;
	if (w.found)
		*moved = true;
	return 0;
}

/* ---- ending ---- */

static void on_done(void *ctx, const struct err *e)
{
	trial_ended(ctx, e);
}

/* The fence may not be ours any more: somebody cancelled it. */
static void on_changed(void *ctx, const struct err *e)
{
	trial_ended(ctx, e && e->code == ERR_CONFLICT ? NULL : e);
}

static void put_output(struct trial *t, const struct held_run *h, struct store_held run)
{
	struct str rest = h->outcome.output;

	while (rest.n) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;
		struct store_line line = {.time_ms = t->now, .text = {rest.p, n}};

		trial_began(t, store_output(t->store, run, &line, 1, on_done, t, &t->failed));
		n += end ? 1 : 0;
		rest = (struct str){rest.p + n, rest.n - n};
	}
}

/* Begins the calls. */
static int end_run(struct trial *t, struct held_run *h, struct err *e)
{
	struct trial_run *run = &t->runs[h->at];
	struct store_held held = {run->run, h->fence};
	struct run_result r = {
		.state = h->outcome.state,
		.retry = h->outcome.retry,
		.reason = h->outcome.reason,
		.has_exit = h->outcome.has_exit,
		.exit_code = h->outcome.exit_code,
		.duration_ms = t->now - run->at_ms,
		.emitted = h->outcome.emitted,
		.emitted_n = h->outcome.emitted_n,
	};

	h->ended = true;
	run->ended_ms = t->now;
	run->state = r.state;
	run->reason = r.reason;
	put_output(t, h, held);
	trial_began(t, run_set_state(t->store, held, WORKER, &r, on_changed, t, &t->failed));
	return r.retry ? trial_due_at(t, t->now + h->backoff_ms, e) : 0;
}

static void on_beat(void *ctx, const struct err *e, const struct store_beat *b)
{
	struct trial *t = ctx;

	for (size_t i = 0; !e && i < b->cancel_n; i++)
		if (b->cancel[i] < t->held_n)
			t->held[b->cancel[i]].outcome =
				(struct trial_outcome){.ends_ms = t->now, .state = RUN_CANCELLED};
	trial_ended(t, e);
}

/* Runs that are to be stopped stop at once: a trial knows no grace. */
static int look_for_cancels(struct trial *t, struct err *e)
{
	struct store_held *held;

	if (t->held_n == 0)
		return 0;
	held = arena_array(&t->scratch, t->held_n, sizeof(*held));
	if (!held)
		return trial_full(e);
	for (size_t i = 0; i < t->held_n; i++)
		held[i] = (struct store_held){t->runs[t->held[i].at].run, t->held[i].fence};
	trial_began(t, store_heartbeat(t->store, WORKER, INSTANCE, held, t->held_n, TRIAL_LEASE_MS,
			       on_beat, t, &t->failed));
	return trial_await(t, e);
}

static int end_due(struct trial *t, bool *moved, struct err *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->held_n; i++) {
		if (t->held[i].outcome.ends_ms <= t->now) {
			if (end_run(t, &t->held[i], e) < 0)
				return -1;
			*moved = true;
		}
	}
	if (t->calls && trial_await(t, e) < 0)
		return -1;
	for (size_t i = 0; i < t->held_n; i++)
		if (!t->held[i].ended)
			t->held[kept++] = t->held[i];
	t->held_n = kept;
	return 0;
}

int trial_play_worker(struct trial *t, const struct trial_pools *pools, bool *moved, struct err *e)
{
	if (look_for_cancels(t, e) < 0 || end_due(t, moved, e) < 0 ||
		claim_all(t, pools, moved, e) < 0)
		return -1;
	return end_due(t, moved, e);
}
