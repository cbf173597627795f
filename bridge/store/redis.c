/* redis.c: one connection to Redis, from name to bytes, and again after it broke.
 *
 * A struct redis_link is one attempt: its socket, its resolver request, its reader. It is made by try_connect and
 * given up by lose(), which may be called at any moment; the link frees itself once uv has closed its handle and
 * no request of it is under way. So a struct redis never touches a handle of an attempt that is over.
 *
 * Guarantees: each command that redis_end took gets its callback exactly once, in order; none is called from
 * inside redis_end. A program that is slow, or was stopped, does not blame Redis: deadlines count the time in which we
 * listened. The watch is set again and again for a part of slow_after_ms, and a turn of the loop that takes longer
 * than that part counts no more than it; and before the verdict the socket is read once more.
 */
#include "store/redis_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/metrics.h"

#define IN_SIZE 65536
#define WATCH_STEPS 16 /* parts of slow_after_ms */
#define WATCH_LAST_MS 10 /* for the look before the verdict */

struct redis_link {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} u;
	struct redis *r;		/* NULL: given up */
	struct redis *counted;		/* whose `handles` this one is in */
	redisReader *reader;
	uv_getaddrinfo_t resolve;
	uv_connect_t connect;
	uv_write_t write;
	struct buf writing;		/* what uv_write has */
	bool resolving, write_busy, opened, closing, closed;
	char in[IN_SIZE];
};

static void try_connect(struct redis *r);

/* ---- telling ---- */

static void tell(struct redis *r)
{
	bool up = r->phase == REDIS_UP;

	if (up == r->told_up && (up || strcmp(r->told.text, r->why.text) == 0))
		return;
	r->told_up = up;
	r->told = r->why;
	if (r->on_state)
		r->on_state(r->ctx, up, up ? NULL : &r->why);
}

/* ---- the end of a link ---- */

static void handle_closed(struct redis *r)
{
	if (--r->handles > 0 || r->phase != REDIS_CLOSED)
		return;
	void (*closed)(void *) = r->closed;
	void *ctx = r->closed_ctx;
	buf_release(&r->out);
	free(r->pending);
	redis_url_release(&r->url);
	free(r);
	if (closed)
		closed(ctx);
}

static void link_free(struct redis_link *l)
{
	struct redis *r = l->counted;

	if (l->resolving || !l->closed)
		return;
	if (l->reader)
		redisReaderFree(l->reader);
	buf_release(&l->writing);
	free(l);
	handle_closed(r);
}

static void on_link_closed(uv_handle_t *h)
{
	struct redis_link *l = h->data;

	l->closed = true;
	link_free(l);
}

static void link_give_up(struct redis_link *l)
{
	l->r = NULL;
	if (l->resolving)
		uv_cancel((uv_req_t *)&l->resolve);
	if (!l->opened)
		l->closed = true;
	else if (!l->closing)
		uv_close(&l->u.handle, on_link_closed);
	l->closing = true;
	link_free(l);
}

/* Ends all that is in flight. Callbacks may begin new commands: those fail at once, for the phase is DOWN. */
static void fail_pending(struct redis *r, const struct err *why)
{
	while (r->pending_n > 0) {
		struct redis_pending p = redis_pending_pop(r);
		p.cb(p.ctx, why, NULL);
	}
}

static void on_retry(uv_timer_t *t)
{
	struct redis *r = t->data;

	if (r->phase == REDIS_DOWN)
		try_connect(r);
}

static void lose(struct redis *r, const struct err *why)
{
	if (r->phase != REDIS_CONNECTING && r->phase != REDIS_GREETING && r->phase != REDIS_UP)
		return;
	bool refused = why->code == ERR_VERSION;
	r->phase = refused ? REDIS_REFUSED : REDIS_DOWN;
	r->why = *why;
	struct err gone = *why;
	if (r->link)
		link_give_up(r->link);
	r->link = NULL;
	r->suspect = false;
	r->args_left = 0;
	buf_clear(&r->out);
	uv_timer_stop(&r->watch);
	if (!refused)
		uv_timer_start(&r->retry, on_retry, (uint64_t)r->backoff_ms, 0);
	r->backoff_ms = r->backoff_ms * 2 < REDIS_BACKOFF_MAX_MS ? r->backoff_ms * 2 : REDIS_BACKOFF_MAX_MS;
	fail_pending(r, &gone);
	if (r->phase != REDIS_CLOSED)
		tell(r);
}

static void lose_uv(struct redis *r, const char *what, int rc)
{
	struct err e;

	err_set(&e, ERR_AWAY, "%s '%s': %s", what, r->url.shown.p, uv_strerror(rc));
	lose(r, &e);
}

/* ---- the watch ---- */

static void on_watch(uv_timer_t *t);

static void set_watch(struct redis *r, int64_t ms)
{
	r->set_at_ms = (int64_t)uv_now(r->loop);
	r->set_for_ms = ms;
	uv_timer_start(&r->watch, on_watch, (uint64_t)ms, 0);
}

int64_t redis_listened_ms(const struct redis *r)
{
	int64_t passed = (int64_t)uv_now(r->loop) - r->set_at_ms;

	if (!uv_is_active((const uv_handle_t *)&r->watch))
		return r->listened_ms;
	return r->listened_ms + (passed < r->set_for_ms ? passed : r->set_for_ms);
}

/* In one go until Redis may become slow, then in small steps, of which each is a turn of the loop at least. */
static void watch_on(struct redis *r, int64_t left_ms)
{
	int64_t step = r->slow_after_ms / WATCH_STEPS > 0 ? r->slow_after_ms / WATCH_STEPS : 1;

	if (left_ms > r->slow_after_ms)
		set_watch(r, left_ms - r->slow_after_ms);
	else
		set_watch(r, left_ms < step ? left_ms : step);
}

/* How long was set counts as listened, not how long it was until now. */
static void on_watch(uv_timer_t *t)
{
	struct redis *r = t->data;
	const struct redis_pending *head = redis_pending_head(r);
	int64_t left;
	struct err e;

	r->listened_ms += r->set_for_ms;
	if (r->phase == REDIS_UP && !head) {
		r->suspect = false;
		return;
	}
	left = (r->phase == REDIS_UP ? head->deadline_ms : r->opening_deadline_ms) - r->listened_ms;
	if (left > 0) {
		r->suspect = false;
		watch_on(r, left);
		return;
	}
	if (!r->suspect) {
		r->suspect = true;
		set_watch(r, WATCH_LAST_MS);
		return;
	}
	err_set(&e, ERR_AWAY, "redis at '%s' did not %s within %lld ms", r->url.shown.p,
		r->phase == REDIS_CONNECTING ? "take the connection" : "answer", (long long)r->slow_after_ms);
	lose(r, &e);
}

void redis_watch(struct redis *r)
{
	if (!uv_is_active((uv_handle_t *)&r->watch))
		watch_on(r, r->slow_after_ms);
}

/* ---- writing ---- */

static void on_awake(uv_idle_t *h)
{
	(void)h;
}

void redis_wake(struct redis *r)
{
	if (!uv_is_active((uv_handle_t *)&r->awake))
		uv_idle_start(&r->awake, on_awake);
}

static void flush(struct redis *r);

static void on_written(uv_write_t *w, int status)
{
	struct redis_link *l = w->data;

	l->write_busy = false;
	buf_shrink(&l->writing, REDIS_OUT_KEEP);
	if (!l->r)
		return;
	if (status < 0)
		lose_uv(l->r, "cannot write to", status);
	else
		flush(l->r);
}

/* What uv_try_write did not take goes into the link's own buffer, and on with uv_write. */
static void write_rest(struct redis *r, size_t done)
{
	struct redis_link *l = r->link;
	struct buf swap = l->writing;

	l->writing = r->out;
	r->out = swap;
	buf_clear(&r->out);
	uv_buf_t b = uv_buf_init(l->writing.p + done, (unsigned)(l->writing.n - done));
	l->write.data = l;
	l->write_busy = true;
	int rc = uv_write(&l->write, &l->u.stream, &b, 1, on_written);
	if (rc < 0) {
		l->write_busy = false;
		lose_uv(r, "cannot write to", rc);
	}
}

static void flush(struct redis *r)
{
	if (r->out.n == 0 || !r->link || r->link->write_busy || r->phase < REDIS_GREETING ||
		r->phase > REDIS_UP)
		return;
	uv_buf_t b = uv_buf_init(r->out.p, (unsigned)r->out.n);
	int n = uv_try_write(&r->link->u.stream, &b, 1);
	if (n < 0 && n != UV_EAGAIN) {
		lose_uv(r, "cannot write to", n);
		return;
	}
	if (n >= 0 && (size_t)n == r->out.n) {
		buf_shrink(&r->out, REDIS_OUT_KEEP);
		return;
	}
	write_rest(r, n > 0 ? (size_t)n : 0);
}

static void on_flush(uv_prepare_t *h)
{
	struct redis *r = h->data;

	if (uv_is_active((uv_handle_t *)&r->awake)) {
		uv_idle_stop(&r->awake);
		if (r->on_turn_end)
			r->on_turn_end(r->ctx);
		uv_idle_stop(&r->awake);
		flush(r);
	}
}

/* ---- reading ---- */

static void answer(struct redis *r, redisReply *reply, uint64_t now_ns)
{
	struct redis_pending p = redis_pending_pop(r);
	struct err e = {.code = ERR_NONE};

	metric_observe(METRIC_REDIS_SECONDS, (double)(now_ns - p.sent_ns) / 1e9, NULL);
	if (reply->type != REDIS_REPLY_ERROR) {
		p.cb(p.ctx, NULL, reply);
		return;
	}
	redis_err_of(reply, &e);
	bool unfit = str_starts((struct str){reply->str, (size_t)reply->len}, STR("ERR Function not found")) ||
		str_starts((struct str){reply->str, (size_t)reply->len}, STR("READONLY "));
	bool was_up = r->phase == REDIS_UP;
	p.cb(p.ctx, &e, NULL);
	/* The library is gone, or this is no master any more: greet it, or another one, anew. */
	if (unfit && was_up && r->phase == REDIS_UP)
		lose(r, &e);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct redis_link *l = s->data;
	struct redis *r = l->r;
	struct err e;

	if (n == 0 || !r)
		return;
	if (n < 0) {
		lose_uv(r, "lost the connection to", (int)n);
		return;
	}
	uint64_t now_ns = uv_hrtime();
	redisReaderFeed(l->reader, b->base, (size_t)n);
	while (l->r) {
		void *reply = NULL;
		if (redisReaderGetReply(l->reader, &reply) != REDIS_OK || (reply && r->pending_n == 0)) {
			err_set(&e, ERR_AWAY, "'%s' does not speak like Redis: %s", r->url.shown.p,
				l->reader->err ? l->reader->errstr : "an answer without a command");
			if (reply)
				freeReplyObject(reply);
			lose(r, &e);
			return;
		}
		if (!reply)
			return;
		answer(r, reply, now_ns);
		freeReplyObject(reply);
	}
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
	struct redis_link *l = h->data;

	(void)suggested;
	*b = uv_buf_init(l->in, sizeof(l->in));
}

/* ---- connecting ---- */

static void on_greeted(void *ctx, const struct err *e, const redisReply *reply)
{
	struct redis *r = ctx;

	(void)reply;
	if (e && r->phase == REDIS_GREETING) {
		struct err why;
		err_set(&why, ERR_AWAY, "'%s' refuses us: %s", r->url.shown.p, e->text);
		lose(r, &why);
	}
}

static void send_login(struct redis *r)
{
	struct err e;

	if (r->url.password.n > 0 || r->url.user.n > 0) {
		if (redis_begin(r, r->url.user.n > 0 ? 3 : 2, &e))
			return;
		redis_arg_z(r, "AUTH");
		if (r->url.user.n > 0)
			redis_arg(r, r->url.user);
		redis_arg(r, r->url.password);
		redis_end(r, 0, on_greeted, r, &e);
	}
	if (r->url.database.n > 0) {
		if (redis_begin(r, 2, &e))
			return;
		redis_arg_z(r, "SELECT");
		redis_arg(r, r->url.database);
		redis_end(r, 0, on_greeted, r, &e);
	}
}

static void on_connect(uv_connect_t *c, int status)
{
	struct redis_link *l = c->data;
	struct redis *r = l->r;

	if (!r)
		return;
	if (status == 0)
		status = uv_read_start(&l->u.stream, on_alloc, on_read);
	if (status < 0) {
		lose_uv(r, "cannot connect to", status);
		return;
	}
	if (l->u.handle.type == UV_TCP) {
		uv_tcp_nodelay(&l->u.tcp, 1);
		uv_tcp_keepalive(&l->u.tcp, 1, 30);
	}
	r->phase = REDIS_GREETING;
	send_login(r);
	if (r->phase == REDIS_GREETING)
		r->on_connected(r->ctx);
}

static void connect_tcp(struct redis_link *l, const struct addrinfo *list)
{
	struct redis *r = l->r;
	unsigned n = 0;

	for (const struct addrinfo *a = list; a; a = a->ai_next)
		n++;
	unsigned skip = n > 0 ? (r->tries - 1) % n : 0;
	while (skip-- > 0)
		list = list->ai_next;
	uv_tcp_init(r->loop, &l->u.tcp);
	l->u.handle.data = l;
	l->opened = true;
	l->connect.data = l;
	int rc = uv_tcp_connect(&l->connect, &l->u.tcp, list->ai_addr, on_connect);
	if (rc < 0)
		lose_uv(r, "cannot connect to", rc);
}

static void on_resolved(uv_getaddrinfo_t *q, int status, struct addrinfo *list)
{
	struct redis_link *l = q->data;

	l->resolving = false;
	if (!l->r)
		link_free(l);
	else if (status < 0)
		lose_uv(l->r, "cannot resolve the host of", status);
	else
		connect_tcp(l, list);
	uv_freeaddrinfo(list);
}

static int link_start(struct redis_link *l)
{
	struct redis *r = l->r;

	if (r->url.path.n > 0) {
		uv_pipe_init(r->loop, &l->u.pipe, 0);
		l->u.handle.data = l;
		l->opened = true;
		l->connect.data = l;
		uv_pipe_connect(&l->connect, &l->u.pipe, r->url.path.p, on_connect);
		return 0;
	}
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	l->resolve.data = l;
	int rc = uv_getaddrinfo(r->loop, &l->resolve, on_resolved, r->url.host.p, r->url.port.p, &hints);
	l->resolving = rc == 0;
	return rc;
}

static void try_connect(struct redis *r)
{
	struct redis_link *l = calloc(1, sizeof(*l));
	redisReader *reader = redisReaderCreate();

	r->phase = REDIS_CONNECTING;
	if (!l || !reader) {
		struct err e;
		free(l);
		if (reader)
			redisReaderFree(reader);
		err_set(&e, ERR_AWAY, "no memory for a connection to Redis");
		lose(r, &e);
		return;
	}
	l->r = l->counted = r;
	l->reader = reader;
	reader->maxbuf = REDIS_OUT_KEEP;
	buf_init(&l->writing, REDIS_OUT_LIMIT);
	r->handles++;
	r->link = l;
	r->tries++;
	uv_timer_stop(&r->watch);
	r->opening_deadline_ms = r->listened_ms + r->slow_after_ms;
	redis_watch(r);
	int rc = link_start(l);
	if (rc < 0)
		lose_uv(r, "cannot resolve the host of", rc);
}

/* ---- life ---- */

void redis_ready(struct redis *r)
{
	if (r->phase != REDIS_GREETING)
		return;
	r->phase = REDIS_UP;
	r->backoff_ms = REDIS_BACKOFF_MIN_MS;
	r->tries = 0;
	r->suspect = false;
	tell(r);
}

void redis_drop(struct redis *r, const struct err *why)
{
	lose(r, why);
}

bool redis_up(const struct redis *r)
{
	return r->phase == REDIS_UP;
}

const char *redis_why(const struct redis *r)
{
	return r->why.text;
}

bool redis_local(const struct redis *r)
{
	return r->url.path.n > 0;
}

struct redis *redis_new(const struct redis_options *o, struct err *e)
{
	struct redis *r = calloc(1, sizeof(*r));

	if (!r) {
		err_set(e, ERR_NOMEM, "no memory for a connection to Redis");
		return NULL;
	}
	if (redis_url_parse(&r->url, o->address, e)) {
		redis_url_release(&r->url);
		free(r);
		return NULL;
	}
	r->loop = o->loop;
	r->slow_after_ms = o->slow_after_ms;
	r->pending_limit = o->pending_limit;
	r->on_connected = o->on_connected;
	r->on_state = o->on_state;
	r->on_turn_end = o->on_turn_end;
	r->ctx = o->ctx;
	r->backoff_ms = REDIS_BACKOFF_MIN_MS;
	err_set(&r->why, ERR_AWAY, "not connected to '%s' yet", r->url.shown.p);
	buf_init(&r->out, REDIS_OUT_LIMIT);
	uv_timer_init(o->loop, &r->retry);
	uv_timer_init(o->loop, &r->watch);
	uv_prepare_init(o->loop, &r->flush);
	uv_idle_init(o->loop, &r->awake);
	r->retry.data = r->watch.data = r->flush.data = r->awake.data = r;
	r->handles = 4;
	uv_prepare_start(&r->flush, on_flush);
	uv_timer_start(&r->retry, on_retry, 0, 0);
	return r;
}

static void on_handle_closed(uv_handle_t *h)
{
	handle_closed(h->data);
}

void redis_close(struct redis *r, void (*done)(void *ctx), void *ctx)
{
	struct err e;

	assert(r->phase != REDIS_CLOSED);
	r->phase = REDIS_CLOSED;
	r->closed = done;
	r->closed_ctx = ctx;
	err_set(&e, ERR_AWAY, "the connection to Redis is being closed");
	r->why = e;
	if (r->link)
		link_give_up(r->link);
	r->link = NULL;
	fail_pending(r, &e);
	uv_close((uv_handle_t *)&r->retry, on_handle_closed);
	uv_close((uv_handle_t *)&r->watch, on_handle_closed);
	uv_close((uv_handle_t *)&r->flush, on_handle_closed);
	uv_close((uv_handle_t *)&r->awake, on_handle_closed);
}
