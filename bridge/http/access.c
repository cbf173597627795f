/* access.c: pure decisions about addresses and headers; the dispatcher in request.c asks them.
 *
 * Errs on the side of no: what cannot be read as a host is not ours, an Origin without "://" is
 * nobody's.
 */
#include "http/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

#define BLANKS " \t"

bool access_is_loopback(const unsigned char address[CIDR_ADDRESS])
{
	static const unsigned char one[CIDR_ADDRESS] = {[15] = 1}, mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(address, one, sizeof(one)) == 0 ||
	       (memcmp(address, mapped, sizeof(mapped)) == 0 && address[12] == 127);
}

/* "host:port", "[v6]:port", "host" -> host without brackets. */
static struct str without_port(struct str s)
{
	const char *p;

	if (s.n && s.p[0] == '[') {
		p = memchr(s.p, ']', s.n);
		return p ? (struct str){s.p + 1, (size_t)(p - s.p) - 1} : STR_NONE;
	}
	p = s.n ? memchr(s.p, ':', s.n) : NULL;
	return p ? (struct str){s.p, (size_t)(p - s.p)} : s;
}

static bool same_name(struct str a, struct str b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static bool is_address(struct str host)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[sizeof(struct in6_addr)];

	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

bool access_host_is_ours(struct str host, const struct str *listed, size_t n)
{
	struct str name = without_port(host);

	if (host.n == 0)
		return true;
	if (name.n == 0)
		return false;
	if (same_name(name, STR("localhost")) || is_address(name))
		return true;
	for (size_t i = 0; i < n; i++) {
		if (same_name(name, listed[i]))
			return true;
	}
	return false;
}

bool access_origin_is_host(struct str origin, struct str host)
{
	const char *p = origin.n ? memmem(origin.p, origin.n, "://", 3) : NULL;
	struct str rest;

	if (!p || host.n == 0)
		return false;
	rest = (struct str){p + 3, origin.n - (size_t)(p + 3 - origin.p)};
	return same_name(rest, host);
}

/* ---- what proxies say of whom they speak for ---- */

void access_chain_add(struct access_chain *c, struct str entry)
{
	unsigned char address[CIDR_ADDRESS];
	struct str host = entry;
	const char *colon = host.n ? memchr(host.p, ':', host.n) : NULL;

	/* Of an IPv6 address without brackets each colon is its own. */
	if (host.n && (host.p[0] == '[' || (colon && colon == memrchr(host.p, ':', host.n))))
		host = without_port(host);
	if (++c->entries > ACCESS_CHAIN_MAX || !cidr_parse_address(host, address)) {
		c->last = ACCESS_UNKNOWN;
		return;
	}
	if (c->last == ACCESS_NOBODY || !c->trusted(c->ctx, address)) {
		c->last = ACCESS_KNOWN;
		memcpy(c->address, address, sizeof(c->address));
	}
}

/* Up to `end` that is not in quotes; *rest is what follows it. False: a quote in it does not end. */
static bool part(struct str s, char end, struct str *out, struct str *rest)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < s.n && (quoted || s.p[i] != end); i++) {
		if (quoted && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
	}
	*rest = i < s.n ? (struct str){s.p + i + 1, s.n - i - 1} : STR_NONE;
	*out = str_trim((struct str){s.p, i}, BLANKS);
	return !quoted;
}

void access_chain_forwarded_for(struct access_chain *c, struct str value)
{
	while (value.n) {
		const char *comma = memchr(value.p, ',', value.n);
		size_t n = comma ? (size_t)(comma - value.p) : value.n;
		struct str entry = str_trim((struct str){value.p, n}, BLANKS);

		if (entry.n)
			access_chain_add(c, entry);
		n += comma != NULL;
		value = (struct str){value.p + n, value.n - n};
	}
}

static struct str unquoted(struct str s)
{
	return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' ? (struct str){s.p + 1, s.n - 2} : s;
}

/* for=192.0.2.60;proto=http. One without `for` is of nobody known. */
static struct str node_of(struct str element)
{
	struct str pair;

	while (element.n && part(element, ';', &pair, &element)) {
		if (pair.n > 4 && strncasecmp(pair.p, "for=", 4) == 0)
			return unquoted((struct str){pair.p + 4, pair.n - 4});
	}
	return STR_NONE;
}

void access_chain_forwarded(struct access_chain *c, struct str value)
{
	struct str element;

	while (value.n) {
		/* A quote that does not end swallowed what the proxies behind it wrote. */
		bool whole = part(value, ',', &element, &value);

		if (element.n)
			access_chain_add(c, whole ? node_of(element) : STR_NONE);
	}
}
