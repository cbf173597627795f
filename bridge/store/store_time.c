/* store_time.c: what happens because time passed, what waits in the inbox, the audit's administrative acts, and the
 * counters that /metrics mirrors.
 *
 * Counters of runs live in Redis, since bridges and workers come and go: a scrape of any bridge shows the same.
 */
#include "store/store_impl.h"

#include <stdlib.h>
#include <string.h>
#include "base/metrics.h"

/* ---- tick ---- */

struct tick_call {
	store_tick_cb cb;
	void *ctx;
};

/* [rule, decision]… */
static size_t take_late(struct store_late *v, const redisReply *a)
{
	size_t n = 0;

	for (size_t i = 0; a && i + 1 < a->elements; i += 2) {
		v[n].rule = store_text_at(a, i);
		n += store_decision_of(store_text_at(a, i + 1), &v[n].decision);
	}
	return n;
}

static void on_tick(void *ctx, const struct err *e, const redisReply *reply)
{
	struct tick_call *c = ctx;
	struct store_tick_result r = {.due_in_ms = -1};
	const redisReply *late = e ? NULL : store_at(reply, 7);
	struct store_late *v = late ? calloc(late->elements / 2 + 1, sizeof(*v)) : NULL;

	if (!e) {
		r.requeued = store_number_at(reply, 0);
		r.lost = store_number_at(reply, 1);
		r.expired = store_number_at(reply, 2);
		r.resolved_stale = store_number_at(reply, 3);
		r.trimmed = store_number_at(reply, 4);
		r.more = store_number_at(reply, 5) != 0;
		r.due_in_ms = store_number_at(reply, 6);
		r.late = v;
		r.late_n = v ? take_late(v, late) : 0;
	}
	c->cb(c->ctx, e, e ? NULL : &r);
	free(v);
	free(c);
}

int store_tick(struct store *s, const struct store_tick *t, store_tick_cb cb, void *ctx, struct err *e)
{
	struct tick_call *c = store_call(sizeof(*c), e);

	if (store_begin_for(s, "rb_tick_v1", 5, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	redis_arg_i64(s->redis, t->limits.queue_ttl_ms);
	redis_arg_i64(s->redis, t->stale_after_ms);
	redis_arg_i64(s->redis, t->retention_ms);
	redis_arg_i64(s->redis, t->audit_retention_ms);
	redis_arg(s->redis, store_limits_text(s, &t->limits));
	return store_end(s, on_tick, c, e);
}

/* ---- absent ---- */

int store_watch(struct store *s, const struct store_watch *w, store_done_cb cb, void *ctx, struct err *e)
{
	struct store_plain *c = store_plain_new(cb, ctx, e);
	size_t words = 2;

	for (size_t i = 0; i < w->n; i++)
		words += 2 + (w->begins[i] ? store_decision_words(&w->rules[i]) : 0);
	if (store_begin_for(s, "rb_watch_v2", words, c, e))
		return -1;
	redis_arg(s->redis, store_limits_text(s, &w->limits));
	redis_arg(s->redis, w->ruleset_hash);
	for (size_t i = 0; i < w->n; i++) {
		redis_arg(s->redis, w->rules[i].rule);
		redis_arg_i64(s->redis, w->begins[i] ? (int64_t)store_decision_words(&w->rules[i]) : 0);
		if (w->begins[i])
			store_put_decision(s, &w->rules[i], STR_NONE);
	}
	return store_end(s, store_plain_answer, c, e);
}

/* ---- inbox, audit ---- */

struct inbox_call {
	store_inbox_cb cb;
	void *ctx;
};

static void on_inbox(void *ctx, const struct err *e, const redisReply *reply)
{
	struct inbox_call *c = ctx;
	size_t n = e ? 0 : reply->elements / 2;
	struct store_inbox_entry *v = calloc(n + 1, sizeof(*v));
	struct err nomem;

	if (!v && !e) {
		err_set(&nomem, ERR_NOMEM, "no memory for the inbox");
		e = &nomem;
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		v[i] = (struct store_inbox_entry){store_text_at(reply, 2 * i), store_text_at(reply, 2 * i + 1)};
	c->cb(c->ctx, e, v, n);
	free(v);
	free(c);
}

int store_inbox(struct store *s, size_t limit, size_t bytes, struct str after, store_inbox_cb cb, void *ctx,
	struct err *e)
{
	struct inbox_call *c = store_call(sizeof(*c), e);

	if (store_begin_for(s, "rb_inbox_v1", 3, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	redis_arg_i64(s->redis, (int64_t)limit);
	redis_arg_i64(s->redis, (int64_t)bytes);
	redis_arg(s->redis, after);
	return store_end(s, on_inbox, c, e);
}

struct inbox_wait {
	store_text_cb cb;
	void *ctx;
	struct store *s;
};

/* [[stream, [[id, […]]]]], or nothing where the time was up. */
static void on_inbox_entry(void *ctx, const struct err *e, const redisReply *reply)
{
	struct inbox_wait *c = ctx;
	const redisReply *stream = e ? NULL : store_at(reply, 0);
	const redisReply *entries = stream ? store_at(stream, 1) : NULL;
	const redisReply *entry = entries ? store_at(entries, 0) : NULL;

	c->s->waiting = false;
	c->cb(c->ctx, e, entry ? store_text_at(entry, 0) : STR_NONE);
	free(c);
}

int store_inbox_wait(struct store *s, struct str after, int64_t wait_ms, store_text_cb cb, void *ctx, struct err *e)
{
	struct redis *r = s->bell;

	if (!r || s->waiting)
		return err_set(e, ERR_CONFLICT, r ? "waiting already" : "opened without a second connection");
	if (!redis_up(r))
		return err_set(e, ERR_AWAY, "%s", redis_why(r));
	struct inbox_wait *c = store_call(sizeof(*c), e);
	if (!c)
		return -1;
	*c = (struct inbox_wait){cb, ctx, s};
	if (redis_begin(r, 8, e) == 0) {
		redis_arg_z(r, "XREAD");
		redis_arg_z(r, "COUNT");
		redis_arg_z(r, "1");
		redis_arg_z(r, "BLOCK");
		redis_arg_i64(r, wait_ms > 0 ? wait_ms : 1); /* 0 would be for ever */
		redis_arg_z(r, "STREAMS");
		redis_arg_join(r, s->prefix, STR(":inbox"));
		redis_arg(r, after.n > 0 ? after : STR("$"));
		if (redis_end(r, wait_ms, on_inbox_entry, c, e) == 0) {
			s->waiting = true;
			return 0;
		}
	}
	free(c);
	return -1;
}

int store_audit(struct store *s, struct str json, store_done_cb cb, void *ctx, struct err *e)
{
	if (json.n < 3 || json.p[0] != '{')
		return err_set(e, ERR_INPUT, "an entry of the audit is an object with members");
	struct store_plain *c = store_plain_new(cb, ctx, e);
	if (store_begin_for(s, "rb_audit_v1", 1, c, e))
		return -1;
	redis_arg(s->redis, json);
	return store_end(s, store_plain_answer, c, e);
}

/* ---- counters ---- */

struct stats_call {
	store_stats_cb cb;
	void *ctx;
};

/* What is being put together from an answer. */
struct stats {
	struct store_stat *v;
	size_t n;
	uint64_t *buckets;	/* metric_buckets_n for each of v */
};

/* One counter of a histogram: "run|3|disk-usage" or "run|ms|disk-usage". */
struct sample {
	struct str kind;	/* run or start */
	struct str label;
	struct str place;	/* a bucket's number, or "ms" */
	int64_t value;
};

static struct store_stat *add_stat(struct stats *st, const char *name, double value)
{
	struct store_stat *v = &st->v[st->n++];

	v->name = str_of(name);
	v->value = value;
	return v;
}

/* The part of s before the next '|'; s is what is after it. */
static struct str next_part(struct str *s)
{
	const char *bar = s->n > 0 ? memchr(s->p, '|', s->n) : NULL;
	struct str part = {s->p, bar ? (size_t)(bar - s->p) : s->n};
	size_t skip = part.n + (bar ? 1 : 0);

	*s = (struct str){s->p + skip, s->n - skip};
	return part;
}

static int by_series(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int c = str_cmp(x->kind, y->kind);

	return c ? c : str_cmp(x->label, y->label);
}

static void add_histograms(struct stats *st, struct sample *samples, size_t n)
{
	struct store_stat *v = NULL;
	uint64_t *buckets = NULL;

	qsort(samples, n, sizeof(*samples), by_series);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || by_series(&samples[i - 1], &samples[i]) != 0) {
			v = add_stat(st, str_is(samples[i].kind, "run") ? "run_seconds" : "event_to_start_seconds", 0);
			v->labels[0] = samples[i].label;
			v->buckets = buckets = st->buckets + (st->n - 1) * metric_buckets_n;
		}
		if (str_is(samples[i].place, "ms")) {
			v->value = (double)samples[i].value / 1000;
			continue;
		}
		size_t bucket = 0;
		for (size_t k = 0; k < samples[i].place.n; k++)
			bucket = bucket * 10 + (size_t)(samples[i].place.p[k] - '0');
		v->count += (uint64_t)samples[i].value;
		if (bucket < metric_buckets_n)
			buckets[bucket] += (uint64_t)samples[i].value;
	}
}

/* [field, value]… of the hash `stats`; samples has room for all. */
static void take_counters(struct stats *st, const redisReply *a, struct sample *samples)
{
	size_t n = 0;

	for (size_t i = 0; a && i + 1 < a->elements; i += 2) {
		struct str rest = store_text_at(a, i);
		struct str kind = next_part(&rest);
		struct str second = next_part(&rest);
		int64_t value = store_number_at(a, i + 1);
		if (str_is(kind, "runs")) {
			struct store_stat *v = add_stat(st, "runs", (double)value);
			v->labels[1] = next_part(&rest);
			v->labels[0] = rest;
			v->labels[2] = second;
		} else {
			samples[n++] = (struct sample){kind, rest, second, value};
		}
	}
	add_histograms(st, samples, n);
}

static void take_gauges(struct stats *st, const redisReply *reply)
{
	const redisReply *queues = store_at(reply, 1), *running = store_at(reply, 2);

	add_stat(st, "incidents_open", (double)store_number_at(reply, 0));
	for (size_t i = 0; queues && i + 2 < queues->elements; i += 3) {
		add_stat(st, "queue_depth", (double)store_number_at(queues, i + 1))->labels[0] =
			store_text_at(queues, i);
		add_stat(st, "oldest_queued_seconds", (double)store_number_at(queues, i + 2) / 1000)->labels[0] =
			store_text_at(queues, i);
	}
	for (size_t i = 0; running && i + 1 < running->elements; i += 2)
		add_stat(st, "runs_running", (double)store_number_at(running, i + 1))->labels[0] =
			store_text_at(running, i);
}

/* [rule, objective, good, bad]…; the objective in 10^-6 percent */
static void take_slos(struct stats *st, const redisReply *a)
{
	for (size_t i = 0; a && i + 3 < a->elements; i += 4) {
		double objective = (double)store_number_at(a, i + 1) / 1e8;
		double good = (double)store_number_at(a, i + 2), bad = (double)store_number_at(a, i + 3);
		double spent = good + bad > 0 && objective < 1 ? bad / (good + bad) / (1 - objective) : 0;

		add_stat(st, "slo_objective_ratio", objective)->labels[0] = store_text_at(a, i);
		add_stat(st, "slo_error_budget_remaining_ratio", 1 - spent)->labels[0] = store_text_at(a, i);
	}
}

static size_t elements(const redisReply *reply, size_t i)
{
	const redisReply *a = store_at(reply, i);

	return a ? a->elements : 0;
}

static void on_stats(void *ctx, const struct err *e, const redisReply *reply)
{
	struct stats_call *c = ctx;
	struct stats st = {.n = 0};
	struct sample *samples = NULL;
	struct err nomem;

	if (!e) {
		size_t most = 1 + elements(reply, 1) + elements(reply, 2) + elements(reply, 3) + elements(reply, 4);
		st.v = calloc(most, sizeof(*st.v));
		st.buckets = calloc(most, metric_buckets_n * sizeof(*st.buckets));
		samples = calloc(most, sizeof(*samples));
		if (st.v && st.buckets && samples) {
			take_gauges(&st, reply);
			take_counters(&st, store_at(reply, 3), samples);
			take_slos(&st, store_at(reply, 4));
		} else {
			err_set(&nomem, ERR_NOMEM, "no memory for the counters");
			e = &nomem;
		}
	}
	c->cb(c->ctx, e, st.v, st.n);
	free(st.v);
	free(st.buckets);
	free(samples);
	free(c);
}

int store_stats(struct store *s, store_stats_cb cb, void *ctx, struct err *e)
{
	struct stats_call *c = store_call(sizeof(*c), e);

	if (store_begin_for(s, "rb_stats_v1", 0, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	return store_end(s, on_stats, c, e);
}
