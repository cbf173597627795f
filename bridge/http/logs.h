/* logs.h: requests that bring lines of logs, whatever their form: for the handlers of shippers'
 * endpoints.
 *
 * A handler's begin picks the source and how the body is read, and calls logs_begin; feed, finish
 * and drop are the ones below. The answer is the handler's own, given when all that patterns want
 * is durable.
 */
#ifndef RB_HTTP_LOGS_H
#define RB_HTTP_LOGS_H

#include "flow/lines.h"
#include "http/request.h"

/* Answers a request whose lines are stored: r->out and request_answer. */
typedef void (*logs_answer)(struct request *r, const struct lines *l);

struct logs_options {
	const struct line_kind *kind; /* how the body is read; NULL: by its Content-Type */
	struct line_options line;     /* labels and report; the rest is filled in */
	logs_answer answer;	      /* NULL: {"events": …} */
	/* How a refusal is answered; NULL: as a problem. */
	void (*fault)(struct request *r, unsigned status, const struct err *e);
	bool as_it_comes; /* a body without end: what patterns want is stored after each piece */
};

/* After it r->data belongs to logs.c; r may be answered. o NULL: all as it is by default. */
void logs_begin(struct request *r, const struct bound_source *bound, const struct logs_options *o);
int logs_feed(struct request *r, struct str piece, struct err *e);
void logs_finish(struct request *r);
void logs_drop(struct request *r);

#endif
