/* Who may ask while there are no tokens. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "http/access.h"

static bool local(const char *address)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return access_is_local((struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return access_is_local((struct sockaddr *)&v6);
}

static void only_this_machine_is_local(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr other = {.sa_family = AF_UNSPEC};

	(void)state;
	assert_true(local("127.0.0.1"));
	assert_true(local("127.255.0.9"));
	assert_true(local("::1"));
	assert_true(local("::ffff:127.0.0.1"));
	assert_true(access_is_local((struct sockaddr *)&un));
	assert_false(local("0.0.0.0"));
	assert_false(local("128.0.0.1"));
	assert_false(local("10.127.0.1"));
	assert_false(local("::"));
	assert_false(local("::ffff:10.0.0.1"));
	assert_false(local("fe80::1"));
	assert_false(access_is_local(&other));
	assert_false(access_is_local(NULL));
}

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

TESTS_MAIN(cmocka_unit_test(only_this_machine_is_local),
	cmocka_unit_test(names_of_strangers_are_not_ours),
	cmocka_unit_test(origin_is_the_host_or_nobody))
