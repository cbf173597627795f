/* rule_check_twins.c: rules that do the work of an earlier one.
 *
 * Every rule that matches runs, so no rule hides another; but two with the same matchers and the
 * same steps do all of it twice. They are found by a text of what they match and run, in which
 * order and spelling of matchers do not count.
 */
#include "rule/rule_check.h"

#include <stdlib.h>

struct print {
	const struct rule *rule;
	struct str text;
};

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void put(struct buf *b, struct str s)
{
	buf_u64(b, s.n);
	buf_putc(b, ':');
	buf_str(b, s);
}

static struct str matcher_text(struct arena *a, const struct matcher *m)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_u64(&b, (uint64_t)m->field.kind * 10 + (uint64_t)m->field.event);
	put(&b, m->field.name);
	buf_str(&b, matcher_op_text(m->op));
	put(&b, m->value);
	struct str s = arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static struct str sorted_text(struct arena *a, struct str *v, size_t n)
{
	struct buf b;

	qsort(v, n, sizeof(*v), by_text);
	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !str_eq(v[i - 1], v[i]))
			put(&b, v[i]);
	struct str s = arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static struct str matchers_text(struct arena *a, const struct matchers *m)
{
	struct str *v = arena_array(a, m->n ? m->n : 1, sizeof(*v));

	for (size_t i = 0; v && i < m->n; i++)
		v[i] = matcher_text(a, &m->v[i]);
	return v ? sorted_text(a, v, m->n) : STR_NONE;
}

static void put_step(struct buf *b, const struct rule_step *s)
{
	put(b, s->name);
	put(b, s->pool ? template_text(s->pool) : STR("default"));
	buf_i64(b, s->timeout_ms);
	buf_putc(b, s->always ? 'a' : '-');
	for (size_t i = 0; i < s->with_n; i++) {
		put(b, s->with[i].name);
		put(b, template_text(s->with[i].value));
	}
	buf_putc(b, ';');
}

static void put_gate(struct buf *b, const struct rule_gate *g)
{
	buf_u64(b, g->kind);
	if (g->kind == RULE_GATE_NONE)
		return;
	buf_i64(b, g->count);
	buf_putc(b, ',');
	buf_i64(b, g->within_ms);
	put(b, g->kind == RULE_GATE_SEQUENCE ? g->parts : STR_NONE); /* their order counts */
	for (size_t i = 0; i < g->by_n; i++)
		put(b, g->by[i].text);
}

static struct str print_of(struct rule_check *c, const struct rule *r)
{
	struct arena *a = &c->scratch;
	struct buf b;

	arena_reset(a);
	struct str *any = arena_array(a, r->any_n + 1, sizeof(*any));
	buf_init(&b, BUF_NO_LIMIT);
	buf_u64(&b, r->when);
	buf_putc(&b, r->dry_run ? 'd' : '-');
	put_gate(&b, &r->gate);
	put(&b, matchers_text(a, &r->match));
	for (size_t i = 0; any && i < r->any_n; i++)
		any[i] = matchers_text(a, &r->any[i]);
	put(&b, any ? sorted_text(a, any, r->any_n) : STR_NONE);
	for (size_t i = 0; i < r->steps_n; i++)
		put_step(&b, &r->steps[i]);
	struct str s = arena_strdup(&c->arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static int by_print(const void *a, const void *b)
{
	const struct print *x = a, *y = b;
	int d = str_cmp(x->text, y->text);

	return d ? d : (x->rule > y->rule) - (x->rule < y->rule);
}

void rule_check_twins(struct rule_check *c)
{
	size_t n = c->rs->rules_n;
	struct print *v = arena_array(&c->arena, n ? n : 1, sizeof(*v));

	for (size_t i = 0; v && i < n; i++)
		v[i] = (struct print){&c->rs->rules[i], print_of(c, &c->rs->rules[i])};
	if (!v || arena_failed(&c->arena))
		return;
	qsort(v, n, sizeof(*v), by_print);
	for (size_t i = 1; i < n; i++)
		if (str_eq(v[i - 1].text, v[i].text))
			rule_check_warn(c, v[i].rule,
				"it does what rule '%.*s' in %.*s:%d does: the same matchers and "
				"the same "
				"steps, so that each of its events runs them twice; remove one of "
				"them",
				STR_ARG(v[i - 1].rule->name), STR_ARG(v[i - 1].rule->file),
				v[i - 1].rule->line);
}
