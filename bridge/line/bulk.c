/* bulk.c: Elasticsearch's _bulk: lines in pairs, an action and its document.
 *
 * Item by item: a document that cannot be read, or an action that is none for logs, is that item's
 * fault, and the others are taken. An action line that is none at all refuses the body, since
 * nothing says any more what the next line is. Lines without a byte are passed over: rsyslog leaves
 * one after each document.
 */
#include "line/maker.h"
#include "line/split.h"

#define DOCUMENT_LIMIT LINE_DOCUMENT_LIMIT

struct line_decoder {
	struct line_maker maker;
	struct splitter split;
	struct arena arena; /* of one item, from its action to its document */
	bool pending;	    /* an action waits for its document */
	bool wanted;	    /* and the document is one for us */
	struct line_item item;
	struct line_report own; /* where nobody asks for a report */
};

static const struct json *parse(struct line_decoder *d, struct str text, struct err *e)
{
	static const struct json_limits limits = {LINE_JSON_DEPTH, LINE_JSON_NODES};
	const struct json *j;

	if (text.n > DOCUMENT_LIMIT) {
		err_set(e, ERR_INPUT, "a document is over %zu bytes", DOCUMENT_LIMIT);
		return NULL;
	}
	j = json_parse_within(&d->arena, &limits, text, e);
	if (!j || j->kind == JSON_OBJECT)
		return j;
	err_set(e, ERR_INPUT, "want an object, got %s", json_kind_name(j->kind));
	return NULL;
}

/* The item is done; what was wrong with it, or NULL. */
static int done(struct line_decoder *d, const struct err *fault, struct err *e)
{
	struct line_report *r = d->maker.report ? d->maker.report : &d->own;
	int rc = 0;

	d->item.fault = fault ? fault->text : NULL;
	d->pending = false;
	if (fault && r->refused++ == 0)
		r->first = *fault;
	r->items++;
	if (r->item)
		rc = r->item(r->ctx, &d->item, e);
	arena_reset(&d->arena);
	return rc;
}

static int bad_action(uint64_t offset, const char *why, struct err *e)
{
	err_set(e, ERR_INPUT,
		"malformed action line: %.300s; want {\"create\": {…}} or {\"index\": {…}}", why);
	e->offset = offset;
	return -1;
}

static int take_action(struct line_decoder *d, struct str text, uint64_t offset, struct err *e)
{
	struct err fault = {0};
	const struct json *j = parse(d, text, &fault), *action = j ? j->child : NULL;
	bool document;

	if (!action)
		return bad_action(offset, j ? "it is empty" : fault.text, e);
	document = !str_is(action->key, "delete");
	d->wanted = str_is(action->key, "create") || str_is(action->key, "index");
	if (j->count != 1 || action->kind != JSON_OBJECT ||
		(!d->wanted && document && !str_is(action->key, "update")))
		return bad_action(offset, "it is no action of _bulk", e);
	d->item = (struct line_item){.action = action->key,
		.index = json_str(json_get(action, "_index")),
		.id = json_str(json_get(action, "_id"))};
	d->pending = true;
	if (document)
		return 0;
	err_set(&fault, ERR_INPUT, "'delete' is not taken here, only 'create' and 'index'");
	return done(d, &fault, e);
}

static int take_document(struct line_decoder *d, struct str text, uint64_t offset, struct err *e)
{
	struct err fault = {0};
	const struct json *j;

	if (!d->wanted) {
		err_set(&fault, ERR_INPUT, "'update' is not taken here, only 'create' and 'index'");
		return done(d, &fault, e);
	}
	j = parse(d, text, &fault);
	if (!j) {
		fault.offset += offset;
		return done(d, &fault, e);
	}
	line_maker_begin(&d->maker, offset);
	line_maker_set(&d->maker, "index", d->item.index);
	line_maker_object(&d->maker, j);
	return line_maker_end(&d->maker, e) == 0 ? done(d, NULL, e) : -1;
}

static int take(void *ctx, struct str text, uint64_t offset, struct err *e)
{
	struct line_decoder *d = ctx;
	size_t blank = 0;

	while (blank < text.n && (text.p[blank] == ' ' || text.p[blank] == '\t'))
		blank++;
	if (blank == text.n)
		return 0;
	return d->pending ? take_document(d, text, offset, e) : take_action(d, text, offset, e);
}

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	struct line_decoder *d = line_maker_new(sizeof(*d), o, sink, e);

	if (!d)
		return NULL;
	arena_init(&d->arena, LINE_ITEM_LIMIT);
	splitter_init(&d->split, DOCUMENT_LIMIT, take, d);
	return d;
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	return splitter_feed(&d->split, piece, e);
}

static int finish(struct line_decoder *d, struct err *e)
{
	if (splitter_finish(&d->split, e) != 0)
		return -1;
	if (!d->pending)
		return 0;
	err_set(e, ERR_INPUT, "the last action has no document");
	e->offset = d->split.offset;
	return -1;
}

static void drop(struct line_decoder *d)
{
	if (!d)
		return;
	splitter_release(&d->split);
	arena_release(&d->arena);
	line_maker_free(d);
}

const struct line_kind line_kind_bulk = {"bulk", new, feed, finish, drop};
