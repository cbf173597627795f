/* source_auth.h: what one source asks of those who send to it. Immutable, a part of struct auth.
 *
 * The order: source_auth_takes (where from), then by kind: source_auth_credentials or source_auth_names, which decide
 * at once, or source_auth_sign (signature.h), which decides when the body is whole. Of the kinds token and sns only the
 * addresses are decided here.
 */
#ifndef RB_AUTH_SOURCE_AUTH_H
#define RB_AUTH_SOURCE_AUTH_H

#include "auth/auth.h"
#include "auth/signature.h"

enum conf_auth_kind source_auth_kind(const struct source_auth *s);
/* Does it say from where, and nothing else? */
bool source_auth_is_by_place(const struct source_auth *s);
/* Is this address (base/cidr.h) one of `allow`, or is there no such list? NULL: it is not known. */
bool source_auth_takes(const struct source_auth *s, const unsigned char *address);
/* WWW-Authenticate of a 401. */
const char *source_auth_challenge(const struct source_auth *s);

/* bearer and basic: the Authorization header. */
enum auth_verdict source_auth_credentials(const struct source_auth *s, struct str authorization, struct err *e);
/* client_cert: the names of the certificate, n == 0: none that counts was shown. */
enum auth_verdict source_auth_names(const struct source_auth *s, const struct str *names, size_t n, struct err *e);
/* What it signs with; NULL: it is of another kind. */
const struct signing *source_auth_signing(const struct source_auth *s);

#endif
