/* worker.c: what claims runs and keeps their leases.
 *
 *   starting -> hello -> claiming until there is nothing -> waiting for work -> claiming ...
 *                                     (all slots taken: until one is free)
 *
 * Owns the connection's state, the slots, the leases and the ways to stop. One claim is under way
 * at a time, a wait for work counts as one; a run that was claimed is started before the next claim
 * is made. Leases are renewed in
 * one call for all runs, three times a lease. Where Redis is away nothing is stopped: whether a run
 * is still ours is answered by its fence, when Redis is back. A run that is not idempotent is never
 * started again by anyone, so no run is executed twice because its worker could not be heard.
 *
 * A run that somebody cancelled is named by the next heartbeat's answer, and is stopped: TERM, its
 * grace, KILL. So that this is soon, the worker waits to be called along with its wait for work, or
 * for that alone while no slot is free, and then makes a heartbeat at once.
 *
 * Where another worker has our name (another state_dir on the same Redis), no run is claimed until
 * it is gone; what we hold we keep and finish.
 *
 * Stopping: no more claims; what runs has worker.grace, then TERM, its own grace, KILL; a second
 * signal: KILL at once. Results are sent until Redis has them.
 *
 * It listens on nothing. What a run may do is in prepare.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "flow/load.h"
#include "flow/watch.h"
#include "run/artifacts.h"
#include "run/contain.h"
#include "run/job.h"
#include "run/shelf.h"
#include "run/state_dir.h"
#include "run/runas.h"
#include "run/worker.h"
#include "store/store.h"

#define REDIS_PATIENCE_MS 5000 /* nobody waits for our answers: a slow Redis is worth waiting for  \
				*/
#define SWEEP_FIRST_MS 60000   /* old artifacts: when first, and then how often */
#define SWEEP_EVERY_MS 3600000
#define SWEEP_AT_ONCE 1000
#define AHEAD_MS 5 /* after a start: when the next one is prepared, in the way of neither */
#define HELLO_AGAIN_MS 1000
#define NAME_AGAIN_MS 3000 /* where the name is another worker's */
#define STOP_LOOK_MS 50
#define SIGNALS 3

struct worker {
	uv_loop_t loop;
	struct job_host host;
	const char *conf_path;
	struct conf *conf;
	struct arena names; /* of the pools */
	char *state_dir;    /* as at the start */
	struct str *pools;
	size_t pools_n;
	char host_name[256];
	char name[400]; /* "host" or "host.suffix" */
	char instance[ID_LEN + 1];
	char home[ID_LEN + 1]; /* of the state_dir, and of the name in it */
	int ready_fd;
	int lock;

	struct job *jobs;
	size_t jobs_n;
	bool hello_done, helloing, claiming, waiting, beating;
	bool beat_again;   /* it was called while a heartbeat was under way */
	bool waits_called; /* the wait under way is only for being called: no slot is free */
	bool said_down;
	bool refused;		/* its name is another worker's */
	struct job **beat_jobs; /* the jobs of the heartbeat under way; NULL: ended since */
	size_t beat_n;

	struct watch *watch; /* the configuration's file */
	uv_timer_t heartbeat, again, sweep, ahead, stop_timer;
	uv_signal_t signals[SIGNALS];
	bool stopping, ended, killed,
		closing; /* no claims; TERM was sent; KILL was; the store is being closed */
	int64_t stop_ms; /* since when */
	int64_t idle_ms; /* since when only Redis is waited for; 0: it is not */
	int status;
};

static void pump(struct worker *w);

/* ---- pools ---- */

static void add_pool(struct worker *w, struct str name)
{
	for (size_t i = 0; i < w->pools_n; i++) {
		if (str_eq(w->pools[i], name))
			return;
	}
	w->pools[w->pools_n++] = name;
}

/* Those of the configuration, and this host's own, by its name and by the first part of it. */
static int make_pools(struct worker *w, struct err *e)
{
	const struct conf_list *list = &w->conf->worker.pools;
	const char *dot = strchr(w->host_name, '.');

	arena_reset(&w->names);
	w->pools_n = 0;
	w->pools = arena_array(&w->names, list->n + 2, sizeof(*w->pools));
	struct str full = arena_printf(&w->names, "host:%s", w->host_name);
	struct str part = arena_printf(
		&w->names, "host:%.*s", dot ? (int)(dot - w->host_name) : 255, w->host_name);
	if (!w->pools || !full.p || !part.p)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < list->n; i++)
		add_pool(w, arena_strdup(&w->names, list->v[i].text));
	add_pool(w, full);
	add_pool(w, part);
	return arena_failed(&w->names) ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}

/* ---- jobs ---- */

static void add_job(struct worker *w, struct job *j)
{
	job_set_next(j, w->jobs);
	w->jobs = j;
	w->jobs_n++;
}

static void on_job_done(struct job_host *h, struct job *j)
{
	struct worker *w = h->loop->data;

	if (w->jobs == j) {
		w->jobs = job_next(j);
	} else {
		for (struct job *at = w->jobs; at; at = job_next(at)) {
			if (job_next(at) == j) {
				job_set_next(at, job_next(j));
				break;
			}
		}
	}
	w->jobs_n--;
	for (size_t i = 0; i < w->beat_n; i++) {
		if (w->beat_jobs[i] == j)
			w->beat_jobs[i] = NULL;
	}
	pump(w);
}

static void stop_jobs(struct worker *w, enum job_stop how)
{
	for (struct job *j = w->jobs, *next; j; j = next) {
		next = job_next(j);
		job_stop(j, how);
	}
}

/* ---- claiming ---- */

static void hello(struct worker *w);

static void on_again(uv_timer_t *t)
{
	struct worker *w = t->data;

	if (w->hello_done)
		pump(w);
	else if (store_up(w->host.store))
		hello(w);
}

static void pump_in(struct worker *w, uint64_t ms)
{
	if (!w->closing)
		uv_timer_start(&w->again, on_again, ms, 0);
}

/* We were silent so long that it went back to the queue, and have it again: what still runs of it
 * must not. */
static void lose_earlier(struct worker *w, struct str run)
{
	for (struct job *j = w->jobs, *next; j; j = next) {
		next = job_next(j);
		if (str_eq(job_held(j).run, run))
			job_stop(j, JOB_LOST);
	}
}

static void on_ahead(uv_timer_t *t)
{
	struct worker *w = t->data;

	artifacts_ahead_make(w->host.ahead);
}

static void take(struct worker *w, const struct store_claimed *c)
{
	struct err why;

	lose_earlier(w, c->run);
	struct job *j = job_start(&w->host, c, w->stopping, &why);
	uv_timer_start(&w->ahead, on_ahead, AHEAD_MS, 0);
	if (j)
		add_job(w, j);
	else
		log_kv(LOG_ERROR, "cannot take a run", "error", why.text, (char *)NULL);
}

static void beat(struct worker *w);

static void claim_failed(struct worker *w, const struct err *e)
{
	if (e->code != ERR_AWAY)
		log_kv(LOG_ERROR, "cannot claim", "error", e->text, (char *)NULL);
	pump_in(w, JOB_AGAIN_MS);
}

static void on_waited(void *ctx, const struct err *e, const struct store_claimed *c)
{
	struct worker *w = ctx;

	w->waiting = false;
	if (e) {
		claim_failed(w, e);
		return;
	}
	if (c->called)
		beat(w);
	if (c->run.n)
		take(w, c);
	pump(w);
}

/* Without a free slot it only waits to be called. */
static void wait_work(struct worker *w, bool full)
{
	struct err e;

	w->waiting = true;
	w->waits_called = full;
	if (store_claim_wait(w->host.store, w->host.name, str_of(w->instance), w->pools,
		    full ? 0 : w->pools_n, w->conf->worker.lease_ms, WORKER_WAIT_WORK_MS, on_waited,
		    w, &e) < 0)
		on_waited(w, &e, NULL);
}

static void on_claim(void *ctx, const struct err *e, const struct store_claimed *c)
{
	struct worker *w = ctx;

	w->claiming = false;
	if (e) {
		claim_failed(w, e);
	} else if (c->run.n) {
		take(w, c);
		pump(w);
	} else if (!w->stopping && !w->waiting) {
		wait_work(w, false);
	} else if (w->waits_called) {
		store_claim_wake(w->host.store); /* for the other wait */
	}
}

/* Claims, where there is a slot and no reason not to. A wait for work that is under way claims by
 * itself. */
static void pump(struct worker *w)
{
	bool full = (int64_t)w->jobs_n >= w->conf->worker.slots;
	struct err e;

	if (!w->hello_done || w->claiming || w->stopping || !store_up(w->host.store) ||
		(w->waiting && (full || !w->waits_called)))
		return;
	if (full) {
		wait_work(w, true);
		return;
	}
	w->claiming = true;
	if (store_claim(w->host.store, w->host.name, str_of(w->instance), w->pools, w->pools_n,
		    w->conf->worker.lease_ms, on_claim, w, &e) < 0) {
		w->claiming = false;
		pump_in(w, JOB_AGAIN_MS);
	}
}

/* ---- leases ---- */

static void stop_beaten(
	struct worker *w, const size_t *at, size_t n, enum job_stop how, const char *what)
{
	for (size_t i = 0; i < n; i++) {
		struct job *j = at[i] < w->beat_n ? w->beat_jobs[at[i]] : NULL;
		if (!j)
			continue;
		log_kv(LOG_WARN, what, "run", job_held(j).run.p, (char *)NULL);
		job_stop(j, how);
	}
}

static void on_heartbeat(void *ctx, const struct err *e, const struct store_beat *b)
{
	struct worker *w = ctx;
	bool again = w->beat_again;

	w->beating = w->beat_again = false;
	if (!e) {
		stop_beaten(w, b->lost, b->lost_n, JOB_LOST, "the run was taken from this worker");
		stop_beaten(w, b->cancel, b->cancel_n, JOB_CANCEL, "the run is cancelled");
	}
	if (e && e->code != ERR_AWAY)
		log_kv(LOG_ERROR, "cannot renew leases", "error", e->text, (char *)NULL);
	free(w->beat_jobs);
	w->beat_jobs = NULL;
	w->beat_n = 0;
	if (again)
		beat(w);
}

static void beat(struct worker *w)
{
	struct store_held *held;
	struct err e;

	w->beat_again = w->beating;
	if ((!w->hello_done && !w->refused) || w->beating || w->closing || !store_up(w->host.store))
		return;
	held = calloc(w->jobs_n + 1, sizeof(*held));
	w->beat_jobs = calloc(w->jobs_n + 1, sizeof(*w->beat_jobs));
	if (!held || !w->beat_jobs) {
		free(w->beat_jobs);
		w->beat_jobs = NULL;
	} else {
		for (struct job *j = w->jobs; j; j = job_next(j)) {
			held[w->beat_n] = job_held(j);
			w->beat_jobs[w->beat_n++] = j;
		}
		w->beating = true;
		if (store_heartbeat(w->host.store, w->host.name, str_of(w->instance), held,
			    w->beat_n, w->conf->worker.lease_ms, on_heartbeat, w, &e) < 0)
			on_heartbeat(w, &e, NULL);
	}
	free(held);
}

static void on_beat(uv_timer_t *t)
{
	beat(t->data);
}

static void set_heartbeat(struct worker *w)
{
	uint64_t every = (uint64_t)w->conf->worker.lease_ms / 3;

	uv_timer_start(&w->heartbeat, on_beat, every, every);
}

/* ---- hello ---- */

static void say_ready(struct worker *w)
{
	if (w->ready_fd < 0)
		return;
	if (write(w->ready_fd, "r", 1) != 1)
		log_kv(LOG_WARN, "cannot say that this worker is ready", "error", strerror(errno),
			(char *)NULL);
	close(w->ready_fd);
	w->ready_fd = -1;
}

static void go_on_with_jobs(struct worker *w)
{
	beat(w);
	for (struct job *j = w->jobs, *next; j; j = next) {
		next = job_next(j);
		job_store_up(j);
	}
}

static void name_taken(struct worker *w, const struct err *e)
{
	if (!w->refused)
		log_kv(LOG_ERROR, "cannot claim runs; trying again every few seconds", "error",
			e->text, (char *)NULL);
	w->refused = true;
	go_on_with_jobs(w);
	pump_in(w, NAME_AGAIN_MS);
}

static void on_hello(void *ctx, const struct err *e)
{
	struct worker *w = ctx;

	w->helloing = false;
	if (e && e->code == ERR_CONFLICT) {
		name_taken(w, e);
		return;
	}
	if (e) {
		if (e->code != ERR_AWAY)
			log_kv(LOG_ERROR, "cannot say hello", "error", e->text, (char *)NULL);
		pump_in(w, HELLO_AGAIN_MS);
		return;
	}
	if (w->refused)
		log_kv(LOG_INFO, "the name is free now", "name", w->name, (char *)NULL);
	w->refused = false;
	w->hello_done = true;
	say_ready(w);
	go_on_with_jobs(w);
	pump(w);
}

/* After each connection: Redis may have been restored from a state that does not know us. */
static void hello(struct worker *w)
{
	struct err e;

	if (w->helloing || w->closing)
		return;
	w->helloing = true;
	w->hello_done = false;
	if (store_worker_hello(w->host.store, w->host.name, str_of(w->instance), str_of(w->home),
		    w->pools, w->pools_n, w->conf->worker.lease_ms, on_hello, w, &e) < 0)
		on_hello(w, &e);
}

/* ---- the end ---- */

static void on_store_closed(void *ctx)
{
	struct worker *w = ctx;

	for (size_t i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&w->signals[i], NULL);
	uv_close((uv_handle_t *)&w->heartbeat, NULL);
	uv_close((uv_handle_t *)&w->again, NULL);
	uv_close((uv_handle_t *)&w->sweep, NULL);
	uv_close((uv_handle_t *)&w->ahead, NULL);
	uv_close((uv_handle_t *)&w->stop_timer, NULL);
}

static void close_all(struct worker *w)
{
	if (w->closing)
		return;
	w->closing = true;
	watch_close(w->watch);
	store_close(w->host.store, on_store_closed, w);
}

static size_t running_jobs(const struct worker *w)
{
	size_t n = 0;

	for (const struct job *j = w->jobs; j; j = job_next(j))
		n += job_running(j);
	return n;
}

/* A slow answer is one to wait for; where none comes, the store says so in the end. */
static bool answer_is_owed(const struct worker *w)
{
	bool owed = w->claiming || w->waiting;

	for (const struct job *j = w->jobs; j; j = job_next(j))
		owed = owed || job_calling(j);
	return owed;
}

/* Results that nobody takes. What was executed is dead; the guard and the kernel see to the rest.
 */
static _Noreturn void give_up(struct worker *w)
{
	if (w->jobs_n)
		log_kv(LOG_ERROR,
			"stopping without redis; its leases decide about what it did not hear of",
			"runs", log_i64((long long)w->jobs_n), (char *)NULL);
	_exit(w->status);
}

/* While stopping: what is due now. */
static void on_stop_timer(uv_timer_t *t)
{
	struct worker *w = t->data;
	int64_t now = clock_mono_ms();

	if (w->closing)
		return;
	store_claim_wake(w->host.store); /* it may be given a run, which goes back */
	if (!w->jobs_n && !w->claiming && !w->waiting) {
		close_all(w);
		return;
	}
	if (w->killed) {
		stop_jobs(w, JOB_STOP_KILL);
	} else if (!w->ended && now - w->stop_ms >= w->conf->worker.grace_ms) {
		w->ended = true;
		log_kv(LOG_WARN, "worker.grace is over; ending what runs", "runs",
			log_i64((long long)running_jobs(w)), (char *)NULL);
		stop_jobs(w, JOB_STOP_TERM);
	}
	if (running_jobs(w))
		w->idle_ms = 0;
	else if (!w->idle_ms)
		w->idle_ms = now;
	else if (now - w->idle_ms >= WORKER_RESULT_WAIT_MS && !answer_is_owed(w))
		give_up(w);
}

static void stop(struct worker *w, const char *why, bool at_once)
{
	if (w->killed || w->closing)
		return;
	w->killed = at_once;
	if (!w->stopping)
		w->stop_ms = clock_mono_ms();
	w->stopping = true;
	log_kv(LOG_INFO, at_once ? "stopping at once" : "stopping", "why", why, "runs",
		log_i64((long long)w->jobs_n), (char *)NULL);
	uv_timer_start(&w->stop_timer, on_stop_timer, 0, STOP_LOOK_MS);
}

/* ---- signals and reload ---- */

static void log_findings(const struct diags *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *f = &d->v[i];
		log_kv(f->kind == DIAG_ERROR ? LOG_ERROR : LOG_WARN, f->text, "file",
			f->file[0] ? f->file : NULL, "line", f->line ? log_i64(f->line) : NULL,
			"column", f->line ? log_i64(f->column) : NULL, (char *)NULL);
	}
}

static bool same_conf(const struct conf *a, const struct conf *b)
{
	struct buf x, y;

	buf_init(&x, BUF_NO_LIMIT);
	buf_init(&y, BUF_NO_LIMIT);
	conf_dump(a, &x);
	conf_dump(b, &y);
	bool same = str_eq(buf_as_str(&x), buf_as_str(&y));
	buf_release(&x);
	buf_release(&y);
	return same;
}

static void watch_conf(struct worker *w)
{
	watch_set(w->watch, &w->conf->path, w->conf->path.n ? 1 : 0);
}

static void take_conf(struct worker *w, struct conf *now)
{
	struct err e;

	conf_free(w->conf);
	w->conf = now;
	w->host.conf = now;
	shelf_clear(w->host.shelf);
	log_init("runbook-worker", now->log.format, now->log.level);
	if (make_pools(w, &e) < 0)
		log_kv(LOG_ERROR, "cannot reload the pools", "error", e.text, (char *)NULL);
	set_heartbeat(w);
	store_claim_wake(w->host.store); /* it waits in the pools from before */
	log_kv(LOG_INFO, "reloaded", "slots", log_i64(now->worker.slots), "pools",
		log_i64((long long)w->pools_n), (char *)NULL);
	if (store_up(w->host.store))
		hello(w);
}

/* quiet: nothing is said where nothing changed. */
static void reload(struct worker *w, bool quiet)
{
	struct conf *now;
	struct diags d;

	diags_init(&d);
	watch_conf(w); /* before it is read, so that no change falls between */
	now = load_conf(w->conf_path, &d);
	if (now && quiet && same_conf(w->conf, now)) {
		conf_free(now);
		diags_release(&d);
		return;
	}
	if (now)
		conf_diff_restart(w->conf, now, &d);
	log_findings(&d);
	diags_release(&d);
	if (now)
		take_conf(w, now);
	else
		log_kv(LOG_ERROR, "reload refused; the configuration before goes on", (char *)NULL);
	watch_conf(w);
}

static void on_conf_changed(void *ctx)
{
	struct worker *w = ctx;

	if (!w->stopping)
		reload(w, true);
}

static void on_signal(uv_signal_t *handle, int sig)
{
	struct worker *w = handle->data;

	if (sig != SIGHUP)
		stop(w, sig == SIGINT ? "SIGINT" : "SIGTERM", w->stopping);
	else if (!w->stopping)
		reload(w, false);
}

static void watch_signals(struct worker *w)
{
	static const int wanted[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&w->loop, &w->signals[i]);
		w->signals[i].data = w;
		uv_signal_start(&w->signals[i], on_signal, wanted[i]);
	}
}

/* ---- the start ---- */

static void on_store_state(void *ctx, bool up, const struct err *why)
{
	struct worker *w = ctx;

	if (up) {
		log_kv(LOG_INFO, "redis answers", (char *)NULL);
		w->said_down = false;
		hello(w);
	} else if (why && why->code == ERR_VERSION) {
		log_kv(LOG_ERROR, "cannot use this redis", "error", why->text, (char *)NULL);
		w->status = EXIT_NEWER;
		stop(w, "redis holds data of a newer version", true);
	} else if (!w->said_down && !w->closing) {
		w->said_down = true;
		log_kv(LOG_WARN, "redis is away", "error", why ? why->text : NULL, (char *)NULL);
	}
}

static void on_sweep(uv_timer_t *t)
{
	struct worker *w = t->data;
	size_t gone = artifacts_sweep(w->host.state_dir,
		clock_wall_ms() - w->conf->incidents.retention_ms, SWEEP_AT_ONCE);

	if (gone)
		log_kv(LOG_INFO, "removed old artifacts", "runs", log_i64((long long)gone),
			(char *)NULL);
}

/* That worker.user is missing should be known before the first run that needs it. */
static void warn_of_user(const struct worker *w)
{
	struct runas user;
	struct arena a;
	struct err e;

	arena_init(&a, (size_t)4 << 20);
	if (runas_find(NULL, &user, &a, STR_NONE, w->conf->worker.user, &e) < 0)
		log_kv(LOG_WARN, "runbooks that name no user cannot run", "error", e.text,
			(char *)NULL);
	arena_release(&a);
}

static int open_store(struct worker *w, struct err *e)
{
	struct store_options o = {
		.loop = &w->loop,
		.address = w->conf->redis.text,
		.namespace_ = w->conf->namespace_,
		.slow_after_ms = w->conf->redis_slow_after_ms < REDIS_PATIENCE_MS
					 ? REDIS_PATIENCE_MS
					 : w->conf->redis_slow_after_ms,
		.blocking = true,
		.on_state = on_store_state,
		.ctx = w,
	};
	struct arena a;

	arena_init(&a, 1 << 16);
	if (w->conf->redis_embedded)
		o.address = arena_printf(&a, "unix:%.*s/redis.sock", STR_ARG(w->conf->state_dir));
	w->host.store = o.address.p ? store_new(&o, e) : NULL;
	if (!o.address.p)
		err_set(e, ERR_NOMEM, "the path of state_dir is too long");
	arena_release(&a);
	return w->host.store ? 0 : -1;
}

/* "host" or "host.suffix"; the lock's name follows it, so that two names may share a state_dir. */
static int take_name(struct worker *w, const char *suffix, struct err *e)
{
	char lock[128] = "worker";

	if (gethostname(w->host_name, sizeof(w->host_name) - 1) < 0)
		return err_sys(e, "cannot learn this host's name");
	snprintf(w->name, sizeof(w->name), "%s%s%s", w->host_name, suffix ? "." : "",
		suffix ? suffix : "");
	w->host.name = str_of(w->name);
	if (suffix)
		snprintf(lock, sizeof(lock), "worker-%s", suffix);
	w->state_dir = strndup(w->conf->state_dir.p, w->conf->state_dir.n);
	if (!w->state_dir)
		return err_set(e, ERR_NOMEM, "out of memory");
	w->host.state_dir = str_of(w->state_dir);
	if (state_dir_make(w->host.state_dir, e) < 0)
		return -1;
	w->lock = state_dir_lock(w->host.state_dir, lock, STATE_DIR_LOCK_WAIT_MS, e);
	return w->lock < 0 ? -1 : state_dir_id(w->host.state_dir, lock, w->home, e);
}

static int open_contain(struct worker *w, struct err *e)
{
	char tag[17];
	uint64_t h = hash_fnv1a(HASH_FNV1A_START, w->conf->state_dir.p, w->conf->state_dir.n);

	h = hash_fnv1a(h, w->name, strlen(w->name));
	snprintf(tag, sizeof(tag), "%016llx", (unsigned long long)h);
	id_new(clock_wall_ms(), w->instance);
	w->host.contain = contain_new(CONTAIN_AUTO, tag, w->instance, e);
	return w->host.contain ? 0 : -1;
}

static void start_timers(struct worker *w)
{
	uv_timer_init(&w->loop, &w->heartbeat);
	uv_timer_init(&w->loop, &w->again);
	uv_timer_init(&w->loop, &w->sweep);
	uv_timer_init(&w->loop, &w->ahead);
	uv_timer_init(&w->loop, &w->stop_timer);
	w->heartbeat.data = w->again.data = w->sweep.data = w->ahead.data = w->stop_timer.data = w;
	set_heartbeat(w);
	uv_timer_start(&w->sweep, on_sweep, SWEEP_FIRST_MS, SWEEP_EVERY_MS);
	uv_timer_start(&w->ahead, on_ahead, AHEAD_MS, 0);
	watch_signals(w);
}

/* What an earlier instance left is dead before anything is claimed: open_contain sees to it, and
 * comes first. */
static int start(struct worker *w, const struct worker_options *o, struct err *e)
{
	if (take_name(w, o->suffix, e) < 0 || open_contain(w, e) < 0 || make_pools(w, e) < 0)
		return -1;
	w->host.shelf = shelf_new();
	w->host.users = runas_book_new();
	w->host.ahead = artifacts_ahead_new(w->host.state_dir, str_of(w->instance));
	if (!w->host.shelf || !w->host.users || !w->host.ahead)
		return err_set(e, ERR_NOMEM, "out of memory");
	uv_loop_init(&w->loop);
	w->loop.data = w;
	w->host.loop = &w->loop;
	w->host.conf = w->conf;
	w->host.environment = environ;
	w->host.on_done = on_job_done;
	w->watch = watch_new(&w->loop, on_conf_changed, w);
	if (!w->watch)
		return err_set(e, ERR_NOMEM, "out of memory");
	watch_conf(w);
	if (open_store(w, e) < 0)
		return -1;
	start_timers(w);
	warn_of_user(w);
	log_kv(LOG_INFO, "worker started", "name", w->name, "slots", log_i64(w->conf->worker.slots),
		"containment", contain_mode_name(contain_mode(w->host.contain)), (char *)NULL);
	return 0;
}

int worker_run(const struct worker_options *o)
{
	static struct worker only; /* one a process; stays reachable where a start fails halfway */
	struct worker *w = &only;
	struct err e;

	w->conf = o->conf;
	w->conf_path = o->conf_path;
	w->ready_fd = o->ready_fd;
	w->lock = -1;
	arena_init(&w->names, 1 << 20);
	if (start(w, o, &e) < 0) { /* the system takes back what was opened */
		log_kv(LOG_ERROR, "cannot start", "error", e.text, (char *)NULL);
		return EXIT_SYSTEM;
	}
	uv_run(&w->loop, UV_RUN_DEFAULT);
	uv_loop_close(&w->loop);
	contain_free(w->host.contain);
	artifacts_ahead_free(w->host.ahead);
	shelf_free(w->host.shelf);
	runas_book_free(w->host.users);
	arena_release(&w->names);
	conf_free(w->conf);
	close(w->lock);
	free(w->state_dir);
	return w->status;
}
