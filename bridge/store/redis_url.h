/* redis_url.h: where Redis is, as one text.
 *
 *   redis://[[user]:password@]host[:port][/database]     unix:/path
 *
 * User and password may hold %XX. The texts of a struct redis_url live in its arena and are NUL-terminated.
 */
#ifndef RB_STORE_REDIS_URL_H
#define RB_STORE_REDIS_URL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct redis_url {
	struct arena arena;
	struct str path;	/* of the unix socket; "" for TCP */
	struct str host;	/* a name, an IPv4 or an IPv6 address without brackets */
	struct str port;
	struct str user;	/* "" for Redis's default user */
	struct str password;	/* "" for none */
	struct str database;	/* digits; "" for none, that is 0 */
	struct str shown;	/* for people: the address without the password */
};

/* ERR_INPUT names what is wrong. u is to be released in either case. */
int redis_url_parse(struct redis_url *u, struct str text, struct err *e);
void redis_url_release(struct redis_url *u);

#endif
