/* store_ingest.c: events with their matched rules into one function call, and what was decided out of its answer.
 *
 * The words of the call are described at rb_ingest_v1 in runbookd.lua. JSON goes in without its first brace, since
 * the function puts id and received in front. A duplicate's decisions are not asked for: they are all `duplicate`,
 * and filled in here.
 */
#include "store/store_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/json.h"

#define EVENT_WORDS 12
#define RULE_WORDS 6

struct ingest_call {
	store_ingest_cb cb;
	void *ctx;
	size_t n, decisions_n;
	struct store_event_out *out;
	struct store_decision_out *decisions;
	struct ingest_text {
		size_t decisions_n;
		char id[ID_LEN + 1];
		char reason[ID_LEN + 40];	/* of a duplicate's decisions */
	} *text;
};

static void call_free(struct ingest_call *c)
{
	if (!c)
		return;
	free(c->out);
	free(c->decisions);
	free(c->text);
	free(c);
}

static struct ingest_call *call_new(const struct store_ingest *in, store_ingest_cb cb, void *ctx, struct err *e)
{
	struct ingest_call *c = store_call(sizeof(*c), e);

	if (!c)
		return NULL;
	c->cb = cb;
	c->ctx = ctx;
	c->n = in->n;
	for (size_t i = 0; i < in->n; i++)
		c->decisions_n += in->events[i].decisions_n;
	c->out = calloc(c->n + 1, sizeof(*c->out));
	c->decisions = calloc(c->decisions_n + 1, sizeof(*c->decisions));
	c->text = calloc(c->n + 1, sizeof(*c->text));
	if (!c->out || !c->decisions || !c->text) {
		call_free(c);
		err_set(e, ERR_NOMEM, "no memory for a call to Redis");
		return NULL;
	}
	for (size_t i = 0; i < in->n; i++)
		c->text[i].decisions_n = in->events[i].decisions_n;
	return c;
}

/* ---- the question ---- */

static size_t decision_words(const struct store_event_in *ev)
{
	size_t n = ev->decisions_n * RULE_WORDS;

	for (size_t i = 0; i < ev->decisions_n; i++)
		n += ev->decisions[i].steps_n * STORE_STEP_WORDS;
	return n;
}

/* The members of an incident's JSON that are known when it opens and never change. */
static struct str head_json(struct store *s, const struct store_event_in *in)
{
	struct str title = in->event->summary;
	struct json_w w;

	if (title.n == 0)
		title = event_label(in->event, STR("alertname"));
	buf_clear(&s->scratch);
	json_w_init(&w, &s->scratch);
	json_w_object(&w);
	json_w_kstr(&w, "title", title);
	json_w_kraw(&w, "key", in->corr_json.n > 0 ? in->corr_json : STR("{}"));
	json_w_kraw(&w, "labels", in->labels_json.n > 0 ? in->labels_json : STR("{}"));
	return (struct str){s->scratch.p + 1, s->scratch.n - 1};
}

void store_put_step(struct redis *r, const struct store_step_in *step)
{
	redis_arg(r, step->name);
	redis_arg(r, step->runbook);
	redis_arg(r, step->runbook_sha256);
	redis_arg(r, step->pool);
	redis_arg(r, step->params_json.n > 0 ? step->params_json : STR("{}"));
	redis_arg_i64(r, step->late);
	redis_arg_i64(r, step->always);
	redis_arg_i64(r, step->idempotent);
	redis_arg_i64(r, step->timeout_ms);
	redis_arg_i64(r, step->retries_max);
	redis_arg_i64(r, step->retries_backoff_ms);
}

static void put_decision(struct redis *r, const struct store_decision_in *d)
{
	char hex[66];

	redis_arg(r, d->rule);
	redis_arg_z(r, decision_name(d->ask));
	redis_arg(r, d->reason);
	redis_arg_i64(r, d->cooldown_ms);
	redis_arg(r, store_short(d->cooldown_key, hex));
	redis_arg_i64(r, (int64_t)d->steps_n);
	for (size_t i = 0; i < d->steps_n; i++)
		store_put_step(r, &d->steps[i]);
}

static void put_event(struct store *s, const struct store_event_in *in)
{
	const struct event *ev = in->event;
	struct redis *r = s->redis;
	char hex[66];

	redis_arg(r, ev->status == EVENT_FIRING ? STR("f") : ev->status == EVENT_RESOLVED ? STR("r") : STR("i"));
	redis_arg(r, ev->source);
	redis_arg(r, ev->fingerprint);
	redis_arg_i64(r, ev->starts_ns / 1000000);
	redis_arg_i64(r, ev->severity);
	redis_arg_i64(r, ev->depth);
	redis_arg(r, store_short(in->corr_key, hex));
	redis_arg_i64(r, in->corr_window_ms);
	redis_arg(r, in->corr_key.n > 0 && in->json.n > 0 && ev->status == EVENT_FIRING ? head_json(s, in) : STR_NONE);
	redis_arg(r, in->json.n > 0 ? (struct str){in->json.p + 1, in->json.n - 1} : STR_NONE);
	redis_arg(r, in->inbox);
	redis_arg_i64(r, (int64_t)decision_words(in));
	for (size_t i = 0; i < in->decisions_n; i++)
		put_decision(r, &in->decisions[i]);
}

/* ---- the answer ---- */

static bool decision_of(struct str name, enum decision *out)
{
	for (enum decision d = DECISION_RUN; d <= DECISION_ERROR; d++) {
		if (str_is(name, decision_name(d))) {
			*out = d;
			return true;
		}
	}
	return false;
}

/* Fills in one event from answer element *at on; false where the answer is not what it should be. */
static bool take_event(struct ingest_call *c, size_t i, struct store_decision_out *d, const redisReply *reply,
	size_t *at)
{
	struct store_event_out *o = &c->out[i];
	struct ingest_text *text = &c->text[i];

	if (*at + 3 > reply->elements)
		return false;
	o->outcome = (enum store_outcome)store_number_at(reply, *at);
	store_event_id(store_text_at(reply, *at + 1), text->id);
	o->id = str_of(text->id);
	o->incident = store_text_at(reply, *at + 2);
	o->decisions = d;
	*at += 3;
	bool decided = o->outcome == STORE_NEW || o->outcome == STORE_REOPENED;
	if (decided && *at + 3 * text->decisions_n > reply->elements)
		return false;
	if (o->outcome == STORE_TAKEN)
		snprintf(text->reason, sizeof(text->reason), "another bridge took it");
	else if (!decided)
		snprintf(text->reason, sizeof(text->reason), "the same occurrence as event %s", text->id);
	for (size_t k = 0; k < text->decisions_n; k++) {
		if (!decided) {
			d[k] = (struct store_decision_out){DECISION_DUPLICATE, str_of(text->reason), STR_NONE};
			continue;
		}
		if (!decision_of(store_text_at(reply, *at), &d[k].decision))
			return false;
		d[k].reason = store_text_at(reply, *at + 1);
		d[k].run = store_text_at(reply, *at + 2);
		*at += 3;
	}
	return true;
}

static void on_ingest(void *ctx, const struct err *e, const redisReply *reply)
{
	struct ingest_call *c = ctx;
	struct store_decision_out *d = c->decisions;
	struct err odd;
	size_t at = 0;

	if (!e) {
		err_set(&odd, ERR_IO, "rb_ingest_v1 gave an answer that is none");
		if (reply->type != REDIS_REPLY_ARRAY)
			e = &odd;
	}
	for (size_t i = 0; !e && i < c->n; i++) {
		if (!take_event(c, i, d, reply, &at))
			e = &odd;
		d += c->text[i].decisions_n;
	}
	c->cb(c->ctx, e, e ? NULL : c->out, e ? 0 : c->n);
	call_free(c);
}

int store_ingest(struct store *s, const struct store_ingest *in, store_ingest_cb cb, void *ctx, struct err *e)
{
	struct redis *r = s->redis;
	size_t args = 6;

	if (in->n > STORE_INGEST_EVENTS_MAX)
		return err_set(e, ERR_LIMIT, "%zu events in one call, at most %d", in->n, STORE_INGEST_EVENTS_MAX);
	for (size_t i = 0; i < in->n; i++) {
		assert(in->events[i].json.n == 0 || in->events[i].json.n > 2);
		args += EVENT_WORDS + decision_words(&in->events[i]);
	}
	struct ingest_call *c = call_new(in, cb, ctx, e);
	if (!c)
		return -1;
	if (store_begin(s, "rb_ingest_v1", args, e)) {
		call_free(c);
		return -1;
	}
	redis_arg(r, in->ruleset_hash);
	redis_arg_i64(r, in->limits.occurrence_skew_ms);
	redis_arg_i64(r, in->limits.reopen_window_ms);
	redis_arg_i64(r, in->limits.queue);
	redis_arg_i64(r, in->truncated);
	redis_arg_i64(r, (int64_t)in->n);
	for (size_t i = 0; i < in->n; i++)
		put_event(s, &in->events[i]);
	if (redis_end(r, 0, on_ingest, c, e)) {
		call_free(c);
		return -1;
	}
	return 0;
}
