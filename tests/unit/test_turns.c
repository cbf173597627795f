/* The rate of a source on a clock that is handed in, and turns between sources. */
#include "unit.h"

#include "http/turns.h"

#define REQUESTS 5000

static struct turn pool[REQUESTS];
static char order[REQUESTS + 1];
static size_t went, refused_n;
static struct turns *at_once; /* go ends its turn at once */

static void on_go(struct turn *t, bool refused)
{
	if (refused) {
		refused_n++;
		return;
	}
	order[went++] = *(const char *)t->ctx;
	if (at_once)
		turns_done(at_once, t);
}

static int setup(void **state)
{
	memset(order, 0, sizeof(order));
	went = refused_n = 0;
	at_once = NULL;
	*state = turns_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	turns_free(*state);
	return 0;
}

static bool ask(struct turns *t, size_t i, const char *source, size_t events)
{
	pool[i] = (struct turn){
		.go = on_go, .ctx = (void *)(uintptr_t)source, .events = events};
	return turns_ask(t, turns_source(t, str_of(source)), &pool[i]);
}

/* ---- rate ---- */

static void rate_is_a_bucket(void **state)
{
	struct turn_source *s = turns_source(*state, STR("a"));
	const struct conf_rate rate = {.count = 3, .per_ms = 1000};
	int64_t wait = 0;

	for (int i = 0; i < 3; i++)
		assert_true(turns_rate(s, &rate, 5000, &wait));
	assert_false(turns_rate(s, &rate, 5000, &wait));
	assert_int_equal(wait, 334); /* a third of a second, and what it takes to be over it */
	assert_false(turns_rate(s, &rate, 5333, &wait));
	assert_int_equal(wait, 1);
	assert_true(turns_rate(s, &rate, 5334, &wait));
	assert_false(turns_rate(s, &rate, 5334, &wait));
	/* However long it is quiet, it is full and not more. */
	for (int i = 0; i < 3; i++)
		assert_true(turns_rate(s, &rate, INT64_MAX / 2, &wait));
	assert_false(turns_rate(s, &rate, INT64_MAX / 2, &wait));
	/* A clock that goes back gives nothing. */
	assert_false(turns_rate(s, &rate, 6000, &wait));
}

static void rate_is_by_source_and_outlives_a_reload(void **state)
{
	struct turns *t = *state;
	const struct conf_rate one = {.count = 1, .per_ms = 60000}, none = {0};
	int64_t wait = 0;

	assert_true(turns_rate(turns_source(t, STR("a")), &one, 0, &wait));
	assert_false(turns_rate(turns_source(t, STR("a")), &one, 0, &wait));
	assert_int_equal(wait, 60000);
	assert_true(turns_rate(turns_source(t, STR("b")), &one, 0, &wait));
	/* The same name after a reload is the same bucket; another rate finds it as full as it was. */
	assert_false(turns_rate(turns_source(t, STR("a")), &one, 30000, &wait));
	const struct conf_rate two = {.count = 2, .per_ms = 60000};
	assert_true(turns_rate(turns_source(t, STR("a")), &two, 30000, &wait));
	assert_false(turns_rate(turns_source(t, STR("a")), &two, 30000, &wait));
	assert_true(turns_rate(turns_source(t, STR("a")), &none, 30000, &wait));
}

static void rate_does_not_overflow(void **state)
{
	struct turn_source *s = turns_source(*state, STR("a"));
	const struct conf_rate most = {.count = 1000000000, .per_ms = INT64_C(30) * 86400000};
	int64_t wait = 0;

	assert_true(turns_rate(s, &most, 0, &wait));
	assert_true(turns_rate(s, &most, most.per_ms - 1, &wait));
	assert_true(turns_rate(s, &most, INT64_MAX, &wait));
}

/* ---- turns ---- */

static void one_source_alone_has_its_share(void **state)
{
	struct turns *t = *state;
	size_t i = 0;

	while (i < TURNS_SHARE + TURNS_WAITING)
		assert_true(ask(t, i++, "a", 1));
	assert_int_equal(went, TURNS_SHARE);
	assert_false(ask(t, i, "a", 1));
	/* Another one finds room at once. */
	assert_true(ask(t, i, "b", 1));
	assert_int_equal(went, TURNS_SHARE + 1);
	assert_int_equal(order[went - 1], 'b');
	for (size_t k = 0; k < went; k++)
		turns_done(t, &pool[k == TURNS_SHARE ? i : k < TURNS_SHARE ? k : k - 1]);
	assert_int_equal(went, i + 1);
}

/* Room for `n` of all that wait, one after the other. */
static void waiting_sources_take_turns(void **state)
{
	struct turns *t = *state;
	size_t i = 0;

	while (went < TURNS_SHARE / 256)
		ask(t, i++, "x", 256);
	while (went < TURNS_EVENTS / 256)
		ask(t, i++, "y", 256);
	for (int k = 0; k < 6; k++)
		assert_true(ask(t, i++, "a", 256));
	assert_true(ask(t, i++, "b", 256));
	assert_true(ask(t, i++, "c", 256));
	assert_true(ask(t, i++, "b", 256));
	assert_int_equal(went, 4);
	for (size_t k = 0; k < 9; k++)
		turns_done(t, &pool[k]);
	assert_string_equal(order + 4, "abcabaaaa");
	for (size_t k = 9; k < i; k++)
		turns_done(t, &pool[k]);
}

static void large_requests_cost_what_is_under_way(void **state)
{
	struct turns *t = *state;

	size_t n = TURNS_SHARE / TURNS_COST_MAX;

	for (size_t i = 0; i <= n; i++)
		assert_true(ask(t, i, "a", 1000000));
	assert_int_equal(went, n);
	turns_done(t, &pool[0]);
	assert_int_equal(went, n + 1);
	for (size_t i = 1; i <= n; i++)
		turns_done(t, &pool[i]);
}

/* What ends at once does not nest. */
static void many_that_fail_at_once(void **state)
{
	struct turns *t = *state;

	for (size_t i = 0; i < TURNS_SHARE / 256 + TURNS_WAITING; i++)
		assert_true(ask(t, i, "a", 256));
	at_once = t;
	turns_done(t, &pool[0]);
	assert_int_equal(went, TURNS_SHARE / 256 + TURNS_WAITING);
	for (size_t i = 1; i < TURNS_SHARE / 256; i++)
		turns_done(t, &pool[i]);
}

static void the_end_refuses_all(void **state)
{
	struct turns *t = *state;
	size_t n = TURNS_SHARE / 256;

	for (size_t i = 0; i < n + 3; i++)
		assert_true(ask(t, i, "a", 256));
	turns_end(t);
	assert_int_equal(refused_n, 3);
	assert_false(ask(t, n + 3, "b", 1));
	for (size_t i = 0; i < n; i++)
		turns_done(t, &pool[i]);
	assert_int_equal(went, n);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
TESTS_MAIN(TEST(rate_is_a_bucket), TEST(rate_is_by_source_and_outlives_a_reload),
	TEST(rate_does_not_overflow), TEST(one_source_alone_has_its_share),
	TEST(waiting_sources_take_turns), TEST(large_requests_cost_what_is_under_way),
	TEST(many_that_fail_at_once), TEST(the_end_refuses_all))
