/* store_insights.c: one day of what the library counted, out of the texts in which it keeps it.
 *
 * The texts are described in library/80-insights.lua. One that is not as it should be is left out:
 * figures with a gap are worth more than none.
 */
#include "store/insights.h"

#include <stdlib.h>
#include "store/store_impl.h"

struct insights_call {
	store_insights_cb cb;
	void *ctx;
};

/* A day on its way out; arrays are malloc'ed. */
struct day_build {
	struct store_insight_day day;
	struct store_insight_name *names;
	struct store_insight_pair *pairs;
	struct store_insight_rule *rules;
};

/* ---- words ---- */

/* What is before the next `stop`; s is what is after it. */
static struct str cut(struct str *s, char stop)
{
	const char *at = s->n > 0 ? memchr(s->p, stop, s->n) : NULL;
	struct str word = {s->p, at ? (size_t)(at - s->p) : s->n};
	size_t skip = word.n + (at ? 1 : 0);

	*s = (struct str){s->p + skip, s->n - skip};
	return word;
}

static int64_t number(struct str s)
{
	int64_t v = 0;

	for (size_t i = 0; i < s.n && i < 18 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		v = v * 10 + (s.p[i] - '0');
	return v;
}

static int64_t next_number(struct str *s, char stop)
{
	return number(cut(s, stop));
}

/* ---- names ---- */

/* "last begun flapped resolved resolve_ms acked ack_ms rule[ runbooks times ms]…" */
static void take_words(struct store_insight_name *out, struct str v)
{
	cut(&v, ' '); /* last */
	out->begun = next_number(&v, ' ');
	out->flapped = next_number(&v, ' ');
	out->resolved = next_number(&v, ' ');
	out->resolve_ms = next_number(&v, ' ');
	out->acked = next_number(&v, ' ');
	out->ack_ms = next_number(&v, ' ');
	out->rule = cut(&v, ' ');
	if (str_is(out->rule, "-"))
		out->rule = STR_NONE;
	while (v.n > 0 && out->repairs_n < STORE_INSIGHTS_REPAIRS) {
		struct store_repair *r = &out->repairs[out->repairs_n++];
		r->runbooks = cut(&v, ' ');
		r->n = next_number(&v, ' ');
		r->ms = next_number(&v, ' ');
	}
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct store_insight_name *)a)->name,
		((const struct store_insight_name *)b)->name);
}

/* Fields of one name, which stand side by side, are made one. Only one of them has words. */
static size_t fold_names(struct store_insight_name *v, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (out == 0 || !str_eq(v[out - 1].name, v[i].name)) {
			v[out++] = v[i];
			continue;
		}
		struct store_insight_name *words = v[i].begun >= 0 ? &v[i] : &v[out - 1];
		int64_t fired = v[out - 1].fired + v[i].fired;
		v[out - 1] = *words;
		v[out - 1].fired = fired;
	}
	for (size_t i = 0; i < out; i++)
		v[i].begun = v[i].begun < 0 ? 0 : v[i].begun;
	return out;
}

/* ["n NAME", words]…, ["14 NAME", n]… how often it fired in that hour, ["14", n]… how often all
 * did. */
static void take_names(struct day_build *b, const redisReply *a)
{
	size_t n = 0;

	for (size_t i = 0; a && i + 1 < a->elements; i += 2) {
		struct str name = store_text_at(a, i), v = store_text_at(a, i + 1);
		struct str what = cut(&name, ' ');
		if (name.n == 0) {
			b->day.fired += number(v);
			continue;
		}
		struct store_insight_name *out = &b->names[n++];
		*out = (struct store_insight_name){.name = name, .begun = -1};
		if (str_is(what, "n"))
			take_words(out, v);
		else
			out->fired = number(v);
	}
	if (n > 0)
		qsort(b->names, n, sizeof(*b->names), by_name);
	b->day.names_n = fold_names(b->names, n);
}

/* ---- pairs ---- */

/* "name times near seconds squares label:times,…", a tab between */
static void take_pair(struct store_insight_pair *out, struct str first, struct str v)
{
	*out = (struct store_insight_pair){.first = first};
	out->second = cut(&v, '\t');
	out->n = next_number(&v, '\t');
	out->near = next_number(&v, '\t');
	out->seconds = next_number(&v, '\t');
	out->squares = next_number(&v, '\t');
	while (v.n > 0 && out->labels_n < STORE_INSIGHTS_LABELS) {
		struct store_insight_label *l = &out->labels[out->labels_n++];
		l->name = cut(&v, ':');
		l->n = next_number(&v, ',');
	}
}

static size_t count_lines(const redisReply *a)
{
	size_t n = 0;

	for (size_t i = 1; a && i < a->elements; i += 2) {
		struct str v = store_text_at(a, i);
		for (n++; v.n > 0; n++)
			cut(&v, '\n');
	}
	return n;
}

/* [name, lines]… */
static void take_pairs(struct day_build *b, const redisReply *a)
{
	for (size_t i = 0; a && i + 1 < a->elements; i += 2) {
		struct str lines = store_text_at(a, i + 1);
		while (lines.n > 0)
			take_pair(&b->pairs[b->day.pairs_n++], store_text_at(a, i),
				cut(&lines, '\n'));
	}
}

/* ---- sums ---- */

/* ["matched RULE", n]… "ran RULE", "left names", "left fired" */
static void take_sums(struct day_build *b, const redisReply *a)
{
	for (size_t i = 0; a && i + 1 < a->elements; i += 2) {
		struct str name = store_text_at(a, i);
		struct str what = cut(&name, ' ');
		int64_t n = number(store_text_at(a, i + 1));
		if (str_is(what, "left") && str_is(name, "names"))
			b->day.left_names = n;
		else if (str_is(what, "left"))
			b->day.left_fired = n;
		else if (str_is(what, "matched"))
			b->rules[b->day.rules_n++] = (struct store_insight_rule){name, n, 0};
		else if (str_is(what, "ran"))
			b->rules[b->day.rules_n++] = (struct store_insight_rule){name, 0, n};
	}
}

/* ---- the call ---- */

static size_t elements(const redisReply *a)
{
	return a ? a->elements : 0;
}

static bool take_day(struct day_build *b, const redisReply *reply)
{
	const redisReply *names = store_at(reply, 1), *after = store_at(reply, 2),
			 *sums = store_at(reply, 3);

	b->day.day = store_number_at(reply, 0);
	b->names = calloc(elements(names) / 2 + 1, sizeof(*b->names));
	b->pairs = calloc(count_lines(after) + 1, sizeof(*b->pairs));
	b->rules = calloc(elements(sums) / 2 + 1, sizeof(*b->rules));
	if (!b->names || !b->pairs || !b->rules)
		return false;
	take_names(b, names);
	take_pairs(b, after);
	take_sums(b, sums);
	b->day.names = b->names;
	b->day.pairs = b->pairs;
	b->day.rules = b->rules;
	return true;
}

static void on_day(void *ctx, const struct err *e, const redisReply *reply)
{
	struct insights_call *c = ctx;
	struct day_build b = {.day = {.day = -1}};
	struct err nomem;

	if (!e && !take_day(&b, reply)) {
		err_set(&nomem, ERR_NOMEM, "no memory for what was counted of a day");
		e = &nomem;
	}
	c->cb(c->ctx, e, e ? NULL : &b.day);
	free(b.names);
	free(b.pairs);
	free(b.rules);
	free(c);
}

int store_insights(
	struct store *s, int64_t from, int64_t to, store_insights_cb cb, void *ctx, struct err *e)
{
	struct insights_call *c = store_call(sizeof(*c), e);

	if (store_begin_for(s, "rb_insights_v1", 2, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	redis_arg_i64(s->redis, from);
	redis_arg_i64(s->redis, to);
	return store_end(s, on_day, c, e);
}
