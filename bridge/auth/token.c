/* token.c: from what a request shows to a token, and what that may do.
 *
 * Of a token only the SHA-256 is known. What is shown is hashed and held against each hash, all of
 * them, each over its whole length: how long that takes says nothing about them.
 */
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <string.h>
#include "auth/auth.h"
#include "auth/auth_impl.h"
#include "auth/credentials.h"

_Static_assert(CONF_TOKEN_HASH == SHA256_DIGEST_SIZE, "a token is kept as its SHA-256");

void auth_digest(struct str s, uint8_t out[SHA256_DIGEST_SIZE])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, s.n, (const uint8_t *)(s.p ? s.p : ""));
	sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
	explicit_bzero(&ctx, sizeof(ctx));
}

void auth_digest_basic(struct str user, struct str password, uint8_t out[SHA256_DIGEST_SIZE])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, user.n, (const uint8_t *)(user.p ? user.p : ""));
	sha256_update(&ctx, 1, (const uint8_t *)":");
	sha256_update(&ctx, password.n, (const uint8_t *)(password.p ? password.p : ""));
	sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
	explicit_bzero(&ctx, sizeof(ctx));
}

bool auth_has_tokens(const struct auth *a)
{
	return a->conf->tokens_n > 0;
}

const struct conf_token *auth_token(const struct auth *a, struct str authorization)
{
	const struct conf_token *found = NULL;
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct credentials c;

	credentials_read(authorization, &c);
	if (c.form == CREDENTIALS_NONE)
		return NULL;
	auth_digest(c.secret, digest);
	credentials_wipe(&c);
	for (size_t i = 0; i < a->conf->tokens_n; i++) {
		if (memeql_sec(digest, a->conf->tokens[i].hash, sizeof(digest)))
			found = &a->conf->tokens[i];
	}
	return found;
}

bool auth_is_bearer(struct str authorization)
{
	struct credentials c;

	credentials_read(authorization, &c);
	credentials_wipe(&c);
	return c.form == CREDENTIALS_BEARER;
}

bool auth_token_may(const struct conf_token *t, enum conf_scope scope)
{
	unsigned have = t->scopes;

	if (have & CONF_SCOPE_ADMIN)
		have |= CONF_SCOPE_OPERATE;
	if (have & CONF_SCOPE_OPERATE)
		have |= CONF_SCOPE_READ;
	return have & scope;
}

bool auth_token_may_send(const struct conf_token *t, struct str source)
{
	if (t->scopes & CONF_SCOPE_INGEST)
		return true;
	for (size_t i = 0; i < t->ingest.n; i++) {
		if (str_eq(t->ingest.v[i].text, source))
			return true;
	}
	return false;
}
