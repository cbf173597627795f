/* Durations and sizes parse, print, and come back as they were. */
#include "unit.h"
#include "base/units.h"

static void durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"0", 0}, {"0s", 0}, {"500ms", 500}, {"10s", 10000}, {"5m", 300000},
		{"2h", 7200000}, {"30d", INT64_C(2592000000)}, {"1h30m", 5400000},
		{"1d2h3m4s5ms", 93784005}, {"90m", 5400000}, {"36525d", INT64_C(3155760000000)},
		{"007s", 7000},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t ms = -1;
		assert_true(units_parse_duration(str_of(good[i].text), &ms));
		assert_int_equal(ms, good[i].ms);
	}
}

static void no_durations(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "5", "s", "-5s", "1.5h", "5 m", " 5m", "5m ", "30m1h", "1h1h", "5y", "5M",
		"36526d", "99999999999999999999d", "9223372036854775807d", "5mm", "1d-1h", "+5s",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ms;
		if (units_parse_duration(str_of(bad[i]), &ms))
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void sizes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t bytes;
	} good[] = {
		{"0", 0}, {"512", 512}, {"512B", 512}, {"64KiB", 65536}, {"8MiB", 8388608},
		{"1GiB", 1073741824}, {"2TiB", INT64_C(2199023255552)},
		{"9007199254740992", INT64_C(9007199254740992)},
	};
	static const char *const bad[] = {
		"", "KiB", "1KB", "1kib", "1 KiB", "-1", "1.5MiB", "9007199254740993", "8193TiB",
		"99999999999999999999", "1MiB1KiB", "64K",
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t bytes = -1;
		assert_true(units_parse_size(str_of(good[i].text), &bytes));
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t bytes;
		if (units_parse_size(str_of(bad[i]), &bytes))
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void formats(void **state)
{
	(void)state;
	char text[UNITS_TEXT_MAX];
	units_format_duration(90000, text);
	assert_string_equal(text, "90s");
	units_format_duration(5400000, text);
	assert_string_equal(text, "90m");
	units_format_duration(INT64_C(2592000000), text);
	assert_string_equal(text, "30d");
	units_format_duration(1500, text);
	assert_string_equal(text, "1500ms");
	units_format_duration(0, text);
	assert_string_equal(text, "0s");
	units_format_size(64 << 20, text);
	assert_string_equal(text, "64MiB");
	units_format_size(1000, text);
	assert_string_equal(text, "1000B");
	units_format_size(0, text);
	assert_string_equal(text, "0B");
}

static void what_is_printed_parses_back(void **state)
{
	(void)state;
	char text[UNITS_TEXT_MAX];
	for (int64_t v = 1; v < INT64_C(3155760000000); v = v * 3 + v % 7) {
		int64_t back = -1;
		units_format_duration(v, text);
		assert_true(units_parse_duration(str_of(text), &back));
		assert_int_equal(back, v);
		units_format_size(v, text);
		assert_true(units_parse_size(str_of(text), &back));
		assert_int_equal(back, v);
	}
}

TESTS_MAIN(cmocka_unit_test(durations), cmocka_unit_test(no_durations), cmocka_unit_test(sizes),
	cmocka_unit_test(formats), cmocka_unit_test(what_is_printed_parses_back))
