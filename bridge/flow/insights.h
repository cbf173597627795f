/* flow/insights.h: what was learned of alerts and rules over a period, as JSON.
 *
 * The store has counted it day by day (store/insights.h); here the days are added up, what stands
 * out is picked, and suggestions are made of it that are ready YAML. What is found is what happened
 * often enough, and more often than chance would have it; the thresholds are below. The answer is
 * described in docs/http-api.md, how it is meant in docs/insights.md.
 */
#ifndef RB_FLOW_INSIGHTS_H
#define RB_FLOW_INSIGHTS_H

#include "flow/ingest.h"

#define INSIGHTS_DAYS_MAX 400
#define INSIGHTS_PERIOD_DEFAULT_MS (INT64_C(30) * 24 * 3600 * 1000)
#define INSIGHTS_SUPPORT_LEAST 5 /* times that two have to come together, or one after the other   \
				  */
#define INSIGHTS_CONFIDENCE_LEAST 0.7 /* the share of their times that this has to be */
#define INSIGHTS_LIFT_LEAST 3.0	      /* times as often as by chance */
#define INSIGHTS_LABEL_LEAST 0.9      /* share of the times in which a label was the same in both */
#define INSIGHTS_SUGGESTIONS_MAX 20
#define INSIGHTS_COOLDOWN_RUNS 20 /* of a rule without a cooldown, after which one is suggested */
#define INSIGHTS_MEMORY ((size_t)256 << 20)

struct insights_ask {
	int64_t since_ms, until_ms; /* since < until */
	int64_t rows;		    /* of each list, at most */
};
/* Text: the answer. Called once, on the loop. -1: ERR_INPUT for a period that is too long or none.
 */
int insights_read(const struct ingest_ctx *ic, const struct insights_ask *ask, store_text_cb cb,
	void *ctx, struct err *e);

#endif
