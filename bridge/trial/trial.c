/* trial.c: the life of a trial, and the order of time.
 *
 * Owns the loop, the store of the history under way, and the clock, which only goes forward: to the
 * next event, or to the next time at which something may be due. At each stop the bridge's tick is
 * called, then everything that can happen without time passing happens: runs are claimed and end,
 * what they reported comes back through the inbox, until nothing moves. Which event came first, the
 * due thing or the message, is decided here alone: what is due at a time comes before what arrives
 * at that time.
 *
 * It decides nothing about rules (see trial.h), and it keeps nothing: a namespace is left behind
 * when its history ends, and the server dies with all of them.
 */
#include "trial/trial_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "flow/tick.h"

#define SCRATCH_LIMIT ((size_t)256 << 20)

/* ---- waiting ---- */

int trial_full(struct err *e)
{
	return err_set(e, ERR_LIMIT,
		"a trial needs over %zu MiB of memory; try fewer events at once",
		TRIAL_MEMORY >> 20);
}

void trial_began(struct trial *t, int rc)
{
	if (rc == 0)
		t->calls++;
	else if (!t->failed.code)
		err_set(&t->failed, ERR_AWAY, "a call to the private redis-server could not begin");
}

void trial_ended(struct trial *t, const struct err *e)
{
	t->calls--;
	if (e && !t->failed.code)
		t->failed = *e;
}

static void on_deadline(uv_timer_t *timer)
{
	struct trial *t = timer->data;

	err_set(&t->failed, ERR_AWAY, "the private redis-server did not answer within %d s",
		TRIAL_ANSWER_MS / 1000);
}

int trial_await(struct trial *t, struct err *e)
{
	uv_timer_start(&t->deadline, on_deadline, TRIAL_ANSWER_MS, 0);
	while (t->calls > 0)
		uv_run(&t->loop, UV_RUN_ONCE);
	uv_timer_stop(&t->deadline);
	if (!t->failed.code)
		return 0;
	*e = t->failed;
	t->failed = (struct err){.code = ERR_NONE};
	return -1;
}

static void on_done(void *ctx, const struct err *e)
{
	trial_ended(ctx, e);
}

/* ---- memory ---- */

void *trial_grow(struct trial *t, void *array, size_t n, size_t *cap, size_t size)
{
	char *v = array;

	if (n == *cap) {
		size_t more = *cap ? *cap * 2 : 32;
		v = arena_grow(&t->kept, array, *cap * size, more * size);
		if (!v)
			return NULL;
		*cap = more;
	}
	memset(v + n * size, 0, size);
	return v;
}

/* ---- the store ---- */

static void on_state(void *ctx, bool up, const struct err *why)
{
	struct trial *t = ctx;

	t->store_up = up;
	if (!up && why)
		t->store_why = *why;
}

static void on_closed(void *ctx)
{
	*(bool *)ctx = true;
}

static void close_store(struct trial *t)
{
	bool closed = false;

	if (!t->store)
		return;
	store_close(t->store, on_closed, &closed);
	while (!closed)
		uv_run(&t->loop, UV_RUN_ONCE);
	t->store = NULL;
	t->store_up = false;
	t->calls = 0;
	t->failed = (struct err){.code = ERR_NONE};
}

static int open_store(struct trial *t, struct err *e)
{
	char name[32];
	struct store_options o = {
		.loop = &t->loop,
		.address = t->address,
		.slow_after_ms = TRIAL_ANSWER_MS,
		.load_library = true,
		.own_clock = true,
		.on_state = on_state,
		.ctx = t,
	};

	snprintf(name, sizeof(name), "trial-%" PRIu64, ++t->histories);
	o.namespace_ = str_of(name);
	t->store_why = (struct err){.code = ERR_NONE};
	t->store = store_new(&o, e);
	if (!t->store)
		return -1;
	uv_timer_start(&t->deadline, on_deadline, TRIAL_ANSWER_MS, 0);
	while (!t->store_up && !t->store_why.code && !t->failed.code)
		uv_run(&t->loop, UV_RUN_ONCE);
	uv_timer_stop(&t->deadline);
	if (t->store_up)
		return 0;
	*e = t->failed.code ? t->failed : t->store_why;
	close_store(t);
	return -1;
}

/* ---- life ---- */

struct trial *trial_new(struct str address, struct err *e)
{
	struct trial *t = calloc(1, sizeof(*t));
	char *copy = strndup(address.p, address.n);

	if (!t || !copy || uv_loop_init(&t->loop) != 0) {
		err_set(e, ERR_NOMEM, "no memory for a trial");
		free(copy);
		free(t);
		return NULL;
	}
	t->address = str_of(copy);
	uv_timer_init(&t->loop, &t->deadline);
	t->deadline.data = t;
	arena_init(&t->kept, TRIAL_MEMORY);
	arena_init(&t->scratch, SCRATCH_LIMIT);
	return t;
}

static void end_history(struct trial *t)
{
	close_store(t);
	if (t->ic.rules)
		ruleset_unref(t->ic.rules);
	t->ic = (struct ingest_ctx){.store = NULL};
	arena_reset(&t->kept);
	arena_reset(&t->scratch);
	free(t->due.v);
	free(t->idle.v);
	t->due = t->idle = (struct trial_times){NULL, 0, 0};
	t->decisions = NULL;
	t->runs = NULL;
	t->held = NULL;
	t->alerts = NULL;
	t->alerts_n = t->alerts_cap = 0;
	t->decisions_n = t->decisions_cap = 0;
	t->runs_n = t->runs_cap = t->held_n = t->held_cap = 0;
	t->seen[0] = '\0';
	t->fed_id = STR_NONE;
}

void trial_free(struct trial *t)
{
	if (!t)
		return;
	end_history(t);
	uv_close((uv_handle_t *)&t->deadline, NULL);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	uv_loop_close(&t->loop);
	arena_release(&t->kept);
	arena_release(&t->scratch);
	free((char *)t->address.p);
	free(t);
}

static void set_clock(struct trial *t, int64_t at_ms)
{
	t->now = at_ms;
	trial_began(t, store_set_clock(t->store, at_ms, on_done, t, &t->failed));
}

int trial_begin(struct trial *t, const struct trial_setup *setup, struct err *e)
{
	end_history(t);
	if (open_store(t, e) < 0)
		return -1;
	t->setup = *setup;
	t->ic = (struct ingest_ctx){
		.store = t->store, .rules = ruleset_ref(setup->rules), .conf = setup->conf};
	set_clock(t, setup->start_ms);
	trial_began(t, tick_watch(&t->ic, on_done, t, &t->failed));
	return trial_await(t, e);
}

/* ---- time ---- */

static int add_time(struct trial_times *l, int64_t at_ms, struct err *e)
{
	size_t i = l->n;

	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		int64_t *v = reallocarray(l->v, cap, sizeof(*v));
		if (!v)
			return trial_full(e);
		l->v = v;
		l->cap = cap;
	}
	while (i > 0 && l->v[i - 1] < at_ms)
		i--;
	if (i > 0 && l->v[i - 1] == at_ms)
		return 0;
	memmove(&l->v[i + 1], &l->v[i], (l->n - i) * sizeof(*l->v));
	l->v[i] = at_ms;
	l->n++;
	return 0;
}

int trial_due_at(struct trial *t, int64_t at_ms, struct err *e)
{
	return add_time(&t->due, at_ms, e);
}

static int64_t next_of(const struct trial_times *l)
{
	return l->n ? l->v[l->n - 1] : INT64_MAX;
}

int64_t trial_next_due(const struct trial *t)
{
	return t->due.n ? next_of(&t->due) : 0;
}

/* The earlier of the two lists' next times, where it is not after until_ms; it is taken off. */
static bool take_time(struct trial *t, int64_t until_ms, int64_t *at)
{
	struct trial_times *l = next_of(&t->idle) < next_of(&t->due) ? &t->idle : &t->due;

	*at = next_of(l);
	if (*at > until_ms)
		return false;
	l->n--;
	return true;
}

int64_t trial_now(const struct trial *t)
{
	return t->now;
}

struct str trial_fed_id(const struct trial *t)
{
	return t->fed_id;
}

/* What is asked at once, in the order in which Redis does it. */
struct round {
	struct trial *t;
	bool first;
	bool more;		   /* of the tick */
	struct ingest_place place; /* in the inbox; "" at its end */
	size_t taken;		   /* from it */
	struct trial_records records;
	struct trial_pools pools;
};

static void on_tick(void *ctx, const struct err *e, const struct store_tick_result *r)
{
	struct round *w = ctx;
	struct err mine = {.code = ERR_NONE};

	w->more = r && r->more;
	if (r && r->due_in_ms >= 0)
		trial_due_at(w->t, w->t->now + (r->due_in_ms > 0 ? r->due_in_ms : 1), &mine);
	trial_ended(w->t, e ? e : mine.code ? &mine : NULL);
}

static void on_inbox(void *ctx, const struct err *e, size_t taken)
{
	struct round *w = ctx;

	w->taken = taken;
	trial_ended(w->t, e);
}

/* What the bridge does each second and when something comes into the inbox, and what a worker does.
 */
static int play_round(struct trial *t, struct round *w, bool *moved, struct err *e)
{
	struct store_tick in = tick_input(t->ic.conf);

	/* What makes something due is an event: no need to look again where none came. */
	bool look = w->first || w->more || w->taken;

	arena_reset(&t->scratch);
	w->first = w->more = false;
	w->taken = 0;
	if (look)
		trial_began(t, store_tick(t->store, &in, on_tick, w, &t->failed));
	trial_began(t, ingest_inbox(&t->ic, &w->place, on_inbox, w, &t->failed));
	trial_ask_bus(t, &w->records);
	trial_ask_pools(t, &w->pools);
	if (trial_await(t, e) < 0)
		return -1;
	*moved = w->more || w->taken || w->place.after[0] || w->records.n;
	return trial_play_worker(t, &w->pools, moved, e);
}

/* Everything that is due, and everything that follows from it without time passing. */
int trial_settle(struct trial *t, struct err *e)
{
	struct round w = {.t = t, .first = true};
	bool moved = true;

	for (int i = 0; moved; i++) {
		if (i == TRIAL_ROUNDS_MAX)
			return err_set(e, ERR_LIMIT,
				"runs lead to events that lead to runs, over %d times without an "
				"end; rules "
				"start each other",
				TRIAL_ROUNDS_MAX);
		if (play_round(t, &w, &moved, e) < 0)
			return -1;
	}
	return 0;
}

int trial_advance(struct trial *t, int64_t until_ms, struct err *e)
{
	int64_t at;

	while (take_time(t, until_ms, &at)) {
		set_clock(t, at > t->now ? at : t->now);
		if (trial_settle(t, e) < 0)
			return -1;
	}
	if (until_ms > t->now)
		set_clock(t, until_ms); /* the next call waits for its answer, too */
	return 0;
}

/* ---- events ---- */

struct feed_wait {
	struct trial *t;
	struct str answer; /* in scratch */
};

static void on_ingested(void *ctx, const struct err *e, struct str answer)
{
	struct feed_wait *w = ctx;

	if (!e)
		w->answer = arena_strdup(&w->t->scratch, answer);
	trial_ended(w->t, e);
}

/* When its alert will be stale, if nobody speaks of it: to the minute, so that a storm is one time
 * and not many. */
int trial_stale_at(struct trial *t, struct err *e)
{
	int64_t minute = 60000, at = t->now + t->ic.conf->incidents.stale_after_ms;

	return add_time(&t->idle, (at + minute - 1) / minute * minute, e);
}

/* What was said to the event. *n: on how many decisions; those of a new one come from the bus. */
static int take_answer(struct trial *t, struct str text, bool *duplicate, size_t *n, struct err *e)
{
	const struct json *answer = json_parse(&t->scratch, text, e);
	const struct json *list = json_get(answer, "decisions");
	int64_t duplicates = 0;

	if (!answer)
		return -1;
	json_i64(json_get(answer, "duplicate"), &duplicates);
	*duplicate = duplicates > 0;
	*n = list ? list->count : 0;
	if (*n)
		t->fed_id = arena_strdup(&t->kept, json_str(json_get(list->child, "event")));
	/* A duplicate leaves no record: what was said about it is only in the answer. */
	return *duplicate ? trial_add_decisions(t, t->now, STR_NONE, text, false, e) : 0;
}

int trial_feed(struct trial *t, int64_t at_ms, const struct event *ev, struct trial_answer *out,
	struct err *e)
{
	struct event one = *ev;
	struct source_batch batch = {.events = &one, .n = 1};
	struct feed_wait w = {.t = t};
	bool duplicate = false;
	size_t before, n = 0;

	t->fed_id = STR_NONE;
	if (trial_advance(t, at_ms, e) < 0)
		return -1;
	before = t->decisions_n;
	arena_reset(&t->scratch);
	trial_began(t, ingest_batch(&t->ic, &t->scratch, &batch, on_ingested, &w, &t->failed));
	if (trial_await(t, e) < 0 || take_answer(t, w.answer, &duplicate, &n, e) < 0 ||
		trial_stale_at(t, e) < 0)
		return -1;
	if (!duplicate && trial_settle(t, e) < 0) /* from a duplicate nothing follows */
		return -1;
	/* First comes what the event itself ended, as a rule that waited for another occurrence. */
	while (n && before < t->decisions_n && t->decisions[before].later)
		before++;
	if (out)
		*out = (struct trial_answer){duplicate, n ? t->decisions + before : NULL, n};
	return 0;
}

/* ---- pauses ---- */

static void on_paused(void *ctx, const struct err *e, struct str json)
{
	(void)json;
	trial_ended(ctx, e);
}

static int act_pause(struct trial *t, int64_t at_ms, const struct store_pause *pause,
	int (*act)(struct store *, const struct store_pause *, store_text_cb, void *, struct err *),
	struct err *e)
{
	if (trial_advance(t, at_ms, e) < 0)
		return -1;
	trial_began(t, act(t->store, pause, on_paused, t, &t->failed));
	return trial_await(t, e) < 0 ? -1 : trial_settle(t, e);
}

int trial_pause(struct trial *t, int64_t at_ms, const struct store_pause *pause, struct err *e)
{
	return act_pause(t, at_ms, pause, store_pause, e);
}

int trial_resume(struct trial *t, int64_t at_ms, const struct store_pause *pause, struct err *e)
{
	return act_pause(t, at_ms, pause, store_resume, e);
}

struct trial_log trial_log(const struct trial *t)
{
	return (struct trial_log){t->decisions, t->decisions_n, t->runs, t->runs_n, t->alerts, t->alerts_n};
}
