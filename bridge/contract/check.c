/* check.c: a value held against a contract.
 *
 * Guarantee: bounded work (CONTRACT_STEPS subschemas applied, CONTRACT_DEPTH within each other,
 * each regex by its match limit), whatever the contract combines and whatever the value is. The
 * first fault in the contract's order of looking is the one that is told, with its place; where
 * alternatives fail, what the first of them said.
 */
#include <stdarg.h>
#include <stdio.h>
#include "base/utf8.h"
#include "contract/decimal.h"
#include "contract/schema.h"

struct place { /* from the value up to the whole */
	const struct place *above;
	struct str name; /* of a member */
	size_t index;	 /* of an item, where name.p is NULL */
};

struct check {
	struct contract *c;
	size_t steps;
	unsigned depth;
	bool over; /* a limit was passed: e says which, and nothing else matters */
	struct err *e;
};

static bool holds(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at);

/* ---- faults ---- */

static void put_name(struct buf *out, struct str s)
{
	s.n = s.n <= 60 ? s.n : 60;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '~')
			buf_puts(out, "~0");
		else if (s.p[i] == '/')
			buf_puts(out, "~1");
		else
			buf_putc(out, s.p[i]);
	}
}

static void put_place(struct buf *out, const struct place *at)
{
	if (!at)
		return;
	put_place(out, at->above);
	buf_putc(out, '/');
	if (at->name.p)
		put_name(out, at->name);
	else
		buf_u64(out, at->index);
}

/* Always false, for `return fault(…)`. */
static bool fault(struct check *k, const struct json *v, const struct place *at, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

static bool fault(
	struct check *k, const struct json *v, const struct place *at, const char *fmt, ...)
{
	char text[300];
	struct buf where;
	va_list ap;

	if (k->over)
		return false;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_init(&where, 4096);
	put_place(&where, at);
	err_set(k->e, ERR_INPUT, "%.*s%s%s", (int)(where.n < 200 ? where.n : 200),
		where.p ? where.p : "", at ? ": " : "", text);
	k->e->offset = v->offset;
	buf_release(&where);
	return false;
}

static bool over(struct check *k, const struct json *v, const char *what)
{
	if (!k->over) {
		err_set(k->e, ERR_LIMIT, "%s", what);
		k->e->offset = v->offset;
	}
	k->over = true;
	return false;
}

/* ---- one keyword each ---- */

static unsigned bits_of(const struct json *v)
{
	switch (v->kind) {
	case JSON_NULL:
		return SCHEMA_NULL;
	case JSON_BOOL:
		return SCHEMA_BOOLEAN;
	case JSON_NUMBER:
		return SCHEMA_NUMBER | (decimal_is_whole(v->text) ? SCHEMA_INTEGER : 0);
	case JSON_STRING:
		return SCHEMA_STRING;
	case JSON_ARRAY:
		return SCHEMA_ARRAY;
	case JSON_OBJECT:
		break;
	}
	return SCHEMA_OBJECT;
}

static bool type_holds(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	static const char *const names[] = {"null", "a boolean", "a number", "a whole number",
		"a string", "an array", "an object"};
	char wanted[120] = "";
	size_t n = 0;

	if (!s->types || s->types & bits_of(v))
		return true;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (s->types & 1u << i)
			n += (size_t)snprintf(
				wanted + n, sizeof(wanted) - n, "%s%s", n ? " or " : "", names[i]);
	}
	return fault(k, v, at, "want %s, got %s", wanted,
		v->kind == JSON_NUMBER && s->types & SCHEMA_INTEGER ? "a number with a fraction"
								    : json_kind_name(v->kind));
}

static struct str value_text(const struct json *v)
{
	bool text = v->kind == JSON_STRING || v->kind == JSON_NUMBER;

	return !text		 ? str_of(json_kind_name(v->kind))
	       : v->text.n <= 60 ? v->text
				 : (struct str){v->text.p, 60};
}

static bool values_hold(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	char wanted[160];
	size_t n = 0;

	if (s->value && !schema_equal(s->value, v))
		return fault(k, v, at, "want '%.*s', got '%.*s'", STR_ARG(value_text(s->value)),
			STR_ARG(value_text(v)));
	if (!s->one_of_values)
		return true;
	wanted[0] = '\0';
	for (const struct json *x = s->one_of_values->child; x; x = x->next) {
		if (schema_equal(x, v))
			return true;
		if (n < sizeof(wanted) - 1)
			n += (size_t)snprintf(wanted + n, sizeof(wanted) - n, "%s'%.*s'",
				n ? ", " : "", STR_ARG(value_text(x)));
	}
	return fault(k, v, at, "want one of %s%s, got '%.*s'", wanted,
		n >= sizeof(wanted) ? "…" : "", STR_ARG(value_text(v)));
}

static bool number_holds(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	if (v->kind != JSON_NUMBER)
		return true;
	if (s->minimum.p && decimal_cmp(v->text, s->minimum) < 0)
		return fault(k, v, at, "%.*s is less than %.*s", STR_ARG(value_text(v)),
			STR_ARG(s->minimum));
	if (s->maximum.p && decimal_cmp(v->text, s->maximum) > 0)
		return fault(k, v, at, "%.*s is more than %.*s", STR_ARG(value_text(v)),
			STR_ARG(s->maximum));
	if (s->above.p && decimal_cmp(v->text, s->above) <= 0)
		return fault(k, v, at, "%.*s is not more than %.*s", STR_ARG(value_text(v)),
			STR_ARG(s->above));
	if (s->below.p && decimal_cmp(v->text, s->below) >= 0)
		return fault(k, v, at, "%.*s is not less than %.*s", STR_ARG(value_text(v)),
			STR_ARG(s->below));
	return true;
}

static bool range_holds(struct check *k, const struct schema_range *r, size_t n, const char *what,
	const struct json *v, const struct place *at)
{
	if ((int64_t)n < r->least)
		return fault(k, v, at, "has %zu %s, must have at least %lld", n, what,
			(long long)r->least);
	if (r->most >= 0 && (int64_t)n > r->most)
		return fault(
			k, v, at, "has %zu %s, may have at most %lld", n, what, (long long)r->most);
	return true;
}

static size_t characters(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static bool pattern_holds(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	int rc = pcre2_match(s->pattern, (PCRE2_SPTR)(v->text.p ? v->text.p : ""), v->text.n, 0, 0,
		k->c->match, k->c->context);

	if (rc >= 0)
		return true;
	if (rc == PCRE2_ERROR_NOMATCH)
		return fault(k, v, at, "'%.*s' does not match the pattern '%.*s'",
			STR_ARG(value_text(v)),
			(int)(s->pattern_text.n < 80 ? s->pattern_text.n : 80), s->pattern_text.p);
	return over(k, v, "a pattern of the contract takes too many steps on a value");
}

static bool string_holds(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	if (v->kind != JSON_STRING)
		return true;
	if ((s->length.least || s->length.most >= 0) &&
		!range_holds(k, &s->length, characters(v->text), "characters", v, at))
		return false;
	if (s->pattern && !pattern_holds(k, s, v, at))
		return false;
	if (!format_holds(s->format, v->text))
		return fault(k, v, at, "'%.*s' is no %s", STR_ARG(value_text(v)),
			format_name(s->format));
	return true;
}

static bool array_holds(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	struct place here = {.above = at};

	if (v->kind != JSON_ARRAY)
		return true;
	if (!range_holds(k, &s->count, v->count, "items", v, at))
		return false;
	for (const struct json *x = v->child; x && s->items; x = x->next, here.index++) {
		if (!holds(k, s->items, x, &here))
			return false;
	}
	return true;
}

static const struct schema *schema_of(const struct schema *s, struct str name)
{
	for (size_t i = 0; i < s->properties_n; i++) {
		if (str_eq(s->properties[i].name, name))
			return s->properties[i].schema;
	}
	return s->additional;
}

static bool members_hold(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	struct place here = {.above = at};

	for (const struct json *m = v->child; m; m = m->next) {
		const struct schema *sub = schema_of(s, m->key);
		here.name = m->key.p ? m->key : STR("");
		if (sub && sub == s->additional && sub->never)
			return fault(k, m, &here, "is no property that the contract knows");
		if (sub && !holds(k, sub, m, &here))
			return false;
	}
	return true;
}

static bool object_holds(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	if (v->kind != JSON_OBJECT)
		return true;
	for (size_t i = 0; i < s->required_n; i++) {
		if (!json_getn(v, s->required[i]))
			return fault(k, v, at, "lacks '%.*s'", STR_ARG(s->required[i]));
	}
	if (!range_holds(k, &s->members, v->count, "properties", v, at))
		return false;
	return (!s->properties_n && !s->additional) || members_hold(k, s, v, at);
}

/* ---- schemas of schemas ---- */

static bool all_hold(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	for (size_t i = 0; i < s->all.n; i++) {
		if (!holds(k, s->all.v[i], v, at))
			return false;
	}
	return true;
}

/* How many of the list hold; told: what the first that does not says. */
static size_t count_held(struct check *k, const struct schema_list *l, size_t enough,
	const struct json *v, const struct place *at, struct err *told)
{
	struct err *outer = k->e;
	size_t held = 0;

	told->text[0] = '\0';
	for (size_t i = 0; i < l->n && held < enough && !k->over; i++) {
		struct err e = {0};
		k->e = &e;
		if (holds(k, l->v[i], v, at))
			held++;
		else if (!told->text[0] || k->over)
			*told = e;
	}
	k->e = outer;
	if (k->over)
		*outer = *told;
	return held;
}

static bool choices_hold(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	struct err told = {0};
	size_t held;

	if (s->any.n && count_held(k, &s->any, 1, v, at, &told) == 0)
		return fault(k, v, at, "none of its %zu alternatives holds; the first says: %.150s",
			s->any.n, told.text);
	if (s->one.n) {
		held = count_held(k, &s->one, 2, v, at, &told);
		if (held == 0)
			return fault(k, v, at,
				"none of its %zu alternatives holds; the first says: %.150s",
				s->one.n, told.text);
		if (held > 1)
			return fault(k, v, at,
				"more than one of its %zu alternatives holds, one may", s->one.n);
	}
	if (s->not_) {
		const struct schema_list l = {(struct schema **)&s->not_, 1};
		held = count_held(k, &l, 1, v, at, &told);
		if (k->over || held > 0)
			return fault(k, v, at, "is what the contract forbids ('not')");
	}
	return !k->over;
}

static bool schema_holds(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	if (s->never)
		return fault(k, v, at, "nothing is allowed here");
	return (!s->ref || holds(k, s->ref, v, at)) && type_holds(k, s, v, at) &&
	       values_hold(k, s, v, at) && number_holds(k, s, v, at) && string_holds(k, s, v, at) &&
	       array_holds(k, s, v, at) && object_holds(k, s, v, at) && all_hold(k, s, v, at) &&
	       choices_hold(k, s, v, at);
}

static bool holds(
	struct check *k, const struct schema *s, const struct json *v, const struct place *at)
{
	bool good;

	if (k->over)
		return false;
	if (++k->steps > CONTRACT_STEPS)
		return over(k, v, "the contract takes too many steps on this value");
	if (k->depth == CONTRACT_DEPTH)
		return over(k, v, "the contract nests too deep on this value");
	k->depth++;
	good = schema_holds(k, s, v, at);
	k->depth--;
	return good;
}

int contract_check(struct contract *c, const struct json *v, struct err *e)
{
	static const struct json nothing = {.kind = JSON_OBJECT};
	struct check k = {.c = c, .e = e};

	return holds(&k, c->top, v ? v : &nothing, NULL) ? 0 : -1;
}
