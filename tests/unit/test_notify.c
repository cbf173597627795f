/* What systemd is told, on a socket of our own. */
#include "unit.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "run/notify.h"

static char path[64];

/* A datagram socket at `name` ('@' for abstract), as systemd's. */
static int listen_at(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(a.sun_path, name, n);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&a,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static struct str heard(int fd)
{
	static char text[1024];
	ssize_t n = recv(fd, text, sizeof(text), 0);

	return (struct str){text, n < 0 ? 0 : (size_t)n};
}

static void says_each_word(void **state)
{
	(void)state;
	struct notify n;
	struct err e;
	char usec[] = "30000000", pid[32];

	snprintf(path, sizeof(path), "/tmp/rb-test-notify.%d", (int)getpid());
	unlink(path);
	int fd = listen_at(path);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_USEC", usec, 1);
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_open(&n, &e), 0);
	assert_int_equal(n.watchdog_ms, 15000);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	notify_ready(&n, "all\nwell");
	assert_str(heard(fd), "READY=1\nSTATUS=all well");
	notify_reloading(&n);
	assert_has(heard(fd), "RELOADING=1\nMONOTONIC_USEC=");
	notify_status(&n, "so so");
	assert_str(heard(fd), "STATUS=so so");
	notify_watchdog(&n);
	assert_str(heard(fd), "WATCHDOG=1");
	notify_extend(&n, 30000);
	assert_str(heard(fd), "EXTEND_TIMEOUT_USEC=30000000");
	notify_stopping(&n);
	assert_str(heard(fd), "STOPPING=1");
	notify_close(&n);
	close(fd);
	unlink(path);
}

static void speaks_to_an_abstract_socket(void **state)
{
	(void)state;
	struct notify n;
	struct err e;

	snprintf(path, sizeof(path), "@rb-test-notify.%d", (int)getpid());
	int fd = listen_at(path);
	setenv("WATCHDOG_USEC", "1000000", 1);
	setenv("WATCHDOG_PID", "1", 1); /* somebody else's */
	assert_int_equal(notify_open(&n, &e), 0);
	assert_int_equal(n.watchdog_ms, 0);
	notify_stopping(&n);
	assert_str(heard(fd), "STOPPING=1");
	notify_close(&n);
	close(fd);
}

static void is_silent_without_a_manager(void **state)
{
	(void)state;
	struct notify n;
	struct err e;

	assert_int_equal(notify_open(&n, &e), 0);
	assert_int_equal(n.fd, -1);
	notify_ready(&n, "x");
	notify_close(&n);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_open(&n, &e), -1);
	assert_has(str_of(e.text), "'relative'");
	setenv("NOTIFY_SOCKET", "/nowhere/socket", 1);
	assert_int_equal(notify_open(&n, &e), -1);
	notify_stopping(&n);
}

TESTS_MAIN(cmocka_unit_test(says_each_word), cmocka_unit_test(speaks_to_an_abstract_socket),
	cmocka_unit_test(is_silent_without_a_manager))
