/* inflate_zstd.c: libzstd, bounded.
 *
 * Streams: no more than the window and one piece of PIECE bytes is held. A frame says how far back
 * it refers; one that says more than INFLATE_WINDOW_LOG is refused before memory is taken for it.
 * Frames may follow each other, skippable ones included; anything else behind a frame is bad, and so
 * are the formats from before RFC 8878, which libzstd can be built to read.
 *
 * libzstd goes a way of its own with a frame that it sees whole, on which it does not look at the
 * window; and what follows a header that it cannot read it takes for an older format where it looks so.
 * So it gets the first bytes of each frame one by one, and what is taken does not depend on the pieces.
 */
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "http/inflate_impl.h"

#define PIECE 16384

int inflate_zstd_begin(struct inflate *i, struct err *e)
{
	i->zstd = ZSTD_createDCtx();
	if (!i->zstd)
		return err_set(e, ERR_NOMEM, "no memory to inflate the body");
	i->begun = true;
	ZSTD_DCtx_setParameter(i->zstd, ZSTD_d_windowLogMax, INFLATE_WINDOW_LOG);
	return 0;
}

static int failed(struct inflate *i, size_t r, struct err *e)
{
	switch (ZSTD_getErrorCode(r)) {
	case ZSTD_error_memory_allocation:
		return err_set(e, ERR_NOMEM, "no memory to inflate the body");
	case ZSTD_error_frameParameter_windowTooLarge:
		return err_set(e, ERR_LIMIT,
			"the body refers back by more than %d MiB; compress it with a window of "
			"at most %d bits (zstd --zstd=wlog=%d), as HTTP has it",
			1 << (INFLATE_WINDOW_LOG - 20), INFLATE_WINDOW_LOG, INFLATE_WINDOW_LOG);
	default:
		return inflate_bad(i, e, ZSTD_getErrorName(r));
	}
}

/* May a frame begin so? 28 B5 2F FD, or a skippable one's 5x 2A 4D 18; then what its header holds. */
static bool begins_frame(const unsigned char *head, unsigned n)
{
	static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd};
	static const unsigned char skippable[] = {0x50, 0x2a, 0x4d, 0x18};
	unsigned magic = n < sizeof(frame) ? n : sizeof(frame);

	if ((head[0] & 0xf0) != skippable[0])
		return memcmp(head, frame, magic) == 0;
	return memcmp(head + 1, skippable + 1, magic - 1) == 0;
}

/* How much of the input libzstd may have: all, or one byte of a frame's first ones. 0 with e: no frame begins so. */
static size_t share(struct inflate *i, const char *p, size_t all, struct err *e)
{
	if (i->ended)
		i->head_n = 0;
	if (i->head_n == INFLATE_HEAD || all == 0)
		return all;
	i->head[i->head_n++] = (unsigned char)p[0];
	if (begins_frame(i->head, i->head_n))
		return 1;
	inflate_bad(i, e, "no zstd frame begins here");
	return 0;
}

int inflate_zstd_feed(
	struct inflate *i, const char *p, size_t *n, inflate_sink sink, void *ctx, struct err *e)
{
	const size_t all = *n;
	ZSTD_inBuffer in = {p, all, 0};
	bool again = all > 0;
	int said = 0;

	while (again && (said != INFLATE_PAUSE || in.pos == all)) {
		char piece[PIECE];
		ZSTD_outBuffer out = {piece, PIECE, 0};
		size_t before = in.pos, more = share(i, p + before, all - before, e);

		if (more == 0 && before < all)
			return -1;
		in.size = before + more;
		size_t r = ZSTD_decompressStream(i->zstd, &out, &in);

		i->in += in.pos - before;
		if (ZSTD_isError(r))
			return failed(i, r, e);
		i->ended = r == 0;
		again = in.pos < all || (out.pos == PIECE && !i->ended);
		said = inflate_put(i, piece, out.pos, sink, ctx, e);
		if (said < 0)
			return -1;
	}
	*n = in.pos;
	return in.pos < all ? INFLATE_PAUSE : 0;
}

void inflate_zstd_end(struct inflate *i)
{
	ZSTD_freeDCtx(i->zstd);
	i->zstd = NULL;
}

size_t inflate_zstd_held(const struct inflate *i)
{
	return ZSTD_sizeof_DCtx(i->zstd);
}
