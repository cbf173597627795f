/* hash.h: FNV-1a for fingerprints and tables, SHA-256 (nettle) for what must be told apart for sure. */
#ifndef RB_BASE_HASH_H
#define RB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define HASH_FNV1A_START UINT64_C(14695981039346656037)
#define HASH_SHA256_HEX 65	/* with the NUL */

static inline uint64_t hash_fnv1a(uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p;
	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * UINT64_C(1099511628211);
	return h;
}


void hash_sha256_hex(struct str bytes, char out[HASH_SHA256_HEX]);

#endif
