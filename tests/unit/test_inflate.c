/* Compressed bodies: every way in, and every way they must not go on. */
#include "unit.h"

#include <snappy-c.h>
#include <zstd.h>

#include "base/buf.h"
#include "http/inflate.h"

enum {
	RAW = -15,
	ZLIB = 15,
	GZIP = 31,
};

static int to_buf(void *ctx, const char *p, size_t n, struct err *e)
{
	buf_add(ctx, p, n);
	return buf_failed(ctx) ? err_set(e, ERR_NOMEM, "the test's buffer is full") : 0;
}

static void deflate_to(struct buf *out, int window, struct str s)
{
	z_stream z = {0};
	char *room = buf_room(out, s.n + 1000);

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)s.p;
	z.avail_in = (unsigned)s.n;
	z.next_out = (unsigned char *)room;
	z.avail_out = (unsigned)s.n + 1000;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_added(out, z.total_out);
	deflateEnd(&z);
}

/* Feeds it in pieces of `piece` bytes. */
static int inflate_all(enum inflate_kind kind, size_t limit, struct str in, size_t piece,
	struct buf *out, struct err *e)
{
	struct inflate i;
	int r = 0;

	*e = (struct err){0};
	inflate_init(&i, kind, limit);
	for (size_t at = 0; at < in.n && r == 0; at += piece) {
		size_t n = in.n - at < piece ? in.n - at : piece, took = n;

		r = inflate_feed(&i, in.p + at, &took, to_buf, out, e);
		assert_true(r != 0 || took == n);
	}
	if (r == 0)
		r = inflate_finish(&i, to_buf, out, e);
	inflate_release(&i);
	return r;
}

static void check_round(enum inflate_kind kind, int window, size_t piece)
{
	struct buf text, packed, out;
	struct err e;

	buf_init(&text, BUF_NO_LIMIT);
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "%d,", i * 7919);
	deflate_to(&packed, window, buf_as_str(&text));
	assert_int_equal(inflate_all(kind, text.n, buf_as_str(&packed), piece, &out, &e), 0);
	assert_true(str_eq(buf_as_str(&out), buf_as_str(&text)));
	buf_release(&text);
	buf_release(&packed);
	buf_release(&out);
}

static void every_format_in_any_pieces(void **state)
{
	static const size_t pieces[] = {1, 7, 1000, 1 << 20};

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		check_round(INFLATE_GZIP, GZIP, pieces[i]);
		check_round(INFLATE_DEFLATE, ZLIB, pieces[i]);
		check_round(INFLATE_DEFLATE, RAW, pieces[i]);
	}
}

static void gzip_may_have_members(void **state)
{
	struct buf packed, out;
	struct err e;

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	deflate_to(&packed, GZIP, STR("one "));
	deflate_to(&packed, GZIP, STR("two"));
	assert_int_equal(inflate_all(INFLATE_GZIP, 100, buf_as_str(&packed), 5, &out, &e), 0);
	assert_str(buf_as_str(&out), "one two");
	buf_release(&packed);
	buf_release(&out);
}

static void limit_is_to_the_byte(void **state)
{
	struct buf packed, out;
	struct err e;

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	deflate_to(&packed, GZIP, STR("0123456789"));
	assert_int_equal(inflate_all(INFLATE_GZIP, 10, buf_as_str(&packed), 100, &out, &e), 0);
	buf_clear(&out);
	assert_int_equal(inflate_all(INFLATE_GZIP, 9, buf_as_str(&packed), 100, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(out.n, 0);
	buf_release(&packed);
	buf_release(&out);
}

static void bomb_ends_at_the_ratio(void **state)
{
	size_t n = (size_t)64 << 20;
	char *zeros = calloc(1, n);
	struct buf packed, out;
	struct err e;

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	deflate_to(&packed, GZIP, (struct str){zeros, n});
	assert_int_equal(inflate_all(INFLATE_GZIP, n, buf_as_str(&packed), 4096, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "200 times");
	assert_in_range(out.n, 1, INFLATE_FREE + ((size_t)4096 * 1100));
	free(zeros);
	buf_release(&packed);
	buf_release(&out);
}

static void broken_bodies_are_input(void **state)
{
	struct buf packed, out;
	struct err e;

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	assert_int_equal(
		inflate_all(INFLATE_GZIP, 100, STR("{\"not\": \"gzip\"}"), 100, &out, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_int_equal(inflate_all(INFLATE_GZIP, 100, STR(""), 100, &out, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_has(str_of(e.text), "breaks off");
	deflate_to(&packed, ZLIB, STR("0123456789"));
	assert_int_equal(inflate_all(INFLATE_DEFLATE, 100, (struct str){packed.p, packed.n - 1},
				 100, &out, &e),
		-1);
	assert_has(str_of(e.text), "breaks off");
	buf_putc(&packed, '!');
	assert_int_equal(inflate_all(INFLATE_DEFLATE, 100, buf_as_str(&packed), 1, &out, &e), -1);
	assert_has(str_of(e.text), "after its end");
	assert_int_equal(e.offset, packed.n - 1);
	packed.p[packed.n - 3] ^= 1;
	assert_int_equal(inflate_all(INFLATE_DEFLATE, 100, (struct str){packed.p, packed.n - 1},
				 100, &out, &e),
		-1);
	assert_has(str_of(e.text), "incorrect data check");
	buf_release(&packed);
	buf_release(&out);
}

static int stop(void *ctx, const char *p, size_t n, struct err *e)
{
	(void)ctx;
	(void)p;
	return err_set(e, ERR_CONFLICT, "no more than %zu", n);
}

static void sink_may_stop_it(void **state)
{
	struct buf packed;
	struct inflate i;
	struct err e = {0};

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	deflate_to(&packed, GZIP, STR("abc"));
	inflate_init(&i, INFLATE_GZIP, 100);
	assert_int_equal(inflate_feed(&i, packed.p, &packed.n, stop, NULL, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	inflate_release(&i);
	buf_release(&packed);
}

/* ---- zstd and snappy ---- */

static void zstd_to(struct buf *out, int window_log, struct str s)
{
	size_t room = ZSTD_compressBound(s.n), n;
	ZSTD_CCtx *c = ZSTD_createCCtx();

	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
	if (window_log)
		ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log);
	n = ZSTD_compress2(c, buf_room(out, room), room, s.p, s.n);
	assert_false(ZSTD_isError(n));
	buf_added(out, n);
	ZSTD_freeCCtx(c);
}

static void block_to(struct buf *out, struct str s)
{
	size_t n = snappy_max_compressed_length(s.n);

	assert_int_equal(snappy_compress(s.p, s.n, buf_room(out, n), &n), SNAPPY_OK);
	buf_added(out, n);
}

/* Bit by bit, so that it shares nothing with the table of the decoder. */
static uint32_t masked_crc32c(struct str s)
{
	uint32_t c = 0xffffffff;

	for (size_t i = 0; i < s.n; i++) {
		c ^= (unsigned char)s.p[i];
		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1;
	}
	c = ~c;
	return (c >> 15 | c << 17) + 0xa282ead8;
}

static void chunk_to(struct buf *out, int type, struct str data, struct str of)
{
	uint32_t crc = masked_crc32c(of);
	size_t n = data.n + 4;

	buf_putc(out, (char)type);
	for (int i = 0; i < 3; i++)
		buf_putc(out, (char)(n >> 8 * i));
	for (int i = 0; i < 4; i++)
		buf_putc(out, (char)(crc >> 8 * i));
	buf_str(out, data);
}

#define IDENTIFIER ((struct str){"\xff\x06\x00\x00sNaPpY", 10})

/* As compressors do: 64 KiB a chunk; plain ones between, and padding. */
static void frames_to(struct buf *out, struct str s)
{
	buf_str(out, IDENTIFIER);
	for (size_t at = 0, k = 0; at < s.n; at += 65536, k++) {
		struct str part = {s.p + at, s.n - at < 65536 ? s.n - at : 65536};
		struct buf packed;

		buf_init(&packed, BUF_NO_LIMIT);
		block_to(&packed, part);
		chunk_to(out, k % 2, k % 2 ? part : buf_as_str(&packed), part);
		buf_str(out, (struct str){"\xfe\x03\x00\x00???\x80\x00\x00\x00", 11});
		buf_release(&packed);
	}
}

static void zstd_with_any_window(struct buf *out, struct str s)
{
	zstd_to(out, 0, s);
}

static const struct {
	enum inflate_kind kind;
	void (*pack)(struct buf *out, struct str s);
} shapes[] = {{INFLATE_ZSTD, zstd_with_any_window}, {INFLATE_SNAPPY, block_to},
	{INFLATE_SNAPPY, frames_to}};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static void text_to(struct buf *text, int numbers)
{
	for (int i = 0; i < numbers; i++)
		buf_printf(text, "%d,", i * 7919);
}

static void zstd_and_snappy_in_any_pieces(void **state)
{
	static const size_t pieces[] = {1, 7, 1000, 1 << 20};
	struct buf text, packed, out;
	struct err e;

	(void)state;
	buf_init(&text, BUF_NO_LIMIT);
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	text_to(&text, 20000);
	for (size_t k = 0; k < SHAPES; k++) {
		buf_clear(&packed);
		shapes[k].pack(&packed, buf_as_str(&text));
		for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			buf_clear(&out);
			assert_int_equal(inflate_all(shapes[k].kind, text.n, buf_as_str(&packed),
						 pieces[i], &out, &e),
				0);
			assert_true(str_eq(buf_as_str(&out), buf_as_str(&text)));
		}
		buf_clear(&out);
		assert_int_equal(inflate_all(shapes[k].kind, text.n - 1, buf_as_str(&packed), 4096,
					 &out, &e),
			-1);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_has(str_of(e.text), "http.body_limit");
	}
	buf_release(&text);
	buf_release(&packed);
	buf_release(&out);
}

static void zstd_and_snappy_that_break_off(void **state)
{
	struct buf text, packed, out;
	struct err e;

	(void)state;
	buf_init(&text, BUF_NO_LIMIT);
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	text_to(&text, 100);
	for (size_t k = 0; k < SHAPES; k++) {
		buf_clear(&packed);
		shapes[k].pack(&packed, buf_as_str(&text));
		/* The last 11 bytes of frames are padding; a stream may end before it. */
		for (size_t n = 0; n < packed.n - (k == 2 ? 11 : 0); n++) {
			bool whole = k == 2 && n == 10; /* the identifier: an empty stream */

			assert_int_equal(inflate_all(shapes[k].kind, text.n,
						 (struct str){packed.p, n}, 64, &out, &e),
				whole ? 0 : -1);
			if (!whole)
				assert_int_equal(e.code, ERR_INPUT);
		}
	}
	buf_release(&text);
	buf_release(&packed);
	buf_release(&out);
}

static void zstd_and_snappy_with_rubbish_behind(void **state)
{
	struct buf packed, out;
	struct err e;

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	for (size_t k = 0; k < SHAPES; k++) {
		buf_clear(&packed);
		shapes[k].pack(&packed, STR("0123456789"));
		buf_puts(&packed, "rubbish");
		assert_int_equal(
			inflate_all(shapes[k].kind, 100, buf_as_str(&packed), 3, &out, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
		assert_in_range(e.offset, 10, packed.n);
	}
	buf_release(&packed);
	buf_release(&out);
}

/* libzstd as Debian builds it reads formats from before the standard, and not alike in one piece and in several. */
static void zstd_of_before_the_standard(void **state)
{
	static const char legacy[] = "\x27\xb5\x2f\xfd\0\0\0\0";
	struct buf packed, out;
	struct err e;

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	for (int behind = 0; behind < 2; behind++) {
		buf_clear(&packed);
		if (behind)
			zstd_with_any_window(&packed, STR("0123456789"));
		size_t at = packed.n;
		buf_add(&packed, legacy, sizeof(legacy));
		for (size_t piece = 1; piece <= packed.n; piece++) {
			assert_int_equal(inflate_all(INFLATE_ZSTD, 100, buf_as_str(&packed), piece, &out, &e), -1);
			assert_int_equal(e.code, ERR_INPUT);
			assert_has(str_of(e.text), "no zstd frame begins here");
			assert_int_equal(e.offset, at);
		}
	}
	buf_release(&packed);
	buf_release(&out);
}

/* It looks for older formats also behind a first byte that it has kept. */
static void zstd_frame_begins_as_one_or_not_at_all(void **state)
{
	static const struct {
		struct str body;
		size_t offset;
	} cases[] = {
		{STR("\x28\x27\xb5\x2f\xfd\x01\0\0\0\0\0"), 1},
		{STR("\x28\xb5\x2f\x27\xb5\x2f\xfd\x01\0\0\0\0"), 3},
		{STR("\x28\xb5\x2f\xfe\x20\0\x01\0\0"), 3},
		{STR("\x5a\x2a\x27\xb5\x2f\xfd\x01\0\0\0"), 2},
	};
	struct buf out;
	struct err e;

	(void)state;
	buf_init(&out, BUF_NO_LIMIT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t piece = 1; piece <= cases[i].body.n; piece++) {
			assert_int_equal(
				inflate_all(INFLATE_ZSTD, 100, cases[i].body, piece, &out, &e), -1);
			assert_int_equal(e.code, ERR_INPUT);
			assert_has(str_of(e.text), "no zstd frame begins here");
			assert_int_equal(e.offset, cases[i].offset);
		}
	}
	buf_release(&out);
}

static void zstd_and_snappy_frames_follow_each_other(void **state)
{
	struct buf packed, out;
	struct err e;

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	for (size_t k = 0; k < SHAPES; k++) {
		bool may = k != 1; /* a block is one */

		buf_clear(&packed);
		buf_clear(&out);
		shapes[k].pack(&packed, STR("one "));
		if (k == 0) /* a skippable frame between */
			buf_str(&packed, (struct str){"\x50\x2a\x4d\x18\x02\x00\x00\x00--", 10});
		shapes[k].pack(&packed, STR("two"));
		assert_int_equal(
			inflate_all(shapes[k].kind, 100, buf_as_str(&packed), 5, &out, &e),
			may ? 0 : -1);
		if (may)
			assert_str(buf_as_str(&out), "one two");
	}
	buf_release(&packed);
	buf_release(&out);
}

static void zstd_bomb_ends_at_the_ratio(void **state)
{
	size_t n = (size_t)64 << 20;
	char *zeros = calloc(1, n);
	struct buf packed, out;
	struct err e;

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	zstd_to(&packed, 0, (struct str){zeros, n});
	assert_in_range(packed.n, 1, 10000);
	assert_int_equal(inflate_all(INFLATE_ZSTD, n, buf_as_str(&packed), 4096, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "200 times");
	assert_in_range(out.n, 1, INFLATE_FREE + 65536);
	free(zeros);
	buf_release(&packed);
	buf_release(&out);
}

/* What a frame may ask for is looked at before it is taken. */
static void zstd_window_is_bounded(void **state)
{
	size_t n = (size_t)20 << 20;
	struct buf text, packed, out;
	struct err e;

	(void)state;
	buf_init(&text, BUF_NO_LIMIT);
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	for (uint64_t v = 1; text.n < n; v++)
		buf_printf(&text, "%016jx,", (uintmax_t)(v * UINT64_C(0x9e3779b97f4a7c15)));
	zstd_to(&packed, 23, buf_as_str(&text));
	assert_int_equal(
		inflate_all(INFLATE_ZSTD, text.n, buf_as_str(&packed), 16384, &out, &e), 0);
	assert_true(str_eq(buf_as_str(&out), buf_as_str(&text)));
	buf_clear(&packed);
	buf_clear(&out);
	zstd_to(&packed, 24, buf_as_str(&text));
	assert_int_equal(
		inflate_all(INFLATE_ZSTD, text.n, buf_as_str(&packed), 16384, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "wlog=23");
	assert_int_equal(out.n, 0);
	buf_release(&text);
	buf_release(&packed);
	buf_release(&out);
}

/* An empty frame that asks for a window of 16 MiB: libzstd does not look at it where it has the whole frame before it. */
static void zstd_window_is_bounded_in_any_pieces(void **state)
{
	static const struct str frame = {"\x28\xb5\x2f\xfd\x90\x70\0\0\0\0\x01\0\0", 13};
	struct buf twice, out;
	struct err e;

	(void)state;
	buf_init(&twice, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	zstd_to(&twice, 0, STR("before "));
	buf_str(&twice, frame);
	for (size_t piece = 1; piece <= 64; piece++) {
		assert_int_equal(inflate_all(INFLATE_ZSTD, 1000, frame, piece, &out, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_has(str_of(e.text), "wlog=23");
		assert_int_equal(inflate_all(INFLATE_ZSTD, 1000, buf_as_str(&twice), piece, &out, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
	}
	buf_release(&twice);
	buf_release(&out);
}

/* It says 4 GiB in five bytes. */
static void snappy_block_is_bounded_by_its_head(void **state)
{
	struct buf out;
	struct inflate i;
	struct err e = {0};

	(void)state;
	buf_init(&out, BUF_NO_LIMIT);
	assert_int_equal(inflate_all(INFLATE_SNAPPY, (size_t)1 << 40,
				 (struct str){"\xff\xff\xff\xff\x0f", 5}, 1, &out, &e),
		-1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "16 MiB");
	/* More bytes than it can need are not kept. */
	inflate_init(&i, INFLATE_SNAPPY, 100);
	assert_int_equal(inflate_feed(&i, "\x05\x10", &(size_t){2}, to_buf, &out, &e), 0);
	assert_in_range(inflate_held(&i), 1, 70000);
	assert_int_equal(inflate_feed(&i, (char[200]){0}, &(size_t){200}, to_buf, &out, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	inflate_release(&i);
	assert_int_equal(inflate_held(&i), 0);
	buf_release(&out);
}

/* ---- pauses ---- */

#define ENOUGH ((size_t)64 << 10) /* bytes that one turn wants */

struct turn {
	struct buf out;
	size_t got, most; /* in this turn; in any of them */
	size_t turns;
};

static int until_enough(void *ctx, const char *p, size_t n, struct err *e)
{
	struct turn *t = ctx;

	buf_add(&t->out, p, n);
	t->got += n;
	if (t->got > t->most)
		t->most = t->got;
	if (buf_failed(&t->out))
		return err_set(e, ERR_NOMEM, "the test's buffer is full");
	return t->got >= ENOUGH ? INFLATE_PAUSE : 0;
}

/* Feeds and finishes it in as many turns as it takes. */
static void in_turns(enum inflate_kind kind, struct str packed, struct turn *t)
{
	struct inflate i;
	struct err e = {0};
	int r = 0;

	inflate_init(&i, kind, (size_t)64 << 20);
	for (size_t at = 0; at < packed.n; t->turns++) {
		size_t n = packed.n - at;

		t->got = 0;
		r = inflate_feed(&i, packed.p + at, &n, until_enough, t, &e);
		assert_in_range(r, 0, INFLATE_PAUSE);
		assert_true(n > 0 || t->got > 0);
		at += n;
		assert_int_equal(r == INFLATE_PAUSE, at < packed.n);
	}
	do {
		t->got = 0;
		t->turns++;
		r = inflate_finish(&i, until_enough, t, &e);
	} while (r == INFLATE_PAUSE);
	assert_int_equal(r, 0);
	inflate_release(&i);
}

static void check_turns(enum inflate_kind kind, struct str packed, struct str text)
{
	struct turn t = {.turns = 0};

	buf_init(&t.out, BUF_NO_LIMIT);
	in_turns(kind, packed, &t);
	assert_true(str_eq(buf_as_str(&t.out), text));
	assert_true(t.turns >= text.n / (ENOUGH + INFLATE_LATE));
	assert_true(t.most <= ENOUGH + INFLATE_LATE);
	buf_release(&t.out);
}

/* Few bytes become many: a sender must not hold up all others by one piece. */
static void pauses_where_it_is_asked(void **state)
{
	static const size_t n = (size_t)8 << 20;
	struct buf text, packed;

	(void)state;
	buf_init(&text, BUF_NO_LIMIT);
	buf_init(&packed, BUF_NO_LIMIT);
	while (text.n < n)
		buf_printf(&text, "%080zu", text.n);
	deflate_to(&packed, GZIP, buf_as_str(&text));
	deflate_to(&packed, GZIP, STR("another member"));
	buf_puts(&text, "another member");
	check_turns(INFLATE_GZIP, buf_as_str(&packed), buf_as_str(&text));
	buf_clear(&packed);
	zstd_to(&packed, 0, buf_as_str(&text));
	check_turns(INFLATE_ZSTD, buf_as_str(&packed), buf_as_str(&text));
	buf_clear(&packed);
	frames_to(&packed, buf_as_str(&text));
	check_turns(INFLATE_SNAPPY, buf_as_str(&packed), buf_as_str(&text));
	buf_clear(&packed);
	block_to(&packed, buf_as_str(&text));
	check_turns(INFLATE_SNAPPY, buf_as_str(&packed), buf_as_str(&text));
	buf_release(&text);
	buf_release(&packed);
}

/* A block that is given up in the middle leaves nothing behind. */
static void may_end_in_a_pause(void **state)
{
	static char zeros[1 << 20];
	struct turn t = {.turns = 0};
	struct buf packed;
	struct inflate i;
	struct err e = {0};

	(void)state;
	buf_init(&t.out, BUF_NO_LIMIT);
	buf_init(&packed, BUF_NO_LIMIT);
	block_to(&packed, (struct str){zeros, sizeof(zeros)});
	inflate_init(&i, INFLATE_SNAPPY, sizeof(zeros));
	assert_int_equal(inflate_feed(&i, packed.p, &packed.n, until_enough, &t, &e), 0);
	assert_int_equal(inflate_finish(&i, until_enough, &t, &e), INFLATE_PAUSE);
	inflate_release(&i);
	buf_release(&packed);
	buf_release(&t.out);
}

static void snappy_chunks_are_held_against_their_checksum(void **state)
{
	static const struct {
		int at;
		const char *says;
	} cases[] = {{5, "stream identifier"}, {10, "unknown type"}, {13, "length"},
		{14, "checksum"}, {20, "checksum"}};
	struct buf packed, out;
	struct err e;

	(void)state;
	buf_init(&packed, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		buf_clear(&packed);
		buf_str(&packed, IDENTIFIER);
		chunk_to(&packed, 1, STR("0123456789"), STR("0123456789"));
		buf_str(&packed, IDENTIFIER); /* once more is fine */
		assert_int_equal(
			inflate_all(INFLATE_SNAPPY, 100, buf_as_str(&packed), 100, &out, &e), 0);
		if (k == 0)
			packed.p[packed.n - 1] ^= 2;
		else
			packed.p[cases[k].at] ^= 2;
		assert_int_equal(
			inflate_all(INFLATE_SNAPPY, 100, buf_as_str(&packed), 100, &out, &e), -1);
		assert_has(str_of(e.text), cases[k].says);
	}
	buf_release(&packed);
	buf_release(&out);
}

static void encodings_have_names(void **state)
{
	enum inflate_kind kind;

	(void)state;
	assert_true(inflate_kind_of(STR("X-GZIP"), &kind));
	assert_int_equal(kind, INFLATE_GZIP);
	assert_true(inflate_kind_of(STR("Snappy"), &kind));
	assert_int_equal(kind, INFLATE_SNAPPY);
	assert_true(inflate_kind_of(STR("zstd"), &kind));
	assert_int_equal(kind, INFLATE_ZSTD);
	assert_false(inflate_kind_of(STR("br"), &kind));
	assert_false(inflate_kind_of(STR("gzip, gzip"), &kind));
	assert_false(inflate_kind_of(STR(""), &kind));
}

TESTS_MAIN(cmocka_unit_test(every_format_in_any_pieces), cmocka_unit_test(gzip_may_have_members),
	cmocka_unit_test(limit_is_to_the_byte), cmocka_unit_test(bomb_ends_at_the_ratio),
	cmocka_unit_test(broken_bodies_are_input), cmocka_unit_test(sink_may_stop_it), cmocka_unit_test(pauses_where_it_is_asked),
	cmocka_unit_test(may_end_in_a_pause),
	cmocka_unit_test(zstd_and_snappy_in_any_pieces),
	cmocka_unit_test(zstd_and_snappy_that_break_off),
	cmocka_unit_test(zstd_and_snappy_with_rubbish_behind),
	cmocka_unit_test(zstd_of_before_the_standard),
	cmocka_unit_test(zstd_frame_begins_as_one_or_not_at_all),
	cmocka_unit_test(zstd_and_snappy_frames_follow_each_other),
	cmocka_unit_test(zstd_bomb_ends_at_the_ratio), cmocka_unit_test(zstd_window_is_bounded),
	cmocka_unit_test(zstd_window_is_bounded_in_any_pieces),
	cmocka_unit_test(snappy_block_is_bounded_by_its_head),
	cmocka_unit_test(snappy_chunks_are_held_against_their_checksum),
	cmocka_unit_test(encodings_have_names))
