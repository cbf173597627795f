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

/* ---- behind proxies ---- */

static bool is_proxy(const void *ctx, const unsigned char *address)
{
	const struct cidr *v = ctx;

	return cidr_any(v, 2, address);
}

/* The client's address as text, "unknown", or "nobody"; of up to two lines. Proxies: 10.0.0.0/8 and fd00::/8. */
static const char *client(void (*add)(struct access_chain *c, struct str value), const char *one, const char *two)
{
	static char text[CIDR_TEXT_MAX];
	struct cidr v[2];
	struct access_chain c = {.trusted = is_proxy, .ctx = v};

	assert_true(cidr_parse(STR("10.0.0.0/8"), &v[0]) && cidr_parse(STR("fd00::/8"), &v[1]));
	add(&c, str_of(one));
	add(&c, str_of(two));
	if (c.last == ACCESS_NOBODY)
		return "nobody";
	if (c.last == ACCESS_UNKNOWN)
		return "unknown";
	cidr_format_address(c.address, text);
	return text;
}

static void lists_of_addresses(void **state)
{
	static const struct {
		const char *one, *two, *want;
	} v[] = {
		{"192.0.2.1", NULL, "192.0.2.1"},
		{"192.0.2.1, 198.51.100.7", NULL, "198.51.100.7"},
		{"192.0.2.1,198.51.100.7 , 10.0.0.2,10.9.9.9", NULL, "198.51.100.7"},
		{"192.0.2.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"},
		{"198.51.100.7", "10.0.0.2", "198.51.100.7"},
		{"10.0.0.5, 10.0.0.2", NULL, "10.0.0.5"}, /* a proxy asks for itself */
		{"192.0.2.1:4711", NULL, "192.0.2.1"},
		{"[2001:db8::1]:4711, fd00::2", NULL, "2001:db8::1"},
		{"2001:db8::1", NULL, "2001:db8::1"},
		{"::ffff:192.0.2.1", NULL, "192.0.2.1"},
		{"192.0.2.1, unknown", NULL, "unknown"},
		{"192.0.2.1, x, 10.0.0.2", NULL, "unknown"},
		{"unknown, 192.0.2.1", NULL, "192.0.2.1"},
		{"\"192.0.2.1\"", NULL, "unknown"},
		{"192.0.2.1, \", 198.51.100.7", NULL, "198.51.100.7"},
		{"", NULL, "nobody"},
		{" , ,", NULL, "nobody"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_string_equal(client(access_chain_forwarded_for, v[i].one, v[i].two), v[i].want);
}

static void as_many_entries_as_may_be(void **state)
{
	char list[ACCESS_CHAIN_MAX * 10 + 1] = "";

	(void)state;
	for (int i = 1; i < ACCESS_CHAIN_MAX; i++)
		strcat(list, "10.0.0.1,");
	assert_string_equal(client(access_chain_forwarded_for, list, "192.0.2.1"), "192.0.2.1");
	strcat(list, "10.0.0.1,");
	assert_string_equal(client(access_chain_forwarded_for, list, "192.0.2.1"), "unknown");
}

static void forwarded_elements(void **state)
{
	static const struct {
		const char *one, *two, *want;
	} v[] = {
		{"for=192.0.2.1", NULL, "192.0.2.1"},
		{"For=192.0.2.1;proto=http;by=203.0.113.43, for=198.51.100.7", NULL, "198.51.100.7"},
		{"for=192.0.2.1, proto=https; for=\"[2001:db8:cafe::17]:4711\" ;by=10.0.0.1,for=10.0.0.3", NULL, "2001:db8:cafe::17"},
		{"for=192.0.2.1", "for=198.51.100.7", "198.51.100.7"},
		{"for=192.0.2.1, for=_hidden", NULL, "unknown"},
		{"for=192.0.2.1, proto=http", NULL, "unknown"},
		{"for=192.0.2.1, for=", NULL, "unknown"},
		/* what stands in quotes separates nothing */
		{"for=192.0.2.1;x=\"a, for=198.51.100.7\"", NULL, "192.0.2.1"},
		{"x=\"a;for=198.51.100.7\\\"; \";for=192.0.2.1", NULL, "192.0.2.1"},
		{"for=192.0.2.1;x=\"never ends, for=198.51.100.7", NULL, "unknown"},
		{"for=192.0.2.1;x=\", for=\"[2001:db8::1]:1\";by=\"[fd00::1]\"", NULL, "unknown"},
		{"", NULL, "nobody"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_string_equal(client(access_chain_forwarded, v[i].one, v[i].two), v[i].want);
}

static void bytes_of_loopback(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} v[] = {{"127.0.0.1", true}, {"127.9.9.9", true}, {"::1", true}, {"::ffff:127.0.0.1", true}, {"128.0.0.1", false},
		{"::", false}, {"::2", false}, {"7f00::", false}, {"10.127.0.1", false}};
	unsigned char a[CIDR_ADDRESS];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_true(cidr_parse_address(str_of(v[i].text), a));
		assert_int_equal(access_is_loopback(a), v[i].is);
	}
}

TESTS_MAIN(cmocka_unit_test(lists_of_addresses), cmocka_unit_test(as_many_entries_as_may_be),
	cmocka_unit_test(forwarded_elements), cmocka_unit_test(bytes_of_loopback),
	cmocka_unit_test(names_of_strangers_are_not_ours),
	cmocka_unit_test(origin_is_the_host_or_nobody))
