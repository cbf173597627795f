/* access.h: who may ask, while there are no tokens: this machine, and no web page that it shows.
 *
 * Without tokens the API trusts whoever reaches it over loopback or a unix socket. A browser on
 * this machine does, too, on behalf of any page it shows; what gives that away are its Origin and
 * Host headers.
 */
#ifndef RB_HTTP_ACCESS_H
#define RB_HTTP_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

/* Host header: is it a name that only means us: localhost, an IP address, one of `listed`, or none
 * at all? Any other name may be one that a stranger's DNS points here. Ports are not looked at. */
bool access_host_is_ours(struct str host, const struct str *listed, size_t n);
/* Origin header ("https://host:port", "null"): is it the page of `host`, the request's own Host
 * header? */
bool access_origin_is_host(struct str origin, struct str host);

#endif
