/* json_body.h: what the decoders of JSON have in common: a body read item by item, and what stands
 * before that which says how to read it.
 */
#ifndef RB_LINE_JSON_BODY_H
#define RB_LINE_JSON_BODY_H

#include "base/json_items.h"
#include "line/maker.h"

/* A struct line_decoder of JSON begins with it. */
struct json_body {
	struct line_maker maker; /* first: line_maker_new */
	struct json_items *items;
	struct buf early; /* what was kept, as text; else "" */
	size_t early_at;  /* where it stood in the body */
};

/* A decoder of n bytes, zeroed but for its body; use's ctx is the decoder. NULL with e: no memory.
 */
void *json_body_new(size_t n, struct json_items_use use, const struct line_options *o,
	const struct line_sink *sink, struct err *e);

/* As in struct line_kind. */
int json_body_feed(struct line_decoder *d, struct str piece, struct err *e);
int json_body_finish(struct line_decoder *d, struct err *e);
void json_body_free(struct line_decoder *d);

/* Keeps an array for later: what it belongs to is not known yet. ERR_LIMIT: it needs more than
 * LINE_ITEM_LIMIT; name and before say in the message what should stand first. */
int json_body_keep(struct json_body *b, const struct json *array, const char *name,
	const char *before, struct err *e);
/* Hands each element of what was kept to take, if anything was; faults are at its place. */
int json_body_take_kept(struct json_body *b,
	int (*take)(struct line_decoder *d, const struct json *element, struct err *e),
	struct err *e);

#endif
