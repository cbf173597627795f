/* request.c: the dispatcher and the answers.
 *
 * Owns struct request. Before a handler is called it has decided: the route, who asks (gate.c), how
 * large the body may be, whether its encoding is known. What is refused is answered as a problem
 * (RFC 9457), or in an Alertmanager's form at its paths; the body that still comes is swallowed, so that the connection can go on, but where the client asked first (Expect) or
 * announced a large one: then the answer goes out at once and the connection closes.
 *
 * In turns: a body past its first SERVER_TURN_BYTES is read on while this turn of the loop has read no more than so
 * many of all bodies; then its connection is suspended, and what was put off goes on in the next turns, one after the
 * other. So neither a body that inflates to a thousand times its size nor a hundred large ones hold up small ones.
 *
 * Bounded: each request's arena, and all of them together (server->held); the second gives 503, the
 * first 413. Memory of a body that is refused is given up at once, whatever still comes of it.
 *
 * Requests are kept for the next ones, with one block of their arena and their answer's buffer. One
 * thread.
 */
#include "http/request.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "auth/auth.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "http/dialect.h"
#include "http/state.h"
#include "http/tls.h"

#define OUT_KEEP ((size_t)64 << 10) /* bytes of an answer's buffer kept for the next */
#define STREAM_BLOCK 16384
#define SWALLOW_LEAST ((uint64_t)8 << 20) /* bytes of a refused body that are read in any case */
#define EARLY_LENGTH ((uint64_t)1 << 20)  /* a refused body longer than this is not waited for */

/* ---- life ---- */

static size_t memory_limit(const struct server *s)
{
	size_t body = (size_t)s->app.ic->conf->http.body_limit;

	return SERVER_MEMORY_BASE + body * SERVER_MEMORY_FACTOR;
}

struct request *request_new(struct server *s, struct conn *c, struct MHD_Connection *mhd)
{
	struct request *r = s->pool;

	if (r) {
		s->pool = r->next;
		s->pool_n--;
	} else {
		r = calloc(1, sizeof(*r));
		if (!r)
			return NULL;
		buf_init(&r->out, BUF_NO_LIMIT);
		arena_init(&r->arena, 0);
	}
	r->server = s;
	r->conn = c;
	r->mhd = mhd;
	r->fd = -1;
	r->arena.limit = memory_limit(s);
	r->begun_ms = (int64_t)uv_now(s->loop);
	c->request = r;
	s->requests++;
	return r;
}

static void clear(struct request *r)
{
	struct arena arena = r->arena;
	struct buf out = r->out;

	*r = (struct request){0};
	r->arena = arena;
	r->out = out;
	buf_clear(&r->out);
	arena_reset(&r->arena);
}

static void waste_since(struct request *r, const struct arena_mark *m)
{
	arena_waste(&r->arena, m, &r->server->waste);
	server_run_soon(r->conn->listener);
}

void request_end(struct request *r)
{
	struct server *s = r->server;

	assert(!r->put_off_ms);
	if (r->route && r->route->handler->drop)
		r->route->handler->drop(r);
	if (r->inflating)
		inflate_release(&r->inflate);
	signature_free(r->signature);
	auth_unref(r->auth);
	if (r->fd >= 0)
		close(r->fd);
	if (r->more)
		s->streams--;
	s->held -= r->held;
	if (r->arena.used > SERVER_TURN_FREES)
		waste_since(r, &(struct arena_mark){0});
	s->requests--;
	r->conn->request = NULL;
	r->conn->since_ms = (int64_t)uv_now(s->loop);
	if (s->pool_n >= SERVER_POOL_LIMIT || r->out.cap > OUT_KEEP) {
		arena_release(&r->arena);
		buf_release(&r->out);
		free(r);
		return;
	}
	clear(r);
	r->next = s->pool;
	s->pool = r;
	s->pool_n++;
}

void request_free_pool(struct server *s)
{
	while (s->pool) {
		struct request *r = s->pool;

		s->pool = r->next;
		arena_release(&r->arena);
		buf_release(&r->out);
		free(r);
	}
	s->pool_n = 0;
}

/* ---- what it asks ---- */

static struct str lookup(struct request *r, enum MHD_ValueKind kind, const char *name)
{
	const char *value = NULL;
	size_t n = 0;

	if (MHD_lookup_connection_value_n(r->mhd, kind, name, strlen(name), &value, &n) !=
			MHD_YES ||
		!value)
		return STR_NONE;
	return (struct str){value, n};
}

/* White space behind a value is none of it (RFC 9110, 5.5); libmicrohttpd drops only what is before it. */
static struct str header_value(struct str s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

struct str request_header(struct request *r, const char *name)
{
	return header_value(lookup(r, MHD_HEADER_KIND, name));
}

struct header_walk {
	void (*take)(void *arg, struct str name, struct str value);
	void *arg;
};

static enum MHD_Result walk_header(
	void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct header_walk *w = ctx;

	(void)kind;
	w->take(w->arg, str_of(key), header_value(value ? str_of(value) : STR("")));
	return MHD_YES;
}

void request_headers(
	struct request *r, void (*take)(void *arg, struct str name, struct str value), void *arg)
{
	struct header_walk w = {take, arg};

	MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, walk_header, &w);
}

struct str request_param(struct request *r, const char *name)
{
	return lookup(r, MHD_GET_ARGUMENT_KIND, name);
}

struct params_join {
	const char *name, *between;
	struct buf *out;
};

static enum MHD_Result join_param(
	void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct params_join *j = ctx;

	(void)kind;
	if (strcmp(key, j->name) != 0 || !value)
		return MHD_YES;
	buf_puts(j->out, j->out->n ? j->between : "");
	buf_puts(j->out, value);
	return MHD_YES;
}

void request_params_join(
	struct request *r, const char *name, struct buf *out, const char *between)
{
	struct params_join j = {name, between, out};

	MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, join_param, &j);
}

struct params_list {
	const char *name;
	struct str *v;
	size_t n, max;
};

static enum MHD_Result list_param(
	void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct params_list *l = ctx;

	(void)kind;
	if (strcmp(key, l->name) != 0)
		return MHD_YES;
	if (l->n < l->max)
		l->v[l->n] = str_of(value);
	l->n++;
	return MHD_YES;
}

size_t request_params_list(struct request *r, const char *name, struct str *v, size_t max)
{
	struct params_list l = {name, v, 0, max};

	MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, list_param, &l);
	return l.n;
}

size_t request_client_cert_names(struct request *r, struct str **names)
{
	return tls_client_names(r->mhd, &r->arena, names);
}

struct params_check {
	const char *const *names;
	struct err *e;
};

static enum MHD_Result check_param(
	void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct params_check *c = ctx;
	struct buf known;

	(void)kind;
	(void)value;
	for (const char *const *name = c->names; *name; name++) {
		if (strcmp(*name, key) == 0)
			return MHD_YES;
	}
	buf_init(&known, 256);
	for (const char *const *name = c->names; *name; name++) {
		buf_puts(&known, known.n ? ", " : "");
		buf_puts(&known, *name);
	}
	err_set(c->e, ERR_INPUT, "unknown parameter '%.80s'; known here: %s", key,
		known.n ? known.p : "none");
	buf_release(&known);
	return MHD_NO;
}

int request_params_known(struct request *r, const char *const *names, struct err *e)
{
	struct params_check c = {names, e};

	*e = (struct err){0};
	MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, check_param, &c);
	return e->code == ERR_NONE ? 0 : -1;
}

/* ---- answers ---- */

/* One that waits for its turn has its place in the queue, and goes on from there. */
static void resume(struct request *r)
{
	if (!r->suspended || r->put_off_ms)
		return;
	r->suspended = false;
	MHD_resume_connection(r->mhd);
	server_run_soon(r->conn->listener);
}

static void answered(struct request *r, unsigned status, const char *type)
{
	r->answered = true;
	r->status = status;
	r->type = type;
	resume(r);
}

void request_answer(struct request *r, unsigned status, const char *type)
{
	if (buf_failed(&r->out)) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the answer");
		return;
	}
	answered(r, status, type);
}

unsigned request_status_of(const struct err *e)
{
	switch (e->code) {
	case ERR_INPUT:
		return MHD_HTTP_BAD_REQUEST;
	case ERR_LIMIT:
		return MHD_HTTP_CONTENT_TOO_LARGE;
	case ERR_NOT_FOUND:
		return MHD_HTTP_NOT_FOUND;
	case ERR_CONFLICT:
		return MHD_HTTP_CONFLICT;
	case ERR_NOMEM:
	case ERR_AWAY:
	case ERR_FULL:
	case ERR_VERSION:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

/* What an Alertmanager says of itself; the text of a fault in what was asked for is a JSON string there (the handlers' own). */
static void alertmanager_problem(struct request *r, unsigned status, const struct err *e)
{
	struct json_w w;

	json_w_init(&w, &r->out);
	json_w_object(&w);
	json_w_ki64(&w, "code", (int64_t)status);
	json_w_kstr(&w, "message", str_of(e->text));
	json_w_end(&w, '}');
	buf_putc(&r->out, '\n');
	answered(r, status, REQUEST_TYPE_JSON);
}

static void problem(struct request *r, unsigned status, const struct err *e, bool with_offset)
{
	struct json_w w;

	if (status >= 500)
		log_kv(LOG_DEBUG, "request failed", "status", log_i64(status), "error", e->text,
			(char *)NULL);
	buf_clear(&r->out);
	if (r->as_alertmanager) {
		alertmanager_problem(r, status, e);
		return;
	}
	if (r->dialect && r->dialect->refuse) {
		r->dialect->refuse(r, status, e);
		return;
	}
	json_w_init(&w, &r->out);
	json_w_object(&w);
	json_w_kstr(&w, "type", STR("about:blank"));
	json_w_kstr(&w, "title", str_of(MHD_get_reason_phrase_for(status)));
	json_w_ki64(&w, "status", (int64_t)status);
	json_w_kstr(&w, "detail", str_of(e->text));
	if (with_offset)
		json_w_ki64(&w, "offset", (int64_t)e->offset);
	json_w_end(&w, '}');
	buf_putc(&r->out, '\n');
	answered(r, status, REQUEST_TYPE_PROBLEM);
}

void request_problem(struct request *r, unsigned status, const struct err *e)
{
	problem(r, status, e, e->offset > 0);
}

void request_fail(struct request *r, const struct err *e)
{
	request_problem(r, request_status_of(e), e);
}

/* A limit that was passed at a place is the sender's mistake there, as nesting; without one it is
 * just too much. */
unsigned request_fault_status(const struct err *e)
{
	return e->code == ERR_LIMIT && e->offset > 0 ? MHD_HTTP_BAD_REQUEST : request_status_of(e);
}

void request_fault(struct request *r, const struct err *e)
{
	problem(r, request_fault_status(e), e, e->offset > 0 || e->code == ERR_INPUT);
}

void request_answer_json(void *ctx, const struct err *e, struct str json)
{
	struct request *r = ctx;

	if (e) {
		request_fail(r, e);
		return;
	}
	buf_str(&r->out, json);
	buf_putc(&r->out, '\n');
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

void request_problemf(struct request *r, unsigned status, const char *fmt, ...)
{
	struct err e = {0};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	request_problem(r, status, &e);
}

void request_stopping(struct request *r)
{
	request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "this bridge is stopping; send this again");
}

void request_answer_file(struct request *r, int fd, uint64_t size)
{
	r->fd = fd;
	r->fd_size = size;
	answered(r, MHD_HTTP_OK, "application/octet-stream");
}

void request_answer_stream(struct request *r, const char *type, void (*more)(struct request *r))
{
	if (r->server->streams >= SERVER_STREAMS_LIMIT) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE,
			"%d outputs and streams of events are followed already; end one of them", SERVER_STREAMS_LIMIT);
		return;
	}
	r->server->streams++;
	r->more = more;
	answered(r, MHD_HTTP_OK, type);
}

void request_wake(struct request *r)
{
	resume(r);
}

void request_endless(struct request *r)
{
	r->endless = true;
	server_keep_not(r->conn);
	r->auth = auth_ref(r->server->app.ic->auth);
	MHD_set_connection_option(r->mhd, MHD_CONNECTION_OPTION_TIMEOUT, REQUEST_SILENCE);
}

bool request_client_gone(const struct request *r)
{
	char byte;
	ssize_t n = recv(r->conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static ssize_t read_stream(void *ctx, uint64_t pos, char *to, size_t max)
{
	struct request *r = ctx;
	size_t n;

	(void)pos;
	if (r->out_sent == r->out.n && !r->stream_end) {
		buf_clear(&r->out);
		r->out_sent = 0;
		r->more(r);
	}
	n = r->out.n - r->out_sent;
	if (n == 0 && r->stream_end)
		return r->stream_broken ? MHD_CONTENT_READER_END_WITH_ERROR
					: MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		r->suspended = true;
		MHD_suspend_connection(r->mhd);
		return 0;
	}
	if (n > max)
		n = max;
	memcpy(to, r->out.p + r->out_sent, n);
	r->out_sent += n;
	return (ssize_t)n;
}

static struct MHD_Response *make_response(struct request *r)
{
	int fd = r->fd;

	if (r->more)
		return MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, r, NULL);
	if (fd < 0)
		return MHD_create_response_from_buffer(r->out.n,
			r->out.p ? r->out.p : (char *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
	r->fd = -1;
	return MHD_create_response_from_fd64(r->fd_size, fd);
}

static void add_retry_after(const struct request *r, struct MHD_Response *m)
{
	char text[24] = SERVER_RETRY_AFTER;

	if (r->retry_after > 0)
		snprintf(text, sizeof(text), "%lld", (long long)r->retry_after);
	MHD_add_response_header(m, MHD_HTTP_HEADER_RETRY_AFTER, text);
}

struct MHD_Response *request_response(struct request *r)
{
	struct MHD_Response *m = make_response(r);

	if (!m)
		return NULL;
	MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
	if (!r->route || r->route->permission != ROUTE_INGEST) {
		MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
		MHD_add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	}
	if (r->status == MHD_HTTP_SERVICE_UNAVAILABLE)
		add_retry_after(r, m);
	if (r->dialect && r->dialect->header)
		MHD_add_response_header(m, r->dialect->header, r->dialect->value);
	if (r->challenge)
		MHD_add_response_header(m, MHD_HTTP_HEADER_WWW_AUTHENTICATE, r->challenge);
	if (r->allow.n)
		MHD_add_response_header(m, MHD_HTTP_HEADER_ALLOW, r->allow.p);
	if (r->allowed_origin.n) {
		MHD_add_response_header(m, "WebHook-Allowed-Origin", r->allowed_origin.p);
		MHD_add_response_header(m, "WebHook-Allowed-Rate", r->allowed_rate.p);
	}
	if (r->location.n)
		MHD_add_response_header(m, MHD_HTTP_HEADER_LOCATION, r->location.p);
	if (r->server->stopping)
		MHD_add_response_header(m, MHD_HTTP_HEADER_CONNECTION, "close");
	return m;
}

bool request_answers_early(const struct request *r)
{
	uint64_t length = 0;
	const char *text = MHD_lookup_connection_value(
		r->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	if (!r->answered || !r->has_body)
		return false;
	if (text)
		length = strtoull(text, NULL, 10);
	return length > EARLY_LENGTH ||
	       MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT);
}

/* ---- before the handler ---- */

static bool find_route(struct request *r, const char *method, const char *path)
{
	struct str kept = arena_strdup(&r->arena, str_of(path));
	struct buf allow;

	if (!kept.p) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
		return false;
	}
	switch (route_find(server_routes, method, kept.p, &r->route, &r->args)) {
	case ROUTE_OK:
		return true;
	case ROUTE_NO_PATH:
		request_problemf(r, MHD_HTTP_NOT_FOUND, "there is no '%.200s' here", path);
		return false;
	case ROUTE_NO_METHOD:
		break;
	}
	buf_init(&allow, 256);
	route_allow(server_routes, kept.p, &allow);
	r->allow = arena_strdup(&r->arena, buf_as_str(&allow));
	buf_release(&allow);
	request_problemf(r, MHD_HTTP_METHOD_NOT_ALLOWED, "this path takes no %.20s; it takes %.*s",
		method, STR_ARG(r->allow));
	return false;
}

static bool check_encoding(struct request *r)
{
	struct str s = request_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING);
	enum inflate_kind kind;

	if (s.n == 0 || !r->route->handler->feed ||
		(s.n == 8 && strncasecmp(s.p, "identity", 8) == 0))
		return true;
	if (inflate_kind_of(s, &kind)) {
		inflate_init(&r->inflate, kind, r->limit);
		r->inflating = true;
		return true;
	}
	request_problemf(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
		"content-encoding '%.*s' is not known; known are: " INFLATE_KINDS,
		(int)(s.n < 80 ? s.n : 80), s.p);
	return false;
}

static void too_large(struct request *r, const char *what)
{
	char text[UNITS_TEXT_MAX];

	units_format_size((int64_t)r->limit, text);
	request_problemf(r, MHD_HTTP_CONTENT_TOO_LARGE, "%s is over %s; %s", what, text,
		r->route->handler->body_limit ? "send less" : "http.body_limit sets that");
}

static bool check_length(struct request *r)
{
	struct str s = request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);

	const struct route_handler *h = r->route->handler;
	r->limit = h->body_limit ? h->body_limit : (size_t)r->server->app.ic->conf->http.body_limit;
	if (h->any_length && h->any_length(r))
		r->limit = REQUEST_ANY_LENGTH;
	r->has_body = s.p ? !str_is(s, "0")
			  : request_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING).p != NULL;
	/* libmicrohttpd has checked that it is a number. */
	if (s.p && strtoull(s.p, NULL, 10) > r->limit && r->route->handler->feed) {
		too_large(r, "the body");
		return false;
	}
	return true;
}

static void begin(struct request *r, const char *method, const char *path)
{
	r->has_body = request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH).p ||
		      request_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING).p;
	r->as_alertmanager = route_is_alertmanager(path);
	r->dialect = dialect_of(path);
	if (!find_route(r, method, path))
		return;
	if (r->server->drained) {
		request_stopping(r);
		return;
	}
	request_find_client(r);
	if (!request_may(r) || !check_length(r) || !check_encoding(r))
		return;
	if (r->route->handler->begin)
		r->route->handler->begin(r);
}

void request_begin(struct request *r, const char *method, const char *path)
{
	begin(r, method, path);
	r->before_body = arena_mark(&r->arena);
}

/* ---- turns between bodies ---- */

static bool turn_is_over(const struct request *r)
{
	const struct server *s = r->server;

	return s->turn_bytes >= SERVER_TURN_BYTES && r->body_bytes >= SERVER_TURN_BYTES;
}

static enum request_fed put_off(struct request *r)
{
	struct server *s = r->server;

	r->put_off_ms = (int64_t)uv_now(s->loop);
	server_keep_not(r->conn);
	r->next = NULL;
	if (s->put_off)
		s->put_off_last->next = r;
	else
		s->put_off = r;
	s->put_off_last = r;
	r->suspended = true;
	server_run_soon(r->conn->listener);
	return REQUEST_LATER;
}

/* Its sender is not blamed for the time that it was made to wait. */
void request_go_on(struct request *r)
{
	r->begun_ms += (int64_t)uv_now(r->server->loop) - r->put_off_ms;
	r->put_off_ms = 0;
	r->next = NULL;
	if (!r->endless)
		server_keep(r->conn, KEPT_SENDING);
	resume(r);
}

/* ---- the body ---- */

/* What this request holds is counted with what all of them do. */
static void update_held(struct request *r)
{
	size_t now = r->arena.used + r->aside + (r->inflating ? inflate_held(&r->inflate) : 0);

	r->server->held += now - r->held;
	r->held = now;
}

static int check_held(struct request *r)
{
	const struct server *s = r->server;

	update_held(r);
	if (s->held + s->waste.used <= memory_limit(s))
		return 0;
	request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE,
		"too many large requests at once; send this one again");
	return -1;
}

static int take_piece(void *ctx, const char *p, size_t n, struct err *e)
{
	struct request *r = ctx;

	r->body_bytes += n;
	r->server->turn_bytes += n;
	if (r->body_bytes > r->limit) {
		too_large(r, "the body");
		return -1;
	}
	if (r->route->handler->feed(r, (struct str){p, n}, e) != 0 || check_held(r) != 0)
		return -1;
	return turn_is_over(r) ? INFLATE_PAUSE : 0;
}

static void end_inflating(struct request *r)
{
	if (r->inflating)
		inflate_release(&r->inflate);
	r->inflating = false;
}

/* What the handler made of the body is not needed any more. */
static void give_up_body(struct request *r)
{
	end_inflating(r);
	waste_since(r, &r->before_body);
	update_held(r);
}

/* A body that could have been taken is always read to its end, so that its sender hears what was
 * wrong. */
static uint64_t swallow_limit(const struct server *s)
{
	uint64_t body = (uint64_t)s->app.ic->conf->http.body_limit;

	return body > SWALLOW_LEAST ? body : SWALLOW_LEAST;
}

/* As an inflate_sink, but INFLATE_PAUSE: *n were taken, which is fewer. */
static int take_bytes(struct request *r, const char *p, size_t *n, struct err *e)
{
	int said;

	if (!r->inflating)
		return take_piece(r, p, *n, e) < 0 ? -1 : 0;
	said = inflate_feed(&r->inflate, p, n, take_piece, r, e);
	return said >= 0 && check_held(r) != 0 ? -1 : said;
}

/* A signature is of the bytes as they came. */
static void count_received(struct request *r, const char *p, size_t n)
{
	r->received += n;
	if (r->signature)
		signature_feed(r->signature, (struct str){p, n});
}

/* What is shown once would else hold for ever: after a reload who sends without end is asked again. */
static bool may_go_on(struct request *r)
{
	struct auth *now = r->server->app.ic->auth;

	if (!r->endless || r->auth == now)
		return true;
	auth_unref(r->auth);
	r->auth = auth_ref(now);
	return request_may(r);
}

enum request_fed request_feed(struct request *r, const char *p, size_t *n)
{
	struct err e = {0};
	size_t took = *n;
	int said;

	if (r->answered || !r->route || !r->route->handler->feed) {
		*n = 0;
		count_received(r, p, took);
		r->swallowed += took;
		if (r->endless)
			return REQUEST_CUT;
		return r->swallowed <= swallow_limit(r->server) ? REQUEST_TAKEN : REQUEST_CUT;
	}
	if (!may_go_on(r)) {
		give_up_body(r);
		return REQUEST_CUT;
	}
	if (turn_is_over(r))
		return put_off(r);
	said = take_bytes(r, p, &took, &e);
	count_received(r, p, took);
	*n -= took;
	if (said == INFLATE_PAUSE)
		return put_off(r);
	if (said < 0 && !r->answered)
		request_fault(r, &e);
	if (r->answered)
		give_up_body(r);
	/* The end of an endless body, where its answer would be read, does not come. */
	return r->answered && r->endless ? REQUEST_CUT : REQUEST_TAKEN;
}

static void ask(struct request *r)
{
	r->state = REQUEST_ASKED;
	server_keep_not(r->conn);
}

enum request_fed request_finish(struct request *r)
{
	struct err e = {0};
	int said = 0;

	if (!r->whole && !request_signature_holds(r)) {
		ask(r);
		give_up_body(r);
		return REQUEST_TAKEN;
	}
	r->whole = true;
	if (!r->answered && r->inflating)
		said = inflate_finish(&r->inflate, take_piece, r, &e);
	if (said == INFLATE_PAUSE)
		return put_off(r);
	ask(r);
	if (said < 0 && !r->answered)
		request_fault(r, &e);
	end_inflating(r);
	if (!r->answered)
		r->route->handler->finish(r);
	return REQUEST_TAKEN;
}
