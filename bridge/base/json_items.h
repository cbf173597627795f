/* json_items.h: JSON of any length as the items in it: a body is never a tree as a whole.
 *
 * Whoever reads says at each container's opening whether to go into it or to have it whole. What is
 * neither, a value in a container that was gone into, is an item, too. At the top stand any number
 * of values, with or without white space between them. Strict as json.h is, with the same offsets.
 */
#ifndef RB_BASE_JSON_ITEMS_H
#define RB_BASE_JSON_ITEMS_H

#include "base/json.h"

#define JSON_ITEMS_DEPTH 16 /* containers gone into, one in the other */

enum json_want {
	JSON_INTO,
	JSON_WHOLE,
	JSON_STOP, /* e is set */
};

/* depth: the containers gone into around it, 0 at the top. key: where it is a member; else
 * STR_NONE. What is handed out lives until the call returns. */
struct json_items_use {
	enum json_want (*open)(void *ctx, unsigned depth, struct str key, enum json_kind kind,
		size_t offset, struct err *e);
	/* -1 with e: stop. */
	int (*item)(void *ctx, unsigned depth, const struct json *item, struct err *e);
	/* The container at this depth that was gone into has ended. NULL: nobody asks. */
	int (*close)(void *ctx, unsigned depth, struct err *e);
	void *ctx;
};

struct json_items;

/* item_limit: bytes of memory for one item, and of input without a token's end. NULL: no memory. */
struct json_items *json_items_new(
	const struct json_items_use *use, const struct json_limits *limits, size_t item_limit);
void json_items_free(struct json_items *j);
/* -1 with e: ERR_INPUT, ERR_LIMIT with the offset, or what a callback said. Then it takes no more.
 */
int json_items_feed(struct json_items *j, const char *p, size_t n, struct err *e);
/* That was all. Nothing at all is no items. */
int json_items_finish(struct json_items *j, struct err *e);

#endif
