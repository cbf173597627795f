/* otlp_json.c: OTLP over HTTP as JSON.
 *
 *	{"resourceLogs": [{"resource": …, "scopeLogs": [{"scope": …, "logRecords": [ … ]}]}]}
 *
 * and the same with spans. Records are taken one by one where their resource stands before them, as
 * all exporters write it; else they are kept as text until it is known.
 */
#include <stdlib.h>
#include "base/json_items.h"
#include "line/otlp.h"

struct line_decoder {
	struct line_maker maker;
	struct line_sink sink;
	struct json_items *items;
	const struct otlp_signal *signal;
	bool resource;	  /* it is known, and the base */
	size_t before;	  /* the base without the scope */
	struct buf early; /* scopes that stand before their resource; else "" */
	size_t early_at;  /* where they stood */
};

enum { AT_TOP, IN_BODY, IN_RESOURCES, IN_RESOURCE, IN_SCOPES, IN_SCOPE, IN_RECORDS };

static int refuse(const struct json *j, const char *name, const char *want, struct err *e)
{
	err_set(e, ERR_INPUT, "%s: want %s, got %s", name, want, json_kind_name(j->kind));
	e->offset = j->offset;
	return -1;
}

/* ---- scopes as trees ---- */

static int take_scope(struct line_decoder *d, const struct json *scope, struct err *e)
{
	const struct json *records = json_get(scope, d->signal->records);
	const struct json *about = json_get(scope, "scope");
	size_t before = about ? otlp_scope(&d->maker, about) : d->maker.base_n;
	int rc = 0;

	for (const struct json *r = records ? records->child : NULL; r && rc == 0; r = r->next)
		rc = d->signal->take(&d->maker, r, e);
	line_maker_unbase(&d->maker, before);
	return rc;
}

static int keep_early(struct line_decoder *d, const struct json *scopes, struct err *e)
{
	struct json_w w;

	d->early_at = scopes->offset;
	buf_clear(&d->early);
	json_w_init(&w, &d->early);
	json_write(&w, scopes);
	return buf_failed(&d->early) ? err_set(e, ERR_LIMIT,
					       "'%s' before 'resource' needs more than %zu bytes; "
					       "put the resource first",
					       d->signal->scopes, LINE_ITEM_LIMIT)
				     : 0;
}

static int take_early(struct line_decoder *d, struct err *e)
{
	struct arena a;
	const struct json *scopes;
	int rc = -1;

	arena_init(&a, LINE_ITEM_LIMIT);
	d->maker.fixed_offset = d->early_at;
	scopes = json_parse(&a, buf_as_str(&d->early), e);
	if (scopes)
		rc = 0;
	for (const struct json *s = scopes ? scopes->child : NULL; s && rc == 0; s = s->next)
		rc = take_scope(d, s, e);
	d->maker.fixed_offset = 0;
	if (rc != 0)
		e->offset = d->early_at;
	arena_release(&a);
	buf_clear(&d->early);
	return rc;
}

/* ---- the body ---- */

static bool is(struct str key, const char *name, enum json_kind kind, enum json_kind want)
{
	return str_is(key, name) && kind == want;
}

static enum json_want open_container(void *ctx, unsigned depth, struct str key, enum json_kind kind,
	size_t offset, struct err *e)
{
	struct line_decoder *d = ctx;
	bool into = true;

	(void)offset;
	(void)e;
	switch (depth) {
	case AT_TOP:
	case IN_RESOURCES:
	case IN_SCOPES:
		into = kind == JSON_OBJECT;
		break;
	case IN_BODY:
		into = is(key, d->signal->resources, kind, JSON_ARRAY);
		break;
	case IN_RESOURCE:
		into = d->resource && is(key, d->signal->scopes, kind, JSON_ARRAY);
		break;
	case IN_SCOPE:
		into = is(key, d->signal->records, kind, JSON_ARRAY);
		break;
	default:
		into = false;
		break;
	}
	if (into && depth == IN_SCOPES)
		d->before = d->maker.base_n;
	return into ? JSON_INTO : JSON_WHOLE;
}

static int in_resource(struct line_decoder *d, const struct json *j, struct err *e)
{
	if (str_is(j->key, d->signal->scopes))
		return j->kind == JSON_ARRAY ? keep_early(d, j, e)
					     : refuse(j, d->signal->scopes, "an array", e);
	if (!str_is(j->key, "resource"))
		return 0;
	if (j->kind != JSON_OBJECT)
		return refuse(j, "resource", "an object", e);
	line_maker_unbase(&d->maker, d->maker.request_n);
	otlp_resource(&d->maker, j);
	d->resource = true;
	return 0;
}

static int in_scope(struct line_decoder *d, const struct json *j, struct err *e)
{
	if (str_is(j->key, d->signal->records))
		return refuse(j, d->signal->records, "an array", e);
	if (str_is(j->key, "scope") && j->kind == JSON_OBJECT) {
		line_maker_unbase(&d->maker, d->before);
		otlp_scope(&d->maker, j);
	}
	return 0;
}

static int item(void *ctx, unsigned depth, const struct json *j, struct err *e)
{
	struct line_decoder *d = ctx;

	switch (depth) {
	case AT_TOP:
		return refuse(j, "body", "an object", e);
	case IN_BODY:
		return str_is(j->key, d->signal->resources)
			       ? refuse(j, d->signal->resources, "an array", e)
			       : 0;
	case IN_RESOURCES:
		return refuse(j, d->signal->resources, "objects", e);
	case IN_RESOURCE:
		return in_resource(d, j, e);
	case IN_SCOPES:
		return refuse(j, d->signal->scopes, "objects", e);
	case IN_SCOPE:
		return in_scope(d, j, e);
	default:
		return d->signal->take(&d->maker, j, e);
	}
}

static int close_container(void *ctx, unsigned depth, struct err *e)
{
	struct line_decoder *d = ctx;
	int rc = 0;

	if (depth == IN_SCOPES)
		line_maker_unbase(&d->maker, d->before);
	if (depth != IN_RESOURCES)
		return 0;
	if (d->early.n > 0)
		rc = take_early(d, e);
	line_maker_unbase(&d->maker, d->maker.request_n);
	d->resource = false;
	return rc;
}

static struct line_decoder *begin(const struct otlp_signal *signal, const struct line_options *o,
	const struct line_sink *sink, struct err *e)
{
	static const struct json_limits limits = {LINE_JSON_DEPTH, LINE_JSON_NODES};
	struct line_decoder *d = calloc(1, sizeof(*d));
	struct json_items_use use = {open_container, item, close_container, d};

	if (d && !(d->items = json_items_new(&use, &limits, LINE_ITEM_LIMIT))) {
		free(d);
		d = NULL;
	}
	if (!d) {
		err_set(e, ERR_NOMEM, "no memory for the request");
		return NULL;
	}
	d->sink = *sink;
	d->signal = signal;
	buf_init(&d->early, LINE_ITEM_LIMIT);
	line_maker_init(&d->maker, o, &d->sink);
	return d;
}

static struct line_decoder *new_logs(
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	return begin(&otlp_logs, o, sink, e);
}

static struct line_decoder *new_traces(
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	return begin(&otlp_traces, o, sink, e);
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	return json_items_feed(d->items, piece.p, piece.n, e);
}

static int finish(struct line_decoder *d, struct err *e)
{
	return json_items_finish(d->items, e);
}

static void drop(struct line_decoder *d)
{
	if (!d)
		return;
	json_items_free(d->items);
	buf_release(&d->early);
	line_maker_release(&d->maker);
	free(d);
}

const struct line_kind line_kind_otlp_logs_json = {"otlp logs", new_logs, feed, finish, drop};
const struct line_kind line_kind_otlp_traces_json = {"otlp traces", new_traces, feed, finish, drop};
