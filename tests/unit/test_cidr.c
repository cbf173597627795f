/* Addresses and ranges of them. */
#include "unit.h"

#include "base/cidr.h"

static bool has(const char *range, const char *address)
{
	unsigned char bytes[CIDR_ADDRESS];
	struct cidr c;

	if (!cidr_parse(str_of(range), &c) || !cidr_parse_address(str_of(address), bytes))
		fail_msg("cannot read '%s' or '%s'", range, address);
	return cidr_has(&c, bytes);
}

static void ranges(void **state)
{
	(void)state;
	assert_true(has("10.0.0.0/8", "10.255.255.255"));
	assert_false(has("10.0.0.0/8", "11.0.0.0"));
	assert_false(has("10.0.0.0/8", "9.255.255.255"));
	assert_true(has("10.1.2.3/8", "10.0.0.1")); /* what is behind the prefix does not count */
	assert_true(has("192.0.2.128/25", "192.0.2.128"));
	assert_false(has("192.0.2.128/25", "192.0.2.127"));
	assert_true(has("192.0.2.6/31", "192.0.2.7"));
	assert_false(has("192.0.2.6/31", "192.0.2.5"));
	assert_true(has("192.0.2.7", "192.0.2.7"));
	assert_false(has("192.0.2.7", "192.0.2.6"));
	assert_true(has("192.0.2.7/32", "192.0.2.7"));
	assert_true(has("0.0.0.0/0", "255.1.2.3"));
	assert_true(has("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(has("2001:db8::/32", "2001:db9::"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("::1", "::1"));
	assert_false(has("::1/128", "::2"));
}

static void families_are_kept_apart(void **state)
{
	(void)state;
	assert_true(has("::/0", "2001:db8::1"));
	assert_false(has("::/0", "10.0.0.1"));
	assert_false(has("::/95", "10.0.0.1"));
	assert_false(has("0.0.0.0/0", "::"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	/* However it is written, it is the same address. */
	assert_true(has("10.0.0.0/8", "::ffff:10.2.3.4"));
	assert_true(has("::ffff:10.0.0.0/104", "10.2.3.4"));
	assert_true(has("::ffff:0:0/96", "203.0.113.1"));
}

static void what_is_no_range(void **state)
{
	static const char *const bad[] = {"", "x", "10", "10.1", "10.0.0", "10.0.0.0.0", "256.0.0.1", "010.0.0.1",
		"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8 ", " 10.0.0.0/8", "10.0.0.0/8/8",
		"10.0.0.0/255.0.0.0", "::/129", "::/0128", ":::/8", "fe80::1%lo", "[::1]", "localhost", "/8",
		"::ffff:10.0.0.1/1000", "1111:2222:3333:4444:5555:6666:7777:8888:9999"};
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (cidr_parse(str_of(bad[i]), &c))
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_false(cidr_parse((struct str){"10.0.0.1\0", 9}, &c));
	assert_false(cidr_parse(STR_NONE, &c));
}

static void any_of_them(void **state)
{
	struct cidr v[2];
	unsigned char a[CIDR_ADDRESS];

	(void)state;
	assert_true(cidr_parse(STR("10.0.0.0/8"), &v[0]) && cidr_parse(STR("2001:db8::/32"), &v[1]));
	assert_true(cidr_parse_address(STR("2001:db8::5"), a));
	assert_true(cidr_any(v, 2, a));
	assert_false(cidr_any(v, 1, a));
	assert_false(cidr_any(NULL, 0, a));
}

static void as_text(void **state)
{
	static const char *const same[] = {"10.0.0.1", "2001:db8::1", "::1"};
	char text[CIDR_TEXT_MAX];
	unsigned char a[CIDR_ADDRESS];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(cidr_parse_address(str_of(same[i]), a));
		cidr_format_address(a, text);
		assert_string_equal(text, same[i]);
	}
	assert_true(cidr_parse_address(STR("::FFFF:10.0.0.1"), a));
	cidr_format_address(a, text);
	assert_string_equal(text, "10.0.0.1");
}

TESTS_MAIN(cmocka_unit_test(ranges), cmocka_unit_test(families_are_kept_apart), cmocka_unit_test(what_is_no_range),
	cmocka_unit_test(any_of_them), cmocka_unit_test(as_text))
