/* source.h: bytes -> events, one file a kind of sender.
 *
 * Pure: no I/O, no clock, no logging. A new kind is one file and one line in source_table.c.
 * The body comes in pieces; nothing is handed out before source_finish, so a body is taken whole
 * or refused whole.
 */
#ifndef RB_SOURCE_SOURCE_H
#define RB_SOURCE_SOURCE_H

#include <stddef.h>
#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"

struct source_map; /* map.h */

/* A request, beside its body. What it points at lives until source_finish. */
struct source_request {
	struct str source;	/* the source's name */
	const struct source_map *map; /* of a source whose messages are read by the configuration's
					 word; NULL: none */
	int64_t now_ms; /* the time of day, handed in, for senders that only say until when; 0: not
			   known */
	/* A header by its name in any case, STR_NONE where there is none. NULL: there are no
	 * headers. */
	struct str (*header)(void *ctx, const char *name);
	/* Calls take for each header. NULL: they cannot be listed. */
	void (*headers)(
		void *ctx, void (*take)(void *arg, struct str name, struct str value), void *arg);
	void *ctx;
};

struct str source_header(const struct source_request *rq, const char *name);
/* Content-Type without its parameters is this one, in any case. */
bool source_type_is(const struct source_request *rq, const char *type);

enum source_form {
	SOURCE_JSON,	/* one value, parsed as it comes */
	SOURCE_FORM,	/* application/x-www-form-urlencoded */
	SOURCE_BYTES,	/* kept as they come */
};

struct source_body {
	enum source_form form;
	const struct json *json;	/* of SOURCE_JSON, else NULL */
	struct kv *pairs; /* of SOURCE_FORM, decoded, in the sender's order, a name perhaps twice */
	size_t pairs_n;
	struct str bytes;		/* of SOURCE_BYTES */
};

/* What one request gave. */
struct source_batch {
	struct event *events;	/* in the sender's order */
	size_t n;
	bool own_deliveries; /* each event's delivery is its own; false: it is the request's, and
				the same for all */
	const struct json *body;	/* as parsed; NULL: it is no JSON */
	int64_t truncated;	/* alerts that the sender left out, by its own word */
	struct str group;	/* the sender's group key, "" where there is none */
	struct err refused;	/* of a kind that takes item by item: the first that was not taken;
				   ERR_NONE: all were */
};

struct source_kind {
	const char *name;
	const char *sentence;	/* for the manual */
	/* Its senders send what was refused again for ever: an event that breaks its contract is
	 * taken, and decided `error`. */
	bool repeats;
	/* What its body is to be read as, by the request's headers; NULL: always JSON. */
	enum source_form (*form)(const struct source_request *rq);
	/* The whole body -> batch, all in arena a. ERR_INPUT with what and where
	 * ("alerts[3].labels: …"). */
	int (*read)(struct arena *a, const struct source_request *rq,
		const struct source_body *body, struct source_batch *out, struct err *e);
	/* Its bodies are lines of logs: flow/lines.h takes them as they come, and read refuses one
	 * that is handed to it. */
	bool lines;
};

/* NULL where there is none. */
const struct source_kind *source_kind_find(struct str name);
extern const struct source_kind source_kinds[];	/* ended by name == NULL */

/* One request's body. Lives in arena a; keeps a copy of *rq. NULL: no memory. */
struct source_parse;
struct source_parse *source_begin(
	struct arena *a, const struct source_kind *kind, const struct source_request *rq);
int source_feed(struct source_parse *p, const char *bytes, size_t n, struct err *e);
/* Ends the parse whatever it returns. */
int source_finish(struct source_parse *p, struct source_batch *out, struct err *e);
/* Bytes as JSON under a body's limits, for kinds that look at them first. NULL with e. */
struct json *source_json(struct arena *a, struct str bytes, struct err *e);
/* ERR_LIMIT: the body does not fit the memory of a request. Returns -1. */
int source_no_memory(struct err *e);
/* For a request that is given up. */
void source_abort(struct source_parse *p);

#define SOURCE_DEPTH_LIMIT                                                                         \
	48 /* nesting of the body; less than json.h's, since answers wrap `data` again */
#define SOURCE_NODES_LIMIT 600000	/* JSON values a body */
#define SOURCE_LABELS_LIMIT 256		/* labels an alert, annotations too */
#define SOURCE_NAME_LIMIT 1024		/* bytes of a label's name */
#define SOURCE_VALUE_LIMIT (1 << 20)	/* bytes of a label's or annotation's value */
#define SOURCE_PAIRS_LIMIT 1000		/* pairs of a form */
#define SOURCE_GROUP_LIMIT                                                                         \
	4096 /* bytes of a group key; of a longer one a hash stands in place of the rest */
#define SOURCE_SUMMARY_LIMIT                                                                       \
	4096 /* bytes of an event's summary; a longer one is cut at a character */

#endif
