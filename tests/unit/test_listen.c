/* Addresses to listen on. */
#include "unit.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/listen.h"

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

TESTS_MAIN(cmocka_unit_test(port_zero_picks_one), cmocka_unit_test(all_addresses_are_not_loopback),
	cmocka_unit_test(second_on_a_port_is_refused), cmocka_unit_test(texts_that_are_no_address),
	cmocka_unit_test(unix_socket_of_the_dead_is_taken_over),
	cmocka_unit_test(host_of_an_address))
