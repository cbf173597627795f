/* inflate_snappy.c: libsnappy, in both shapes that senders call "snappy".
 *
 * The framing format (a stream identifier, then chunks of at most 64 KiB with a CRC-32C each) is
 * inflated chunk by chunk. A bare block can only be inflated whole: its first bytes say how much it
 * becomes, which is held against the bounds before anything is kept, and what comes after that many
 * bytes can have needed is refused. Which of the two it is, the first ten bytes tell: read as a
 * block, the identifier refers back behind its own beginning, so no block begins with it.
 *
 * libsnappy has no framing of its own, hence the chunks and their checksum here.
 */
#include <snappy-c.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/inflate_impl.h"

#define CHUNK_MAX ((size_t)64 << 10) /* bytes of a chunk, inflated */
#define PIECE ((size_t)16 << 10)     /* of a block, for the sink at once */
#define CRC_BYTES 4
#define HEAD_BYTES 4
#define VARINT_MAX 5
#define KEPT_MAX (INFLATE_BLOCK_LIMIT + INFLATE_BLOCK_LIMIT / 4) /* of a block, compressed */

static const char identifier[] = "\xff\x06\x00\x00sNaPpY";
#define IDENTIFIER_BYTES (sizeof(identifier) - 1)

enum shape {
	SHAPE_UNKNOWN,
	SHAPE_BLOCK,
	SHAPE_FRAMES,
};

enum chunk_type {
	CHUNK_COMPRESSED = 0x00,
	CHUNK_PLAIN = 0x01,
	CHUNK_SKIPPABLE = 0x80, /* from here on */
	CHUNK_IDENTIFIER = 0xff,
};

struct inflate_snappy {
	enum shape shape;
	struct buf kept; /* the block; or of the chunk, what has come, with its head */
	size_t skip;	 /* bytes of a chunk that is not wanted */
	size_t becomes;	 /* of a block; 0: not known yet */
	char *whole;	 /* a block, inflated; NULL: not yet */
	size_t handed;	 /* bytes of it that the sink has */
	char out[CHUNK_MAX];
};

int inflate_snappy_begin(struct inflate *i, struct err *e)
{
	i->snappy = malloc(sizeof(*i->snappy));
	if (!i->snappy)
		return err_set(e, ERR_NOMEM, "no memory to inflate the body");
	i->begun = true;
	i->snappy->shape = SHAPE_UNKNOWN;
	i->snappy->skip = i->snappy->becomes = i->snappy->handed = 0;
	i->snappy->whole = NULL;
	buf_init(&i->snappy->kept, KEPT_MAX);
	return 0;
}

void inflate_snappy_end(struct inflate *i)
{
	buf_release(&i->snappy->kept);
	free(i->snappy->whole);
	free(i->snappy);
	i->snappy = NULL;
}

size_t inflate_snappy_held(const struct inflate *i)
{
	return sizeof(*i->snappy) + i->snappy->kept.cap + i->snappy->becomes;
}

/* ---- a block ---- */

static int check_size(struct inflate *i, size_t n, struct err *e)
{
	if (n > i->limit)
		return err_set(e, ERR_LIMIT,
			"the body is over %zu bytes when inflated; http.body_limit sets that",
			i->limit);
	if (n > INFLATE_BLOCK_LIMIT)
		return err_set(e, ERR_LIMIT,
			"one snappy block is over %zu MiB when inflated; send less, or the "
			"framing format",
			INFLATE_BLOCK_LIMIT >> 20);
	i->snappy->becomes = n;
	return 0;
}

static int feed_block(struct inflate *i, const char *p, size_t n, struct err *e)
{
	struct inflate_snappy *s = i->snappy;
	size_t becomes = 0;

	i->in += n;
	buf_add(&s->kept, p, n);
	if (buf_failed(&s->kept))
		return err_set(e, ERR_NOMEM, "no memory to inflate the body");
	if (s->becomes == 0 &&
		snappy_uncompressed_length(s->kept.p, s->kept.n, &becomes) != SNAPPY_OK)
		return s->kept.n < VARINT_MAX
			       ? 0
			       : inflate_bad(i, e, "it does not begin with a length");
	if (s->becomes == 0 && check_size(i, becomes, e) != 0)
		return -1;
	if (s->kept.n > snappy_max_compressed_length(s->becomes))
		return inflate_bad(i, e, "it has more bytes than its length can need");
	return 0;
}

static int inflate_block(struct inflate *i, struct err *e)
{
	struct inflate_snappy *s = i->snappy;
	size_t n = s->becomes;

	if (snappy_validate_compressed_buffer(s->kept.p, s->kept.n) != SNAPPY_OK)
		return inflate_bad(i, e, "it breaks off, or is no snappy block");
	s->whole = malloc(n ? n : 1);
	if (!s->whole)
		return err_set(e, ERR_NOMEM, "no memory to inflate the body");
	if (snappy_uncompress(s->kept.p, s->kept.n, s->whole, &n) != SNAPPY_OK)
		return inflate_bad(i, e, "it is no snappy block");
	return 0;
}

static int finish_block(struct inflate *i, inflate_sink sink, void *ctx, struct err *e)
{
	struct inflate_snappy *s = i->snappy;
	int r = s->whole ? 0 : inflate_block(i, e);

	while (r == 0 && s->handed < s->becomes) {
		size_t left = s->becomes - s->handed, n = left < PIECE ? left : PIECE;

		s->handed += n;
		r = inflate_put(i, s->whole + s->handed - n, n, sink, ctx, e);
	}
	return r == INFLATE_PAUSE && s->handed == s->becomes ? 0 : r;
}

/* ---- frames ---- */

static uint32_t crc_table[256];

static void make_crc_table(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t v = b;

		for (int bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ 0x82f63b78 : v >> 1;
		crc_table[b] = v;
	}
}

/* CRC-32C, turned and shifted as the framing format has it. */
static uint32_t checksum(const char *p, size_t n)
{
	uint32_t c = 0xffffffff;

	if (crc_table[1] == 0)
		make_crc_table();
	for (size_t k = 0; k < n; k++)
		c = crc_table[(c ^ (unsigned char)p[k]) & 0xff] ^ c >> 8;
	c = ~c;
	return (c >> 15 | c << 17) + 0xa282ead8;
}

static uint32_t little(const char *p, size_t n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | (unsigned char)p[n];
	return v;
}

/* A whole chunk with data is in kept. As a sink. */
static int take_chunk(struct inflate *i, inflate_sink sink, void *ctx, struct err *e)
{
	struct inflate_snappy *s = i->snappy;
	const char *data = s->kept.p + HEAD_BYTES + CRC_BYTES;
	size_t n = s->kept.n - HEAD_BYTES - CRC_BYTES, out_n = CHUNK_MAX;

	if ((unsigned char)s->kept.p[0] == CHUNK_COMPRESSED) {
		if (snappy_uncompress(data, n, s->out, &out_n) != SNAPPY_OK)
			return inflate_bad(i, e, "a chunk is broken, or over 64 KiB");
		data = s->out;
		n = out_n;
	}
	if (checksum(data, n) != little(s->kept.p + HEAD_BYTES, CRC_BYTES))
		return inflate_bad(i, e, "a chunk's checksum is wrong");
	return inflate_put(i, data, n, sink, ctx, e);
}

/* A chunk's head is in kept: how many bytes follow that are wanted? */
static int read_head(struct inflate *i, size_t *wanted, struct err *e)
{
	struct inflate_snappy *s = i->snappy;
	unsigned type = (unsigned char)s->kept.p[0];
	size_t n = little(s->kept.p + 1, 3);
	size_t most = CRC_BYTES +
		      (type == CHUNK_PLAIN ? CHUNK_MAX : snappy_max_compressed_length(CHUNK_MAX));

	*wanted = n;
	if (type == CHUNK_IDENTIFIER)
		return n == IDENTIFIER_BYTES - HEAD_BYTES
			       ? 0
			       : inflate_bad(i, e, "the stream identifier is wrong");
	if (type >= CHUNK_SKIPPABLE) {
		s->skip = n;
		*wanted = 0;
		return 0;
	}
	if (type > CHUNK_PLAIN)
		return inflate_bad(i, e, "a chunk of unknown type");
	if (n < CRC_BYTES || n > most)
		return inflate_bad(i, e, "a chunk's length is wrong");
	return 0;
}

/* Up to `want` bytes into kept; what was taken. */
static size_t collect(struct inflate *i, size_t want, const char *p, size_t n)
{
	struct inflate_snappy *s = i->snappy;
	size_t take = s->kept.n >= want ? 0 : want - s->kept.n;

	if (take > n)
		take = n;
	buf_add(&s->kept, p, take);
	i->in += take;
	return take;
}

static int end_chunk(struct inflate *i, inflate_sink sink, void *ctx, struct err *e)
{
	struct inflate_snappy *s = i->snappy;
	unsigned type = (unsigned char)s->kept.p[0];
	int r = 0;

	if (type <= CHUNK_PLAIN)
		r = take_chunk(i, sink, ctx, e);
	else if (type == CHUNK_IDENTIFIER &&
		 memcmp(s->kept.p, identifier, IDENTIFIER_BYTES) != 0)
		r = inflate_bad(i, e, "the stream identifier is wrong");
	if (r >= 0)
		buf_clear(&s->kept);
	return r;
}

/* As much as belongs to one chunk, or to its head. As a sink. */
static int feed_chunk(struct inflate *i, const char *p, size_t *n, inflate_sink sink, void *ctx, struct err *e)
{
	struct inflate_snappy *s = i->snappy;
	size_t took = s->skip < *n ? s->skip : *n, wanted = 0, more;

	s->skip -= took;
	i->in += took;
	if (took == 0)
		took = collect(i, HEAD_BYTES, p, *n);
	if (s->skip == 0 && s->kept.n >= HEAD_BYTES) {
		if (read_head(i, &wanted, e) != 0)
			return -1;
		more = collect(i, HEAD_BYTES + wanted, p + took, *n - took);
		took += more;
	}
	*n = took;
	if (buf_failed(&s->kept))
		return err_set(e, ERR_NOMEM, "no memory to inflate the body");
	if (s->kept.n < HEAD_BYTES || s->kept.n < HEAD_BYTES + wanted)
		return 0;
	return end_chunk(i, sink, ctx, e);
}

static int feed_frames(
	struct inflate *i, const char *p, size_t *n, inflate_sink sink, void *ctx, struct err *e)
{
	struct inflate_snappy *s = i->snappy;
	size_t at = 0;
	int r = 0;

	while (at < *n && r == 0) {
		size_t took = *n - at;

		r = feed_chunk(i, p + at, &took, sink, ctx, e);
		at += took;
	}
	if (r < 0)
		return -1;
	i->ended = s->kept.n == 0 && s->skip == 0;
	r = at < *n ? INFLATE_PAUSE : 0;
	*n = at;
	return r;
}

/* ---- either ---- */

/* Bytes of the identifier that were taken, of the whole as long as it may be one. */
static size_t find_shape(struct inflate *i, const char *p, size_t n)
{
	struct inflate_snappy *s = i->snappy;
	size_t at = 0;

	while (at < n && s->shape == SHAPE_UNKNOWN) {
		char byte = p[at];

		if (byte != identifier[i->in]) {
			s->shape = SHAPE_BLOCK;
		} else {
			buf_add(&s->kept, &byte, 1);
			i->in++;
			at++;
		}
		if (i->in == IDENTIFIER_BYTES) {
			s->shape = SHAPE_FRAMES;
			i->ended = true;
			buf_clear(&s->kept);
		}
	}
	return at;
}

int inflate_snappy_feed(
	struct inflate *i, const char *p, size_t *n, inflate_sink sink, void *ctx, struct err *e)
{
	size_t at = find_shape(i, p, *n), more = *n - at;
	int r;

	if (more == 0)
		return 0;
	if (i->snappy->shape == SHAPE_BLOCK)
		return feed_block(i, p + at, more, e);
	r = feed_frames(i, p + at, &more, sink, ctx, e);
	*n = at + more;
	return r;
}

int inflate_snappy_finish(struct inflate *i, inflate_sink sink, void *ctx, struct err *e)
{
	if (i->snappy->shape == SHAPE_FRAMES)
		return i->ended ? 0 : inflate_bad(i, e, "it breaks off");
	return finish_block(i, sink, ctx, e);
}
