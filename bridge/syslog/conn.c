/* conn.c: one sender: its bytes into lines, and the lines that patterns want into the store.
 *
 * Guarantee: one piece at a time. While what a piece brought is on its way to Redis, or Redis does
 * not take it, nothing is read, so TCP makes the sender wait and no queue grows here. What Redis
 * did not take is tried again until it does or the connection ends.
 *
 * Lines are counted by what flow/lines.h keeps of the connection: of equal lines of one second each
 * counts, but not of those that are older than the connection. Such were kept by the sender while
 * it could not send, and rsyslog sends the first 16 KB of them twice, on the new connection as on
 * the one before. After a reload, and once it holds much, what is kept is begun anew between two
 * pieces; a message that is half there stays in the decoder.
 *
 * A sender that breaks the framing is cut off: where its next message begins is unknown.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "auth/source_auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "line/decoder.h"
#include "line/syslog.h"
#include "syslog/state.h"

/* What flow/lines.h keeps of a stream grows with these. */
#define RENEW_MATCHED 10000
#define RENEW_NEW 1000
#define NS_PER_MS INT64_C(1000000)

/* ---- the end ---- */

static void on_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	stream_release(&c->stream);
	if (c->decoder)
		line_kind_syslog.free(c->decoder);
	lines_free(c->lines);
	sources_unref(c->sources);
	if (c->prev)
		c->prev->next = c->next;
	else
		c->server->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->listener->conns_n--;
	metric_set(METRIC_SYSLOG_CONNECTIONS, (double)--c->server->conns_n, NULL);
	free(c);
}

static void shut(struct conn *c)
{
	size_t lost = c->lines ? lines_wanted(c->lines) : 0;

	if (lost > 0)
		log_kv(LOG_WARN, "a syslog connection ends before Redis took all of it", "peer",
			c->peer, "lines", log_i64((long long)lost), (char *)NULL);
	c->state = CONN_CLOSED;
	uv_close((uv_handle_t *)&c->poll, on_closed);
}

void conn_end(struct conn *c)
{
	c->dropped = true;
	if (c->state != CONN_STORING && c->state != CONN_CLOSED)
		shut(c);
}

static void complain(struct conn *c, const struct err *e)
{
	const struct str reason = str_of(err_name(e->code));
	const char *more;

	metric_add(METRIC_SYSLOG_REFUSED, 1, &reason);

	if (syslog_may_complain(c->server, &c->server->broken, &more))
		log_kv(LOG_WARN, "a syslog connection was cut off", "peer", c->peer, "listener",
			c->listener->socket.text, "error", e->text, "more_since_last", more,
			(char *)NULL);
}

/* ---- the store ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

static void await(struct conn *c)
{
	int events = UV_READABLE | (stream_wants_write(&c->stream) ? UV_WRITABLE : 0);

	c->state = CONN_READING;
	if (events != c->watched)
		uv_poll_start(&c->poll, events, on_poll);
	c->watched = events;
}

static bool may_be_tried_again(const struct err *e)
{
	return e->code != ERR_INPUT && e->code != ERR_LIMIT && e->code != ERR_NOMEM;
}

static void hold(struct conn *c, const struct err *e)
{
	const char *more;

	if (!may_be_tried_again(e)) {
		complain(c, e);
		shut(c);
		return;
	}
	c->state = CONN_HELD;
	if (syslog_may_complain(c->server, &c->server->held, &more))
		log_kv(LOG_WARN, "syslog waits; nothing is read from senders meanwhile", "peer",
			c->peer, "error", e->text, "more_since_last", more, (char *)NULL);
}

static void on_stored(void *ctx, const struct err *e)
{
	struct conn *c = ctx;

	if (e && !c->dropped)
		hold(c, e);
	else if (c->ended || c->dropped)
		shut(c);
	else
		await(c);
}

static void store_piece(struct conn *c)
{
	struct err e = {0};

	if (lines_wanted(c->lines) > 0 && c->watched) {
		uv_poll_stop(&c->poll);
		c->watched = 0;
	}
	c->state = CONN_STORING;
	if (lines_store(c->lines, on_stored, c, &e) != 0)
		on_stored(c, &e);
}

/* ---- lines ---- */

static int on_line(void *ctx, const struct line *line, struct err *e)
{
	struct conn *c = ctx;

	return lines_take(c->lines, line, e);
}

/* By what it shows: where it comes from, and its certificate once there was a handshake. */
static int may_send(const struct conn *c, struct err *e)
{
	const struct ingest_ctx *ic = c->server->app.ic;
	const struct source_auth *own = auth_source(ic->auth, ic->conf->syslog.source);
	struct str *names = NULL;
	struct arena a;
	size_t n;
	int rc = 0;

	if (!own)
		return 0;
	if (!source_auth_takes(own, c->listener->socket.is_unix ? NULL : c->address))
		return err_set(e, ERR_INPUT,
			"the source '%.*s' takes nothing from this address; add it to its 'allow', "
			"or "
			"look who sends there",
			STR_ARG(ic->conf->syslog.source));
	if (source_auth_kind(own) != CONF_AUTH_CLIENT_CERT || !c->stream.ready)
		return 0;
	arena_init(&a, STREAM_NAMES_MEMORY);
	n = stream_client_names(&c->stream, &a, &names);
	if (source_auth_names(own, names, n, e) != AUTH_GOOD)
		rc = -1;
	arena_release(&a);
	return rc;
}

/* Before a piece is read. What waited is stored. */
static int renew_lines(struct conn *c, struct err *e)
{
	const struct ingest_ctx *ic = c->server->app.ic;
	struct lines_options o = {.ic = ic, .repeated_ns = c->since_ns};

	if (c->lines) {
		struct lines_counts n = lines_counts(c->lines);

		if (c->sources == ic->sources && c->rules == ic->rules &&
			n.matched < RENEW_MATCHED && n.new_ < RENEW_NEW)
			return 0;
	}
	lines_free(c->lines);
	c->lines = NULL;
	sources_unref(c->sources);
	c->sources = sources_ref(ic->sources);
	c->rules = ic->rules;
	if (may_send(c, e) != 0)
		return -1;
	o.bound = sources_find(c->sources, ic->conf->syslog.source);
	if (!o.bound)
		return err_set(e, ERR_INPUT, "there is no source '%.*s'",
			STR_ARG(ic->conf->syslog.source));
	c->lines = lines_new(&o, e);
	return c->lines ? 0 : -1;
}

static int begin_decoder(struct conn *c, struct err *e)
{
	const struct line_sink sink = {on_line, c};
	const struct line_options o = {
		.line_limit = (size_t)c->server->app.ic->conf->logs.line_limit,
		.now_ns = clock_wall_ms() * NS_PER_MS,
	};

	c->decoder = line_kind_syslog.new(&o, &sink, e);
	return c->decoder ? 0 : -1;
}

/* That a regex gave up, or a line was cut, is the operator's to know. */
static void tell(struct conn *c, struct lines_counts before)
{
	struct lines_counts now = lines_counts(c->lines);
	bool failed = now.failed > before.failed;
	const char *more;

	if ((failed || now.cut > before.cut) &&
		syslog_may_complain(c->server, &c->server->told, &more))
		log_kv(LOG_WARN,
			failed ? "a log pattern gave up on lines" : "lines of a log were cut",
			"peer", c->peer, "error",
			failed ? lines_failure(c->lines) : "longer than logs.line_limit",
			"more_since_last", more, (char *)NULL);
}

static int take_piece(struct conn *c, struct str piece, struct err *e)
{
	int64_t now_ns = clock_wall_ms() * NS_PER_MS;
	struct lines_counts before;
	int rc;

	if (renew_lines(c, e) != 0)
		return -1;
	lines_now(c->lines, now_ns);
	line_syslog_now(c->decoder, now_ns);
	before = lines_counts(c->lines);
	rc = line_kind_syslog.feed(c->decoder, piece, e);
	tell(c, before);
	return rc;
}

/* What came of a message that its sender did not end. */
static int take_rest(struct conn *c, struct err *e)
{
	return renew_lines(c, e) == 0 ? line_kind_syslog.finish(c->decoder, e) : -1;
}

/* ---- bytes ---- */

/* As much as a piece holds, or as there is. */
static enum stream_state fill(struct conn *c, size_t *n, struct err *e)
{
	struct syslog_server *s = c->server;
	enum stream_state state = STREAM_GOT;
	size_t got;

	*n = 0;
	while (state == STREAM_GOT && SYSLOG_READ - *n >= STREAM_RECORD) {
		size_t room = SYSLOG_READ - *n;

		state = stream_read(&c->stream, s->bytes + *n, room, &got, e);
		*n += got;
		if (!c->stream.session && got < room)
			break;
	}
	return state;
}

static void read_piece(struct conn *c)
{
	struct err e = {0};
	size_t n;
	enum stream_state state = fill(c, &n, &e);
	int rc = 0;

	if (n > 0) {
		c->heard_ms = (int64_t)uv_now(c->server->loop);
		rc = take_piece(c, (struct str){c->server->bytes, n}, &e);
	}
	if (rc == 0 && state == STREAM_ENDED)
		rc = take_rest(c, &e);
	if (rc != 0 || state == STREAM_BROKEN)
		complain(c, &e);
	c->ended = rc != 0 || state == STREAM_BROKEN || state == STREAM_ENDED;
	/* What came before it broke is stored all the same. */
	if (c->lines)
		store_piece(c);
	else if (c->ended)
		shut(c);
	else
		await(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	read_piece(poll->data);
}

/* ---- from outside ---- */

void conn_look(struct conn *c)
{
	const struct syslog_server *s = c->server;
	int64_t now = (int64_t)uv_now(s->loop);

	if (c->state == CONN_HELD) {
		store_piece(c);
	} else if (c->state == CONN_READING && !c->stream.ready &&
		   now - c->begun_ms > SYSLOG_HANDSHAKE_MS) {
		log_kv(LOG_DEBUG, "syslog: TLS takes too long to begin", "peer", c->peer,
			(char *)NULL);
		conn_end(c);
	} else if (c->state == CONN_READING && now - c->heard_ms > s->idle_ms) {
		log_kv(LOG_DEBUG, "syslog: nothing came for syslog.idle_timeout", "peer", c->peer,
			(char *)NULL);
		conn_end(c);
	}
}

bool conn_is_silent(const struct conn *c, int64_t ms)
{
	return c->state == CONN_READING && (int64_t)uv_now(c->server->loop) - c->heard_ms >= ms &&
	       !stream_has_more(&c->stream);
}

void conn_say_end(struct conn *c)
{
	if (c->leaving || c->state == CONN_CLOSED)
		return;
	c->leaving = true;
	if (c->stream.ready)
		stream_say_end(&c->stream);
	else
		conn_end(c);
}

static void describe(struct conn *c, const struct sockaddr *sa, socklen_t n)
{
	char host[64] = "", port[8] = "";

	if (!listen_address(sa, c->address) ||
		getnameinfo(sa, n, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(c->peer, sizeof(c->peer), "unix");
	else
		snprintf(c->peer, sizeof(c->peer), sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
			host, port);
}

static void link_conn(struct conn *c)
{
	struct syslog_server *s = c->server;

	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	c->listener->conns_n++;
	metric_set(METRIC_SYSLOG_CONNECTIONS, (double)++s->conns_n, NULL);
}

void conn_begin(struct syslog_listener *l, int fd, const struct sockaddr *sa, socklen_t sa_n)
{
	struct syslog_server *s = l->server;
	struct conn *c = calloc(1, sizeof(*c));
	struct err e = {0};
	int one = 1;

	if (!c) {
		close(fd);
		return;
	}
	c->server = s;
	c->listener = l;
	c->begun_ms = c->heard_ms = (int64_t)uv_now(s->loop);
	c->since_ns = clock_wall_ms() * NS_PER_MS;
	describe(c, sa, sa_n);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	if (stream_init(&c->stream, fd, l->socket.is_unix ? NULL : s->tls, &e) != 0 ||
		uv_poll_init(s->loop, &c->poll, fd) != 0) {
		stream_release(&c->stream);
		free(c);
		return;
	}
	c->poll.data = c;
	link_conn(c);
	if (may_send(c, &e) != 0 || begin_decoder(c, &e) != 0) {
		complain(c, &e);
		conn_end(c);
		return;
	}
	log_kv(LOG_DEBUG, "syslog connection", "peer", c->peer, (char *)NULL);
	await(c);
}
