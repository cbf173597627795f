/* term.h: what may be shown on a terminal, how wide it is, and in which colour.
 *
 * Text that came over the network is never written raw: control characters, bytes that are no UTF-8 and
 * characters that reorder or hide text become visible escapes ("\x1b", "\u202e").
 */
#ifndef RB_CLI_TERM_H
#define RB_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/str.h"

struct term {
	bool is_terminal;
	bool colour;
	int width;		/* columns; 0 without limit */
};

enum style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_RED,
	STYLE_RED_BOLD,
	STYLE_YELLOW,
	STYLE_GREEN,
	STYLE_CYAN,
};

/* Looks at standard output, COLUMNS, TERM and NO_COLOR. */
void term_init(struct term *t);

/* Appends s as one line: a newline is shown as \n, a tab as \t. */
void term_escape(struct buf *out, struct str s);
/* Appends s as lines: \n stays, \t stays, \r before \n goes. */
void term_escape_lines(struct buf *out, struct str s);
/* Bytes at the end of s (0 to 3) that must wait for more: a started character, or a \r. */
size_t term_incomplete(struct str s);
/* Is this character shown as an escape? */
bool term_must_escape(unsigned long c);
/* The character at p, n its bytes from utf8_char. */
unsigned long term_decode(const char *p, size_t n);

/* Columns that escaped text takes. */
int term_width(struct str s);
/* The longest start of escaped text that fits into `width` columns, its columns in *took. */
struct str term_fit(struct str s, int width, int *took);

/* Appends escaped text in a style, where t shows colours. */
void term_styled(const struct term *t, struct buf *out, enum style style, struct str s);
void term_style_on(const struct term *t, struct buf *out, enum style style);
void term_style_off(const struct term *t, struct buf *out, enum style style);
/* critical, warning, …; and open, firing, failed, …: any of the API's words. */
enum style term_style_of(struct str word);

#endif
