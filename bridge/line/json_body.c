/* json_body.c: a body of JSON, read item by item; no more than LINE_ITEM_LIMIT of it is held. */
#include "line/json_body.h"

void *json_body_new(size_t n, struct json_items_use use, const struct line_options *o,
	const struct line_sink *sink, struct err *e)
{
	static const struct json_limits limits = {LINE_JSON_DEPTH, LINE_JSON_NODES};
	struct json_body *b = line_maker_new(n, o, sink, e);

	if (!b)
		return NULL;
	use.ctx = b;
	b->items = json_items_new(&use, &limits, LINE_ITEM_LIMIT);
	buf_init(&b->early, LINE_ITEM_LIMIT);
	if (b->items)
		return b;
	err_set(e, ERR_NOMEM, "no memory for lines");
	line_maker_free(b);
	return NULL;
}

static struct json_body *body(struct line_decoder *d)
{
	return (struct json_body *)d;
}

int json_body_feed(struct line_decoder *d, struct str piece, struct err *e)
{
	return json_items_feed(body(d)->items, piece.p, piece.n, e);
}

int json_body_finish(struct line_decoder *d, struct err *e)
{
	return json_items_finish(body(d)->items, e);
}

void json_body_free(struct line_decoder *d)
{
	if (!d)
		return;
	json_items_free(body(d)->items);
	buf_release(&body(d)->early);
	line_maker_free(d);
}

int json_body_keep(struct json_body *b, const struct json *array, const char *name,
	const char *before, struct err *e)
{
	struct json_w w;

	b->early_at = array->offset;
	buf_clear(&b->early);
	json_w_init(&w, &b->early);
	json_write(&w, array);
	if (!buf_failed(&b->early))
		return 0;
	return err_set(e, ERR_LIMIT, "'%s' before '%s' needs more than %zu bytes; put '%s' first",
		name, before, LINE_ITEM_LIMIT, before);
}

int json_body_take_kept(struct json_body *b,
	int (*take)(struct line_decoder *d, const struct json *element, struct err *e),
	struct err *e)
{
	struct arena a;
	const struct json *kept;
	int rc = -1;

	if (b->early.n == 0)
		return 0;
	arena_init(&a, LINE_ITEM_LIMIT);
	b->maker.fixed_offset = b->early_at;
	kept = json_parse(&a, buf_as_str(&b->early), e);
	if (kept)
		rc = 0;
	for (const struct json *j = kept ? kept->child : NULL; j && rc == 0; j = j->next)
		rc = take((struct line_decoder *)b, j, e);
	b->maker.fixed_offset = 0;
	if (rc != 0)
		e->offset = b->early_at;
	arena_release(&a);
	buf_clear(&b->early);
	return rc;
}
