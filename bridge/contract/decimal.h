/* decimal.h: JSON numbers compared as they are written, at any size, without a double in between. */
#ifndef RB_CONTRACT_DECIMAL_H
#define RB_CONTRACT_DECIMAL_H

#include <stdbool.h>
#include "base/str.h"

/* -1, 0, 1 as a is less than, equal to, greater than b. Both are JSON numbers. */
int decimal_cmp(struct str a, struct str b);
/* Has it no fraction: 3, 3.0, 30e-1? */
bool decimal_is_whole(struct str s);

#endif
