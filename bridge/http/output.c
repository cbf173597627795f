/* output.c: what a run printed: all of it, or as it comes.
 *
 * Output is read from the store in pieces of PIECE lines and sent as it was read, so neither a long
 * output nor a slow client costs memory. With follow=1 the answer ends when the run does; while
 * nothing comes the connection is suspended and the store is asked every FOLLOW_MS. A client that
 * hung up is noticed there.
 *
 * While a call to the store is under way the connection is suspended, so neither it nor this can go
 * away. The timer outlives the request by one turn of the loop (libuv closes it then).
 */
#include <stdlib.h>
#include "base/id.h"
#include "base/json.h"
#include "http/handlers.h"
#include "http/state.h"

#define PIECE 500
#define FOLLOW_MS 250
#define AWAY_MS 30000 /* how long a follower waits for Redis to come back */
#define LINE_ARENA ((size_t)64 << 20)
#define TYPE_LINES "application/x-ndjson"

struct output {
	struct request *r;
	uv_timer_t timer;
	struct arena line;
	int64_t from;
	int64_t away_since; /* loop time; 0: Redis answers */
	bool follow, json;
	bool quiet;    /* the last look gave nothing */
	bool complete; /* all of it was read */
};

static void on_closed(uv_handle_t *h)
{
	struct output *o = h->data;

	arena_release(&o->line);
	free(o);
}

static void drop(struct request *r)
{
	struct output *o = r->data;

	if (o)
		uv_close((uv_handle_t *)&o->timer, on_closed);
}

static void end_stream(struct output *o, bool broken)
{
	o->r->stream_end = true;
	o->r->stream_broken = broken;
	request_wake(o->r);
}

static void add_line(struct output *o, struct str row)
{
	struct err e;
	const struct json *j;

	if (o->json) {
		buf_str(&o->r->out, row);
	} else {
		arena_reset(&o->line);
		j = json_parse(&o->line, row, &e);
		buf_str(&o->r->out, json_str(json_get(j, "text")));
	}
	buf_putc(&o->r->out, '\n');
}

static void look(struct output *o);

static void on_timer(uv_timer_t *timer)
{
	struct output *o = timer->data;

	if (o->r->server->stopping || request_client_gone(o->r))
		end_stream(o, true);
	else
		look(o);
}

static void look_later(struct output *o)
{
	uv_timer_start(&o->timer, on_timer, FOLLOW_MS, 0);
}

/* The client has all that was there. */
static void more(struct request *r)
{
	struct output *o = r->data;

	if (o->complete)
		r->stream_end = true;
	else if (o->quiet)
		look_later(o);
	else
		look(o);
}

static void failed(struct output *o, const struct err *e)
{
	int64_t now = (int64_t)uv_now(o->r->server->loop);

	if (!o->r->answered) {
		request_fail(o->r, e);
		return;
	}
	if (!o->away_since)
		o->away_since = now;
	if (o->follow && e->code == ERR_AWAY && now - o->away_since < AWAY_MS &&
		!o->r->server->stopping)
		look_later(o);
	else
		end_stream(o, true);
}

static void on_rows(void *ctx, const struct err *e, const struct store_rows *rows)
{
	struct output *o = ctx;
	struct request *r = o->r;

	if (e) {
		failed(o, e);
		return;
	}
	o->away_since = 0;
	for (size_t i = 0; i < rows->n; i++)
		add_line(o, rows->v[i]);
	o->from += (int64_t)rows->n;
	o->quiet = rows->n == 0;
	o->complete = rows->n < PIECE && (!o->follow || !rows->more);
	if (!r->answered && o->complete)
		request_answer(r, MHD_HTTP_OK, o->json ? TYPE_LINES : REQUEST_TYPE_TEXT);
	else if (!r->answered)
		request_answer_stream(r, o->json ? TYPE_LINES : REQUEST_TYPE_TEXT, more);
	else if (buf_failed(&r->out))
		end_stream(o, true);
	else if (rows->n)
		request_wake(r);
	else if (o->complete)
		end_stream(o, false);
	else
		look_later(o);
}

static void look(struct output *o)
{
	struct err e = {0};

	if (store_run_output(o->r->server->app.ic->store, o->r->args.id, o->from, PIECE, on_rows, o,
		    &e) != 0)
		failed(o, &e);
}

static int read_flag(struct request *r, bool *v, struct err *e)
{
	struct str s = request_param(r, "follow");

	*v = str_is(s, "1") || str_is(s, "true");
	if (s.n == 0 || *v || str_is(s, "0") || str_is(s, "false"))
		return 0;
	return err_set(
		e, ERR_INPUT, "'follow' is '%.*s'; want 1 or 0", (int)(s.n < 80 ? s.n : 80), s.p);
}

static void finish(struct request *r)
{
	static const char *const known[] = {"follow", "format", NULL};
	struct str format = request_param(r, "format");
	struct output *o;
	struct err e = {0};
	bool follow;

	if (request_params_known(r, known, &e) != 0 || read_flag(r, &follow, &e) != 0) {
		request_fail(r, &e);
	} else if (format.n && !str_is(format, "json") && !str_is(format, "text")) {
		request_problemf(r, MHD_HTTP_BAD_REQUEST, "'format' is '%.*s'; want text or json",
			(int)(format.n < 80 ? format.n : 80), format.p);
	} else if (!id_valid(r->args.id)) {
		request_problemf(r, MHD_HTTP_NOT_FOUND, "there is no run '%.*s'",
			(int)(r->args.id.n < 80 ? r->args.id.n : 80), r->args.id.p);
	} else if (!(o = calloc(1, sizeof(*o)))) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
	} else {
		r->data = o;
		o->r = r;
		o->follow = follow;
		o->json = str_is(format, "json");
		arena_init(&o->line, LINE_ARENA);
		uv_timer_init(r->server->loop, &o->timer);
		o->timer.data = o;
		look(o);
	}
}

const struct route_handler handler_output = {.finish = finish, .drop = drop};
