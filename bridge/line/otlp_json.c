/* otlp_json.c: OTLP over HTTP as JSON.
 *
 *	{"resourceLogs": [{"resource": …, "scopeLogs": [{"scope": …, "logRecords": [ … ]}]}]}
 *
 * and the same with spans. Records are taken one by one where their resource stands before them, as
 * all exporters write it; else they are kept as text until it is known.
 */
#include "line/json_body.h"
#include "line/otlp.h"

struct line_decoder {
	struct json_body body; /* early: scopes that stand before their resource */
	const struct otlp_signal *signal;
	bool resource; /* it is known, and the base */
	size_t before; /* the base without the scope */
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
	size_t before = about ? otlp_scope(&d->body.maker, about) : d->body.maker.base_n;
	int rc = 0;

	for (const struct json *r = records ? records->child : NULL; r && rc == 0; r = r->next)
		rc = d->signal->take(&d->body.maker, r, e);
	line_maker_unbase(&d->body.maker, before);
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
		d->before = d->body.maker.base_n;
	return into ? JSON_INTO : JSON_WHOLE;
}

static int in_resource(struct line_decoder *d, const struct json *j, struct err *e)
{
	if (str_is(j->key, d->signal->scopes))
		return j->kind == JSON_ARRAY
			       ? json_body_keep(&d->body, j, d->signal->scopes, "resource", e)
			       : refuse(j, d->signal->scopes, "an array", e);
	if (!str_is(j->key, "resource"))
		return 0;
	if (j->kind != JSON_OBJECT)
		return refuse(j, "resource", "an object", e);
	line_maker_unbase(&d->body.maker, d->body.maker.request_n);
	otlp_resource(&d->body.maker, j);
	d->resource = true;
	return 0;
}

static int in_scope(struct line_decoder *d, const struct json *j, struct err *e)
{
	if (str_is(j->key, d->signal->records))
		return refuse(j, d->signal->records, "an array", e);
	if (str_is(j->key, "scope") && j->kind == JSON_OBJECT) {
		line_maker_unbase(&d->body.maker, d->before);
		otlp_scope(&d->body.maker, j);
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
		return d->signal->take(&d->body.maker, j, e);
	}
}

static int close_container(void *ctx, unsigned depth, struct err *e)
{
	struct line_decoder *d = ctx;
	int rc;

	if (depth == IN_SCOPES)
		line_maker_unbase(&d->body.maker, d->before);
	if (depth != IN_RESOURCES)
		return 0;
	rc = json_body_take_kept(&d->body, take_scope, e);
	line_maker_unbase(&d->body.maker, d->body.maker.request_n);
	d->resource = false;
	return rc;
}

static struct line_decoder *begin(const struct otlp_signal *signal, const struct line_options *o,
	const struct line_sink *sink, struct err *e)
{
	const struct json_items_use use = {open_container, item, close_container, NULL};
	struct line_decoder *d = json_body_new(sizeof(*d), use, o, sink, e);

	if (d)
		d->signal = signal;
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

const struct line_kind line_kind_otlp_logs_json = {
	"otlp logs", new_logs, json_body_feed, json_body_finish, json_body_free};
const struct line_kind line_kind_otlp_traces_json = {
	"otlp traces", new_traces, json_body_feed, json_body_finish, json_body_free};
