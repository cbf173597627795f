/* What every line has in common: its text as text, its labels by name. */
#include "unit.h"
#include "line/line.h"

static void text_is_itself_where_it_is_text(void **state)
{
	struct str s = STR("Caf\xC3\xA9 \xE2\x82\xAC 5\tup");
	struct arena a;

	(void)state;
	arena_init(&a, 0); /* nothing may be allocated */
	assert_ptr_equal(line_text(&a, s).p, s.p);
	assert_int_equal(line_text(&a, STR("")).n, 0);
	assert_false(arena_failed(&a));
	arena_release(&a);
}

static void what_is_no_text_is_replaced(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 16);
	assert_str(line_text(&a, STR("a\xFFz")), "a\xEF\xBF\xBDz");
	assert_str(line_text(&a, STR("\xE2\x82")), "\xEF\xBF\xBD\xEF\xBF\xBD");
	assert_str(line_text(&a, STR("x\0y\xC3\xA9")), "x\xEF\xBF\xBDy\xC3\xA9");
	arena_release(&a);
}

static void without_room_there_is_none(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	assert_null(line_text(&a, STR("\xFF")).p);
	arena_release(&a);
}

static void the_last_label_of_a_name_counts(void **state)
{
	const struct line_label labels[] = {{STR("host"), STR("a")},
		{STR("unit"), STR("ssh.service")}, {STR("host"), STR("b")}};
	const struct line l = {.labels = labels, .labels_n = 3};

	(void)state;
	assert_str(line_label(&l, STR("host")), "b");
	assert_str(line_label(&l, STR("unit")), "ssh.service");
	assert_null(line_label(&l, STR("hos")).p);
}

TESTS_MAIN(cmocka_unit_test(text_is_itself_where_it_is_text),
	cmocka_unit_test(what_is_no_text_is_replaced), cmocka_unit_test(without_room_there_is_none),
	cmocka_unit_test(the_last_label_of_a_name_counts))
