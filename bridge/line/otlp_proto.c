/* otlp_proto.c: OTLP over HTTP as Protocol Buffers (opentelemetry-proto, collector/logs/v1 and
 * collector/trace/v1): a record becomes the tree that it is as JSON, and otlp.c takes that.
 *
 * A record that cannot be read is refused alone, since its length says where the next one begins.
 */
#include "line/otlp.h"
#include "line/proto_tree.h"

#define FIELD_RESOURCE 1 /* of ResourceLogs and ResourceSpans */
#define FIELD_SCOPES 2
#define FIELD_SCOPE 1 /* of ScopeLogs and ScopeSpans */
#define FIELD_RECORDS 2

struct line_decoder {
	struct line_maker maker;
	struct proto_stream stream;
	const struct otlp_signal *signal;
	const struct proto_shape *shape; /* of a record */
	struct arena arena;		 /* of a record */
};

/* ---- shapes ---- */

static const struct proto_shape any_shape;

static const struct proto_shape pair_shape = {{
	{1, "key", PROTO_TEXT, false, NULL},
	{2, "value", PROTO_MESSAGE, false, &any_shape},
}};
static const struct proto_shape array_shape = {{{1, "values", PROTO_MESSAGE, true, &any_shape}}};
static const struct proto_shape pairs_shape = {{{1, "values", PROTO_MESSAGE, true, &pair_shape}}};
static const struct proto_shape any_shape = {{
	{1, "stringValue", PROTO_TEXT, false, NULL},
	{2, "boolValue", PROTO_BOOL, false, NULL},
	{3, "intValue", PROTO_INT, false, NULL},
	{4, "doubleValue", PROTO_DOUBLE, false, NULL},
	{5, "arrayValue", PROTO_MESSAGE, false, &array_shape},
	{6, "kvlistValue", PROTO_MESSAGE, false, &pairs_shape},
	{7, "bytesValue", PROTO_HEX, false, NULL},
}};
static const struct proto_shape resource_shape = {
	{{1, "attributes", PROTO_MESSAGE, true, &pair_shape}}};
static const struct proto_shape scope_shape = {{
	{1, "name", PROTO_TEXT, false, NULL},
	{3, "attributes", PROTO_MESSAGE, true, &pair_shape},
}};
static const struct proto_shape log_shape = {{
	{1, "timeUnixNano", PROTO_UINT, false, NULL},
	{2, "severityNumber", PROTO_INT, false, NULL},
	{3, "severityText", PROTO_TEXT, false, NULL},
	{5, "body", PROTO_MESSAGE, false, &any_shape},
	{6, "attributes", PROTO_MESSAGE, true, &pair_shape},
	{9, "traceId", PROTO_HEX, false, NULL},
	{10, "spanId", PROTO_HEX, false, NULL},
	{11, "observedTimeUnixNano", PROTO_UINT, false, NULL},
	{12, "eventName", PROTO_TEXT, false, NULL},
}};
static const struct proto_shape event_shape = {{
	{2, "name", PROTO_TEXT, false, NULL},
	{3, "attributes", PROTO_MESSAGE, true, &pair_shape},
}};
static const struct proto_shape status_shape = {{
	{2, "message", PROTO_TEXT, false, NULL},
	{3, "code", PROTO_INT, false, NULL},
}};
static const struct proto_shape span_shape = {{
	{1, "traceId", PROTO_HEX, false, NULL},
	{2, "spanId", PROTO_HEX, false, NULL},
	{4, "parentSpanId", PROTO_HEX, false, NULL},
	{5, "name", PROTO_TEXT, false, NULL},
	{6, "kind", PROTO_INT, false, NULL},
	{8, "endTimeUnixNano", PROTO_UINT, false, NULL},
	{9, "attributes", PROTO_MESSAGE, true, &pair_shape},
	{11, "events", PROTO_MESSAGE, true, &event_shape},
	{15, "status", PROTO_MESSAGE, false, &status_shape},
}};

/* ---- the body ---- */

static int take_record(void *ctx, const struct proto_field *f, struct err *e)
{
	struct line_decoder *d = ctx;
	struct err fault = {0};
	const struct json *record = proto_tree(&d->arena, d->shape, proto_in(f), &fault);
	int rc = 0;

	if (record)
		rc = d->signal->take(&d->maker, record, e);
	else
		otlp_refused(&d->maker, &fault);
	arena_reset(&d->arena);
	return rc;
}

static int put_resource(void *ctx, const struct proto_field *f, struct err *e)
{
	struct line_decoder *d = ctx;
	const struct json *resource = proto_tree(&d->arena, &resource_shape, proto_in(f), e);

	if (!resource)
		return -1;
	otlp_resource(&d->maker, resource);
	arena_reset(&d->arena);
	return 0;
}

static int put_scope(void *ctx, const struct proto_field *f, struct err *e)
{
	struct line_decoder *d = ctx;
	const struct json *scope = proto_tree(&d->arena, &scope_shape, proto_in(f), e);

	if (!scope)
		return -1;
	otlp_scope(&d->maker, scope);
	arena_reset(&d->arena);
	return 0;
}

static int take_scope(void *ctx, const struct proto_field *f, struct err *e)
{
	struct line_decoder *d = ctx;
	size_t before = d->maker.base_n;
	int rc = proto_each(f, FIELD_SCOPE, put_scope, d, e);

	if (rc == 0)
		rc = proto_each(f, FIELD_RECORDS, take_record, d, e);
	line_maker_unbase(&d->maker, before);
	return rc;
}

static int take_resource(void *ctx, const struct proto_field *f, struct err *e)
{
	struct line_decoder *d = ctx;
	int rc;

	if (f->number != 1 || f->wire != PROTO_BYTES)
		return 0;
	rc = proto_each(f, FIELD_RESOURCE, put_resource, d, e);
	if (rc == 0)
		rc = proto_each(f, FIELD_SCOPES, take_scope, d, e);
	line_maker_unbase(&d->maker, d->maker.request_n);
	return rc;
}

static struct line_decoder *begin(const struct otlp_signal *signal, const struct proto_shape *shape,
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	struct line_decoder *d = line_maker_new(sizeof(*d), o, sink, e);

	if (!d)
		return NULL;
	d->signal = signal;
	d->shape = shape;
	arena_init(&d->arena, LINE_ITEM_LIMIT);
	proto_stream_init(&d->stream, LINE_ITEM_LIMIT, take_resource, d);
	return d;
}

static struct line_decoder *new_logs(
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	return begin(&otlp_logs, &log_shape, o, sink, e);
}

static struct line_decoder *new_traces(
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	return begin(&otlp_traces, &span_shape, o, sink, e);
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	return proto_stream_feed(&d->stream, piece, e);
}

static int finish(struct line_decoder *d, struct err *e)
{
	return proto_stream_finish(&d->stream, e);
}

static void drop(struct line_decoder *d)
{
	if (!d)
		return;
	proto_stream_release(&d->stream);
	arena_release(&d->arena);
	line_maker_free(d);
}

const struct line_kind line_kind_otlp_logs_proto = {
	"otlp logs protobuf", new_logs, feed, finish, drop};
const struct line_kind line_kind_otlp_traces_proto = {
	"otlp traces protobuf", new_traces, feed, finish, drop};
