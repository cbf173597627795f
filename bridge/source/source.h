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

/* What one request gave. */
struct source_batch {
	struct event *events;	/* in the sender's order */
	size_t n;
	int64_t truncated;	/* alerts that the sender left out, by its own word */
	struct str group;	/* the sender's group key, "" where there is none */
};

struct source_kind {
	const char *name;
	const char *sentence;	/* for the manual */
	/* The parsed body -> batch, all in arena a. ERR_INPUT with what and where ("alerts[3].labels: …"). */
	int (*read)(struct arena *a, struct str source_name, const struct json *body,
		struct source_batch *out, struct err *e);
};

/* NULL where there is none. */
const struct source_kind *source_kind_find(struct str name);
extern const struct source_kind source_kinds[];	/* ended by name == NULL */

/* One request's body. Lives in arena a. */
struct source_parse;
struct source_parse *source_begin(struct arena *a, const struct source_kind *kind, struct str source_name);
int source_feed(struct source_parse *p, const char *bytes, size_t n, struct err *e);
/* Ends the parse whatever it returns. */
int source_finish(struct source_parse *p, struct source_batch *out, struct err *e);
/* For a request that is given up. */
void source_abort(struct source_parse *p);

#define SOURCE_DEPTH_LIMIT 64		/* nesting of the body */
#define SOURCE_NODES_LIMIT 2000000	/* JSON values a body */
#define SOURCE_LABELS_LIMIT 256		/* labels an alert, annotations too */
#define SOURCE_NAME_LIMIT 1024		/* bytes of a label's name */
#define SOURCE_VALUE_LIMIT (1 << 20)	/* bytes of a label's or annotation's value */

#endif
