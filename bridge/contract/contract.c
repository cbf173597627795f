/* contract.c: the bytes of a JSON Schema into a contract that can be applied.
 *
 * Owns the table of keywords: each with how it is read. Guarantees that all of a contract that was
 * read is applied: an unknown keyword, type or format, a reference that leads out of the file or
 * nowhere, and one that leads back to itself without a step into the value, are findings at their
 * place. A finding does not hide the ones behind it.
 *
 * Each place of the file is compiled once, when something first refers to it, so references may go
 * in circles through the value.
 */
#include "contract/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/regex_classes.h"
#include "base/nearest.h"
#include "contract/decimal.h"

#define CONTRACT_MEMORY ((size_t)64 << 20)
#define PATTERN_OPTIONS                                                                            \
	(PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ALT_BSUX | PCRE2_DOLLAR_ENDONLY |             \
		PCRE2_NEVER_BACKSLASH_C)
#define NAMES_MAX 64

struct compiled { /* one place of the file */
	const struct json *at;
	struct schema *schema;
};

struct reader {
	struct contract *c;
	struct str bytes;
	const char *name;
	struct diags *d;
	const struct json *root;
	struct compiled *done;
	size_t done_n, done_cap;
	unsigned depth;
};

static struct schema *read_schema(struct reader *r, const struct json *j);

/* ---- findings ---- */

static void place_of(const struct reader *r, size_t offset, int *line, int *column)
{
	size_t begin = 0;

	*line = 1;
	for (size_t i = 0; i < offset && i < r->bytes.n; i++) {
		if (r->bytes.p[i] == '\n') {
			++*line;
			begin = i + 1;
		}
	}
	*column = (int)(offset > begin ? offset - begin : 0) + 1;
}

static void complain(struct reader *r, const struct json *j, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void complain(struct reader *r, const struct json *j, const char *fmt, ...)
{
	char text[400];
	int line, column;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	place_of(r, j->offset, &line, &column);
	diag_add(r->d, DIAG_ERROR, r->name, line, column, "%s", text);
}

static struct str shown(struct str s)
{
	return s.n <= 60 ? s : (struct str){s.p, 60};
}

static void want(struct reader *r, const struct json *j, const char *what)
{
	complain(r, j, "'%.*s' is %s; it must be %s", STR_ARG(shown(j->key)),
		json_kind_name(j->kind), what);
}

static void *room(struct reader *r, size_t n, size_t size)
{
	return arena_array(&r->c->arena, n ? n : 1, size);
}

/* ---- keywords ---- */

static void take_nothing(struct reader *r, const struct json *j, struct schema *s)
{
	(void)r;
	(void)j;
	(void)s;
}

static unsigned type_bit(struct str name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} types[] = {
		{"null", SCHEMA_NULL},
		{"boolean", SCHEMA_BOOLEAN},
		{"number", SCHEMA_NUMBER},
		{"integer", SCHEMA_INTEGER},
		{"string", SCHEMA_STRING},
		{"array", SCHEMA_ARRAY},
		{"object", SCHEMA_OBJECT},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (str_is(name, types[i].name))
			return types[i].bit;
	}
	return 0;
}

static void take_type(struct reader *r, const struct json *j, struct schema *s)
{
	const struct json *first = j->kind == JSON_ARRAY ? j->child : j;

	for (const struct json *t = first; t; t = j->kind == JSON_ARRAY ? t->next : NULL) {
		unsigned bit = t->kind == JSON_STRING ? type_bit(t->text) : 0;
		if (!bit)
			complain(r, t,
				"'type' must be null, boolean, number, integer, string, array or "
				"object, or a "
				"list of them");
		s->types |= bit;
	}
	if (!first)
		complain(r, j, "'type' is an empty list: nothing would hold; leave it out");
}

static void take_enum(struct reader *r, const struct json *j, struct schema *s)
{
	if (j->kind != JSON_ARRAY || !j->count)
		want(r, j, "a list of values, at least one");
	else
		s->one_of_values = j;
}

static void take_const(struct reader *r, const struct json *j, struct schema *s)
{
	(void)r;
	s->value = j;
}

static void take_properties(struct reader *r, const struct json *j, struct schema *s)
{
	if (j->kind != JSON_OBJECT) {
		want(r, j, "an object of schemas");
		return;
	}
	s->properties = room(r, j->count, sizeof(*s->properties));
	for (const struct json *m = j->child; m && s->properties; m = m->next) {
		struct schema_property *p = &s->properties[s->properties_n++];
		*p = (struct schema_property){m->key, read_schema(r, m)};
	}
}

static void take_additional(struct reader *r, const struct json *j, struct schema *s)
{
	s->additional = read_schema(r, j);
}

static void take_required(struct reader *r, const struct json *j, struct schema *s)
{
	if (j->kind != JSON_ARRAY) {
		want(r, j, "a list of names");
		return;
	}
	s->required = room(r, j->count, sizeof(*s->required));
	for (const struct json *m = j->child; m && s->required; m = m->next) {
		if (m->kind != JSON_STRING)
			complain(r, m, "'required' must be a list of names");
		else
			s->required[s->required_n++] = m->text;
	}
}

static void take_items(struct reader *r, const struct json *j, struct schema *s)
{
	if (j->kind == JSON_ARRAY)
		want(r, j, "one schema for all items; lists of schemas are not supported");
	else
		s->items = read_schema(r, j);
}

static bool keep_pattern(struct reader *r, pcre2_code *code)
{
	struct contract *c = r->c;

	if (c->patterns_n == c->patterns_cap) {
		size_t cap = c->patterns_cap ? c->patterns_cap * 2 : 16;
		pcre2_code **v = reallocarray(c->patterns, cap, sizeof(*v));
		if (!v)
			return false;
		c->patterns = v;
		c->patterns_cap = cap;
	}
	c->patterns[c->patterns_n++] = code;
	return true;
}

/* Where the text cannot be made fit for JIT, PCRE2 interprets: slower, the same answer. */
static void compile_for_jit(struct schema *s)
{
	pcre2_code *code = NULL;
	PCRE2_SIZE at;
	struct buf b;
	int ignored;

	buf_init(&b, BUF_NO_LIMIT);
	if (regex_classes(s->pattern_text, &b))
		code = pcre2_compile((PCRE2_SPTR)(b.p ? b.p : ""), b.n, PATTERN_OPTIONS, &ignored, &at, NULL);
	buf_release(&b);
	if (!code)
		return;
	pcre2_code_free(s->pattern);
	s->pattern = code;
	pcre2_jit_compile(s->pattern, PCRE2_JIT_COMPLETE);
}

static void take_pattern(struct reader *r, const struct json *j, struct schema *s)
{
	PCRE2_UCHAR text[128];
	PCRE2_SIZE at;
	int code;

	if (j->kind != JSON_STRING) {
		want(r, j, "a regex");
		return;
	}
	s->pattern_text = j->text;
	s->pattern =
		pcre2_compile((PCRE2_SPTR)j->text.p, j->text.n, PATTERN_OPTIONS, &code, &at, NULL);
	if (!s->pattern) {
		pcre2_get_error_message(code, text, sizeof(text));
		complain(r, j, "bad regex '%.*s' at byte %zu: %s", STR_ARG(shown(j->text)),
			(size_t)at + 1, (const char *)text);
		return;
	}
	compile_for_jit(s);
	if (!keep_pattern(r, s->pattern)) {
		pcre2_code_free(s->pattern);
		s->pattern = NULL;
		complain(r, j, "no memory");
	}
}

static void take_format(struct reader *r, const struct json *j, struct schema *s)
{
	s->format = j->kind == JSON_STRING ? format_find(j->text) : FORMAT_NONE;
	if (s->format == FORMAT_NONE)
		want(r, j, "date-time or uri; no other format is supported, use 'pattern'");
}

static void take_bound(struct reader *r, const struct json *j, struct str *out)
{
	if (j->kind != JSON_NUMBER)
		want(r, j, "a number");
	else
		*out = j->text;
}

static void take_minimum(struct reader *r, const struct json *j, struct schema *s)
{
	take_bound(r, j, &s->minimum);
}

static void take_maximum(struct reader *r, const struct json *j, struct schema *s)
{
	take_bound(r, j, &s->maximum);
}

static void take_above(struct reader *r, const struct json *j, struct schema *s)
{
	take_bound(r, j, &s->above);
}

static void take_below(struct reader *r, const struct json *j, struct schema *s)
{
	take_bound(r, j, &s->below);
}

static void take_count(struct reader *r, const struct json *j, int64_t *out)
{
	int64_t v;

	if (!json_i64(j, &v) || v < 0)
		want(r, j, "a whole number from 0");
	else
		*out = v;
}

static void take_min_length(struct reader *r, const struct json *j, struct schema *s)
{
	take_count(r, j, &s->length.least);
}

static void take_max_length(struct reader *r, const struct json *j, struct schema *s)
{
	take_count(r, j, &s->length.most);
}

static void take_min_items(struct reader *r, const struct json *j, struct schema *s)
{
	take_count(r, j, &s->count.least);
}

static void take_max_items(struct reader *r, const struct json *j, struct schema *s)
{
	take_count(r, j, &s->count.most);
}

static void take_min_properties(struct reader *r, const struct json *j, struct schema *s)
{
	take_count(r, j, &s->members.least);
}

static void take_max_properties(struct reader *r, const struct json *j, struct schema *s)
{
	take_count(r, j, &s->members.most);
}

static void take_schemas(struct reader *r, const struct json *j, struct schema_list *out)
{
	if (j->kind != JSON_ARRAY || !j->count) {
		want(r, j, "a list of schemas, at least one");
		return;
	}
	out->v = room(r, j->count, sizeof(*out->v));
	for (const struct json *m = j->child; m && out->v; m = m->next)
		out->v[out->n++] = read_schema(r, m);
}

static void take_all(struct reader *r, const struct json *j, struct schema *s)
{
	take_schemas(r, j, &s->all);
}

static void take_any(struct reader *r, const struct json *j, struct schema *s)
{
	take_schemas(r, j, &s->any);
}

static void take_one(struct reader *r, const struct json *j, struct schema *s)
{
	take_schemas(r, j, &s->one);
}

static void take_not(struct reader *r, const struct json *j, struct schema *s)
{
	s->not_ = read_schema(r, j);
}

/* What nothing refers to is looked at, too. */
static void take_definitions(struct reader *r, const struct json *j, struct schema *s)
{
	(void)s;
	if (j->kind != JSON_OBJECT) {
		want(r, j, "an object of schemas");
		return;
	}
	for (const struct json *m = j->child; m; m = m->next)
		read_schema(r, m);
}

/* One segment of a JSON pointer, unescaped (~1 is "/", ~0 is "~"), in the arena. */
static struct str unescape(struct reader *r, struct str s)
{
	char *p = arena_alloc(&r->c->arena, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; p && i < s.n; i++) {
		bool escape =
			s.p[i] == '~' && i + 1 < s.n && (s.p[i + 1] == '0' || s.p[i + 1] == '1');
		p[n++] = !escape ? s.p[i] : s.p[i + 1] == '1' ? '/' : '~';
		i += escape;
	}
	return p ? (struct str){p, n} : STR_NONE;
}

static const struct json *element(const struct json *array, struct str index)
{
	size_t i = 0;

	if (!index.n || index.n > 6)
		return NULL;
	for (size_t k = 0; k < index.n; k++) {
		if (index.p[k] < '0' || index.p[k] > '9')
			return NULL;
		i = i * 10 + (size_t)(index.p[k] - '0');
	}
	const struct json *j = array->child;
	while (j && i--)
		j = j->next;
	return j;
}

/* "#", "#/$defs/name": where it leads; NULL: nowhere. */
static const struct json *follow(struct reader *r, struct str ref)
{
	const struct json *at = r->root;

	if (!ref.n || ref.p[0] != '#' || (ref.n > 1 && ref.p[1] != '/'))
		return NULL;
	for (size_t i = 2; at && i <= ref.n && ref.n > 1;) {
		const char *slash = i < ref.n ? memchr(ref.p + i, '/', ref.n - i) : NULL;
		size_t n = slash ? (size_t)(slash - ref.p) - i : ref.n - i;
		struct str name = unescape(r, (struct str){ref.p + i, n});
		at = at->kind == JSON_OBJECT  ? json_getn(at, name)
		     : at->kind == JSON_ARRAY ? element(at, name)
					      : NULL;
		i += n + 1;
	}
	return at;
}

static void take_ref(struct reader *r, const struct json *j, struct schema *s)
{
	const struct json *to = j->kind == JSON_STRING ? follow(r, j->text) : NULL;

	if (j->kind != JSON_STRING)
		want(r, j, "a reference like \"#/$defs/name\"");
	else if (!to)
		complain(r, j,
			"'$ref' leads nowhere: '%.*s'; only places of this file can be referred "
			"to, as in "
			"\"#/$defs/name\"",
			STR_ARG(shown(j->text)));
	else
		s->ref = read_schema(r, to);
}

static const struct keyword {
	const char *name;
	void (*take)(struct reader *r, const struct json *j, struct schema *s);
} keywords[] = {
	{"$schema", take_nothing},
	{"$id", take_nothing},
	{"$comment", take_nothing},
	{"title", take_nothing},
	{"description", take_nothing},
	{"default", take_nothing},
	{"examples", take_nothing},
	{"deprecated", take_nothing},
	{"$defs", take_definitions},
	{"$ref", take_ref},
	{"type", take_type},
	{"enum", take_enum},
	{"const", take_const},
	{"properties", take_properties},
	{"additionalProperties", take_additional},
	{"required", take_required},
	{"minProperties", take_min_properties},
	{"maxProperties", take_max_properties},
	{"items", take_items},
	{"minItems", take_min_items},
	{"maxItems", take_max_items},
	{"pattern", take_pattern},
	{"format", take_format},
	{"minLength", take_min_length},
	{"maxLength", take_max_length},
	{"minimum", take_minimum},
	{"maximum", take_maximum},
	{"exclusiveMinimum", take_above},
	{"exclusiveMaximum", take_below},
	{"allOf", take_all},
	{"anyOf", take_any},
	{"oneOf", take_one},
	{"not", take_not},
};
#define KEYWORDS_N (sizeof(keywords) / sizeof(keywords[0]))

static void take_keyword(struct reader *r, const struct json *j, struct schema *s)
{
	const char *names[KEYWORDS_N], *near;

	for (size_t i = 0; i < KEYWORDS_N; i++) {
		names[i] = keywords[i].name;
		if (str_is(j->key, keywords[i].name)) {
			keywords[i].take(r, j, s);
			return;
		}
	}
	near = nearest(j->key, names, KEYWORDS_N);
	complain(r, j, "keyword '%.*s' is not supported%s%s%s", STR_ARG(shown(j->key)),
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* ---- schemas ---- */

static struct schema *already(const struct reader *r, const struct json *j)
{
	for (size_t i = 0; i < r->done_n; i++) {
		if (r->done[i].at == j)
			return r->done[i].schema;
	}
	return NULL;
}

static bool add_done(struct reader *r, const struct json *j, struct schema *s)
{
	if (r->done_n == r->done_cap) {
		size_t cap = r->done_cap ? r->done_cap * 2 : 64;
		struct compiled *v = arena_grow(
			&r->c->arena, r->done, r->done_cap * sizeof(*v), cap * sizeof(*v));
		if (!v)
			return false;
		r->done = v;
		r->done_cap = cap;
	}
	r->done[r->done_n++] = (struct compiled){j, s};
	return true;
}

static struct schema *read_schema(struct reader *r, const struct json *j)
{
	struct schema *s = already(r, j);

	if (s)
		return s;
	s = arena_zalloc(&r->c->arena, sizeof(*s));
	if (!s || !add_done(r, j, s))
		return s;
	s->length.most = s->count.most = s->members.most = -1;
	if (j->kind == JSON_BOOL) {
		s->never = !j->boolean;
		return s;
	}
	if (j->kind != JSON_OBJECT) {
		complain(r, j, "a schema is an object, or true or false; this is %s",
			json_kind_name(j->kind));
		return s;
	}
	if (++r->depth > CONTRACT_DEPTH)
		complain(r, j, "schemas stand more than %d deep within each other", CONTRACT_DEPTH);
	else
		for (const struct json *m = j->child; m; m = m->next)
			take_keyword(r, m, s);
	r->depth--;
	return s;
}

/* ---- loops ---- */

enum { UNSEEN, ON_THE_WAY, SEEN };

static bool loops(struct schema *s);

static bool any_loops(const struct schema_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (loops(l->v[i]))
			return true;
	}
	return false;
}

/* Does applying s to a value apply it to the same value again? */
static bool loops(struct schema *s)
{
	if (!s || s->mark == SEEN)
		return false;
	if (s->mark == ON_THE_WAY)
		return true;
	s->mark = ON_THE_WAY;
	bool found = loops(s->ref) || loops(s->not_) || any_loops(&s->all) || any_loops(&s->any) ||
		     any_loops(&s->one);
	s->mark = SEEN;
	return found;
}

static void look_for_loops(struct reader *r)
{
	for (size_t i = 0; i < r->done_n; i++) {
		if (loops(r->done[i].schema))
			complain(r, r->done[i].at,
				"this schema leads back to itself without a step into the value");
	}
}

/* ---- the whole ---- */

static struct contract *contract_new(void)
{
	struct contract *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	arena_init(&c->arena, CONTRACT_MEMORY);
	c->match = pcre2_match_data_create(1, NULL);
	c->context = pcre2_match_context_create(NULL);
	if (c->match && c->context) {
		pcre2_set_match_limit(c->context, CONTRACT_MATCH_LIMIT);
		return c;
	}
	contract_free(c);
	return NULL;
}

static void read_bytes(struct reader *r)
{
	struct err e = {0};
	int line, column;
	struct str bytes = arena_strdup(&r->c->arena, r->bytes);

	if (r->bytes.n > CONTRACT_FILE_LIMIT) {
		diag_add(r->d, DIAG_ERROR, r->name, 0, 0, "a contract has at most %zu bytes",
			CONTRACT_FILE_LIMIT);
		return;
	}
	r->root = bytes.p ? json_parse(&r->c->arena, bytes, &e) : NULL;
	if (!r->root) {
		place_of(r, e.offset, &line, &column);
		diag_add(r->d, DIAG_ERROR, r->name, line, column, "no JSON: %s", e.text);
		return;
	}
	r->c->top = read_schema(r, r->root);
	look_for_loops(r);
}

struct contract *contract_parse(struct str bytes, const char *name, struct diags *d)
{
	size_t errors = d->errors;
	struct reader r = {.c = contract_new(), .bytes = bytes, .name = name, .d = d};

	if (!r.c) {
		diag_add(d, DIAG_ERROR, name, 0, 0, "no memory");
		return NULL;
	}
	read_bytes(&r);
	if (arena_failed(&r.c->arena))
		diag_add(d, DIAG_ERROR, name, 0, 0,
			"the contract needs more memory than it may have");
	if (d->errors == errors)
		return r.c;
	contract_free(r.c);
	return NULL;
}

void contract_free(struct contract *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->patterns_n; i++)
		pcre2_code_free(c->patterns[i]);
	free(c->patterns);
	pcre2_match_data_free(c->match);
	pcre2_match_context_free(c->context);
	arena_release(&c->arena);
	free(c);
}
