/* show_data.c: a JSON value as indented JSON, and as YAML.
 *
 * Both print the same value: members in their order, numbers with the digits they came with. Strings
 * are safe to show: what a terminal would act on is escaped in the way of the format. YAML strings are
 * written plain only where no reader of YAML 1.1 or 1.2 could take them for something else; else they
 * are double-quoted, which is JSON's form.
 */
#include "cli/show.h"

#include <string.h>
#include "base/utf8.h"
#include "cli/term.h"

#define LEVEL_MAX 100	/* base/json reads no deeper */

static void indent(struct buf *out, int level)
{
	for (int i = 0; i < level * 2; i++)
		buf_putc(out, ' ');
}

static void unit(struct buf *out, unsigned long c)
{
	buf_printf(out, "\\u%04lx", c);
}

/* Past U+FFFF JSON needs a pair of surrogates, which YAML does not have. */
static void escaped(struct buf *out, unsigned long c, bool yaml)
{
	if (c == '\n')
		buf_puts(out, "\\n");
	else if (c == '\t')
		buf_puts(out, "\\t");
	else if (c == '\r')
		buf_puts(out, "\\r");
	else if (c < 0x10000)
		unit(out, c);
	else if (yaml)
		buf_printf(out, "\\U%08lx", c);
	else {
		unit(out, 0xd800 + ((c - 0x10000) >> 10));
		unit(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
	}
}

static void quote(struct buf *out, struct str s, bool yaml)
{
	size_t i = 0;

	buf_putc(out, '"');
	while (i < s.n) {
		size_t n = utf8_char(s.p + i, s.n - i);
		unsigned long c = n ? term_decode(s.p + i, n) : 0xfffd;

		if (c == '"' || c == '\\') {
			buf_putc(out, '\\');
			buf_putc(out, (char)c);
		} else if (n == 0) {
			buf_puts(out, UTF8_REPLACEMENT);
		} else if (term_must_escape(c)) {
			escaped(out, c, yaml);
		} else {
			buf_add(out, s.p + i, n);
		}
		i += n ? n : 1;
	}
	buf_putc(out, '"');
}

static void json_value(struct buf *out, const struct json *j, int level)
{
	bool object = j->kind == JSON_OBJECT;

	switch (j->kind) {
	case JSON_NULL:
		buf_puts(out, "null");
		return;
	case JSON_BOOL:
		buf_puts(out, j->boolean ? "true" : "false");
		return;
	case JSON_NUMBER:
		buf_str(out, j->text);
		return;
	case JSON_STRING:
		quote(out, j->text, false);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	if (!j->child || level >= LEVEL_MAX) {
		buf_puts(out, object ? "{}" : "[]");
		return;
	}
	buf_puts(out, object ? "{\n" : "[\n");
	for (const struct json *v = j->child; v; v = v->next) {
		indent(out, level + 1);
		if (object) {
			quote(out, v->key, false);
			buf_puts(out, ": ");
		}
		json_value(out, v, level + 1);
		buf_puts(out, v->next ? ",\n" : "\n");
	}
	indent(out, level);
	buf_putc(out, object ? '}' : ']');
}

void show_json(struct buf *out, const struct json *j)
{
	json_value(out, j, 0);
	buf_putc(out, '\n');
}

/* Words that some version of YAML reads as null or bool, in any case. */
static bool is_reserved(struct str s)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (s.n == strlen(words[i]) && strncasecmp(s.p, words[i], s.n) == 0)
			return true;
	}
	return false;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Begins with a letter, which no number or time does, and has nothing that YAML gives a meaning. */
static bool is_plain(struct str s)
{
	if (s.n == 0 || (!is_letter(s.p[0]) && s.p[0] != '/') || is_reserved(s))
		return false;
	for (size_t i = 1; i < s.n; i++) {
		char c = s.p[i];
		bool inner = i + 1 < s.n;

		if (is_letter(c) || (c >= '0' && c <= '9') || strchr("-./+@%()$;", c))
			continue;
		if (c == ' ' && inner && s.p[i + 1] != '#')
			continue;
		if (c == ':' && inner && s.p[i + 1] != ' ')
			continue;
		return false;
	}
	return true;
}

static void yaml_string(struct buf *out, struct str s)
{
	if (is_plain(s))
		buf_str(out, s);
	else
		quote(out, s, true);
}

/* YAML 1.1 takes 1e5 for a string: it wants "1.0e+5". */
static void yaml_number(struct buf *out, struct str s)
{
	const char *e = s.n ? memchr(s.p, 'e', s.n) : NULL;

	if (!e && s.n)
		e = memchr(s.p, 'E', s.n);
	if (!e) {
		buf_str(out, s);
		return;
	}
	buf_add(out, s.p, (size_t)(e - s.p));
	if (!memchr(s.p, '.', (size_t)(e - s.p)))
		buf_puts(out, ".0");
	buf_putc(out, 'e');
	if (e + 1 < s.p + s.n && e[1] != '-' && e[1] != '+')
		buf_putc(out, '+');
	buf_add(out, e + 1, (size_t)(s.p + s.n - e - 1));
}

/* A value without children, and its line's end. */
static void yaml_leaf(struct buf *out, const struct json *j)
{
	switch (j->kind) {
	case JSON_NULL:
		buf_puts(out, "null");
		break;
	case JSON_BOOL:
		buf_puts(out, j->boolean ? "true" : "false");
		break;
	case JSON_NUMBER:
		yaml_number(out, j->text);
		break;
	case JSON_STRING:
		yaml_string(out, j->text);
		break;
	case JSON_ARRAY:
		buf_puts(out, "[]");
		break;
	case JSON_OBJECT:
		buf_puts(out, "{}");
		break;
	}
	buf_putc(out, '\n');
}

/* The members; the first one stands where the cursor is. */
static void yaml_members(struct buf *out, const struct json *j, int level)
{
	for (const struct json *v = j->child; v; v = v->next) {
		bool nested = v->child && level < LEVEL_MAX;

		if (v != j->child)
			indent(out, level);
		if (j->kind == JSON_ARRAY) {
			buf_puts(out, "- ");
			if (nested)
				yaml_members(out, v, level + 1);
			else
				yaml_leaf(out, v);
			continue;
		}
		yaml_string(out, v->key);
		buf_putc(out, ':');
		if (nested) {
			buf_putc(out, '\n');
			indent(out, level + 1);
			yaml_members(out, v, level + 1);
		} else {
			buf_putc(out, ' ');
			yaml_leaf(out, v);
		}
	}
}

void show_yaml(struct buf *out, const struct json *j)
{
	if (j->child)
		yaml_members(out, j, 0);
	else
		yaml_leaf(out, j);
}
