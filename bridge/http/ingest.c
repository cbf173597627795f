/* ingest.c: POST or PUT /ingest/NAME, the same in the form of an Alertmanager, and POST /api/v1/events.
 *
 * The body is parsed as it comes; when its last byte is there the batch goes to flow/ingest.h, and
 * the answer is sent when Redis has confirmed the last event of it. So 200 means durable; 503 means
 * "send it again". What is refused, and how, is in intake.c; bodies of lines are logs.c's.
 *
 * A body is taken whole or not at all. At /api/v2/alerts it is taken item by item, as by an
 * Alertmanager: what can be read is stored, and the answer is the refusal of the first that cannot.
 * The answers there are an Alertmanager's: 200 without a body, and where something was wrong a JSON
 * string. The path says that the sender is one of Prometheus's, so the source must be of that kind.
 *
 * What is emitted over the API goes the same way, as from a source that has no address of its own.
 */
#include <string.h>
#include "auth/sns.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/handlers.h"
#include "http/intake.h"
#include "http/shipper.h"
#include "http/state.h"
#include "source/source.h"

struct ingest {
	struct intake intake; /* first: intake.h */
	struct source_parse *parse; /* NULL: ended */
	struct source_batch batch;
};

static struct str header_of(void *ctx, const char *name)
{
	return request_header(ctx, name);
}

static void headers_of(
	void *ctx, void (*take)(void *arg, struct str name, struct str value), void *arg)
{
	request_headers(ctx, take, arg);
}

struct source_request ingest_request(struct request *r)
{
	return (struct source_request){.now_ms = clock_wall_ms(),
		.header = header_of,
		.headers = headers_of,
		.ctx = r};
}

static void begin_bound(struct request *r, const struct bound_source *bound)
{
	struct err e = {0};
	struct ingest *in = arena_zalloc(&r->arena, sizeof(*in));

	if (!in) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
		return;
	}
	if (!intake_open(r, &in->intake, bound))
		return;
	in->parse = sources_begin(bound, &r->arena, ingest_request(r));
	if (!in->parse) {
		err_set(&e, ERR_NOMEM, "no memory for the request");
		intake_refuse(r, &e);
	}
}

static void begin(struct request *r)
{
	struct str name = ingest_source(r);
	const struct bound_source *bound = sources_find(r->server->app.ic->sources, name);
	int n = (int)(name.n < 100 ? name.n : 100);

	if (!bound)
		request_problemf(r, MHD_HTTP_NOT_FOUND, "there is no source '%.*s'; add it under 'sources'", n, name.p);
	else if (r->as_alertmanager && strcmp(bound->kind->name, "prometheus") != 0)
		request_problemf(r, MHD_HTTP_NOT_FOUND,
			"the source '%.*s' is of kind %s; only one of kind prometheus is an Alertmanager", n, name.p,
			bound->kind->name);
	else if (bound->kind->lines)
		shipper_begin_at(r, bound, &(struct logs_options){0}, NULL, 0);
	else
		begin_bound(r, bound);
}

static void begin_emitted(struct request *r)
{
	static const char *const no_params[] = {NULL};
	struct err e = {0};

	if (request_params_known(r, no_params, &e) != 0)
		request_fail(r, &e);
	else
		begin_bound(r, sources_emitted(r->server->app.ic->sources));
}

/* Of lines of logs the requests are logs.c's. */
static bool has_lines(const struct request *r)
{
	const struct intake *i = r->data;

	return i->bound->kind->lines;
}

/* Lines are looked at as they come: a body of any length is fine. */
static bool any_length(struct request *r)
{
	const struct bound_source *bound = sources_find(r->server->app.ic->sources, ingest_source(r));

	return bound && bound->kind->lines;
}

static int feed(struct request *r, struct str piece, struct err *e)
{
	struct ingest *in = r->data;

	if (has_lines(r))
		return logs_feed(r, piece, e);

	if (source_feed(in->parse, piece.p, piece.n, e) == 0)
		return 0;
	intake_refuse(r, e);
	return -1;
}

static void on_stored(void *ctx, const struct err *e, struct str answer)
{
	struct request *r = ctx;
	struct ingest *in = r->data;

	turns_done(r->server->turns, &in->intake.turn);
	if (!e && in->batch.refused.code)
		e = &in->batch.refused;
	if (e) {
		intake_refuse(r, e);
		return;
	}
	metric_observe(METRIC_INGEST_SECONDS, (double)(clock_mono_us() - in->intake.whole_us) / 1e6, NULL);
	if (!r->as_alertmanager)
		buf_str(&r->out, answer);
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

static void on_turn(struct turn *turn, bool refused)
{
	struct request *r = turn->ctx;
	struct ingest *in = r->data;
	struct err e = {0};

	if (refused) {
		intake_refuse_busy(r);
	} else if (ingest_batch(r->server->app.ic, &r->arena, &in->batch, on_stored, r, &e) != 0) {
		turns_done(r->server->turns, turn);
		intake_refuse(r, &e);
	}
}

/* Where the time is signed, the name that the signature gives the message is the one that counts: what a kind takes from
 * other headers, whoever caught the message may have changed. */
static void name_delivery(struct request *r, struct source_batch *batch)
{
	struct str id = r->signature ? signature_delivery(r->signature) : STR_NONE;

	if (id.n == 0)
		return;
	batch->own_deliveries = false;
	for (size_t i = 0; i < batch->n; i++)
		batch->events[i].delivery = id;
}

/* Of a batch whose sender may send. */
static void dress(struct request *r)
{
	struct ingest *in = r->data;
	struct err e = {0};

	name_delivery(r, &in->batch);
	if (sources_dress(in->intake.bound, &r->arena, &in->batch, &e) != 0) {
		intake_refuse(r, &e);
		return;
	}
	in->intake.turn = (struct turn){.go = on_turn, .ctx = r, .events = in->batch.n};
	if (!turns_ask(r->server->turns, in->intake.place, &in->intake.turn))
		intake_refuse_busy(r);
}

/* ---- Amazon SNS ---- */

static void on_audited(void *ctx, const struct err *e)
{
	(void)ctx;
	if (e)
		log_kv(LOG_WARN, "cannot write to the audit", "error", e->text, (char *)NULL);
}

static void tell_confirmed(struct request *r, const struct ingest *in)
{
	struct str topic = json_str(json_get(in->batch.body, "TopicArn"));
	struct json_w w;
	struct buf out;
	struct err e = {0};

	log_kv(LOG_INFO, "confirmed a subscription", "source", in->intake.source.p, "topic",
		arena_strdup(&r->arena, topic).p, (char *)NULL);
	if (r->server->drained) /* the store is gone */
		return;
	buf_init(&out, BUF_NO_LIMIT);
	json_w_init(&w, &out);
	json_w_object(&w);
	json_w_kstr(&w, "what", STR("confirm_subscription"));
	json_w_kstr(&w, "who", STR("runbook-bridge"));
	json_w_kstr(&w, "source", in->intake.source);
	json_w_kstr(&w, "topic_arn", topic);
	json_w_end(&w, '}');
	if (store_audit(r->server->app.ic->store, buf_as_str(&out), on_audited, NULL, &e) != 0)
		on_audited(NULL, &e);
	buf_release(&out);
}

static void on_sns(void *ctx, enum sns_verdict v, const struct err *e)
{
	struct request *r = ctx;
	struct ingest *in = r->data;

	if (v == SNS_REFUSED) {
		in->intake.reason = "auth";
		ingest_complain(r, e);
		request_problem(r, MHD_HTTP_FORBIDDEN, e);
		return;
	}
	if (v == SNS_UNKNOWN) {
		ingest_complain(r, e);
		intake_refuse_for_now(r, "auth_unknown", SNS_GATE_FAILED_MS / 1000, e);
		return;
	}
	if (v == SNS_CONFIRMED)
		tell_confirmed(r, in);
	if (r->server->drained)
		request_stopping(r);
	else
		dress(r);
}

static const struct conf_list *sns_topics(const struct ingest *in)
{
	const struct conf_source *c = in->intake.bound->conf;

	return c && c->auth.sns_topics.n ? &c->auth.sns_topics : NULL;
}

static void check_sns(struct request *r, const struct conf_list *topics)
{
	const struct server_app *app = &r->server->app;
	struct ingest *in = r->data;
	struct err e = {0};
	struct sns_gate *gate = app->sns(app->ctx, &e);

	if (gate)
		sns_gate_check(gate, in->batch.body, topics, clock_wall_ms(), on_sns, r);
	else
		on_sns(r, SNS_UNKNOWN, &e);
}

/* Without a signature that is checked, whoever likes could have us follow it: that is the
 * operator's to do. */
static void tell_subscription(struct request *r, const struct ingest *in)
{
	struct server *s = r->server;
	int64_t now = (int64_t)uv_now(s->loop);
	struct str url = json_str(json_get(in->batch.body, "SubscribeURL"));
	struct err e = {0};

	if (in->batch.n != 1 ||
		!str_is(in->batch.events[0].type, "sns_subscription_confirmation") ||
		(s->subscription_ms && now - s->subscription_ms < INTAKE_COMPLAIN_MS))
		return;
	s->subscription_ms = now;
	if (sns_url_check(url, SNS_URL_SUBSCRIBE, &e) != 0)
		log_kv(LOG_WARN, "a subscription that must not be confirmed", "source",
			in->intake.source.p, "error", e.text, (char *)NULL);
	else
		log_kv(LOG_WARN,
			"a subscription waits: open its URL, or set auth of the source, which "
			"confirms those of your topics",
			"source", in->intake.source.p, "url", arena_strdup(&r->arena, url).p,
			(char *)NULL);
}

static void finish(struct request *r)
{
	struct ingest *in = r->data;
	struct source_parse *parse;
	struct err e = {0};

	if (has_lines(r)) {
		logs_finish(r);
		return;
	}
	parse = in->parse;
	in->intake.whole_us = clock_mono_us();
	if (r->signature && !intake_rate(r, &in->intake))
		return;
	in->parse = NULL;
	if (source_finish(parse, &in->batch, &e) != 0) {
		intake_refuse(r, &e);
		return;
	}
	if (in->batch.refused.code && !r->as_alertmanager) {
		intake_refuse(r, &in->batch.refused);
		return;
	}
	if (sns_topics(in)) {
		check_sns(r, sns_topics(in));
		return;
	}
	tell_subscription(r, in);
	dress(r);
}

static void drop(struct request *r)
{
	struct ingest *in = r->data;

	if (in && has_lines(r)) {
		logs_drop(r);
		return;
	}
	if (in && in->parse)
		source_abort(in->parse);
	intake_close(r, in ? &in->intake : NULL);
}

const struct route_handler handler_ingest = {begin, feed, finish, drop, 0, any_length};
const struct route_handler handler_emit = {begin_emitted, feed, finish, drop, 0, NULL};
