/* redis_impl.h: the inside of struct redis, shared by redis.c (the connection) and redis_call.c (the commands).
 * For nobody else.
 */
#ifndef RB_STORE_REDIS_IMPL_H
#define RB_STORE_REDIS_IMPL_H

#include "base/buf.h"
#include "store/redis.h"
#include "store/redis_url.h"

enum redis_phase {
	REDIS_DOWN,		/* waits for the next try */
	REDIS_CONNECTING,	/* resolving, connecting */
	REDIS_GREETING,		/* connected; commands are the greeting's only */
	REDIS_UP,
	REDIS_REFUSED,		/* down for good (ERR_VERSION) */
	REDIS_CLOSED,
};

struct redis_pending {
	redis_reply_cb cb;
	void *ctx;
	uint64_t sent_ns;
	int64_t deadline_ms;	/* by redis_listened_ms */
};

struct redis_link;		/* one connection attempt, redis.c */

struct redis {
	uv_loop_t *loop;
	struct redis_url url;
	int64_t slow_after_ms;
	size_t pending_limit;
	void (*on_connected)(void *ctx);
	void (*on_state)(void *ctx, bool up, const struct err *why);
	void (*on_turn_end)(void *ctx);
	void *ctx;

	enum redis_phase phase;
	struct err why;		/* why it is not up */
	bool told_up;		/* what on_state heard last */
	struct err told;
	struct redis_link *link;	/* NULL while DOWN */
	int64_t backoff_ms;
	unsigned tries;		/* which of a name's addresses is next */

	struct buf out;		/* commands of this turn */
	size_t out_start;	/* where the command that is being written begins */
	size_t args_left;

	struct redis_pending *pending;	/* ring, in the order of sending */
	size_t pending_cap, pending_head, pending_n;

	uv_timer_t retry;	/* the next try */
	uv_timer_t watch;	/* the oldest command, or the connecting, has waited too long */
	int64_t listened_ms;	/* until the watch was set */
	int64_t set_at_ms, set_for_ms;	/* the watch: loop time, and how much of it */
	int64_t opening_deadline_ms;	/* by redis_listened_ms: connecting and greeting */
	bool suspect;		/* overdue, but the socket is read once more before the verdict */
	uv_prepare_t flush;	/* writes what was begun in this turn */
	uv_idle_t awake;	/* keeps the loop from sleeping before flush ran */
	unsigned handles;	/* of the four above, not closed yet; links count, too */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* redis_call.c */
int redis_pending_push(struct redis *r, const struct redis_pending *p);
/* The oldest one; pending_n must not be 0. */
struct redis_pending redis_pending_pop(struct redis *r);
const struct redis_pending *redis_pending_head(const struct redis *r);

/* redis.c: the watch runs for a command that was just queued. */
void redis_watch(struct redis *r);
/* How long we listened to Redis so far; the clock of deadlines. */
int64_t redis_listened_ms(const struct redis *r);

#endif
