/* notify.c: READY=1 and the like, to the socket that systemd named.
 *
 * Owns one datagram socket, connected, close-on-exec. Sending never blocks and a message that
 * cannot be sent is dropped: the service must not depend on its manager. Without NOTIFY_SOCKET
 * nothing is sent.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "run/notify.h"

static int64_t watchdog_from(const char *usec, const char *pid)
{
	char *end;

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	long long v = strtoll(usec, &end, 10);
	return *end || v < 2000 ? 0 : v / 2000; /* half of it, in ms */
}

static int connect_to(const char *name, struct err *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	int fd;

	if ((name[0] != '/' && name[0] != '@') || n >= sizeof(to.sun_path))
		return err_set(e, ERR_INPUT, "NOTIFY_SOCKET '%s' is no path of a socket", name);
	memcpy(to.sun_path, name, n);
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0) {
		err_sys(e, "cannot connect to NOTIFY_SOCKET '%s'", name);
		close(fd);
		return -1;
	}
	return fd;
}

int notify_open(struct notify *n, struct err *e)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int rc = 0;

	n->fd = -1;
	n->watchdog_ms = 0;
	if (name && *name) {
		n->fd = connect_to(name, e);
		n->watchdog_ms = watchdog_from(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
		rc = n->fd < 0 ? -1 : 0;
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return rc;
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

static void say(const struct notify *n, const char *text)
{
	if (n->fd < 0)
		return;
	while (send(n->fd, text, strlen(text), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* A status is one line. */
static void say_with_status(const struct notify *n, const char *first, const char *status)
{
	char text[512];

	snprintf(text, sizeof(text), "%sSTATUS=%s", first, status);
	for (char *p = text + strlen(first); *p; p++) {
		if (*p == '\n')
			*p = ' ';
	}
	say(n, text);
}

void notify_ready(const struct notify *n, const char *status)
{
	say_with_status(n, "READY=1\n", status);
}

void notify_status(const struct notify *n, const char *status)
{
	say_with_status(n, "", status);
}

void notify_reloading(const struct notify *n)
{
	struct timespec now;
	char text[96];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	say(n, text);
}

void notify_stopping(const struct notify *n)
{
	say(n, "STOPPING=1");
}

void notify_watchdog(const struct notify *n)
{
	say(n, "WATCHDOG=1");
}

void notify_extend(const struct notify *n, int64_t ms)
{
	char text[64];

	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%lld", (long long)ms * 1000);
	say(n, text);
}
