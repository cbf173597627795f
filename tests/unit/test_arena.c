/* The limit of an arena holds, memory is aligned and does not move. */
#include "unit.h"
#include "base/arena.h"

static void limit_is_hard_and_sticky(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1000);
	assert_non_null(arena_alloc(&a, 900));
	assert_null(arena_alloc(&a, 101));
	assert_true(arena_failed(&a));
	assert_null(arena_alloc(&a, 1));
	assert_true(a.used <= a.limit);
	arena_release(&a);
	assert_false(arena_failed(&a));
	assert_non_null(arena_alloc(&a, 1000));
	assert_false(arena_failed(&a));
	assert_null(arena_alloc(&a, 1));
	arena_release(&a);
}

static void huge_sizes_do_not_wrap(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1 << 20);
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_release(&a);
	assert_null(arena_array(&a, SIZE_MAX / 2, 3));
	assert_true(arena_failed(&a));
	arena_release(&a);
	assert_null(arena_strdup(&a, (struct str){"x", SIZE_MAX}).p);
	arena_release(&a);
}

static void memory_is_aligned_and_stays(void **state)
{
	(void)state;
	struct arena a;
	char *texts[2000];
	arena_init(&a, 10 << 20);
	for (size_t i = 0; i < 2000; i++) {
		texts[i] = (char *)arena_printf(&a, "text %zu", i).p;
		void *p = arena_alloc(&a, i % 300);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		memset(p, 0xFF, i % 300);
	}
	for (size_t i = 0; i < 2000; i++) {
		char want[32];
		snprintf(want, sizeof(want), "text %zu", i);
		assert_string_equal(texts[i], want);
	}
	arena_release(&a);
}

static void zalloc_clears_reused_memory(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1 << 20);
	memset(arena_alloc(&a, 512), 0xAA, 512);
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	const char *p = arena_zalloc(&a, 512);
	for (size_t i = 0; i < 512; i++)
		assert_int_equal(p[i], 0);
	p = arena_array(&a, 8, 8);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(p[i], 0);
	arena_release(&a);
}

static void grow_in_place_or_copy(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1 << 20);
	char *p = arena_grow(&a, NULL, 0, 10);
	memcpy(p, "0123456789", 10);
	assert_ptr_equal(arena_grow(&a, p, 10, 20), p);
	assert_ptr_equal(arena_grow(&a, p, 20, 15), p);
	assert_non_null(arena_alloc(&a, 1));
	char *q = arena_grow(&a, p, 20, 40);
	assert_ptr_not_equal(q, p);
	assert_memory_equal(q, "0123456789", 10);
	q = arena_grow(&a, q, 40, 300000);
	assert_memory_equal(q, "0123456789", 10);
	assert_null(arena_grow(&a, q, 300000, 2 << 20));
	assert_true(arena_failed(&a));
	arena_release(&a);
}

static void reset_keeps_only_a_small_block(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 10 << 20);
	for (int i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&a, 10000));
	assert_non_null(arena_alloc(&a, 5 << 20));
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	assert_int_equal(a.limit, 10 << 20);
	assert_non_null(arena_alloc(&a, 5 << 20));
	arena_release(&a);

	arena_init(&a, 10 << 20);
	assert_non_null(arena_alloc(&a, 1 << 20));
	arena_reset(&a);
	assert_null(a.head);
	arena_release(&a);
}

static void copies_are_terminated(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1 << 20);
	struct str s = arena_strdup(&a, (struct str){"abcdef", 3});
	assert_int_equal(s.n, 3);
	assert_string_equal(s.p, "abc");
	s = arena_strdup(&a, STR_NONE);
	assert_int_equal(s.n, 0);
	assert_string_equal(s.p, "");
	arena_release(&a);
}

static void waste_is_freed_bit_by_bit(void **state)
{
	struct arena a, waste;
	struct arena_mark mark;
	const char *kept;

	(void)state;
	arena_init(&a, 10 << 20);
	arena_init(&waste, 0);
	kept = arena_printf(&a, "kept").p;
	mark = arena_mark(&a);
	for (int i = 0; i < 100; i++)
		memset(arena_alloc(&a, 10000), 1, 10000);
	assert_null(arena_alloc(&a, 10 << 20));
	arena_waste(&a, &mark, &waste);
	assert_string_equal(kept, "kept");
	assert_int_equal(a.used, mark.used);
	assert_false(arena_failed(&a));
	assert_true(waste.used >= 1000000);
	for (size_t left = waste.used; left > 0; left = waste.used) {
		arena_waste_free(&waste, 300000);
		assert_true(waste.used < left && left - waste.used < 300000 + (256 << 10));
	}
	/* The place is used again. */
	assert_ptr_equal(arena_alloc(&a, 1), (const void *)(((uintptr_t)kept + 5 + 15) & ~(uintptr_t)15));
	arena_waste(&a, &(struct arena_mark){0}, &waste);
	assert_int_equal(a.used, 0);
	assert_true(waste.used > 0);
	arena_waste_free(&waste, 1);
	assert_int_equal(waste.used, 0);
	arena_release(&a);
}

static void count_growth(void *ctx)
{
	++*(size_t *)ctx;
}

/* Who wants to hear of it hears of it every ARENA_GROWTH bytes, however much there is already. */
static void growth_is_told(void **state)
{
	struct arena a;
	size_t told = 0;

	(void)state;
	arena_init(&a, 10 << 20);
	arena_on_growth(&a, count_growth, &told);
	for (size_t i = 1; i <= 4000; i++) {
		assert_non_null(arena_alloc(&a, 1000));
		assert_true(told >= i * 1000 / ARENA_GROWTH);
	}
	assert_true(told <= 2 * 4000 * 1000 / ARENA_GROWTH);
	arena_release(&a);
	told = 0;
	assert_non_null(arena_alloc(&a, 1000));
	assert_int_equal(told, 0);
	arena_release(&a);
}

TESTS_MAIN(cmocka_unit_test(limit_is_hard_and_sticky), cmocka_unit_test(huge_sizes_do_not_wrap),
	cmocka_unit_test(memory_is_aligned_and_stays),
	cmocka_unit_test(zalloc_clears_reused_memory), cmocka_unit_test(grow_in_place_or_copy),
	cmocka_unit_test(reset_keeps_only_a_small_block), cmocka_unit_test(copies_are_terminated),
	cmocka_unit_test(waste_is_freed_bit_by_bit),
	cmocka_unit_test(growth_is_told))
