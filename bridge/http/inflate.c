/* inflate.c: zlib, bounded.
 *
 * Guarantees that no more than `limit` bytes ever reach the sink, that no more than one piece of
 * PIECE bytes is held here, and that both bounds are looked at after each piece, so a bomb costs
 * what the bound allows and not what it holds.
 */
#include "http/inflate.h"

#include <stdint.h>
#include <string.h>

#define PIECE 16384
#define WINDOW 15
#define GZIP_WINDOW (WINDOW + 16)

void inflate_init(struct inflate *i, enum inflate_kind kind, size_t limit)
{
	memset(i, 0, sizeof(*i));
	i->kind = kind;
	i->limit = limit;
}

void inflate_release(struct inflate *i)
{
	if (i->begun)
		inflateEnd(&i->z);
	i->begun = false;
}

/* zlib's first byte says "method 8" in its low half. A raw stream that began so would have a stored
 * block with bits set in its padding, which no compressor writes. */
static int begin(struct inflate *i, unsigned char first, struct err *e)
{
	int window = GZIP_WINDOW;

	if (i->kind == INFLATE_DEFLATE)
		window = (first & 0x0f) == 8 ? WINDOW : -WINDOW;
	if (inflateInit2(&i->z, window) != Z_OK)
		return err_set(e, ERR_NOMEM, "no memory to inflate the body");
	i->begun = true;
	return 0;
}

static int bad(struct inflate *i, struct err *e, const char *what)
{
	err_set(e, ERR_INPUT, "the compressed body is broken: %s", what);
	e->offset = i->in;
	return -1;
}

static int check(struct inflate *i, size_t got, struct err *e)
{
	i->out += got;
	if (i->out > i->limit)
		return err_set(e, ERR_LIMIT,
			"the body is over %zu bytes when inflated; http.body_limit sets that",
			i->limit);
	if (i->out > INFLATE_FREE && i->out / INFLATE_RATIO > i->in)
		return err_set(e, ERR_LIMIT,
			"the body grows to more than %d times its size when inflated",
			INFLATE_RATIO);
	return 0;
}

/* One call of zlib; its state is looked at by the caller. */
static int step(struct inflate *i, inflate_sink sink, void *ctx, bool *again, struct err *e)
{
	unsigned char piece[PIECE];
	size_t before = i->z.avail_in, got;
	int r;

	if (i->ended) { /* more bytes after a member's end: another member, or rubbish */
		if (i->kind != INFLATE_GZIP)
			return bad(i, e, "bytes after its end");
		if (inflateReset(&i->z) != Z_OK)
			return bad(i, e, "cannot begin another member");
		i->ended = false;
	}
	i->z.next_out = piece;
	i->z.avail_out = PIECE;
	r = inflate(&i->z, Z_NO_FLUSH);
	i->in += before - i->z.avail_in;
	got = PIECE - i->z.avail_out;
	if (r == Z_MEM_ERROR)
		return err_set(e, ERR_NOMEM, "no memory to inflate the body");
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return bad(i, e, i->z.msg ? i->z.msg : "unexpected data");
	i->ended = r == Z_STREAM_END;
	*again = i->z.avail_in > 0 || (i->z.avail_out == 0 && !i->ended);
	if (check(i, got, e) != 0)
		return -1;
	return got ? sink(ctx, (const char *)piece, got, e) : 0;
}

int inflate_feed(
	struct inflate *i, const char *p, size_t n, inflate_sink sink, void *ctx, struct err *e)
{
	bool again = n > 0;

	if (n && !i->begun && begin(i, (unsigned char)p[0], e) != 0)
		return -1;
	i->z.next_in = (unsigned char *)(uintptr_t)p;
	i->z.avail_in = (unsigned)n;
	while (again) {
		if (step(i, sink, ctx, &again, e) != 0)
			return -1;
	}
	return 0;
}

int inflate_finish(struct inflate *i, struct err *e)
{
	if (!i->ended)
		return bad(i, e, "it breaks off");
	return 0;
}
