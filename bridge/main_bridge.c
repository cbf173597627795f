/* main_bridge.c: runbook-bridge: HTTP in, events through the rules, into Redis.
 *
 * Wiring only: options, signals, and who is started and ended in which order.
 *   start:  configuration and rules (all or nothing), state_dir, store, listeners, clockwork
 *   reload: everything is read again, beside the loop (flow/reload.c); one pointer is swapped when all
 *           of it is good, and the old rules are freed once no request holds them any more
 *   stop:   the listeners close, requests and pieces of syslog under way end, then clockwork and
 *           store, then the connections
 *
 * This program parses what the network sends, so it starts no other program: it imports no exec,
 * fork or spawn. Exit status: 0 stopped by a signal, 1 the system said no, 2 usage, 3 bad
 * configuration, 4 Redis holds data of a newer version (starting again does not help).
 */
#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "flow/ingest.h"
#include "flow/load.h"
#include "flow/reload.h"
#include "flow/tick.h"
#include "flow/watch.h"
#include "http/server.h"
#include "main_options.h"
#include "store/store.h"
#include "syslog/server.h"

#define STOP_WITHIN_MS 10000 /* for requests under way */
/* One that loads, one that gets files, and one more should a name of Redis be slow to resolve. */
#define LOADING_THREADS "3"

struct bridge {
	uv_loop_t loop;
	const char *conf_path;
	struct loaded *loaded;
	struct ingest_ctx ic;
	struct server *server;
	struct syslog_server *syslog;
	struct sns_gate *sns; /* NULL: nobody asked for it */
	bool sns_closed;
	struct tick *tick;
	struct watch *watch;
	struct reload *reload;
	uv_signal_t signals[3];
	int ready_fd;
	bool was_up, said_down, tick_failed;
	uint64_t changes; /* of files, seen when the last load began */
	bool put_off;     /* the last load was let go of */
	char unaudited[RELOAD_WHO_MAX]; /* who reloaded while Redis was away; "" */
	bool stopping;
	int draining, closing; /* listeners; then tick and store; then connections */
	int status;
};

/* ---- starting and ending ---- */

static void on_closed(void *ctx)
{
	struct bridge *b = ctx;

	for (size_t i = 0; i < sizeof(b->signals) / sizeof(b->signals[0]); i++)
		uv_close((uv_handle_t *)&b->signals[i], NULL);
}

static void on_server_closed(void *ctx)
{
	struct bridge *b = ctx;

	if (--b->closing == 0)
		on_closed(b);
}

static void on_part_closed(void *ctx)
{
	struct bridge *b = ctx;

	if (--b->closing > 0)
		return;
	b->closing = 2;
	syslog_close(b->syslog, on_server_closed, b);
	server_close(b->server, on_server_closed, b);
}

static void on_drained(void *ctx)
{
	struct bridge *b = ctx;

	if (--b->draining > 0)
		return;
	reload_close(b->reload);
	b->closing = 2 + (b->sns != NULL);
	if (b->sns)
		sns_gate_close(b->sns, on_part_closed, b);
	b->sns_closed = true;
	tick_close(b->tick, on_part_closed, b);
	store_close(b->ic.store, on_part_closed, b);
}

static void stop(struct bridge *b, int status, const char *why)
{
	if (b->stopping)
		return;
	log_kv(LOG_INFO, "stopping", "why", why, (char *)NULL);
	b->stopping = true;
	b->status = status;
	watch_close(b->watch);
	b->draining = 2;
	syslog_drain(b->syslog, STOP_WITHIN_MS, on_drained, b);
	server_drain(b->server, STOP_WITHIN_MS, on_drained, b);
}

/* ---- Redis ---- */

static void on_audited(void *ctx, const struct err *e)
{
	(void)ctx;
	if (e)
		log_kv(LOG_WARN, "cannot write to the audit", "error", e->text, (char *)NULL);
}

static void audit(struct bridge *b, const char *what, const char *who)
{
	struct json_w w;
	struct buf out;
	struct err e = {0};

	buf_init(&out, BUF_NO_LIMIT);
	json_w_init(&w, &out);
	json_w_object(&w);
	json_w_kstr(&w, "what", str_of(what));
	json_w_kstr(&w, "who", str_of(who));
	json_w_kstr(&w, "ruleset_hash", str_of(b->ic.rules->hash));
	json_w_kstr(&w, "version", STR(PACKAGE_VERSION));
	json_w_end(&w, '}');
	if (store_audit(b->ic.store, buf_as_str(&out), on_audited, NULL, &e) != 0)
		on_audited(NULL, &e);
	buf_release(&out);
}

static void say_ready(struct bridge *b)
{
	if (b->ready_fd < 0)
		return;
	if (write(b->ready_fd, "r", 1) != 1)
		log_kv(LOG_WARN, "cannot say that this bridge is ready", "error", strerror(errno),
			(char *)NULL);
	close(b->ready_fd);
	b->ready_fd = -1;
}

static void on_store_state(void *ctx, bool up, const struct err *why)
{
	struct bridge *b = ctx;

	metric_set(METRIC_REDIS_UP, up, NULL);
	if (up) {
		log_kv(LOG_INFO, "redis answers", (char *)NULL);
		if (store_warning(b->ic.store)[0])
			log_kv(LOG_WARN, "redis keeps too little", "error", store_warning(b->ic.store),
				(char *)NULL);
		if (!b->was_up)
			audit(b, "start", "runbook-bridge");
		else if (b->unaudited[0])
			audit(b, "reload", b->unaudited);
		b->was_up = true;
		b->unaudited[0] = '\0';
		b->said_down = false;
		tick_now(b->tick);
		say_ready(b);
		return;
	}
	if (why && why->code == ERR_VERSION) {
		log_kv(LOG_ERROR, "cannot use this redis", "error", why->text, (char *)NULL);
		stop(b, EXIT_NEWER, "redis holds data of a newer version");
	} else if (!b->said_down && !b->stopping) {
		log_kv(LOG_WARN, "redis is away", "error", why ? why->text : NULL, (char *)NULL);
		b->said_down = true;
	}
}

static void on_tick(void *ctx, const struct err *e, const struct store_tick_result *r)
{
	struct bridge *b = ctx;

	if (e) {
		if (!b->tick_failed && e->code != ERR_AWAY)
			log_kv(LOG_ERROR, "what is due cannot be done", "error", e->text,
				(char *)NULL);
		b->tick_failed = e->code != ERR_AWAY;
		return;
	}
	b->tick_failed = false;
	if (r->requeued || r->lost || r->expired)
		log_kv(LOG_WARN, "runs without a worker", "started_again", log_i64(r->requeued),
			"lost", log_i64(r->lost), "past_queue_ttl", log_i64(r->expired),
			(char *)NULL);
	if (r->resolved_stale)
		log_kv(LOG_INFO, "resolved for want of news", "alerts", log_i64(r->resolved_stale),
			(char *)NULL);
	if (r->trimmed)
		log_kv(LOG_DEBUG, "past retention", "removed", log_i64(r->trimmed), (char *)NULL);
}

static void on_limit(void *ctx, const struct event *ev)
{
	char limit[40], text[600];

	(void)ctx;
	snprintf(limit, sizeof(limit), "%.*s", STR_ARG(event_label(ev, STR("limit"))));
	snprintf(text, sizeof(text), "%.*s", STR_ARG(ev->summary));
	log_kv(LOG_ERROR, "a limit holds rules back", "limit", limit, "error", text, (char *)NULL);
}

/* ---- reload ---- */

/* anew: also where it is the same paths, of which a file may be another one now. False: these were watched already. */
static bool watch_files(struct bridge *b, bool anew)
{
	struct arena a;
	struct str *paths = NULL;
	size_t n;

	if (b->stopping) /* nothing is watched any more */
		return false;
	arena_init(&a, (size_t)64 << 20);
	n = load_watch_paths(&a, b->loaded->conf, &paths);
	anew = anew || !watch_has(b->watch, paths, n);
	if (anew)
		watch_set(b->watch, paths, n);
	arena_release(&a);
	return anew;
}

static bool same_as_before(const struct loaded *old, const struct loaded *now)
{
	struct buf x, y;
	bool same;

	buf_init(&x, BUF_NO_LIMIT);
	buf_init(&y, BUF_NO_LIMIT);
	conf_dump(old->conf, &x);
	conf_dump(now->conf, &y);
	same = str_eq(buf_as_str(&x), buf_as_str(&y)) &&
	       strcmp(old->rules->hash, now->rules->hash) == 0 &&
	       sources_same(old->sources, now->sources) && certs_same(old->certs, now->certs) &&
	       certs_same(old->syslog_certs, now->syslog_certs) && auth_same(old->auth, now->auth);
	buf_release(&x);
	buf_release(&y);
	return same;
}

static void log_findings(const struct diags *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *f = &d->v[i];

		log_kv(f->kind == DIAG_ERROR ? LOG_ERROR : LOG_WARN, f->text, "file",
			f->file[0] ? f->file : NULL, "line", f->line ? log_i64(f->line) : NULL,
			"column", f->line ? log_i64(f->column) : NULL, (char *)NULL);
	}
}

static void count_reload(bool good)
{
	metric_set(METRIC_CONFIG_RELOAD_SUCCESS, good, NULL);
	if (good)
		metric_set(METRIC_CONFIG_LAST_RELOAD, (double)clock_wall_ms() / 1000, NULL);
}

static void take(struct bridge *b, struct loaded *now, const char *who)
{
	struct loaded *old = b->loaded;

	b->loaded = now;
	b->ic.rules = now->rules;
	b->ic.conf = now->conf;
	b->ic.sources = now->sources;
	b->ic.auth = now->auth;
	server_use_certs(b->server, now->certs);
	syslog_use_certs(b->syslog, now->syslog_certs);
	log_init("runbook-bridge", now->conf->log.format, now->conf->log.level);
	log_kv(LOG_INFO, "reloaded", "who", who, "rules", log_i64((long long)now->rules->rules_n),
		"runbooks", log_i64((long long)now->rules->runbooks.n), "ruleset", now->rules->hash,
		(char *)NULL);
	reload_retire(b->reload, old);
	if (store_up(b->ic.store))
		audit(b, "reload", who);
	else
		snprintf(b->unaudited, sizeof(b->unaudited), "%s", who);
}

static void reload(struct bridge *b, const char *who, bool quiet)
{
	if (reload_ask(b->reload, who, quiet, NULL, NULL) != 0)
		log_kv(LOG_ERROR, "cannot reload: no memory", "who", who, (char *)NULL);
}

/* Watched again before it is read, so that no change falls between. */
static void before_load(void *ctx)
{
	struct bridge *b = ctx;

	watch_files(b, true);
	b->changes = b->stopping ? 0 : watch_changes(b->watch);
}

/* Were files changed while a load that they had caused read them? What was read may be half of what is being written;
 * they are read again once they are left alone. Never twice in turn: of files that never rest, what is there counts. */
static bool put_off(struct bridge *b, bool quiet)
{
	b->put_off = quiet && !b->put_off && !b->stopping && watch_changes(b->watch) != b->changes;
	return b->put_off;
}

/* quiet: nothing is said where nothing changed. */
static void on_loaded(void *ctx, struct loaded *now, const char *who, bool quiet, struct diags *d)
{
	struct bridge *b = ctx;

	if (put_off(b, quiet)) {
		log_kv(LOG_DEBUG, "files changed while they were read; they are read again", (char *)NULL);
		if (now)
			reload_retire(b->reload, now);
		return;
	}
	if (!now) {
		log_kv(LOG_ERROR, "reload refused; the configuration before goes on", "who", who,
			(char *)NULL);
		log_findings(d);
		count_reload(false);
		return;
	}
	count_reload(true);
	if (quiet && same_as_before(b->loaded, now)) {
		reload_retire(b->reload, now);
		return;
	}
	conf_diff_restart(b->loaded->conf, now->conf, d);
	log_findings(d);
	take(b, now, who);
	if (watch_files(b, false)) /* what was not watched while it was read may have changed since */
		reload(b, "file change", true);
}

static int on_reload_request(void *ctx, const char *who,
	void (*done)(void *asked, bool taken, const struct diags *d), void *asked)
{
	struct bridge *b = ctx;

	return b->stopping ? -1 : reload_ask(b->reload, who, false, done, asked);
}

static void on_files_changed(void *ctx)
{
	reload(ctx, "file change", true);
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *handle, int sig)
{
	struct bridge *b = handle->data;

	if (sig == SIGHUP && !b->stopping) {
		reload(b, "SIGHUP", false);
	} else if (sig != SIGHUP) {
		stop(b, 0, sig == SIGINT ? "SIGINT" : "SIGTERM");
	}
}

static void watch_signals(struct bridge *b)
{
	static const int wanted[] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		uv_signal_init(&b->loop, &b->signals[i]);
		b->signals[i].data = b;
		uv_signal_start(&b->signals[i], on_signal, wanted[i]);
	}
}

static const struct program program = {
	.name = "runbook-bridge",
	.usage = "usage: runbook-bridge [-c FILE] [--check | --dump-config] [--ready-fd N]\n"
		 "  -c, --config FILE  the configuration (" RB_SYSCONFDIR "/runbookd.yml)\n"
		 "  --check            print what is wrong with it as file:line:column: message; "
		 "exit 0 good, 3 bad\n"
		 "  --dump-config      print the configuration in effect\n"
		 "  --ready-fd N       write one byte there once requests are taken and Redis "
		 "answers\n"
		 "  --version, --help\n",
	.ready_fd = true,
};

/* ---- the program ---- */

/* One thread that serves, one that loads; and what a large request took goes back to the system. */
static void prepare_process(void)
{
	struct rlimit files;

	setenv("UV_THREADPOOL_SIZE", LOADING_THREADS, 0);
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static struct store *open_store(struct bridge *b, struct err *e)
{
	const struct conf *c = b->ic.conf;
	struct store_options o = {
		.loop = &b->loop,
		.address = c->redis.text,
		.namespace_ = c->namespace_,
		.slow_after_ms = c->redis_slow_after_ms,
		.load_library = true,
		.look_at_keeping = !c->redis_embedded,
		.blocking = true,
		.on_state = on_store_state,
		.ctx = b,
	};
	struct buf path;
	struct store *s;

	buf_init(&path, BUF_NO_LIMIT);
	if (c->redis_embedded) {
		buf_puts(&path, "unix:");
		buf_str(&path, c->state_dir);
		buf_puts(&path, "/redis.sock");
		o.address = buf_as_str(&path);
	}
	s = store_new(&o, e);
	buf_release(&path);
	return s;
}

/* Most bridges never need it. */
static struct sns_gate *on_sns(void *ctx, struct err *e)
{
	struct bridge *b = ctx;
	const struct conf *c = b->ic.conf;
	struct buf ca, to;

	if (b->sns_closed)
		err_set(e, ERR_AWAY, "this bridge is stopping");
	if (b->sns || b->sns_closed)
		return b->sns_closed ? NULL : b->sns;
	buf_init(&ca, BUF_NO_LIMIT);
	buf_init(&to, BUF_NO_LIMIT);
	buf_str(&ca, c->sns.ca_file);
	buf_str(&to, c->sns.connect_to);
	b->sns = sns_gate_new(
		&(struct fetch_options){.loop = &b->loop, .ca_file = ca.p, .connect_to = to.p}, e);
	buf_release(&ca);
	buf_release(&to);
	return b->sns;
}

static int start(struct bridge *b, struct err *e)
{
	struct server_app app = {&b->ic, on_reload_request, on_sns, b, b->loaded->certs};
	struct syslog_app syslog = {&b->ic, b->loaded->syslog_certs};
	struct reload_app reloads = {before_load, on_loaded, b};

	if (file_mkdirs(b->ic.conf->state_dir.p, 0750, e) != 0)
		return -1;
	b->ic.store = open_store(b, e);
	if (!b->ic.store)
		return -1;
	b->server = server_new(&b->loop, b->ic.conf, &app, e);
	if (!b->server)
		return -1;
	b->syslog = syslog_new(&b->loop, b->ic.conf, &syslog, e);
	if (!b->syslog)
		return -1;
	b->tick = tick_new(&b->loop, &b->ic, on_tick, b);
	b->ic.tick = b->tick;
	b->ic.on_limit = on_limit;
	b->watch = watch_new(&b->loop, on_files_changed, b);
	b->reload = reload_new(&b->loop, b->conf_path, &reloads);
	if (!b->tick || !b->watch || !b->reload)
		return err_set(e, ERR_NOMEM, "no memory to start");
	watch_signals(b);
	watch_files(b, true);
	return 0;
}

static int serve(struct bridge *b)
{
	struct str version = STR(PACKAGE_VERSION);
	struct err e = {0};

	uv_loop_init(&b->loop);
	b->ic.rules = b->loaded->rules;
	b->ic.conf = b->loaded->conf;
	b->ic.sources = b->loaded->sources;
	b->ic.auth = b->loaded->auth;
	metric_set(METRIC_BUILD_INFO, 1, &version);
	metric_set(METRIC_REDIS_UP, 0, NULL);
	count_reload(true);
	if (start(b, &e) != 0) { /* the system takes back what was opened */
		log_kv(LOG_ERROR, "cannot start", "error", e.text, (char *)NULL);
		return EXIT_SYSTEM;
	}
	log_kv(LOG_INFO, "listening", "addresses", server_addresses(b->server), "rules",
		log_i64((long long)b->loaded->rules->rules_n), "ruleset", b->loaded->rules->hash,
		"syslog", syslog_addresses(b->syslog)[0] ? syslog_addresses(b->syslog) : NULL,
		(char *)NULL);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	uv_loop_close(&b->loop);
	metrics_release();
	return b->status;
}

int main(int argc, char **argv)
{
	struct bridge b = {0};
	struct options o;
	struct diags d;
	int status = options_read(&program, argc, argv, &o);

	if (status >= 0)
		return status;
	prepare_process();
	diags_init(&d);
	b.conf_path = o.conf_path;
	b.ready_fd = o.ready_fd;
	b.loaded = options_load_all(&o, &d, &status);
	if (b.loaded) {
		log_init("runbook-bridge", b.loaded->conf->log.format, b.loaded->conf->log.level);
		log_findings(&d);
		status = serve(&b);
	}
	diags_release(&d);
	loaded_free(b.loaded);
	return status;
}
