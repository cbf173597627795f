/* auth_impl.h: what the files of auth/ share. Not for others. */
#ifndef RB_AUTH_AUTH_IMPL_H
#define RB_AUTH_AUTH_IMPL_H

#include <stdint.h>
#include "auth/auth.h"

#define AUTH_DIGEST 32 /* bytes of a SHA-256 */

struct auth {
	unsigned refs;
	const struct conf *conf;
};

/* SHA-256, and no copy of s stays behind. */
void auth_digest(struct str s, uint8_t out[AUTH_DIGEST]);

#endif
