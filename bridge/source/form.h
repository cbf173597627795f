/* form.h: application/x-www-form-urlencoded, as the URL Standard of the WHATWG reads it. */
#ifndef RB_SOURCE_FORM_H
#define RB_SOURCE_FORM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* name=value&name=value, "+" a space, %XX a byte (a "%" without two hex digits stands for itself),
 * in order, in a. Names and values are any bytes but must be UTF-8 where they are texts of an
 * event: ERR_INPUT with the offset of the pair. ERR_LIMIT: more than SOURCE_PAIRS_LIMIT pairs. */
int form_decode(struct arena *a, struct str bytes, struct kv **out, size_t *n, struct err *e);
/* The value of the last pair of that name; STR_NONE where there is none. */
struct str form_get(const struct kv *pairs, size_t n, const char *name);

#endif
