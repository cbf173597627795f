/* regex_tree.c: reading a regex's text into a tree.
 *
 * Knows enough of PCRE2's syntax to find the repetitions: classes, escapes, groups of all kinds,
 * quantifiers. What matches nothing by itself (assertions, verbs, back references) is an empty
 * node. What it does not understand makes it give up rather than guess. PCRE2 has compiled the
 * regex before, so its errors are not looked for.
 */
#include "rule/regex_tree.h"

#include "base/utf8.h"

struct reading {
	struct arena *a;
	struct str re;
	size_t at;
	unsigned depth;
	bool unknown;
};

static struct regex_node *read_alternatives(struct reading *w);

/* ---- characters ---- */

static struct regex_node *new_node(struct reading *w, enum regex_kind kind)
{
	struct regex_node *n = arena_zalloc(w->a, sizeof(*n));

	if (n)
		n->kind = kind;
	else
		w->unknown = true;
	return n;
}

static bool more(const struct reading *w)
{
	return w->at < w->re.n;
}

static char peek(const struct reading *w)
{
	return more(w) ? w->re.p[w->at] : '\0';
}

static bool sees(const struct reading *w, const char *what)
{
	return str_starts((struct str){w->re.p + w->at, w->re.n - w->at}, str_of(what));
}

void regex_add_char(struct regex_node *n, unsigned char c)
{
	if (c < 128)
		n->set[c / 64] |= UINT64_C(1) << c % 64;
}

bool regex_has_char(const struct regex_node *n, unsigned char c)
{
	return c < 128 && (n->set[c / 64] >> c % 64 & 1);
}

static void add_range(struct regex_node *n, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to && c < 128; c++)
		regex_add_char(n, (unsigned char)c);
	if (to >= 128)
		n->other = STR("\xc3\xa9");
}

static void invert(struct regex_node *n)
{
	n->set[0] = ~n->set[0];
	n->set[1] = ~n->set[1];
	n->other = n->other.n ? STR_NONE : STR("\xc3\xa9");
}

/* \d \w \s \h \v and their opposites, \N and \R and \p{…}: true where it was one. */
static bool add_class(struct regex_node *n, char c)
{
	struct regex_node set = {0};

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
		regex_add_char(&set, '_');
		break;
	case 's':
	case 'S':
	case 'v':
	case 'V':
	case 'R':
		add_range(&set, '\t', '\r');
		regex_add_char(&set, c == 's' || c == 'S' ? ' ' : '\n');
		break;
	case 'h':
	case 'H':
		regex_add_char(&set, ' ');
		regex_add_char(&set, '\t');
		break;
	case 'N':
		regex_add_char(&set, '\n');
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

static void skip_braces(struct reading *w)
{
	if (peek(w) != '{') {
		w->at += more(w);
		return;
	}
	while (more(w) && peek(w) != '}')
		w->at++;
	w->at += more(w);
}

static unsigned hex(struct reading *w)
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

/* After a backslash, inside a class or out of it. False: it is no character but something of the
 * regex's own. */
static bool read_escape(struct reading *w, struct regex_node *n)
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
		regex_add_char(n, (unsigned char)means[p - names]);
	} else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9')) {
		w->unknown |= c == 'Q' || c == 'g' || c == 'c' || c == 'o';
		return false;
	} else {
		regex_add_char(n, (unsigned char)c);
	}
	return true;
}

/* [:alpha:] and the like, roughly. */
static bool read_posix(struct reading *w, struct regex_node *n)
{
	size_t end = w->at;

	if (!sees(w, "[:"))
		return false;
	while (end < w->re.n && w->re.p[end] != ']')
		end++;
	bool digits = sees(w, "[:digit:") || sees(w, "[:xdigit:"),
	     blanks = sees(w, "[:space:") || sees(w, "[:blank:");
	add_class(n, digits ? 'd' : blanks ? 's' : 'w');
	w->at = end < w->re.n ? end + 1 : end;
	return true;
}

static struct regex_node *read_class(struct reading *w)
{
	struct regex_node *n = new_node(w, REGEX_SET);
	bool not = peek(w) == '^', first = true;

	if (!n)
		return NULL;
	for (w->at += not ; more(w) && (peek(w) != ']' || first); first = false) {
		unsigned char c = (unsigned char)peek(w);
		if (read_posix(w, n))
			continue;
		w->at++;
		if (c == '\\') {
			if (!read_escape(w, n))
				regex_add_char(n, '\b');
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
		regex_add_char(n, c);
	}
	w->at += more(w);
	if (not )
		invert(n);
	return n;
}

/* ---- the tree ---- */

/* What follows "(?" : whether the group is one that matches nothing itself. */
static bool read_group_head(struct reading *w, bool *empty)
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

static struct regex_node *read_group(struct reading *w)
{
	bool empty = false;

	if (peek(w) == '*') { /* (*VERB) */
		while (more(w) && peek(w) != ')')
			w->at++;
		w->at += more(w);
		return new_node(w, REGEX_EMPTY);
	}
	if (peek(w) == '?') {
		w->at++;
		if (!read_group_head(w, &empty)) {
			w->unknown = true;
			return NULL;
		}
	}
	if (++w->depth > REGEX_TREE_DEPTH) {
		w->unknown = true;
		return NULL;
	}
	struct regex_node *n = read_alternatives(w);
	w->depth--;
	w->at += more(w);
	return empty ? new_node(w, REGEX_EMPTY) : n;
}

static struct regex_node *read_atom(struct reading *w)
{
	size_t start = w->at;
	unsigned char c = (unsigned char)peek(w);
	struct regex_node *n;

	w->at++;
	if (c == '(')
		return read_group(w);
	if (c == '[')
		return read_class(w);
	n = new_node(w, c == '^' || c == '$' ? REGEX_EMPTY : REGEX_SET);
	if (!n || n->kind == REGEX_EMPTY)
		return n;
	if (c == '.') {
		add_range(n, 0, 128);
	} else if (c == '\\') {
		if (!read_escape(w, n))
			n->kind = REGEX_EMPTY;
	} else if (c >= 128) {
		size_t length = utf8_char(w->re.p + start, w->re.n - start);
		n->other = (struct str){w->re.p + start, length ? length : 1};
		w->at = start + n->other.n;
	} else {
		regex_add_char(n, c);
	}
	return n;
}

static bool read_number(struct reading *w, unsigned *out)
{
	size_t start = w->at;

	for (*out = 0; peek(w) >= '0' && peek(w) <= '9'; w->at++)
		*out = *out < REGEX_TIMES_MAX ? *out * 10 + (unsigned)(peek(w) - '0')
					      : REGEX_TIMES_MAX;
	return w->at > start;
}

static bool read_times(struct reading *w, unsigned *min, unsigned *max)
{
	size_t start = w->at;
	char c = peek(w);

	*min = c == '+';
	*max = c == '?' ? 1 : REGEX_TIMES_MAX;
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
				*max = REGEX_TIMES_MAX;
		}
		if (peek(w) == '}') {
			w->at++;
			return true;
		}
	}
	w->at = start;
	return false;
}

static struct regex_node *read_item(struct reading *w)
{
	struct regex_node *n = read_atom(w);
	unsigned min, max;

	while (n && !w->unknown && read_times(w, &min, &max)) {
		struct regex_node *loop = new_node(w, REGEX_LOOP);
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

static struct regex_node *read_sequence(struct reading *w)
{
	struct regex_node *seq = new_node(w, REGEX_SEQ), **tail = seq ? &seq->child : NULL;

	while (tail && !w->unknown && more(w) && peek(w) != '|' && peek(w) != ')') {
		*tail = read_item(w);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
	}
	return seq;
}

static struct regex_node *read_alternatives(struct reading *w)
{
	struct regex_node *alt = new_node(w, REGEX_ALT), **tail = alt ? &alt->child : NULL;

	while (tail && !w->unknown) {
		*tail = read_sequence(w);
		if (!*tail || peek(w) != '|')
			break;
		tail = &(*tail)->next;
		w->at++;
	}
	return alt && alt->child && !alt->child->next ? alt->child : alt;
}

struct regex_node *regex_tree(struct arena *a, struct str regex)
{
	struct reading w = {.a = a, .re = regex};
	struct regex_node *n = read_alternatives(&w);

	return !n || w.unknown || more(&w) || arena_failed(a) ? NULL : n;
}
