/* RFC 3339 both ways, over the whole range, against known instants. */
#include "unit.h"
#include "base/clock.h"

static void parses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00.5Z", 500000000},
		{"2026-11-22T19:19:32.624Z", INT64_C(1795375172624000000)},
		{"2026-11-22T20:19:32.624+01:00", INT64_C(1795375172624000000)},
		{"2026-11-22T10:49:32.624-08:30", INT64_C(1795375172624000000)},
		{"2000-02-29t12:00:00z", INT64_C(951825600000000000)},
		{"2016-12-31T23:59:60Z", INT64_C(1483228800000000000)},
		{"1969-12-31T23:59:59.999999999Z", -1},
		{"2026-11-22T19:19:32.1234567899999Z", INT64_C(1795375172123456789)},
		{"0001-01-01T00:00:00Z", 0},
		{"1678-01-01T00:00:00Z", INT64_C(-9214560000000000000)},
		{"2261-12-31T23:59:59Z", INT64_C(9214646399000000000)},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t ns = 42;
		if (!clock_parse_rfc3339(str_of(good[i].text), &ns))
			fail_msg("'%s' was refused", good[i].text);
		if (ns != good[i].ns)
			fail_msg("'%s' gave %lld", good[i].text, (long long)ns);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "2026", "2026-11-22", "2026-11-22T19:19:32", "2026-11-22 19:19:32Z",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2026-11-00T00:00:00Z",
		"2026-11-22T24:00:00Z", "2026-11-22T00:60:00Z", "2026-11-22T00:00:61Z",
		"2026-11-22T00:00:00.Z", "2026-11-22T00:00:00+1:00", "2026-11-22T00:00:00+24:00",
		"2026-11-22T00:00:00+01:60", "2026-11-22T00:00:00ZZ", "2026-11-22T00:00:00Z ",
		"1677-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
		"-026-11-22T00:00:00Z", "2026-1-22T00:00:00Z", "2026-11-22T00:00:00+0100",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ns;
		if (clock_parse_rfc3339(str_of(bad[i]), &ns))
			fail_msg("'%s' was taken", bad[i]);
	}
	int64_t ns;
	assert_false(clock_parse_rfc3339((struct str){"2026-11-22T00:00:00\0", 20}, &ns));
	assert_false(clock_parse_rfc3339(STR_NONE, &ns));
}

static void formats(void **state)
{
	(void)state;
	char text[CLOCK_RFC3339_MAX];
	clock_format_ms(INT64_C(1795375172624), text);
	assert_string_equal(text, "2026-11-22T19:19:32.624Z");
	clock_format_ms(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
	clock_format_ns(INT64_C(1795375172624000000), text);
	assert_string_equal(text, "2026-11-22T19:19:32.624Z");
	clock_format_ns(INT64_C(1795375172624001000), text);
	assert_string_equal(text, "2026-11-22T19:19:32.624001Z");
	clock_format_ns(INT64_C(1795375172624000001), text);
	assert_string_equal(text, "2026-11-22T19:19:32.624000001Z");
	clock_format_ms(INT64_MAX, text);
	assert_true(strlen(text) < CLOCK_RFC3339_MAX);
	clock_format_ms(INT64_MIN, text);
	assert_true(strlen(text) < CLOCK_RFC3339_MAX);
}

static void what_is_printed_parses_back(void **state)
{
	(void)state;
	/* A prime of about eleven days, so that all months, leap years and hours come by. */
	for (int64_t ms = INT64_C(-9214560000000); ms < INT64_C(9214646399000); ms += 950400047) {
		char text[CLOCK_RFC3339_MAX];
		int64_t ns;
		clock_format_ms(ms, text);
		assert_true(clock_parse_rfc3339(str_of(text), &ns));
		assert_int_equal(ns, ms * 1000000);
	}
}

static void clocks_go_forward(void **state)
{
	(void)state;
	int64_t a = clock_mono_us();
	int64_t b = clock_mono_us();
	assert_true(b >= a && a > 0);
	assert_true(clock_mono_ms() >= a / 1000);
	/* after 2020: milliseconds, neither seconds nor microseconds */
	assert_true(clock_wall_ms() > INT64_C(1577836800000));
	assert_true(clock_wall_ms() < INT64_C(9214646399000));
}

TESTS_MAIN(cmocka_unit_test(parses), cmocka_unit_test(refuses), cmocka_unit_test(formats),
	cmocka_unit_test(what_is_printed_parses_back), cmocka_unit_test(clocks_go_forward))
