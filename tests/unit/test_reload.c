/* Loads beside the loop: who asks when gets which one, and what becomes of those who wait at the end. */
#include <unistd.h>
#include "flow/reload.h"
#include "unit.h"

struct asked {
	int answers;
	bool taken, told;
	struct reload *again; /* asks once more when it is answered */
};

static uv_loop_t loop;
static struct reload *r;
static char path[64];
static int begun;

static void on_begin(void *ctx)
{
	(void)ctx;
	begun++;
}

static void on_take(void *ctx, struct loaded *now, const char *who, bool quiet, struct diags *d)
{
	(void)ctx;
	(void)d;
	assert_non_null(now);
	assert_string_equal(who, "test");
	assert_false(quiet);
	reload_retire(r, now);
}

static int set_up(void **state)
{
	const struct reload_app app = {on_begin, on_take, NULL};
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_reload.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0 && close(fd) == 0);
	begun = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	r = reload_new(&loop, path, &app);
	assert_non_null(r);
	return 0;
}

/* What was begun ends. */
static int tear_down(void **state)
{
	(void)state;
	if (r)
		reload_close(r);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return unlink(path);
}

static void on_answer(void *ctx, bool taken, const struct diags *d)
{
	struct asked *a = ctx;
	struct reload *again = a->again;

	a->answers++;
	a->taken = taken;
	a->told = d != NULL;
	a->again = NULL;
	if (again) {
		int before = begun;
		assert_int_equal(reload_ask(again, "test", false, on_answer, a), 0);
		assert_int_equal(begun, before); /* d is still that of this load */
	}
}

static void ask(struct asked *a)
{
	assert_int_equal(reload_ask(r, "test", false, on_answer, a), 0);
}

static void until_answered(const struct asked *a, int answers)
{
	while (a->answers < answers)
		assert_true(uv_run(&loop, UV_RUN_ONCE));
}

static void who_asks_meanwhile_shares_the_next_load(void **state)
{
	struct asked a = {0}, b = {0}, c = {0};

	(void)state;
	ask(&a);
	ask(&b);
	ask(&c);
	assert_int_equal(begun, 1);
	until_answered(&a, 1);
	assert_int_equal(begun, 2);
	assert_int_equal(b.answers + c.answers, 0);
	until_answered(&c, 1);
	assert_int_equal(begun, 2);
	assert_int_equal(b.answers, 1);
	assert_true(a.taken && b.taken && c.taken && a.told);
}

static void who_asks_when_answered_gets_the_next_load(void **state)
{
	struct asked a = {.again = r};

	(void)state;
	ask(&a);
	until_answered(&a, 2);
	assert_int_equal(begun, 2);
	assert_true(a.taken);
}

static void closing_answers_those_who_wait(void **state)
{
	struct asked a = {0}, b = {0};
	struct reload *closed = r;

	(void)state;
	ask(&a);
	ask(&b);
	r = NULL;
	reload_close(closed);
	assert_int_equal(a.answers, 1);
	assert_int_equal(b.answers, 1);
	assert_false(a.taken || a.told || b.taken || b.told);
	assert_int_equal(reload_ask(closed, "test", false, on_answer, &a), -1);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(a.answers + b.answers, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TESTS_MAIN(TEST(who_asks_meanwhile_shares_the_next_load), TEST(who_asks_when_answered_gets_the_next_load),
	TEST(closing_answers_those_who_wait))
