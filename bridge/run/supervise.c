/* supervise.c: the order in which things start and stop.
 *
 *   start:  state_dir and its lock -> Redis (embedded) until it answers -> bridge -> worker ->
 * READY stop:   bridge (takes no more) -> worker (what runs has its grace) -> Redis, last reload:
 * everything is read and checked here first; only what is good is passed on as SIGHUP
 *
 * Owns the three parts, the lock on state_dir and the conversation with systemd. A part that ends
 * by itself is started again after a back-off, and none of the others with it: bridge and worker
 * wait for Redis themselves. A bridge or worker that has never been ready and ends with "bad
 * configuration" or "newer data" ends runbookd with the same status: starting again would not help.
 *
 * All parts die with this process, also on KILL (part.c). It opens no network socket and reads no
 * event.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/exit.h"
#include "base/log.h"
#include "flow/load.h"
#include "run/notify.h"
#include "run/part.h"
#include "run/redis_server.h"
#include "run/state_dir.h"
#include "run/supervise.h"

#define LOCK_WAIT_MS 500
#define EXTEND_EVERY_MS 10000 /* tell systemd that a slow start or stop goes on */
#define EXTEND_BY_MS 30000
#define SIGNALS 4

struct supervisor {
	uv_loop_t loop;
	const char *conf_path;
	struct conf *conf;
	struct arena arena; /* of command lines */
	struct part redis, bridge, worker;
	struct redis_server server;
	bool embedded;
	int lock;
	struct notify notify;
	uv_timer_t watchdog, extend;
	uv_signal_t signals[SIGNALS];
	bool said_ready;
	bool stopping;
	struct part *ending; /* the part that is being stopped */
	int status;
};

static void stop_next(struct supervisor *s);

/* ---- what systemd is told ---- */

static bool worker_wanted(const struct supervisor *s)
{
	return s->conf->worker.enabled;
}

static void status_text(const struct supervisor *s, char out[200])
{
	snprintf(out, 200, "redis %s, bridge %s, worker %s",
		s->embedded ? part_state_name(s->redis.state) : "external",
		part_state_name(s->bridge.state),
		worker_wanted(s) ? part_state_name(s->worker.state) : "off");
}

static void tell(struct supervisor *s)
{
	char text[200];

	status_text(s, text);
	if (!s->said_ready && !s->stopping && s->bridge.state == PART_READY &&
		(!worker_wanted(s) || s->worker.state == PART_READY)) {
		s->said_ready = true;
		log_kv(LOG_INFO, "ready", (char *)NULL);
		notify_ready(&s->notify, text);
		return;
	}
	notify_status(&s->notify, text);
}

static void on_watchdog(uv_timer_t *t)
{
	notify_watchdog(&((struct supervisor *)t->data)->notify);
}

static void on_extend(uv_timer_t *t)
{
	struct supervisor *s = t->data;

	if (!s->said_ready || s->stopping)
		notify_extend(&s->notify, EXTEND_BY_MS);
}

/* ---- parts ---- */

static void start_part(struct supervisor *s, struct part *p)
{
	struct err e;

	if (p == &s->redis) {
		redis_server_start(&s->server);
	} else if (part_start(p, &e) < 0) {
		log_kv(LOG_ERROR, "cannot start", "part", p->name, "error", e.text,
			(char *)NULL);
		part_start_later(p);
	}
}

static void on_ready(struct part *p)
{
	struct supervisor *s = p->ctx;

	log_kv(LOG_INFO, "is ready", "part", p->name, "pid", log_i64(p->pid), (char *)NULL);
	if (!s->stopping && p == &s->redis && s->bridge.state == PART_OFF)
		start_part(s, &s->bridge);
	if (!s->stopping && p == &s->bridge && s->worker.state == PART_OFF && worker_wanted(s))
		start_part(s, &s->worker);
	tell(s);
}

static void log_end(const struct part *p, int status, bool expected)
{
	bool killed = WIFSIGNALED(status);

	log_kv(expected ? LOG_INFO : LOG_WARN, "has ended", "part", p->name,
		killed ? "signal" : "status",
		log_i64(killed ? WTERMSIG(status) : WEXITSTATUS(status)), (char *)NULL);
}

static void stop(struct supervisor *s, int status, const char *why)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->status = status;
	log_kv(LOG_INFO, "stopping", "why", why, (char *)NULL);
	notify_stopping(&s->notify);
	stop_next(s);
}

/* A part that finds its files bad is started again, as any other: we have read them whole before we
 * started it, so they were changed since, and may be half written. */
static void on_end(struct part *p, int status)
{
	struct supervisor *s = p->ctx;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	bool unwanted = p == &s->worker && !worker_wanted(s);

	log_end(p, status, s->stopping || unwanted);
	if (p == &s->redis)
		redis_server_ended(&s->server);
	if (s->stopping) {
		stop_next(s);
	} else if (p != &s->redis && !p->was_ready && code == EXIT_NEWER) {
		stop(s, code, "redis holds data of a newer version");
	} else if (!unwanted) {
		part_start_later(p);
		log_kv(LOG_INFO, "will start it again", "part", p->name, "in_ms",
			log_i64(p->delay_ms), (char *)NULL);
	}
	tell(s);
}

static void on_due(struct part *p)
{
	start_part(p->ctx, p);
}

static void on_line(struct part *p, struct str line)
{
	redis_server_log(line, p->state == PART_READY);
}

static const struct part_calls calls = {on_ready, on_end, on_due, on_line};

/* ---- stopping ---- */

static void close_handles(struct supervisor *s)
{
	part_release(&s->bridge);
	part_release(&s->worker);
	part_release(&s->redis);
	if (s->embedded)
		redis_server_release(&s->server);
	uv_close((uv_handle_t *)&s->watchdog, NULL);
	uv_close((uv_handle_t *)&s->extend, NULL);
	for (size_t i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
}

/* The worker's grace, then a runbook's own, then some time for the results. */
static int64_t worker_stop_ms(const struct supervisor *s)
{
	return s->conf->worker.grace_ms + RUNBOOK_GRACE_MAX_MS + 30000;
}

/* The next part in order; when none is left, the end. */
static void stop_next(struct supervisor *s)
{
	struct part *const order[] = {&s->bridge, &s->worker, &s->redis};
	const int64_t within[] = {
		SUPERVISE_BRIDGE_STOP_MS, worker_stop_ms(s), SUPERVISE_REDIS_STOP_MS};

	if (s->ending && s->ending->pid)
		return;
	if (s->embedded && !s->redis.pid)
		redis_server_ended(&s->server); /* it may still wait to be started */
	for (size_t i = 0; i < 3; i++) {
		s->ending = order[i];
		part_stop(order[i], within[i]);
		if (order[i]->pid)
			return;
	}
	s->ending = NULL;
	close_handles(s);
}

/* Again: whatever it is that takes so long is to end now. */
static void hurry(struct supervisor *s)
{
	if (!s->ending)
		return;
	log_kv(LOG_WARN, "asked again to stop; ending at once", "part", s->ending->name,
		(char *)NULL);
	part_signal(s->ending, s->ending == &s->bridge ? SIGKILL : SIGTERM);
}

/* ---- reload ---- */

static void log_findings(const struct diags *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *f = &d->v[i];
		log_kv(f->kind == DIAG_ERROR ? LOG_ERROR : LOG_WARN, f->text, "file",
			f->file[0] ? f->file : NULL, "line", f->line ? log_i64(f->line) : NULL,
			"column", f->line ? log_i64(f->column) : NULL, (char *)NULL);
	}
}

static void take_conf(struct supervisor *s, struct conf *now)
{
	conf_free(s->conf);
	s->conf = now;
	log_init("runbookd", now->log.format, now->log.level);
	part_signal(&s->bridge, SIGHUP);
	if (worker_wanted(s) && s->worker.state == PART_OFF)
		start_part(s, &s->worker);
	else if (!worker_wanted(s))
		part_stop(&s->worker, worker_stop_ms(s));
	else
		part_signal(&s->worker, SIGHUP);
	log_kv(LOG_INFO, "reloaded", (char *)NULL);
}

static void reload(struct supervisor *s)
{
	char status[200] = "reload refused: the configuration before goes on";
	struct loaded *l;
	struct diags d;

	notify_reloading(&s->notify);
	diags_init(&d);
	l = load_all(s->conf_path, &d);
	if (l)
		conf_diff_restart(s->conf, l->conf, &d);
	log_findings(&d);
	diags_release(&d);
	if (l) {
		struct conf *now = l->conf;
		l->conf = NULL;
		loaded_free(l);
		take_conf(s, now);
		status_text(s, status);
	} else {
		log_kv(LOG_ERROR, "reload refused; the configuration before goes on", (char *)NULL);
	}
	malloc_trim(0);
	notify_ready(&s->notify, status);
}

/* ---- signals ---- */

/* Ours, and strangers' where we are process 1 of a container. */
static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!part_reaped(&s->redis, pid, status) && !part_reaped(&s->bridge, pid, status))
			part_reaped(&s->worker, pid, status);
	}
}

static void on_signal(uv_signal_t *h, int sig)
{
	struct supervisor *s = h->data;

	if (sig == SIGCHLD)
		reap(s);
	else if (sig == SIGHUP && !s->stopping)
		reload(s);
	else if (sig != SIGHUP && s->stopping)
		hurry(s);
	else if (sig != SIGHUP)
		stop(s, 0, sig == SIGINT ? "SIGINT" : "SIGTERM");
}

/* ---- starting ---- */

/* Beside this program, as in a build folder; else where it was installed to. */
static char *find_program(struct supervisor *s, const char *name)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		char *slash = strrchr(self, '/');
		struct str beside = arena_printf(
			&s->arena, "%.*s/%s", slash ? (int)(slash - self) : 0, self, name);
		if (beside.p && access(beside.p, X_OK) == 0)
			return (char *)beside.p;
	}
	struct str path = arena_printf(&s->arena, RB_BINDIR "/%s", name);
	return path.p && access(path.p, X_OK) == 0 ? (char *)path.p : NULL;
}

static int init_program(struct supervisor *s, struct part *p, const char *name, struct err *e)
{
	static char ready_fd[] = "--ready-fd", three[] = "3", conf_option[] = "-c";
	size_t n = 0;

	part_init(p, &s->loop, name, &calls, s);
	p->path = find_program(s, name);
	if (!p->path)
		return err_set(e, ERR_NOT_FOUND,
			"cannot find the program '%s', neither beside this one nor in '" RB_BINDIR
			"'; install it there",
			name);
	p->argv[n++] = p->path;
	if (s->conf_path) {
		p->argv[n++] = conf_option;
		p->argv[n++] = (char *)s->conf_path;
	}
	p->argv[n++] = ready_fd;
	p->argv[n++] = three;
	p->argv[n] = NULL;
	p->tells_ready = true;
	return 0;
}

static void init_timers(struct supervisor *s)
{
	static const int wanted[SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};

	uv_timer_init(&s->loop, &s->watchdog);
	uv_timer_init(&s->loop, &s->extend);
	s->watchdog.data = s->extend.data = s;
	if (s->notify.watchdog_ms)
		uv_timer_start(&s->watchdog, on_watchdog, 0, (uint64_t)s->notify.watchdog_ms);
	if (s->notify.fd >= 0)
		uv_timer_start(&s->extend, on_extend, EXTEND_EVERY_MS, EXTEND_EVERY_MS);
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, wanted[i]);
	}
}

static int start(struct supervisor *s, struct err *e)
{
	if (notify_open(&s->notify, e) < 0)
		log_kv(LOG_WARN, "cannot talk to systemd", "error", e->text, (char *)NULL);
	if (state_dir_make(s->conf->state_dir, e) < 0)
		return -1;
	s->lock = state_dir_lock(s->conf->state_dir, "runbookd", LOCK_WAIT_MS, e);
	if (s->lock < 0)
		return -1;
	uv_loop_init(&s->loop);
	part_init(&s->redis, &s->loop, "redis-server", &calls, s);
	s->embedded = s->conf->redis_embedded;
	if (init_program(s, &s->bridge, "runbook-bridge", e) < 0 ||
		init_program(s, &s->worker, "runbook-worker", e) < 0 ||
		(s->embedded && redis_server_init(&s->server, &s->redis, s->conf, e) < 0))
		return -1;
	init_timers(s);
	start_part(s, s->embedded ? &s->redis : &s->bridge);
	return 0;
}

int supervise_run(const struct supervise_options *o)
{
	static struct supervisor
		only; /* one a process; stays reachable where a start fails halfway */
	struct supervisor *s = &only;
	struct err e;

	s->conf = o->conf;
	s->conf_path = o->conf_path;
	arena_init(&s->arena, 1 << 16);
	if (start(s, &e) < 0) { /* the system takes back what was opened */
		log_kv(LOG_ERROR, "cannot start", "error", e.text, (char *)NULL);
		return EXIT_SYSTEM;
	}
	uv_run(&s->loop, UV_RUN_DEFAULT);
	log_kv(LOG_INFO, "stopped", (char *)NULL);
	uv_loop_close(&s->loop);
	notify_close(&s->notify);
	close(s->lock);
	arena_release(&s->arena);
	conf_free(s->conf);
	return s->status;
}
