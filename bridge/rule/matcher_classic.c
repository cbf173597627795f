/* matcher_classic.c: Alertmanager's classic syntax of matchers.
 *
 * One brace at the beginning and one at the end are dropped, each whether or not the other is
 * there; commas outside of quotes separate; a matcher is a name, an operator, and all the rest as
 * its value, without the blanks around it. The value may stand in double quotes; in quotes or not,
 * \" \\ and \n are escapes and every other backslash is itself. So `a==b`, `a={b}` and `a=b c` have
 * values "=b", "{b}" and "b c".
 *
 * Names are those of Prometheus's labels, and besides them the fields of an event (field.c).
 */
#include "rule/matcher_impl.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

/* The blanks of Go's \s. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_field(struct str rest)
{
	return str_starts(rest, STR("event.")) || str_starts(rest, STR("annotations.")) ||
	       str_starts(rest, STR("data.")) || str_starts(rest, STR("labels."));
}

static size_t name_end(struct str s, size_t i, size_t end)
{
	if (is_field((struct str){s.p + i, end - i})) {
		while (i < end && !matcher_is_reserved(s, i))
			i++;
		return i;
	}
	if (i < end && is_letter(s.p[i]))
		while (i < end && (is_letter(s.p[i]) || (s.p[i] >= '0' && s.p[i] <= '9')))
			i++;
	return i;
}

/* May these quotes stand in a value? Only as its first and last character, or escaped. */
static bool quotes_ok(struct str s, const struct word *w)
{
	size_t i = w->from + w->quoted;

	while (i < w->to && s.p[i] != '"') {
		bool escape = s.p[i] == '\\' && i + 1 < w->to &&
			      (s.p[i + 1] == '"' || s.p[i + 1] == '\\');
		i += escape ? 2 : 1;
	}
	return w->quoted ? i + 1 == w->to : i >= w->to;
}

/* One matcher, from byte i to end. */
static int read_matcher(
	struct str s, size_t i, size_t end, struct arena *a, struct raw_matcher *m, struct err *e)
{
	while (i < end && is_blank(s.p[i]))
		i++;
	m->name = (struct word){.from = i, .to = name_end(s, i, end), .escapes = ESCAPES_NONE};
	if (m->name.to == i)
		return cursor_fail(e, i, "want a label or field here");
	for (i = m->name.to; i < end && is_blank(s.p[i]); i++)
		;
	if (!matcher_op_at((struct str){s.p + i, end - i}, &m->op))
		return cursor_fail(e, i, "want one of = != =~ !~ here");
	for (i += matcher_op_text(m->op).n; i < end && is_blank(s.p[i]); i++)
		;
	while (end > i && is_blank(s.p[end - 1]))
		end--;
	m->value = (struct word){.from = i,
		.to = end,
		.quoted = i < end && s.p[i] == '"',
		.escapes = ESCAPES_CLASSIC};
	if (m->value.quoted && end - i < 2)
		return cursor_fail(e, i, "this double quote is never closed");
	if (!quotes_ok(s, &m->value))
		return cursor_fail(e, i, "a double quote in a value is written \\\"");
	return matcher_unescape(a, s, &m->name, e) < 0 || matcher_unescape(a, s, &m->value, e) < 0
		       ? -1
		       : 0;
}

/* The last matcher loses all of Unicode's blanks round it, not only those of \s. */
static void trim_last(struct str s, size_t *from, size_t *end)
{
	size_t last;

	while (*from < *end && words_space(s, *from) > 0)
		*from += words_space(s, *from);
	last = *from;
	for (size_t i = *from; i < *end; i++)
		if (words_space(s, i) > 0)
			i += words_space(s, i) - 1;
		else
			last = i + 1;
	*end = last;
}

int matcher_read_classic(struct str s, struct arena *a, struct raw_list *out, struct err *e)
{
	size_t from = s.n > 0 && s.p[0] == '{', end = s.n;
	bool quoted = false, escaped = false;

	end -= end > from && s.p[end - 1] == '}';
	out->n = 0;
	for (size_t i = from; i <= end; i++) {
		bool comma = i < end && s.p[i] == ',' && !quoted;
		if (comma || i == end) {
			size_t to = i;
			if (i == end)
				trim_last(s, &from, &to);
			if (i == end && from == to)
				break;
			if (out->n == MATCHER_LIMIT)
				return matcher_too_many(from, e);
			if (read_matcher(s, from, to, a, &out->v[out->n++], e) < 0)
				return -1;
			from = i + 1;
		} else if (s.p[i] == '"') {
			quoted ^= !escaped;
			escaped = false;
		} else if (s.p[i] == '\\') {
			escaped = !escaped;
		} else if (s.p[i] != ',') { /* which leaves it, there as here */
			escaped = false;
		}
	}
	return out->n > 0 ? 0 : cursor_fail(e, 0, "no matcher here; '{}' matches every event");
}
