/* access.c: pure decisions about addresses and headers; the dispatcher in request.c asks them.
 *
 * Errs on the side of no: what cannot be read as a host is not ours, an Origin without "://" is
 * nobody's.
 */
#include "http/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

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
