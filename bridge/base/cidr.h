/* cidr.h: addresses of the internet, and ranges of them. Pure.
 *
 * An address is 16 bytes: IPv6, or IPv4 as IPv6 maps it (::ffff:a.b.c.d), so that it is the same one however it came.
 * A range is of one family: ::/0 holds no IPv4 address.
 */
#ifndef RB_BASE_CIDR_H
#define RB_BASE_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

#define CIDR_ADDRESS 16	/* bytes */
#define CIDR_TEXT_MAX 46	/* bytes of an address as text, with the NUL */

struct cidr {
	unsigned char address[CIDR_ADDRESS];
	unsigned bits;	/* of the 128 that count */
};

/* "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1". */
bool cidr_parse_address(struct str s, unsigned char out[CIDR_ADDRESS]);
/* "10.0.0.0/8", "2001:db8::/32", or one address. Bits behind the prefix do not count. */
bool cidr_parse(struct str s, struct cidr *out);
bool cidr_has(const struct cidr *c, const unsigned char address[CIDR_ADDRESS]);
/* In any of n ranges? */
bool cidr_any(const struct cidr *v, size_t n, const unsigned char address[CIDR_ADDRESS]);
/* As people write it: 10.0.0.1, 2001:db8::1. */
void cidr_format_address(const unsigned char address[CIDR_ADDRESS], char out[CIDR_TEXT_MAX]);

#endif
