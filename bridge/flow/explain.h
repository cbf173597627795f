/* flow/explain.h: what would become of an event now, rule by rule, and why. Nothing is stored or counted.
 *
 * Matches come from the ruleset that is loaded, decisions from the store's own plan (store_explain), parameters
 * from the templates: what is said is what would happen. The answer is JSON, described in docs/http-api.md.
 */
#ifndef RB_FLOW_EXPLAIN_H
#define RB_FLOW_EXPLAIN_H

#include "flow/ingest.h"

#define EXPLAIN_EVENTS_MAX STORE_INGEST_EVENTS_MAX
#define EXPLAIN_PAIRS_MAX 100000		/* events times rules */
#define EXPLAIN_STEPS_MAX 3000000		/* to tell why rules do not match, as limits.match_budget counts them; past
						 * it "unknown" for what costs any */
#define EXPLAIN_SAW_MAX 1000			/* bytes of a value that is shown */
#define EXPLAIN_ANSWER_MAX ((size_t)64 << 20)	/* bytes */

/* batch: what a source made of a payload; its events in a. rule: only this one is told of; "" all. a lives until cb,
 * which is called once, on the loop. -1: cb will not be called: ERR_INPUT for too much at once, ERR_NOT_FOUND for an
 * unknown rule. */
int explain_batch(const struct ingest_ctx *ic, struct arena *a, const struct source_batch *batch, struct str rule,
	store_text_cb cb, void *ctx, struct err *e);
/* The same for an event that is stored: ERR_NOT_FOUND in the callback where it is not. */
int explain_stored(const struct ingest_ctx *ic, struct arena *a, struct str id, struct str rule, store_text_cb cb,
	void *ctx, struct err *e);

#endif
