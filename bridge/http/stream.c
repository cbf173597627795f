/* stream.c: GET /api/v1/events/stream, the events as they come (server-sent events).
 *
 * What a client hears and from where on is flow/feed.h's: one reader of the bus for all streams.
 * Here events become text, and the text goes out as fast as its reader takes it: past
 * STREAM_WAITING bytes that wait, no more is taken from the feed until all of it was sent. One who
 * takes nothing at all is cut off by libmicrohttpd after http.request_timeout.
 *
 * Each event has its id, and every STREAM_HEARTBEAT_MS without one the client hears the id of the
 * record up to which it has heard all, so that it can go on from there (Last-Event-ID), also where
 * its filter wants few events. After a reload the client is asked for its token again.
 *
 * The connection is suspended while there is nothing to send. The timer, once a second, ends what
 * the client or the bridge has ended; it outlives the request by one turn of the loop.
 */
#include <stdlib.h>
#include "auth/auth.h"
#include "base/json.h"
#include "base/log.h"
#include "flow/feed.h"
#include "http/handlers.h"
#include "http/state.h"

#define STREAM_WAITING ((size_t)256 << 10) /* bytes that wait for a reader, and one event more */
#define STREAM_HEARTBEAT_MS 10000
#define STREAM_LOOK_MS 1000
#define STREAM_RETRY_MS 1000 /* after which a browser comes again */
#define TYPE_EVENTS "text/event-stream"

struct stream {
	struct request *r;
	struct feed_listener *listener;
	uv_timer_t timer;
	int64_t spoke_ms; /* loop time */
};

static size_t waiting(const struct stream *s)
{
	return s->r->out.n - s->r->out_sent;
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void drop(struct request *r)
{
	struct stream *s = r->data;

	if (!s)
		return;
	if (r->more && !r->stream_end && waiting(s) > 0)
		log_kv(LOG_INFO, "a stream of events ended before its reader took what was sent",
			"bytes", log_i64((long long)waiting(s)), "who", r->who.n ? r->who.p : NULL,
			(char *)NULL);
	feed_leave(s->listener);
	uv_close((uv_handle_t *)&s->timer, on_closed);
}

static void end_stream(struct stream *s, bool broken)
{
	s->r->stream_end = true;
	s->r->stream_broken = broken;
	request_wake(s->r);
}

static void spoke(struct stream *s)
{
	s->spoke_ms = (int64_t)uv_now(s->r->server->loop);
	if (buf_failed(&s->r->out))
		end_stream(s, true);
	else
		request_wake(s->r);
}

/* ---- what it says ---- */

static void put_id(struct buf *out, struct str id)
{
	if (id.n == 0)
		return;
	buf_puts(out, "id: ");
	buf_str(out, id);
	buf_putc(out, '\n');
}

/* An event is one line: no line feed can stand in it but as white space between two members. */
static void put_data(struct buf *out, struct str json)
{
	size_t from;

	buf_puts(out, "data: ");
	from = out->n;
	buf_str(out, json);
	for (size_t i = from; i < out->n; i++)
		if (out->p[i] == '\n' || out->p[i] == '\r')
			out->p[i] = ' ';
	buf_puts(out, "\n\n");
}

static bool on_event(void *ctx, struct str id, struct str json)
{
	struct stream *s = ctx;

	if (!s->r->more) /* it was refused, and that answer goes out as it is */
		return false;
	put_id(&s->r->out, id);
	put_data(&s->r->out, json);
	spoke(s);
	return waiting(s) < STREAM_WAITING;
}

static void put_gone(struct stream *s, struct str after)
{
	struct buf *out = &s->r->out;
	struct json_w w;

	buf_puts(out, "event: gone\ndata: ");
	json_w_init(&w, out);
	json_w_object(&w);
	json_w_kstr(&w, "after", after);
	json_w_end(&w, '}');
	buf_puts(out, "\n\n");
}

static void heartbeat(struct stream *s)
{
	buf_puts(&s->r->out, ":\n");
	put_id(&s->r->out, feed_place(s->listener));
	buf_putc(&s->r->out, '\n');
	spoke(s);
}

/* ---- its life ---- */

/* Its reader has all that there was. */
static void more(struct request *r)
{
	struct stream *s = r->data;

	feed_more(s->listener);
}

static struct str asked_after(struct request *r)
{
	struct str header = request_header(r, "Last-Event-ID");

	return header.n ? header : request_param(r, "last_event_id");
}

static void on_ready(void *ctx, const struct err *e, bool gone)
{
	struct stream *s = ctx;
	struct request *r = s->r;

	if (e) {
		request_fail(r, e);
		return;
	}
	buf_printf(&r->out, "retry: %d\n", STREAM_RETRY_MS);
	put_id(&r->out, feed_place(s->listener));
	buf_putc(&r->out, '\n');
	if (gone)
		put_gone(s, asked_after(r));
	s->spoke_ms = (int64_t)uv_now(r->server->loop);
	request_answer_stream(r, TYPE_EVENTS, more);
}

/* What is shown once would else hold for ever. */
static bool may_go_on(struct request *r)
{
	struct auth *now = r->server->app.ic->auth;

	if (r->auth == now)
		return true;
	auth_unref(r->auth);
	r->auth = auth_ref(now);
	return request_may(r);
}

static void on_timer(uv_timer_t *timer)
{
	struct stream *s = timer->data;
	struct request *r = s->r;

	if (!r->more || r->stream_end)
		return;
	feed_kick(r->server->feed);
	if (r->server->stopping) {
		buf_puts(&r->out, ": this bridge is stopping\n\n");
		end_stream(s, false);
	} else if (request_client_gone(r)) {
		end_stream(s, true);
	} else if (!may_go_on(r)) { /* its answer is under way: it cannot be another one */
		buf_clear(&r->out);
		r->out_sent = 0;
		end_stream(s, true);
	} else if (waiting(s) == 0 &&
		   (int64_t)uv_now(r->server->loop) - s->spoke_ms >= STREAM_HEARTBEAT_MS) {
		heartbeat(s);
	}
}

static int listen_to(struct stream *s, struct err *e)
{
	struct server *server = s->r->server;
	struct feed_options o = {
		.filter = request_param(s->r, "filter"),
		.after = asked_after(s->r),
		.on_ready = on_ready,
		.on_event = on_event,
		.ctx = s,
	};

	if (list_time(s->r, "since", &o.since_ms, e) != 0)
		return -1;
	if (!server->feed)
		server->feed = feed_new(server->app.ic->store);
	if (!server->feed)
		return err_set(e, ERR_NOMEM, "no memory for the stream");
	s->listener = feed_join(server->feed, &o, e);
	return s->listener ? 0 : -1;
}

static void finish(struct request *r)
{
	static const char *const known[] = {"filter", "last_event_id", "since", NULL};
	struct stream *s;
	struct err e = {0};

	if (request_params_known(r, known, &e) != 0) {
		request_fail(r, &e);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
		return;
	}
	s->r = r;
	if (listen_to(s, &e) != 0) {
		free(s);
		request_fail(r, &e);
		return;
	}
	r->data = s;
	r->auth = auth_ref(r->server->app.ic->auth);
	uv_timer_init(r->server->loop, &s->timer);
	s->timer.data = s;
	uv_timer_start(&s->timer, on_timer, STREAM_LOOK_MS, STREAM_LOOK_MS);
}

const struct route_handler handler_stream = {.finish = finish, .drop = drop};
