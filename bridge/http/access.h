/* access.h: who may ask, while there are no tokens: this machine, and no web page that it shows; and whom a
 * proxy speaks for.
 *
 * Without tokens the API trusts whoever reaches it over loopback or a unix socket. A browser on
 * this machine does, too, on behalf of any page it shows; what gives that away are its Origin and
 * Host headers.
 */
#ifndef RB_HTTP_ACCESS_H
#define RB_HTTP_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/cidr.h"
#include "base/str.h"

/* 127.0.0.0/8 or ::1, in the bytes of base/cidr.h. */
bool access_is_loopback(const unsigned char address[CIDR_ADDRESS]);
/* Host header: is it a name that only means us: localhost, an IP address, one of `listed`, or none
 * at all? Any other name may be one that a stranger's DNS points here. Ports are not looked at. */
bool access_host_is_ours(struct str host, const struct str *listed, size_t n);
/* Origin header ("https://host:port", "null"): is it the page of `host`, the request's own Host
 * header? */
bool access_origin_is_host(struct str origin, struct str host);

#define ACCESS_CHAIN_MAX 64 /* entries; of a longer chain the client is not known */

/* Whom a chain of proxies speaks for: entries in the order of a header's lines, each from left to right, the
 * nearest one last. The last that is no trusted proxy is the client; where all are, the first. What stands
 * before that one, anybody may have written. */
struct access_chain {
	bool (*trusted)(const void *ctx, const unsigned char *address);
	const void *ctx;
	size_t entries;
	enum {
		ACCESS_NOBODY,	/* there was no entry */
		ACCESS_UNKNOWN, /* the client is no address: "unknown", "_hidden", or no text for one */
		ACCESS_KNOWN,
	} last;
	unsigned char address[CIDR_ADDRESS];	/* of ACCESS_KNOWN */
};

/* An address, perhaps with a port, IPv6 perhaps in brackets. */
void access_chain_add(struct access_chain *c, struct str entry);
/* One line of X-Forwarded-For. */
void access_chain_forwarded_for(struct access_chain *c, struct str value);
/* One line of Forwarded (RFC 7239): its for=. */
void access_chain_forwarded(struct access_chain *c, struct str value);

#endif
