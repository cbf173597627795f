/* cidr.c: is this address in that range?
 *
 * Both families are compared as 128 bits; what keeps them apart is that a range of IPv4 has its 96
 * bits of ::ffff:0:0 fixed, and a range of IPv6 with fewer never takes an address that has them.
 * No names, no scopes ("%eth0"), no short forms of IPv4 ("10.1").
 */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define MAPPED_BITS 96

_Static_assert(CIDR_TEXT_MAX == INET6_ADDRSTRLEN, "an address as text");

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_mapped(const unsigned char address[CIDR_ADDRESS])
{
	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

/* False: it is neither. six: as an address of IPv6 it was written. */
static bool parse(struct str s, unsigned char out[CIDR_ADDRESS], bool *six)
{
	char text[CIDR_TEXT_MAX];

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*six = strchr(text, ':') != NULL;
	if (*six)
		return inet_pton(AF_INET6, text, out) == 1;
	memcpy(out, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, out + sizeof(mapped)) == 1;
}

bool cidr_parse_address(struct str s, unsigned char out[CIDR_ADDRESS])
{
	bool six;

	return parse(s, out, &six);
}

/* 0 to most, without sign or zeroes before it. */
static bool parse_bits(struct str s, unsigned most, unsigned *out)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 3 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	*out = v;
	return v <= most;
}

bool cidr_parse(struct str s, struct cidr *out)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	struct str address = {s.p, slash ? (size_t)(slash - s.p) : s.n};
	bool six;

	if (!parse(address, out->address, &six))
		return false;
	out->bits = CIDR_ADDRESS * 8;
	if (!slash)
		return true;
	s = (struct str){slash + 1, s.n - address.n - 1};
	if (!parse_bits(s, six ? 128 : 32, &out->bits))
		return false;
	if (!six)
		out->bits += MAPPED_BITS;
	return true;
}

bool cidr_has(const struct cidr *c, const unsigned char address[CIDR_ADDRESS])
{
	size_t whole = c->bits / 8;
	unsigned rest = c->bits % 8;

	if (is_mapped(address) && c->bits < MAPPED_BITS)
		return false;
	if (memcmp(c->address, address, whole) != 0)
		return false;
	return rest == 0 || (c->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool cidr_any(const struct cidr *v, size_t n, const unsigned char address[CIDR_ADDRESS])
{
	for (size_t i = 0; i < n; i++) {
		if (cidr_has(&v[i], address))
			return true;
	}
	return false;
}

void cidr_format_address(const unsigned char address[CIDR_ADDRESS], char out[CIDR_TEXT_MAX])
{
	bool four = is_mapped(address);

	inet_ntop(four ? AF_INET : AF_INET6, address + (four ? sizeof(mapped) : 0), out,
		CIDR_TEXT_MAX);
}
