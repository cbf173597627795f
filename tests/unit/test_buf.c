/* The limit of a buffer cannot be gone round, and its error sticks. */
#include "unit.h"
#include "base/buf.h"

static void appends(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "a");
	buf_putc(&b, 'b');
	buf_str(&b, STR("cd"));
	buf_add(&b, "efgh", 2);
	buf_printf(&b, " %d %s", 7, "x");
	buf_putc(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	buf_putc(&b, ' ');
	buf_i64(&b, INT64_MIN);
	buf_putc(&b, ' ');
	buf_i64(&b, 0);
	buf_str(&b, STR_NONE);
	assert_string_equal(b.p, "abcdef 7 x 18446744073709551615 -9223372036854775808 0");
	assert_int_equal(b.n, strlen(b.p));
	assert_false(buf_failed(&b));
	buf_release(&b);
	assert_null(b.p);
}

static void limit_is_exact_and_sticky(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 5);
	buf_puts(&b, "abc");
	buf_puts(&b, "de");
	assert_false(buf_failed(&b));
	buf_putc(&b, 'f');
	assert_true(buf_failed(&b));
	assert_string_equal(b.p, "abcde");
	buf_clear(&b);
	assert_false(buf_failed(&b));
	buf_puts(&b, "abcd");
	buf_puts(&b, "toolong");
	buf_putc(&b, 'x');
	assert_string_equal(b.p, "abcd");
	assert_true(buf_failed(&b));
	buf_release(&b);
}

static void limit_holds_for_every_append(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 3);
	buf_printf(&b, "%s", "four");
	assert_true(buf_failed(&b));
	assert_int_equal(b.n, 0);
	buf_clear(&b);
	buf_u64(&b, 1000);
	assert_true(buf_failed(&b));
	buf_clear(&b);
	assert_null(buf_room(&b, 4));
	buf_clear(&b);
	assert_null(buf_room(&b, SIZE_MAX));
	assert_true(buf_failed(&b));
	buf_clear(&b);
	buf_printf(&b, "%s", "thr");
	assert_false(buf_failed(&b));
	assert_string_equal(b.p, "thr");
	buf_release(&b);
}

static void grows_through_large_sizes(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100000);
	for (int i = 0; i < 100000; i++)
		buf_putc(&b, (char)('a' + i % 26));
	assert_false(buf_failed(&b));
	assert_int_equal(b.n, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	assert_true(b.cap <= 100001);
	buf_putc(&b, 'x');
	assert_true(buf_failed(&b));
	buf_release(&b);
}

static void consume_and_room(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100);
	buf_consume(&b, 0);
	buf_puts(&b, "hello world");
	buf_consume(&b, 6);
	assert_string_equal(b.p, "world");
	char *p = buf_room(&b, 3);
	memcpy(p, "!!!", 3);
	buf_added(&b, 2);
	assert_string_equal(b.p, "world!!");
	buf_consume(&b, b.n);
	assert_string_equal(b.p, "");
	buf_release(&b);
}

static void steal_gives_text_or_null(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4);
	char *z = buf_steal(&b);
	assert_string_equal(z, "");
	free(z);
	buf_puts(&b, "abcd");
	z = buf_steal(&b);
	assert_string_equal(z, "abcd");
	free(z);
	assert_null(b.p);
	buf_puts(&b, "abcde");
	assert_null(buf_steal(&b));
	assert_false(buf_failed(&b));
	buf_release(&b);
}

static void shrink_keeps_limit_and_little_memory(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_puts(&b, "abc");
	buf_shrink(&b, 500);
	assert_string_equal(b.p, "");
	while (!buf_failed(&b))
		buf_puts(&b, "abc");
	assert_int_equal(b.n, 999);
	buf_shrink(&b, 500);
	assert_null(b.p);
	assert_false(buf_failed(&b));
	while (!buf_failed(&b))
		buf_puts(&b, "abc");
	assert_int_equal(b.n, 999);
	buf_release(&b);
}

TESTS_MAIN(cmocka_unit_test(appends), cmocka_unit_test(limit_is_exact_and_sticky),
	cmocka_unit_test(limit_holds_for_every_append), cmocka_unit_test(grows_through_large_sizes),
	cmocka_unit_test(consume_and_room), cmocka_unit_test(steal_gives_text_or_null),
	cmocka_unit_test(shrink_keeps_limit_and_little_memory))
