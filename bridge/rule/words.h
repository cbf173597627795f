/* words.h: the lexical part that matchers and templates share. For this folder only. */
#ifndef RB_RULE_WORDS_H
#define RB_RULE_WORDS_H

#include <stdbool.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct cursor {
	struct str text;
	size_t at;
};

/* ERR_INPUT at a byte of the text; returns -1. */
int cursor_fail(struct err *e, size_t offset, const char *what);
bool words_is_blank(char c);
/* Bytes of the blank at s[i], of ASCII's and Unicode's; 0 where there is none. */
size_t words_space(struct str s, size_t i);
void cursor_skip_blanks(struct cursor *c);
bool cursor_at_end(const struct cursor *c);
/* The byte at the cursor; NUL at the end. */
char cursor_peek(const struct cursor *c);
/* Does what come next? */
bool cursor_sees(const struct cursor *c, const char *what);
/* The cursor is at a double quote: reads to the one that closes it, as templates do: \" \\ and \n are escapes and every
 * other backslash is itself. *out is in a. */
int cursor_quoted(struct cursor *c, struct arena *a, struct str *out, struct err *e);

#endif
