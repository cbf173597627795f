/* base64.c: nettle's base64 over an arena. */
#include "base/base64.h"

#include <nettle/base64.h>

bool base64_decode(struct arena *a, struct str s, struct str *out)
{
	struct base64_decode_ctx ctx;
	size_t n = BASE64_DECODE_LENGTH(s.n);
	char *to = arena_alloc(a, n + 1);

	if (!to)
		return false;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, (uint8_t *)to, s.n, s.p) || !base64_decode_final(&ctx))
		return false;
	to[n] = '\0';
	*out = (struct str){to, n};
	return true;
}

struct str base64_encode(struct arena *a, struct str s)
{
	size_t n = BASE64_ENCODE_RAW_LENGTH(s.n);
	char *to = arena_alloc(a, n + 1);

	if (!to)
		return STR_NONE;
	base64_encode_raw(to, s.n, (const uint8_t *)s.p);
	to[n] = '\0';
	return (struct str){to, n};
}
