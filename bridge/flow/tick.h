/* flow/tick.h: what happens because time passed. A bridge calls store_tick every second, and when
 * something is due that was put off; it drains the inbox when something comes into it. */
#ifndef RB_FLOW_TICK_H
#define RB_FLOW_TICK_H

#include "flow/ingest.h"

#define TICK_EVERY_MS 1000
#define TICK_INBOX_WAIT_MS 10000 /* how long one wait for the inbox lasts */

/* What a tick says of the configuration. */
struct store_tick tick_input(const struct conf *c);

#define TICK_WATCH_MS 30000 /* rules with `absent` are named again so often, beside each load */

/* Names the rules with `absent` that are loaded: store_watch. */
int tick_watch(const struct ingest_ctx *ic, store_done_cb cb, void *ctx, struct err *e);

struct tick;
/* ctx is read at each tick, so that a reload is seen: *ic may change its members between ticks. */
struct tick *tick_new(uv_loop_t *loop, const struct ingest_ctx *ic,
	void (*on_result)(void *ctx, const struct err *e, const struct store_tick_result *r),
	void *ctx);
/* Redis is there (again): what became due meanwhile is not to wait for the next tick. */
void tick_now(struct tick *t);
/* Something was put off that is due in so many ms. */
void tick_due(struct tick *t, int64_t in_ms);
void tick_close(struct tick *t, void (*done)(void *ctx), void *ctx);

#endif
