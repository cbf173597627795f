/* test_chain.c: how a chain that is too long is told of. */
#include "flow/chain.h"

#include "unit.h"

static struct arena arena;

static void says(const char *trail, const char *rule, const char *want)
{
	const struct event ev = {.depth = 4, .trail = str_of(trail)};
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_printf(&b, "4 runs led to this event, and limits.chain_depth is 4%s", want);
	assert_str(chain_reason(&arena, &ev, str_of(rule), 4), b.p);
	buf_release(&b);
}

static void loops_are_named(void **state)
{
	(void)state;
	says("a b a b", "a", "; the loop is a -> b -> a");
	says("b a b a", "b", "; the loop is b -> a -> b");
	says("a a a a", "a", "; the loop is a -> a");
	says("x a b c", "a", "; the loop is a -> b -> c -> a");
	/* It listens to a loop of others. */
	says("a b a b", "c", "; the loop is b -> a -> b");
	says("a b a b", "ab", "; the loop is b -> a -> b");
	/* One that the chain has left is not the one that goes on. */
	says("a b a c", "d", "; they came by a -> b -> a -> c");
}

static void without_a_loop_all_are_named(void **state)
{
	(void)state;
	says("a b c d", "e", "; they came by a -> b -> c -> d");
	says("a", "b", "; they came by a");
	says("", "a", "");
}

static void a_trail_of_any_length_is_bounded(void **state)
{
	const struct event ev = {.depth = 1000, .trail = STR("")};
	struct event longer = ev;
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%sr%d", i ? " " : "", i);
	longer.trail = buf_as_str(&b);
	assert_true(chain_reason(&arena, &longer, STR("r5"), 8).n > 500);
	assert_true(chain_reason(&arena, &longer, STR("r5"), 8).n < 4000);
	buf_release(&b);
}

static int end(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loops_are_named),
		cmocka_unit_test(without_a_loop_all_are_named),
		cmocka_unit_test(a_trail_of_any_length_is_bounded),
	};

	arena_init(&arena, (size_t)1 << 20);
	return cmocka_run_group_tests(tests, NULL, end);
}
