/* term.c: the gate between texts of others and the terminal.
 *
 * Owns the decision what is shown as it is: printable characters of valid UTF-8. Everything that could
 * move the cursor, change colours or titles, reorder or hide text is written as an escape that one can
 * read. term_escape's result is one line, always. Widths are wcwidth's in the C.UTF-8 locale, whatever
 * the user's locale is, so that tables align on any terminal that shows UTF-8.
 */
#include "cli/term.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include "base/utf8.h"

static int columns(void)
{
	const char *env = getenv("COLUMNS");
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col)
		return w.ws_col;
	if (env) {
		long n = strtol(env, NULL, 10);

		if (n >= 20 && n <= 10000)
			return (int)n;
	}
	return 80;
}

void term_init(struct term *t)
{
	const char *none = getenv("NO_COLOR");
	const char *kind = getenv("TERM");

	setlocale(LC_CTYPE, "C.UTF-8");
	t->is_terminal = isatty(STDOUT_FILENO);
	t->colour = t->is_terminal && !(none && *none) && !(kind && strcmp(kind, "dumb") == 0);
	t->width = t->is_terminal ? columns() : 0;
}

unsigned long term_decode(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	unsigned long c;

	if (n == 1)
		return u[0];
	c = u[0] & (n == 2 ? 0x1f : n == 3 ? 0x0f : 0x07);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (u[i] & 0x3f);
	return c;
}

bool term_must_escape(unsigned long c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ||	/* C0, DEL, C1 */
		c == 0xad || c == 0x61c || c == 0x180e ||	/* soft hyphen, marks of direction */
		(c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		(c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
		(c & 0xfffe) == 0xfffe || (c >= 0xe0000 && c <= 0xe0fff);
}

static void escape_char(struct buf *out, unsigned long c)
{
	if (c == '\n')
		buf_puts(out, "\\n");
	else if (c == '\t')
		buf_puts(out, "\\t");
	else if (c == '\r')
		buf_puts(out, "\\r");
	else if (c < 0x80)
		buf_printf(out, "\\x%02lx", c);
	else if (c < 0x10000)
		buf_printf(out, "\\u%04lx", c);
	else
		buf_printf(out, "\\U%08lx", c);
}

static void escape(struct buf *out, struct str s, bool lines)
{
	size_t i = 0;

	while (i < s.n) {
		size_t n = utf8_char(s.p + i, s.n - i);
		unsigned long c = n ? term_decode(s.p + i, n) : 0;

		if (n == 0) {
			buf_printf(out, "\\x%02x", (unsigned char)s.p[i]);
			i++;
			continue;
		}
		if (lines && (c == '\n' || c == '\t'))
			buf_putc(out, (char)c);
		else if (lines && c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
			;
		else if (term_must_escape(c))
			escape_char(out, c);
		else
			buf_add(out, s.p + i, n);
		i += n;
	}
}

void term_escape(struct buf *out, struct str s)
{
	escape(out, s, false);
}

void term_escape_lines(struct buf *out, struct str s)
{
	escape(out, s, true);
}

size_t term_incomplete(struct str s)
{
	if (s.n && s.p[s.n - 1] == '\r')
		return 1;
	for (size_t back = 1; back <= 3 && back <= s.n; back++) {
		unsigned char c = (unsigned char)s.p[s.n - back];
		size_t needs = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

		if ((c & 0xc0) != 0x80)
			return needs > back ? back : 0;
	}
	return 0;
}

static int char_width(struct str s, size_t *n)
{
	int w;

	*n = utf8_char(s.p, s.n);
	if (*n == 0) {
		*n = 1;
		return 1;
	}
	if (*n == 1)
		return 1;
	w = wcwidth((wchar_t)term_decode(s.p, *n));
	return w < 0 ? 1 : w;
}

struct str term_fit(struct str s, int width, int *took)
{
	struct str rest = s;
	int sum = 0;

	while (rest.n) {
		size_t n;
		int w = char_width(rest, &n);

		if (sum + w > width)
			break;
		sum += w;
		rest = (struct str){rest.p + n, rest.n - n};
	}
	*took = sum;
	return (struct str){s.p, s.n - rest.n};
}

int term_width(struct str s)
{
	int took;

	term_fit(s, 1 << 30, &took);
	return took;
}

static const char *const style_codes[] = {
	[STYLE_PLAIN] = "",
	[STYLE_BOLD] = "1",
	[STYLE_DIM] = "2",
	[STYLE_RED] = "31",
	[STYLE_RED_BOLD] = "1;31",
	[STYLE_YELLOW] = "33",
	[STYLE_GREEN] = "32",
	[STYLE_CYAN] = "36",
};

void term_style_on(const struct term *t, struct buf *out, enum style style)
{
	if (t->colour && style != STYLE_PLAIN)
		buf_printf(out, "\x1b[%sm", style_codes[style]);
}

void term_style_off(const struct term *t, struct buf *out, enum style style)
{
	if (t->colour && style != STYLE_PLAIN)
		buf_puts(out, "\x1b[0m");
}

void term_styled(const struct term *t, struct buf *out, enum style style, struct str s)
{
	term_style_on(t, out, style);
	buf_str(out, s);
	term_style_off(t, out, style);
}

enum style term_style_of(struct str word)
{
	static const struct {
		const char *word;
		enum style style;
	} styles[] = {
		{"critical", STYLE_RED_BOLD},
		{"error", STYLE_RED},
		{"warning", STYLE_YELLOW},
		{"info", STYLE_CYAN},
		{"open", STYLE_RED},
		{"firing", STYLE_RED},
		{"resolved", STYLE_GREEN},
		{"closed", STYLE_DIM},
		{"queued", STYLE_YELLOW},
		{"approval", STYLE_YELLOW},
		{"running", STYLE_CYAN},
		{"succeeded", STYLE_GREEN},
		{"failed", STYLE_RED},
		{"timed_out", STYLE_RED},
		{"cancelled", STYLE_DIM},
		{"rejected", STYLE_YELLOW},
		{"lost", STYLE_RED_BOLD},
		{"pending", STYLE_YELLOW},
		{"limit", STYLE_YELLOW},
		{"duplicate", STYLE_DIM},
		{"cooldown", STYLE_DIM},
		{"dry_run", STYLE_DIM},
	};

	for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
		if (str_is(word, styles[i].word))
			return styles[i].style;
	}
	return STYLE_PLAIN;
}
