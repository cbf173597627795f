/* matcher_words.c: names and values as they stand in a matcher, and what they mean.
 *
 * Owns the two rules of escapes that Alertmanager has: the classic one, in which \" \\ and \n are
 * escapes and every other backslash is itself, and that of its UTF-8 syntax, which is Go's. Both
 * work on one table of what a backslash does, so that the way back from a byte of the meaning to
 * the byte of the text is the same walk.
 */
#include "rule/matcher_impl.h"

#include "base/utf8.h"

#define RUNE_MAX 0x10ffffu

bool matcher_is_reserved(struct str s, size_t i)
{
	return (s.p[i] != '\0' && strchr("{}!=~,\\\"'`", s.p[i])) || words_space(s, i) > 0;
}

/* ---- escapes ---- */

/* Reads n digits of base 8 or 16; false where there are not so many. */
static bool digits(struct str s, size_t i, size_t n, unsigned base, unsigned *out)
{
	unsigned v = 0;

	if (n > s.n - i)
		return false;
	for (size_t end = i + n; i < end; i++) {
		char c = s.p[i];
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
						    : 99;
		if (d >= base)
			return false;
		v = v * base + d;
	}
	*out = v;
	return true;
}

static size_t encode(unsigned rune, char out[4])
{
	if (rune < 0x80) {
		out[0] = (char)rune;
		return 1;
	}
	size_t n = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, rune >>= 6)
		out[i] = (char)(0x80 | (rune & 0x3f));
	out[0] = (char)((0xf00u >> n & 0xf0) | rune);
	return n;
}

static size_t go_number(struct str s, size_t i, char out[4], size_t *n)
{
	unsigned v;
	char kind = s.p[i + 1];

	if (kind >= '0' && kind <= '7') {
		if (!digits(s, i + 1, 3, 8, &v) || v > 255)
			return 0;
		out[0] = (char)v;
		return 4;
	}
	size_t count = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
	if (!digits(s, i + 2, count, 16, &v))
		return 0;
	if (kind == 'x')
		out[0] = (char)v;
	else if (v > RUNE_MAX || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	else
		*n = encode(v, out);
	return count + 2;
}

/* What stands at s[i]: the bytes that it means into out, how many into *n. Returns its length, 0
 * where it is no escape that there is. */
static size_t decode(struct str s, size_t i, enum escapes how, char out[4], size_t *n)
{
	static const char names[] = "abfnrtv\\\"", means[] = "\a\b\f\n\r\t\v\\\"";
	const char *p;

	*n = 1;
	out[0] = s.p[i];
	if (s.p[i] != '\\' || how == ESCAPES_NONE)
		return 1;
	char next = i + 1 < s.n ? s.p[i + 1] : '\0';
	if (how == ESCAPES_CLASSIC) {
		if (next != '"' && next != '\\' && next != 'n')
			return 1;
		out[0] = next == 'n' ? '\n' : next;
		return 2;
	}
	if (next != '\0' && (p = strchr(names, next))) {
		out[0] = means[p - names];
		return 2;
	}
	return next != '\0' && strchr("01234567xuU", next) ? go_number(s, i, out, n) : 0;
}

static struct str body_of(struct str text, const struct word *w)
{
	size_t quote = w->quoted;

	return (struct str){text.p + w->from + quote, w->to - w->from - 2 * quote};
}

static int bad_escape(struct str body, size_t i, size_t offset, struct err *e)
{
	if (body.p[i] == '\n')
		return cursor_fail(e, offset + i, "a line feed in such quotes is written \\n");
	err_set(e, ERR_INPUT,
		"'%.*s' is no escape here; write \\\\ for a backslash (with names in quotes or of "
		"other "
		"letters, Alertmanager reads escapes as in Go)",
		(int)(i + 1 < body.n ? 1 + utf8_char(body.p + i + 1, body.n - i - 1) : 1),
		body.p + i);
	e->offset = offset + i;
	return -1;
}

int matcher_unescape(struct arena *a, struct str text, struct word *w, struct err *e)
{
	struct str body = body_of(text, w);
	size_t offset = w->from + w->quoted, n = 0, length, k;
	char *p = arena_alloc(a, body.n + 1);

	if (!p)
		return err_set(e, ERR_NOMEM, "no memory for a matcher");
	for (size_t i = 0; i < body.n; i += length, n += k) {
		char out[4];
		length = decode(body, i, w->escapes, out, &k);
		if (length == 0 || (w->escapes == ESCAPES_GO && body.p[i] == '\n'))
			return bad_escape(body, i, offset, e);
		memcpy(p + n, out, k); /* never longer than what is written */
	}
	p[n] = '\0';
	w->value = (struct str){p, n};
	if (w->escapes == ESCAPES_GO && utf8_valid(w->value) < n)
		return cursor_fail(e, offset, "the bytes of these escapes are not UTF-8");
	return 0;
}

size_t matcher_offset_in_text(struct str text, const struct word *w, size_t byte)
{
	struct str body = body_of(text, w);
	size_t i = 0, n;
	char out[4];

	while (i < body.n) {
		size_t length = decode(body, i, w->escapes, out, &n);
		if (byte < n || length == 0)
			break;
		byte -= n;
		i += length;
	}
	return w->from + w->quoted + i;
}

/* ---- words of the UTF-8 syntax ---- */

static int read_quoted(struct cursor *c, struct word *out, struct err *e)
{
	size_t i = c->at + 1;

	while (i < c->text.n && c->text.p[i] != '"')
		i += c->text.p[i] == '\\' ? 2 : 1;
	if (i >= c->text.n)
		return cursor_fail(e, c->at, "this double quote is never closed");
	c->at = i + 1;
	out->escapes = ESCAPES_GO;
	return 0;
}

int matcher_read_word(struct cursor *c, struct arena *a, struct word *out, struct err *e)
{
	*out = (struct word){.from = c->at, .quoted = cursor_sees(c, "\"")};
	if (out->quoted && read_quoted(c, out, e) < 0)
		return -1;
	while (!out->quoted && !cursor_at_end(c) && !matcher_is_reserved(c->text, c->at))
		c->at++;
	out->to = c->at;
	return matcher_unescape(a, c->text, out, e);
}

int matcher_check_utf8(struct str text, struct err *e)
{
	size_t good = utf8_valid(text);

	return good == text.n ? 0 : cursor_fail(e, good, "this is not UTF-8");
}
