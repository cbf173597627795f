/* splunk.c: Splunk's HTTP Event Collector: events, raw lines, health, and acknowledgements.
 *
 * 200 says that the lines are durable, and so does an acknowledgement: there is none before. So an
 * id that was given out is acknowledged whenever it is asked for, by whichever bridge, and nothing
 * has to be kept for it.
 */
#include "base/json.h"
#include "http/dialect.h"
#include "http/handlers.h"
#include "http/json_request.h"
#include "http/shipper.h"
#include "http/state.h"
#include "store/store.h"

#define ACK_BODY_LIMIT ((size_t)1 << 20)
#define ACK_IDS_LIMIT 10000

enum code {
	CODE_SUCCESS = 0,
	CODE_DISABLED = 1,
	CODE_NO_TOKEN = 2,
	CODE_BAD_AUTH = 3,
	CODE_BAD_TOKEN = 4,
	CODE_NO_DATA = 5,
	CODE_INVALID = 6,
	CODE_BUSY = 9,
	CODE_NO_CHANNEL = 10,
	CODE_NO_EVENT = 12,
	CODE_BLANK_EVENT = 13,
	CODE_HEALTHY = 17,
};

static const char *text_of(enum code code)
{
	switch (code) {
	case CODE_SUCCESS:
		return "Success";
	case CODE_DISABLED:
		return "Token disabled";
	case CODE_NO_TOKEN:
		return "Token is required";
	case CODE_BAD_AUTH:
		return "Invalid authorization";
	case CODE_BAD_TOKEN:
		return "Invalid token";
	case CODE_NO_DATA:
		return "No data";
	case CODE_INVALID:
		return "Invalid data format";
	case CODE_BUSY:
		return "Server is busy";
	case CODE_NO_CHANNEL:
		return "Data channel is missing";
	case CODE_NO_EVENT:
		return "Event field is required";
	case CODE_BLANK_EVENT:
		return "Event field cannot be blank";
	case CODE_HEALTHY:
		return "HEC is healthy";
	}
	return "";
}

static void begin_answer(struct request *r, struct json_w *w, enum code code)
{
	json_w_init(w, &r->out);
	json_w_object(w);
	json_w_kstr(w, "text", str_of(text_of(code)));
	json_w_ki64(w, "code", code);
}

static void answer_code(struct request *r, unsigned status, enum code code)
{
	struct json_w w;

	begin_answer(r, &w, code);
	json_w_end(&w, '}');
	request_answer(r, status, REQUEST_TYPE_JSON);
}

/* ---- refusals ---- */

/* A token that is not known is 403 here; 401 says that there is none, or none that can be read. */
static enum code code_of(struct request *r, unsigned *status)
{
	const struct line_report *report = r->shipper;
	struct str shown = request_header(r, MHD_HTTP_HEADER_AUTHORIZATION);

	switch (*status) {
	case MHD_HTTP_UNAUTHORIZED:
		if (shown.n == 0)
			return CODE_NO_TOKEN;
		if (!str_starts(shown, STR("Splunk ")))
			return CODE_BAD_AUTH;
		*status = MHD_HTTP_FORBIDDEN;
		return CODE_BAD_TOKEN;
	case MHD_HTTP_FORBIDDEN:
		return CODE_DISABLED;
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		return CODE_BUSY;
	default:
		return report && report->hec ? (enum code)report->hec : CODE_INVALID;
	}
}

static void refuse(struct request *r, unsigned status, const struct err *e)
{
	const struct line_report *report = r->shipper;
	enum code code = code_of(r, &status);
	struct json_w w;

	begin_answer(r, &w, code);
	if (report && report->hec && code != CODE_NO_DATA)
		json_w_ki64(&w, "invalid-event-number", (int64_t)report->items);
	json_w_kstr(&w, "detail", str_of(e->text));
	json_w_end(&w, '}');
	request_answer(r, status, REQUEST_TYPE_JSON);
}

const struct dialect dialect_splunk = {"logs", refuse, NULL, NULL};

/* ---- lines ---- */

static struct str channel(struct request *r)
{
	struct str c = request_header(r, "X-Splunk-Request-Channel");

	return c.n > 0 ? c : request_param(r, "channel");
}

static void answer(struct request *r, const struct lines *l)
{
	static int64_t acks; /* ids that were given out */
	struct json_w w;

	(void)l;
	begin_answer(r, &w, CODE_SUCCESS);
	if (channel(r).n > 0)
		json_w_ki64(&w, "ackId", acks++);
	json_w_end(&w, '}');
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

static void begin_lines(struct request *r, const struct line_kind *kind)
{
	struct line_report *report = arena_zalloc(&r->arena, sizeof(*report));
	const struct line_label labels[] = {
		{STR("host"), request_param(r, "host")},
		{STR("source"), request_param(r, "source")},
		{STR("sourcetype"), request_param(r, "sourcetype")},
		{STR("index"), request_param(r, "index")},
	};
	struct logs_options o = {.kind = kind, .answer = answer};

	if (!report) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
		return;
	}
	r->shipper = report;
	o.line.report = report;
	shipper_begin(r, &o, labels, sizeof(labels) / sizeof(labels[0]));
}

static void begin_event(struct request *r)
{
	begin_lines(r, &line_kind_splunk);
}

static void begin_raw(struct request *r)
{
	begin_lines(r, &line_kind_text);
}

const struct route_handler handler_splunk_event = {
	begin_event, logs_feed, logs_finish, logs_drop, 0, shipper_any_length};
const struct route_handler handler_splunk_raw = {
	begin_raw, logs_feed, logs_finish, logs_drop, 0, shipper_any_length};

/* ---- health and acknowledgements ---- */

static void health(struct request *r)
{
	if (store_up(r->server->app.ic->store))
		answer_code(r, MHD_HTTP_OK, CODE_HEALTHY);
	else
		answer_code(r, MHD_HTTP_SERVICE_UNAVAILABLE, CODE_BUSY);
}

static void begin_ack(struct request *r)
{
	if (channel(r).n == 0) {
		answer_code(r, MHD_HTTP_BAD_REQUEST, CODE_NO_CHANNEL);
		return;
	}
	json_request_begin(r);
}

static void finish_ack(struct request *r)
{
	struct err e = {0};
	const struct json *body = json_request_finish(r, &e), *acks = json_get(body, "acks");
	struct json_w w;

	if (!acks || acks->kind != JSON_ARRAY || acks->count > ACK_IDS_LIMIT) {
		answer_code(r, MHD_HTTP_BAD_REQUEST, CODE_INVALID);
		return;
	}
	json_w_init(&w, &r->out);
	json_w_object(&w);
	json_w_key(&w, STR("acks"));
	json_w_object(&w);
	for (const struct json *c = acks->child; c; c = c->next) {
		if (c->kind != JSON_NUMBER)
			continue;
		json_w_key(&w, c->text);
		json_w_bool(&w, true);
	}
	json_w_end(&w, '}');
	json_w_end(&w, '}');
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

const struct route_handler handler_splunk_health = {.finish = health};
const struct route_handler handler_splunk_ack = {
	begin_ack, json_request_feed, finish_ack, json_request_drop, ACK_BODY_LIMIT, NULL};
