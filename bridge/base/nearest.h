/* nearest.h: "did you mean": the known name that is least far from a mistyped one. */
#ifndef RB_BASE_NEAREST_H
#define RB_BASE_NEAREST_H

#include <stddef.h>
#include "base/str.h"

/* The nearest of n names by edit distance, or NULL when none is within a third of its length (at least 2). */
const char *nearest(struct str typed, const char *const *names, size_t n);

#endif
