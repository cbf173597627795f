/* utf8.h: is this UTF-8, in the strict sense of RFC 3629? */
#ifndef RB_BASE_UTF8_H
#define RB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

#define UTF8_REPLACEMENT "\xEF\xBF\xBD"	/* U+FFFD */

/* Bytes of the character that begins at p (1 to 4), or 0 where none does: a stray or missing
 * continuation, an overlong form, a surrogate, or past U+10FFFF. n is at least 1. */
size_t utf8_char(const char *p, size_t n);
/* The number of bytes from the start that are valid; s.n where all are. */
size_t utf8_valid(struct str s);

#endif
