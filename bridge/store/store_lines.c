/* store_lines.c: lines and the events that they would raise into one function call, and what came
 * of each out of its answer.
 *
 * The words of the call are described at rb_lines_v2 in library/30-ingest.lua. Lines of one call
 * are one step: an error stores none.
 */
#include "store/lines.h"

#include <stdlib.h>
#include "base/json.h"
#include "store/store_impl.h"

#define LINE_WORDS 5
#define HEAD_WORDS 2

struct lines_call {
	store_lines_cb cb;
	void *ctx;
	struct ingest_call *events;
	enum store_line_outcome *out;
	size_t n;
};

static void lines_free(struct lines_call *c)
{
	if (!c)
		return;
	store_ingest_free(c->events);
	free(c->out);
	free(c);
}

static struct lines_call *lines_new(
	const struct store_lines *in, store_lines_cb cb, void *ctx, struct err *e)
{
	const struct store_ingest events = {.events = in->events, .n = in->n};
	struct lines_call *c = store_call(sizeof(*c), e);

	if (!c)
		return NULL;
	c->cb = cb;
	c->ctx = ctx;
	c->n = in->n;
	c->events = store_ingest_new(&events, NULL, NULL, e);
	c->out = calloc(in->n + 1, sizeof(*c->out));
	if (c->events && c->out)
		return c;
	if (!c->out)
		err_set(e, ERR_NOMEM, "no memory for a call to Redis");
	lines_free(c);
	return NULL;
}

/* ---- the question ---- */

static struct str cut(struct str s)
{
	size_t n = STORE_LINE_TEXT_MAX;

	if (s.n <= n)
		return s;
	while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return (struct str){s.p, n};
}

static struct str json_of(struct store *s, struct str text)
{
	buf_clear(&s->scratch);
	json_quote(&s->scratch, cut(text));
	return buf_as_str(&s->scratch);
}

static void put_line(struct store *s, const struct store_line_in *l)
{
	const int64_t v[] = {l->count, l->within_ms, l->series, l->lines, l->after_ms};

	redis_arg(s->redis, l->pattern);
	redis_arg(s->redis, store_numbers(s, v, sizeof(v) / sizeof(v[0])));
	redis_arg_z(s->redis, l->mark);
	redis_arg_i64(s->redis, l->time_ms > 0 ? l->time_ms : 0);
	redis_arg(s->redis, json_of(s, l->text));
}

/* ---- the answer ---- */

static const char letters[] = {
	[STORE_LINE_COUNTED] = 'c',
	[STORE_LINE_KNOWN] = 'd',
	[STORE_LINE_FIRING] = 'w',
	[STORE_LINE_NOTHING] = 'n',
	[STORE_LINE_REFUSED] = 's',
};

static bool take_line(struct lines_call *c, size_t i, struct store_decision_out *d,
	const redisReply *reply, size_t *at)
{
	struct str s = store_text_at(reply, *at);

	for (size_t k = STORE_LINE_COUNTED; s.n == 1 && k < sizeof(letters); k++) {
		if (s.p[0] != letters[k])
			continue;
		c->out[i] = (enum store_line_outcome)k;
		(*at)++;
		return true;
	}
	c->out[i] = STORE_LINE_EVENT;
	return store_take_event(c->events, i, d, reply, at);
}

static void on_answer(void *ctx, const struct err *e, const redisReply *reply)
{
	struct lines_call *c = ctx;
	struct store_decision_out *d = c->events->decisions;
	struct err odd;
	size_t at = 0;

	err_set(&odd, ERR_IO, "rb_lines_v2 gave an answer that is none");
	for (size_t i = 0; !e && i < c->n; i++) {
		if (!take_line(c, i, d, reply, &at))
			e = &odd;
		d += c->events->text[i].decisions_n;
	}
	c->cb(c->ctx, e, e ? NULL : c->out, e ? NULL : c->events->out, e ? 0 : c->n);
	lines_free(c);
}

int store_lines(
	struct store *s, const struct store_lines *in, store_lines_cb cb, void *ctx, struct err *e)
{
	struct lines_call *c;
	size_t words = HEAD_WORDS;

	if (in->n > STORE_LINES_MAX)
		return err_set(
			e, ERR_LIMIT, "%zu lines in one call, at most %d", in->n, STORE_LINES_MAX);
	c = lines_new(in, cb, ctx, e);
	for (size_t i = 0; i < in->n; i++)
		words += LINE_WORDS + store_event_words(&in->events[i]);
	if (!c || store_begin(s, "rb_lines_v2", words, e)) {
		lines_free(c);
		return -1;
	}
	redis_arg(s->redis, store_limits_text(s, &in->limits));
	redis_arg(s->redis, in->ruleset_hash);
	for (size_t i = 0; i < in->n; i++) {
		put_line(s, &in->lines[i]);
		store_put_event(s, &in->events[i]);
	}
	if (redis_end(s->redis, 0, on_answer, c, e) == 0)
		return 0;
	lines_free(c);
	return -1;
}
