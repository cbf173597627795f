/* flow/ingest.h: the way of an event: batch -> matches -> decisions -> one store call -> answer.
 *
 * Owns the order of the steps and nothing else. A batch of more than 256 events is several calls in
 * order; the answer comes after the last. The ruleset is held by a reference for as long as a
 * request is under way.
 */
#ifndef RB_FLOW_INGEST_H
#define RB_FLOW_INGEST_H

#include "auth/auth.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "rule/ruleset.h"
#include "flow/sources.h"
#include "source/source.h"
#include "store/store.h"

struct tick;

struct ingest_ctx { /* of the program; swapped whole at reload */
	struct store *store;
	struct ruleset *rules;
	const struct conf *conf;
	struct sources *sources; /* NULL where no requests are read */
	struct auth *auth;	 /* the same */
	struct tick *tick; /* is told when something was put off; may be NULL */
	/* A limit began to hold rules back; may be NULL. */
	void (*on_limit)(void *ctx, const struct event *ev);
	void *ctx;
};

struct ingest_result {
	size_t events, new_, duplicate;
	const struct store_event_out *out; /* one an event of the batch, in order */
};

/* e NULL: durable. answer: JSON, as docs/http-api.md has it: events, new, duplicate, decisions.
 * Called once, on the loop. */
typedef void (*ingest_cb)(void *ctx, const struct err *e, struct str answer);

/* a: the request's arena, alive until cb; batch in it. -1: cb will not be called. */
int ingest_batch(const struct ingest_ctx *ic, struct arena *a, const struct source_batch *batch,
	ingest_cb cb, void *ctx, struct err *e);

/* What names event i of its delivery: of several events without a name of their own each has its place as one. In a, or
 * the event's own; "" it has none, or there is no memory. */
struct str ingest_delivery(struct arena *a, const struct source_batch *batch, size_t i);
/* For those who store events themselves. Appends the decisions on one event to out, as the answer has them, with a comma
 * before where there is something. */
void ingest_write_decisions(
	struct buf *out, const struct store_event_in *in, const struct store_event_out *o);
/* Tells the tick of what the event makes due. tick may be NULL. */
void ingest_note_pending(
	struct tick *tick, const struct store_event_in *in, const struct store_event_out *out);

#define INGEST_INBOX_ENTRIES 100 /* of the inbox read at once */
#define INGEST_INBOX_BATCHES 16	 /* read in one walk */

/* Where the next walk through the inbox begins: behind this entry's id; "" is the beginning. */
struct ingest_place {
	char after[48];
};

/* The inbox: what runs reported and scripts emitted, through the same way. One walk: from *place
 * on, at most INGEST_INBOX_BATCHES batches; *place says where it ended, "" where that was the
 * inbox's end. What a full queue did not take stays, for the walk after. done is called once, with
 * how many entries left the inbox; ERR_FULL where none could. *place must live until then. */
int ingest_inbox(const struct ingest_ctx *ic, struct ingest_place *place,
	void (*done)(void *ctx, const struct err *e, size_t taken), void *ctx, struct err *e);

#endif
