/* Matchers as plain comparisons: what they become, in one form, and what they cannot be. */
#include "unit.h"
#include "rule/matcher_plain.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void becomes(const char *text, const char *form, const char *tests)
{
	struct matcher_plain out;
	struct err e = {0};

	if (matcher_plain_parse(&arena, str_of(text), &out, &e) != 0)
		fail_msg("%s: %s", text, e.text);
	assert_str(out.text, form);
	assert_str(out.tests, tests);
	/* What it gives back is the same again. */
	struct matcher_plain again;
	assert_int_equal(matcher_plain_parse(&arena, out.text, &again, &e), 0);
	assert_true(str_eq(again.text, out.text));
}

static void refused(const char *text, const char *part, size_t offset)
{
	struct matcher_plain out;
	struct err e = {0};

	assert_int_equal(matcher_plain_parse(&arena, str_of(text), &out, &e), -1);
	assert_has(str_of(e.text), part);
	assert_int_equal(e.offset, offset);
}

static void comparisons(void **state)
{
	(void)state;
	becomes("instance = db-1", "instance=\"db-1\"", "[[\"l\",\"instance\",0,0,0,\"db-1\"]]");
	becomes("{ b != 'x', a=\"y z\" }", "a=\"y z\",b!=\"'x'\"",
		"[[\"l\",\"b\",1,0,0,\"'x'\"],[\"l\",\"a\",0,0,0,\"y z\"]]");
	becomes("a =~ \"x|y\"", "a=~\"x|y\"", "[[\"l\",\"a\",0,0,0,\"x\",\"y\"]]");
	becomes("a !~ \"(x|y)-.*\"", "a!~\"(x|y)-.*\"", "[[\"l\",\"a\",1,0,1,\"x-\",\"y-\"]]");
	becomes("a =~ \".+x.*\"", "a=~\".+x.*\"", "[[\"l\",\"a\",0,2,1,\"x\"]]");
	becomes("a =~ \".+\"", "a=~\".+\"", "[[\"l\",\"a\",0,2,0,\"\"]]");
	becomes("event.severity = critical, annotations.team = db",
		"annotations.team=\"db\",event.severity=\"critical\"",
		"[[\"e\",\"severity\",0,0,0,\"critical\"],[\"a\",\"team\",0,0,0,\"db\"]]");
	becomes("\"a.b\" = c", "\"a.b\"=\"c\"", "[[\"l\",\"a.b\",0,0,0,\"c\"]]");
}

static void what_is_more(void **state)
{
	(void)state;
	refused("{}", "name a label, or pause all", 0);
	refused("a = b, c =~ \"[0-9]+\"", "is more than words", 7);
	refused("data.x = 1", "cannot be paused by", 0);
	refused("a", "", 1);
}

static void no_longer_than_its_limit(void **state)
{
	char text[MATCHER_PLAIN_TEXT_MAX + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "a=\"", 3);
	text[MATCHER_PLAIN_TEXT_MAX - 1] = '"';
	text[MATCHER_PLAIN_TEXT_MAX] = '\0';
	struct matcher_plain out;
	struct err e = {0};
	assert_int_equal(matcher_plain_parse(&arena, str_of(text), &out, &e), 0);
	text[MATCHER_PLAIN_TEXT_MAX - 1] = 'x';
	text[MATCHER_PLAIN_TEXT_MAX] = '"';
	text[MATCHER_PLAIN_TEXT_MAX + 1] = '\0';
	refused(text, "over 1000 bytes", 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
TESTS_MAIN(T(comparisons), T(what_is_more), T(no_longer_than_its_limit))
