/* fuzz_inflate.h: the body of the decoders' targets: any bytes, in pieces, as a body of one encoding. An error with its
 * text, or bytes within the bounds; and the same whatever the pieces are. */
#ifndef RB_TESTS_FUZZ_INFLATE_H
#define RB_TESTS_FUZZ_INFLATE_H

#include "fuzz.h"

#include "base/hash.h"
#include "http/inflate.h"

#define FUZZ_INFLATE_LIMIT ((size_t)4 << 20)

struct inflated {
	bool pauses; /* asks for it at each piece */
	size_t n;
	uint64_t hash;
	int verdict;
};

static int count_bytes(void *ctx, const char *p, size_t n, struct err *e)
{
	struct inflated *o = ctx;

	(void)e;
	o->n += n;
	o->hash = hash_fnv1a(o->hash, p, n);
	FUZZ_MUST(n > 0 && o->n <= FUZZ_INFLATE_LIMIT);
	return o->pauses ? INFLATE_PAUSE : 0;
}

static struct inflated inflate_pieces(
	enum inflate_kind kind, const uint8_t *data, size_t size, size_t piece, bool pauses)
{
	struct inflated o = {pauses, 0, HASH_FNV1A_START, 0};
	struct inflate i;
	struct err e = {0};

	inflate_init(&i, kind, FUZZ_INFLATE_LIMIT);
	for (size_t at = 0, n; at < size && o.verdict >= 0; at += n) {
		size_t before = o.n;

		n = size - at < piece ? size - at : piece;
		o.verdict = inflate_feed(&i, (const char *)data + at, &n, count_bytes, &o, &e);
		FUZZ_MUST(inflate_held(&i) <= ((size_t)40 << 20));
		FUZZ_MUST(o.verdict < 0 || n > 0 || o.n > before);
	}
	if (o.verdict >= 0) {
		do
			o.verdict = inflate_finish(&i, count_bytes, &o, &e);
		while (o.verdict == INFLATE_PAUSE);
	}
	FUZZ_MUST(o.verdict == 0 || (e.code != ERR_NONE && e.text[0] && e.offset <= size));
	inflate_release(&i);
	return o;
}

static int fuzz_inflate(enum inflate_kind kind, const uint8_t *data, size_t size)
{
	struct inflated whole = inflate_pieces(kind, data, size, size ? size : 1, size % 2);
	struct inflated parts = inflate_pieces(kind, data, size, size ? 1 + data[size - 1] % 64 : 1, size % 3 == 0);

	FUZZ_MUST(whole.verdict == parts.verdict);
	FUZZ_MUST(whole.verdict != 0 || (whole.n == parts.n && whole.hash == parts.hash));
	return 0;
}

#endif
