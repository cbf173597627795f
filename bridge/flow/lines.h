/* flow/lines.h: the way of a line: body -> lines -> those that patterns want -> what rules say ->
 * one store call a piece.
 *
 * Owns the order of the steps. Lines are looked at as they come and forgotten at once; only what a
 * pattern wants is kept until the body is whole, so a body of any length takes little memory, and
 * one that is refused leaves nothing. A stream without end is stored as it comes, by lines_store
 * whenever its owner likes to.
 */
#ifndef RB_FLOW_LINES_H
#define RB_FLOW_LINES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "flow/ingest.h"
#include "flow/sources.h"
#include "line/line.h"

#define LINES_WANTED_MAX 100000		 /* lines that patterns want, of one body */
#define LINES_MEMORY ((size_t)128 << 20) /* that these may take */
#define LINE_SCRATCH ((size_t)16 << 20)	 /* that one line may take while it is looked at */

struct lines_options {
	const struct ingest_ctx *ic;	  /* only during the call; the ruleset is held */
	const struct bound_source *bound; /* lives as long as the lines */
	const struct line_kind *kind;	  /* how the body is read */
	bool on_arrival;		  /* lines count when they arrive, whatever time they say */
	struct line_options line; /* line_limit 0: the configuration's; now_ns 0: the clock's */
	int64_t repeated_ns; /* lines with a time before this that are equal are one, sent again;
				else they are several */
};

struct lines_counts {
	uint64_t lines;	    /* of the body */
	uint64_t matched;   /* lines times patterns: raise, count for, or resolve an alert */
	uint64_t new_;	    /* alerts that were raised or resolved */
	uint64_t duplicate; /* known before */
	uint64_t refused;   /* their pattern has too many series */
	uint64_t failed;    /* a regex gave up */
	uint64_t cut;	    /* longer than the limit */
};

struct lines; /* of one body, or of one stream */

struct lines *lines_new(const struct lines_options *o, struct err *e);
/* Also while a store call is under way: its callback will not be called. NULL is fine. */
void lines_free(struct lines *l);
/* -1: the body is refused (ERR_INPUT, ERR_LIMIT): then only lines_free. */
int lines_feed(struct lines *l, struct str piece, struct err *e);
/* The last byte was fed. */
int lines_end(struct lines *l, struct err *e);
/* Bytes that they take now. */
size_t lines_held(const struct lines *l);
/* Lines that wait to be stored. */
size_t lines_wanted(const struct lines *l);
/* One line that no decoder read; lines_feed is then not used. */
int lines_take(struct lines *l, const struct line *line, struct err *e);

/* e NULL: all that waited is durable. Called once, on the loop. */
typedef void (*lines_cb)(void *ctx, const struct err *e);
/* Stores what waits; one at a time. What comes meanwhile waits for the next one. With an error, and
 * after -1 (cb will not be called), what is not stored waits still: called again, it is sent again,
 * and counts once. */
int lines_store(struct lines *l, lines_cb cb, void *ctx, struct err *e);

/* Of a body without end, after a reload: from now on by these rules, and for bound, which is of
 * ic->sources. Nothing waits to be stored, and no store call is under way. */
void lines_renew(struct lines *l, const struct ingest_ctx *ic, const struct bound_source *bound);
/* Of a stream: what the clock says; before its next piece. */
void lines_now(struct lines *l, int64_t now_ns);
struct lines_counts lines_counts(const struct lines *l);
/* The first regex that gave up: "pattern 'x': …"; "" none did. */
const char *lines_failure(const struct lines *l);
/* {"events": lines, "new": …, "duplicate": …, "matched": …, "refused": …, "decisions": […]} */
void lines_answer(const struct lines *l, struct buf *out);

#endif
