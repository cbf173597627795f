/* signature.c: HMAC signatures of webhooks.
 *
 * Owns the forms in which they are shown: which header, what stands before a signature, what stands
 * between two, and what is signed beside the body. A signature is taken in hex or in base64.
 *
 * Each secret is keyed once, at the load; a request copies the contexts. They are wiped with the
 * request: a context is as good as the secret to who wants to sign.
 *
 * A message whose time is signed has a name of its own: where the sender gives it one that is
 * signed (webhook-id), that; else the SHA-256 of what is signed, which does not depend on the
 * secret, nor on which of several signatures is shown.
 */
#include "auth/signature.h"

#include <assert.h>
#include <nettle/base16.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

#define DIGEST_MAX SHA512_DIGEST_SIZE
#define KEY_MAX 4096 /* bytes of a secret that was base64 */
#define ALIGN(n) (((n) + 15) / 16 * 16)
#define CONTEXTS 3 /* of an HMAC: outer, inner, and the one that goes on */
#define WHSEC STR("whsec_")

struct form {
	const char *header, *prefix;
	char between;
	const char *time_header; /* NULL: only the body is signed */
	const char *id_header;	 /* signed before the time; NULL */
	char joint;		 /* behind each of these two */
	bool base64_secret;	 /* whsec_… */
};

struct signing {
	struct form form;
	int64_t tolerance_ms;
	const struct nettle_hash *hash;
	size_t n, step; /* keyed HMACs, and bytes of each of their contexts */
	unsigned char keyed[] __attribute__((aligned(16)));
};

struct signature {
	const struct nettle_hash *hash;
	char header[65]; /* for the refusal */
	uint8_t shown[AUTH_SIGNATURES_MAX][DIGEST_MAX];
	size_t shown_n;
	int64_t until_ms; /* it holds */
	struct str id;	  /* of the sender; "" */
	bool is_named; /* its name is: */
	struct sha256_ctx name;
	char name_text[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE)];
	size_t n, step;
	unsigned char keyed[] __attribute__((aligned(16)));
};

/* ---- how they sign ---- */

static struct form form_of(const struct conf_auth *c)
{
	switch (c->kind) {
	case CONF_AUTH_GITHUB:
		return (struct form){"X-Hub-Signature-256", "sha256=", ',', NULL, NULL, 0, false};
	case CONF_AUTH_PAGERDUTY:
		return (struct form){"X-PagerDuty-Signature", "v1=", ',', NULL, NULL, 0, false};
	case CONF_AUTH_STANDARD_WEBHOOKS:
		return (struct form){"webhook-signature", "v1,", ' ', "webhook-timestamp",
			"webhook-id", '.', true};
	case CONF_AUTH_HMAC:
		return (struct form){c->header.p, c->prefix.n ? c->prefix.p : "", ',',
			c->timestamp_header.n ? c->timestamp_header.p : NULL, NULL, ':', false};
	case CONF_AUTH_NONE:
	case CONF_AUTH_TOKEN:
	case CONF_AUTH_BEARER:
	case CONF_AUTH_BASIC:
	case CONF_AUTH_SNS:
	case CONF_AUTH_CLIENT_CERT:
		break;
	}
	return (struct form){0};
}

static const struct nettle_hash *hash_of(enum conf_algorithm a)
{
	switch (a) {
	case CONF_SHA1:
		return &nettle_sha1;
	case CONF_SHA256:
		return &nettle_sha256;
	case CONF_SHA512:
		break;
	}
	return &nettle_sha512;
}

int signing_new(const struct conf_auth *c, struct signing **out)
{
	struct form form = form_of(c);
	const struct nettle_hash *hash = hash_of(c->algorithm);
	size_t step = ALIGN(hash->context_size);
	struct signing *s;

	*out = NULL;
	if (!form.header)
		return 0;
	s = calloc(1, sizeof(*s) + c->secrets.n * CONTEXTS * step);
	if (!s)
		return -1;
	assert(hash->digest_size <= DIGEST_MAX);
	s->form = form;
	s->tolerance_ms = c->tolerance_ms;
	s->hash = hash;
	s->n = c->secrets.n;
	s->step = step;
	*out = s;
	return 0;
}

static void set_key(struct signing *s, size_t i, struct str key)
{
	unsigned char *at = s->keyed + i * CONTEXTS * s->step;

	hmac_set_key(at, at + s->step, at + 2 * s->step, s->hash, key.n, (const uint8_t *)key.p);
}

/* "whsec_" and base64; the first may be left out. */
static int decode_key(struct str secret, uint8_t key[KEY_MAX], size_t *n)
{
	struct base64_decode_ctx ctx;

	if (str_starts(secret, WHSEC))
		secret = (struct str){secret.p + WHSEC.n, secret.n - WHSEC.n};
	if (secret.n == 0 || BASE64_DECODE_LENGTH(secret.n) > KEY_MAX)
		return -1;
	*n = KEY_MAX;
	base64_decode_init(&ctx);
	return base64_decode_update(&ctx, n, key, secret.n, secret.p) &&
			       base64_decode_final(&ctx) && *n > 0
		       ? 0
		       : -1;
}

int signing_key(struct signing *s, size_t i, struct str secret, struct err *e)
{
	uint8_t key[KEY_MAX];
	size_t n = 0;
	int rc = 0;

	assert(i < s->n);
	if (!s->form.base64_secret) {
		set_key(s, i, secret);
		return 0;
	}
	if (decode_key(secret, key, &n) == 0)
		set_key(s, i, (struct str){(const char *)key, n});
	else
		rc = err_set(e, ERR_INPUT,
			"holds no secret of Standard Webhooks: whsec_ and then base64, as the "
			"sender "
			"shows it");
	explicit_bzero(key, sizeof(key));
	return rc;
}

void signing_free(struct signing *s)
{
	if (!s)
		return;
	explicit_bzero(s, sizeof(*s) + s->n * CONTEXTS * s->step);
	free(s);
}

/* ---- what is shown ---- */

/* The two forms of one digest differ in length, so that a text has one meaning. */
static bool decode(struct str s, size_t size, uint8_t *out)
{
	uint8_t wide[BASE64_DECODE_LENGTH(BASE64_ENCODE_RAW_LENGTH(DIGEST_MAX))];
	struct base16_decode_ctx hex;
	struct base64_decode_ctx base64;
	size_t n = sizeof(wide);
	bool good;

	if (s.n == BASE16_ENCODE_LENGTH(size)) {
		base16_decode_init(&hex);
		good = base16_decode_update(&hex, &n, wide, s.n, s.p) && base16_decode_final(&hex);
	} else if (s.n == BASE64_ENCODE_RAW_LENGTH(size)) {
		base64_decode_init(&base64);
		good = base64_decode_update(&base64, &n, wide, s.n, s.p) &&
		       base64_decode_final(&base64);
	} else {
		return false;
	}
	if (!good || n != size)
		return false;
	memcpy(out, wide, size);
	return true;
}

/* False: more than may be. */
static bool take_shown(struct signature *g, const struct form *f, struct str list)
{
	struct str prefix = str_of(f->prefix);
	size_t seen = 0;

	while (list.n) {
		const char *end = memchr(list.p, f->between, list.n);
		size_t n = end ? (size_t)(end - list.p) : list.n;
		struct str one = str_trim((struct str){list.p, n}, BLANKS);

		if (one.n && ++seen > AUTH_SIGNATURES_MAX)
			return false;
		if (str_starts(one, prefix) &&
			decode((struct str){one.p + prefix.n, one.n - prefix.n},
				g->hash->digest_size, g->shown[g->shown_n]))
			g->shown_n++;
		n += end != NULL;
		list = (struct str){list.p + n, list.n - n};
	}
	return true;
}

/* NULL: all are there. */
static const char *missing(const struct form *f, struct str list, struct str id, struct str time)
{
	if (list.n == 0)
		return f->header;
	if (f->id_header && id.n == 0)
		return f->id_header;
	return f->time_header && time.n == 0 ? f->time_header : NULL;
}

static enum auth_verdict nothing_shown(const char *header, struct err *e)
{
	err_set(e, ERR_INPUT, "this source takes what is signed; the header '%s' is missing",
		header);
	return AUTH_NOTHING_SHOWN;
}

static bool parse_seconds(struct str s, int64_t *out)
{
	int64_t v = 0;

	if (s.n == 0 || s.n > 12)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = v;
	return true;
}

static enum auth_verdict check_time(
	const struct signing *s, struct str text, int64_t now_ms, int64_t *until_ms, struct err *e)
{
	int64_t seconds;

	if (!parse_seconds(text, &seconds)) {
		err_set(e, ERR_INPUT, "the header '%s' holds no time in seconds",
			s->form.time_header);
		return AUTH_FORBIDDEN;
	}
	*until_ms = seconds * 1000 + s->tolerance_ms;
	if (now_ms <= *until_ms && now_ms >= seconds * 1000 - s->tolerance_ms)
		return AUTH_GOOD;
	err_set(e, ERR_INPUT,
		"this was signed %lld seconds %s, more than the source's tolerance; send it signed "
		"anew, or look at the clocks",
		(long long)llabs(now_ms / 1000 - seconds),
		seconds * 1000 < now_ms ? "ago" : "ahead of our clock");
	return AUTH_FORBIDDEN;
}

/* ---- one request ---- */

static struct signature *signature_new(const struct signing *s)
{
	struct signature *g = calloc(1, sizeof(*g) + s->n * CONTEXTS * s->step);

	if (!g)
		return NULL;
	g->hash = s->hash;
	g->n = s->n;
	g->step = s->step;
	memcpy(g->keyed, s->keyed, s->n * CONTEXTS * s->step);
	sha256_init(&g->name);
	return g;
}

static void feed_head(struct signature *g, const struct form *f, struct str id, struct str time)
{
	struct str joint = {&f->joint, 1};

	if (f->id_header) {
		signature_feed(g, id);
		signature_feed(g, joint);
	}
	if (f->time_header) {
		signature_feed(g, time);
		signature_feed(g, joint);
	}
}

static enum auth_verdict begin(
	struct signature *g, const struct signing *s, struct str list, struct err *e)
{
	if (!take_shown(g, &s->form, list)) {
		err_set(e, ERR_INPUT, "the header '%s' has more than %d signatures", s->form.header,
			AUTH_SIGNATURES_MAX);
		return AUTH_WRONG;
	}
	if (g->shown_n > 0)
		return AUTH_GOOD;
	err_set(e, ERR_INPUT,
		"the header '%s' has no signature in the form '%s' and %zu bytes in hex "
		"or base64",
		s->form.header, s->form.prefix, (size_t)s->hash->digest_size);
	return AUTH_WRONG;
}

enum auth_verdict signature_begin(const struct signing *s,
	struct str (*header)(void *ctx, const char *name), void *ctx, int64_t now_ms,
	struct signature **out, struct err *e)
{
	const struct form *f = &s->form;
	struct str list = str_trim(header(ctx, f->header), BLANKS);
	struct str id = f->id_header ? header(ctx, f->id_header) : STR_NONE;
	struct str time = f->time_header ? header(ctx, f->time_header) : STR_NONE;
	enum auth_verdict v = AUTH_GOOD;
	int64_t until_ms = INT64_MAX;
	struct signature *g;

	*out = NULL;
	if (missing(f, list, id, time))
		return nothing_shown(missing(f, list, id, time), e);
	if (f->time_header)
		v = check_time(s, time, now_ms, &until_ms, e);
	if (v != AUTH_GOOD)
		return v;
	g = signature_new(s);
	if (!g) {
		err_set(e, ERR_NOMEM, "no memory for the request");
		return AUTH_NO_MEMORY;
	}
	v = begin(g, s, list, e);
	if (v != AUTH_GOOD) {
		signature_free(g);
		return v;
	}
	snprintf(g->header, sizeof(g->header), "%s", f->header);
	g->until_ms = until_ms;
	g->id = id;
	g->is_named = f->time_header && !f->id_header;
	feed_head(g, f, id, time);
	*out = g;
	return AUTH_GOOD;
}

void signature_feed(struct signature *g, struct str piece)
{
	const uint8_t *p = (const uint8_t *)piece.p;

	for (size_t i = 0; i < g->n && piece.n; i++)
		hmac_update(g->keyed + (i * CONTEXTS + 2) * g->step, g->hash, piece.n, p);
	if (g->is_named && piece.n)
		sha256_update(&g->name, piece.n, p);
}

static void name_it(struct signature *g)
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_digest(&g->name, sizeof(digest), digest);
	base16_encode_update(g->name_text, sizeof(digest), digest);
}

enum auth_verdict signature_end(struct signature *g, int64_t now_ms, struct err *e)
{
	uint8_t mine[DIGEST_MAX];
	int good = 0;

	for (size_t i = 0; i < g->n; i++) {
		unsigned char *at = g->keyed + i * CONTEXTS * g->step;

		hmac_digest(
			at, at + g->step, at + 2 * g->step, g->hash, g->hash->digest_size, mine);
		for (size_t k = 0; k < g->shown_n; k++)
			good |= memeql_sec(mine, g->shown[k], g->hash->digest_size);
	}
	explicit_bzero(mine, sizeof(mine));
	if (g->is_named)
		name_it(g);
	/* Said in any case: what is right costs no less than what is wrong. */
	err_set(e, ERR_INPUT,
		"the signature in '%s' is not that of this body under the source's secret",
		g->header);
	if (!good)
		return AUTH_WRONG;
	if (now_ms > g->until_ms) {
		err_set(e, ERR_INPUT,
			"the body ended later than the source's tolerance after it was signed; "
			"send it signed anew");
		return AUTH_FORBIDDEN;
	}
	e->code = ERR_NONE;
	e->text[0] = '\0';
	return AUTH_GOOD;
}

struct str signature_delivery(const struct signature *g)
{
	return g->is_named ? (struct str){g->name_text, sizeof(g->name_text)} : g->id;
}

void signature_free(struct signature *g)
{
	if (!g)
		return;
	explicit_bzero(g, sizeof(*g) + g->n * CONTEXTS * g->step);
	free(g);
}
