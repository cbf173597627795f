/* reader.c: values of a YAML tree as C values, and findings with the place to look at.
 *
 * Guarantee: every refusal is one finding that says what was wanted; nothing stops at the first
 * one. A place inside a quoted text is found by walking the file's own bytes, so that a wrong byte
 * of a matcher is pointed at also behind YAML's escapes; in block texts (| and >) it is the text's
 * beginning.
 */
#include "rule/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include "base/nearest.h"
#include "base/units.h"

#define FINDING_MAX 700

__attribute__((format(printf, 4, 0))) static void add(
	struct reader *r, int line, int column, const char *fmt, va_list ap)
{
	char text[FINDING_MAX];

	vsnprintf(text, sizeof(text), fmt, ap);
	diag_add(r->diags, DIAG_ERROR, r->file, line, column, "%s", text);
}

void reader_error(struct reader *r, const struct yaml *y, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, y->line, y->column, fmt, ap);
	va_end(ap);
}

void reader_error_key(struct reader *r, const struct yaml *y, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, y->key_line ? y->key_line : y->line, y->key_line ? y->key_column : y->column, fmt,
		ap);
	va_end(ap);
}

/* ---- places ---- */

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The byte at line and column, which counts characters; n past the end. */
static size_t byte_at(struct str s, int line, int column)
{
	size_t i = 0;

	for (; line > 1 && i < s.n; line--) {
		const char *end = memchr(s.p + i, '\n', s.n - i);
		i = end ? (size_t)(end - s.p) + 1 : s.n;
	}
	for (; column > 1 && i < s.n; column--)
		for (i++; i < s.n && is_continuation(s.p[i]); i++)
			;
	return i;
}

/* Bytes of the file that stand for one byte of a text in this kind of quotes. */
static size_t step(struct str s, size_t i, char quote)
{
	if (quote == '\'' && s.p[i] == '\'' && i + 1 < s.n && s.p[i + 1] == '\'')
		return 2;
	if (quote != '"' || s.p[i] != '\\' || i + 1 >= s.n)
		return 1;
	switch (s.p[i + 1]) {
	case 'x':
		return 4;
	case 'u':
		return 6;
	case 'U':
		return 10;
	default:
		return 2;
	}
}

/* Moves column from the scalar's begin to the text's byte `offset`, within the line. */
static int column_in(struct str s, const struct yaml *y, size_t offset)
{
	size_t i = byte_at(s, y->line, y->column);
	int column = y->column;
	char quote = i < s.n ? s.p[i] : '\0';

	if (quote == '|' || quote == '>' || i >= s.n)
		return column;
	if (!y->plain && (quote == '"' || quote == '\'')) {
		i++;
		column++;
	} else {
		quote = '\0';
	}
	for (; offset > 0 && i < s.n && s.p[i] != '\n'; offset--) {
		size_t n = step(s, i, quote);
		for (; n > 0 && i < s.n; n--, i++)
			column += !is_continuation(s.p[i]);
	}
	return column;
}

void reader_error_in(
	struct reader *r, const struct yaml *y, const char *prefix, const struct err *e)
{
	diag_add(r->diags, DIAG_ERROR, r->file, y->line, column_in(r->bytes, y, e->offset), "%s%s",
		prefix, e->text);
}

/* ---- maps ---- */

#define KEYS_MAX 64

static void unknown_key(
	struct reader *r, const struct yaml *y, const char *what, const struct reader_key *keys)
{
	const char *names[KEYS_MAX];
	size_t n = 0;

	for (; keys[n].name && n < KEYS_MAX; n++)
		names[n] = keys[n].name;
	const char *near = nearest(y->key, names, n);
	if (near)
		reader_error_key(r, y, "unknown key '%.*s' in %s, did you mean '%s'?",
			STR_ARG(y->key), what, near);
	else
		reader_error_key(r, y, "unknown key '%.*s' in %s", STR_ARG(y->key), what);
}

static const struct reader_key *find_key(const struct reader_key *keys, struct str name)
{
	for (; keys->name; keys++)
		if (str_is(name, keys->name))
			return keys;
	return NULL;
}

bool reader_map(struct reader *r, const struct yaml *y, const char *what,
	const struct reader_key *keys, void *into)
{
	if (y->kind != YAML_MAP) {
		reader_error(r, y, "want %s here, as keys and values", what);
		return false;
	}
	for (const struct yaml *c = y->child; c; c = c->next) {
		const struct reader_key *k = find_key(keys, c->key);
		if (!k)
			unknown_key(r, c, what, keys);
		else if (k->later)
			reader_error_key(
				r, c, "this version does not act on '%s' yet; remove it", k->name);
		else if (c->kind == YAML_NULL)
			reader_error_key(
				r, c, "'%s' has no value; give it one or remove it", k->name);
		else
			k->read(r, c, into);
	}
	return true;
}

/* ---- scalars ---- */

static const char *kind_of(const struct yaml *y)
{
	switch (y->kind) {
	case YAML_NULL:
		return "nothing";
	case YAML_SCALAR:
		return "a text";
	case YAML_SEQ:
		return "a list";
	case YAML_MAP:
		return "keys and values";
	}
	return "";
}

static bool wrong(struct reader *r, const struct yaml *y, const char *wanted)
{
	if (y->kind == YAML_SCALAR)
		reader_error(r, y, "want %s, got '%.*s'", wanted,
			(int)(y->text.n < 80 ? y->text.n : 80), y->text.p);
	else
		reader_error(r, y, "want %s, got %s", wanted, kind_of(y));
	return false;
}

bool reader_text(struct reader *r, const struct yaml *y, struct str *out)
{
	if (y->kind != YAML_SCALAR || y->text.n == 0)
		return wrong(r, y, "a text");
	*out = y->text;
	return true;
}

bool reader_name(
	struct reader *r, const struct yaml *y, const char *what, size_t most, struct str *out)
{
	struct str s;

	if (!reader_text(r, y, &s))
		return false;
	bool good = s.n <= most && s.p[0] != '-';
	for (size_t i = 0; i < s.n; i++)
		good &= (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
			s.p[i] == '-';
	if (!good) {
		reader_error(r, y,
			"'%.*s' cannot be a %s's name: use a-z, 0-9 and -, at most %zu of them",
			(int)(s.n < 80 ? s.n : 80), s.p, what, most);
		return false;
	}
	*out = s;
	return true;
}

bool reader_bool(struct reader *r, const struct yaml *y, bool *out)
{
	return yaml_bool(y, out) || wrong(r, y, "true or false");
}

bool reader_int(struct reader *r, const struct yaml *y, int64_t least, int64_t most, int64_t *out)
{
	int64_t v;
	char wanted[80];

	if (yaml_i64(y, &v) && v >= least && v <= most) {
		*out = v;
		return true;
	}
	snprintf(wanted, sizeof(wanted), "a whole number from %lld to %lld", (long long)least,
		(long long)most);
	return wrong(r, y, wanted);
}

bool reader_duration(
	struct reader *r, const struct yaml *y, int64_t least_ms, int64_t most_ms, int64_t *out)
{
	int64_t v;
	char least[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX], wanted[160];

	if (y->kind != YAML_SCALAR || !units_parse_duration(y->text, &v))
		return wrong(r, y, "a duration such as 500ms, 30s, 5m, 2h or 30d");
	if (v >= least_ms && v <= most_ms) {
		*out = v;
		return true;
	}
	units_format_duration(least_ms, least);
	units_format_duration(most_ms, most);
	snprintf(wanted, sizeof(wanted), "a duration from %s to %s", least, most);
	return wrong(r, y, wanted);
}

bool reader_size(struct reader *r, const struct yaml *y, int64_t least, int64_t most, int64_t *out)
{
	int64_t v;
	char least_text[UNITS_TEXT_MAX], most_text[UNITS_TEXT_MAX], wanted[160];

	if (y->kind != YAML_SCALAR || !units_parse_size(y->text, &v))
		return wrong(r, y, "a size such as 512B, 64KiB or 8MiB");
	if (v >= least && v <= most) {
		*out = v;
		return true;
	}
	units_format_size(least, least_text);
	units_format_size(most, most_text);
	snprintf(wanted, sizeof(wanted), "a size from %s to %s", least_text, most_text);
	return wrong(r, y, wanted);
}

bool reader_choice(struct reader *r, const struct yaml *y, const char *const *names, int *out)
{
	char wanted[256] = "one of";
	size_t at = strlen(wanted);

	for (int i = 0; names[i]; i++) {
		if (y->kind == YAML_SCALAR && str_is(y->text, names[i])) {
			*out = i;
			return true;
		}
		if (at < sizeof(wanted))
			at += (size_t)snprintf(
				wanted + at, sizeof(wanted) - at, "%s %s", i ? "," : "", names[i]);
	}
	return wrong(r, y, wanted);
}

bool reader_list(
	struct reader *r, const struct yaml *y, bool single, const struct yaml ***out, size_t *n)
{
	const struct yaml *only = y->kind == YAML_SCALAR && single ? y : NULL;
	size_t count = only ? 1 : y->count;
	bool good = true;

	*n = 0;
	*out = NULL;
	if (!only && y->kind != YAML_SEQ)
		return wrong(r, y, single ? "a text or a list of texts" : "a list of texts");
	if (count == 0) {
		reader_error(r, y, "this list is empty");
		return false;
	}
	const struct yaml **v = arena_array(r->arena, count, sizeof(const struct yaml *));
	if (!v)
		return wrong(r, y, "fewer values");
	for (const struct yaml *c = only ? only : y->child; c; c = only ? NULL : c->next) {
		if (c->kind != YAML_SCALAR)
			good = wrong(r, c, "a text");
		else
			v[(*n)++] = c;
	}
	*out = v;
	return good;
}
