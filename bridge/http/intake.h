/* intake.h: what all requests that bring something from a source have in common: rate, turns,
 * refusals, their count.
 *
 * A handler's data begins with a struct intake (or r->data points at one), so that what is here
 * finds it.
 */
#ifndef RB_HTTP_INTAKE_H
#define RB_HTTP_INTAKE_H

#include "flow/sources.h"
#include "http/request.h"
#include "http/turns.h"

struct intake {
	struct sources *sources; /* a reference; NULL: intake_open was not called */
	const struct bound_source *bound;
	struct str source;
	struct turn_source *place; /* of the source, between the others */
	struct turn turn;
	int64_t whole_us;   /* when the last byte was there */
	const char *reason; /* of a refusal that was decided here; NULL */
	/* What the log hears once it is known that the sender may send; no code: nothing. */
	struct err unsaid;
	/* How a refusal is answered, in a form of the sender's own; NULL: as a problem. retry_after
	 * is in r. */
	void (*fault)(struct request *r, unsigned status, const struct err *e);
};

#define INTAKE_COMPLAIN_MS 10000 /* between two lines of the log about what senders sent */

/* r->data is in, cleared but for fault. False: it is refused already (rate, redis away, no memory).
 */
bool intake_open(struct request *r, struct intake *in, const struct bound_source *bound);
/* One request more within the source's rate? False: it is refused. intake_open has asked, but of a
 * signed body only its end may. */
bool intake_rate(struct request *r, struct intake *in);
void intake_refuse(struct request *r, const struct err *e);
/* 503: what is wrong is not this request, but when it comes. */
void intake_refuse_for_now(
	struct request *r, const char *reason, int64_t retry_after, const struct err *e);
void intake_refuse_busy(struct request *r);
/* For drop: counts a request that was refused or broke off, and gives the reference back. in NULL:
 * there is none. */
void intake_close(struct request *r, struct intake *in);

#endif
