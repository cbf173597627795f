/* literals.c: which texts a regex asks for, by reading its text.
 *
 * Each piece of a regex is a set of texts: the values that it matches (exact), or what they begin
 * with. Pieces side by side multiply, alternatives add up, a repetition keeps at most what it
 * begins with. Apart from that, the longest text that every value must hold somewhere is kept.
 *
 * Guarantee: where the regex matches a value, what is said of that value is true. So a piece that
 * is only sometimes a match (an assertion, a word's boundary) counts as one that always is, and
 * where a construct is not known for sure the answer is "nothing known", never a guess.
 *
 * Bounds: texts and bytes of a set, depth of groups; past them sets shrink to prefixes or to
 * nothing. Whether PCRE2 takes the regex is PCRE2's to say, but for `precise`, which is only true
 * of what is nothing but texts, groups, alternatives and question marks.
 */
#include "rule/literals.h"

#include "base/utf8.h"
#include "rule/matcher.h"

#define PART_ENOUGH 64 /* bytes; a longer text finds nothing more */

struct reading {
	struct arena *a;
	struct str re;
	size_t at;
	unsigned depth, groups;
	bool unknown; /* something that is not understood */
};

static struct literals read_alternatives(struct reading *r);

/* ---- sets ---- */

static struct literals set_of(struct reading *r, struct str s)
{
	struct literals l = {.n = 1, .exact = true, .precise = true, .nonempty = s.n > 0};

	l.v = arena_array(r->a, 1, sizeof(*l.v));
	if (l.v)
		l.v[0] = s;
	else
		r->unknown = true;
	return l;
}

/* Any text at all, or any that is not empty. */
static struct literals anything(struct reading *r, bool nonempty)
{
	struct literals l = set_of(r, STR(""));

	l.exact = l.precise = false;
	l.nonempty = nonempty;
	return l;
}

static size_t bytes_of(const struct literals *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].n;
	return n;
}

static size_t shortest(const struct str *v, size_t n)
{
	size_t least = n ? v[0].n : 0;

	for (size_t i = 1; i < n; i++)
		least = v[i].n < least ? v[i].n : least;
	return least;
}

/* v as what a value must hold, where that says more than what l has. */
static void offer_part(struct literals *l, struct str *v, size_t n)
{
	size_t had = shortest(l->part, l->part_n), has = shortest(v, n);

	if (has == 0 || (has < had || (has == had && n >= l->part_n)))
		return;
	l->part = v;
	l->part_n = n;
}

static struct str joined(struct reading *r, struct str x, struct str y)
{
	char *p = arena_alloc(r->a, x.n + y.n + 1);

	if (!p) {
		r->unknown = true;
		return STR("");
	}
	if (x.n)
		memcpy(p, x.p, x.n);
	if (y.n)
		memcpy(p + x.n, y.p, y.n);
	return (struct str){p, x.n + y.n};
}

/* Each of x followed by each of y; false where that is too much. */
static bool multiply(struct reading *r, struct literals *x, const struct literals *y)
{
	size_t n = x->n * y->n; /* both at most LITERALS_MAX */

	if (n > LITERALS_MAX || bytes_of(x) * y->n + bytes_of(y) * x->n > LITERALS_BYTES)
		return false;
	struct str *v = arena_array(r->a, n, sizeof(*v));
	if (!v) {
		r->unknown = true;
		return false;
	}
	for (size_t i = 0; i < n; i++)
		v[i] = joined(r, x->v[i / y->n], y->v[i % y->n]);
	x->v = v;
	x->n = n;
	return true;
}

/* One of x or one of y; false where that is too much. */
static bool add_up(struct reading *r, struct literals *x, const struct literals *y)
{
	if (x->n + y->n > LITERALS_MAX || bytes_of(x) + bytes_of(y) > LITERALS_BYTES)
		return false;
	struct str *v = arena_array(r->a, x->n + y->n, sizeof(*v));
	if (!v) {
		r->unknown = true;
		return false;
	}
	memcpy(v, x->v, x->n * sizeof(*v));
	memcpy(v + x->n, y->v, y->n * sizeof(*v));
	x->v = v;
	x->n += y->n;
	return true;
}

/* ---- single pieces ---- */

static bool at_end(const struct reading *r)
{
	return r->at >= r->re.n;
}

static char peek(const struct reading *r)
{
	return at_end(r) ? '\0' : r->re.p[r->at];
}

static bool take(struct reading *r, const char *what)
{
	struct str rest = {r->re.p + r->at, r->re.n - r->at};

	if (!str_starts(rest, str_of(what)))
		return false;
	r->at += strlen(what);
	return true;
}

static struct literals not_known(struct reading *r)
{
	r->unknown = true;
	return (struct literals){0};
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c);
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* How many bytes at `at` are one plain character, and which bytes it means; 0: it is none. */
static size_t plain_character(const struct reading *r, size_t at, struct str *means)
{
	char c = r->re.p[at];

	if (c == '\\') {
		if (at + 1 >= r->re.n || r->re.p[at + 1] <= ' ' || r->re.p[at + 1] > '~' ||
			is_alnum(r->re.p[at + 1]))
			return 0;
		*means = (struct str){r->re.p + at + 1, 1};
		return 2;
	}
	if (c == '\0' || strchr("^$.[|()?*+{", c))
		return 0;
	size_t n = utf8_char(r->re.p + at, r->re.n - at);
	*means = (struct str){r->re.p + at, n};
	return n;
}

/* As many plain characters as belong together: a quantifier takes the last one away. */
static struct literals read_plain(struct reading *r)
{
	char *p = arena_alloc(r->a, r->re.n - r->at + 1);
	size_t n = 0, before = r->at, last = 0, length;
	struct str c = STR_NONE;

	if (!p)
		return not_known(r);
	while (!at_end(r) && (length = plain_character(r, r->at, &c)) > 0) {
		before = r->at;
		last = n;
		memcpy(p + n, c.p, c.n);
		n += c.n;
		r->at += length;
	}
	if (n == 0)
		return not_known(r);
	if (last > 0 && is_one_of(peek(r), "?*+{")) {
		r->at = before;
		n = last;
	}
	return set_of(r, (struct str){p, n});
}

/* [abc]: its characters; any other class is one character of whatever kind. */
static struct literals read_class(struct reading *r)
{
	size_t start = ++r->at;
	bool simple = peek(r) != '^';
	struct literals l = {.exact = true, .precise = true, .nonempty = true};

	r->at += !simple;
	if (peek(r) == ']')
		return not_known(r); /* means itself there; rare */
	while (!at_end(r) && peek(r) != ']') {
		char c = peek(r), next = r->at + 1 < r->re.n ? r->re.p[r->at + 1] : '\0';
		if (c == '\0' || (c == '[' && is_one_of(next, ":.=")) ||
			(c == '\\' && (next == '\0' || is_one_of(next, "cQE"))))
			return not_known(r);
		simple = simple && !is_one_of(c, "\\-[") && (unsigned char)c < 0x80;
		r->at += c == '\\' ? 2 : 1;
	}
	if (at_end(r))
		return not_known(r);
	size_t n = r->at++ - start;
	if (n > 1 && is_one_of(r->re.p[start], ":.=") && r->re.p[r->at - 2] == r->re.p[start])
		return not_known(r); /* [:alpha:] alone: PCRE2 refuses it */
	if (!simple || n > 16)
		return anything(r, true);
	l.v = arena_array(r->a, n, sizeof(*l.v));
	if (!l.v)
		return not_known(r);
	for (; l.n < n; l.n++)
		l.v[l.n] = (struct str){r->re.p + start + l.n, 1};
	return l;
}

/* A place, not a character. */
static struct literals read_assertion(struct reading *r, bool certain)
{
	struct literals l = set_of(r, STR(""));

	l.precise = certain;
	if (is_one_of(peek(r), "?*+{"))
		r->unknown = true;
	return l;
}

static struct literals read_escape(struct reading *r)
{
	char c = r->at + 1 < r->re.n ? r->re.p[r->at + 1] : '\0';

	if (!is_alnum(c))
		return read_plain(r);
	r->at += 2;
	if (is_one_of(c, "dwshvNDWSHVR"))
		return anything(r, true);
	if (is_one_of(c, "bBAzZ"))
		return read_assertion(r, false);
	if (c == 'n')
		return set_of(r, STR("\n"));
	if (c == 't')
		return set_of(r, STR("\t"));
	return not_known(r);
}

/* Behind "(". */
static void read_group_head(struct reading *r, bool *precise)
{
	char close = '\0';

	*precise = !take(r, "?>");
	if (!*precise || take(r, "?:"))
		return;
	r->groups++;
	if (take(r, "?<=") || take(r, "?<!"))
		r->unknown = true;
	else if (take(r, "?P<") || take(r, "?<"))
		close = '>';
	else if (take(r, "?'"))
		close = '\'';
	else
		r->unknown |= is_one_of(peek(r), "?*");
	if (!close)
		return;
	*precise = false; /* its name may be asked for */
	while (is_alnum(peek(r)) || peek(r) == '_')
		r->at++;
	r->unknown |= peek(r) != close;
	r->at++;
}

static struct literals read_group(struct reading *r)
{
	bool precise;

	r->at++;
	read_group_head(r, &precise);
	if (r->unknown || r->depth == LITERALS_DEPTH || r->groups > MATCHER_GROUPS_LIMIT)
		return not_known(r);
	r->depth++;
	struct literals l = read_alternatives(r);
	r->depth--;
	if (r->unknown || peek(r) != ')')
		return not_known(r);
	r->at++;
	l.precise &= precise;
	return l;
}

static struct literals read_piece(struct reading *r, bool first)
{
	switch (peek(r)) {
	case '(':
		return read_group(r);
	case '[':
		return read_class(r);
	case '\\':
		return read_escape(r);
	case '.':
		r->at++;
		return anything(r, true);
	case '^':
		r->at++;
		return read_assertion(r, first && r->depth == 0);
	case '$':
		r->at++;
		return read_assertion(r, r->depth == 0 && (at_end(r) || peek(r) == '|'));
	default:
		return read_plain(r);
	}
}

/* ---- repetition, sequence, alternatives ---- */

/* "{2}", "{2,}", "{2,5}": the least number; -1 where it is none. */
static long read_braces(struct reading *r)
{
	size_t i = r->at + 1;
	long least = 0;
	bool digits = false;

	for (; i < r->re.n && r->re.p[i] >= '0' && r->re.p[i] <= '9' && least < 100000; i++) {
		least = least * 10 + (r->re.p[i] - '0');
		digits = true;
	}
	if (digits && i < r->re.n && r->re.p[i] == ',')
		for (i++; i < r->re.n && r->re.p[i] >= '0' && r->re.p[i] <= '9';)
			i++;
	if (!digits || i >= r->re.n || r->re.p[i] != '}')
		return -1;
	r->at = i + 1;
	return least;
}

static void repeat(struct reading *r, struct literals *l)
{
	char c = peek(r);
	long least = 0;

	if (!is_one_of(c, "?*+{"))
		return;
	if (c != '{') {
		r->at++;
		least = c == '+';
	} else if ((least = read_braces(r)) < 0) {
		r->unknown = true;
		return;
	}
	if (take(r, "+"))
		l->precise = false;
	else
		take(r, "?");
	r->unknown |= is_one_of(peek(r), "?*+{");
	if (least > 0) {
		if (l->exact)
			offer_part(l, l->v, l->n);
		l->exact = l->precise = false;
		return;
	}
	struct literals empty = set_of(r, STR(""));
	bool whole = c == '?' && l->exact && !r->unknown && add_up(r, l, &empty);
	if (!whole)
		*l = anything(r, false);
	l->nonempty = false;
	l->part_n = 0;
}

/* What is beside each other: `run` is the text that surely stands at the end of what was read. */
static struct literals read_sequence(struct reading *r)
{
	struct literals all = set_of(r, STR(""));
	struct str run = STR("");
	bool first = true;

	while (!r->unknown && !at_end(r) && peek(r) != '|' && peek(r) != ')') {
		struct literals x = read_piece(r, first);
		if (!r->unknown)
			repeat(r, &x);
		if (r->unknown)
			break;
		first = false;
		if (x.exact && x.n == 1 && run.n < PART_ENOUGH) {
			run = joined(r, run, x.v[0]);
		} else {
			struct str *kept = arena_array(r->a, 1, sizeof(*kept));
			if (!kept)
				return not_known(r);
			*kept = run;
			offer_part(&all, kept, 1);
			if (x.exact && x.nonempty)
				offer_part(&all, x.v, x.n);
			offer_part(&all, x.part, x.part_n);
			run = STR("");
		}
		all.nonempty |= x.nonempty;
		all.precise &= x.precise;
		if (all.exact)
			all.exact = multiply(r, &all, &x) && x.exact;
		all.precise &= all.exact;
	}
	struct str *kept = arena_array(r->a, 1, sizeof(*kept));
	if (!kept)
		return not_known(r);
	*kept = run;
	offer_part(&all, kept, 1);
	return all;
}

static struct literals read_alternatives(struct reading *r)
{
	struct literals all = read_sequence(r);

	while (!r->unknown && take(r, "|")) {
		struct literals x = read_sequence(r), parts = {.v = all.part, .n = all.part_n};
		if (r->unknown)
			break;
		const struct literals more = {.v = x.part, .n = x.part_n};
		if (all.part_n && x.part_n && add_up(r, &parts, &more)) {
			all.part = parts.v;
			all.part_n = parts.n;
		} else {
			all.part_n = 0;
		}
		bool nonempty = all.nonempty && x.nonempty;
		bool precise = all.precise && x.precise;
		bool exact = all.exact && x.exact;
		if (!add_up(r, &all, &x)) {
			struct literals none = anything(r, nonempty);
			all.v = none.v;
			all.n = none.n;
			exact = false;
		}
		all.exact = exact;
		all.precise = precise && exact;
		all.nonempty = nonempty;
	}
	return all;
}

bool literals_of(struct arena *a, struct str regex, struct literals *out)
{
	struct reading r = {.a = a, .re = regex};

	*out = read_alternatives(&r);
	return !r.unknown && at_end(&r) && !arena_failed(a);
}
