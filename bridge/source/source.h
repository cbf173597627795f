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

#define SOURCE_DEPTH_LIMIT 48		/* nesting of the body; less than json.h's, since answers wrap `data` again */
#define SOURCE_NODES_LIMIT 2000000	/* JSON values a body */
#define SOURCE_LABELS_LIMIT 256		/* labels an alert, annotations too */
#define SOURCE_NAME_LIMIT 1024		/* bytes of a label's name */
#define SOURCE_VALUE_LIMIT (1 << 20)	/* bytes of a label's or annotation's value */
#define SOURCE_SUMMARY_LIMIT 4096	/* bytes of an event's summary; a longer one is cut at a character */

/* For the kinds: a place in the body, put into words only where something is wrong with it. */
struct source_place {
	const char *list;	/* "alerts"; NULL: name is at the top */
	size_t index;
	const char *name;	/* "labels"; "": the element itself */
};

/* A member that may be an object of strings -> pairs, not yet sorted; NULL and null give none. out NULL: only the
 * check. ERR_INPUT, or ERR_LIMIT past the limits above. */
int source_read_map(struct arena *a, const struct json *j, struct source_place place, struct kv **out, size_t *n,
	struct err *e);
/* ERR_INPUT "alerts[3].status: want WANTED, got a number", at j's offset (NULL: "missing"). Returns -1. */
int source_wrong_kind(struct err *e, const struct json *j, struct source_place place, const char *wanted);
/* s, or its beginning of at most limit bytes, not cut inside a character. */
struct str source_cut(struct str s, size_t limit);

#endif
