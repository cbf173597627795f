/* miss.c: the first thing about an event that a rule does not take.
 *
 * Goes through a rule as it is written: own events, `when`, `match`, `any`. It does not decide: the index and the
 * order of comparisons are ruleset_match's, and a test holds the two against each other. It costs more than a
 * match, and is asked only for what did not match.
 */
#include "rule/miss.h"

#define OWN_SOURCE "runbookd"

const char *rule_miss_name(enum rule_miss_kind k)
{
	static const char *const names[] = {
		[RULE_MISS_NONE] = "unknown",
		[RULE_MISS_OWN_EVENT] = "own_event",
		[RULE_MISS_WHEN] = "when",
		[RULE_MISS_MATCH] = "match",
		[RULE_MISS_ANY] = "any",
	};
	return names[k];
}

const char *rule_when_name(enum rule_when w)
{
	static const char *const names[] = {
		[WHEN_FIRING] = "firing",
		[WHEN_RESOLVED] = "resolved",
		[WHEN_ANY] = "any",
	};
	return names[w];
}

static bool when_holds(enum rule_when w, enum event_status s)
{
	return w == WHEN_ANY || (w == WHEN_RESOLVED) == (s == EVENT_RESOLVED);
}

static void one(struct rule_miss *out, enum rule_miss_kind kind, struct str matcher, struct str saw)
{
	out->kind = kind;
	out->failing[0] = (struct rule_failing){matcher, saw};
	out->n = 1;
}

static bool list_fails(const struct matchers *m, const struct ruleset *rs, struct arena *a,
	const struct event *ev, struct rule_failing *out)
{
	return matchers_first_failing(m, rs->scratch, a, ev, &out->matcher, &out->saw) < m->n;
}

int rule_miss(const struct ruleset *rs, const struct rule *r, struct arena *a, const struct event *ev,
	struct rule_miss *out)
{
	struct rule_failing first;

	*out = (struct rule_miss){.failing = arena_array(a, r->any_n + 1, sizeof(*out->failing))};
	if (!out->failing)
		return -1;
	if (str_is(ev->source, OWN_SOURCE) && !r->sees_own_events) {
		one(out, RULE_MISS_OWN_EVENT, STR("event.source != " OWN_SOURCE), ev->source);
	} else if (!when_holds(r->when, ev->status)) {
		one(out, RULE_MISS_WHEN,
			arena_printf(a, "when: %s", rule_when_name(r->when)),
			str_of(event_status_name(ev->status)));
	} else if (list_fails(&r->match, rs, a, ev, &first)) {
		one(out, RULE_MISS_MATCH, first.matcher, first.saw);
	} else {
		while (out->n < r->any_n && list_fails(&r->any[out->n], rs, a, ev, &out->failing[out->n]))
			out->n++;
		out->kind = r->any_n > 0 && out->n == r->any_n ? RULE_MISS_ANY : RULE_MISS_NONE;
		out->n = out->kind == RULE_MISS_ANY ? out->n : 0;
	}
	return arena_failed(a) ? -1 : 0;
}
