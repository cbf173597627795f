/* regex_classes.c: a regex's text without the escapes that PCRE2 10.42, Debian 12's, gets wrong.
 *
 * Its JIT compiler has \S, \D and \W match no character past ASCII where PCRE2_MATCH_INVALID_UTF is
 * set (PCRE2's issue 224, mended in 10.43), and that is set everywhere here. In a class of its own,
 * [\S], each is right. So they are put into one, wherever they do not stand in a class already.
 * Groups, and what the regex means, stay as they are.
 */
#include "base/regex_classes.h"

#include <string.h>

struct walk {
	struct str re;
	size_t at;
	struct buf *out;
	bool in_class;
};

static char peek(const struct walk *w, size_t ahead)
{
	return w->at + ahead < w->re.n ? w->re.p[w->at + ahead] : '\0';
}

static void copy(struct walk *w, size_t n)
{
	if (n > w->re.n - w->at)
		n = w->re.n - w->at;
	buf_add(w->out, w->re.p + w->at, n);
	w->at += n;
}

/* Up to and with `end`; all of it, where that is missing. */
static void copy_through(struct walk *w, const char *end)
{
	const char *found = memmem(w->re.p + w->at, w->re.n - w->at, end, strlen(end));

	copy(w, found ? (size_t)(found - (w->re.p + w->at)) + strlen(end) : w->re.n - w->at);
}

static void escape(struct walk *w)
{
	char c = peek(w, 1);

	if (c == 'Q') {
		copy_through(w, "\\E");
	} else if (!w->in_class && c && strchr("SDW", c)) {
		buf_putc(w->out, '[');
		copy(w, 2);
		buf_putc(w->out, ']');
	} else {
		copy(w, c == 'c' ? 3 : 2);
	}
}

static void bracket(struct walk *w)
{
	if (w->in_class) {
		const char kind[] = {peek(w, 1), ']', '\0'};

		/* [:alpha:] within a class; a [ that begins none is itself. */
		if (kind[0] == ':' && memmem(w->re.p + w->at, w->re.n - w->at, kind, 2))
			copy_through(w, kind);
		else
			copy(w, 1);
		return;
	}
	w->in_class = true;
	copy(w, peek(w, 1) == '^' ? 2 : 1);
	if (peek(w, 0) == ']')
		copy(w, 1); /* the first one is itself */
}

/* Comments of (?x), and callouts with texts of their own, are not looked through. */
static bool is_odd(const struct walk *w)
{
	size_t n = 2;

	if (peek(w, 0) != '(' || peek(w, 1) != '?')
		return false;
	if (peek(w, 2) == 'C')
		return true;
	while (peek(w, n) && strchr("^imnsxJUaDSWPT-", peek(w, n)))
		if (peek(w, n++) == 'x')
			return true;
	return false;
}

static void in_class(struct walk *w)
{
	w->in_class = peek(w, 0) != ']';
	copy(w, 1);
}

bool regex_classes(struct str regex, struct buf *out)
{
	struct walk w = {.re = regex, .out = out};

	while (w.at < regex.n) {
		char c = peek(&w, 0);

		if (c == '\\')
			escape(&w);
		else if (c == '[')
			bracket(&w);
		else if (w.in_class)
			in_class(&w);
		else if (is_odd(&w))
			return false;
		else if (c == '(' && peek(&w, 1) == '?' && peek(&w, 2) == '#')
			copy_through(&w, ")");
		else
			copy(&w, 1);
	}
	return !buf_failed(out);
}
