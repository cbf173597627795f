/* credentials.c: the Authorization header, read. Pure.
 *
 * Takes `Bearer TOKEN` and `Basic BASE64(user:password)`, the scheme in any case; `Splunk TOKEN` and Elasticsearch's
 * `ApiKey BASE64(id:key)` are Bearer by another name: no browser adds them by itself. What is longer than
 * AUTH_CREDENTIALS_MAX or malformed is none; nothing tells the sender which of its characters was wrong.
 */
#include "auth/credentials.h"

#include <nettle/base64.h>
#include <string.h>
#include <strings.h>

/* What follows the scheme and its spaces; n == 0 where it is another scheme, or nothing follows. */
static struct str after_scheme(struct str s, const char *scheme)
{
	size_t n = strlen(scheme);

	if (s.n <= n || strncasecmp(s.p, scheme, n) != 0 || s.p[n] != ' ')
		return STR_NONE;
	s = (struct str){s.p + n, s.n - n};
	while (s.n && s.p[0] == ' ')
		s = (struct str){s.p + 1, s.n - 1};
	while (s.n && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

static void read_basic(struct str text, struct credentials *out)
{
	struct base64_decode_ctx ctx;
	size_t n = sizeof(out->space);
	const char *colon;

	if (BASE64_DECODE_LENGTH(text.n) > sizeof(out->space))
		return;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, (uint8_t *)out->space, text.n, text.p) ||
		!base64_decode_final(&ctx))
		return;
	colon = memchr(out->space, ':', n);
	if (!colon)
		return;
	out->form = CREDENTIALS_BASIC;
	out->user = (struct str){out->space, (size_t)(colon - out->space)};
	out->secret = (struct str){colon + 1, n - out->user.n - 1};
}

void credentials_read(struct str header, struct credentials *out)
{
	struct str bearer = after_scheme(header, "Bearer"), basic = after_scheme(header, "Basic");
	struct str splunk = after_scheme(header, "Splunk"), key = after_scheme(header, "ApiKey");

	out->form = CREDENTIALS_NONE;
	out->user = out->secret = STR_NONE;
	if (splunk.n)
		bearer = splunk;
	if (bearer.n && bearer.n <= AUTH_CREDENTIALS_MAX) {
		out->form = CREDENTIALS_BEARER;
		out->secret = bearer;
	} else if (basic.n) {
		read_basic(basic, out);
	} else if (key.n) {
		read_basic(key, out);
		if (out->form == CREDENTIALS_BASIC)
			out->form = CREDENTIALS_BEARER;
	}
}

void credentials_wipe(struct credentials *c)
{
	explicit_bzero(c->space, sizeof(c->space));
}
