/* flow/decide_gate.h: rules over several events (threshold, all_of, sequence, absent), as the store
 * takes them. For decide.c and ingest.c. */
#ifndef RB_FLOW_DECIDE_GATE_H
#define RB_FLOW_DECIDE_GATE_H

#include "rule/ruleset.h"
#include "store/store.h"

/* What the rule that m is of wants counted, in a; *out stays as it is for a rule over one event.
 * False: nothing can be counted, for the reason. The steps on timeout are the caller's to fill in.
 */
bool decide_gate(const struct rule_match *m, struct arena *a, const struct event *ev,
	struct store_gate_in *out, struct str *reason);
/* In how many ms what was counted now may be over. */
int64_t decide_gate_due(const struct store_gate_in *g, int64_t now_ms);
/* When the event happened, for such rules, in ms; 0: when it came. */
int64_t decide_gate_time(const struct event *ev);

#endif
