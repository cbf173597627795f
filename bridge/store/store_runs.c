/* store_runs.c: runs as a worker sees them (hello, claim, heartbeat, output, change), and runs by hand.
 *
 * A claim whose answer did not arrive may have been granted. Its token is kept here and sent along with a later
 * claim, which gives the same run again instead of leaving it to run out of its lease. The other calls of a worker
 * carry the run's fence and may be sent again as they are; only output may then be there twice.
 *
 * Where Redis is on this machine, the claim is sent right behind the BLPOP that waits for something to claim: Redis
 * takes it up in the turn in which the bell rang, so that one fsync, before anyone is answered, makes both the run and
 * its claim durable. Elsewhere it is not: a worker whose host has lost its power or its network would be given a run
 * in the second before Redis ends the wait.
 */
#include "store/store_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"

#define CLAIM_WORDS 5				/* of rb_claim_v1, before the pools */
#define EMITTED_ARENA ((size_t)64 << 20)	/* memory that the check of one emitted event may take */

static void put_pools(struct redis *r, const struct str *pools, size_t n)
{
	for (size_t i = 0; i < n; i++)
		redis_arg(r, pools[i]);
}

/* ---- hello, heartbeat ---- */

int store_worker_hello(struct store *s, struct str name, struct str instance, struct str home,
	const struct str *pools, size_t n, int64_t lease_ms, store_done_cb cb, void *ctx, struct err *e)
{
	struct store_plain *c = store_plain_new(cb, ctx, e);

	if (store_begin_for(s, "rb_hello_v1", 4 + n, c, e))
		return -1;
	redis_arg(s->redis, name);
	redis_arg(s->redis, instance);
	redis_arg(s->redis, home);
	redis_arg_i64(s->redis, lease_ms);
	put_pools(s->redis, pools, n);
	return store_end(s, store_plain_answer, c, e);
}

struct heartbeat_call {
	store_heartbeat_cb cb;
	void *ctx;
	size_t n;
	size_t at[];	/* lost from the front, those to be stopped from the back: no run is both */
};

static void on_heartbeat(void *ctx, const struct err *e, const redisReply *reply)
{
	struct heartbeat_call *c = ctx;
	size_t lost = 0, cancel = c->n;

	for (size_t i = 0; !e && i < reply->elements && lost < cancel; i++) {
		int64_t at = store_number_at(reply, i);
		if (at >= 0 && (size_t)at < c->n)
			c->at[lost++] = (size_t)at;
		else if (at < 0 && (size_t)(-1 - at) < c->n)
			c->at[--cancel] = (size_t)(-1 - at);
	}
	const struct store_beat b = {c->at, c->at + cancel, lost, c->n - cancel};
	c->cb(c->ctx, e, e ? NULL : &b);
	free(c);
}

int store_heartbeat(struct store *s, struct str worker, struct str instance, const struct store_held *held, size_t n,
	int64_t lease_ms, store_heartbeat_cb cb, void *ctx, struct err *e)
{
	struct heartbeat_call *c = store_call(sizeof(*c) + n * sizeof(c->at[0]), e);

	if (store_begin_for(s, "rb_heartbeat_v1", 3 + 2 * n, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	c->n = n;
	redis_arg(s->redis, worker);
	redis_arg(s->redis, instance);
	redis_arg_i64(s->redis, lease_ms);
	for (size_t i = 0; i < n; i++) {
		redis_arg(s->redis, held[i].run);
		redis_arg_i64(s->redis, (int64_t)held[i].fence);
	}
	return store_end(s, on_heartbeat, c, e);
}

/* ---- claim ---- */

struct claim_call {
	store_claim_cb cb;
	void *ctx;
	struct store *s;
	uint64_t token, again;	/* again: 0 none */
	bool waits;		/* for a bell first */
	bool sent;		/* with it: the claim is on its way, too */
	bool called;		/* with it: it was this worker that was called */
	struct err bell;	/* with it: what the wait ended with */
};

static void remember_lost(struct store *s, uint64_t token)
{
	if (token != 0 && s->lost_claims_n < STORE_LOST_CLAIMS)
		s->lost_claims[s->lost_claims_n++] = token;
}

/* {"name": {"state":…,"exit_code":…,"output":…}} from [step, state, exit, output]…, nearest step first. */
static void steps_json(struct buf *b, const redisReply *steps)
{
	struct json_w w;

	json_w_init(&w, b);
	json_w_object(&w);
	for (size_t i = steps ? steps->elements / 4 : 0; i-- > 0;) {
		struct str exit_code = store_text_at(steps, i * 4 + 2);
		json_w_key(&w, store_text_at(steps, i * 4));
		json_w_object(&w);
		json_w_kstr(&w, "state", store_text_at(steps, i * 4 + 1));
		json_w_kraw(&w, "exit_code", exit_code.n > 0 ? exit_code : STR("null"));
		json_w_kstr(&w, "output", store_text_at(steps, i * 4 + 3));
		json_w_end(&w, '}');
	}
	json_w_end(&w, '}');
}

static void take_claimed(struct store_claimed *out, const redisReply *a)
{
	*out = (struct store_claimed){
		.run = store_text_at(a, 0),
		.fence = (uint64_t)store_number_at(a, 1),
		.rule = store_text_at(a, 2),
		.runbook = store_text_at(a, 3),
		.runbook_sha256 = store_text_at(a, 4),
		.step = store_text_at(a, 5),
		.pool = store_text_at(a, 6),
		.params_json = store_text_at(a, 7),
		.late = store_number_at(a, 8) != 0,
		.event_json = store_text_at(a, 9),
		.incident = store_text_at(a, 10),
		.incident_json = store_text_at(a, 11),
		.attempt = store_number_at(a, 12),
		.timeout_ms = store_number_at(a, 13),
		.event_received_ms = store_number_at(a, 14),
		.claimed_ms = store_number_at(a, 15),
		.depth = (unsigned)store_number_at(a, 16),
		.idempotent = store_number_at(a, 18) != 0,
		.retries_max = store_number_at(a, 19),
		.events_json = store_text_at(a, 20),
	};
}

static void on_claim(void *ctx, const struct err *e, const redisReply *reply)
{
	struct claim_call *c = ctx;
	const struct err *said = e;
	struct store_claimed out = {.run = STR_NONE};
	struct buf steps;

	buf_init(&steps, BUF_NO_LIMIT);
	if (e && e->code == ERR_AWAY) {
		remember_lost(c->s, c->token);
		remember_lost(c->s, c->again);
	} else if (!e && reply->elements > 0) {
		/* The older one was given; whether this one's own token had a run is not known: none was taken. */
		take_claimed(&out, reply);
		steps_json(&steps, store_at(reply, 17));
		out.steps_json = buf_as_str(&steps);
	} else if (!e && c->bell.code) {
		said = &c->bell;
	}
	if (c->waits)
		c->s->waiting = false;
	out.called = c->called;
	c->cb(c->ctx, said, said ? NULL : &out);
	buf_release(&steps);
	free(c);
}

/* The words after the name of the function: CLAIM_WORDS and the pools. */
static void put_claim(struct redis *r, const struct claim_call *c, struct str worker, struct str instance,
	int64_t lease_ms, const struct str *pools, size_t n)
{
	redis_arg(r, worker);
	redis_arg(r, instance);
	redis_arg_i64(r, lease_ms);
	redis_arg_i64(r, (int64_t)c->token);
	if (c->again)
		redis_arg_i64(r, (int64_t)c->again);
	else
		redis_arg(r, STR_NONE);
	put_pools(r, pools, n);
}

static void take_tokens(struct claim_call *c)
{
	struct store *s = c->s;

	c->token = ++s->claim_token;
	if (s->lost_claims_n > 0)
		c->again = s->lost_claims[--s->lost_claims_n];
}

int store_claim(struct store *s, struct str worker, struct str instance, const struct str *pools, size_t n,
	int64_t lease_ms, store_claim_cb cb, void *ctx, struct err *e)
{
	struct claim_call *c = store_call(sizeof(*c), e);

	if (store_begin_for(s, "rb_claim_v1", CLAIM_WORDS + n, c, e))
		return -1;
	*c = (struct claim_call){.cb = cb, .ctx = ctx, .s = s};
	take_tokens(c);
	put_claim(s->redis, c, worker, instance, lease_ms, pools, n);
	return store_end(s, on_claim, c, e);
}

/* ---- the bell ---- */

/* Is this "rb:{namespace:0}:call:WORKER", and not a pool's bell? */
static bool is_call(const struct store *s, struct str key)
{
	return key.n > s->prefix.n &&
	       str_starts((struct str){key.p + s->prefix.n, key.n - s->prefix.n}, STR(":call:"));
}

static void on_bell(void *ctx, const struct err *e, const redisReply *reply)
{
	struct claim_call *c = ctx;
	struct store_claimed none = {.run = STR_NONE};

	c->called = none.called = !e && is_call(c->s, store_text_at(reply, 0));
	if (c->sent) {
		if (e)
			c->bell = *e;
		return; /* its claim's answer is the next one */
	}
	c->s->waiting = false;
	c->cb(c->ctx, e, e ? NULL : &none);
	free(c);
}

static void put_list_key(struct store *s, const char *what, struct str name)
{
	buf_clear(&s->scratch);
	buf_str(&s->scratch, s->prefix);
	buf_puts(&s->scratch, what);
	buf_str(&s->scratch, name);
	redis_arg(s->bell, buf_as_str(&s->scratch));
}

static int send_wait(struct claim_call *c, struct str worker, const struct str *pools, size_t n, int64_t wait_ms,
	struct err *e)
{
	struct store *s = c->s;
	char seconds[32];

	if (!redis_up(s->bell))
		return err_set(e, ERR_AWAY, "%s", redis_why(s->bell));
	if (redis_begin(s->bell, 3 + n, e))
		return -1;
	redis_arg_z(s->bell, "BLPOP");
	put_list_key(s, ":call:", worker);
	for (size_t i = 0; i < n; i++)
		put_list_key(s, ":bell:", pools[i]);
	/* 0 would be for ever. */
	snprintf(seconds, sizeof(seconds), "%.3f", (double)(wait_ms > 0 ? wait_ms : 1) / 1000);
	redis_arg_z(s->bell, seconds);
	return redis_end(s->bell, wait_ms, on_bell, c, e);
}

int store_claim_wait(struct store *s, struct str worker, struct str instance, const struct str *pools, size_t n,
	int64_t lease_ms, int64_t wait_ms, store_claim_cb cb, void *ctx, struct err *e)
{
	struct err ignored;

	if (!s->bell || s->waiting)
		return err_set(e, ERR_CONFLICT, s->bell ? "waiting for work already" : "opened without a bell");
	struct claim_call *c = store_call(sizeof(*c), e);
	if (!c)
		return -1;
	*c = (struct claim_call){.cb = cb, .ctx = ctx, .s = s, .waits = true};
	if (send_wait(c, worker, pools, n, wait_ms, e)) {
		free(c);
		return -1;
	}
	s->waiting = true;
	if (n > 0 && redis_local(s->bell) && store_begin_on(s, s->bell, "rb_claim_v1", CLAIM_WORDS + n, &ignored) == 0) {
		take_tokens(c);
		put_claim(s->bell, c, worker, instance, lease_ms, pools, n);
		c->sent = redis_end(s->bell, wait_ms, on_claim, c, &ignored) == 0;
		if (!c->sent)
			remember_lost(s, c->again);
	}
	return 0;
}

static void ignore_answer(void *ctx, const struct err *e, const redisReply *reply)
{
	(void)ctx;
	(void)e;
	(void)reply;
}

void store_claim_wake(struct store *s)
{
	struct err ignored;

	if (!s->waiting || s->bell_id == 0 || !redis_up(s->redis) || redis_begin(s->redis, 3, &ignored))
		return;
	redis_arg_z(s->redis, "CLIENT");
	redis_arg_z(s->redis, "UNBLOCK");
	redis_arg_i64(s->redis, s->bell_id);
	redis_end(s->redis, 0, ignore_answer, NULL, &ignored);
}

/* ---- output, change ---- */

int store_output(struct store *s, struct store_held run, const struct store_line *lines, size_t n, store_done_cb cb,
	void *ctx, struct err *e)
{
	struct store_plain *c = store_plain_new(cb, ctx, e);
	char head[32];

	if (store_begin_for(s, "rb_output_add_v1", 2 + n, c, e))
		return -1;
	redis_arg(s->redis, run.run);
	redis_arg_i64(s->redis, (int64_t)run.fence);
	for (size_t i = 0; i < n; i++) {
		snprintf(head, sizeof(head), "%c%lld ", lines[i].is_stderr ? 'e' : 'o',
			(long long)(lines[i].time_ms > 0 ? lines[i].time_ms : 0));
		redis_arg_join(s->redis, str_of(head), lines[i].text);
	}
	return store_end(s, store_plain_answer, c, e);
}

static bool is_object(struct str json)
{
	struct arena a;
	struct err ignored;

	arena_init(&a, EMITTED_ARENA);
	const struct json *j = json_parse(&a, json, &ignored);
	bool object = j && j->kind == JSON_OBJECT;
	arena_release(&a);
	return object;
}

/* What the script emitted, where it is an object; the reason tells of what is none. */
static size_t good_emitted(const struct store_run_change *c, struct str *good, struct buf *reason)
{
	size_t n = 0, bad = 0;

	for (size_t i = 0; i < c->emitted_n; i++) {
		if (is_object(c->emitted[i]))
			good[n++] = c->emitted[i];
		else
			bad++;
	}
	if (bad > 0)
		buf_printf(reason, "%s%zu of the events that it emitted are no JSON objects and were dropped",
			reason->n > 0 ? "; " : "", bad);
	return n;
}

static void put_change(struct store *s, const struct store_run_change *c, struct str reason)
{
	struct redis *r = s->redis;

	redis_arg(r, c->run.run);
	redis_arg_i64(r, (int64_t)c->run.fence);
	redis_arg(r, c->state);
	redis_arg(r, store_clean(&s->scratch, reason));
	if (c->has_exit)
		redis_arg_i64(r, c->exit_code);
	else
		redis_arg(r, STR_NONE);
	if (c->signal != 0)
		redis_arg_i64(r, c->signal);
	else
		redis_arg(r, STR_NONE);
	redis_arg(r, c->artifacts_json);
	redis_arg(r, c->params_json);
	redis_arg(r, c->runbook_sha256);
	redis_arg_i64(r, c->duration_ms > 0 ? c->duration_ms : 0);
	redis_arg(r, store_clean(&s->scratch, c->who));
}

int store_run_change(struct store *s, const struct store_run_change *c, store_done_cb cb, void *ctx, struct err *e)
{
	struct str *good = calloc(c->emitted_n + 1, sizeof(*good));
	struct buf reason;
	int rc = -1;

	if (!good)
		return err_set(e, ERR_NOMEM, "no memory for a call to Redis");
	buf_init(&reason, BUF_NO_LIMIT);
	buf_str(&reason, c->reason);
	size_t n = good_emitted(c, good, &reason);
	struct store_plain *call = store_plain_new(cb, ctx, e);
	if (store_begin_for(s, "rb_run_change_v1", 11 + n, call, e) == 0) {
		put_change(s, c, buf_as_str(&reason));
		for (size_t i = 0; i < n; i++)
			redis_arg(s->redis, good[i]);
		rc = store_end(s, store_plain_answer, call, e);
	}
	buf_release(&reason);
	free(good);
	return rc;
}

int store_run_approve(struct store *s, struct str run, bool yes, struct str who, struct str reason, store_done_cb cb,
	void *ctx, struct err *e)
{
	if (!id_valid(run))
		return err_set(e, ERR_NOT_FOUND, "there is no run '%.*s'", run.n > 80 ? 80 : (int)run.n,
			run.p ? run.p : "");
	struct store_plain *c = store_plain_new(cb, ctx, e);
	if (store_begin_for(s, "rb_run_approve_v1", 4, c, e))
		return -1;
	redis_arg(s->redis, run);
	redis_arg_z(s->redis, yes ? "yes" : "no");
	redis_arg(s->redis, store_clean(&s->scratch, who));
	redis_arg(s->redis, store_clean(&s->scratch, reason));
	return store_end(s, store_plain_answer, c, e);
}

/* ---- by hand ---- */

struct text_call {
	store_text_cb cb;
	void *ctx;
};

static void on_text(void *ctx, const struct err *e, const redisReply *reply)
{
	struct text_call *c = ctx;

	c->cb(c->ctx, e, redis_text(reply));
	free(c);
}

int store_run_new(struct store *s, const struct store_manual_run *in, store_text_cb cb, void *ctx, struct err *e)
{
	struct text_call *c = store_call(sizeof(*c), e);

	if (store_begin_for(s, "rb_run_new_v2", 6, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	redis_arg(s->redis, store_clean(&s->scratch, in->who));
	redis_arg(s->redis, in->idempotency_key);
	redis_arg(s->redis, in->ruleset_hash);
	redis_arg_i64(s->redis, in->limits.queue);
	store_put_step(s, &in->step);
	redis_arg(s->redis, in->request_sha256);
	return store_end(s, on_text, c, e);
}

int store_get(struct store *s, enum store_kind kind, struct str id, store_text_cb cb, void *ctx, struct err *e)
{
	static const char *const kinds[] = {
		[STORE_INCIDENT] = "incident", [STORE_RUN] = "run", [STORE_EVENT] = "event"};
	char sid[48];

	if (!id_valid(id) || (kind == STORE_EVENT && !store_sid(id, sid)))
		return err_set(e, ERR_NOT_FOUND, "there is no %s '%.*s'", kinds[kind], STR_ARG(id));
	struct text_call *c = store_call(sizeof(*c), e);
	if (store_begin_for(s, "rb_get_v1", 2, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	redis_arg_z(s->redis, kinds[kind]);
	redis_arg(s->redis, kind == STORE_EVENT ? str_of(sid) : id);
	return store_end(s, on_text, c, e);
}
