/* ceiling.c: how fast a durable, deduplicated webhook can be on this machine at all.
 *
 * libmicrohttpd on an external epoll, one pipelined EVALSHA a POST, and nothing else: no parsing beyond
 * finding the fingerprint, no limits, no errors handled but by ending. `make bench-ingest` holds the
 * bridge against it. Not installed, not for use.
 *
 *   ceiling PORT REDIS_SOCKET
 */
#include <err.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* Four commands: seen before?, counted, when, and an entry on a stream of bounded length. */
static const char script[] =
	"local new = redis.call('SET', KEYS[1]..':new', 1, 'NX')\n"
	"redis.call('HINCRBY', KEYS[1], 'count', 1)\n"
	"redis.call('HSET', KEYS[1], 'last', ARGV[1])\n"
	"redis.call('XADD', 'bus', 'MAXLEN', '~', 10000, '*', 'alert', KEYS[1], 'new', new and 1 or 0)\n"
	"return new and 1 or 0";

#define BODY_LIMIT 4096

struct post {
	struct MHD_Connection *connection;
	struct post *next;	/* in the order of the commands, which is that of the answers */
	size_t n;
	bool done;
	char body[];
};

static struct post *first, **last = &first;
static redisContext *redis;
static char sha[41];
static struct MHD_Response *ok;

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *n, void **state)
{
	struct post *p = *state;

	(void)cls, (void)url, (void)method, (void)version;
	if (!p) {
		if (!(*state = p = malloc(sizeof(*p) + BODY_LIMIT)))
			return MHD_NO;
		*p = (struct post){.connection = c};
		return MHD_YES;
	}
	if (p->done)
		return MHD_queue_response(c, MHD_HTTP_OK, ok);
	if (*n) {
		if (p->n + *n >= BODY_LIMIT)
			return MHD_NO;
		memcpy(p->body + p->n, data, *n);
		p->n += *n;
		*n = 0;
		return MHD_YES;
	}
	p->body[p->n] = '\0';
	const char *key = strstr(p->body, "\"fingerprint\":\"");
	if (!key)
		return MHD_NO;
	redisAppendCommand(redis, "EVALSHA %s 1 %b %b", sha, key + 15, (size_t)16, p->body, p->n);
	*last = p;
	last = &p->next;
	MHD_suspend_connection(c);
	return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	(void)cls, (void)c, (void)why;
	free(*state);
}

static void answer_all(void)
{
	redisReply *r = NULL;

	while (redisGetReplyFromReader(redis, (void **)&r) == REDIS_OK && r) {
		struct post *p = first;

		if (r->type != REDIS_REPLY_INTEGER)
			errx(1, "redis: %s", r->str);
		freeReplyObject(r);
		first = p->next;
		if (!first)
			last = &first;
		p->done = true;
		MHD_resume_connection(p->connection);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event ev[2] = {{.events = EPOLLIN}, {.events = EPOLLIN, .data.u32 = 1}};
	int ep = epoll_create1(EPOLL_CLOEXEC), written;

	if (argc != 3 || !(redis = redisConnectUnix(argv[2])) || redis->err)
		errx(1, "usage: ceiling PORT REDIS_SOCKET");
	redisReply *r = redisCommand(redis, "SCRIPT LOAD %s", script);
	if (!r || r->type != REDIS_REPLY_STRING)
		errx(1, "redis: no script");
	memcpy(sha, r->str, 40);
	freeReplyObject(r);
	redis->flags &= ~REDIS_BLOCK;
	fcntl(redis->fd, F_SETFL, O_NONBLOCK);
	ok = MHD_create_response_from_buffer(2, (char[]){"ok"}, MHD_RESPMEM_MUST_COPY);
	struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)strtoul(argv[1], NULL, 10),
		NULL, NULL, on_request, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)4096, MHD_OPTION_END);
	if (!d)
		errx(1, "cannot listen on %s", argv[1]);
	epoll_ctl(ep, EPOLL_CTL_ADD, MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, &ev[0]);
	epoll_ctl(ep, EPOLL_CTL_ADD, redis->fd, &ev[1]);
	for (;;) {
		MHD_UNSIGNED_LONG_LONG ms;
		int n = epoll_wait(ep, ev, 2, MHD_get_timeout(d, &ms) == MHD_YES ? (int)ms : -1);

		for (int i = 0; i < n; i++)
			if (ev[i].data.u32 == 1 && redisBufferRead(redis) != REDIS_OK)
				errx(1, "redis: %s", redis->errstr);
		answer_all();
		MHD_run(d);
		for (written = 0; !written;)
			if (redisBufferWrite(redis, &written) != REDIS_OK)
				errx(1, "redis: %s", redis->errstr);
	}
}
