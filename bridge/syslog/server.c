/* server.c: addresses that take syslog, who may connect, and the end of it all.
 *
 * Owns the listening sockets and the list of connections; what a connection does is conn.c's. At
 * the end (syslog_drain) senders are told that nobody listens any more, and what they have under
 * way is still taken: a sender that looks whether its connection stands before it sends, as rsyslog
 * and syslog-ng do, loses nothing at a restart. Then the program closes the store, then
 * syslog_close.
 */
#include "syslog/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "syslog/state.h"

#define ADDRESSES_MAX 8 /* that one entry of syslog.listen may stand for */
#define ACCEPT_AT_ONCE 64
#define ACCEPT_LAST 4096 /* when no more shall come: as many as may wait */
#define DRAIN_LOOK_MS 10
#define COMPLAIN_EVERY_MS 10000

bool syslog_may_complain(
	const struct syslog_server *s, struct syslog_complaint *c, const char **more)
{
	int64_t now = (int64_t)uv_now(s->loop);

	if (c->last_ms && now - c->last_ms < COMPLAIN_EVERY_MS) {
		c->more++;
		return false;
	}
	*more = c->more ? log_i64(c->more) : NULL;
	c->last_ms = now;
	c->more = 0;
	return true;
}

/* ---- who comes ---- */

static void refuse(struct syslog_listener *l, int fd, const char *limit)
{
	const struct str reason = STR("limit");
	const char *more;

	close(fd);
	metric_add(METRIC_SYSLOG_REFUSED, 1, &reason);
	if (syslog_may_complain(l->server, &l->server->refused, &more))
		log_kv(LOG_WARN, "refused a connection", "limit", limit, "listener", l->socket.text,
			"more_since_last", more, (char *)NULL);
}

static bool has_too_many(const struct syslog_listener *l, const struct sockaddr *sa)
{
	const struct syslog_server *s = l->server;
	unsigned char address[LISTEN_ADDRESS];
	size_t n = 0;

	if (l->conns_n < s->per_address || !listen_address(sa, address))
		return false;
	for (const struct conn *c = s->conns; c; c = c->next)
		n += c->listener == l && memcmp(c->address, address, sizeof(address)) == 0;
	return n >= s->per_address;
}

/* False: there is nobody more, or they cannot be let in now. */
static bool accept_one(struct syslog_listener *l)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr *sa = (struct sockaddr *)&ss;
	socklen_t n = sizeof(ss);
	int fd = accept4(l->socket.fd, sa, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
		log_kv(LOG_WARN, "cannot take a connection", "listener", l->socket.text, "error",
			strerror(errno), (char *)NULL);
		l->server->short_of_files = true;
		uv_poll_stop(&l->poll);
	}
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	if (l->conns_n >= l->server->conns_max)
		refuse(l, fd, "syslog.connection_limit");
	else if (has_too_many(l, sa))
		refuse(l, fd, "syslog.connections_per_address");
	else
		conn_begin(l, fd, sa, n);
	return true;
}

static void accept_some(struct syslog_listener *l, int most)
{
	for (int i = 0; i < most && accept_one(l); i++)
		;
}

static void on_incoming(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	accept_some(poll->data, ACCEPT_AT_ONCE);
}

static void on_timer(uv_timer_t *timer)
{
	struct syslog_server *s = timer->data;

	for (struct conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		conn_look(c);
	}
	if (!s->short_of_files)
		return;
	s->short_of_files = false;
	for (size_t i = 0; i < s->listeners_n; i++) {
		if (s->listeners[i].open)
			uv_poll_start(&s->listeners[i].poll, UV_READABLE, on_incoming);
	}
}

/* ---- beginning ---- */

static int open_sockets(struct syslog_server *s, const struct conf *conf, struct err *e)
{
	const struct conf_list *listen = &conf->syslog.listen;
	struct listen_socket found[ADDRESSES_MAX];

	s->listeners = calloc(listen->n * ADDRESSES_MAX + 1, sizeof(*s->listeners));
	if (!s->listeners)
		return err_set(e, ERR_NOMEM, "no memory to listen");
	for (size_t i = 0; i < listen->n; i++) {
		int n = listen_open(listen->v[i].text, found, ADDRESSES_MAX, e);

		if (n < 0)
			return -1;
		for (int j = 0; j < n; j++)
			s->listeners[s->listeners_n++].socket = found[j];
	}
	return 0;
}

static int watch_sockets(struct syslog_server *s, struct err *e)
{
	for (size_t i = 0; i < s->listeners_n; i++) {
		struct syslog_listener *l = &s->listeners[i];

		l->server = s;
		if (uv_poll_init(s->loop, &l->poll, l->socket.fd) != 0)
			return err_set(e, ERR_IO, "cannot watch '%s'", l->socket.text);
		l->poll.data = l;
		l->open = true;
		s->handles_open++;
		uv_poll_start(&l->poll, UV_READABLE, on_incoming);
	}
	return 0;
}

/* A syslog.addr of another life is no address any more. */
static int write_addresses(struct syslog_server *s, const struct conf *conf, struct err *e)
{
	struct buf path, lines, list;
	int r = 0;

	buf_init(&path, BUF_NO_LIMIT);
	buf_init(&lines, BUF_NO_LIMIT);
	buf_init(&list, BUF_NO_LIMIT);
	buf_str(&path, conf->state_dir);
	buf_puts(&path, "/syslog.addr");
	buf_puts(&list, "");
	for (size_t i = 0; i < s->listeners_n; i++) {
		buf_puts(&lines, s->listeners[i].socket.text);
		buf_putc(&lines, '\n');
		buf_puts(&list, i ? ", " : "");
		buf_puts(&list, s->listeners[i].socket.text);
	}
	s->addr_path = buf_steal(&path);
	s->addresses = list.n ? buf_steal(&list) : strdup("");
	if (!s->addr_path || !s->addresses || buf_failed(&lines))
		r = err_set(e, ERR_NOMEM, "no memory to listen");
	else if (s->listeners_n)
		r = file_write_atomic(s->addr_path, buf_as_str(&lines), 0644, e);
	else
		unlink(s->addr_path);
	buf_release(&lines);
	buf_release(&list);
	buf_release(&path);
	return r;
}

struct syslog_server *syslog_new(
	uv_loop_t *loop, const struct conf *conf, const struct syslog_app *app, struct err *e)
{
	struct syslog_server *s = calloc(1, sizeof(*s));

	if (!s) {
		err_set(e, ERR_NOMEM, "no memory to listen");
		return NULL;
	}
	s->loop = loop;
	s->app = *app;
	s->conns_max = (size_t)conf->syslog.connection_limit;
	s->per_address = (size_t)conf->syslog.connections_per_address;
	s->idle_ms = conf->syslog.idle_timeout_ms;
	uv_timer_init(loop, &s->timer);
	uv_timer_init(loop, &s->drain_timer);
	s->handles_open = 2;
	s->timer.data = s->drain_timer.data = s;
	uv_timer_start(&s->timer, on_timer, SYSLOG_RETRY_MS, SYSLOG_RETRY_MS);
	if (app->certs)
		s->tls = stream_tls_new(app->certs, e);
	if ((!app->certs || s->tls) && open_sockets(s, conf, e) == 0 && watch_sockets(s, e) == 0 &&
		write_addresses(s, conf, e) == 0)
		return s;
	syslog_close(s, NULL, NULL);
	return NULL;
}

void syslog_use_certs(struct syslog_server *s, struct certs *now)
{
	if ((now != NULL) != (s->tls != NULL))
		log_kv(LOG_WARN,
			"syslog.tls was turned on or off; that takes effect after a restart",
			(char *)NULL);
	else if (now)
		stream_tls_use(s->tls, now);
}

const char *syslog_addresses(const struct syslog_server *s)
{
	return s->addresses;
}

/* ---- ending ---- */

static void call_done(struct syslog_server *s)
{
	void (*done)(void *ctx) = s->done;

	s->done = NULL;
	if (done)
		done(s->done_ctx);
}

static void syslog_free(struct syslog_server *s)
{
	stream_tls_free(s->tls);
	free(s->listeners);
	free(s->addresses);
	free(s->addr_path);
	free(s);
}

static void on_handle_closed(struct syslog_server *s)
{
	if (--s->handles_open > 0)
		return;
	call_done(s);
	syslog_free(s);
}

static void on_timer_closed(uv_handle_t *h)
{
	on_handle_closed(h->data);
}

static void on_listener_closed(uv_handle_t *h)
{
	struct syslog_listener *l = h->data;

	on_handle_closed(l->server);
}

/* From when it returns on nobody can connect: libuv closes its handle later, and the socket may go
 * before. */
static void stop_listening(struct syslog_server *s)
{
	for (size_t i = 0; i < s->listeners_n; i++) {
		struct syslog_listener *l = &s->listeners[i];

		if (l->open) {
			uv_poll_stop(&l->poll);
			uv_close((uv_handle_t *)&l->poll, on_listener_closed);
		}
		listen_close(&l->socket);
		l->open = false;
	}
}

/* silent_ms 0: all. */
static void end_conns(struct syslog_server *s, int64_t silent_ms)
{
	for (struct conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		if (silent_ms == 0 || conn_is_silent(c, silent_ms))
			conn_end(c);
	}
}

static void on_drain_timer(uv_timer_t *timer)
{
	struct syslog_server *s = timer->data;
	uint64_t now = uv_now(s->loop);

	if (now >= s->goodbye_until)
		end_conns(s, SYSLOG_GOODBYE_MS);
	if (s->conns && now < s->drain_until)
		return;
	uv_timer_stop(timer);
	call_done(s);
}

void syslog_drain(struct syslog_server *s, uint64_t within_ms, void (*done)(void *ctx), void *ctx)
{
	uint64_t now = uv_now(s->loop);

	/* For the kernel they are connected, and what they sent would be gone. So, too, if a sender
	 * that is told could connect again. */
	for (size_t i = 0; i < s->listeners_n; i++)
		accept_some(&s->listeners[i], ACCEPT_LAST);
	stop_listening(s);
	for (struct conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		conn_say_end(c);
	}
	s->done = done;
	s->done_ctx = ctx;
	s->drain_until = now + within_ms;
	s->goodbye_until = now + (within_ms < SYSLOG_GOODBYE_MS ? within_ms : SYSLOG_GOODBYE_MS);
	uv_timer_start(&s->drain_timer, on_drain_timer, 0, DRAIN_LOOK_MS);
}

/* Once the last connection is gone. */
static void on_close_timer(uv_timer_t *timer)
{
	struct syslog_server *s = timer->data;

	end_conns(s, 0);
	if (s->conns)
		return;
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
	uv_close((uv_handle_t *)&s->drain_timer, on_timer_closed);
}

void syslog_close(struct syslog_server *s, void (*done)(void *ctx), void *ctx)
{
	s->done = done;
	s->done_ctx = ctx;
	stop_listening(s);
	uv_timer_start(&s->drain_timer, on_close_timer, 0, DRAIN_LOOK_MS);
}
