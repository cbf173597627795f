/* regex_classes.h: a regex's text without what PCRE2's JIT compiler gets wrong. For rule and
 * contract, who know PCRE2. Pure.
 */
#ifndef RB_BASE_REGEX_CLASSES_H
#define RB_BASE_REGEX_CLASSES_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/str.h"

/* regex: one that PCRE2 takes. Appends one that means the same. False: the text is not understood
 * (or no memory); then it is right without JIT. */
bool regex_classes(struct str regex, struct buf *out);

#endif
