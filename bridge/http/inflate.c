/* inflate.c: what all decoders have in common, and zlib.
 *
 * Guarantees that no more than `limit` bytes ever reach the sink, that no more than one piece of
 * PIECE bytes is held here, and that both bounds are looked at after each piece, so a bomb costs
 * what the bound allows and not what it holds.
 */
#include "http/inflate_impl.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define PIECE 16384
#define WINDOW 15
#define GZIP_WINDOW (WINDOW + 16)
#define ZLIB_HELD ((size_t)40 << 10) /* bytes: its window and tables */

bool inflate_kind_of(struct str name, enum inflate_kind *kind)
{
	static const struct {
		const char *name;
		enum inflate_kind kind;
	} known[] = {
		{"gzip", INFLATE_GZIP},
		{"x-gzip", INFLATE_GZIP},
		{"deflate", INFLATE_DEFLATE},
		{"zstd", INFLATE_ZSTD},
		{"snappy", INFLATE_SNAPPY},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (name.n == strlen(known[i].name) &&
			strncasecmp(name.p, known[i].name, name.n) == 0) {
			*kind = known[i].kind;
			return true;
		}
	}
	return false;
}

void inflate_init(struct inflate *i, enum inflate_kind kind, size_t limit)
{
	memset(i, 0, sizeof(*i));
	i->kind = kind;
	i->limit = limit;
}

void inflate_release(struct inflate *i)
{
	if (!i->begun)
		return;
	switch (i->kind) {
	case INFLATE_GZIP:
	case INFLATE_DEFLATE:
		inflateEnd(&i->z);
		break;
	case INFLATE_ZSTD:
		inflate_zstd_end(i);
		break;
	case INFLATE_SNAPPY:
		inflate_snappy_end(i);
		break;
	}
	i->begun = false;
}

size_t inflate_held(const struct inflate *i)
{
	if (!i->begun)
		return 0;
	switch (i->kind) {
	case INFLATE_ZSTD:
		return inflate_zstd_held(i);
	case INFLATE_SNAPPY:
		return inflate_snappy_held(i);
	default:
		return ZLIB_HELD;
	}
}

/* zlib's first byte says "method 8" in its low half. A raw stream that began so would have a stored
 * block with bits set in its padding, which no compressor writes. */
static int begin_zlib(struct inflate *i, unsigned char first, struct err *e)
{
	int window = GZIP_WINDOW;

	if (i->kind == INFLATE_DEFLATE)
		window = (first & 0x0f) == 8 ? WINDOW : -WINDOW;
	if (inflateInit2(&i->z, window) != Z_OK)
		return err_set(e, ERR_NOMEM, "no memory to inflate the body");
	i->begun = true;
	return 0;
}

int inflate_bad(struct inflate *i, struct err *e, const char *what)
{
	err_set(e, ERR_INPUT, "the compressed body is broken: %s", what);
	e->offset = i->in;
	return -1;
}

int inflate_put(
	struct inflate *i, const char *p, size_t n, inflate_sink sink, void *ctx, struct err *e)
{
	i->out += n;
	if (i->out > i->limit)
		return err_set(e, ERR_LIMIT,
			"the body is over %zu bytes when inflated; http.body_limit sets that",
			i->limit);
	if (i->out > INFLATE_FREE && i->out / INFLATE_RATIO > i->in)
		return err_set(e, ERR_LIMIT,
			"the body grows to more than %d times its size when inflated",
			INFLATE_RATIO);
	return n ? sink(ctx, p, n, e) : 0;
}

/* One call of zlib; its state is looked at by the caller. As a sink. */
static int step(struct inflate *i, inflate_sink sink, void *ctx, bool *again, struct err *e)
{
	unsigned char piece[PIECE];
	size_t before = i->z.avail_in, got;
	int r;

	if (i->ended) { /* more bytes after a member's end: another member, or rubbish */
		if (i->kind != INFLATE_GZIP)
			return inflate_bad(i, e, "bytes after its end");
		if (inflateReset(&i->z) != Z_OK)
			return inflate_bad(i, e, "cannot begin another member");
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
		return inflate_bad(i, e, i->z.msg ? i->z.msg : "unexpected data");
	i->ended = r == Z_STREAM_END;
	*again = i->z.avail_in > 0 || (i->z.avail_out == 0 && !i->ended);
	return inflate_put(i, (const char *)piece, got, sink, ctx, e);
}

/* It pauses where input is left, so that whoever feeds it comes again. */
static int feed_zlib(
	struct inflate *i, const char *p, size_t *n, inflate_sink sink, void *ctx, struct err *e)
{
	bool again = *n > 0;
	int r = 0;

	i->z.next_in = (unsigned char *)(uintptr_t)p;
	i->z.avail_in = (unsigned)*n;
	while (again && (r != INFLATE_PAUSE || i->z.avail_in == 0)) {
		r = step(i, sink, ctx, &again, e);
		if (r < 0)
			return -1;
	}
	*n -= i->z.avail_in;
	return i->z.avail_in > 0 ? INFLATE_PAUSE : 0;
}

static int begin(struct inflate *i, char first, struct err *e)
{
	switch (i->kind) {
	case INFLATE_ZSTD:
		return inflate_zstd_begin(i, e);
	case INFLATE_SNAPPY:
		return inflate_snappy_begin(i, e);
	default:
		return begin_zlib(i, (unsigned char)first, e);
	}
}

int inflate_feed(
	struct inflate *i, const char *p, size_t *n, inflate_sink sink, void *ctx, struct err *e)
{
	if (*n == 0)
		return 0;
	if (!i->begun && begin(i, p[0], e) != 0)
		return -1;
	switch (i->kind) {
	case INFLATE_ZSTD:
		return inflate_zstd_feed(i, p, n, sink, ctx, e);
	case INFLATE_SNAPPY:
		return inflate_snappy_feed(i, p, n, sink, ctx, e);
	default:
		return feed_zlib(i, p, n, sink, ctx, e);
	}
}

int inflate_finish(struct inflate *i, inflate_sink sink, void *ctx, struct err *e)
{
	if (i->kind == INFLATE_SNAPPY && i->begun)
		return inflate_snappy_finish(i, sink, ctx, e);
	return i->ended ? 0 : inflate_bad(i, e, "it breaks off");
}
