/* Which bytes are UTF-8: every one of the boundaries of RFC 3629. */
#include "unit.h"
#include "base/utf8.h"

static size_t length(const char *z)
{
	return utf8_char(z, strlen(z));
}

static void boundaries(void **state)
{
	(void)state;
	assert_int_equal(length("A"), 1);
	assert_int_equal(length("\x7F"), 1);
	assert_int_equal(length("\x80"), 0);
	assert_int_equal(length("\xC1\xBF"), 0);
	assert_int_equal(length("\xC2\x80"), 2);
	assert_int_equal(length("\xDF\xBF"), 2);
	assert_int_equal(length("\xE0\x9F\xBF"), 0);
	assert_int_equal(length("\xE0\xA0\x80"), 3);
	assert_int_equal(length("\xED\x9F\xBF"), 3);
	assert_int_equal(length("\xED\xA0\x80"), 0);
	assert_int_equal(length("\xEE\x80\x80"), 3);
	assert_int_equal(length("\xEF\xBF\xBF"), 3);
	assert_int_equal(length("\xF0\x8F\xBF\xBF"), 0);
	assert_int_equal(length("\xF0\x90\x80\x80"), 4);
	assert_int_equal(length("\xF4\x8F\xBF\xBF"), 4);
	assert_int_equal(length("\xF4\x90\x80\x80"), 0);
	assert_int_equal(length("\xF5\x80\x80\x80"), 0);
	assert_int_equal(length("\xFF"), 0);
}

static void cut_characters(void **state)
{
	(void)state;
	assert_int_equal(length("\xC3"), 0);
	assert_int_equal(length("\xE2\x82"), 0);
	assert_int_equal(length("\xF0\x9F\x98"), 0);
	assert_int_equal(length("\xC3(") , 0);
	assert_int_equal(length("\xE2\x82("), 0);
	assert_int_equal(length("\xF0\x9F\x98("), 0);
}

static void place_of_the_fault(void **state)
{
	(void)state;
	assert_int_equal(utf8_valid(STR_NONE), 0);
	assert_int_equal(utf8_valid(STR("plain text that is longer than eight bytes")), 42);
	assert_int_equal(utf8_valid(STR("0123456\xFF" "89")), 7);
	assert_int_equal(utf8_valid(STR("01234567\xFF")), 8);
	assert_int_equal(utf8_valid(STR("0123456\xC3\xA4xyz")), 12);
	assert_int_equal(utf8_valid(STR("\xE2\x82\xAC 5 \xE2\x82")), 6);
}

TESTS_MAIN(cmocka_unit_test(boundaries), cmocka_unit_test(cut_characters),
	cmocka_unit_test(place_of_the_fault))
