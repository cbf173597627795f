/* decide_gate.c: what a rule over several events asks of the store, for one event.
 *
 * An event that counts towards such a rule need not have what the rule's steps ask for: another one
 * may complete it. So a template without its value is no decision here but goes along as the
 * reason why the steps cannot run, for the time when they would. Time is the event's own, but for
 * alerts: what they say holds when it comes in.
 */
#include "flow/decide_gate.h"

#include "rule/template.h"

#define NS_PER_MS INT64_C(1000000)

static enum store_gate_kind kind_of(enum rule_gate_kind k)
{
	static const enum store_gate_kind kinds[] = {
		[RULE_GATE_NONE] = STORE_GATE_NONE,
		[RULE_GATE_THRESHOLD] = STORE_GATE_THRESHOLD,
		[RULE_GATE_ALL_OF] = STORE_GATE_ALL_OF,
		[RULE_GATE_SEQUENCE] = STORE_GATE_SEQUENCE,
		[RULE_GATE_ABSENT] = STORE_GATE_ABSENT,
	};
	return kinds[k];
}

static bool has_none(struct arena *a, const struct rule_gate *g, const struct event *ev)
{
	for (size_t i = 0; i < g->by_n; i++)
		if (field_value(a, &g->by[i], ev).n > 0)
			return false;
	return g->by_n > 0;
}

static struct str names_of(struct arena *a, const struct rule_gate *g)
{
	struct str s = STR_NONE;

	for (size_t i = 0; i < g->by_n; i++)
		s = arena_printf(
			a, "%.*s%s%.*s", STR_ARG(s), i ? ", " : "", STR_ARG(g->by[i].text));
	return s;
}

int64_t decide_gate_time(const struct event *ev)
{
	if (ev->status != EVENT_INFO || ev->time_ns <= 0)
		return 0;
	return ev->time_ns / NS_PER_MS;
}

bool decide_gate(const struct rule_match *m, struct arena *a, const struct event *ev,
	struct store_gate_in *out, struct str *reason)
{
	const struct rule_gate *g = &m->rule->gate;

	if (g->kind == RULE_GATE_NONE)
		return true;
	if (has_none(a, g, ev)) {
		*reason = arena_printf(a,
			"the event has none of what the rule's events are told apart by: %.*s",
			STR_ARG(names_of(a, g)));
		return false;
	}
	*out = (struct store_gate_in){
		.kind = kind_of(g->kind),
		.count = g->count,
		.within_ms = g->within_ms,
		.parts = m->parts,
		.key = g->by_n ? rule_by_key(a, g->by, g->by_n, ev) : STR_NONE,
		.time_ms = decide_gate_time(ev),
		.names = g->parts,
	};
	return true;
}

int64_t decide_gate_due(const struct store_gate_in *g, int64_t now_ms)
{
	int64_t lag = g->time_ms > 0 && g->time_ms < now_ms ? now_ms - g->time_ms : 0;

	return g->within_ms - lag;
}
