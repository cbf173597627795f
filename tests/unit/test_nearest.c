/* "Did you mean": near enough, never absurd. */
#include "unit.h"
#include "base/nearest.h"

static const char *const names[] = {
	"listen", "body_limit", "connection_limit", "request_timeout", "redis", "redis_fsync", "by",
};

static const char *ask(const char *typed)
{
	return nearest(str_of(typed), names, sizeof(names) / sizeof(names[0]));
}

static void finds(void **state)
{
	(void)state;
	assert_string_equal(ask("listne"), "listen");
	assert_string_equal(ask("lisen"), "listen");
	assert_string_equal(ask("listen"), "listen");
	assert_string_equal(ask("bodylimit"), "body_limit");
	assert_string_equal(ask("conection_limits"), "connection_limit");
	assert_string_equal(ask("requesttime_out"), "request_timeout");
	assert_string_equal(ask("redi"), "redis");
	assert_string_equal(ask("redis_sync"), "redis_fsync");
	assert_string_equal(ask("bye"), "by");
}

static void does_not_guess_wildly(void **state)
{
	(void)state;
	assert_null(ask(""));
	assert_null(ask("x"));
	assert_null(ask("xx"));
	assert_null(ask("hosts"));
	assert_null(ask("tls"));
	assert_null(ask("trusted_proxies"));
	assert_null(nearest(STR("listen"), names, 0));
	char lots[500];
	memset(lots, 'a', sizeof(lots));
	assert_null(nearest((struct str){lots, sizeof(lots)}, names, 3));
}

static void takes_the_nearer_one(void **state)
{
	(void)state;
	static const char *const two[] = {"redis_fsync", "redis_fsynx"};
	assert_string_equal(nearest(STR("redis_fsynx"), two, 2), "redis_fsynx");
	assert_string_equal(nearest(STR("redis_fsyn"), two, 2), "redis_fsync");
}

TESTS_MAIN(cmocka_unit_test(finds), cmocka_unit_test(does_not_guess_wildly),
	cmocka_unit_test(takes_the_nearer_one))
