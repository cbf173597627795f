/* clock.h: time of day and time that only goes forward; RFC 3339 both ways.
 *
 * Decisions use Redis's clock (see store/); this one is for logs, timeouts of
 * sockets and children, and for parsing what senders write.
 */
#ifndef RB_BASE_CLOCK_H
#define RB_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/str.h"

#define CLOCK_RFC3339_MAX 36

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_mono_ns(void);

/* RFC 3339 with any offset and up to 9 digits of fraction (more are cut), to nanoseconds
 * since 1970. Years before 1678 or after 2261 give false, but for year 1
 * ("0001-01-01T00:00:00Z", Go's zero time), which gives *ns = 0. */
bool clock_parse_rfc3339(struct str s, int64_t *ns);
/* "2026-11-22T19:19:32.624Z": UTC, milliseconds. */
void clock_format_ms(int64_t ms, char out[CLOCK_RFC3339_MAX]);
/* The same with as many digits as ns needs (3, 6 or 9). */
void clock_format_ns(int64_t ns, char out[CLOCK_RFC3339_MAX]);

#endif
