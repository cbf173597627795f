/* reload.c: one load at a time on a thread of libuv's pool, and those who wait for it.
 *
 * With 10,000 rules a load takes a quarter of a second and freeing them some milliseconds: on the loop each
 * request would wait for it. What the thread works on is its own until the loop has it back: a load
 * reads files and makes new things, and what is freed nobody else refers to any more. The swap itself
 * is the callee's, on the loop.
 *
 * The thread steps back for the loop's: where cores are few, a reload takes longer and requests do not. Its niceness
 * does not count against what runs in other sessions (sched_autogroup), so it also rests by itself.
 */
#include "flow/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREAD_NICE 10
#define WORK_NS 250000	/* CPU time after which a thread that loads rests */
#define REST_TIMES 3	/* as long as it had worked */
#define REST_MOST_NS INT64_C(1000000000)	/* in all: a long load is not made longer by more */

struct waiter {
	struct waiter *next;
	char who[RELOAD_WHO_MAX];
	bool quiet;
	reload_cb done;
	void *ctx;
};

struct retired {
	uv_work_t work;
	struct retired *next;
	struct loaded *loaded;
};

struct reload {
	uv_loop_t *loop;
	const char *conf_path;
	struct reload_app app;
	uv_work_t work;
	struct loaded *loaded; /* the thread's, while loading */
	struct diags diags;    /* the same */
	struct waiter *now, *next;
	struct retired *retired; /* whose rules somebody still holds */
	uv_timer_t timer;
	bool loading, closing, timer_closed;
};

static void start(struct reload *r);

/* ---- the threads ---- */

/* Linux counts it by thread; where it is refused the thread is as any other. */
static void step_back(void)
{
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), THREAD_NICE);
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct work {
	int64_t since; /* CPU time of the thread after its last rest */
	int64_t rested;
};

/* A signal may end a rest early, which does no harm. */
static void rest(void *ctx)
{
	struct work *w = ctx;
	int64_t worked = cpu_ns() - w->since, left = REST_MOST_NS - w->rested;
	int64_t ns = worked > left / REST_TIMES ? left : worked * REST_TIMES;

	if (worked < WORK_NS || left <= 0)
		return;
	nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
	w->rested += ns;
	w->since = cpu_ns();
}

static void load(uv_work_t *work)
{
	struct reload *r = work->data;
	struct work w = {.since = cpu_ns()};
	const struct pace pace = {rest, &w};

	step_back();
	r->loaded = load_paced(r->conf_path, &pace, &r->diags);
}

static void free_retired(uv_work_t *work)
{
	struct retired *old = work->data;

	step_back();
	loaded_free(old->loaded);
}

/* ---- what is over ---- */

static void on_freed(uv_work_t *work, int status)
{
	(void)status;
	free(work->data);
}

static bool is_held(const struct loaded *l)
{
	return l->rules->refs > 1 || sources_shared(l->sources) || auth_shared(l->auth);
}

/* Frees what only we hold. */
static void look_at_retired(struct reload *r)
{
	struct retired **at = &r->retired;

	while (*at) {
		struct retired *old = *at;

		if (is_held(old->loaded)) {
			at = &old->next;
			continue;
		}
		*at = old->next;
		old->work.data = old;
		if (uv_queue_work(r->loop, &old->work, free_retired, on_freed) != 0) {
			loaded_free(old->loaded);
			free(old);
		}
	}
	if (!r->retired)
		uv_timer_stop(&r->timer);
}

static void on_timer(uv_timer_t *timer)
{
	look_at_retired(timer->data);
}

void reload_retire(struct reload *r, struct loaded *old)
{
	struct retired *x = calloc(1, sizeof(*x));

	if (!x) { /* who holds it would read freed memory */
		if (!is_held(old))
			loaded_free(old);
		return;
	}
	x->loaded = old;
	x->next = r->retired;
	r->retired = x;
	uv_timer_start(&r->timer, on_timer, RELOAD_FREE_MS, RELOAD_FREE_MS);
	look_at_retired(r);
}

/* ---- loads ---- */

static void free_if_over(struct reload *r)
{
	if (r->closing && r->timer_closed && !r->loading)
		free(r);
}

/* What the log and the audit say: a person's wish before a file's change. */
static const struct waiter *first_of(const struct waiter *list)
{
	for (const struct waiter *w = list; w; w = w->next)
		if (!w->quiet)
			return w;
	return list;
}

static void answer(struct waiter *list, bool taken, const struct diags *d)
{
	while (list) {
		struct waiter *w = list;

		list = w->next;
		if (w->done)
			w->done(w->ctx, taken, d);
		free(w);
	}
}

static void on_loaded(uv_work_t *work, int status)
{
	struct reload *r = work->data;
	struct waiter *list = r->now; /* none after reload_close */
	const struct waiter *first = first_of(list);
	bool taken = r->loaded != NULL;

	(void)status;
	r->now = NULL;
	if (first)
		r->app.take(r->app.ctx, r->loaded, first->who, first->quiet, &r->diags);
	else
		loaded_free(r->loaded);
	r->loaded = NULL;
	answer(list, taken, &r->diags);
	diags_release(&r->diags);
	r->loading = false; /* until here who asks is among the next */
	if (r->next && !r->closing)
		start(r);
	free_if_over(r);
}

static void start(struct reload *r)
{
	r->now = r->next;
	r->next = NULL;
	r->loading = true;
	diags_init(&r->diags);
	r->app.before(r->app.ctx);
	r->work.data = r;
	if (uv_queue_work(r->loop, &r->work, load, on_loaded) != 0) { /* only of a wrong use */
		load(&r->work);
		on_loaded(&r->work, 0);
	}
}

struct reload *reload_new(uv_loop_t *loop, const char *conf_path, const struct reload_app *app)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->loop = loop;
	r->conf_path = conf_path;
	r->app = *app;
	uv_timer_init(loop, &r->timer);
	r->timer.data = r;
	return r;
}

int reload_ask(struct reload *r, const char *who, bool quiet, reload_cb done, void *ctx)
{
	struct waiter **last = &r->next;
	struct waiter *w = r->closing ? NULL : calloc(1, sizeof(*w));

	if (!w)
		return -1;
	*w = (struct waiter){.quiet = quiet, .done = done, .ctx = ctx};
	snprintf(w->who, sizeof(w->who), "%s", who);
	while (*last)
		last = &(*last)->next;
	*last = w;
	if (!r->loading)
		start(r);
	return 0;
}

static void on_timer_closed(uv_handle_t *h)
{
	struct reload *r = h->data;

	r->timer_closed = true;
	free_if_over(r);
}

void reload_close(struct reload *r)
{
	struct waiter *now = r->now, *next = r->next;

	r->closing = true;
	r->now = r->next = NULL;
	answer(now, false, NULL);
	answer(next, false, NULL);
	while (r->retired) { /* those who hold the rules end with their last reference */
		struct retired *old = r->retired;

		r->retired = old->next;
		loaded_free(old->loaded);
		free(old);
	}
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
