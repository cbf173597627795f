/* auth.h: who may ask, and who may send.
 *
 * Made of a configuration at each load, and immutable from then on: tokens with what they may do, what each source asks of
 * its senders (source_auth.h), which proxies are believed. Secrets are read from their files at the load, and kept as hashes
 * or as keyed contexts, never as they stand there. No sockets, no clock, no log. Counted, as the ruleset is: a request that
 * goes on while a reload takes place keeps what it began with.
 *
 * Comparisons take the same time whether and where bytes differ.
 */
#ifndef RB_AUTH_AUTH_H
#define RB_AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/diag.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"

struct auth;
struct source_auth;

#define AUTH_SECRET_MAX 4096	/* bytes of a secret's file */

/* Of c, which must live as long; reads the files of secrets, findings in d. NULL where d got an error. With one reference. */
struct auth *auth_new(const struct conf *c, struct diags *d);
struct auth *auth_ref(struct auth *a);
void auth_unref(struct auth *a);	/* NULL is fine */
/* Does anybody hold a reference but its maker? */
bool auth_shared(const struct auth *a);
/* Were the same secrets in the files of both? */
bool auth_same(const struct auth *a, const struct auth *b);

/* Is this one a trusted proxy? 16 bytes, as base/cidr.h has them; NULL: one on a unix socket. */
bool auth_is_proxy(const struct auth *a, const unsigned char *address);
/* What a source asks of its senders; NULL: nothing of its own. Lives as long as a. */
const struct source_auth *auth_source(const struct auth *a, struct str name);

/* ---- tokens ---- */

#define AUTH_CREDENTIALS_MAX 4096	/* bytes of what is shown in Authorization; more is no credential of ours */

/* Are there tokens at all? */
bool auth_has_tokens(const struct auth *a);
/* The token that an Authorization header shows, as `Bearer TOKEN` or as the password of `Basic`; NULL: none of ours.
 * Lives as long as a. */
const struct conf_token *auth_token(const struct auth *a, struct str authorization);
/* Was it shown as Bearer? A browser adds Basic by itself, on behalf of any page; Bearer it does not. */
bool auth_is_bearer(struct str authorization);
/* admin holds operate, operate holds read. */
bool auth_token_may(const struct conf_token *t, enum conf_scope scope);
/* Does it have the scope ingest, or ingest:SOURCE? */
bool auth_token_may_send(const struct conf_token *t, struct str source);

#endif
