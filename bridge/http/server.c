/* server.c: libmicrohttpd on the libuv loop.
 *
 * Each listening address is a daemon in external-epoll mode: libuv polls the daemon's epoll
 * descriptor and MHD_run does what is ready. A request that waits for Redis is suspended; its
 * answer resumes it, and all that were resumed in one loop turn are run by one MHD_run in the check
 * phase, before libuv waits again. What they send, and the next requests that come with them, so
 * cost one round of system calls for many.
 *
 * Order at the end: server_drain (no new connection; requests under way finish), then the store is
 * closed by the program (which ends what still waits with 503), then server_close. Nothing is freed
 * under a suspended request.
 *
 * Deadlines: libmicrohttpd closes a connection on which nothing moves for http.request_timeout.
 * Beyond that, here: a body must come at MIN_RATE on average once the timeout is over, and a
 * request's headers within twice the timeout after the last one ended, so a sender of one byte a
 * second is cut off, too.
 *
 * Memory: a connection costs 24 KiB once something came over it, 5 before. So of those that rest,
 * or are in the middle of sending, http.connections_kept are kept and an old one gives way; and
 * when many have gone, what they left in the allocator goes back to the system.
 *
 * It does not know routes or what is answered (request.c).
 */
#include "http/server.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "auth/auth.h"
#include "base/file.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "flow/feed.h"
#include "http/state.h"
#include "http/tls.h"

#define CONNECTION_MEMORY 16384 /* bytes for headers and the read buffer: the most for headers */
#define TIMER_MS 1000
#define MIN_RATE 64	/* bytes a ms */
#define ADDRESSES_MAX 8 /* that one entry of http.listen may stand for */
#define CLOSE_WITHIN_MS 5000 /* for the 503 of those who still send */
#define DRAIN_LOOK_MS 10
#define COMPLAIN_EVERY_MS 10000
#define TRIM_CONNECTIONS 256 /* gone: memory is given back within a second */
#define TRIM_AT_ONCE 512     /* gone: at once, for a wave may be thousands a second */
#define SPARE_CONNECTIONS 64 /* that libmicrohttpd may have beyond ours, to be closed at once */
#define SPARE_FILES 128 /* that are open beside connections: Redis, the rules that are read, … */

/* ---- running libmicrohttpd ---- */

/* Its only use: while it is active, libuv does not wait. */
static void on_idle(uv_idle_t *idle)
{
	(void)idle;
}

void server_run_soon(struct listener *l)
{
	l->run_due = true;
	uv_idle_start(&l->server->idle, on_idle);
}

static void run(struct listener *l)
{
	MHD_UNSIGNED_LONG_LONG ms = 1;

	l->run_due = false;
	MHD_run(l->daemon);
	if (MHD_get_timeout(l->daemon, &ms) == MHD_YES && ms == 0)
		server_run_soon(l);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static struct listener *go_on_with_one(struct server *s)
{
	struct request *r = s->put_off;

	s->put_off = r->next;
	request_go_on(r);
	return r->conn->listener;
}

/* A body at a time, for the first of them may take the turn for itself. */
static void go_on_with_bodies(struct server *s)
{
	s->turn_bytes = 0;
	while (s->put_off && s->turn_bytes < SERVER_TURN_BYTES)
		run(go_on_with_one(s));
}

/* The allocator keeps what is freed between others; it goes back when a wave of connections has
 * passed. */
static void give_memory_back(struct server *s, size_t gone)
{
	if (s->conns_n + gone > s->conns_top)
		return;
	s->conns_top = s->conns_n;
	malloc_trim(0);
}

static void on_check(uv_check_t *check)
{
	struct server *s = check->data;
	bool due = false;

	give_memory_back(s, TRIM_AT_ONCE);
	arena_waste_free(&s->waste, SERVER_TURN_FREES);
	go_on_with_bodies(s);
	for (size_t i = 0; i < s->listeners_n; i++) {
		if (s->listeners[i].run_due)
			run(&s->listeners[i]);
		due = due || s->listeners[i].run_due;
	}
	if (!due && !s->put_off && s->waste.used == 0)
		uv_idle_stop(&s->idle);
}

/* Closing is libmicrohttpd's: it sees the end of the connection and cleans up. */
static void cut_off(struct conn *c, const char *why)
{
	log_kv(LOG_DEBUG, "connection cut off", "why", why, (char *)NULL);
	shutdown(c->fd, SHUT_RDWR);
}

void request_hang_up(struct request *r)
{
	cut_off(r->conn, "the body is not read any more");
}

/* One line in a while. */
static void complain(struct listener *l, const char *what, const char *limit)
{
	int64_t now = (int64_t)uv_now(l->server->loop);

	if (l->complained_ms && now - l->complained_ms < COMPLAIN_EVERY_MS) {
		l->complaints++;
		return;
	}
	log_kv(LOG_WARN, what, "limit", limit, "listener", l->socket.text, "more_since_last",
		l->complaints ? log_i64(l->complaints) : NULL, (char *)NULL);
	l->complained_ms = now;
	l->complaints = 0;
}

void server_keep_not(struct conn *c)
{
	struct kept *k = c->kept;

	if (!k)
		return;
	if (c->older)
		c->older->newer = c->newer;
	else
		k->oldest = c->newer;
	if (c->newer)
		c->newer->older = c->older;
	else
		k->newest = c->older;
	c->kept = NULL;
	k->n--;
}

static void check_kept(struct server *s)
{
	const struct kept *resting = &s->kept[KEPT_RESTING], *sending = &s->kept[KEPT_SENDING];
	struct conn *c = resting->n > sending->n ? resting->oldest : sending->oldest;

	if (resting->n + sending->n <= (size_t)s->app.ic->conf->http.connections_kept)
		return;
	server_keep_not(c);
	complain(c->listener, "closed the connection that had waited for its sender for longest",
		"http.connections_kept");
	cut_off(c, "too many are kept");
}

void server_keep(struct conn *c, enum kept_why why)
{
	struct server *s = c->listener->server;
	struct kept *k = &s->kept[why];

	server_keep_not(c);
	c->older = k->newest;
	c->newer = NULL;
	if (c->older)
		c->older->newer = c;
	else
		k->oldest = c;
	k->newest = c;
	c->kept = k;
	k->n++;
	check_kept(s);
}

static void check_deadline(const struct server *s, struct conn *c, int64_t now)
{
	const struct request *r = c->request;

	if (r && r->put_off_ms)
		return;
	if (!r && now - c->since_ms > 2 * s->timeout_ms)
		cut_off(c, "the headers take too long");
	if (r && r->state == REQUEST_BODY && !r->endless &&
		now - r->begun_ms > s->timeout_ms + (int64_t)(r->received / MIN_RATE))
		cut_off(c, "the body comes too slowly");
}

static void on_timer(uv_timer_t *timer)
{
	struct server *s = timer->data;
	int64_t now = (int64_t)uv_now(s->loop);

	tls_sweep(now, 2 * s->timeout_ms + 2 * TIMER_MS);
	for (struct conn *c = s->conns; c; c = c->next)
		check_deadline(s, c, now);
	for (size_t i = 0; i < s->listeners_n; i++)
		run(&s->listeners[i]);
	give_memory_back(s, TRIM_CONNECTIONS);
}

/* ---- what libmicrohttpd calls ---- */

/* The first line of a request is there. What is returned is what the first call of on_request
 * gets. */
static void *on_first_line(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	(void)ctx;
	(void)uri;
	if (i && i->socket_context)
		server_keep(i->socket_context, KEPT_SENDING);
	return NULL;
}

static bool has_too_many(const struct listener *l, const unsigned char address[LISTEN_ADDRESS])
{
	size_t n = 0;

	if (l->conns_n < l->per_address)
		return false;
	for (const struct conn *c = l->server->conns; c; c = c->next)
		n += c->listener == l && memcmp(c->address, address, 16) == 0;
	return n >= l->per_address;
}

static enum MHD_Result refuse_connection(struct listener *l, const char *limit)
{
	complain(l, "refused a connection", limit);
	return MHD_NO;
}

/* MHD_NO: libmicrohttpd closes it. Nothing is answered: that would need what is short. */
static enum MHD_Result on_accept(void *ctx, const struct sockaddr *sa, socklen_t n)
{
	struct listener *l = ctx;
	unsigned char address[LISTEN_ADDRESS];

	(void)n;
	if (l->conns_n >= l->conns_max)
		return refuse_connection(l, "http.connection_limit");
	if (!l->socket.is_unix && listen_address(sa, address) && has_too_many(l, address) &&
		!auth_is_proxy(l->server->app.ic->auth, address))
		return refuse_connection(l, "http.connections_per_address");
	return MHD_YES;
}

static void on_connection(void *ctx, struct MHD_Connection *mhd, void **of_connection,
	enum MHD_ConnectionNotificationCode code)
{
	struct listener *l = ctx;
	struct server *s = l->server;
	struct conn *c = *of_connection;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		c = calloc(1, sizeof(*c));
		*of_connection = c;
		if (!c)
			return;
		c->listener = l;
		c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		c->since_ms = (int64_t)uv_now(s->loop);
		listen_address(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
				   ->client_addr,
			c->address);
		l->conns_n++;
		if (++s->conns_n > s->conns_top)
			s->conns_top = s->conns_n;
		tls_begin(mhd);
		c->next = s->conns;
		if (c->next)
			c->next->prev = c;
		s->conns = c;
	} else if (c) {
		if (c->prev)
			c->prev->next = c->next;
		else
			s->conns = c->next;
		if (c->next)
			c->next->prev = c->prev;
		l->conns_n--;
		s->conns_n--;
		server_keep_not(c);
		free(c);
	}
}

static enum MHD_Result send_answer(struct request *r)
{
	struct MHD_Response *m = request_response(r);
	enum MHD_Result ok;

	r->state = REQUEST_SENDING;
	if (!m)
		return MHD_NO;
	ok = MHD_queue_response(r->mhd, r->status, m);
	MHD_destroy_response(m);
	return ok;
}

static enum MHD_Result first_call(struct listener *l, struct MHD_Connection *mhd, const char *url,
	const char *method, void **of_request)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct conn *c = i ? i->socket_context : NULL;
	struct request *r = c ? request_new(l->server, c, mhd) : NULL;

	if (!r)
		return MHD_NO;
	*of_request = r;
	request_begin(r, method, url);
	return request_answers_early(r) ? send_answer(r) : MHD_YES;
}

/* Called once after the headers, then for each piece of the body, then once more; and again after a
 * resume. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *piece, size_t *n, void **of_request)
{
	struct request *r = *of_request;

	(void)version;
	if (!r)
		return first_call(ctx, mhd, url, method, of_request);
	if (*n || r->state == REQUEST_BODY) {
		bool more = *n > 0;
		enum request_fed fed = more ? request_feed(r, piece, n) : request_finish(r);

		if (fed == REQUEST_LATER)
			MHD_suspend_connection(mhd);
		if (more || fed == REQUEST_LATER)
			return fed == REQUEST_CUT ? MHD_NO : MHD_YES;
	}
	if (r->answered)
		return send_answer(r);
	r->suspended = true;
	MHD_suspend_connection(mhd);
	return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *mhd, void **of_request,
	enum MHD_RequestTerminationCode how)
{
	struct request *r = *of_request;
	struct conn *c = r ? r->conn : NULL;

	(void)ctx;
	(void)mhd;
	*of_request = NULL;
	if (!r)
		return;
	request_end(r);
	if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		server_keep(c, KEPT_RESTING);
	else
		server_keep_not(c); /* it is being closed */
}

static void on_log(void *ctx, const char *fmt, va_list ap)
{
	char text[400];
	size_t n;

	(void)ctx;
	if (!log_on(LOG_DEBUG))
		return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vsnprintf(text, sizeof(text), fmt, ap);
#pragma GCC diagnostic pop
	n = strlen(text);
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	log_kv(LOG_DEBUG, "libmicrohttpd", "text", text, (char *)NULL);
}

/* ---- beginning ---- */

static int start_daemon(
	struct server *s, struct listener *l, const struct conf *conf, struct err *e)
{
	const union MHD_DaemonInfo *info;
	const struct MHD_OptionItem options[] = {
		{MHD_OPTION_LISTEN_SOCKET, l->socket.fd, NULL},
		{MHD_OPTION_CONNECTION_LIMIT,
			(intptr_t)conf->http.connection_limit + SPARE_CONNECTIONS, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)((s->timeout_ms + 999) / 1000), NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, l},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, l},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_first_line, l},
		{MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	const struct MHD_OptionItem encrypted[] = {
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)CERTS_PRIORITIES},
		{MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_retrieve},
		{MHD_OPTION_END, 0, NULL},
	};
	bool tls = s->app.certs && !l->socket.is_unix;

	l->server = s;
	l->conns_max = (size_t)conf->http.connection_limit;
	l->per_address = (size_t)conf->http.connections_per_address;
	l->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
					     (tls ? MHD_USE_TLS : 0),
		0, on_accept, l, on_request, l, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_ARRAY, options, MHD_OPTION_ARRAY, tls ? encrypted : encrypted + 2,
		MHD_OPTION_END);
	if (!l->daemon)
		return err_set(e, ERR_IO, "libmicrohttpd cannot use '%s'", l->socket.text);
	info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(s->loop, &l->poll, info->epoll_fd) != 0) {
		MHD_stop_daemon(l->daemon);
		l->daemon = NULL;
		return err_set(e, ERR_IO, "cannot watch '%s'", l->socket.text);
	}
	s->handles_open++;
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE, on_poll);
	run(l);
	return 0;
}

static int open_sockets(struct server *s, const struct conf *conf, struct err *e)
{
	struct listen_socket found[ADDRESSES_MAX];

	s->listeners = calloc(conf->http.listen.n * ADDRESSES_MAX, sizeof(*s->listeners));
	s->host_names = calloc(conf->http.listen.n, sizeof(*s->host_names));
	if (!s->listeners || !s->host_names)
		return err_set(e, ERR_NOMEM, "no memory to listen");
	for (size_t i = 0; i < conf->http.listen.n; i++) {
		struct str text = conf->http.listen.v[i].text;
		struct str host = listen_host(text);
		int n = listen_open(text, found, ADDRESSES_MAX, e);

		if (n < 0)
			return -1;
		for (int j = 0; j < n; j++)
			s->listeners[s->listeners_n++].socket = found[j];
		if (host.n) {
			s->host_names[s->host_names_n].p = strndup(host.p, host.n);
			s->host_names[s->host_names_n].n = host.n;
			s->host_names_n += s->host_names[s->host_names_n].p != NULL;
		}
	}
	return 0;
}

static int write_addresses(struct server *s, struct err *e)
{
	struct buf lines, list;
	int r = -1;

	buf_init(&lines, BUF_NO_LIMIT);
	buf_init(&list, BUF_NO_LIMIT);
	for (size_t i = 0; i < s->listeners_n; i++) {
		buf_puts(&lines, s->listeners[i].socket.text);
		buf_putc(&lines, '\n');
		buf_puts(&list, i ? ", " : "");
		buf_puts(&list, s->listeners[i].socket.text);
	}
	s->addresses = buf_steal(&list);
	if (buf_failed(&lines) || !s->addresses)
		err_set(e, ERR_NOMEM, "no memory to listen");
	else
		r = file_write_atomic(s->addr_path, buf_as_str(&lines), 0644, e);
	buf_release(&lines);
	buf_release(&list);
	return r;
}

static void start_handles(struct server *s)
{
	uv_check_init(s->loop, &s->check);
	uv_idle_init(s->loop, &s->idle);
	uv_timer_init(s->loop, &s->timer);
	uv_timer_init(s->loop, &s->drain_timer);
	s->handles_open = 4;
	s->check.data = s->idle.data = s->timer.data = s->drain_timer.data = s;
	uv_check_start(&s->check, on_check);
	uv_timer_start(&s->timer, on_timer, TIMER_MS, TIMER_MS);
}

/* An http.addr of another life is no address any more. */
static int keep_paths(struct server *s, const struct conf *conf, struct err *e)
{
	struct buf path;

	buf_init(&path, BUF_NO_LIMIT);
	buf_str(&path, conf->state_dir);
	buf_puts(&path, "/http.addr");
	s->addr_path = buf_steal(&path);
	s->state_dir.p = strndup(conf->state_dir.p, conf->state_dir.n);
	s->state_dir.n = conf->state_dir.n;
	if (!s->addr_path || !s->state_dir.p)
		return err_set(e, ERR_NOMEM, "no memory to listen");
	unlink(s->addr_path);
	return 0;
}

/* The limit that cannot be reached is none. */
static void check_files(const struct server *s, const struct conf *conf)
{
	struct rlimit files;
	rlim_t wanted = (rlim_t)conf->http.connection_limit * s->listeners_n + SPARE_FILES;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
		return;
	log_kv(LOG_WARN,
		"fewer files may be open than http.connection_limit has connections; "
		"raise the limit (LimitNOFILE= of the unit, ulimit -n), or lower the key",
		"files", log_i64((long long)files.rlim_cur), "wanted", log_i64((long long)wanted),
		(char *)NULL);
}

struct server *server_new(
	uv_loop_t *loop, const struct conf *conf, const struct server_app *app, struct err *e)
{
	struct server *s = calloc(1, sizeof(*s));
	bool bad;

	if (!s) {
		err_set(e, ERR_NOMEM, "no memory to listen");
		return NULL;
	}
	s->loop = loop;
	s->app = *app;
	s->timeout_ms = conf->http.request_timeout_ms;
	s->started_ms = clock_wall_ms();
	arena_init(&s->waste, 0);
	if (app->certs)
		tls_use(app->certs, (int64_t)uv_now(loop));
	start_handles(s);
	s->turns = turns_new();
	if (!s->turns)
		err_set(e, ERR_NOMEM, "no memory to listen");
	bad = !s->turns || keep_paths(s, conf, e) != 0 || open_sockets(s, conf, e) != 0;
	for (size_t i = 0; !bad && i < s->listeners_n; i++)
		bad = start_daemon(s, &s->listeners[i], conf, e) != 0;
	if (!bad)
		check_files(s, conf);
	if (bad || write_addresses(s, e) != 0) {
		server_close(s, NULL, NULL);
		return NULL;
	}
	return s;
}

void server_use_certs(struct server *s, struct certs *now)
{
	if ((now != NULL) != (s->app.certs != NULL))
		log_kv(LOG_WARN, "http.tls was turned on or off; that takes effect after a restart",
			(char *)NULL);
	else if (now)
		tls_use(now, (int64_t)uv_now(s->loop));
}

const char *server_addresses(const struct server *s)
{
	return s->addresses;
}

/* ---- ending ---- */

static void call_done(struct server *s)
{
	void (*done)(void *ctx) = s->done;

	s->done = NULL;
	if (done)
		done(s->done_ctx);
}

/* libmicrohttpd must forget the socket before it is closed. */
static void stop_listening(struct server *s)
{
	for (size_t i = 0; i < s->listeners_n; i++) {
		struct listener *l = &s->listeners[i];

		if (l->daemon && l->socket.fd >= 0) {
			MHD_quiesce_daemon(l->daemon);
			run(l);
		}
		listen_close(&l->socket);
	}
}

static void end_streams(struct server *s)
{
	for (struct conn *c = s->conns; c; c = c->next) {
		struct request *r = c->request;

		if (r && r->more && r->suspended) {
			r->stream_end = r->stream_broken = true;
			request_wake(r);
		}
	}
}

/* Their senders hear so when they have sent all; what they began with may be gone. */
static void refuse_bodies(struct server *s)
{
	s->drained = true;
	if (s->requests)
		log_kv(LOG_WARN, "stopping, though requests are not through", "requests",
			log_i64((long long)s->requests), (char *)NULL);
	while (s->put_off)
		go_on_with_one(s);
	for (struct conn *c = s->conns; c; c = c->next) {
		if (c->request && c->request->state == REQUEST_BODY && !c->request->answered)
			request_stopping(c->request);
	}
}

static void on_drain_timer(uv_timer_t *timer)
{
	struct server *s = timer->data;

	if (s->requests == 0 || uv_now(s->loop) >= s->drain_until) {
		uv_timer_stop(timer);
		if (!s->drained)
			refuse_bodies(s);
		if (s->turns)
			turns_end(s->turns);
		call_done(s);
	}
}

static void wait_for_requests(
	struct server *s, uint64_t within_ms, void (*done)(void *ctx), void *ctx)
{
	s->done = done;
	s->done_ctx = ctx;
	s->drain_until = uv_now(s->loop) + within_ms;
	uv_timer_start(&s->drain_timer, on_drain_timer, 0, DRAIN_LOOK_MS);
}

/* They would not end by themselves. */
static void end_endless(struct server *s)
{
	for (struct conn *c = s->conns; c; c = c->next) {
		if (c->request && c->request->endless && c->request->state == REQUEST_BODY)
			cut_off(c, "stopping");
	}
}

void server_drain(struct server *s, uint64_t within_ms, void (*done)(void *ctx), void *ctx)
{
	s->stopping = true;
	stop_listening(s);
	end_endless(s);
	wait_for_requests(s, within_ms, done, ctx);
}

static void server_free(struct server *s)
{
	request_free_pool(s);
	feed_free(s->feed);
	arena_release(&s->waste);
	turns_free(s->turns);
	tls_end();
	for (size_t i = 0; i < s->host_names_n; i++)
		free((char *)(uintptr_t)s->host_names[i].p);
	free(s->host_names);
	free((char *)(uintptr_t)s->state_dir.p);
	free(s->addresses);
	free(s->addr_path);
	free(s->listeners);
	free(s);
}

static void on_closed(uv_handle_t *h)
{
	struct server *s = h->data;

	if (--s->handles_open == 0) {
		call_done(s);
		server_free(s);
	}
}

static void on_poll_closed(uv_handle_t *h)
{
	struct listener *l = h->data;

	h->data = l->server;
	on_closed(h);
}

static void stop_daemons(void *ctx)
{
	struct server *s = ctx;

	s->done = s->closed;
	s->done_ctx = s->closed_ctx;
	for (size_t i = 0; i < s->listeners_n; i++) {
		struct listener *l = &s->listeners[i];

		if (!l->daemon)
			continue;
		uv_close((uv_handle_t *)&l->poll, on_poll_closed);
		MHD_stop_daemon(l->daemon);
		l->daemon = NULL;
	}
	uv_close((uv_handle_t *)&s->check, on_closed);
	uv_close((uv_handle_t *)&s->idle, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
	uv_close((uv_handle_t *)&s->drain_timer, on_closed);
}

void server_close(struct server *s, void (*done)(void *ctx), void *ctx)
{
	s->stopping = true;
	s->closed = done;
	s->closed_ctx = ctx;
	stop_listening(s);
	end_streams(s);
	wait_for_requests(s, CLOSE_WITHIN_MS, stop_daemons, s);
}
