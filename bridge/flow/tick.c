/* tick.c: the bridge's heartbeat: store_tick every TICK_EVERY_MS and when something is due, then
 * the inbox: to its end while something of it can be taken, else one bounded walk, which the next
 * tick takes up. The inbox is also walked as soon as something comes into it, which a blocking read
 * of the second connection tells; where that is not up, a tick finds it.
 *
 * What is due is known of each store_tick's answer, and of the ingests of this bridge (tick_due),
 * so that its moment is not missed by a whole tick. A timer that is early finds nothing and is told
 * anew.
 *
 * At most one store_tick, one wait and one walk through the inbox are under way. While Redis is
 * away nothing is sent; what was due then is due at the first tick after, since all deadlines are
 * values in Redis. Two bridges may tick at once: the store's functions see to it that each thing
 * happens once.
 *
 * Closing is in two steps, since answers may still come: after tick_close nothing new is sent, and
 * done is called when the calls under way have ended (store_close ends them).
 */
#include "flow/tick.h"

#include <stdlib.h>
#include <string.h>
#include "base/metrics.h"
#include "flow/decide.h"

/* What the steps of rules with `absent` are filled in with. */
#define TICK_WATCH_MEMORY ((size_t)64 << 20)

struct tick {
	uv_timer_t timer, due;
	const struct ingest_ctx *ic;
	void (*on_result)(void *ctx, const struct err *e, const struct store_tick_result *r);
	void *ctx;
	struct ingest_place place;
	char inbox_last[48]; /* the latest entry that a wait told of; "" none yet */
	char watched[HASH_SHA256_HEX]; /* the ruleset whose `absent` rules were named; "" none */
	uint64_t watched_at;
	bool ticking, draining, kicked, listening, watching;
	bool closing;
	int timers; /* that are not closed yet */
	void (*done)(void *ctx);
	void *done_ctx;
};

static void drain(struct tick *t);
static void listen_inbox(struct tick *t);

static void maybe_done(struct tick *t)
{
	void (*done)(void *ctx) = t->done;
	void *ctx = t->done_ctx;

	if (!t->closing || t->timers || t->ticking || t->draining || t->listening || t->watching)
		return;
	free(t);
	done(ctx);
}

static void on_drained(void *ctx, const struct err *e, size_t taken)
{
	struct tick *t = ctx;
	bool again = t->kicked || (taken > 0 && t->place.after[0]);

	t->draining = false;
	t->kicked = false;
	if (e)
		t->on_result(t->ctx, e, NULL);
	if (!e && again)
		drain(t);
	if (!t->draining)
		listen_inbox(t);
	maybe_done(t);
}

static void on_inbox(void *ctx, const struct err *e, struct str id)
{
	struct tick *t = ctx;

	t->listening = false;
	if (!e && id.n > 0 && id.n < sizeof(t->inbox_last)) {
		memcpy(t->inbox_last, id.p, id.n);
		t->inbox_last[id.n] = '\0';
		drain(t); /* the next wait is its end's */
	} else if (!e) {
		listen_inbox(t);
	}
	maybe_done(t);
}

/* Where it cannot be waited, the next tick tries again. */
static void listen_inbox(struct tick *t)
{
	struct err ignored;

	if (!t->closing && !t->listening && store_up(t->ic->store))
		t->listening = store_inbox_wait(t->ic->store, str_of(t->inbox_last),
				       TICK_INBOX_WAIT_MS, on_inbox, t, &ignored) == 0;
}

static void drain(struct tick *t)
{
	struct err e = {0};

	if (t->closing || !store_up(t->ic->store))
		return;
	if (t->draining) {
		t->kicked = true;
		return;
	}
	t->draining = true;
	if (ingest_inbox(t->ic, &t->place, on_drained, t, &e) != 0) {
		t->draining = false;
		t->on_result(t->ctx, &e, NULL);
	}
}

static void send_tick(struct tick *t);

static void on_due(uv_timer_t *timer)
{
	send_tick(timer->data);
}

void tick_now(struct tick *t)
{
	t->watched[0] = '\0'; /* it may be another Redis */
	send_tick(t);
}

void tick_due(struct tick *t, int64_t in_ms)
{
	uint64_t in = in_ms > 0 ? (uint64_t)in_ms : 0;

	if (t->closing || in >= TICK_EVERY_MS) /* a tick before that will tell */
		return;
	if (!uv_is_active((uv_handle_t *)&t->due) || uv_timer_get_due_in(&t->due) > in)
		uv_timer_start(&t->due, on_due, in, 0);
}

static void count_late(const struct store_tick_result *r)
{
	for (size_t i = 0; i < r->late_n; i++) {
		struct str labels[] = {r->late[i].rule, str_of(decision_name(r->late[i].decision))};

		metric_add(METRIC_DECISIONS, 1, labels);
	}
}

static void on_ticked(void *ctx, const struct err *e, const struct store_tick_result *r)
{
	struct tick *t = ctx;

	t->ticking = false;
	t->on_result(t->ctx, e, e ? NULL : r);
	if (!e) {
		count_late(r);
		if (r->more)
			send_tick(t);
		else if (r->due_in_ms >= 0)
			tick_due(t, r->due_in_ms);
	}
	drain(t);
	maybe_done(t);
}

struct store_tick tick_input(const struct conf *c)
{
	return (struct store_tick){
		.limits = decide_limits(c),
		.stale_after_ms = c->incidents.stale_after_ms,
		.retention_ms = c->incidents.retention_ms,
		.audit_retention_ms = c->audit_retention_ms,
	};
}

int tick_watch(const struct ingest_ctx *ic, store_done_cb cb, void *ctx, struct err *e)
{
	struct store_watch w;
	struct arena a;

	arena_init(&a, TICK_WATCH_MEMORY);
	int rc = decide_watch(ic->rules, &a, &w, e);
	w.limits = decide_limits(ic->conf);
	if (rc == 0)
		rc = store_watch(ic->store, &w, cb, ctx, e);
	arena_release(&a);
	return rc;
}

static void on_watched(void *ctx, const struct err *e)
{
	struct tick *t = ctx;

	t->watching = false;
	if (e) {
		t->watched[0] = '\0';
		t->on_result(t->ctx, e, NULL);
	}
	maybe_done(t);
}

/* In front of the tick that may find one of them due. */
static void send_watch(struct tick *t)
{
	uint64_t now = uv_now(t->timer.loop);
	struct err e = {0};

	if (t->watching || (strcmp(t->watched, t->ic->rules->hash) == 0 &&
				   now - t->watched_at < TICK_WATCH_MS))
		return;
	memcpy(t->watched, t->ic->rules->hash, sizeof(t->watched));
	t->watched_at = now;
	t->watching = tick_watch(t->ic, on_watched, t, &e) == 0;
	if (!t->watching)
		t->on_result(t->ctx, &e, NULL);
}

static void send_tick(struct tick *t)
{
	struct store_tick in = tick_input(t->ic->conf);
	struct err e = {0};

	if (t->closing || t->ticking || !store_up(t->ic->store))
		return;
	send_watch(t);
	t->ticking = true;
	if (store_tick(t->ic->store, &in, on_ticked, t, &e) != 0) {
		t->ticking = false;
		t->on_result(t->ctx, &e, NULL);
	}
}

static void on_timer(uv_timer_t *timer)
{
	send_tick(timer->data);
}

struct tick *tick_new(uv_loop_t *loop, const struct ingest_ctx *ic,
	void (*on_result)(void *ctx, const struct err *e, const struct store_tick_result *r),
	void *ctx)
{
	struct tick *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->ic = ic;
	t->on_result = on_result;
	t->ctx = ctx;
	uv_timer_init(loop, &t->timer);
	t->timer.data = t;
	uv_timer_init(loop, &t->due);
	t->due.data = t;
	t->timers = 2;
	uv_timer_start(&t->timer, on_timer, TICK_EVERY_MS, TICK_EVERY_MS);
	return t;
}

static void on_timer_closed(uv_handle_t *h)
{
	struct tick *t = h->data;

	t->timers--;
	maybe_done(t);
}

void tick_close(struct tick *t, void (*done)(void *ctx), void *ctx)
{
	t->closing = true;
	t->done = done;
	t->done_ctx = ctx;
	uv_close((uv_handle_t *)&t->timer, on_timer_closed);
	uv_close((uv_handle_t *)&t->due, on_timer_closed);
}
