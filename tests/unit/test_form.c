/* Forms: the rules of the URL Standard, what is no text, and the limit. */
#include "unit.h"
#include "source/form.h"
#include "source/source.h"

static struct arena arena;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 16 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void decodes(void **state)
{
	static const struct {
		const char *form, *pairs; /* name=value; of each */
	} cases[] = {
		{"", ""},
		{"a=b", "a=b;"},
		{"a=b&c=d&a=e", "a=b;c=d;a=e;"},
		{"&&a=b&&", "a=b;"},
		{"a", "a=;"},
		{"a=", "a=;"},
		{"=b", "=b;"},
		{"=", "=;"},
		{"a=b=c", "a=b=c;"},
		{"a+b=c+d", "a b=c d;"},
		{"a%2Bb=%26%3d", "a+b=&=;"},
		{"%61%62=%C3%a9", "ab=\xc3\xa9;"},
		{"a=%", "a=%;"},
		{"a=%4", "a=%4;"},
		{"a=%4g%zz%%41", "a=%4g%zz%A;"},
		{"a=%2&b=1", "a=%2;b=1;"},
		{"a=%2541", "a=%41;"},
		{"a=\xe2\x82\xac", "a=\xe2\x82\xac;"},
		{"a=b;c=d", "a=b;c=d;"},
		{"a=1\r\n", "a=1\r\n;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kv *v;
		size_t n;
		struct err e;
		struct buf got;

		assert_int_equal(form_decode(&arena, str_of(cases[i].form), &v, &n, &e), 0);
		buf_init(&got, BUF_NO_LIMIT);
		for (size_t k = 0; k < n; k++)
			buf_printf(&got, "%.*s=%.*s;", STR_ARG(v[k].name), STR_ARG(v[k].value));
		assert_str(buf_as_str(&got), cases[i].pairs);
		buf_release(&got);
	}
}

static void a_semicolon_parts_nothing(void **state)
{
	struct kv *v;
	size_t n;
	struct err e;

	(void)state;
	assert_int_equal(form_decode(&arena, STR("a=b;c=d"), &v, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_str(v[0].value, "b;c=d");
}

static void refuses_what_is_no_text(void **state)
{
	static const struct {
		struct str form;
		size_t offset;
	} cases[] = {
		{STR("a=%FF"), 0},
		{STR("a=\xff"), 0},
		{STR("x=1&%c3=1"), 4},
		{STR("x=1&y=%ed%a0%80"), 4},
		{STR("x=1&y=%c0%80"), 4},
		{STR("x=1&&y=%00"), 5},
		{STR("a=b\0c"), 0},
		{STR("a%00=b"), 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kv *v;
		size_t n;
		struct err e = {0};

		assert_int_equal(form_decode(&arena, cases[i].form, &v, &n, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
		assert_int_equal(e.offset, cases[i].offset);
		assert_has(str_of(e.text), "is no UTF-8 text");
	}
}

static struct str pairs(size_t n)
{
	char *p = arena_alloc(&arena, n * 2);

	for (size_t i = 0; i < n; i++)
		memcpy(p + i * 2, "a&", 2);
	return (struct str){p, n * 2 - 1};
}

static void counts_pairs(void **state)
{
	struct kv *v;
	size_t n;
	struct err e = {0};

	(void)state;
	assert_int_equal(form_decode(&arena, pairs(SOURCE_PAIRS_LIMIT), &v, &n, &e), 0);
	assert_int_equal(n, SOURCE_PAIRS_LIMIT);
	assert_int_equal(form_decode(&arena, pairs(SOURCE_PAIRS_LIMIT + 1), &v, &n, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "the form has 1001 pairs, at most 1000 are taken");
}

static void gets_the_last(void **state)
{
	const struct kv v[] = {{STR("a"), STR("1")}, {STR("b"), STR("2")}, {STR("a"), STR("3")}};

	(void)state;
	assert_str(form_get(v, 3, "a"), "3");
	assert_str(form_get(v, 3, "b"), "2");
	assert_null(form_get(v, 3, "c").p);
	assert_null(form_get(v, 0, "a").p);
}

static void a_full_arena(void **state)
{
	struct str body = pairs(100);

	(void)state;
	for (size_t limit = 0; limit < 8 << 10; limit += 32) {
		struct arena small;
		struct kv *v;
		size_t n;
		struct err e = {0};

		arena_init(&small, limit);
		if (form_decode(&small, body, &v, &n, &e) < 0)
			assert_int_equal(e.code, ERR_LIMIT);
		else
			assert_int_equal(n, 100);
		arena_release(&small);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(decodes), TEST(a_semicolon_parts_nothing), TEST(refuses_what_is_no_text), TEST(counts_pairs),
	TEST(gets_the_last), TEST(a_full_arena))
