/* What a stranger says of himself: five lines (X-Forwarded-For, Forwarded, a signature, its time, Authorization), and behind
 * them a body. */
#include "fuzz.h"
#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <string.h>
#include "auth/credentials.h"
#include "auth/signature.h"
#include "base/buf.h"
#include "http/access.h"

#define SECRET "secret"
#define LINES 5

enum { FORWARDED_FOR, FORWARDED, SIGNATURE, TIME, AUTHORIZATION };

struct stranger {
	struct str line[LINES];
	struct str body;
};

static void split(struct stranger *s, struct str rest)
{
	for (size_t i = 0; i < LINES; i++) {
		const char *end = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
		size_t n = end ? (size_t)(end - rest.p) : rest.n;

		s->line[i] = (struct str){rest.p, n};
		n += end != NULL;
		rest = (struct str){rest.p + n, rest.n - n};
	}
	s->body = rest;
}

/* ---- where from ---- */

static bool trusted(const void *ctx, const unsigned char *address)
{
	return cidr_has(ctx, address);
}

static void where_from(const struct stranger *s)
{
	struct cidr range;
	char text[CIDR_TEXT_MAX];

	FUZZ_MUST(cidr_parse(STR("10.0.0.0/8"), &range));
	for (int i = FORWARDED_FOR; i <= FORWARDED; i++) {
		struct access_chain c = {.trusted = trusted, .ctx = &range};

		if (i == FORWARDED_FOR)
			access_chain_forwarded_for(&c, s->line[i]);
		else
			access_chain_forwarded(&c, s->line[i]);
		if (c.last == ACCESS_KNOWN) {
			unsigned char again[CIDR_ADDRESS];

			cidr_format_address(c.address, text);
			FUZZ_MUST(cidr_parse_address(str_of(text), again));
			FUZZ_MUST(memcmp(again, c.address, sizeof(again)) == 0);
		}
		/* Whatever is written before it: the last one, which a proxy wrote, is who it was, or nobody is. */
		access_chain_add(&c, STR("192.0.2.1"));
		cidr_format_address(c.address, text);
		FUZZ_MUST(c.entries > ACCESS_CHAIN_MAX ? c.last == ACCESS_UNKNOWN
						       : c.last == ACCESS_KNOWN && strcmp(text, "192.0.2.1") == 0);
	}
}

/* ---- signatures ---- */

static struct str header(void *ctx, const char *name)
{
	const struct stranger *s = ctx;

	return s->line[strcmp(name, "T") == 0 ? TIME : SIGNATURE];
}

static enum auth_verdict verdict(const struct signing *signing, struct stranger *s)
{
	struct signature *g;
	struct err e = {0};
	enum auth_verdict v = signature_begin(signing, header, s, INT64_C(1700000000000), &g, &e);

	FUZZ_MUST((v == AUTH_GOOD) == (g != NULL));
	if (g) {
		signature_feed(g, s->body);
		v = signature_end(g, INT64_C(1700000000000), &e);
		FUZZ_MUST(signature_delivery(g).n == 64);
	}
	FUZZ_MUST((v == AUTH_GOOD) == (e.text[0] == '\0'));
	signature_free(g);
	return v;
}

static void sign(const struct stranger *s, char out[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE) + 1])
{
	struct hmac_sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];

	hmac_sha256_set_key(&ctx, strlen(SECRET), (const uint8_t *)SECRET);
	hmac_sha256_update(&ctx, s->line[TIME].n, (const uint8_t *)s->line[TIME].p);
	hmac_sha256_update(&ctx, 1, (const uint8_t *)":");
	hmac_sha256_update(&ctx, s->body.n, (const uint8_t *)s->body.p);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	base16_encode_update(out, sizeof(digest), digest);
	out[2 * sizeof(digest)] = '\0';
}

static void signatures(struct stranger *s)
{
	struct conf_text file = {0};
	struct conf_auth c = {.kind = CONF_AUTH_HMAC, .secrets = {&file, 1}, .header = STR("S"), .timestamp_header = STR("T"),
		.algorithm = CONF_SHA256, .tolerance_ms = 300000};
	char right[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE) + 1];
	struct signing *signing;
	struct err e;
	struct buf list;

	FUZZ_MUST(signing_new(&c, &signing) == 0 && signing && signing_key(signing, 0, STR(SECRET), &e) == 0);
	verdict(signing, s);
	/* The right one holds, also before 15 others; unless its time is none, or another one. */
	sign(s, right);
	buf_init(&list, BUF_NO_LIMIT);
	buf_puts(&list, right);
	s->line[SIGNATURE] = buf_as_str(&list);
	enum auth_verdict first = verdict(signing, s);
	buf_putc(&list, ',');
	for (int i = 1; i < AUTH_SIGNATURES_MAX; i++)
		buf_puts(&list, "x,");
	s->line[SIGNATURE] = buf_as_str(&list);
	FUZZ_MUST(verdict(signing, s) == first);
	FUZZ_MUST(first == AUTH_GOOD || first == AUTH_FORBIDDEN || s->line[TIME].n == 0);
	buf_release(&list);
	signing_free(signing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct credentials c;
	struct stranger s;

	split(&s, (struct str){(const char *)data, size});
	where_from(&s);
	credentials_read(s.line[AUTHORIZATION], &c);
	FUZZ_MUST(c.form == CREDENTIALS_NONE || c.secret.p);
	FUZZ_MUST(c.user.n + c.secret.n <= sizeof(c.space));
	signatures(&s);
	return 0;
}
