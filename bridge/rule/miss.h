/* miss.h: why a rule does not want an event.
 *
 * For people and their tools; what matches is said by ruleset_match alone. Of each list the first matcher that does
 * not hold, in the order in which the rule is written. Pure; texts point into the rule and the event, or live in a.
 */
#ifndef RB_RULE_MISS_H
#define RB_RULE_MISS_H

#include "rule/ruleset.h"

enum rule_miss_kind {
	RULE_MISS_NONE,		/* nothing fails, or the budget does not allow to say: see matcher_scratch_budget; "unknown" */
	RULE_MISS_OWN_EVENT,	/* one of runbookd itself, and the rule names neither event.type nor event.source */
	RULE_MISS_WHEN,
	RULE_MISS_MATCH,
	RULE_MISS_ANY,		/* no list of `any` holds: one failing matcher of each */
};
const char *rule_miss_name(enum rule_miss_kind k);

struct rule_failing {
	struct str matcher;	/* as written */
	struct str saw;		/* the value it was held against; "" where the event has none */
};

struct rule_miss {
	enum rule_miss_kind kind;
	struct rule_failing *failing;	/* in a */
	size_t n;
};

const char *rule_when_name(enum rule_when w);
/* -1: the arena is full. It takes from what the caller's last matcher_scratch_begin allows. */
int rule_miss(const struct ruleset *rs, const struct rule *r, struct arena *a, const struct event *ev,
	struct rule_miss *out);

#endif
