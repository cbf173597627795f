/* auth_impl.h: what the files of auth/ share. Not for others. */
#ifndef RB_AUTH_AUTH_IMPL_H
#define RB_AUTH_AUTH_IMPL_H

#include <nettle/sha2.h>
#include <stdint.h>
#include "auth/auth.h"
#include "auth/signature.h"
#include "base/buf.h"
#include "base/cidr.h"

#define AUTH_DIGEST 32 /* bytes of a SHA-256 */

/* `auth` of one source. */
struct source_auth {
	const struct conf_source *conf;
	struct cidr *allow;
	size_t allow_n;
	uint8_t (*digests)[AUTH_DIGEST]; /* of bearer and basic: what is to be shown */
	size_t digests_n;
	struct signing *signing; /* of those that sign; NULL */
};

struct auth {
	unsigned refs;
	const struct conf *conf;
	struct cidr *proxies;
	size_t proxies_n;
	bool unix_is_proxy;
	struct source_auth *sources; /* only those that have an auth */
	size_t sources_n;
	uint8_t secrets[AUTH_DIGEST]; /* of all that was read from secrets' files */
};

/* What a load has in hand. */
struct auth_load {
	struct auth *auth;
	struct diags *d;
	struct sha256_ctx secrets;
};

/* SHA-256, and no copy of s stays behind. */
void auth_digest(struct str s, uint8_t out[AUTH_DIGEST]);
/* The same of user, a colon and password. */
void auth_digest_basic(struct str user, struct str password, uint8_t out[AUTH_DIGEST]);

/* source_auth.c: reads what s->conf names; findings in l. */
void source_auth_load(struct auth_load *l, struct source_auth *s);
void source_auth_release(struct source_auth *s);

#endif
