/* insights.h: what the store counted of alerts and rules, day by day.
 *
 * Counted by the library (80-insights.lua) in the step that stores an event, by name of the alert
 * and day of UTC, of a bounded number of names: what there is no room for is counted as left out.
 * Reading costs what was counted, not what happened.
 */
#ifndef RB_STORE_INSIGHTS_H
#define RB_STORE_INSIGHTS_H

#include "store/store.h"

#define STORE_INSIGHTS_DAY_MS (INT64_C(24) * 3600 * 1000)
#define STORE_INSIGHTS_GAP_MS 300000 /* of silence, after which a name begins anew */
#define STORE_INSIGHTS_NEAR_MS 60000 /* two that begin within so long come together */
#define STORE_INSIGHTS_LABELS 6	     /* of a pair: labels in which the two agreed */
#define STORE_INSIGHTS_REPAIRS 4     /* of a name: sets of runbooks */

/* Occurrences that a set of runbooks was there for: all of them succeeded, of rules that no person
 * approved. */
struct store_repair {
	struct str runbooks; /* sorted, with + between */
	int64_t n,
		ms; /* so often; sum of the times from the begin to the end of the last of them */
};

struct store_insight_name {
	struct str name; /* label alertname; of alerts without one, their source in parentheses */
	int64_t fired;	 /* new occurrences */
	int64_t begun;	 /* those that came after STORE_INSIGHTS_GAP_MS of silence */
	int64_t flapped; /* changes of state of alerts that counted as flapping */
	int64_t resolved, resolve_ms;
	int64_t acked, ack_ms;
	struct str rule; /* the latest that wanted one; "" none */
	struct store_repair repairs[STORE_INSIGHTS_REPAIRS];
	size_t repairs_n;
};

struct store_insight_label {
	struct str name;
	int64_t n;
};

/* `second` began when `first` had begun, within STORE_INSIGHTS_GAP_MS. */
struct store_insight_pair {
	struct str first, second;
	int64_t n, near;	  /* near: within STORE_INSIGHTS_NEAR_MS */
	int64_t seconds, squares; /* sums, of the seconds between and of their squares */
	struct store_insight_label labels[STORE_INSIGHTS_LABELS]; /* of those that were near */
	size_t labels_n;
};

struct store_insight_rule {
	struct str name;
	int64_t matched, ran; /* ran: in dry_run, would have */
};

struct store_insight_day {
	int64_t day; /* since 1970; -1: there is none in the range */
	const struct store_insight_name *names;
	size_t names_n;
	const struct store_insight_pair *pairs;
	size_t pairs_n;
	const struct store_insight_rule *rules; /* one may come twice: add up */
	size_t rules_n;
	int64_t fired;			/* by all names, those without room included */
	int64_t left_names, left_fired; /* that there was no room for */
};

typedef void (*store_insights_cb)(
	void *ctx, const struct err *e, const struct store_insight_day *day);
/* The first day from `from` to `to` of which something was counted. */
int store_insights(
	struct store *s, int64_t from, int64_t to, store_insights_cb cb, void *ctx, struct err *e);

#endif
