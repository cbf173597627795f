/* flow/query.h: lists with matchers as filter, page by page.
 *
 * Rows are fetched and filtered until the page is full, or QUERY_SCAN_MAX rows were looked at: then
 * the page is short and `next` says where to go on.
 */
#ifndef RB_FLOW_QUERY_H
#define RB_FLOW_QUERY_H

#include "rule/matcher.h"
#include "store/store.h"

#define QUERY_LIMIT_DEFAULT 50
#define QUERY_LIMIT_MAX 1000
#define QUERY_SCAN_MAX 20000
#define QUERY_LABELS_MAX 16 /* that one asks for related incidents by */
#define QUERY_ROW_ARENA                                                                            \
	((size_t)64 << 20) /* bytes that a row may take, as values, to be held against a filter */

struct query {
	enum store_list what;
	struct store_page page;
	struct str filter; /* matchers over what query.c says a row has; "" none */
};
/* answer: {"items":[…],"next":…}. ERR_INPUT for a bad filter or cursor, at once (-1). */
int query_list(struct store *s, const struct query *q, store_text_cb cb, void *ctx, struct err *e);

/* An event as the API shows it, for matchers: what the filter of a list of events looks at. Points
 * into row and a. -1: it does not fit into a. */
int query_event(struct arena *a, struct str row, struct event *out, struct err *e);

#endif
