/* units.h: durations "500ms 10s 5m 2h 30d" and sizes "64KiB 8MiB 1GiB 512B" in configuration. */
#ifndef RB_BASE_UNITS_H
#define RB_BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

#define UNITS_TEXT_MAX 32

/* Also sums, from large to small ("1h30m"), and "0". False: not a duration, or over 100 years. */
bool units_parse_duration(struct str s, int64_t *ms);
/* A plain number is bytes. False: not a size, or over 2^53. */
bool units_parse_size(struct str s, int64_t *bytes);
/* The largest single unit that parses back to the same: 90000 -> "90s", 5400000 -> "90m". */
void units_format_duration(int64_t ms, char out[UNITS_TEXT_MAX]);
void units_format_size(int64_t bytes, char out[UNITS_TEXT_MAX]);

#endif
