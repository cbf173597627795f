/* line.h: one line of a log, as every shipper's decoder gives it.
 *
 * A decoder takes a body in pieces, cut anywhere, and hands each line to a sink as soon as it is whole. Pure: no I/O, no
 * clock, no log. What it cannot read is ERR_INPUT with the offset; what is longer than line_limit is cut and marked,
 * never an error.
 */
#ifndef RB_LINE_LINE_H
#define RB_LINE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define LINE_LABELS_LIMIT 256	/* of one line; further ones are left out */

struct line_label {
	struct str name, value;
};

/* Names of labels: host, unit, program, pid, level (critical, error, warning, info, debug; a word that none of these stands for
 * stays), service, operation, trace_id, span_id; a shipper's own names are there as well, but what is outside of [a-zA-Z0-9_]
 * becomes _, as Prometheus does. */
struct line {
	struct str message;	/* without its line end; valid UTF-8 is not promised: see line_text() */
	int64_t time_ns;	/* the line's own time; 0: it has none */
	const struct line_label *labels;	/* in any order; of one name the last counts */
	size_t labels_n;
	uint64_t offset;	/* of the (inflated) body where it began, for messages about faults */
	bool raw;		/* a plain line: a syslog header in front of it is not split off yet: line_split() does that,
				 * only for lines that are wanted */
	bool cut;		/* it was longer than line_limit: this is its beginning */
};

/* Everything lives until take returns. -1 with e: stop. */
struct line_sink {
	int (*take)(void *ctx, const struct line *l, struct err *e);
	void *ctx;
};

struct line_options {
	size_t line_limit;	/* bytes of one line's message, and of one value */
	int64_t now_ns;		/* what times without a year or a zone are near to */
	struct str content_type;	/* of the request, as it came; "": none */
	const struct line_label *labels;	/* that each line of the body has, before its own; they live as long as the decoder */
	size_t labels_n;
	struct line_report *report;	/* what a shipper is answered besides (line/decoder.h); NULL: nobody asks */
};

struct line_decoder;		/* one body; made by a kind: line/decoder.h */

struct line_kind {
	const char *name;
	/* NULL with e: no memory. Copies what it needs of o and sink. */
	struct line_decoder *(*new)(const struct line_options *o, const struct line_sink *sink, struct err *e);
	/* Any cut of the body, also in the middle of a line or a varint. After -1 only free is allowed. */
	int (*feed)(struct line_decoder *d, struct str piece, struct err *e);
	/* The last line may lack its end. */
	int (*finish)(struct line_decoder *d, struct err *e);
	void (*free)(struct line_decoder *d);
};

/* s with each byte that is no UTF-8, and each NUL, as U+FFFD; s itself where there is none. STR_NONE: a is full. */
struct str line_text(struct arena *a, struct str s);
/* The last label of this name; STR_NONE where there is none. */
struct str line_label(const struct line *l, struct str name);

#endif
