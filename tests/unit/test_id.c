/* ULIDs: increasing, valid, and back to the numbers they were made of. */
#include "unit.h"
#include "base/id.h"

static void increasing_within_a_millisecond(void **state)
{
	(void)state;
	char before[ID_LEN + 1], now[ID_LEN + 1];
	id_new(INT64_C(1795375172624), before);
	for (int i = 0; i < 100000; i++) {
		id_new(INT64_C(1795375172624), now);
		assert_true(strcmp(before, now) < 0);
		memcpy(before, now, sizeof(now));
	}
	assert_true(id_valid(str_of(now)));
	id_new(INT64_C(1795375172625), now);
	assert_true(strcmp(before, now) < 0);
}

static void random_between_milliseconds(void **state)
{
	(void)state;
	char a[ID_LEN + 1], b[ID_LEN + 1];
	id_new(1000, a);
	id_new(2000, b);
	assert_string_not_equal(a + 10, b + 10);
}

static void numbers_and_back(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		uint64_t seq;
	} pairs[] = {
		{0, 0}, {1, 1}, {INT64_C(1795375172624), 7}, {INT64_C(281474976710655), UINT64_MAX},
		{5, UINT64_C(0x8000000000000000)},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char id[ID_LEN + 1];
		int64_t ms;
		uint64_t seq;
		id_from_ms_seq(pairs[i].ms, pairs[i].seq, id);
		assert_int_equal(strlen(id), ID_LEN);
		assert_true(id_to_ms_seq(str_of(id), &ms, &seq));
		assert_int_equal(ms, pairs[i].ms);
		assert_true(seq == pairs[i].seq);
	}
}

static void known_texts(void **state)
{
	(void)state;
	char id[ID_LEN + 1];
	id_from_ms_seq(0, 31, id);
	assert_string_equal(id, "0000000000000000000000000Z");
	/* The time of the specification's example: 01ARZ3NDEK. */
	id_from_ms_seq(INT64_C(1469922850259), 0, id);
	assert_string_equal(id, "01ARZ3NDEK0000000000000000");
	id_from_ms_seq(INT64_C(281474976710655), 0, id);
	assert_string_equal(id, "7ZZZZZZZZZ0000000000000000");
}

static void order_follows_ms_then_seq(void **state)
{
	(void)state;
	char a[ID_LEN + 1], b[ID_LEN + 1];
	id_from_ms_seq(5, UINT64_MAX, a);
	id_from_ms_seq(6, 0, b);
	assert_true(strcmp(a, b) < 0);
	id_from_ms_seq(6, 1, a);
	assert_true(strcmp(b, a) < 0);
}

static void invalid(void **state)
{
	(void)state;
	int64_t ms;
	uint64_t seq;
	assert_false(id_valid(STR_NONE));
	assert_false(id_valid(STR("0000000000000000000000000")));
	assert_false(id_valid(STR("000000000000000000000000000")));
	assert_false(id_valid(STR("80000000000000000000000000")));
	assert_false(id_valid(STR("0000000000000000000000000I")));
	assert_false(id_valid(STR("0000000000000000000000000U")));
	assert_false(id_valid(STR("0000000000000000000000000z")));
	assert_false(id_valid((struct str){"0000000000\0" "000000000000000", 26}));
	/* A random one has bits that no sequence has. */
	assert_false(id_to_ms_seq(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &ms, &seq));
	assert_true(id_valid(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV")));
}

TESTS_MAIN(cmocka_unit_test(increasing_within_a_millisecond),
	cmocka_unit_test(random_between_milliseconds), cmocka_unit_test(numbers_and_back),
	cmocka_unit_test(known_texts), cmocka_unit_test(order_follows_ms_then_seq),
	cmocka_unit_test(invalid))
