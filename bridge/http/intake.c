/* intake.c: a request that brings something from a source, from its headers to its refusal.
 *
 * 503 means "send it again", and is given at once where Redis is known to be away. Each refusal is
 * counted with its reason, and the operator hears of bodies that cannot be read: one line in ten
 * seconds at most.
 *
 * Does not read bodies, and does not say what a good request is answered.
 */
#include "http/intake.h"

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/units.h"
#include "http/dialect.h"
#include "http/handlers.h"
#include "http/state.h"

#define BUSY_RETRY_AFTER 1 /* seconds */

void ingest_complain(struct request *r, const struct err *e)
{
	struct server *s = r->server;
	struct str source =
		r->route->handler == &handler_emit ? STR(SOURCES_EMITTED) : ingest_source(r);
	int64_t now = (int64_t)uv_now(s->loop);
	char client[CIDR_TEXT_MAX];

	if (s->complained_ms && now - s->complained_ms < INTAKE_COMPLAIN_MS) {
		s->complaints++;
		return;
	}
	source = arena_strdup(&r->arena, source);
	log_kv(LOG_WARN, "refused a request", "source", source.p, "error", e->text, "offset",
		r->data ? log_i64((long long)e->offset) : NULL, "client",
		request_client_text(r, client), "more_since_last",
		s->complaints ? log_i64(s->complaints) : NULL, (char *)NULL);
	s->complained_ms = now;
	s->complaints = 0;
}

static void alertmanager_fault(struct request *r, const struct err *e)
{
	buf_clear(&r->out);
	json_quote(&r->out, str_of(e->text));
	buf_putc(&r->out, '\n');
	request_answer(r, request_fault_status(e), REQUEST_TYPE_JSON);
}

void intake_refuse(struct request *r, const struct err *e)
{
	struct intake *in = r->data;

	in->reason = err_name(e->code == ERR_LIMIT && e->offset > 0 ? ERR_INPUT : e->code);
	if (e->code == ERR_INPUT || e->code == ERR_LIMIT || e->code == ERR_IO) {
		if (r->signature && !r->whole)
			in->unsaid = *e;
		else
			ingest_complain(r, e);
	}
	if (in->fault)
		in->fault(r, request_fault_status(e), e);
	else if (r->as_alertmanager)
		alertmanager_fault(r, e);
	else
		request_fault(r, e);
}

/* 503: what is wrong is not this request, but when it comes. Alertmanager does not send again after
 * 429. */
void intake_refuse_for_now(
	struct request *r, const char *reason, int64_t retry_after, const struct err *e)
{
	struct intake *in = r->data;

	in->reason = reason;
	r->retry_after = retry_after;
	if (in->fault)
		in->fault(r, MHD_HTTP_SERVICE_UNAVAILABLE, e);
	else
		request_problem(r, MHD_HTTP_SERVICE_UNAVAILABLE, e);
}

void intake_refuse_busy(struct request *r)
{
	struct intake *in = r->data;
	struct err e = {0};

	err_set(&e, ERR_FULL,
		"%d requests of the source '%.*s' wait for redis already; send this one again",
		TURNS_WAITING, STR_ARG(in->source));
	intake_refuse_for_now(r, "busy", BUSY_RETRY_AFTER, &e);
}

bool intake_rate(struct request *r, struct intake *in)
{
	const struct conf_rate none = {0}, *rate = in->bound->conf ? &in->bound->conf->rate : &none;
	int64_t wait_ms = 0;
	struct err e = {0};
	char per[UNITS_TEXT_MAX];

	if (turns_rate(in->place, rate, (int64_t)uv_now(r->server->loop), &wait_ms))
		return true;
	units_format_duration(rate->per_ms, per);
	err_set(&e, ERR_LIMIT,
		"the source '%.*s' sends more than %lld requests in %s; sources.%.*s.rate sets "
		"that",
		STR_ARG(in->source), (long long)rate->count, per, STR_ARG(in->source));
	intake_refuse_for_now(r, "rate", (wait_ms + 999) / 1000, &e);
	return false;
}

/* An Alertmanager's own path belongs to the source prometheus, a shipper's to logs. */
struct str ingest_source(const struct request *r)
{
	if (r->route->handler == &handler_emit)
		return STR(SOURCES_EMITTED);
	if (r->args.name.n > 0)
		return r->args.name;
	if (r->dialect)
		return str_of(r->dialect->source);
	return r->as_alertmanager ? STR("prometheus") : STR_NONE;
}

bool intake_open(struct request *r, struct intake *in, const struct bound_source *bound)
{
	const struct ingest_ctx *ic = r->server->app.ic;
	struct err e = {0};

	in->source = arena_strdup(&r->arena, bound->name);
	in->place = turns_source(r->server->turns, bound->name);
	if (!in->source.p || !in->place) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
		return false;
	}
	in->sources = sources_ref(ic->sources);
	in->bound = bound;
	r->data = in;
	/* What anybody may forge does not count for those who sign. */
	if (!r->signature && !intake_rate(r, in))
		return false;
	if (store_up(ic->store))
		return true;
	err_set(&e, ERR_AWAY, "%s", store_why(ic->store));
	intake_refuse(r, &e);
	return false;
}

/* Refusals by the dispatcher. */
static const char *reason_of(unsigned status)
{
	switch (status) {
	case MHD_HTTP_UNAUTHORIZED:
		return "unauthorized";
	case MHD_HTTP_FORBIDDEN:
		return "forbidden";
	case MHD_HTTP_NOT_FOUND:
		return "not_found";
	case MHD_HTTP_CONTENT_TOO_LARGE:
		return err_name(ERR_LIMIT);
	case MHD_HTTP_UNSUPPORTED_MEDIA_TYPE:
		return "encoding";
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		return err_name(ERR_NOMEM);
	default:
		return err_name(ERR_INPUT);
	}
}

static void count_refusal(struct request *r, const struct intake *in)
{
	struct str name = ingest_source(r);
	bool known = r->route->handler == &handler_emit ||
		     sources_find(r->server->app.ic->sources, name);
	const char *reason = in && !r->unproven ? in->reason : NULL;
	struct str labels[] = {known ? name : STR("unknown"), STR_NONE};

	if (!reason)
		reason = r->answered ? reason_of(r->status) : "broken_off";
	labels[1] = str_of(reason);
	metric_add(METRIC_INGEST_REJECTED, 1, labels);
}

void intake_close(struct request *r, struct intake *in)
{
	if (in && in->unsaid.code && r->whole)
		ingest_complain(r, &in->unsaid);
	if (!r->answered || r->status >= 400)
		count_refusal(r, in);
	if (in)
		sources_unref(in->sources);
}
