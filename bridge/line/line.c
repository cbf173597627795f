/* line.c: what all decoders and those who take lines need: text that is text, a label by its name.
 *
 * Owns nothing. Does not decode: a kind is a file of its own.
 */
#include "line/line.h"

#include "base/utf8.h"

static bool is_clean(struct str s)
{
	return utf8_valid(s) == s.n && (s.n == 0 || !memchr(s.p, '\0', s.n));
}

struct str line_text(struct arena *a, struct str s)
{
	size_t n = 0;
	char *p;

	if (is_clean(s))
		return s;
	p = arena_alloc(a, s.n * (sizeof(UTF8_REPLACEMENT) - 1) + 1);
	if (!p)
		return STR_NONE;
	for (size_t i = 0; i < s.n;) {
		size_t good = s.p[i] == '\0' ? 0 : utf8_char(s.p + i, s.n - i);
		const char *from = good ? s.p + i : UTF8_REPLACEMENT;
		size_t bytes = good ? good : sizeof(UTF8_REPLACEMENT) - 1;

		memcpy(p + n, from, bytes);
		n += bytes;
		i += good ? good : 1;
	}
	p[n] = '\0';
	return (struct str){p, n};
}

struct str line_label(const struct line *l, struct str name)
{
	for (size_t i = l->labels_n; i > 0; i--)
		if (str_eq(l->labels[i - 1].name, name))
			return l->labels[i - 1].value;
	return STR_NONE;
}
