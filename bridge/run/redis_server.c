/* redis_server.c: start the embedded Redis, safely, and know when it answers.
 *
 * Two servers on one append-only file would ruin it. So the server holds a lock on
 * state_dir/redis.lock through a descriptor that it inherits: the lock goes when the last process
 * that has the files open is gone, even if runbookd was killed and its server, for a moment, was
 * not. A new one is started only then.
 *
 * "It answers" means a PONG over the socket; while it loads its file it says LOADING, for as long
 * as that takes. The conversation is these two words; everything else about Redis is in store/.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "run/redis_program.h"
#include "run/redis_server.h"

#define LOOK_FAST_MS 5 /* in the first second */
#define LOOK_SLOW_MS 50
#define LOOK_FAST_FOR_MS 1000

static void fill_in(struct redis_server *r, struct part *p, const struct conf *c)
{
	const char *args[] = {
		REDIS_PROGRAM,
		"--port",
		"0",
		"--unixsocket",
		r->socket.p,
		"--unixsocketperm",
		"700",
		"--daemonize",
		"no",
		"--supervised",
		"no",
		"--appendonly",
		"yes",
		"--appendfsync",
		c->redis_fsync == CONF_FSYNC_EVERYSEC ? "everysec" : "always",
		"--no-appendfsync-on-rewrite",
		"no",
		"--auto-aof-rewrite-percentage",
		"100",
		"--auto-aof-rewrite-min-size",
		"256mb",
		"--save",
		"",
		"--maxmemory",
		"0",
		"--databases",
		"1",
		"--loglevel",
		"warning",
		"--logfile",
		"",
	};
	size_t n = sizeof(args) / sizeof(args[0]);

	_Static_assert(sizeof(args) / sizeof(args[0]) < PART_ARGS, "no room for the arguments");
	for (size_t i = 0; i < n; i++)
		p->argv[i] = (char *)args[i];
	p->argv[n] = NULL;
	p->relay = true;
}

int redis_server_init(struct redis_server *r, struct part *p, const struct conf *c, struct err *e)
{
	struct sockaddr_un a;

	*r = (struct redis_server){.part = p, .lock = -1, .ping = -1};
	arena_init(&r->arena, 1 << 20);
	uv_timer_init(p->loop, &r->timer);
	r->timer.data = r;
	r->socket = arena_printf(&r->arena, "%.*s/redis.sock", STR_ARG(c->state_dir));
	r->lock_path = arena_printf(&r->arena, "%.*s/redis.lock", STR_ARG(c->state_dir));
	struct str dir = arena_printf(&r->arena, "%.*s/redis", STR_ARG(c->state_dir));
	struct str path = redis_program_find(&r->arena);
	if (!r->socket.p || !r->lock_path.p || !dir.p)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (r->socket.n >= sizeof(a.sun_path))
		return err_set(e, ERR_INPUT,
			"the path of the socket '%s' is too long for the system (%zu bytes at "
			"most); "
			"set a shorter state_dir",
			r->socket.p, sizeof(a.sun_path) - 1);
	if (!path.p)
		return err_set(e, ERR_INPUT,
			"`redis: embedded` needs the program " REDIS_PROGRAM
			", which is not in PATH; install "
			"it (Debian: apt install redis-server), or set `redis:` to the address of "
			"a server");
	if (file_mkdirs(dir.p, 0700, e) < 0)
		return -1;
	p->path = (char *)path.p;
	p->dir = dir.p;
	fill_in(r, p, c);
	return 0;
}

/* ---- does it answer? ---- */

static void hang_up(struct redis_server *r)
{
	if (r->ping >= 0)
		close(r->ping);
	r->ping = -1;
}

static void ask(struct redis_server *r)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	static const char question[] = "PING\r\n";

	r->ping = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->ping < 0)
		return;
	memcpy(to.sun_path, r->socket.p, r->socket.n);
	if (connect(r->ping, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
		send(r->ping, question, sizeof(question) - 1, MSG_NOSIGNAL) !=
			(ssize_t)sizeof(question) - 1)
		hang_up(r);
}

static bool answered(struct redis_server *r)
{
	char text[64];

	if (r->ping < 0) {
		ask(r);
		return false;
	}
	ssize_t n = read(r->ping, text, sizeof(text));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	hang_up(r);
	return n >= 5 && memcmp(text, "+PONG", 5) == 0;
}

/* ---- starting ---- */

static void on_timer(uv_timer_t *t);

static void look_again(struct redis_server *r)
{
	bool fast = clock_mono_ms() - r->since_ms < LOOK_FAST_FOR_MS;

	uv_timer_start(&r->timer, on_timer, fast ? LOOK_FAST_MS : LOOK_SLOW_MS, 0);
}

/* The lock stays with us, over restarts of the server, and with each server that inherits it. */
static bool take_lock(struct redis_server *r)
{
	if (r->part->keep_fd >= 0)
		return true;
	if (r->lock < 0)
		r->lock = open(r->lock_path.p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->lock < 0 || flock(r->lock, LOCK_EX | LOCK_NB) < 0) {
		if (!r->said_waiting)
			log_kv(LOG_WARN,
				"waiting for the redis-server of an earlier runbookd to end",
				"lock", r->lock_path.p, "error", strerror(errno), (char *)NULL);
		r->said_waiting = true;
		return false;
	}
	r->part->keep_fd = r->lock;
	return true;
}

static void on_timer(uv_timer_t *t)
{
	struct redis_server *r = t->data;
	struct part *p = r->part;
	struct err e;

	if (p->state == PART_STARTING && answered(r)) {
		part_is_ready(p);
		return;
	}
	if (!p->pid && take_lock(r) && part_start(p, &e) < 0) {
		log_kv(LOG_ERROR, "cannot start redis-server", "error", e.text, (char *)NULL);
		part_start_later(p);
		return;
	}
	look_again(r);
}

void redis_server_start(struct redis_server *r)
{
	r->since_ms = clock_mono_ms();
	r->part->state = PART_STARTING;
	on_timer(&r->timer);
}

void redis_server_ended(struct redis_server *r)
{
	uv_timer_stop(&r->timer);
	hang_up(r);
}

void redis_server_release(struct redis_server *r)
{
	redis_server_ended(r);
	if (r->lock >= 0)
		close(r->lock);
	uv_close((uv_handle_t *)&r->timer, NULL);
	arena_release(&r->arena);
}

/* "123:M 22 Nov 2026 21:00:00.000 # text": the sign before the text is the level, and # also marks
 * its greetings. */
void redis_server_log(struct str line, bool started)
{
	struct arena a;
	enum log_level level = LOG_INFO;
	size_t at = 0, words = 0;

	while (at < line.n && words < 5)
		words += line.p[at++] == ' ';
	if (words == 5 && at + 1 < line.n && memchr("#*-.", line.p[at], 4) &&
		line.p[at + 1] == ' ') {
		bool loud = line.p[at] == '#';
		line = (struct str){line.p + at + 2, line.n - at - 2};
		level = loud && (started || str_starts(line, STR("WARNING"))) ? LOG_WARN
									      : LOG_DEBUG;
	}
	arena_init(&a, 1 << 16);
	struct str text = arena_strdup(&a, line);
	if (text.p && text.n)
		log_kv(level, "redis-server says", "text", text.p, (char *)NULL);
	arena_release(&a);
}
