/* Who may ask while there are no tokens. */
#include "unit.h"

#include "http/access.h"

static bool ours(const char *host)
{
	static const struct str listed[] = {{"bridge.example", 14}};

	return access_host_is_ours(str_of(host), listed, 1);
}

static void names_of_strangers_are_not_ours(void **state)
{
	(void)state;
	assert_true(access_host_is_ours(STR_NONE, NULL, 0));
	assert_true(ours("localhost"));
	assert_true(ours("LocalHost:9911"));
	assert_true(ours("127.0.0.1:9911"));
	assert_true(ours("192.168.1.1"));
	assert_true(ours("[::1]:9911"));
	assert_true(ours("Bridge.Example:80"));
	assert_false(ours("evil.example:9911"));
	assert_false(ours("localhost.evil.example"));
	assert_false(ours("127.0.0.1.evil.example"));
	assert_false(ours("xbridge.example"));
	assert_false(ours(":9911"));
	assert_false(ours("["));
	assert_false(ours("[evil.example]"));
}

static void origin_is_the_host_or_nobody(void **state)
{
	(void)state;
	assert_true(access_origin_is_host(STR("http://127.0.0.1:9911"), STR("127.0.0.1:9911")));
	assert_true(access_origin_is_host(STR("http://LOCALHOST:9911"), STR("localhost:9911")));
	assert_false(access_origin_is_host(STR("http://localhost:9912"), STR("localhost:9911")));
	assert_false(access_origin_is_host(STR("http://evil.example"), STR("localhost:9911")));
	assert_false(access_origin_is_host(STR("null"), STR("localhost:9911")));
	assert_false(access_origin_is_host(STR(""), STR("localhost:9911")));
	assert_false(access_origin_is_host(STR("http://"), STR("")));
}

TESTS_MAIN(cmocka_unit_test(names_of_strangers_are_not_ours),
	cmocka_unit_test(origin_is_the_host_or_nobody))
