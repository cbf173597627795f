/* otlp.c: OTLP over HTTP: logs and traces, JSON and protobuf, answered in the form that was sent.
 *
 * A span that failed is an event, too, of type trace_error: rules see it without any pattern. It is
 * known by its ids, so that one that is sent again is no other.
 *
 * A record that cannot be read is refused alone: 200 with partialSuccess, which exporters report
 * and do not send again. What an exporter sends again is what is answered 503.
 */
#include "base/json.h"
#include "http/dialect.h"
#include "http/handlers.h"
#include "http/intake.h"
#include "http/shipper.h"
#include "http/state.h"

#define TYPE_PROTO "application/x-protobuf"

#define SPANS_LIMIT 10000 /* that failed, of one body */

struct otlp {
	struct line_report report;
	bool traces;
	struct request *request;
	struct source_batch batch; /* spans that failed */
	size_t cap;
};

static bool is_proto(struct request *r)
{
	return line_type_is(request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE), TYPE_PROTO);
}

static const char *type_of(struct request *r)
{
	return is_proto(r) ? TYPE_PROTO : REQUEST_TYPE_JSON;
}

/* ---- protobuf out ---- */

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_putc(b, (char)(v | 0x80));
	buf_putc(b, (char)v);
}

static void put_number(struct buf *b, unsigned field, uint64_t v)
{
	put_varint(b, field << 3);
	put_varint(b, v);
}

static void put_bytes(struct buf *b, unsigned field, struct str s)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, s.n);
	buf_str(b, s);
}

/* ---- refusals: google.rpc.Status ---- */

static unsigned rpc_code(unsigned status)
{
	switch (status) {
	case MHD_HTTP_UNAUTHORIZED:
		return 16;
	case MHD_HTTP_FORBIDDEN:
		return 7;
	case MHD_HTTP_NOT_FOUND:
		return 5;
	case MHD_HTTP_CONTENT_TOO_LARGE:
		return 8;
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		return 14;
	default:
		return 3;
	}
}

static void refuse(struct request *r, unsigned status, const struct err *e)
{
	struct json_w w;

	if (is_proto(r)) {
		put_number(&r->out, 1, rpc_code(status));
		put_bytes(&r->out, 2, str_of(e->text));
	} else {
		json_w_init(&w, &r->out);
		json_w_object(&w);
		json_w_ki64(&w, "code", rpc_code(status));
		json_w_kstr(&w, "message", str_of(e->text));
		json_w_end(&w, '}');
	}
	request_answer(r, status, type_of(r));
}

const struct dialect dialect_otlp = {"logs", refuse, NULL, NULL};

/* ---- success, perhaps of a part ---- */

static void put_partial(struct request *r, const struct otlp *o)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	put_number(&b, 1, o->report.refused);
	put_bytes(&b, 2, str_of(o->report.first.text));
	if (buf_failed(&b))
		r->out.failed = true;
	else
		put_bytes(&r->out, 1, buf_as_str(&b));
	buf_release(&b);
}

static void write_partial(struct request *r, const struct otlp *o)
{
	struct json_w w;

	json_w_init(&w, &r->out);
	json_w_object(&w);
	json_w_key(&w, STR("partialSuccess"));
	json_w_object(&w);
	json_w_key(&w, o->traces ? STR("rejectedSpans") : STR("rejectedLogRecords"));
	json_w_str(&w, arena_printf(&r->arena, "%llu", (unsigned long long)o->report.refused));
	json_w_kstr(&w, "errorMessage", str_of(o->report.first.text));
	json_w_end(&w, '}');
	json_w_end(&w, '}');
}

static void answer_now(struct request *r)
{
	const struct otlp *o = r->shipper;

	if (o->report.refused > 0 && is_proto(r))
		put_partial(r, o);
	else if (o->report.refused > 0)
		write_partial(r, o);
	else if (!is_proto(r))
		buf_puts(&r->out, "{}");
	request_answer(r, MHD_HTTP_OK, type_of(r));
}

/* ---- spans as events ---- */

static struct event *new_event(struct request *r, struct otlp *o, struct err *e)
{
	size_t cap = o->cap ? o->cap * 2 : 16;

	if (o->batch.n == SPANS_LIMIT) {
		err_set(e, ERR_LIMIT,
			"more than %d spans that failed in one body; send fewer at once",
			SPANS_LIMIT);
		return NULL;
	}
	if (o->batch.n == o->cap) {
		struct event *v = arena_grow(
			&r->arena, o->batch.events, o->cap * sizeof(*v), cap * sizeof(*v));

		if (!v) {
			err_set(e, ERR_LIMIT,
				"the spans that failed do not fit the memory of a request; send "
				"fewer at once");
			return NULL;
		}
		o->batch.events = v;
		o->cap = cap;
	}
	return &o->batch.events[o->batch.n++];
}

static struct str keep(struct arena *a, struct str s)
{
	struct str clean = line_text(a, s);

	return clean.p == s.p ? arena_strdup(a, s) : clean;
}

static int on_span(void *ctx, const struct line *l, struct err *e)
{
	struct otlp *o = ctx;
	struct arena *a = &o->request->arena;
	struct event *ev = new_event(o->request, o, e);
	struct kv *labels = arena_array(a, l->labels_n + 1, sizeof(*labels));
	struct str trace = line_label(l, STR("trace_id")), span = line_label(l, STR("span_id"));

	if (!ev)
		return -1;
	for (size_t i = 0; labels && i < l->labels_n; i++)
		labels[i] = (struct kv){keep(a, l->labels[i].name), keep(a, l->labels[i].value)};
	*ev = (struct event){
		.type = STR(LINE_TYPE_TRACE_ERROR),
		.status = EVENT_INFO,
		.severity = SEVERITY_ERROR,
		.time_ns = l->time_ns,
		.summary = keep(a, l->message),
		.labels = labels,
		.labels_n = l->labels_n,
	};
	if (trace.n > 0 && span.n > 0)
		ev->delivery = arena_printf(a, "%.*s/%.*s", STR_ARG(trace), STR_ARG(span));
	if (arena_failed(a))
		return err_set(e, ERR_LIMIT,
			"the spans that failed do not fit the memory of a request; send fewer at "
			"once");
	event_sort_labels(ev->labels, &ev->labels_n, true);
	return 0;
}

static void on_stored(void *ctx, const struct err *e, struct str answer)
{
	struct request *r = ctx;
	struct intake *in = r->data;

	(void)answer;
	turns_done(r->server->turns, &in->turn);
	if (e)
		intake_refuse(r, e);
	else
		answer_now(r);
}

static void on_turn(struct turn *turn, bool refused)
{
	struct request *r = turn->ctx;
	struct otlp *o = r->shipper;
	struct err e = {0};

	if (refused) {
		intake_refuse_busy(r);
	} else if (ingest_batch(r->server->app.ic, &r->arena, &o->batch, on_stored, r, &e) != 0) {
		turns_done(r->server->turns, turn);
		intake_refuse(r, &e);
	}
}

/* What patterns want is durable. */
static void answer(struct request *r, const struct lines *l)
{
	struct otlp *o = r->shipper;
	struct intake *in = r->data;
	struct err e = {0};

	(void)l;
	if (o->batch.n == 0) {
		answer_now(r);
		return;
	}
	for (size_t i = 0; i < o->batch.n; i++)
		o->batch.events[i].source = in->source;
	if (sources_dress(in->bound, &r->arena, &o->batch, &e) != 0) {
		intake_refuse(r, &e);
		return;
	}
	in->turn = (struct turn){.go = on_turn, .ctx = r, .events = o->batch.n};
	if (!turns_ask(r->server->turns, in->place, &in->turn))
		intake_refuse_busy(r);
}

static void begin(
	struct request *r, bool traces, const struct line_kind *json, const struct line_kind *proto)
{
	struct otlp *o = arena_zalloc(&r->arena, sizeof(*o));
	struct logs_options options = {.kind = is_proto(r) ? proto : json, .answer = answer};

	if (!o) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
		return;
	}
	if (!is_proto(r) && !line_type_is(request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE),
				    "application/json")) {
		request_problemf(
			r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "send application/json or " TYPE_PROTO);
		return;
	}
	o->traces = traces;
	o->request = r;
	o->batch.own_deliveries = true;
	o->report.span = on_span;
	o->report.ctx = o;
	r->shipper = o;
	options.line.report = &o->report;
	shipper_begin(r, &options, NULL, 0);
}

static void begin_logs(struct request *r)
{
	begin(r, false, &line_kind_otlp_logs_json, &line_kind_otlp_logs_proto);
}

static void begin_traces(struct request *r)
{
	begin(r, true, &line_kind_otlp_traces_json, &line_kind_otlp_traces_proto);
}

const struct route_handler handler_otlp_logs = {
	begin_logs, logs_feed, logs_finish, logs_drop, 0, shipper_any_length};
const struct route_handler handler_otlp_traces = {
	begin_traces, logs_feed, logs_finish, logs_drop, 0, shipper_any_length};
