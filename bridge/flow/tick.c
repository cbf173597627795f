/* tick.c: the bridge's heartbeat: store_tick every TICK_EVERY_MS, then the inbox: to its end
 * while something of it can be taken, else one bounded walk, which the next tick takes up.
 *
 * At most one store_tick and one walk through the inbox are under way. While Redis is away nothing
 * is sent; what was due then is due at the first tick after, since all deadlines are values in
 * Redis. Two bridges may tick at once: the store's functions see to it that each thing happens
 * once.
 *
 * Closing is in two steps, since answers may still come: after tick_close nothing new is sent, and
 * done is called when the calls under way have ended (store_close ends them).
 */
#include "flow/tick.h"

#include <stdlib.h>
#include "flow/decide.h"

struct tick {
	uv_timer_t timer;
	const struct ingest_ctx *ic;
	void (*on_result)(void *ctx, const struct err *e, const struct store_tick_result *r);
	void *ctx;
	struct ingest_place place;
	bool ticking, draining, kicked;
	bool closing, timer_closed;
	void (*done)(void *ctx);
	void *done_ctx;
};

static void drain(struct tick *t);

static void maybe_done(struct tick *t)
{
	void (*done)(void *ctx) = t->done;
	void *ctx = t->done_ctx;

	if (!t->closing || !t->timer_closed || t->ticking || t->draining)
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
	maybe_done(t);
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

static void on_ticked(void *ctx, const struct err *e, const struct store_tick_result *r)
{
	struct tick *t = ctx;

	t->ticking = false;
	t->on_result(t->ctx, e, e ? NULL : r);
	if (!e && r->more)
		send_tick(t);
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

static void send_tick(struct tick *t)
{
	struct store_tick in = tick_input(t->ic->conf);
	struct err e = {0};

	if (t->closing || t->ticking || !store_up(t->ic->store))
		return;
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
	uv_timer_start(&t->timer, on_timer, TICK_EVERY_MS, TICK_EVERY_MS);
	return t;
}

void tick_kick(struct tick *t)
{
	drain(t);
}

static void on_timer_closed(uv_handle_t *h)
{
	struct tick *t = h->data;

	t->timer_closed = true;
	maybe_done(t);
}

void tick_close(struct tick *t, void (*done)(void *ctx), void *ctx)
{
	t->closing = true;
	t->done = done;
	t->done_ctx = ctx;
	uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}
