/* store_ingest.c: events with their matched rules into one function call, and what was decided out of its answer.
 *
 * The words of the call are described at rb_ingest_v2 in library/30-ingest.lua. A duplicate's decisions are not asked for: they are all `duplicate`,
 * and filled in here.
 */
#include "store/store_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"

#define RULE_WORDS 5
#define INDEX_LABELS_ALERT 64	/* labels of one alert that its incident is filed under */
#define GATE_WORDS 6
#define STORE_TIME_LEAST INT64_C(1000000000000)	/* 2001: the least time of 13 digits */
#define SLO_UNIT 1e6	/* of an objective in percent: as a whole number */

void store_ingest_free(struct ingest_call *c)
{
	if (!c)
		return;
	free(c->out);
	free(c->decisions);
	free(c->text);
	free(c);
}

struct ingest_call *store_ingest_new(const struct store_ingest *in, store_ingest_cb cb, void *ctx, struct err *e)
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
		store_ingest_free(c);
		err_set(e, ERR_NOMEM, "no memory for a call to Redis");
		return NULL;
	}
	for (size_t i = 0; i < in->n; i++)
		c->text[i].decisions_n = in->events[i].decisions_n;
	return c;
}

/* ---- the question ---- */

static size_t gate_words(const struct store_decision_in *d)
{
	if (d->gate.kind == STORE_GATE_NONE)
		return 0;
	return GATE_WORDS + d->gate.timeout_steps_n;
}

size_t store_decision_words(const struct store_decision_in *d)
{
	return RULE_WORDS + d->steps_n + d->resolve_steps_n + d->failure_steps_n + gate_words(d);
}

static size_t decision_words(const struct store_event_in *ev)
{
	size_t n = ev->facts.n > 0 ? RULE_WORDS : 0;

	for (size_t i = 0; i < ev->decisions_n; i++)
		n += store_decision_words(&ev->decisions[i]);
	return n;
}

/* Behind the event's own. */
static size_t more_words(const struct store_event_in *ev)
{
	return ev->topology_n + decision_words(ev);
}

size_t store_event_words(const struct store_event_in *ev)
{
	return STORE_EVENT_WORDS + more_words(ev);
}

struct str store_numbers(struct store *s, const int64_t *v, size_t n)
{
	buf_clear(&s->scratch);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(&s->scratch, ' ');
		buf_i64(&s->scratch, v[i]);
	}
	return buf_as_str(&s->scratch);
}

bool store_label_indexed(struct str name, struct str value)
{
	return name.n > 0 && value.n > 0 && name.n + value.n <= STORE_LABEL_MAX && !memchr(name.p, '=', name.n) &&
	       !memchr(name.p, '\0', name.n) && !memchr(value.p, '\0', value.n);
}

/* What an incident is found by: see rb_ingest_v2. Labels that nobody can ask for are not missed. */
static void put_labels(struct buf *b, const struct event *ev)
{
	size_t from = b->n, n = 0;

	buf_putc(b, '+');
	for (size_t i = 0; i < ev->labels_n; i++) {
		const struct kv *l = &ev->labels[i];
		if (!store_label_indexed(l->name, l->value))
			continue;
		if (n++ == INDEX_LABELS_ALERT) {
			if (!buf_failed(b))
				b->p[from] = '-';
			return;
		}
		buf_str(b, l->name);
		buf_putc(b, '=');
		buf_str(b, l->value);
		buf_putc(b, '\0');
	}
}

/* Its labels, and the members of an incident's JSON that are known when it opens and never change. */
static struct str head_words(struct store *s, const struct store_event_in *in)
{
	struct str title = in->event->summary;
	struct json_w w;

	if (title.n == 0)
		title = event_label(in->event, STR("alertname"));
	buf_clear(&s->scratch);
	put_labels(&s->scratch, in->event);
	json_w_init(&w, &s->scratch);
	json_w_object(&w);
	json_w_kstr(&w, "title", title);
	json_w_kraw(&w, "key", in->corr_json.n > 0 ? in->corr_json : STR("{}"));
	json_w_kraw(&w, "labels", in->labels_json.n > 0 ? in->labels_json : STR("{}"));
	return buf_as_str(&s->scratch);
}

void store_put_step(struct store *s, const struct store_step_in *step)
{
	const int64_t v[] = {step->late, step->always, step->idempotent, step->timeout_ms, step->retries_max,
		step->retries_backoff_ms};
	/* No NUL but in the name, which is the last one. */
	const struct str words[] = {step->pool, step->runbook, step->runbook_sha256,
		step->params_json.n > 0 ? step->params_json : STR("{}"), step->name};

	store_numbers(s, v, sizeof(v) / sizeof(v[0]));
	buf_putc(&s->scratch, ' ');
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (i > 0)
			buf_putc(&s->scratch, '\0');
		buf_str(&s->scratch, words[i]);
	}
	redis_arg(s->redis, buf_as_str(&s->scratch));
}

/* A rule that asks for no more than cooldown and steps says only these two. */
static struct str rule_numbers(struct store *s, const struct store_decision_in *d)
{
	const int64_t v[] = {d->cooldown_ms, (int64_t)d->steps_n, d->for_ms, d->limit_runs.count, d->limit_runs.per_ms,
		d->limit_hosts.count, d->limit_hosts.per_ms, d->on_resolve, d->skip_flapping, d->approval,
		d->approval_expires_ms, (int64_t)d->resolve_steps_n, (int64_t)d->failure_steps_n,
		(int64_t)(d->slo.objective * SLO_UNIT + 0.5), d->slo.within_ms, d->slo.window_ms,
		(int64_t)gate_words(d), d->only_root, d->parallel};
	const size_t n = sizeof(v) / sizeof(v[0]);

	for (size_t i = 2; i < n; i++)
		if (v[i] != 0)
			return store_numbers(s, v, n);
	return store_numbers(s, v, 2);
}

static void put_steps(struct store *s, const struct store_step_in *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_put_step(s, &steps[i]);
}

/* The words of a rule over several events: "kind count within_ms parts timeout_steps" key time names why
 * timeout_why, and the steps on timeout. */
static void put_gate(struct store *s, const struct store_gate_in *g)
{
	const int64_t v[] = {g->kind, g->count, g->within_ms, g->parts, (int64_t)g->timeout_steps_n};
	char hex[66];

	if (g->kind == STORE_GATE_NONE)
		return;
	redis_arg(s->redis, store_numbers(s, v, sizeof(v) / sizeof(v[0])));
	redis_arg(s->redis, store_short(g->key, hex));
	redis_arg_i64(s->redis, g->time_ms > 0 ? g->time_ms : 0);
	redis_arg(s->redis, g->names);
	redis_arg(s->redis, g->why);
	redis_arg(s->redis, g->timeout_why);
	put_steps(s, g->timeout_steps, g->timeout_steps_n);
}

void store_put_decision(struct store *s, const struct store_decision_in *d, struct str host)
{
	bool asks = d->ask == DECISION_RUN || d->ask == DECISION_DRY_RUN;
	char hex[66];

	redis_arg(s->redis, d->rule);
	redis_arg_z(s->redis, decision_name(d->ask));
	redis_arg(s->redis, asks ? host : d->reason);
	redis_arg(s->redis, store_short(d->cooldown_key, hex));
	redis_arg(s->redis, rule_numbers(s, d));
	put_steps(s, d->steps, d->steps_n);
	put_steps(s, d->resolve_steps, d->resolve_steps_n);
	put_steps(s, d->failure_steps, d->failure_steps_n);
	put_gate(s, &d->gate);
}

/* In the place of a rule that asks for nothing. */
static void put_facts(struct store *s, struct str facts)
{
	redis_arg(s->redis, STR_NONE);
	redis_arg(s->redis, STR("facts"));
	redis_arg(s->redis, facts);
	redis_arg(s->redis, STR_NONE);
	redis_arg(s->redis, STR("0 0"));
}

static void add_name(struct buf *b, const struct event *ev)
{
	buf_str(b, ev->source);
	buf_putc(b, ':');
	buf_str(b, ev->fingerprint);
}

/* When the alert is over unless it is reported again, in ms, of as many digits as all times in Redis; 0: it has no
 * such time. */
static int64_t deadline_of(const struct event *ev)
{
	if (ev->status != EVENT_FIRING || ev->fingerprint.n == 0 || ev->expires_ns <= 0)
		return 0;
	int64_t ms = ev->expires_ns / 1000000;
	return ms > STORE_TIME_LEAST ? ms : STORE_TIME_LEAST;
}

static int64_t ms_of(int64_t ns)
{
	return ns > 0 ? ns / 1000000 : 0;
}

/* "f 1763841234567 ": the first words of what Redis keeps of an alert; or "e 1763841234567 1763841477000 ". Of a change
 * "c 1763841234567 ", with when it happened. */
static void put_mark(struct store *s, const struct event *ev, bool change)
{
	struct buf *b = &s->scratch;
	int64_t deadline = deadline_of(ev);

	buf_clear(b);
	buf_putc(b, change ? 'c' : deadline ? 'e' : ev->status == EVENT_FIRING ? 'f' : ev->status == EVENT_RESOLVED ? 'r' : 'i');
	buf_putc(b, ' ');
	buf_i64(b, ms_of(change ? ev->time_ns : ev->starts_ns));
	buf_putc(b, ' ');
	if (deadline) {
		buf_i64(b, deadline);
		buf_putc(b, ' ');
	}
	redis_arg(s->redis, buf_as_str(b));
}

static bool is_alert(const struct event *ev)
{
	return ev->fingerprint.n > 0 && ev->status != EVENT_INFO;
}

/* Of a change the function puts members of its own in front. */
static struct str without_brace(struct str json)
{
	return json.n > 0 ? (struct str){json.p + 1, json.n - 1} : STR_NONE;
}

void store_put_event(struct store *s, const struct store_event_in *in)
{
	const struct event *ev = in->event;
	const int64_t v[] = {ev->severity, ev->depth, in->corr_window_ms, (int64_t)more_words(in)};
	char hex[66], host_hex[66];
	struct str host = store_short(in->host, host_hex);

	buf_clear(&s->scratch);
	if (is_alert(ev))
		add_name(&s->scratch, ev);
	redis_arg(s->redis, buf_as_str(&s->scratch));
	put_mark(s, ev, in->change_json.n > 0);
	store_numbers(s, v, 4);
	if (in->topology_n > 0)
		buf_printf(&s->scratch, ":%zu", in->topology_n);
	buf_putc(&s->scratch, ' ');
	buf_str(&s->scratch, in->inbox);
	if (in->delivery.n > 0) {
		buf_putc(&s->scratch, ' ');
		buf_str(&s->scratch, ev->source);
		buf_putc(&s->scratch, ':');
		buf_str(&s->scratch, store_short(in->delivery, hex));
	}
	redis_arg(s->redis, buf_as_str(&s->scratch));
	redis_arg(s->redis, store_short(in->corr_key, hex));
	bool whole = in->json.n > 0;
	if (whole && in->corr_key.n > 0 && ev->status == EVENT_FIRING)
		redis_arg(s->redis, head_words(s, in));
	else
		redis_arg(s->redis, without_brace(in->change_json));
	redis_arg(s->redis, in->json);
	if (in->facts.n > 0)
		put_facts(s, in->facts);
	for (size_t i = 0; i < in->decisions_n; i++)
		store_put_decision(s, &in->decisions[i], host);
	for (size_t i = 0; i < in->topology_n; i++)
		redis_arg(s->redis, in->topology[i]);
}

struct str store_limits_text(struct store *s, const struct store_limits *l)
{
	const int64_t v[] = {l->occurrence_skew_ms, l->reopen_window_ms, l->queue, l->flapping.transitions,
		l->flapping.window_ms, l->runs.count, l->runs.per_ms, l->hosts.count, l->hosts.per_ms,
		l->delivery_window_ms, l->gate_late_ms, l->gates};

	return store_numbers(s, v, sizeof(v) / sizeof(v[0]));
}

/* The words of the call after the sizes. */
static void put_head(struct store *s, const struct store_ingest *in)
{
	redis_arg(s->redis, store_limits_text(s, &in->limits));
	redis_arg_i64(s->redis, in->truncated);
	redis_arg(s->redis, in->ruleset_hash);
}

/* All came without their JSON: there is a shorter way. Not for a message that left alerts out, which is to be noted. */
static bool all_known(const struct store_ingest *in)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->events[i].json.n > 0 || in->events[i].delivery.n > 0 || !is_alert(in->events[i].event))
			return false;
	return in->n > 0 && in->truncated == 0;
}

static void on_answer(void *ctx, const struct err *e, const redisReply *reply)
{
	size_t at = 0;

	store_ingest_answer(ctx, e, reply, &at);
}

/* Encodes what is behind the sizes into s->head and s->args, *args arguments in the latter. */
static int encode(struct store *s, const struct store_ingest *in, size_t *args, struct err *e)
{
	struct redis *r = s->redis;

	if (!redis_up(r))
		return err_set(e, ERR_AWAY, "%s", redis_why(r));
	buf_clear(&s->head);
	buf_clear(&s->args);
	redis_aside_begin(r);
	put_head(s, in);
	redis_aside_end(r, &s->head);
	redis_aside_begin(r);
	for (size_t i = 0; i < in->n; i++) {
		assert(in->events[i].json.n == 0 || in->events[i].json.n > 2);
		store_put_event(s, &in->events[i]);
	}
	*args = redis_aside_end(r, &s->args);
	if (buf_failed(&s->head) || buf_failed(&s->args))
		return err_set(e, ERR_NOMEM, "no memory for a call to Redis");
	return 0;
}

/* What was encoded is on its way. */
static void encoded_gone(struct store *s)
{
	buf_shrink(&s->head, REDIS_OUT_KEEP);
	buf_shrink(&s->keys, REDIS_OUT_KEEP);
	buf_shrink(&s->args, REDIS_OUT_KEEP);
	buf_shrink(&s->scratch, REDIS_OUT_KEEP);
}

static int send_whole(struct store *s, const struct store_ingest *in, struct ingest_call *c, struct err *e)
{
	struct store_batch_part part = {0};

	if (encode(s, in, &part.words_n, e))
		return -1;
	part.head = buf_as_str(&s->head);
	part.words = buf_as_str(&s->args);
	int rc = store_batch_add(s, STORE_BATCH_WHOLE, c, &part, e);
	encoded_gone(s);
	return rc;
}

static void put_alert_key(struct store *s, const struct event *ev)
{
	buf_clear(&s->scratch);
	buf_str(&s->scratch, s->prefix);
	buf_add(&s->scratch, ":alert:", 7);
	add_name(&s->scratch, ev);
	redis_arg(s->redis, buf_as_str(&s->scratch));
}

/* Encodes the words of rb_again_v1 into s->keys, s->args and s->head. */
static int encode_again(struct store *s, const struct store_ingest *in, struct err *e)
{
	struct redis *r = s->redis;

	if (!redis_up(r))
		return err_set(e, ERR_AWAY, "%s", redis_why(r));
	buf_clear(&s->head);
	buf_clear(&s->keys);
	buf_clear(&s->args);
	redis_aside_begin(r);
	for (size_t i = 0; i < in->n; i++)
		put_alert_key(s, in->events[i].event);
	redis_aside_end(r, &s->keys);
	redis_aside_begin(r);
	for (size_t i = 0; i < in->n; i++)
		put_mark(s, in->events[i].event, false);
	redis_aside_end(r, &s->args);
	redis_aside_begin(r);
	redis_arg_i64(r, in->limits.occurrence_skew_ms);
	redis_aside_end(r, &s->head);
	if (buf_failed(&s->head) || buf_failed(&s->keys) || buf_failed(&s->args))
		return err_set(e, ERR_NOMEM, "no memory for a call to Redis");
	return 0;
}

static int send_again(struct store *s, const struct store_ingest *in, struct ingest_call *c, struct err *e)
{
	if (encode_again(s, in, e))
		return -1;
	const struct store_batch_part part = {buf_as_str(&s->head), buf_as_str(&s->keys), buf_as_str(&s->args), in->n};
	int rc = store_batch_add(s, STORE_BATCH_AGAIN, c, &part, e);
	encoded_gone(s);
	return rc;
}

static int send_explain(struct store *s, const struct store_ingest *in, bool as_new, struct ingest_call *c,
	struct err *e)
{
	struct redis *r = s->redis;
	size_t args;

	if (encode(s, in, &args, e) || store_begin(s, "rb_explain_v2", 1 + STORE_INGEST_WORDS + args, e))
		return -1;
	redis_arg_i64(r, as_new);
	redis_arg_i64(r, (int64_t)in->n);
	redis_args_ready(r, STORE_INGEST_WORDS - 1, buf_as_str(&s->head));
	redis_args_ready(r, args, buf_as_str(&s->args));
	encoded_gone(s);
	return redis_end(r, 0, on_answer, c, e);
}

/* ---- the answer ---- */

bool store_decision_of(struct str name, enum decision *out)
{
	for (enum decision d = DECISION_RUN; d <= DECISION_ERROR; d++) {
		if (str_is(name, decision_name(d))) {
			*out = d;
			return true;
		}
	}
	return false;
}

/* The word of s that begins at *at, and on to the next. */
static struct str next_word(struct str s, size_t *at)
{
	size_t from = *at;

	while (*at < s.n && s.p[*at] != ' ')
		(*at)++;
	struct str word = {s.p + from, *at - from};
	if (*at < s.n)
		(*at)++;
	return word;
}

static struct str none_as_empty(struct str word)
{
	return str_is(word, "-") ? STR_NONE : word;
}

/* The last two words: an entry id and an incident. */
static void take_ids(struct store_event_out *o, struct ingest_text *text, struct str s)
{
	size_t at = 0;
	struct str last[2] = {STR_NONE, STR_NONE};

	while (at < s.n) {
		last[0] = last[1];
		last[1] = next_word(s, &at);
	}
	store_event_id(last[0], text->id);
	o->id = str_of(text->id);
	o->incident = none_as_empty(last[1]);
}

static void all_duplicate(struct ingest_text *text, char answer, struct store_decision_out *d)
{
	if (answer == '0' + STORE_TAKEN)
		snprintf(text->reason, sizeof(text->reason), "another bridge took it");
	else if (answer == '0' + STORE_DUPLICATE)
		snprintf(text->reason, sizeof(text->reason), "the same delivery as of event %s", text->id);
	else
		snprintf(text->reason, sizeof(text->reason), "the same occurrence as event %s", text->id);
	for (size_t k = 0; k < text->decisions_n; k++)
		d[k] = (struct store_decision_out){.decision = DECISION_DUPLICATE, .reason = str_of(text->reason)};
}

/* "decision" or "decision+decision" */
static bool take_decided(struct store_decision_out *d, struct str word)
{
	const char *plus = memchr(word.p, '+', word.n);
	size_t n = plus ? (size_t)(plus - word.p) : word.n;

	d->ended_one = plus != NULL;
	if (plus && !store_decision_of((struct str){plus + 1, word.n - n - 1}, &d->ended))
		return false;
	return store_decision_of((struct str){word.p, n}, &d->decision);
}

/* "decision run reason" */
static bool take_decision(struct store_decision_out *d, struct str s)
{
	size_t at = 0;

	if (!take_decided(d, next_word(s, &at)))
		return false;
	d->run = none_as_empty(next_word(s, &at));
	d->reason = (struct str){s.p + at, s.n - at};
	return true;
}

bool store_take_event(struct ingest_call *c, size_t i, struct store_decision_out *d, const redisReply *reply,
	size_t *at)
{
	struct store_event_out *o = &c->out[i];
	struct ingest_text *text = &c->text[i];
	struct str s = reply->type == REDIS_REPLY_STRING ? redis_text(reply) : store_text_at(reply, (*at)++);

	if (s.n == 0 || (s.p[0] != ' ' && (s.p[0] < '0' || s.p[0] > '3')))
		return false;
	o->outcome = s.p[0] == ' ' ? STORE_DUPLICATE : (enum store_outcome)(s.p[0] - '0');
	o->decisions = d;
	if (o->outcome != STORE_TAKEN)
		take_ids(o, text, s);
	if (o->outcome == STORE_DUPLICATE || o->outcome == STORE_TAKEN) {
		all_duplicate(text, s.p[0], d);
		return true;
	}
	for (size_t k = 0; k < text->decisions_n; k++)
		if (!take_decision(&d[k], store_text_at(reply, (*at)++)))
			return false;
	return true;
}

void store_ingest_answer(struct ingest_call *c, const struct err *e, const redisReply *reply, size_t *at)
{
	struct store_decision_out *d = c->decisions;
	struct err odd;

	err_set(&odd, ERR_IO, "rb_ingest_v2 gave an answer that is none");
	for (size_t i = 0; !e && i < c->n; i++) {
		if (!store_take_event(c, i, d, reply, at))
			e = &odd;
		d += c->text[i].decisions_n;
	}
	c->cb(c->ctx, e, e ? NULL : c->out, e ? 0 : c->n);
	store_ingest_free(c);
}

static int check_size(const struct store_ingest *in, struct err *e)
{
	if (in->n > STORE_INGEST_EVENTS_MAX)
		return err_set(e, ERR_LIMIT, "%zu events in one call, at most %d", in->n, STORE_INGEST_EVENTS_MAX);
	return 0;
}

int store_ingest(struct store *s, const struct store_ingest *in, store_ingest_cb cb, void *ctx, struct err *e)
{
	struct ingest_call *c = check_size(in, e) ? NULL : store_ingest_new(in, cb, ctx, e);

	if (!c)
		return -1;
	if (all_known(in) ? send_again(s, in, c, e) : send_whole(s, in, c, e)) {
		store_ingest_free(c);
		return -1;
	}
	return 0;
}

int store_explain(struct store *s, const struct store_ingest *in, bool as_new, store_ingest_cb cb, void *ctx,
	struct err *e)
{
	struct ingest_call *c = check_size(in, e) ? NULL : store_ingest_new(in, cb, ctx, e);

	if (!c)
		return -1;
	if (send_explain(s, in, as_new, c, e)) {
		store_ingest_free(c);
		return -1;
	}
	return 0;
}
