/* flow/feed.h: the events of the bus as they come, for many listeners by one reader.
 *
 * A listener hears each event that its filter wants once, in the bus's order, from its place on:
 * whatever came meanwhile, whichever bridge took it, however often Redis was away. It takes events
 * as fast as it likes: what it does not take stays on the bus, and nothing of it in memory.
 *
 * All on the loop's thread. Callbacks must not call feed_leave or feed_more.
 */
#ifndef RB_FLOW_FEED_H
#define RB_FLOW_FEED_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

#define FEED_PIECE 100		 /* records read at once, at most; at first: */
#define FEED_PIECE_FIRST 10
#define FEED_PIECE_BYTES ((size_t)1 << 20) /* about so many at most, where one is not larger */
#define FEED_WAIT_MS 5000	 /* that one wait for the bus lasts */
#define FEED_MATCH_LIMIT 100000	 /* steps that one regex of a filter may take on a value */
#define FEED_MATCH_BUDGET 150000 /* and all of them on an event */
#define FEED_FILTER_MEMORY ((size_t)1 << 20)

struct feed;
struct feed_listener;

struct feed_options {
	struct str filter; /* matchers, as for a list of events; "" all events */
	struct str after;  /* from behind the record of this id; "" from now on, or: */
	int64_t since_ms;  /* from this time on, where `after` is ""; 0 from now on */
	/* It is known where the listener begins (feed_place), or it cannot (e): then it hears no
	 * more. Called once, before all others. gone: not all that came behind `after` is held any
	 * more. */
	void (*on_ready)(void *ctx, const struct err *e, bool gone);
	/* An event, as the API shows it. False: enough for now, until feed_more. One on which a
	 * filter's regex gave up, or that is too large to be looked at, is handed out: none is
	 * missed for that. */
	bool (*on_event)(void *ctx, struct str id, struct str json);
	void *ctx;
};

/* s outlives it. NULL: no memory. */
struct feed *feed_new(struct store *s);
/* When all listeners have left and the store is closed. NULL is fine. */
void feed_free(struct feed *f);

/* NULL with e: ERR_INPUT (a bad filter, an `after` that is no id), ERR_AWAY. Texts are copied. */
struct feed_listener *feed_join(struct feed *f, const struct feed_options *o, struct err *e);
/* Nothing is called any more. */
void feed_leave(struct feed_listener *l);
/* It can take events again. */
void feed_more(struct feed_listener *l);
/* The id of the record up to which it has heard all; "" the bus's beginning. */
struct str feed_place(const struct feed_listener *l);
/* Tries again what failed because Redis was away; to be called now and then while there are
 * listeners. */
void feed_kick(struct feed *f);

#endif
