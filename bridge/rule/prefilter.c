/* prefilter.c: an Aho-Corasick automaton as one table, and the texts that go into it.
 *
 * Owns the automaton and what one scan notes. The table has a row a state and a column a class of
 * bytes: those that no text has are one class, letters are of one class in either case. States are
 * numbered as a walk from the root meets them, so that the few that most bytes lead to lie side by
 * side; those where a text ends come last, so that one comparison a byte tells them apart.
 *
 * Guarantee: a pattern whose regex matches a text is a candidate of that text, and of each that
 * holds it. The other way round nothing is promised.
 *
 * Letters in either case are more than ASCII's: with (?i) PCRE2 takes U+017F for s and U+212A for
 * k. A text that holds one of these two, which no log has, makes all such patterns candidates.
 */
#include "rule/prefilter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "rule/literals.h"

#define BYTES 256
#define LONG_S "\xC5\xBF"
#define KELVIN "\xE2\x84\xAA"
#define NONE UINT32_MAX
#define PARTS_LEAST 64 /* bytes of a text that is walked in parts */

struct prefilter {
	uint8_t class[BYTES];
	unsigned shift;	    /* a row has 1 << shift columns */
	uint32_t accepting; /* states from here on end a text */
	uint16_t *next;
	uint32_t states, classes;
	uint32_t *first, *shorter; /* by state - accepting: its list in `outs`; the next shorter
				    * text that ends there, too, as such a state, or NONE */
	uint32_t *outs;		   /* numbers of patterns; a list ends with NONE */
	uint32_t *always;
	size_t always_n;
	bool empty; /* the automaton has no text */

	/* of the scan under way */
	uint32_t scan;
	uint32_t *seen; /* by pattern: the last scan that found it */
	uint32_t *found;
	size_t found_n, patterns_n;
	size_t bytes;
};

/* ---- texts of a regex ---- */

/* Options at the beginning that change nothing about which texts there are but their case. */
static struct str without_options(struct str regex, bool *caseless)
{
	size_t i = 2;

	*caseless = false;
	if (!str_starts(regex, STR("(?")))
		return regex;
	while (i < regex.n && (regex.p[i] == 'i' || regex.p[i] == 's' || regex.p[i] == 'm'))
		*caseless |= regex.p[i++] == 'i';
	if (i == 2 || i >= regex.n || regex.p[i] != ')') {
		*caseless = false;
		return regex;
	}
	return (struct str){regex.p + i + 1, regex.n - i - 1};
}

static size_t shortest(const struct str *v, size_t n)
{
	size_t least = n ? v[0].n : 0;

	for (size_t i = 1; i < n; i++)
		least = v[i].n < least ? v[i].n : least;
	return least;
}

/* The longest run of ASCII: other letters have cases, too, that are not known here. */
static struct str ascii_run(struct str s)
{
	struct str best = {s.p, 0};

	for (size_t i = 0, from = 0; i <= s.n; i++) {
		if (i < s.n && !(s.p[i] & 0x80))
			continue;
		if (i - from > best.n)
			best = (struct str){s.p + from, i - from};
		from = i + 1;
	}
	return best;
}

struct prefilter_need prefilter_need_of(struct arena *a, struct str regex, bool *caseless)
{
	struct literals l;
	struct prefilter_need need = {NULL, 0};
	struct str *v;
	size_t n;

	if (!literals_of(a, without_options(regex, caseless), &l))
		return need;
	bool part = shortest(l.part, l.part_n) >= shortest(l.v, l.n);
	n = part ? l.part_n : l.n;
	v = arena_array(a, n ? n : 1, sizeof(*v));
	if (!v)
		return need;
	for (size_t i = 0; i < n; i++)
		v[i] = *caseless ? ascii_run((part ? l.part : l.v)[i]) : (part ? l.part : l.v)[i];
	if (shortest(v, n) > 0)
		need = (struct prefilter_need){v, n};
	return need;
}

/* ---- building ---- */

struct building {
	struct prefilter *f;
	struct arena *a; /* what the automaton keeps */
	uint16_t *trie;	 /* 0: no such state */
	uint32_t *ends;	 /* by state: first entry, or NONE */
	struct ending {
		uint32_t pattern, next;
	} * endings;
	size_t endings_n, endings_cap;
	uint32_t states;
};

static unsigned char folded(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

static void note_classes(struct prefilter *f, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = folded((unsigned char)s.p[i]);
		if (f->class[c] == 0)
			f->class[c] = (uint8_t)f->classes++;
	}
}

static void fill_classes(struct prefilter *f, const struct prefilter_need *needs, size_t n)
{
	f->classes = 1;
	note_classes(f, STR(LONG_S KELVIN));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < needs[i].n; k++)
			note_classes(f, needs[i].v[k]);
	for (unsigned c = 'A'; c <= 'Z'; c++)
		f->class[c] = f->class[folded((unsigned char)c)];
	assert(f->classes <= BYTES); /* the upper case letters have no classes of their own */
	while (1U << f->shift < f->classes)
		f->shift++;
}

/* False: too many states. */
static bool add_text(struct building *b, struct str s, uint32_t pattern)
{
	struct prefilter *f = b->f;
	uint32_t state = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint16_t *next =
			&b->trie[(size_t)state << f->shift | f->class[(unsigned char)s.p[i]]];
		if (*next == 0) {
			if (b->states >= PREFILTER_STATES_MAX)
				return false;
			b->ends[b->states] = NONE;
			*next = (uint16_t)b->states++;
		}
		state = *next;
	}
	if (b->endings_n == b->endings_cap) {
		size_t cap = b->endings_cap ? b->endings_cap * 2 : 256;
		struct ending *v = reallocarray(b->endings, cap, sizeof(*v));
		if (!v)
			return false;
		b->endings = v;
		b->endings_cap = cap;
	}
	b->endings[b->endings_n] = (struct ending){pattern, b->ends[state]};
	b->ends[state] = (uint32_t)b->endings_n++;
	return true;
}

static bool add_need(
	struct building *b, const struct prefilter_need *need, size_t longest, uint32_t pattern)
{
	for (size_t k = 0; k < need->n; k++) {
		struct str s = need->v[k];
		s.n = s.n < longest ? s.n : longest;
		if (!add_text(b, s, pattern))
			return false;
	}
	return true;
}

static void start_over(struct building *b)
{
	memset(b->trie, 0, ((size_t)PREFILTER_STATES_MAX << b->f->shift) * sizeof(*b->trie));
	b->ends[0] = NONE;
	b->states = 1;
	b->endings_n = 0;
	b->f->always_n = 0;
	b->f->empty = true;
}

/* With texts of at most `longest` bytes; strict: false where there are too many states, else the
 * patterns for which no room is left are always candidates. */
static bool add_all(struct building *b, const struct prefilter_need *needs, const bool *caseless,
	size_t n, size_t longest, bool strict)
{
	struct prefilter *f = b->f;

	start_over(b);
	for (size_t i = 0; i < n; i++) {
		const struct str odd[] = {STR(LONG_S), STR(KELVIN)};
		const struct prefilter_need either = {odd, 2};
		bool fits = needs[i].n > 0 && add_need(b, &needs[i], longest, (uint32_t)i) &&
			    (!caseless[i] || add_need(b, &either, longest, (uint32_t)i));
		if (needs[i].n > 0 && !fits && strict)
			return false;
		if (fits)
			f->empty = false;
		else
			f->always[f->always_n++] = (uint32_t)i;
	}
	return true;
}

/* A walk from the root, level by level: order[i] is the i-th state met, fail[s] the state of the
 * longest text that ends where s does. Empty places of the table become what the failed state says.
 */
static void link_states(struct building *b, uint16_t *order, uint16_t *fail)
{
	const struct prefilter *f = b->f;
	const size_t columns = (size_t)1 << f->shift;
	size_t head = 0, n = 0;

	order[n++] = 0;
	fail[0] = 0;
	while (head < n) {
		size_t s = order[head++];
		uint16_t *row = &b->trie[s * columns];
		const uint16_t *other = &b->trie[(size_t)fail[s] * columns];
		for (size_t c = 0; c < f->classes; c++) {
			if (row[c] != 0) {
				fail[row[c]] = s == 0 ? 0 : other[c];
				order[n++] = row[c];
			} else if (s != 0) {
				row[c] = other[c];
			}
		}
	}
}

/* number[s]: what state s is called in the end. The root stays 0, since no text is empty. */
static void number_states(struct building *b, const uint16_t *order, const uint16_t *fail,
	bool *accepts, uint16_t *number)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->states; i++) {
		uint16_t s = order[i];
		accepts[s] = b->ends[s] != NONE || accepts[fail[s]];
		if (!accepts[s])
			number[s] = (uint16_t)n++;
	}
	b->f->accepting = n;
	for (uint32_t i = 0; i < b->states; i++)
		if (accepts[order[i]])
			number[order[i]] = (uint16_t)n++;
}

static bool keep_ends(
	struct building *b, const uint16_t *fail, const bool *accepts, const uint16_t *number)
{
	struct prefilter *f = b->f;
	size_t accepting = f->states - f->accepting, n = 0;

	f->first = arena_array(b->a, accepting + 1, sizeof(*f->first));
	f->shorter = arena_array(b->a, accepting + 1, sizeof(*f->shorter));
	f->outs = arena_array(b->a, b->endings_n + accepting + 1, sizeof(*f->outs));
	if (!f->first || !f->shorter || !f->outs)
		return false;
	for (uint32_t s = 0; s < b->states; s++) {
		if (!accepts[s])
			continue;
		uint32_t at = number[s] - f->accepting;
		f->first[at] = (uint32_t)n;
		f->shorter[at] = accepts[fail[s]] ? number[fail[s]] - f->accepting : NONE;
		for (uint32_t i = b->ends[s]; i != NONE; i = b->endings[i].next)
			f->outs[n++] = b->endings[i].pattern;
		f->outs[n++] = NONE;
	}
	return true;
}

static bool keep_table(struct building *b, const uint16_t *number)
{
	struct prefilter *f = b->f;
	const size_t columns = (size_t)1 << f->shift;

	f->next = arena_array(b->a, f->states * columns, sizeof(*f->next));
	for (uint32_t s = 0; f->next && s < f->states; s++)
		for (size_t c = 0; c < f->classes; c++)
			f->next[number[s] * columns + c] = number[b->trie[s * columns + c]];
	return f->next != NULL;
}

static bool finish(struct building *b)
{
	size_t n = b->states;
	uint16_t *order = calloc(n, sizeof(*order)), *fail = calloc(n, sizeof(*fail));
	uint16_t *number = calloc(n, sizeof(*number));
	bool *accepts = calloc(n, sizeof(*accepts)), good = false;

	b->f->states = b->states;
	if (order && fail && number && accepts) {
		link_states(b, order, fail);
		number_states(b, order, fail, accepts, number);
		good = keep_ends(b, fail, accepts, number) && keep_table(b, number);
	}
	free(order);
	free(fail);
	free(number);
	free(accepts);
	return good;
}

static bool build(
	struct building *b, const struct prefilter_need *needs, const bool *caseless, size_t n)
{
	static const size_t lengths[] = {PREFILTER_TEXT_MAX, 8, 5, 3};
	const size_t rows = (size_t)PREFILTER_STATES_MAX << b->f->shift;
	bool fits = false;

	b->trie = malloc(rows * sizeof(*b->trie));
	b->ends = malloc(PREFILTER_STATES_MAX * sizeof(*b->ends));
	if (!b->trie || !b->ends)
		return false;
	for (size_t i = 0; !fits && i < sizeof(lengths) / sizeof(lengths[0]); i++)
		fits = add_all(b, needs, caseless, n, lengths[i], true);
	if (!fits)
		add_all(b, needs, caseless, n, lengths[0], false);
	return finish(b);
}

struct prefilter *prefilter_new(
	struct arena *a, const struct prefilter_need *needs, const bool *caseless, size_t n)
{
	size_t before = a->used;
	struct prefilter *f = arena_zalloc(a, sizeof(*f));
	struct building b = {.f = f, .a = a};
	bool good;

	if (!f)
		return NULL;
	f->always = arena_array(a, n + 1, sizeof(*f->always));
	f->seen = arena_array(a, n + 1, sizeof(*f->seen));
	f->found = arena_array(a, n + 1, sizeof(*f->found));
	if (!f->always || !f->seen || !f->found)
		return NULL;
	f->patterns_n = n;
	fill_classes(f, needs, n);
	good = build(&b, needs, caseless, n);
	free(b.trie);
	free(b.ends);
	free(b.endings);
	f->bytes = a->used - before;
	return good && !arena_failed(a) ? f : NULL;
}

struct prefilter_figures prefilter_figures(const struct prefilter *f)
{
	return (struct prefilter_figures){f->states, f->classes, f->always_n, f->bytes};
}

/* ---- scanning ---- */

static void found(struct prefilter *f, uint32_t pattern)
{
	if (f->seen[pattern] == f->scan)
		return;
	f->seen[pattern] = f->scan;
	f->found[f->found_n++] = pattern;
}

static void found_at(struct prefilter *f, uint32_t state)
{
	for (uint32_t at = state - f->accepting; at != NONE; at = f->shorter[at])
		for (const uint32_t *out = &f->outs[f->first[at]]; *out != NONE; out++)
			found(f, *out);
}

static void begin(struct prefilter *f)
{
	f->found_n = 0;
	if (++f->scan == 0) { /* after 2^32 of them */
		memset(f->seen, 0, f->patterns_n * sizeof(*f->seen));
		f->scan = 1;
	}
}

/* One byte further. */
static inline uint32_t step(struct prefilter *f, uint32_t state, char c)
{
	uint32_t to = f->next[(size_t)state << f->shift | f->class[(unsigned char)c]];

	if (to >= f->accepting)
		found_at(f, to);
	return to;
}

/* Four parts of the text at once, each of n bytes, that overlap by all but one byte of the longest
 * text: where a step waits for the one before, there are three others to do meanwhile. */
static void scan_parts(struct prefilter *f, struct str text)
{
	const size_t overlap = PREFILTER_TEXT_MAX - 1, n = (text.n + 3 * overlap + 3) / 4;
	const char *a = text.p, *b = a + n - overlap, *c = b + n - overlap;
	const char *d = a + text.n - n;
	uint32_t in_a = 0, in_b = 0, in_c = 0, in_d = 0;

	for (size_t i = 0; i < n; i++) {
		in_a = step(f, in_a, a[i]);
		in_b = step(f, in_b, b[i]);
		in_c = step(f, in_c, c[i]);
		in_d = step(f, in_d, d[i]);
	}
}

static void scan_whole(struct prefilter *f, struct str text)
{
	uint32_t state = 0;

	for (size_t i = 0; i < text.n; i++)
		state = step(f, state, text.p[i]);
}

size_t prefilter_scan(struct prefilter *f, struct str text, const uint32_t **out)
{
	begin(f);
	if (!f->empty && text.n >= PARTS_LEAST)
		scan_parts(f, text);
	else if (!f->empty)
		scan_whole(f, text);
	for (size_t i = 0; i < f->always_n; i++)
		found(f, f->always[i]);
	*out = f->found;
	return f->found_n;
}
