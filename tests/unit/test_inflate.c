/* Compressed bodies: every way in, and every way they must not go on. */
#include "unit.h"

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
	for (size_t at = 0; at < in.n && r == 0; at += piece)
		r = inflate_feed(
			&i, in.p + at, in.n - at < piece ? in.n - at : piece, to_buf, out, e);
	if (r == 0)
		r = inflate_finish(&i, e);
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
	assert_int_equal(inflate_feed(&i, packed.p, packed.n, stop, NULL, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	inflate_release(&i);
	buf_release(&packed);
}

TESTS_MAIN(cmocka_unit_test(every_format_in_any_pieces), cmocka_unit_test(gzip_may_have_members),
	cmocka_unit_test(limit_is_to_the_byte), cmocka_unit_test(bomb_ends_at_the_ratio),
	cmocka_unit_test(broken_bodies_are_input), cmocka_unit_test(sink_may_stop_it))
