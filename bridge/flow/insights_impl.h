/* insights_impl.h: what the insights_*.c files share. For this folder only. */
#ifndef RB_FLOW_INSIGHTS_IMPL_H
#define RB_FLOW_INSIGHTS_IMPL_H

#include "base/json.h"
#include "flow/insights.h"
#include "store/insights.h"

struct insight_name {
	struct str name, rule; /* rule: the latest that wanted one; "" none */
	int64_t fired, begun, flapped, resolved, resolve_ms, acked, ack_ms;
	int64_t repaired, repair_ms; /* with runbooks that remediate, and without a person */
};

struct insight_pair {
	struct str first, second;
	int64_t n, near;
	double seconds, squares;
	struct store_insight_label labels[STORE_INSIGHTS_LABELS];
	size_t labels_n;
};

struct insight_rule {
	struct str name;
	int64_t matched, ran;
};

/* Sorted by name; texts are in a. */
struct insights_sum {
	struct arena a;
	struct ruleset *rules; /* a reference */
	struct insight_name *names;
	size_t names_n, names_cap;
	struct insight_pair *pairs;
	size_t pairs_n, pairs_cap;
	struct insight_rule *ruled;
	size_t ruled_n, ruled_cap;
	int64_t from, to; /* days that were asked for, since 1970 */
	int64_t first;	  /* day from which something is known; -1: none */
	int64_t fired, left_names, left_fired;
	int64_t rows;
};

/* insights_sum.c */
int insights_add_day(struct insights_sum *s, const struct store_insight_day *day, struct err *e);
void insights_sum_release(struct insights_sum *s);
const struct insight_name *insights_name(const struct insights_sum *s, struct str name);
const struct insight_pair *insights_pair(
	const struct insights_sum *s, struct str first, struct str second);
const struct insight_rule *insights_rule(const struct insights_sum *s, struct str name);

/* insights_find.c: pairs that stand out; in s->a, the best first. */
struct insight_found {
	struct str first, second;
	int64_t support;
	double confidence, lift;
	double delay_s, spread_s;		  /* from first to second */
	struct str labels[STORE_INSIGHTS_LABELS]; /* in which the two agreed */
	size_t labels_n;
};
struct insights_found {
	struct insight_found *together, *follows;
	size_t together_n, follows_n;
};
int insights_find(struct insights_sum *s, struct insights_found *out, struct err *e);
/* Seconds that the period has, of which something is known. */
double insights_seconds(const struct insights_sum *s);

/* insights_suggest.c: appends [{"kind":…,"why":…,"yaml":…}] */
void insights_suggest(struct json_w *w, struct insights_sum *s, const struct insights_found *found);

/* insights_write.c: the whole answer. */
int insights_write(struct buf *out, struct insights_sum *s, struct err *e);

#endif
