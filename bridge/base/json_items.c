/* json_items.c: between yajl and the tree's callbacks of json.c.
 *
 * Owns one arena, which holds the item that is read now and is emptied after each: so memory is
 * that of the largest item, whatever the body's length. yajl itself keeps a token that is cut by a
 * piece's end; how long that may be is looked at before each piece.
 *
 * While no item is open the tree's reader has depth 0 and no root; a container that is gone into
 * leaves no node.
 */
#include "base/json_items.h"

#include <stdlib.h>
#include "base/json_impl.h"

struct json_items {
	struct json_reader reader; /* of the item under way */
	struct arena arena;
	struct json_items_use use;
	unsigned into;
	size_t token_end; /* of the last token that was seen */
};

static struct json_reader *reader(struct json_items *j)
{
	j->token_end = json_reader_where(&j->reader);
	return &j->reader;
}

static bool between(const struct json_items *j)
{
	return j->reader.depth == 0;
}

/* The item is whole where its last bracket is closed. ok: what the tree's callback said. */
static int deliver(struct json_items *j, int ok)
{
	struct json_reader *r = &j->reader;
	struct json *root = r->root;
	struct err e = {0};

	if (!ok || r->depth > 0)
		return ok;
	if (j->use.item(j->use.ctx, j->into, root, &e) != 0) {
		r->err = e;
		return 0;
	}
	r->root = NULL;
	r->nodes = 0;
	r->frames[0] = (struct json_frame){0};
	arena_reset(&j->arena);
	return 1;
}

static int on_null(void *ctx)
{
	return deliver(ctx, json_tree_callbacks.yajl_null(reader(ctx)));
}

static int on_boolean(void *ctx, int value)
{
	return deliver(ctx, json_tree_callbacks.yajl_boolean(reader(ctx), value));
}

static int on_number(void *ctx, const char *text, size_t n)
{
	return deliver(ctx, json_tree_callbacks.yajl_number(reader(ctx), text, n));
}

static int on_string(void *ctx, const unsigned char *text, size_t n)
{
	return deliver(ctx, json_tree_callbacks.yajl_string(reader(ctx), text, n));
}

static int on_key(void *ctx, const unsigned char *text, size_t n)
{
	return json_tree_callbacks.yajl_map_key(reader(ctx), text, n);
}

static int go_into(struct json_items *j)
{
	if (j->into == JSON_ITEMS_DEPTH)
		return json_reader_stop(&j->reader, ERR_LIMIT, "nested too deep");
	j->into++;
	j->reader.key = STR_NONE;
	arena_reset(&j->arena);
	return 1;
}

static int open_container(struct json_items *j, enum json_kind kind, int (*whole)(void *ctx))
{
	struct json_reader *r = reader(j);
	struct err e = {0};

	if (!between(j))
		return whole(r);
	switch (j->use.open(j->use.ctx, j->into, r->key, kind, j->token_end - 1, &e)) {
	case JSON_INTO:
		return go_into(j);
	case JSON_WHOLE:
		return whole(r);
	case JSON_STOP:
		break;
	}
	r->err = e;
	return 0;
}

static int on_start_map(void *ctx)
{
	return open_container(ctx, JSON_OBJECT, json_tree_callbacks.yajl_start_map);
}

static int on_start_array(void *ctx)
{
	return open_container(ctx, JSON_ARRAY, json_tree_callbacks.yajl_start_array);
}

static int on_end(void *ctx)
{
	struct json_items *j = ctx;
	struct json_reader *r = reader(j);
	struct err e = {0};

	if (!between(j))
		return deliver(j, json_tree_callbacks.yajl_end_map(r));
	j->into--;
	if (!j->use.close || j->use.close(j->use.ctx, j->into, &e) == 0)
		return 1;
	r->err = e;
	return 0;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end,
};

struct json_items *json_items_new(
	const struct json_items_use *use, const struct json_limits *limits, size_t item_limit)
{
	struct json_items *j = malloc(sizeof(*j));

	if (!j)
		return NULL;
	arena_init(&j->arena, item_limit);
	j->use = *use;
	j->into = 0;
	j->token_end = 0;
	if (!json_reader_init(&j->reader, &j->arena, limits, &callbacks, j)) {
		free(j);
		return NULL;
	}
	yajl_config(j->reader.yajl, yajl_allow_multiple_values, 1);
	return j;
}

void json_items_free(struct json_items *j)
{
	if (!j)
		return;
	json_reader_free(&j->reader);
	arena_release(&j->arena);
	free(j);
}

static int too_large(const struct json_items *j, struct err *e)
{
	err_set(e, ERR_LIMIT, "one item of the body needs more than %zu bytes; send smaller items",
		j->arena.limit);
	e->offset = json_reader_where(&j->reader);
	return -1;
}

int json_items_feed(struct json_items *j, const char *p, size_t n, struct err *e)
{
	/* yajl keeps what it has of a token; white space and what stands between items is gone. */
	if (!j->reader.dead && j->reader.base - j->token_end > j->arena.limit) {
		j->reader.dead = true;
		return too_large(j, e);
	}
	if (json_reader_feed(&j->reader, p, n, e) == 0)
		return 0;
	return arena_failed(&j->arena) ? too_large(j, e) : -1;
}

int json_items_finish(struct json_items *j, struct err *e)
{
	struct json_reader *r = &j->reader;
	yajl_status status;

	if (r->dead)
		return err_set(e, ERR_INPUT, "the document was refused already");
	status = yajl_complete_parse(r->yajl);
	r->dead = true;
	if (status == yajl_status_client_canceled)
		return json_reader_fail(r, status, e);
	if (!r->started || (status == yajl_status_ok && between(j) && j->into == 0))
		return 0;
	err_set(e, ERR_INPUT, "the document is incomplete");
	e->offset = r->base;
	return -1;
}
