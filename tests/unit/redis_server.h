/* redis_server.h: a redis-server of the test's own, in a folder of its own, on a unix socket; and a plain blocking
 * connection to look into it. It dies with the test, also when that is killed.
 */
#ifndef RB_TESTS_REDIS_SERVER_H
#define RB_TESTS_REDIS_SERVER_H

#include "unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"

#define SERVER_DEADLINE_MS 30000

struct server {
	char dir[48];
	char socket[64];
	char address[80];	/* "unix:/…" */
	char port[8];		/* "0": no TCP */
	const char *password;	/* NULL: none */
	pid_t pid;
	redisContext *raw;
};

/* A port that was free a moment ago. */
static inline void server_pick_port(struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(s->port, sizeof(s->port), "%u", (unsigned)ntohs(a.sin_port));
	close(fd);
}

static inline void server_exec(const struct server *s)
{
	char log[64];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(log, sizeof(log), "%s/log", s->dir);
	execlp("redis-server", "redis-server", "--port", s->port, "--bind", "127.0.0.1", "--unixsocket", s->socket,
		"--dir", s->dir, "--logfile", log, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--enable-debug-command", "local",
		s->password ? "--requirepass" : NULL, s->password, (char *)NULL);
	_exit(127);
}

/* Connects s->raw as soon as the server answers. */
static inline void server_connect(struct server *s)
{
	int64_t deadline = clock_mono_ms() + SERVER_DEADLINE_MS;

	for (;;) {
		assert_true(clock_mono_ms() < deadline);
		assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
		s->raw = redisConnectUnix(s->socket);
		if (s->raw && s->raw->err == 0) {
			if (s->password)
				freeReplyObject(redisCommand(s->raw, "AUTH %s", s->password));
			redisReply *r = redisCommand(s->raw, "PING");
			bool good = r && r->type == REDIS_REPLY_STATUS;
			if (r)
				freeReplyObject(r);
			if (good)
				return;
		}
		if (s->raw)
			redisFree(s->raw);
		s->raw = NULL;
		usleep(5000);
	}
}

/* Starts it (again: with the data of before). */
static inline void server_run(struct server *s)
{
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		server_exec(s);
	server_connect(s);
}

static inline void server_start(struct server *s)
{
	strcpy(s->dir, "/tmp/rb-redis-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->socket, sizeof(s->socket), "%s/sock", s->dir);
	snprintf(s->address, sizeof(s->address), "unix:%s", s->socket);
	if (!s->port[0])
		strcpy(s->port, "0");
	server_run(s);
}

static inline void server_kill(struct server *s)
{
	if (s->raw)
		redisFree(s->raw);
	s->raw = NULL;
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

static inline void server_stop(struct server *s)
{
	server_kill(s);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", s->dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* One command; the reply is the caller's. Never an error answer. */
__attribute__((format(printf, 2, 3))) static inline redisReply *server_ask(struct server *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	redisReply *r = redisvCommand(s->raw, format, ap);
	va_end(ap);
	assert_non_null(r);
	if (r->type == REDIS_REPLY_ERROR)
		fail_msg("'%s': %s", format, r->str);
	return r;
}

__attribute__((format(printf, 2, 3))) static inline long long server_number(struct server *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	redisReply *r = redisvCommand(s->raw, format, ap);
	va_end(ap);
	assert_non_null(r);
	if (r->type == REDIS_REPLY_ERROR)
		fail_msg("'%s': %s", format, r->str);
	long long n = r->type == REDIS_REPLY_INTEGER ? r->integer : r->type == REDIS_REPLY_STRING ? atoll(r->str) : -1;
	freeReplyObject(r);
	return n;
}

#endif
