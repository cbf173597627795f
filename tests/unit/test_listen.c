/* Addresses to listen on. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/listen.h"

static void port_zero_picks_one(void **state)
{
	struct listen_socket l;
	struct err e;

	(void)state;
	assert_int_equal(listen_open(STR("127.0.0.1:0"), &l, 1, &e), 1);
	assert_true(l.is_loopback);
	assert_false(l.is_unix);
	assert_has(str_of(l.text), "127.0.0.1:");
	assert_string_not_equal(l.text, "127.0.0.1:0");
	listen_close(&l);
}

static void all_addresses_are_not_loopback(void **state)
{
	struct listen_socket l;
	struct err e;

	(void)state;
	assert_int_equal(listen_open(STR("0.0.0.0:0"), &l, 1, &e), 1);
	assert_false(l.is_loopback);
	listen_close(&l);
}

static void second_on_a_port_is_refused(void **state)
{
	struct listen_socket a, b;
	struct err e;

	(void)state;
	assert_int_equal(listen_open(STR("127.0.0.1:0"), &a, 1, &e), 1);
	assert_int_equal(listen_open(str_of(a.text), &b, 1, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	assert_has(str_of(e.text), a.text);
	listen_close(&a);
}

static void texts_that_are_no_address(void **state)
{
	static const char *const texts[] = {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999999",
		"127.0.0.1:x", "unix:", "192.0.2.1:0"};
	struct listen_socket l;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (listen_open(str_of(texts[i]), &l, 1, &e) != -1)
			fail_msg("'%s' was taken", texts[i]);
		assert_int_equal(e.code, ERR_INPUT);
	}
}

static void make_path(char *out, size_t n, const char *dir)
{
	snprintf(out, n, "unix:%s/s", dir);
}

static void unix_socket_of_the_dead_is_taken_over(void **state)
{
	char dir[] = "/tmp/test-listen-XXXXXX", text[64];
	struct listen_socket a, b;
	struct stat st;
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	make_path(text, sizeof(text), dir);
	assert_int_equal(listen_open(str_of(text), &a, 1, &e), 1);
	assert_true(a.is_unix && a.is_loopback);
	assert_string_equal(a.text, text);
	assert_int_equal(stat(text + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);

	assert_int_equal(listen_open(str_of(text), &b, 1, &e), -1);
	assert_has(str_of(e.text), "another program");
	close(a.fd); /* as a program that was killed */
	assert_int_equal(listen_open(str_of(text), &b, 1, &e), 1);
	listen_close(&b);
	assert_int_not_equal(access(text + 5, F_OK), 0);

	fclose(fopen(text + 5, "w"));
	assert_int_equal(listen_open(str_of(text), &b, 1, &e), -1);
	assert_has(str_of(e.text), "no socket");
	unlink(text + 5);
	rmdir(dir);
}

static void host_of_an_address(void **state)
{
	(void)state;
	assert_str(listen_host(STR("bridge.example:80")), "bridge.example");
	assert_str(listen_host(STR("[::1]:80")), "::1");
	assert_str(listen_host(STR(":80")), "");
	assert_str(listen_host(STR("unix:/a:b")), "");
}

static bool local(const char *address)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return listen_is_local((struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return listen_is_local((struct sockaddr *)&v6);
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
	assert_true(listen_is_local((struct sockaddr *)&un));
	assert_false(local("0.0.0.0"));
	assert_false(local("128.0.0.1"));
	assert_false(local("10.127.0.1"));
	assert_false(local("::"));
	assert_false(local("::ffff:10.0.0.1"));
	assert_false(local("fe80::1"));
	assert_false(listen_is_local(&other));
	assert_false(listen_is_local(NULL));
}

static void address_is_the_same_however_it_came(void **state)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	unsigned char one[LISTEN_ADDRESS], two[LISTEN_ADDRESS];

	(void)state;
	inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr);
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr);
	assert_true(listen_address((struct sockaddr *)&v4, one));
	assert_true(listen_address((struct sockaddr *)&v6, two));
	assert_memory_equal(one, two, LISTEN_ADDRESS);
	inet_pton(AF_INET6, "2001:db8::7", &v6.sin6_addr);
	assert_true(listen_address((struct sockaddr *)&v6, two));
	assert_memory_not_equal(one, two, LISTEN_ADDRESS);
	assert_false(listen_address((struct sockaddr *)&un, one));
	assert_false(listen_address(NULL, one));
}

TESTS_MAIN(cmocka_unit_test(port_zero_picks_one), cmocka_unit_test(all_addresses_are_not_loopback),
	cmocka_unit_test(second_on_a_port_is_refused), cmocka_unit_test(texts_that_are_no_address),
	cmocka_unit_test(unix_socket_of_the_dead_is_taken_over),
	cmocka_unit_test(host_of_an_address),
	cmocka_unit_test(only_this_machine_is_local),
	cmocka_unit_test(address_is_the_same_however_it_came))
