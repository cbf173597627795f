/* job.c: a run in the hands of this worker.
 *
 *   claimed (-> its message fetched) -> checked -> RUNNING -> ENDED -> its output is in Redis ->
 * its result is -> gone
 *
 * Owns the copy of the claim, the output that is not in Redis yet, and the result. Calls of one job
 * go to Redis one after the other, so that the result never overtakes the output. A call that fails
 * because Redis is away is made again until it is taken or the fence says no; the slot is not free
 * before that. A fence that is not ours ends the job at once, whatever it was doing: someone else
 * decides about the run then.
 *
 * It does not choose runs and does not renew leases; that is worker.c.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "flow/run_state.h"
#include "run/artifacts.h"
#include "run/child.h"
#include "run/job.h"
#include "run/outq.h"
#include "run/prepare.h"
#include "store/message.h"

#define JOB_MEMORY ((size_t)96 << 20) /* bytes of all that one run needs; used only as needed */
#define EXIT_RETRY 75
#define REASON_MAX 2000

struct job {
	struct job *next;
	struct job_host *host;
	struct arena arena;
	struct store_claimed claim;
	struct str message_id, message; /* for `compat: am-executor`; "" */
	struct prepared prepared;
	struct child *child; /* while it runs */
	struct outq out;
	uv_timer_t timer; /* sends what waits */
	bool calling;	  /* a call is in flight */
	bool fetching;	  /* its message is to be had before it starts */
	bool stopping;	  /* it was to stop meanwhile */
	bool ended;	  /* result is complete */
	bool bare;	  /* the whole result was refused: this is what is left of it */
	bool lost;	  /* not ours any more */
	bool unwanted;	  /* somebody cancelled it */
	bool finished;
	struct run_result result;
};

struct job *job_next(const struct job *j)
{
	return j->next;
}

void job_set_next(struct job *j, struct job *next)
{
	j->next = next;
}

struct store_held job_held(const struct job *j)
{
	return (struct store_held){j->claim.run, j->claim.fence};
}

bool job_running(const struct job *j)
{
	return j->child != NULL;
}

bool job_calling(const struct job *j)
{
	return j->calling;
}

static void job_log(const struct job *j, enum log_level level, const char *msg, const char *error)
{
	if (log_on(level))
		log_kv(level, msg, "run", j->claim.run.p, "runbook", j->claim.runbook.p, "rule",
			j->claim.rule.n ? j->claim.rule.p : NULL, "error", error, (char *)NULL);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *h)
{
	struct job *j = h->data;

	outq_release(&j->out);
	arena_release(&j->arena);
	free(j);
}

static void finish(struct job *j)
{
	if (j->finished)
		return;
	j->finished = true;
	uv_timer_stop(&j->timer);
	j->host->on_done(j->host, j);
	uv_close((uv_handle_t *)&j->timer, on_closed);
}

/* ---- to Redis ---- */

static void go_on(struct job *j);
static void fetch_message(struct job *j);

static void on_timer(uv_timer_t *t)
{
	go_on(t->data);
}

static void again_in(struct job *j, uint64_t ms)
{
	if (!uv_is_active((uv_handle_t *)&j->timer))
		uv_timer_start(&j->timer, on_timer, ms, 0);
}

/* True: the call is done with, one way or the other. */
static bool settled(struct job *j, const struct err *e, const char *what)
{
	j->calling = false;
	if (e && e->code == ERR_AWAY) {
		again_in(j, JOB_AGAIN_MS);
		return false;
	}
	if (e && e->code == ERR_CONFLICT) {
		job_log(j, LOG_WARN, "the run was taken from this worker", e->text);
		job_stop(j, JOB_LOST);
		return false;
	}
	if (e)
		job_log(j, LOG_ERROR, what, e->text);
	return true;
}

static void on_output(void *ctx, const struct err *e)
{
	struct job *j = ctx;

	if (settled(j, e, "cannot store output; it is dropped"))
		outq_drop(&j->out);
	if (!uv_is_active((uv_handle_t *)&j->timer))
		go_on(j);
}

/* Not all of it is worth losing the run: once more with the state alone. */
static bool make_bare(struct job *j, const struct err *e)
{
	if (j->bare)
		return false;
	j->bare = true;
	j->result.reason =
		arena_printf(&j->arena, "%.*s%sits artifacts and events could not be stored: %s",
			STR_ARG(j->result.reason), j->result.reason.n ? "; " : "", e->text);
	j->result.artifacts_json = STR("[]");
	j->result.emitted_n = 0;
	return true;
}

static void on_result(void *ctx, const struct err *e)
{
	struct job *j = ctx;

	if (settled(j, e, "cannot store the result")) {
		if (e && make_bare(j, e))
			go_on(j);
		else
			finish(j);
	}
}

/* The call could not even be made. Never ends the job here: its maker may not know it yet. */
static void not_called(struct job *j, const struct err *e)
{
	j->calling = false;
	if (e->code == ERR_AWAY) {
		again_in(j, JOB_AGAIN_MS);
		return;
	}
	job_log(j, LOG_ERROR,
		j->out.n ? "cannot send output; it is dropped" : "cannot send the result", e->text);
	if (j->out.n)
		outq_drop(&j->out);
	else if (!make_bare(j, e))
		j->lost = true;
	again_in(j, 0);
}

static void send_output(struct job *j)
{
	struct store_line lines[JOB_BATCH_LINES];
	size_t n = outq_batch(&j->out, lines, JOB_BATCH_LINES, JOB_BATCH_BYTES);
	struct err e;

	j->calling = true;
	if (store_output(j->host->store, job_held(j), lines, n, on_output, j, &e) < 0)
		not_called(j, &e);
}

static void send_result(struct job *j)
{
	struct err e;

	j->calling = true;
	if (run_set_state(
		    j->host->store, job_held(j), j->host->name, &j->result, on_result, j, &e) < 0)
		not_called(j, &e);
}

/* The next thing to send, if any. */
static void go_on(struct job *j)
{
	if (j->calling || j->finished)
		return;
	if (j->lost && !j->child)
		finish(j);
	else if (j->lost)
		return;
	else if (j->fetching)
		fetch_message(j);
	else if (j->out.n)
		send_output(j);
	else if (j->ended)
		send_result(j);
}

void job_store_up(struct job *j)
{
	go_on(j);
}

/* ---- the result ---- */

static void put_times(struct buf *b, const char *before, int64_t ms)
{
	char text[UNITS_TEXT_MAX];

	units_format_duration(ms, text);
	buf_printf(b, "%s%s", before, text);
}

static void put_exit(struct buf *b, const struct child_result *r)
{
	if (r->signal)
		buf_printf(b, "killed by SIG%s",
			sigabbrev_np(r->signal) ? sigabbrev_np(r->signal) : "?");
	else if (r->exit_code)
		buf_printf(b, "exit status %d", r->exit_code);
}

/* State and the first part of the reason. */
static void judge(struct job *j, const struct child_result *r, struct buf *why)
{
	struct run_result *out = &j->result;

	out->has_exit = !r->unknown && !r->why.code && r->signal == 0;
	out->exit_code = r->exit_code;
	out->signal = r->signal;
	out->duration_ms = r->duration_ms;
	out->state = RUN_FAILED;
	if (r->why.code) {
		buf_puts(why, r->why.text);
	} else if (r->timed_out) {
		out->state = RUN_TIMED_OUT;
		put_times(why, "it took longer than its timeout of ", j->prepared.timeout_ms);
		if (r->signal == SIGKILL)
			put_times(
				why, ", and longer than its grace of ", j->prepared.spec.grace_ms);
	} else if (r->stopped) {
		out->state = RUN_CANCELLED;
		out->release = j->prepared.idempotent && !j->unwanted;
		if (!j->unwanted)
			buf_puts(why, "worker stopping");
		else if (r->signal == SIGKILL)
			put_times(why, "it took longer than its grace of ",
				j->prepared.spec.grace_ms);
	} else if (r->unknown) {
		buf_puts(why, "its keeper was killed, so how it ended is not known");
	} else if (r->signal || r->exit_code) {
		out->retry = r->signal == 0 && r->exit_code == EXIT_RETRY;
		put_exit(why, r);
	} else {
		out->state = RUN_SUCCEEDED;
	}
	if (r->stuck)
		buf_puts(why, "; some of its processes hang in the kernel, even after KILL");
}

static void note(struct buf *why, const char *text)
{
	buf_printf(why, "%s%s", why->n ? "; " : "", text);
}

static void take_artifacts(struct job *j, struct buf *why)
{
	struct artifacts_found f;
	struct err e;

	if (!j->prepared.have_artifacts)
		return;
	if (artifacts_collect(&j->prepared.artifacts, &j->arena, &f, &e) < 0)
		note(why, e.text);
	j->result.artifacts_json = f.json;
	j->result.emitted = f.events;
	j->result.emitted_n = f.events_n;
	if (f.left_out)
		buf_printf(why,
			"%s%zu of the entries of its artifacts folder are not listed: no plain "
			"file, or over a limit",
			why->n ? "; " : "", f.left_out);
	if (f.events_bad)
		buf_printf(why, "%s%zu of the lines that it wrote as events were not taken: %.*s",
			why->n ? "; " : "", f.events_bad, STR_ARG(f.events_why));
}

static void complete(struct job *j, struct buf *why)
{
	struct run_result *r = &j->result;

	if (j->prepared.other_file)
		note(why, "its file is another one than the rule was decided with; this worker's "
			  "own was executed");
	if (j->prepared.amx_alone)
		note(why,
			"its AMX_* variables told of its alert alone: the message that it came in "
			"was not kept");
	r->reason = arena_strdup(
		&j->arena, (struct str){why->p, why->n < REASON_MAX ? why->n : REASON_MAX});
	r->params_json = j->prepared.params_json;
	r->runbook_sha256 = j->prepared.sha256;
	j->ended = true;
	if (log_on(LOG_INFO))
		log_kv(r->state == RUN_SUCCEEDED ? LOG_INFO : LOG_WARN, "run ended", "run",
			j->claim.run.p, "runbook", j->claim.runbook.p, "state",
			r->release ? "release"
			: r->retry ? "retry"
				   : run_state_name(r->state),
			"reason", r->reason.n ? r->reason.p : NULL, "ms", log_i64(r->duration_ms),
			(char *)NULL);
	uv_timer_stop(&j->timer);
	go_on(j);
}

static void on_line(void *ctx, bool is_stderr, int64_t time_ms, struct str text)
{
	struct job *j = ctx;

	if (j->lost || !outq_add(&j->out, is_stderr, time_ms, text))
		return;
	if (j->calling)
		return;
	if (j->out.n >= JOB_OUTPUT_LINES && store_up(j->host->store))
		go_on(j);
	else
		again_in(j, JOB_OUTPUT_EVERY_MS);
}

static void on_end(void *ctx, const struct child_result *r)
{
	struct job *j = ctx;
	struct buf why;

	j->child = NULL;
	if (j->lost) { /* its folder may be another attempt's by now */
		if (!j->calling)
			finish(j);
		return;
	}
	buf_init(&why, 16 << 10);
	judge(j, r, &why);
	take_artifacts(j, &why);
	complete(j, &why);
	buf_release(&why);
}

static const struct child_calls calls = {on_line, on_end};

/* ---- the start ---- */

static struct str copy(struct arena *a, struct str s)
{
	return s.n ? arena_strdup(a, s) : STR("");
}

static bool copy_claim(struct job *j, const struct store_claimed *c)
{
	struct arena *a = &j->arena;

	j->claim = *c;
	j->claim.run = copy(a, c->run);
	j->claim.rule = copy(a, c->rule);
	j->claim.runbook = copy(a, c->runbook);
	j->claim.runbook_sha256 = copy(a, c->runbook_sha256);
	j->claim.step = copy(a, c->step);
	j->claim.pool = copy(a, c->pool);
	j->claim.params_json = copy(a, c->params_json);
	j->claim.event_json = copy(a, c->event_json);
	j->claim.events_json = copy(a, c->events_json);
	j->claim.incident = copy(a, c->incident);
	j->claim.incident_json = copy(a, c->incident_json);
	j->claim.steps_json = copy(a, c->steps_json);
	return !arena_failed(a);
}

/* A result without a child. */
static void end_at_once(struct job *j, enum run_state state, bool release, const char *reason)
{
	struct buf why;

	buf_init(&why, 16 << 10);
	buf_puts(&why, reason);
	j->result.state = state;
	j->result.release = release;
	take_artifacts(j, &why);
	complete(j, &why);
	buf_release(&why);
}

static struct prepare_host prepare_from(const struct job_host *h)
{
	return (struct prepare_host){
		h->conf, h->shelf, h->users, h->state_dir, h->ahead, h->name, h->environment};
}

/* rb NULL: *e says why its runbook was refused. */
static void start(struct job *j, const struct runbook *rb, struct err *e)
{
	struct job_host *h = j->host;
	struct prepare_host from = prepare_from(h);

	if (rb && prepare_run(&j->prepared, &j->arena, &j->claim, rb, j->message, &from, e) == 0)
		j->child = child_start(h->loop, h->contain, &j->prepared.spec, &calls, j, e);
	if (j->child)
		job_log(j, LOG_INFO, "run started", NULL);
	else
		end_at_once(j, RUN_FAILED, false, e->text);
}

/* Nothing was prepared, so the change has no hash of a file: that says that it was no attempt. */
static void not_begun(struct job *j)
{
	end_at_once(j, RUN_CANCELLED, true, "worker stopping; it had not begun");
}

static void on_message(void *ctx, const struct err *e, struct str text)
{
	struct job *j = ctx;
	struct prepare_host from = prepare_from(j->host);
	struct err refused;

	j->calling = false;
	if (j->lost) {
		finish(j);
		return;
	}
	if (e && e->code == ERR_AWAY && !j->stopping) {
		again_in(j, JOB_AGAIN_MS);
		return;
	}
	j->fetching = false;
	if (e && e->code != ERR_NOT_FOUND)
		job_log(j, LOG_ERROR, "cannot get the message of a run", e->text);
	if (!e)
		j->message = copy(&j->arena, text);
	if (j->stopping)
		not_begun(j);
	else
		start(j, prepare_find(&j->claim, &from, &refused), &refused);
}

static void fetch_message(struct job *j)
{
	struct err e;

	j->calling = true;
	if (store_message_get(j->host->store, j->message_id, on_message, j, &e) < 0) {
		j->calling = false; /* not before its maker knows it */
		again_in(j, JOB_AGAIN_MS);
	}
}

/* Few runbooks want the message; for the others nothing comes before the start. */
static void begin(struct job *j)
{
	struct prepare_host from = prepare_from(j->host);
	struct err e;
	const struct runbook *rb = prepare_find(&j->claim, &from, &e);

	j->message_id = prepare_message_id(&j->arena, &j->claim, rb);
	j->fetching = j->message_id.n > 0;
	if (j->fetching)
		fetch_message(j);
	else
		start(j, rb, &e);
}

struct job *job_start(
	struct job_host *h, const struct store_claimed *c, bool stopping, struct err *e)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	j->host = h;
	arena_init(&j->arena, JOB_MEMORY);
	outq_init(&j->out);
	j->prepared = PREPARED_NONE;
	j->result.artifacts_json = STR("[]");
	if (!copy_claim(j, c)) {
		err_set(e, ERR_NOMEM, "run '%.*s' does not fit into memory", STR_ARG(c->run));
		outq_release(&j->out);
		arena_release(&j->arena);
		free(j);
		return NULL;
	}
	uv_timer_init(h->loop, &j->timer);
	j->timer.data = j;
	if (stopping)
		not_begun(j);
	else
		begin(j);
	return j;
}

void job_stop(struct job *j, enum job_stop how)
{
	bool gently = how == JOB_STOP_TERM || how == JOB_CANCEL;

	if (how == JOB_LOST)
		j->lost = true;
	else
		j->stopping = true;
	if (how == JOB_CANCEL && j->unwanted)
		return;
	if (how == JOB_CANCEL)
		j->unwanted = true;
	if (j->child)
		child_stop(j->child, gently ? CHILD_STOP_TERM : CHILD_STOP_KILL);
	else if (j->lost && !j->calling)
		finish(j);
}
