/* import_text.c: quoting for the importers: sh, YAML, matchers, templates, regexes.
 *
 * The texts come from the other program's configuration, and may hold anything that YAML or JSON
 * can. What is made of them is one word, one scalar, one comment or one matcher, whatever is in it.
 */
#include "cli/import.h"

#include <string.h>
#include "base/utf8.h"
#include "rule/matcher.h"

#define COMMENT_WIDTH 110
#define MATCH_LIMIT 1000000

struct str import_short(struct arena *a, struct str s)
{
	size_t n = 0;

	if (s.n <= IMPORT_SHORT_LIMIT)
		return s;
	while (n < IMPORT_SHORT_LIMIT) {
		size_t one = utf8_char(s.p + n, s.n - n);
		n += one ? one : 1;
	}
	return import_cat(a, (struct str){s.p, n}, STR("…"), STR_NONE);
}

void import_sh(struct buf *out, struct str s)
{
	buf_putc(out, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, s.p[i]);
	}
	buf_putc(out, '\'');
}

/* Bytes of the character at s[i], and itself; a byte that is no UTF-8 is U+FFFD. */
static size_t next_char(struct str s, size_t i, unsigned long *c)
{
	size_t n = utf8_char(s.p + i, s.n - i);

	if (n == 0) {
		*c = 0xfffd;
		return 1;
	}
	*c = term_decode(s.p + i, n);
	return n;
}

/* What a reader of YAML takes for a line's end, does not take at all, or people cannot see. */
static bool is_special(unsigned long c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || term_must_escape(c) || c == 0x2028 ||
	       c == 0x2029 || c == 0xfeff || (c & 0xfffe) == 0xfffe;
}

static bool has_special(struct str s)
{
	unsigned long c;

	for (size_t i = 0; i < s.n;) {
		i += next_char(s, i, &c);
		if (is_special(c) || c == 0xfffd)
			return true;
	}
	return false;
}

static void put_escape(struct buf *out, unsigned long c)
{
	if (c < 0x100)
		buf_printf(out, "\\x%02lx", c);
	else if (c < 0x10000)
		buf_printf(out, "\\u%04lx", c);
	else
		buf_printf(out, "\\U%08lx", c);
}

static void put_double(struct buf *out, struct str s)
{
	unsigned long c;

	buf_putc(out, '"');
	for (size_t i = 0; i < s.n;) {
		size_t n = next_char(s, i, &c);
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", (char)c);
		else if (c == '\n')
			buf_puts(out, "\\n");
		else if (is_special(c) || c == 0xfffd)
			put_escape(out, c);
		else
			buf_add(out, s.p + i, n);
		i += n;
	}
	buf_putc(out, '"');
}

void import_yaml(struct buf *out, struct str s)
{
	if (has_special(s)) {
		put_double(out, s);
		return;
	}
	buf_putc(out, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\'')
			buf_putc(out, '\'');
		buf_putc(out, s.p[i]);
	}
	buf_putc(out, '\'');
}

/* Words as they fit; a line feed is a line's end here, too, and other such characters are shown. */
void import_comment(struct buf *out, const char *before, struct str text)
{
	struct buf b;
	size_t column = 0;

	buf_init(&b, BUF_NO_LIMIT);
	term_escape(&b, text);
	for (size_t i = 0; i < b.n;) {
		size_t n = 0;
		while (i + n < b.n && b.p[i + n] != ' ')
			n++;
		if (column == 0 || column + 1 + n > COMMENT_WIDTH) {
			buf_printf(out, "%s%s", column ? "\n" : "", before);
			column = strlen(before);
		} else {
			buf_putc(out, ' ');
			column++;
		}
		buf_add(out, b.p + i, n);
		column += n;
		i += n + (i + n < b.n);
	}
	if (column)
		buf_putc(out, '\n');
	buf_release(&b);
}

/* ---- matchers and templates ---- */

static struct str taken(struct arena *a, struct buf *b)
{
	struct str s = arena_strdup(a, buf_as_str(b));

	buf_release(b);
	return s;
}

/* In double quotes, where \" \\ and \n are escapes in matchers and templates alike. */
static void put_quoted(struct buf *out, struct str s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			buf_puts(out, "\\n");
		else if (s.p[i] == '"' || s.p[i] == '\\')
			buf_printf(out, "\\%c", s.p[i]);
		else
			buf_putc(out, s.p[i]);
	}
	buf_putc(out, '"');
}

struct str import_matcher(struct arena *a, struct str left, const char *op, struct str value)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_str(&b, left);
	buf_printf(&b, " %s ", op);
	put_quoted(&b, value);
	return taken(a, &b);
}

static bool is_plain(struct str s, const char *more)
{
	if (s.n == 0 || (s.p[0] >= '0' && s.p[0] <= '9' && !*more))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_' || (c && strchr(more, c))))
			return false;
	}
	return true;
}

struct str import_label(struct arena *a, struct str name)
{
	struct buf b;

	if (name.n == 0 || is_plain(name, ""))
		return name;
	buf_init(&b, BUF_NO_LIMIT);
	put_quoted(&b, name);
	return taken(a, &b);
}

struct str import_field(struct arena *a, const char *prefix, struct str path)
{
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '.' && (i + 1 == path.n || path.p[i + 1] == '.'))
			return STR_NONE;
	if (!is_plain(path, "-./@#$") || path.p[0] == '.')
		return STR_NONE;
	return import_cat(a, str_of(prefix), STR("."), path);
}

struct str import_template(
	struct arena *a, const char *root, struct str path, bool dotted, const char *filters)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_printf(&b, "{{ %s", root);
	for (size_t i = 0; i <= path.n;) {
		const char *dot = dotted && i < path.n ? memchr(path.p + i, '.', path.n - i) : NULL;
		struct str part = {path.p + i, dot ? (size_t)(dot - path.p) - i : path.n - i};
		buf_putc(&b, '.');
		if (is_plain(part, "-"))
			buf_str(&b, part);
		else
			put_quoted(&b, part);
		i += part.n + 1;
	}
	buf_printf(&b, "%s%s }}", *filters ? " " : "", filters);
	return taken(a, &b);
}

/* ---- regexes ---- */

/* Unanchored in Go, anchored at both ends here. Where it is plain to see that it has its own
 * anchors, they are taken off; else something may be before and behind it. Our dot takes a line
 * feed, Go's does not. */
struct str import_regex(struct arena *a, struct str go)
{
	if (go.n == 0)
		return STR(".*");
	bool either = memchr(go.p, '|', go.n) != NULL;
	bool dot = false, start, end;
	size_t escapes = 0;

	for (size_t i = 0; i < go.n; i++) {
		if (go.p[i] == '\\')
			i++;
		else if (go.p[i] == '.')
			dot = true;
	}
	start = !either && go.p[0] == '^';
	end = !either && go.n > start && go.p[go.n - 1] == '$';
	while (end && go.n >= 2 + escapes && go.p[go.n - 2 - escapes] == '\\')
		escapes++;
	if (escapes % 2)
		end = false;
	struct str core = {go.p + start, go.n - start - end};
	if (start && end && !dot)
		return core;
	return arena_printf(a, "%s%s%.*s)%s", start ? "" : ".*", dot ? "(?-s:" : "(?:", STR_ARG(core),
		end ? "" : ".*");
}

const char *import_regex_differs(struct str go)
{
	for (size_t i = 0; i + 1 < go.n; i++) {
		if (go.p[i] != '\\')
			continue;
		switch (go.p[++i]) {
		case 'v':
			return "\\v is the vertical tab in Go and any vertical white space in PCRE2";
		case 's':
		case 'S':
			return "\\s takes a vertical tab in PCRE2, and not in Go";
		case 'C':
			return "\\C (any byte) is not taken by runbookd";
		default:
			break;
		}
	}
	return NULL;
}

static bool try_regex(struct arena *a, struct str ours, bool *empty)
{
	struct str text = import_matcher(a, STR("x"), "=~", ours);
	struct matcher_scratch *s = matcher_scratch_new(MATCH_LIMIT);
	struct matchers m = {0};
	const struct event none = {0};
	struct err e;
	bool ok = s && text.p && matchers_parse(a, text, &m, &e) == 0;

	*empty = ok && matchers_eval(&m, s, a, &none, NULL, &e) == 1;
	if (ok)
		matchers_release(&m);
	matcher_scratch_free(s);
	return ok;
}

bool import_regex_ok(struct arena *a, struct str ours)
{
	bool empty;

	return try_regex(a, ours, &empty);
}

bool import_regex_empty(struct arena *a, struct str ours)
{
	bool empty;

	return try_regex(a, ours, &empty) && empty;
}
