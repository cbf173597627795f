/* regex.c: PCRE2 regexes, compiled and counted.
 *
 * A pool is a table from texts to regexes that is there while rules are read: people write the same
 * regex into a hundred rules, and it then is compiled, kept and warm in the cache once. What is
 * compiled is compiled at once, so that a fault is found where it was written.
 */
#include "rule/regex.h"

#include <stdlib.h>
#include "base/hash.h"
#include "rule/matcher.h"
#include "base/regex_classes.h"

#define ANYWHERE_OPTIONS \
	(PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C)
#define REGEX_OPTIONS (ANYWHERE_OPTIONS | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL)
#define REGEX_SHOWN 60 /* bytes of a bad regex that its finding shows, on each side of the place */
#define POOL_FIRST 256

struct pooled {
	struct str text;
	struct regex *regex; /* NULL: free */
};

struct regex_pool {
	struct pooled *v;
	size_t n, size; /* a power of 2 */
};

/* ---- one regex ---- */

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The regex around its byte `at`, and what PCRE2 says. */
static int bad_regex(struct str regex, size_t at, int code, struct err *e)
{
	PCRE2_UCHAR text[128];
	size_t from = at > REGEX_SHOWN ? at - REGEX_SHOWN : 0, to = at + REGEX_SHOWN, place = 1;

	to = to < regex.n ? to : regex.n;
	while (from > 0 && is_continuation(regex.p[from]))
		from--;
	while (to < regex.n && is_continuation(regex.p[to]))
		to++;
	for (size_t i = 0; i < at && i < regex.n; i++)
		place += !is_continuation(regex.p[i]);
	pcre2_get_error_message(code, text, sizeof(text));
	return err_set(e, ERR_INPUT, "bad regex '%s%.*s%s' at character %zu: %s", from > 0 ? "…" : "",
		(int)(to - from), regex.p + from, to < regex.n ? "…" : "", place, (const char *)text);
}

/* What is compiled already and good, for JIT. Where the system forbids that, or the text cannot be made fit for it, PCRE2
 * interprets: slower, the same answer. */
static void compile_for_jit(struct regex *r, struct str text, uint32_t options)
{
	pcre2_code *code = NULL;
	struct buf b;
	size_t at;
	int ignored;

	buf_init(&b, BUF_NO_LIMIT);
	if (regex_classes(text, &b))
		code = pcre2_compile((PCRE2_SPTR)(b.p ? b.p : ""), b.n, options, &ignored, &at, NULL);
	buf_release(&b);
	if (!code)
		return;
	pcre2_code_free(r->code);
	r->code = code;
	(void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
}

static int compile(struct regex *r, struct str text, uint32_t options, size_t *at, struct err *e)
{
	uint32_t groups = 0;
	int code;

	r->code = pcre2_compile((PCRE2_SPTR)text.p, text.n, options, &code, at, NULL);
	if (!r->code)
		return bad_regex(text, *at, code, e);
	pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	pcre2_pattern_info(r->code, PCRE2_INFO_NAMECOUNT, &r->names_n);
	if (groups > MATCHER_GROUPS_LIMIT)
		return err_set(e, ERR_LIMIT,
			"a regex of %u groups, at most %d are taken; write (?:…) where nothing is "
			"captured",
			groups, MATCHER_GROUPS_LIMIT);
	for (size_t i = 0; i < text.n; i++)
		r->loops += text.p[i] == '*' || text.p[i] == '+' || text.p[i] == '{';
	r->loops += r->loops == 0;
	compile_for_jit(r, text, options);
	return 0;
}

static struct regex *regex_new(struct str text, uint32_t options, size_t *at, struct err *e)
{
	struct regex *r = calloc(1, sizeof(*r));

	*at = 0;
	if (!r) {
		err_set(e, ERR_NOMEM, "no memory for a regex");
		return NULL;
	}
	r->refs = 1;
	if (compile(r, text, options, at, e) < 0) {
		regex_unref(r);
		return NULL;
	}
	return r;
}

struct regex *regex_anywhere(struct str text, size_t *at, struct err *e)
{
	return regex_new(text, ANYWHERE_OPTIONS, at, e);
}

struct str regex_group(const struct regex *r, uint32_t i, uint32_t *number)
{
	PCRE2_SPTR table = NULL;
	uint32_t size = 0;

	pcre2_pattern_info(r->code, PCRE2_INFO_NAMETABLE, &table);
	pcre2_pattern_info(r->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	PCRE2_SPTR entry = table + (size_t)i * size;
	*number = (uint32_t)entry[0] << 8 | entry[1];
	return str_of((const char *)entry + 2);
}

void regex_unref(struct regex *r)
{
	if (!r || --r->refs > 0)
		return;
	pcre2_code_free(r->code);
	free(r);
}

/* ---- pool ---- */

struct regex_pool *regex_pool_new(void)
{
	struct regex_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->size = POOL_FIRST;
	p->v = calloc(p->size, sizeof(*p->v));
	if (p->v)
		return p;
	free(p);
	return NULL;
}

void regex_pool_free(struct regex_pool *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->size; i++)
		regex_unref(p->v[i].regex);
	free(p->v);
	free(p);
}

/* Where the text is, or a free place. */
static struct pooled *place_of(struct pooled *v, size_t size, struct str text)
{
	size_t at = (size_t)hash_fnv1a(HASH_FNV1A_START, text.p, text.n) & (size - 1);

	while (v[at].regex && !str_eq(v[at].text, text))
		at = (at + 1) & (size - 1);
	return &v[at];
}

static bool grow(struct regex_pool *p)
{
	size_t size = p->size * 2;
	struct pooled *v = calloc(size, sizeof(*v));

	if (!v)
		return false;
	for (size_t i = 0; i < p->size; i++)
		if (p->v[i].regex)
			*place_of(v, size, p->v[i].text) = p->v[i];
	free(p->v);
	p->v = v;
	p->size = size;
	return true;
}

struct regex *regex_get(struct regex_pool *pool, struct str text, size_t *at, struct err *e)
{
	struct pooled *place;
	struct regex *r;

	if (!pool)
		return regex_new(text, REGEX_OPTIONS, at, e);
	place = place_of(pool->v, pool->size, text);
	if (place->regex) {
		place->regex->refs++;
		return place->regex;
	}
	r = regex_new(text, REGEX_OPTIONS, at, e);
	if (!r || (pool->n * 2 >= pool->size && !grow(pool)))
		return r; /* no room in the pool: this one is not shared */
	place = place_of(pool->v, pool->size, text);
	*place = (struct pooled){text, r};
	pool->n++;
	r->refs++;
	return r;
}
