/* redis.h: one connection to Redis on a libuv loop, kept up.
 *
 * hiredis is the codec of answers only; the stream is uv's. Commands of one loop turn go out in one write,
 * before the loop sleeps. Answers come in order. A connection that breaks, or whose oldest command has waited
 * longer than it may, is dropped: every command in flight ends in ERR_AWAY (whether Redis did it is then not
 * known), and a new connection is tried after 50 ms, doubling to 2 s.
 *
 * A new connection is greeted: AUTH and SELECT where the address asks for them, then on_connected, which may send
 * commands and at last calls redis_ready or redis_drop. Only then is it up.
 */
#ifndef RB_STORE_REDIS_H
#define RB_STORE_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define REDIS_BACKOFF_MIN_MS 50
#define REDIS_BACKOFF_MAX_MS 2000
#define REDIS_OUT_LIMIT ((size_t)512 << 20)	/* bytes that wait to be written */
#define REDIS_OUT_KEEP ((size_t)1 << 20)	/* memory that an empty buffer may hold on to */

struct redis;

struct redis_options {
	uv_loop_t *loop;
	struct str address;
	int64_t slow_after_ms;	/* a command may wait so long, connecting and greeting too */
	size_t pending_limit;	/* commands in flight */
	void (*on_connected)(void *ctx);
	/* Up, or down and why; called at each change, and again where the reason changes. */
	void (*on_state)(void *ctx, bool up, const struct err *why);
	/* What waited for the end of the turn may be sent now; may be NULL. See redis_wake. */
	void (*on_turn_end)(void *ctx);
	void *ctx;
};

/* NULL with e for a bad address or without memory. The first try starts on the loop. */
struct redis *redis_new(const struct redis_options *o, struct err *e);
/* Ends what is in flight with ERR_AWAY, calls done when all handles are closed, frees r. done may be NULL. */
void redis_close(struct redis *r, void (*done)(void *ctx), void *ctx);

bool redis_up(const struct redis *r);
/* Why it is not up. */
const char *redis_why(const struct redis *r);
/* By a unix socket: Redis is on this machine, and knows at once when we are dead. */
bool redis_local(const struct redis *r);

/* For on_connected and what follows from it: the greeting is over. */
void redis_ready(struct redis *r);
/* The connection is of no use: why. Tries again, unless why is ERR_VERSION: then it stays down for good. */
void redis_drop(struct redis *r, const struct err *why);

/* reply lives until the callback returns; NULL where e is set. An error answer is e: redis_err_of. */
typedef void (*redis_reply_cb)(void *ctx, const struct err *e, const redisReply *reply);

/* One command of argc texts: begin, exactly argc times arg, end. After a begin that returned 0, end must follow.
 * -1: ERR_AWAY where there is no connection or too much in flight; the callback is not called. */
int redis_begin(struct redis *r, size_t argc, struct err *e);
void redis_arg(struct redis *r, struct str s);
void redis_arg_z(struct redis *r, const char *z);
void redis_arg_i64(struct redis *r, int64_t v);
/* One argument out of two texts. */
void redis_arg_join(struct redis *r, struct str a, struct str b);
/* n arguments that redis_aside_end gave. */
void redis_args_ready(struct redis *r, size_t n, struct str encoded);
/* Between these two, redis_arg and its like encode arguments for later, of no command yet; at any time but within one.
 * Appends them to into (which has failed where memory ended), and says how many they are. */
void redis_aside_begin(struct redis *r);
size_t redis_aside_end(struct redis *r, struct buf *into);
/* The turn of the loop ends: on_turn_end is called once, before anything is written. */
void redis_wake(struct redis *r);
/* blocks_ms: how long the command itself may wait in Redis. */
int redis_end(struct redis *r, int64_t blocks_ms, redis_reply_cb cb, void *ctx, struct err *e);

/* What an error answer means. */
void redis_err_of(const redisReply *reply, struct err *e);
/* The text of an answer, "" where it is none; and a number, 0 where it is none. */
struct str redis_text(const redisReply *reply);
int64_t redis_number(const redisReply *reply);

#endif
