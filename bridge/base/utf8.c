/* utf8.c: the table of RFC 3629, section 4, as code. Pure; eight ASCII bytes at a time, for
 * most of what comes in is ASCII and all of it is checked. */
#include "base/utf8.h"

#include <stdint.h>

static bool is_tail(unsigned char c)
{
	return (c & 0xC0) == 0x80;
}

static size_t three(const unsigned char *u)
{
	unsigned char low = u[0] == 0xE0 ? 0xA0 : 0x80;
	unsigned char high = u[0] == 0xED ? 0x9F : 0xBF;
	return u[1] >= low && u[1] <= high && is_tail(u[2]) ? 3 : 0;
}

static size_t four(const unsigned char *u)
{
	unsigned char low = u[0] == 0xF0 ? 0x90 : 0x80;
	unsigned char high = u[0] == 0xF4 ? 0x8F : 0xBF;
	return u[1] >= low && u[1] <= high && is_tail(u[2]) && is_tail(u[3]) ? 4 : 0;
}

size_t utf8_char(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xC2 && u[0] <= 0xDF)
		return n >= 2 && is_tail(u[1]) ? 2 : 0;
	if ((u[0] & 0xF0) == 0xE0)
		return n >= 3 ? three(u) : 0;
	if (u[0] >= 0xF0 && u[0] <= 0xF4)
		return n >= 4 ? four(u) : 0;
	return 0;
}

static size_t skip_ascii(struct str s, size_t i)
{
	for (uint64_t eight; s.n - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, s.p + i, sizeof(eight));
		if (eight & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < s.n && !(s.p[i] & 0x80))
		i++;
	return i;
}

size_t utf8_valid(struct str s)
{
	size_t i = skip_ascii(s, 0);
	while (i < s.n) {
		size_t len = utf8_char(s.p + i, s.n - i);
		if (len == 0)
			return i;
		i = skip_ascii(s, i + len);
	}
	return i;
}
