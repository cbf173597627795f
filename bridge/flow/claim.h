/* flow/claim.h: what a claimed run says, read, and its parameters as they will be executed.
 *
 * For the worker, before it executes, and for trials, which only show it.
 */
#ifndef RB_FLOW_CLAIM_H
#define RB_FLOW_CLAIM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "event/event.h"
#include "rule/runbook.h"
#include "store/store.h"

/* One text of a run that Redis gave: *out NULL where there is none. -1: it is no JSON; what: "event". */
int claim_part(
	struct arena *a, struct str text, const char *what, const struct json **out, struct err *e);

struct claim_inputs {
	struct event event;
	const struct json *event_json;	/* NULL: a run by hand */
	const struct json *incident;	/* NULL: none */
	const struct json *steps;
	struct kv *params;
	size_t params_n;
};

/* All in a; c lives as long. Late templates are filled in, and all of it is checked against the front matter of `own`,
 * the caller's own copy of the runbook. -1: ERR_INPUT, ERR_LIMIT, ERR_NOMEM: the run fails with this text. */
int claim_read(struct claim_inputs *in, struct arena *a, const struct store_claimed *c, const struct runbook *own,
	struct err *e);

#endif
