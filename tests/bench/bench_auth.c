/* bench_auth.c: what a signature costs to look at, right, or wrong from a given byte on.
 *
 * The check alone (auth/signature.h), of a body of 2 KiB under two secrets, as with a rotation under way. The cases, the
 * right signature and one wrong from each of its digits on, come in an order that is shuffled anew in each round, so that a
 * slow moment of the machine hits all alike. Prints a line a case: the first wrong digit (-1: none) and the quartiles of
 * what it took, in ns. bench_auth.py reads it.
 */
#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "auth/signature.h"

#define BODY 2048
#define DIGITS BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE)
#define CASES (DIGITS + 1) /* the last is the right one */
#define SECRET "the secret that holds"

static char body[BODY];
static char header_text[sizeof("sha256=") + DIGITS];

static struct str header(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "X-Hub-Signature-256") == 0 ? str_of(header_text) : STR_NONE;
}

static struct signing *new_signing(void)
{
	static struct conf_text files[2];
	struct conf_auth c = {.kind = CONF_AUTH_GITHUB, .secrets = {files, 2}, .algorithm = CONF_SHA256};
	struct signing *s;
	struct err e;

	if (signing_new(&c, &s) != 0 || signing_key(s, 0, STR("another secret"), &e) != 0 ||
		signing_key(s, 1, STR(SECRET), &e) != 0)
		abort();
	return s;
}

static void sign(char out[DIGITS])
{
	struct hmac_sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];

	hmac_sha256_set_key(&ctx, strlen(SECRET), (const uint8_t *)SECRET);
	hmac_sha256_update(&ctx, BODY, (const uint8_t *)body);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	base16_encode_update(out, sizeof(digest), digest);
}

/* As somebody would who guesses digit after digit: right up to `at`, wrong there, and nothing known behind it. */
static void show(const char right[DIGITS], size_t at)
{
	memcpy(header_text, "sha256=", 7);
	memcpy(header_text + 7, right, DIGITS);
	for (size_t i = at; i < DIGITS; i++)
		header_text[7 + i] = right[i] == '0' ? '1' : '0';
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t measure(const struct signing *s, bool good)
{
	struct signature *g;
	struct err e;
	int64_t begun = now_ns(), took;
	bool right;

	if (signature_begin(s, header, NULL, 0, &g, &e) != AUTH_GOOD)
		abort();
	signature_feed(g, (struct str){body, BODY});
	right = signature_end(g, 0, &e) == AUTH_GOOD;
	signature_free(g);
	took = now_ns() - begun;
	if (right != good)
		abort();
	return took;
}

static void shuffle(size_t order[CASES])
{
	for (size_t i = CASES - 1; i > 0; i--) {
		size_t k = (size_t)rand() % (i + 1), was = order[i];

		order[i] = order[k];
		order[k] = was;
	}
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	int64_t *took = calloc(CASES * rounds, sizeof(*took));
	struct signing *s = new_signing();
	char right[DIGITS];
	size_t order[CASES];

	if (!took || rounds == 0)
		return 1;
	memset(body, 'x', BODY);
	sign(right);
	for (size_t i = 0; i < CASES; i++)
		order[i] = i;
	for (size_t r = 0; r < rounds; r++) {
		shuffle(order);
		for (size_t i = 0; i < CASES; i++) {
			show(right, order[i]);
			took[order[i] * rounds + r] = measure(s, order[i] == DIGITS);
		}
	}
	for (size_t i = 0; i < CASES; i++) {
		int64_t *v = took + i * rounds;

		qsort(v, rounds, sizeof(*v), compare);
		printf("%d %lld %lld %lld\n", i == DIGITS ? -1 : (int)i, (long long)v[rounds / 4], (long long)v[rounds / 2],
			(long long)v[rounds * 3 / 4]);
	}
	signing_free(s);
	free(took);
	return 0;
}
