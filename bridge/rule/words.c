/* words.c: walking over a text, and what stands in double quotes.
 *
 * Owns the one rule of escapes of matchers and templates. Knows lengths, not ends: a NUL in a text
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

size_t words_escape_length(struct str s, size_t i)
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
		length = words_escape_length(raw, i);
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
		i += words_escape_length(s, i);
	if (i >= s.n)
		return cursor_fail(e, c->at, "this double quote is never closed");
	c->at = i + 1;
	return unescape(a, (struct str){s.p + start, i - start}, out, e);
}
