/* Lines wait in order, in batches, and stay until they are dropped. */
#include "unit.h"
#include "run/outq.h"

static void gives_batches_in_order(void **state)
{
	(void)state;
	struct store_line v[4];
	struct outq q;

	outq_init(&q);
	assert_true(outq_add(&q, false, 1, STR("one")));
	assert_true(outq_add(&q, true, 2, STR("")));
	assert_true(outq_add(&q, false, 3, STR("a\0b")));
	assert_int_equal(outq_batch(&q, v, 2, 1000), 2);
	assert_str(v[0].text, "one");
	assert_true(v[1].is_stderr && v[1].text.n == 0 && v[1].time_ms == 2);
	assert_int_equal(outq_batch(&q, v, 2, 1000), 2);  /* again, as it was */
	assert_true(outq_add(&q, false, 4, STR("four"))); /* meanwhile */
	outq_drop(&q);
	assert_int_equal(outq_batch(&q, v, 4, 1000), 2);
	assert_int_equal(v[0].text.n, 3);
	assert_memory_equal(v[0].text.p, "a\0b", 3);
	assert_str(v[1].text, "four");
	outq_drop(&q);
	assert_int_equal(outq_batch(&q, v, 4, 1000), 0);
	outq_release(&q);
}

static void keeps_batches_small(void **state)
{
	(void)state;
	struct store_line v[4];
	struct outq q;

	outq_init(&q);
	outq_add(&q, false, 1, STR("a line that is larger than a batch"));
	outq_add(&q, false, 1, STR("12345"));
	outq_add(&q, false, 1, STR("67890"));
	assert_int_equal(outq_batch(&q, v, 4, 10), 1);
	outq_drop(&q);
	assert_int_equal(outq_batch(&q, v, 4, 10), 2);
	outq_release(&q);
}

TESTS_MAIN(cmocka_unit_test(gives_batches_in_order), cmocka_unit_test(keeps_batches_small))
