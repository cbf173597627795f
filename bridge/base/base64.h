/* base64.h: base64 of RFC 4648 (nettle), with padding. */
#ifndef RB_BASE_BASE64_H
#define RB_BASE_BASE64_H

#include <stdbool.h>
#include "base/arena.h"
#include "base/str.h"

/* In a; false where s is none (blanks between are taken), or no memory (arena_failed). */
bool base64_decode(struct arena *a, struct str s, struct str *out);
/* STR_NONE: no memory. */
struct str base64_encode(struct arena *a, struct str s);

#endif
