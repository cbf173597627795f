/* map.c: values of a map: from text to path or literal, and the way along a path.
 *
 * Guarantee: what is odd about a text is found when it is parsed; along a path nothing is an error,
 * only missing, since a sender may leave anything out. Pure.
 */
#include "source/map.h"

#include <strings.h>
#include "base/json.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int fault(struct err *e, size_t offset, const char *what)
{
	err_set(e, ERR_INPUT, "%s", what);
	e->offset = offset;
	return -1;
}

/* In double quotes, with \" and \\; *at is behind the closing one. */
static int read_quoted(struct arena *a, struct str s, size_t *at, struct str *out, struct err *e)
{
	size_t start = *at, n = 0;
	char *to = arena_alloc(a, s.n - start + 1);

	if (!to)
		return err_set(e, ERR_NOMEM, "no memory for a map");
	for (size_t i = start + 1; i < s.n; i++) {
		if (s.p[i] == '"') {
			to[n] = '\0';
			*out = (struct str){to, n};
			*at = i + 1;
			return 0;
		}
		if (s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == '"' || s.p[i + 1] == '\\'))
			i++;
		to[n++] = s.p[i];
	}
	return fault(e, start, "this double quote is never closed");
}

static int read_part(struct arena *a, struct str s, size_t *at, struct str *out, struct err *e)
{
	size_t start = *at;

	if (start < s.n && s.p[start] == '"')
		return read_quoted(a, s, at, out, e);
	while (*at < s.n && s.p[*at] != '.') {
		if (is_blank(s.p[*at]) || s.p[*at] == '"')
			return fault(e, *at,
				"a path has no blanks and quotes in its names; put such a name in "
				"double "
				"quotes, as in labels.\"disk name\", and a text of your own as a "
				"whole: "
				"'\"disk is full\"'");
		++*at;
	}
	*out = (struct str){s.p + start, *at - start};
	return out->n > 0 ? 0 : fault(e, start, "a part of this path is empty");
}

static int read_path(struct arena *a, struct str s, struct source_value *out, struct err *e)
{
	struct str parts[SOURCE_PATH_LIMIT];
	size_t at = 0;

	out->kind = SOURCE_PATH;
	if (str_is(s, "."))
		return 0;
	for (;;) {
		bool bare = at < s.n && s.p[at] != '"';
		if (out->path_n == SOURCE_PATH_LIMIT)
			return fault(e, at, "this path has too many parts");
		if (read_part(a, s, &at, &parts[out->path_n], e) != 0)
			return -1;
		if (bare && !out->root && out->path_n == 0 && str_is(parts[0], "root"))
			out->root = true;
		else
			out->path_n++;
		if (at == s.n)
			break;
		if (s.p[at++] != '.')
			return fault(e, at - 1, "want a dot here");
	}
	out->path = arena_array(a, out->path_n ? out->path_n : 1, sizeof(*out->path));
	if (!out->path)
		return err_set(e, ERR_NOMEM, "no memory for a map");
	for (size_t i = 0; i < out->path_n; i++)
		out->path[i] = parts[i];
	return 0;
}

/* "…" and nothing behind it. */
static bool is_literal(struct str s)
{
	size_t i = 1;

	if (s.n < 2 || s.p[0] != '"')
		return false;
	for (; i < s.n && s.p[i] != '"'; i++)
		i += s.p[i] == '\\';
	return i + 1 == s.n;
}

int source_value_parse(struct arena *a, struct str text, struct source_value *out, struct err *e)
{
	size_t at = 0;

	*out = (struct source_value){.text = arena_strdup(a, text)};
	if (!out->text.p)
		return err_set(e, ERR_NOMEM, "no memory for a map");
	if (memmem(text.p, text.n, "{{", 2)) {
		out->kind = SOURCE_TEMPLATE;
		return 0;
	}
	if (is_literal(out->text)) {
		out->kind = SOURCE_LITERAL;
		return read_quoted(a, out->text, &at, &out->literal, e);
	}
	return read_path(a, out->text, out, e);
}

const struct json *source_value_find(
	const struct source_value *v, const struct json *root, const struct json *item)
{
	const struct json *j = v->root ? root : item;

	for (size_t i = 0; i < v->path_n && j; i++)
		j = j->kind == JSON_ARRAY ? json_path(j, v->path[i]) : json_getn(j, v->path[i]);
	return j && j->kind != JSON_NULL ? j : NULL;
}

enum event_status source_status_of(struct str word)
{
	static const struct {
		const char *word;
		enum event_status status;
	} words[] = {
		{"firing", EVENT_FIRING},
		{"alerting", EVENT_FIRING},
		{"alarm", EVENT_FIRING},
		{"problem", EVENT_FIRING},
		{"triggered", EVENT_FIRING},
		{"open", EVENT_FIRING},
		{"active", EVENT_FIRING},
		{"down", EVENT_FIRING},
		{"resolved", EVENT_RESOLVED},
		{"recovered", EVENT_RESOLVED},
		{"recovery", EVENT_RESOLVED},
		{"ok", EVENT_RESOLVED},
		{"closed", EVENT_RESOLVED},
		{"inactive", EVENT_RESOLVED},
		{"up", EVENT_RESOLVED},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (word.n == strlen(words[i].word) &&
			strncasecmp(word.p, words[i].word, word.n) == 0)
			return words[i].status;
	}
	return EVENT_INFO;
}
