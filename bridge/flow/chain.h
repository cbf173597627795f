/* flow/chain.h: why a chain of events and runs goes no further, in words. */
#ifndef RB_FLOW_CHAIN_H
#define RB_FLOW_CHAIN_H

#include <stdint.h>
#include "base/arena.h"
#include "event/event.h"

/* The reason of a decision `limit`: so many runs led to ev that `rule` does not run for it. Names
 * the loop, where the rules go round in one, else all rules that led there. In a; "" where it is
 * full. */
struct str chain_reason(
	struct arena *a, const struct event *ev, struct str rule, int64_t chain_depth);

#endif
