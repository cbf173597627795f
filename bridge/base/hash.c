/* hash.c: SHA-256 through nettle. FNV-1a is in the header: it is on the request path. */
#include "base/hash.h"

#include <nettle/sha2.h>

void hash_sha256_hex(struct str bytes, char out[HASH_SHA256_HEX])
{
	static const char hex[] = "0123456789abcdef";
	struct sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&ctx);
	sha256_update(&ctx, bytes.n, (const uint8_t *)(bytes.p ? bytes.p : ""));
	sha256_digest(&ctx, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[HASH_SHA256_HEX - 1] = '\0';
}
