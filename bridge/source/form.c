/* form.c: bytes of a form to pairs.
 *
 * A byte that is no UTF-8, and NUL, are refused: what comes out becomes labels and JSON.
 */
#include "source/form.h"

#include "base/utf8.h"
#include "source/source.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static struct str decode(struct arena *a, struct str s)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	if (!to)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		bool code = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 &&
			    hex(s.p[i + 2]) >= 0;

		to[n++] = s.p[i] == '+' ? ' '
			  : code	? (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]))
					: s.p[i];
		i += code ? 2 : 0;
	}
	to[n] = '\0';
	return (struct str){to, n};
}

static bool is_text(struct str s)
{
	return utf8_valid(s) == s.n && !memchr(s.p, '\0', s.n);
}

static int take_pair(struct arena *a, struct str s, size_t offset, struct kv *out, struct err *e)
{
	const char *eq = memchr(s.p, '=', s.n);
	size_t n = eq ? (size_t)(eq - s.p) : s.n;

	out->name = decode(a, (struct str){s.p, n});
	out->value = eq ? decode(a, (struct str){eq + 1, s.n - n - 1}) : STR("");
	if (arena_failed(a))
		return err_set(e, ERR_LIMIT, "the form does not fit the memory of a request");
	if (is_text(out->name) && is_text(out->value))
		return 0;
	err_set(e, ERR_INPUT, "the form's pair '%.40s' is no UTF-8 text",
		is_text(out->name) ? out->name.p : "?");
	e->offset = offset;
	return -1;
}

int form_decode(struct arena *a, struct str bytes, struct kv **out, size_t *n, struct err *e)
{
	size_t most = 1;

	*out = NULL;
	*n = 0;
	for (size_t i = 0; i < bytes.n; i++)
		most += bytes.p[i] == '&';
	if (most > SOURCE_PAIRS_LIMIT)
		return err_set(e, ERR_LIMIT, "the form has %zu pairs, at most %d are taken", most,
			SOURCE_PAIRS_LIMIT);
	*out = arena_array(a, most, sizeof(**out));
	if (!*out)
		return err_set(e, ERR_LIMIT, "the form does not fit the memory of a request");
	for (size_t at = 0; at < bytes.n;) {
		const char *amp = memchr(bytes.p + at, '&', bytes.n - at);
		size_t len = amp ? (size_t)(amp - bytes.p) - at : bytes.n - at;

		if (len && take_pair(a, (struct str){bytes.p + at, len}, at, &(*out)[*n], e) < 0)
			return -1;
		*n += len > 0;
		at += len + 1;
	}
	return 0;
}

struct str form_get(const struct kv *pairs, size_t n, const char *name)
{
	for (size_t i = n; i > 0; i--) {
		if (str_is(pairs[i - 1].name, name))
			return pairs[i - 1].value;
	}
	return STR_NONE;
}
