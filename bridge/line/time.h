/* time.h: the times that loggers write, to nanoseconds since 1970. Pure: what "now" is comes from
 * outside. */
#ifndef RB_LINE_TIME_H
#define RB_LINE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

/* RFC 3339, also with a blank for T, a comma in the fraction, and without a zone (then it is UTC);
 * or a number since 1970, whose size says whether of s, ms, µs or ns. */
bool line_time(struct str s, int64_t *ns);
/* The stamp of RFC 3164 that s begins with: "Oct 11 22:14:15", also with a year behind the day or
 * the time, or a fraction. Its bytes; 0 where there is none. Without a year it is the latest that
 * is not more than a day ahead of now_ns; UTC. *ns is 0 where now_ns is and the year is needed. */
size_t line_time_bsd(struct str s, int64_t now_ns, int64_t *ns);

#endif
