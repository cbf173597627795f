/* regex_walk.c: a regex's text as a tree, and what its repetitions take.
 *
 * The tree knows sets of ASCII characters (with one bit for all others), sequences, alternatives and repetitions;
 * assertions and back references are empty. It need not be exact: it proposes texts, and PCRE2 judges them. What it
 * does not understand at all (recursion, conditions) it leaves alone.
 */
#include "rule/regex_walk.h"

#include <stdint.h>
#include "base/buf.h"
#include "base/utf8.h"

#define MANY 8		/* a repetition of up to so many times or more counts as open */
#define SAMPLE_LIMIT 200 /* bytes of one proposed text */
#define SAMPLE_TIMES 3	/* of a counted repetition */
#define OPEN_SUSPECT 3	/* open repetitions in a row: time grows with the third power */
#define MAX_TIMES 1000
#define SAMPLE_NODES 200000 /* visited for the samples of one regex */

enum kind {
	EMPTY,
	SET,
	SEQ,
	ALT,
	LOOP,
};

struct node {
	enum kind kind;
	uint64_t set[2];
	struct str other; /* a character past ASCII that the set has; "" none */
	unsigned min, max; /* max MAX_TIMES: open */
	bool possessive;
	struct node *child, *next;
};

struct walk {
	struct arena *a;
	struct str re;
	size_t at;
	unsigned depth;
	bool unknown;
	unsigned budget; /* nodes that samples may still visit: repetitions of repetitions multiply */
	struct regex_pumps *out;
};

static struct node *read_alternatives(struct walk *w);

/* ---- characters ---- */

static struct node *new_node(struct walk *w, enum kind kind)
{
	struct node *n = arena_zalloc(w->a, sizeof(*n));

	if (n)
		n->kind = kind;
	else
		w->unknown = true;
	return n;
}

static bool more(const struct walk *w)
{
	return w->at < w->re.n;
}

static char peek(const struct walk *w)
{
	return more(w) ? w->re.p[w->at] : '\0';
}

static bool sees(const struct walk *w, const char *what)
{
	return str_starts((struct str){w->re.p + w->at, w->re.n - w->at}, str_of(what));
}

static void add_char(struct node *n, unsigned char c)
{
	if (c < 128)
		n->set[c / 64] |= UINT64_C(1) << c % 64;
}

static bool has_char(const struct node *n, unsigned char c)
{
	return c < 128 && (n->set[c / 64] >> c % 64 & 1);
}

static void add_range(struct node *n, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to && c < 128; c++)
		add_char(n, (unsigned char)c);
	if (to >= 128)
		n->other = STR("\xc3\xa9");
}

static void invert(struct node *n)
{
	n->set[0] = ~n->set[0];
	n->set[1] = ~n->set[1];
	n->other = n->other.n ? STR_NONE : STR("\xc3\xa9");
}

/* \d \w \s \h \v and their opposites, \N and \R and \p{…}: true where it was one. */
static bool add_class(struct node *n, char c)
{
	struct node set = {0};

	switch (c) {
	case 'd':
	case 'D':
		add_range(&set, '0', '9');
		break;
	case 'w':
	case 'W':
		add_range(&set, 'a', 'z');
		add_range(&set, 'A', 'Z');
		add_range(&set, '0', '9');
		add_char(&set, '_');
		break;
	case 's':
	case 'S':
	case 'v':
	case 'V':
	case 'R':
		add_range(&set, '\t', '\r');
		add_char(&set, c == 's' || c == 'S' ? ' ' : '\n');
		break;
	case 'h':
	case 'H':
		add_char(&set, ' ');
		add_char(&set, '\t');
		break;
	case 'N':
		add_char(&set, '\n');
		break;
	case 'p':
	case 'P':
	case 'X':
		add_range(&set, 0, 128);
		break;
	default:
		return false;
	}
	if (strchr("DWSVHN", c))
		invert(&set);
	n->set[0] |= set.set[0];
	n->set[1] |= set.set[1];
	n->other = set.other.n ? set.other : n->other;
	return true;
}

static void skip_braces(struct walk *w)
{
	if (peek(w) != '{') {
		w->at += more(w);
		return;
	}
	while (more(w) && peek(w) != '}')
		w->at++;
	w->at += more(w);
}

static unsigned hex(struct walk *w)
{
	bool braces = peek(w) == '{';
	unsigned v = 0;

	w->at += braces;
	for (unsigned n = 0; more(w) && (braces ? peek(w) != '}' : n < 2); n++, w->at++) {
		const char *digits = "0123456789abcdef", *p = strchr(digits, peek(w) | 0x20);
		v = v < 0x1000 && p && *p ? v * 16 + (unsigned)(p - digits) : v;
	}
	w->at += braces && more(w);
	return v;
}

/* After a backslash, inside a class or out of it. False: it is no character but something of the regex's own. */
static bool read_escape(struct walk *w, struct node *n)
{
	static const char names[] = "nrtfea0", means[] = "\n\r\t\f\x1b\a";
	char c = peek(w);
	const char *p;

	w->at += more(w);
	if (add_class(n, c)) {
		if (c == 'p' || c == 'P')
			skip_braces(w);
	} else if (c == 'x') {
		unsigned v = hex(w);
		add_range(n, v, v);
	} else if (c != '\0' && (p = strchr(names, c))) {
		add_char(n, (unsigned char)means[p - names]);
	} else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9')) {
		w->unknown |= c == 'Q' || c == 'g' || c == 'c' || c == 'o';
		return false;
	} else {
		add_char(n, (unsigned char)c);
	}
	return true;
}

/* [:alpha:] and the like, roughly. */
static bool read_posix(struct walk *w, struct node *n)
{
	size_t end = w->at;

	if (!sees(w, "[:"))
		return false;
	while (end < w->re.n && w->re.p[end] != ']')
		end++;
	bool digits = sees(w, "[:digit:") || sees(w, "[:xdigit:"), blanks = sees(w, "[:space:") || sees(w, "[:blank:");
	add_class(n, digits ? 'd' : blanks ? 's' : 'w');
	w->at = end < w->re.n ? end + 1 : end;
	return true;
}

static struct node *read_class(struct walk *w)
{
	struct node *n = new_node(w, SET);
	bool not = peek(w) == '^', first = true;

	if (!n)
		return NULL;
	for (w->at += not; more(w) && (peek(w) != ']' || first); first = false) {
		unsigned char c = (unsigned char)peek(w);
		if (read_posix(w, n))
			continue;
		w->at++;
		if (c == '\\') {
			if (!read_escape(w, n))
				add_char(n, '\b');
			continue;
		}
		if (c >= 128) {
			size_t length = utf8_char(w->re.p + w->at - 1, w->re.n - w->at + 1);
			n->other = (struct str){w->re.p + w->at - 1, length ? length : 1};
			w->at += length ? length - 1 : 0;
			continue;
		}
		if (peek(w) == '-' && w->at + 1 < w->re.n && w->re.p[w->at + 1] != ']' &&
			w->re.p[w->at + 1] != '\\') {
			add_range(n, c, (unsigned char)w->re.p[w->at + 1]);
			w->at += 2;
			continue;
		}
		add_char(n, c);
	}
	w->at += more(w);
	if (not)
		invert(n);
	return n;
}

/* ---- the tree ---- */

/* What follows "(?" : whether the group is one that matches nothing itself. */
static bool read_group_head(struct walk *w, bool *empty)
{
	static const char *const names[] = {"<", "P<", "'"};
	static const char *const plain[] = {":", ">", "|"};
	static const char *const look[] = {"=", "!", "<=", "<!"};

	for (size_t i = 0; i < 4; i++)
		if (sees(w, look[i])) {
			w->at += strlen(look[i]);
			*empty = true;
			return true;
		}
	for (size_t i = 0; i < 3; i++)
		if (sees(w, plain[i])) {
			w->at++;
			return true;
		}
	for (size_t i = 0; i < 3; i++)
		if (sees(w, names[i])) {
			w->at += strlen(names[i]);
			while (more(w) && peek(w) != '>' && peek(w) != '\'')
				w->at++;
			w->at += more(w);
			return true;
		}
	while (more(w) && (peek(w) == '-' || peek(w) == '^' || (peek(w) >= 'a' && peek(w) <= 'z')))
		w->at++;
	if (peek(w) == ':') {
		w->at++;
		return true;
	}
	*empty = true; /* (?i) ends here, and reads as an empty group */
	return peek(w) == ')';
}

static struct node *read_group(struct walk *w)
{
	bool empty = false;

	if (peek(w) == '*') { /* (*VERB) */
		while (more(w) && peek(w) != ')')
			w->at++;
		w->at += more(w);
		return new_node(w, EMPTY);
	}
	if (peek(w) == '?') {
		w->at++;
		if (!read_group_head(w, &empty)) {
			w->unknown = true;
			return NULL;
		}
	}
	if (++w->depth > REGEX_WALK_DEPTH) {
		w->unknown = true;
		return NULL;
	}
	struct node *n = read_alternatives(w);
	w->depth--;
	w->at += more(w);
	return empty ? new_node(w, EMPTY) : n;
}

static struct node *read_atom(struct walk *w)
{
	size_t start = w->at;
	unsigned char c = (unsigned char)peek(w);
	struct node *n;

	w->at++;
	if (c == '(')
		return read_group(w);
	if (c == '[')
		return read_class(w);
	n = new_node(w, c == '^' || c == '$' ? EMPTY : SET);
	if (!n || n->kind == EMPTY)
		return n;
	if (c == '.') {
		add_range(n, 0, 128);
	} else if (c == '\\') {
		if (!read_escape(w, n))
			n->kind = EMPTY;
	} else if (c >= 128) {
		size_t length = utf8_char(w->re.p + start, w->re.n - start);
		n->other = (struct str){w->re.p + start, length ? length : 1};
		w->at = start + n->other.n;
	} else {
		add_char(n, c);
	}
	return n;
}

static bool read_number(struct walk *w, unsigned *out)
{
	size_t start = w->at;

	for (*out = 0; peek(w) >= '0' && peek(w) <= '9'; w->at++)
		*out = *out < MAX_TIMES ? *out * 10 + (unsigned)(peek(w) - '0') : MAX_TIMES;
	return w->at > start;
}

static bool read_times(struct walk *w, unsigned *min, unsigned *max)
{
	size_t start = w->at;
	char c = peek(w);

	*min = c == '+';
	*max = c == '?' ? 1 : MAX_TIMES;
	if (c == '*' || c == '+' || c == '?') {
		w->at++;
		return true;
	}
	if (c != '{')
		return false;
	w->at++;
	if (read_number(w, min)) {
		*max = *min;
		if (peek(w) == ',') {
			w->at++;
			if (!read_number(w, max))
				*max = MAX_TIMES;
		}
		if (peek(w) == '}') {
			w->at++;
			return true;
		}
	}
	w->at = start;
	return false;
}

static struct node *read_item(struct walk *w)
{
	struct node *n = read_atom(w);
	unsigned min, max;

	while (n && !w->unknown && read_times(w, &min, &max)) {
		struct node *loop = new_node(w, LOOP);
		if (!loop)
			return NULL;
		loop->min = min;
		loop->max = max;
		loop->child = n;
		loop->possessive = peek(w) == '+';
		w->at += peek(w) == '+' || peek(w) == '?';
		n = loop;
	}
	return n;
}

static struct node *read_sequence(struct walk *w)
{
	struct node *seq = new_node(w, SEQ), **tail = seq ? &seq->child : NULL;

	while (tail && !w->unknown && more(w) && peek(w) != '|' && peek(w) != ')') {
		*tail = read_item(w);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
	}
	return seq;
}

static struct node *read_alternatives(struct walk *w)
{
	struct node *alt = new_node(w, ALT), **tail = alt ? &alt->child : NULL;

	while (tail && !w->unknown) {
		*tail = read_sequence(w);
		if (!*tail || peek(w) != '|')
			break;
		tail = &(*tail)->next;
		w->at++;
	}
	return alt && alt->child && !alt->child->next ? alt->child : alt;
}

/* ---- suspicion ---- */

static bool is_open(const struct node *n)
{
	return n->kind == LOOP && n->max >= MANY && n->max > n->min && !n->possessive;
}

/* Has it more than one way to match, so that a repetition of it may have many? */
static bool has_ways(const struct node *n)
{
	if (n->kind == ALT || (n->kind == LOOP && n->max > n->min))
		return true;
	for (const struct node *c = n->child; c; c = c->next)
		if (has_ways(c))
			return true;
	return false;
}

/* Open repetitions that one match may go through, one after the other; OPEN_SUSPECT where one holds ways of its own. */
static unsigned openness(const struct node *n)
{
	unsigned sum = 0, most = 0;

	if (is_open(n) && has_ways(n->child))
		return OPEN_SUSPECT;
	for (const struct node *c = n->child; c; c = c->next) {
		unsigned k = openness(c);
		sum += k;
		most = k > most ? k : most;
	}
	if (n->kind == ALT)
		return most;
	if (n->kind == LOOP && n->min > 1)
		sum *= n->min;
	return is_open(n) ? sum + 1 : sum;
}

/* ---- texts ---- */

static void put_set(const struct node *n, struct buf *b)
{
	static const char likes[] = "a0A_ -./:,=x";

	for (const char *p = likes; *p; p++)
		if (has_char(n, (unsigned char)*p)) {
			buf_putc(b, *p);
			return;
		}
	for (unsigned c = 32; c < 128 + 32; c++)
		if (has_char(n, c % 128)) {
			buf_putc(b, (char)(c % 128));
			return;
		}
	buf_str(b, n->other);
}

/* A text that n matches: the which-th alternative, and what is optional once where full. */
static void put_sample(
	struct walk *w, const struct node *n, unsigned which, bool full, struct buf *b)
{
	const struct node *c = n->child;

	if (b->n > SAMPLE_LIMIT || w->budget == 0)
		return;
	w->budget--;
	switch (n->kind) {
	case EMPTY:
		return;
	case SET:
		put_set(n, b);
		return;
	case SEQ:
		for (; c; c = c->next)
			put_sample(w, c, which, full, b);
		return;
	case ALT:
		for (unsigned i = 0; i < which && c->next; i++)
			c = c->next;
		put_sample(w, c, which, full, b);
		return;
	case LOOP: {
		unsigned times = n->min < SAMPLE_TIMES ? n->min : SAMPLE_TIMES;
		for (unsigned i = full && times == 0 ? 1 : times; i > 0; i--)
			put_sample(w, c, which, full, b);
		return;
	}
	}
}

static void add_pump(struct walk *w, struct str before, struct str again)
{
	struct regex_pumps *out = w->out;

	if (again.n == 0 || again.n > SAMPLE_LIMIT || before.n > SAMPLE_LIMIT)
		return;
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->v[i].before, before) && str_eq(out->v[i].again, again))
			return;
	if (out->n < REGEX_PUMPS_LIMIT)
		out->v[out->n++] = (struct regex_pump){
			arena_strdup(w->a, before), arena_strdup(w->a, again)};
}

static bool set_within(const struct node *n, char c)
{
	if (n->kind == SET)
		return has_char(n, (unsigned char)c);
	for (const struct node *x = n->child; x; x = x->next)
		if (set_within(x, c))
			return true;
	return false;
}

/* What this repetition takes: samples of its body, and single characters that its sets share with others. */
static void pump_loop(struct walk *w, const struct node *body, struct str before)
{
	static const char likes[] = "a0 ";
	struct buf b;

	buf_init(&b, 2 * SAMPLE_LIMIT);
	for (unsigned which = 0; which < 3; which++)
		for (int full = 0; full < 2; full++) {
			buf_clear(&b);
			put_sample(w, body, which, full, &b);
			add_pump(w, before, buf_as_str(&b));
		}
	for (size_t i = 0; i < w->out->plain.n; i++)
		if (set_within(body, w->out->plain.p[i]))
			add_pump(w, before, (struct str){w->out->plain.p + i, 1});
	for (size_t i = 0; likes[i]; i++)
		if (set_within(body, likes[i]))
			add_pump(w, before, (struct str){likes + i, 1});
	buf_release(&b);
}

/* before: a text that leads to n; what n adds to it is appended. */
static void find_loops(struct walk *w, const struct node *n, struct buf *before)
{
	size_t start = before->n;

	if (w->out->n == REGEX_PUMPS_LIMIT || start > SAMPLE_LIMIT)
		return;
	if (is_open(n))
		pump_loop(w, n->child, buf_as_str(before));
	for (const struct node *c = n->child; c; c = c->next) {
		find_loops(w, c, before);
		if (n->kind == ALT)
			before->n = start;
	}
	before->n = start;
	put_sample(w, n, 0, false, before);
}

/* Each plain ASCII character of the tree, once. */
static void find_plain(const struct node *n, struct node *seen, struct buf *b)
{
	if (n->kind == SET && (n->set[0] == 0 || n->set[1] == 0)) {
		uint64_t bits = n->set[0] | n->set[1];
		for (unsigned c = 0; c < 128 && (bits & (bits - 1)) == 0; c++)
			if (has_char(n, (unsigned char)c) && !has_char(seen, (unsigned char)c)) {
				add_char(seen, (unsigned char)c);
				buf_putc(b, (char)c);
			}
	}
	for (const struct node *c = n->child; c; c = c->next)
		find_plain(c, seen, b);
}

bool regex_pumps(struct arena *a, struct str regex, struct regex_pumps *out)
{
	struct walk w = {.a = a, .re = regex, .budget = SAMPLE_NODES, .out = out};
	struct node seen = {0};
	struct buf b;

	out->n = 0;
	out->plain = STR_NONE;
	const struct node *n = read_alternatives(&w);
	if (!n || w.unknown || more(&w) || arena_failed(a) || openness(n) < OPEN_SUSPECT)
		return false;
	buf_init(&b, 4 * SAMPLE_LIMIT);
	find_plain(n, &seen, &b);
	out->plain = arena_strdup(a, buf_as_str(&b));
	buf_clear(&b);
	find_loops(&w, n, &b);
	buf_release(&b);
	return out->n > 0 && !arena_failed(a);
}
