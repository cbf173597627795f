/* index_keys.c: what a matcher asks of a value, as texts that can be looked up.
 *
 * = and regexes of plain words ask for whole values; other regexes for what literals.c reads out of
 * them: values, beginnings, parts. What does not hold for "" asks at least that the field is there.
 * An absent label is the value "", which is a text like any other: a = "" is found by it.
 *
 * Negative matchers ask for nothing, but for those that "" does not satisfy.
 */
#include "rule/index_keys.h"

#include "rule/literals.h"
#include "rule/matcher_impl.h"

#define EMPTY_MATCH_LIMIT 10000 /* steps, to learn whether a regex matches "" */

void *index_room(struct arena *tmp, void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	size_t more = *cap ? *cap * 2 : 64;
	void *grown = arena_grow(tmp, v, *cap * size, more * size);

	if (grown)
		*cap = more;
	return grown;
}

/* ---- fields ---- */

static uint64_t hash_field(const struct field *f)
{
	return index_hash(f->name.p, f->name.n) + f->kind * 8 + (f->kind == FIELD_EVENT ? f->event : 0);
}

static bool same_field(const struct field *x, const struct field *y)
{
	return x->kind == y->kind && (x->kind == FIELD_EVENT ? x->event == y->event
							     : str_eq(x->name, y->name));
}

static void file_field(struct index_keys *k, size_t number)
{
	uint64_t mask = k->by_hash_cap - 1, at = hash_field(k->fields[number]) & mask;

	while (k->by_hash[at])
		at = (at + 1) & mask;
	k->by_hash[at] = (uint32_t)number + 1;
}

/* Its number, a new one where it is new. */
static uint32_t number_of(struct index_keys *k, const struct field *f)
{
	uint64_t mask = k->by_hash_cap - 1;

	for (uint64_t at = hash_field(f) & mask; k->by_hash_cap && k->by_hash[at];
		at = (at + 1) & mask)
		if (same_field(k->fields[k->by_hash[at] - 1], f))
			return k->by_hash[at] - 1;
	const struct field **v = index_room(
		k->tmp, k->fields, k->fields_n, &k->fields_cap, sizeof(const struct field *));
	if (!v)
		return 0;
	k->fields = v;
	k->fields[k->fields_n++] = f;
	if (k->by_hash_cap >= k->fields_n * 2) {
		file_field(k, k->fields_n - 1);
		return (uint32_t)k->fields_n - 1;
	}
	uint32_t *bigger = arena_array(k->tmp, k->fields_cap * 4, sizeof(*bigger));
	if (!bigger)
		return 0;
	k->by_hash = bigger;
	k->by_hash_cap = k->fields_cap * 4;
	for (size_t i = 0; i < k->fields_n; i++)
		file_field(k, i);
	return (uint32_t)k->fields_n - 1;
}

/* ---- options ---- */

static struct index_option *begin(struct index_keys *k, const struct field *f, enum index_kind kind)
{
	struct index_option *v = index_room(
		k->tmp, k->options, k->options_n, &k->options_cap, sizeof(*k->options));

	if (!v)
		return NULL;
	k->options = v;
	v = &k->options[k->options_n++];
	*v = (struct index_option){
		.field = number_of(k, f), .kind = kind, .text = (uint32_t)k->texts_n};
	return v;
}

static void add_text(struct index_keys *k, struct index_option *o, struct str s)
{
	struct index_text *v =
		index_room(k->tmp, k->texts, k->texts_n, &k->texts_cap, sizeof(*k->texts));

	if (!v)
		return;
	k->texts = v;
	if (o->kind == INDEX_PREFIX && s.n > INDEX_PREFIX_MAX)
		s.n = INDEX_PREFIX_MAX;
	if (o->kind == INDEX_PART)
		s.n = index_part_length(s.n);
	k->texts[k->texts_n++] = (struct index_text){
		.hash = o->kind == INDEX_PART ? index_part(s.p, s.n) : index_hash(s.p, s.n),
		.length = o->kind == INDEX_WORD ? 0 : (uint8_t)s.n,
		.start = s.n ? (uint8_t)s.p[0] : 0,
		.empty = s.n == 0};
	o->text_n++;
}

static void offer(struct index_keys *k, const struct field *f, enum index_kind kind,
	const struct str *v, size_t n)
{
	struct index_option *o = begin(k, f, kind);

	for (size_t i = 0; o && i < n; i++)
		add_text(k, o, v[i]);
}

static void offer_present(struct index_keys *k, const struct field *f)
{
	struct index_option *o = begin(k, f, INDEX_PRESENT);

	if (o)
		add_text(k, o, STR(""));
}

static bool has_empty(const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].n == 0)
			return true;
	return false;
}

/* What PCRE2 says of "": as pcre2_match. */
static int match_empty(const pcre2_code *code)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	int rc = PCRE2_ERROR_NOMEMORY;

	if (data && context) {
		pcre2_set_match_limit(context, EMPTY_MATCH_LIMIT);
		rc = pcre2_match(code, (PCRE2_SPTR) "", 0, 0, 0, data, context);
	}
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	return rc;
}

/* A part of a byte or two is in most values. */
static bool are_long(const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].n < INDEX_PART_LEAST)
			return false;
	return n > 0;
}

/* The ends of long texts: "on svc-1234" and "on svc-1299" differ only there. */
static void drop_heads(struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t head = v[i].n - index_part_length(v[i].n);
		v[i] = (struct str){v[i].p + head, v[i].n - head};
	}
}

static void offer_regex(struct index_keys *k, const struct matcher *m)
{
	struct literals l;
	struct arena a;

	arena_init(&a, LITERALS_MEMORY);
	bool known = literals_of(&a, m->value, &l);
	if (known && l.exact)
		offer(k, &m->field, INDEX_WORD, l.v, l.n);
	else if (known && !has_empty(l.v, l.n))
		offer(k, &m->field, INDEX_PREFIX, l.v, l.n);
	if (known && !l.exact && are_long(l.part, l.part_n)) {
		offer(k, &m->field, INDEX_PART, l.part, l.part_n);
		drop_heads(l.part, l.part_n);
		offer(k, &m->field, INDEX_PART, l.part, l.part_n);
	}
	if ((known && l.nonempty) || match_empty(m->code) == PCRE2_ERROR_NOMATCH)
		offer_present(k, &m->field);
	arena_release(&a);
}

static void add_matcher(struct index_keys *k, const struct matcher *m)
{
	switch (m->op) {
	case MATCH_EQ:
		offer(k, &m->field, INDEX_WORD, &m->value, 1);
		break;
	case MATCH_NE:
		if (m->value.n == 0)
			offer_present(k, &m->field);
		break;
	case MATCH_RE:
		if (m->code)
			offer_regex(k, m);
		else
			offer(k, &m->field, INDEX_WORD, m->words, m->words_n);
		break;
	case MATCH_NRE:
		if (m->code ? match_empty(m->code) >= 0 : has_empty(m->words, m->words_n))
			offer_present(k, &m->field);
		break;
	}
}

void index_keys_add(struct index_keys *k, const struct matchers *m)
{
	for (size_t i = 0; i < m->n; i++)
		add_matcher(k, &m->v[i]);
}
