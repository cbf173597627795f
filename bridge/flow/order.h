/* order.h: in which order the events of one message are decided. */
#ifndef RB_FLOW_ORDER_H
#define RB_FLOW_ORDER_H

#include "base/arena.h"
#include "store/store.h"

/* What inhibits stands before what it may inhibit, wherever its sender put it, and each alert's
 * events in their order. from: room for n places, or NULL: where each stood. Without memory the
 * order stays. */
void order_events(struct arena *a, struct store_event_in *in, size_t n, size_t *from);

#endif
