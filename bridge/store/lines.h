/* lines.h: lines of logs that a pattern wants: counted in Redis, by the same step that raises the
 * alert.
 *
 * All bridges count together, and a restart forgets nothing: what a pattern counts stands in Redis
 * only, from the first line that matches on. A line is known by its mark, so what a shipper sends
 * again counts once.
 */
#ifndef RB_STORE_LINES_H
#define RB_STORE_LINES_H

#include "store/store.h"

#define STORE_LINES_MAX 256 /* a call */
/* bytes of a line that is kept; what is longer is cut at a character */
#define STORE_LINE_TEXT_MAX 4096
#define STORE_MARK_HEX 33 /* of a mark, with the NUL */

struct store_line_in {
	struct str pattern;	   /* its name */
	int64_t count, within_ms;  /* its threshold */
	int64_t series;		   /* combinations of its `by` labels that are followed at once */
	int64_t lines;		   /* kept with the alert */
	int64_t after_ms;	   /* quiet for so long, it is resolved; 0: not by that */
	char mark[STORE_MARK_HEX]; /* what tells this line from others of its alert */
	int64_t time_ms;	   /* orders it among others; 0: its arrival */
	struct str text;	   /* for people; UTF-8 */
};

struct store_lines {
	const struct store_line_in *lines;
	const struct store_event_in *events; /* of each line: what it would raise, or resolve; of
						the latter starts_ns is 0 */
	size_t n;			     /* at most STORE_LINES_MAX */
	struct str ruleset_hash;
	struct store_limits limits;
};

enum store_line_outcome {
	STORE_LINE_EVENT,   /* the alert fires, or is resolved: see events */
	STORE_LINE_COUNTED, /* not enough yet */
	STORE_LINE_KNOWN,   /* it was there before */
	STORE_LINE_FIRING,  /* the alert fires already: one line more */
	STORE_LINE_NOTHING, /* changes nothing: resolves what does not fire, or came after what
			       resolved it */
	STORE_LINE_REFUSED, /* the pattern has too many series */
};

/* out, and events where it is STORE_LINE_EVENT: as many as went in. e: nothing was stored; ERR_FULL
 * as store_ingest, ERR_CONFLICT: an event without its JSON would have been raised. */
typedef void (*store_lines_cb)(void *ctx, const struct err *e, const enum store_line_outcome *out,
	const struct store_event_out *events, size_t n);
int store_lines(
	struct store *s, const struct store_lines *in, store_lines_cb cb, void *ctx, struct err *e);

#endif
