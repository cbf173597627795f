/* store_impl.h: what the store_*.c files share: struct store, and the frame of a call.
 *
 * A call is: store_begin, the arguments, store_end with a struct that was malloc'ed for it. The answer's callback
 * owns that struct and frees it after the caller's callback.
 */
#ifndef RB_STORE_STORE_IMPL_H
#define RB_STORE_STORE_IMPL_H

#include "base/buf.h"
#include "store/redis.h"
#include "store/store.h"

#define STORE_CORR_LIMIT 64	/* a longer key of a hash is replaced by its digest (store_short) */
#define STORE_WARNING_LIMIT 4096
#define STORE_LOST_CLAIMS 16	/* claims without an answer that are remembered */

struct store_batch;
struct records_wait;

/* What a batch (store_batch.c) calls. */
enum store_batch_kind {
	STORE_BATCH_WHOLE,	/* rb_ingest_v2 */
	STORE_BATCH_AGAIN,	/* rb_again_v1 */
	STORE_BATCH_KINDS,
};

struct store {
	uv_loop_t *loop;
	struct redis *redis;
	struct redis *bell;		/* for BLPOP; NULL where options.blocking was false */
	int64_t bell_id;		/* its CLIENT ID; 0 not known */
	struct redis *follow;		/* for XREAD of the bus; NULL until somebody wants it */
	struct records_wait *follow_kept; /* that waits for this connection; NULL */
	bool follow_waits;		/* a store_records_wait is under way */
	char *address;			/* what `follow` connects to, and how long that may take */
	int64_t slow_after_ms;
	struct str prefix;		/* "rb:{namespace:0}" */
	bool load_library;
	bool look_at_keeping;
	bool own_clock;
	struct buf warning;		/* ends in NUL where it is not empty */
	long library_version;		/* of the text in this program */
	struct err greeting;		/* what HGET schema said, until rb_version_v1 answers */
	int64_t schema;			/* found while greeting; 0: none yet */
	void (*on_state)(void *ctx, bool up, const struct err *why);
	void *ctx;

	struct buf scratch;		/* for one argument that is put together */
	struct buf head, keys, args;	/* of an ingest on its way into a batch */
	struct store_batches {
		struct store_batch *open;	/* what was not sent yet; NULL: none */
		size_t under_way;		/* that wait for their answers */
		int64_t pause_ms;		/* none before this time (uv_now) */
	} batches[STORE_BATCH_KINDS];
	bool waiting;			/* a store_claim_wait or store_inbox_wait is under way */
	uint64_t claim_token;
	uint64_t lost_claims[STORE_LOST_CLAIMS];
	size_t lost_claims_n;

	unsigned closing;		/* connections that are not closed yet */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* Begins FCALL name 1 prefix …; args: how many arguments follow. -1: ERR_AWAY. */
int store_begin(struct store *s, const char *function, size_t args, struct err *e);
/* The same on either connection. */
int store_begin_on(struct store *s, struct redis *r, const char *function, size_t args, struct err *e);
/* The same for a call that store_call gave, or could not give (NULL): frees it where it returns -1. */
int store_begin_for(struct store *s, const char *function, size_t args, void *call, struct err *e);
/* The same for a plain command of so many words. */
int store_command_for(struct store *s, size_t words, void *call, struct err *e);
/* Ends it; frees call where it returns -1. */
int store_end(struct store *s, redis_reply_cb cb, void *call, struct err *e);
/* Cleared memory for a call; NULL with e. */
void *store_call(size_t size, struct err *e);

/* Element i of an array answer; NULL past its end or where it is none. */
const redisReply *store_at(const redisReply *reply, size_t i);
struct str store_text_at(const redisReply *reply, size_t i);
int64_t store_number_at(const redisReply *reply, size_t i);

/* s itself, or in hex[] "#" and the SHA-256 of it where it is longer than STORE_CORR_LIMIT. */
struct str store_short(struct str s, char hex[66]);

/* "1763841234567-0" -> an event's id; out "" where it is none. */
void store_event_id(struct str sid, char out[ID_LEN + 1]);
/* An event's id -> "1763841234567-0", in sid. False: it is no event's id. */
bool store_sid(struct str id, char sid[48]);

/* The call whose answer is only yes or no: cb(ctx, e). */
struct store_plain {
	store_done_cb cb;
	void *ctx;
};
struct store_plain *store_plain_new(store_done_cb cb, void *ctx, struct err *e);
void store_plain_answer(void *ctx, const struct err *e, const redisReply *reply);

/* s itself, or a copy in b with U+FFFD for each byte that is no UTF-8: what Lua puts into JSON must be. */
struct str store_clean(struct buf *b, struct str s);

/* store_ingest.c: the limits as every function takes them; in s->scratch. */
struct str store_limits_text(struct store *s, const struct store_limits *l);
/* What a function calls a decision. False: it is none. */
bool store_decision_of(struct str name, enum decision *out);

/* store_ingest.c: one step as a word, as rb_ingest_v2 and rb_run_new_v2 take it. */
void store_put_step(struct store *s, const struct store_step_in *step);

/* store_ingest.c and store_batch.c: an ingest, alone or with others. */
#define STORE_INGEST_WORDS 4	/* before the first event: sizes limits truncated ruleset */
struct ingest_call {
	store_ingest_cb cb;
	void *ctx;
	size_t n, decisions_n;
	struct store_event_out *out;
	struct store_decision_out *decisions;
	struct ingest_text {
		size_t decisions_n;
		char id[ID_LEN + 1];
		char reason[ID_LEN + 40];	/* of a duplicate's decisions */
	} *text;
};
/* Room for the answer to these events; NULL with e. */
struct ingest_call *store_ingest_new(const struct store_ingest *in, store_ingest_cb cb, void *ctx, struct err *e);
void store_ingest_free(struct ingest_call *c);
/* Numbers with a blank between, as one argument; in s->scratch. */
struct str store_numbers(struct store *s, const int64_t *v, size_t n);
/* The words of one event, STORE_EVENT_WORDS and those of its rules (store_event_words in all). */
#define STORE_EVENT_WORDS 6
size_t store_event_words(const struct store_event_in *ev);
/* What one rule asks for, and how many words that is. */
void store_put_decision(struct store *s, const struct store_decision_in *d, struct str host);
size_t store_decision_words(const struct store_decision_in *d);
void store_put_event(struct store *s, const struct store_event_in *in);
/* Fills in event i and its decisions at d from answer element *at on; false where the answer is not what it should be. */
bool store_take_event(struct ingest_call *c, size_t i, struct store_decision_out *d, const redisReply *reply,
	size_t *at);
/* Answers it and frees it; its part of reply begins at *at, which goes on to the next one's. */
void store_ingest_answer(struct ingest_call *c, const struct err *e, const redisReply *reply, size_t *at);
/* One ingest's part of a batch; all of it encoded (redis_aside_begin). */
struct store_batch_part {
	struct str head;	/* what the messages of a call share: WHOLE: STORE_INGEST_WORDS - 1 words; AGAIN: the last one */
	struct str keys;	/* AGAIN: one an event */
	struct str words;	/* of its events */
	size_t words_n;
};
/* Into the batch that is not sent yet. -1: the call is still the caller's. */
int store_batch_add(struct store *s, enum store_batch_kind kind, struct ingest_call *call,
	const struct store_batch_part *part, struct err *e);
/* At the end of a turn: sends what there is, unless enough is under way. */
void store_batch_send_due(struct store *s);
/* Ends what was not sent yet with why. */
void store_batch_drop(struct store *s, const struct err *why);

/* store_bus.c: ends what waits for the bus; closes that connection, where there is one, and then calls done. */
void store_bus_close(struct store *s, void (*done)(void *ctx), void *ctx);

/* store_open.c: greets a new connection. */
void store_greet(void *ctx);
/* store_trial.c: the library's text with the clock switched in; malloc'ed, NULL without memory. */
char *store_library_own_clock(void);
long store_library_version(void);

#endif
