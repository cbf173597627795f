/* words.c: walking over a text, and what stands in double quotes.
 *
 * Owns the rule of escapes of templates; those of matchers are in matcher_words.c. Knows lengths, not ends: a NUL in a text
 * is a byte.
 */
#include "rule/words.h"

int cursor_fail(struct err *e, size_t offset, const char *what)
{
	err_set(e, ERR_INPUT, "%s", what);
	e->offset = offset;
	return -1;
}

bool words_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t words_space(struct str s, size_t i)
{
	static const char *const wide[] = {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
	struct str rest = {s.p + i, s.n - i};

	if (words_is_blank(s.p[i]) || s.p[i] == '\v' || s.p[i] == '\f')
		return 1;
	if ((unsigned char)s.p[i] < 0x80)
		return 0;
	for (size_t k = 0; k < sizeof(wide) / sizeof(wide[0]); k++)
		if (str_starts(rest, str_of(wide[k])))
			return strlen(wide[k]);
	/* U+2000 to U+200A */
	bool thin = rest.n >= 3 && str_starts(rest, STR("\xe2\x80")) && (unsigned char)rest.p[2] >= 0x80 &&
		    (unsigned char)rest.p[2] <= 0x8a;
	return thin ? 3 : 0;
}

void cursor_skip_blanks(struct cursor *c)
{
	while (c->at < c->text.n && words_is_blank(c->text.p[c->at]))
		c->at++;
}

bool cursor_at_end(const struct cursor *c)
{
	return c->at >= c->text.n;
}

char cursor_peek(const struct cursor *c)
{
	return cursor_at_end(c) ? '\0' : c->text.p[c->at];
}

bool cursor_sees(const struct cursor *c, const char *what)
{
	struct str rest = {c->text.p + c->at, c->text.n - c->at};

	return str_starts(rest, str_of(what));
}

/* How many bytes stand at s[i] for one byte of what is meant: 2 for an escape, else 1. */
static size_t escape_length(struct str s, size_t i)
{
	bool escape = s.p[i] == '\\' && i + 1 < s.n &&
		      (s.p[i + 1] == '"' || s.p[i + 1] == '\\' || s.p[i + 1] == 'n');

	return escape ? 2 : 1;
}

/* The text between the quotes, escapes resolved. */
static int unescape(struct arena *a, struct str raw, struct str *out, struct err *e)
{
	char *p = arena_alloc(a, raw.n + 1);
	size_t n = 0, length;

	if (!p)
		return err_set(e, ERR_NOMEM, "no memory for a text in quotes");
	for (size_t i = 0; i < raw.n; i += length) {
		length = escape_length(raw, i);
		p[n++] = length == 1 ? raw.p[i] : raw.p[i + 1] == 'n' ? '\n' : raw.p[i + 1];
	}
	p[n] = '\0';
	*out = (struct str){p, n};
	return 0;
}

int cursor_quoted(struct cursor *c, struct arena *a, struct str *out, struct err *e)
{
	size_t start = c->at + 1, i = start;
	struct str s = c->text;

	while (i < s.n && s.p[i] != '"')
		i += escape_length(s, i);
	if (i >= s.n)
		return cursor_fail(e, c->at, "this double quote is never closed");
	c->at = i + 1;
	return unescape(a, (struct str){s.p + start, i - start}, out, e);
}
