/* emit.c: POST /api/v1/events: an event of one's own, put on the bus as if a source had sent it.
 *
 * The body is a CloudEvent in JSON, or an array of them, of which only the type must be there; its
 * event.source is "emit". It goes the way of every event: contracts, rules, one store call, and the
 * answer is that of /ingest. Turns at Redis are taken as by a source of that name, so that a script that
 * emits in a loop leaves the senders their share.
 */
#include "base/clock.h"
#include "http/handlers.h"
#include "http/state.h"
#include "source/cloudevents.h"

#define EMIT_SOURCE "emit"

struct emit {
	struct json_reader *reader; /* NULL: ended */
	struct source_batch batch;
	struct turn turn;
};

static void begin(struct request *r)
{
	static const struct json_limits limits = {SOURCE_DEPTH_LIMIT, SOURCE_NODES_LIMIT};
	struct emit *m = arena_zalloc(&r->arena, sizeof(*m));

	if (m)
		m->reader = json_reader_new(&r->arena, &limits);
	r->data = m;
	if (!m || !m->reader)
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
}

static int feed(struct request *r, struct str piece, struct err *e)
{
	struct emit *m = r->data;

	return json_reader_feed(m->reader, piece.p, piece.n, e);
}

static void drop(struct request *r)
{
	struct emit *m = r->data;

	if (m && m->reader)
		json_reader_free(m->reader);
}

static void on_stored(void *ctx, const struct err *e, struct str answer)
{
	struct request *r = ctx;
	struct emit *m = r->data;

	turns_done(r->server->turns, &m->turn);
	if (e) {
		request_fault(r, e);
		return;
	}
	buf_str(&r->out, answer);
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

static void refuse_busy(struct request *r)
{
	request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE,
		"%d emitted events wait for redis already; send this one again", TURNS_WAITING);
}

static void on_turn(struct turn *turn, bool refused)
{
	struct request *r = turn->ctx;
	struct emit *m = r->data;
	struct err e = {0};

	if (refused) {
		refuse_busy(r);
	} else if (ingest_batch(r->server->app.ic, &r->arena, &m->batch, on_stored, r, &e) != 0) {
		turns_done(r->server->turns, turn);
		request_fault(r, &e);
	}
}

static int check(const struct ingest_ctx *ic, const struct source_batch *batch, struct err *e)
{
	struct err why = {0};

	for (size_t i = 0; i < batch->n; i++) {
		if (sources_check(ic->sources, &batch->events[i], &why) == 0)
			continue;
		if (batch->n > 1)
			err_set(e, why.code, "events[%zu]: %s", i, why.text);
		else
			*e = why;
		e->offset = why.offset;
		return -1;
	}
	return 0;
}

static int read_body(struct request *r, struct err *e)
{
	const struct ingest_ctx *ic = r->server->app.ic;
	struct source_request rq = {.source = STR(EMIT_SOURCE), .now_ms = clock_wall_ms()};
	struct emit *m = r->data;
	const struct json *body = json_reader_finish(m->reader, e);

	json_reader_free(m->reader);
	m->reader = NULL;
	if (!body || cloudevents_emitted(&r->arena, &rq, body, &m->batch, e) != 0)
		return -1;
	return check(ic, &m->batch, e);
}

static void finish(struct request *r)
{
	static const char *const no_params[] = {NULL};
	struct turn_source *place = turns_source(r->server->turns, STR(EMIT_SOURCE));
	struct emit *m = r->data;
	struct err e = {0};

	if (read_body(r, &e) != 0) {
		request_fault(r, &e);
	} else if (request_params_known(r, no_params, &e) != 0) {
		request_fail(r, &e);
	} else if (!place) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
	} else {
		m->turn = (struct turn){.go = on_turn, .ctx = r, .events = m->batch.n};
		if (!turns_ask(r->server->turns, place, &m->turn))
			refuse_busy(r);
	}
}

const struct route_handler handler_emit = {begin, feed, finish, drop, 0};
