/* listen.c: sockets that listen.
 *
 * We bind ourselves, and hand libmicrohttpd a socket that is ready: so port 0, unix sockets and
 * names with several addresses work the same way. A unix socket's file that nobody answers on (its
 * owner was killed) is removed; one that somebody answers on is an error. The file is for its owner
 * and group: who may connect may start runbooks.
 */
#include "base/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096
#define UNIX_PREFIX STR("unix:")

/* ---- unix ---- */

static bool somebody_answers(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

static int open_unix(struct str path, struct listen_socket *out, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;

	if (path.n == 0 || path.n >= sizeof(sa.sun_path))
		return err_set(e, ERR_INPUT,
			"cannot listen on 'unix:%.*s': the path must have 1 to %zu bytes",
			STR_ARG(path), sizeof(sa.sun_path) - 1);
	memcpy(sa.sun_path, path.p, path.n);
	if (lstat(sa.sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(e, ERR_INPUT,
				"cannot listen on '%s': a file of that name is no socket",
				sa.sun_path);
		if (somebody_answers(&sa))
			return err_set(e, ERR_INPUT, "cannot listen on '%s': another program does",
				sa.sun_path);
		unlink(sa.sun_path);
	}
	out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out->fd < 0)
		return err_sys(e, "cannot make a socket");
	out->is_unix = out->is_loopback = true;
	snprintf(out->text, sizeof(out->text), "unix:%s", sa.sun_path);
	if (bind(out->fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
		chmod(sa.sun_path, 0660) != 0 || listen(out->fd, BACKLOG) != 0) {
		err_sys(e, "cannot listen on '%s'", sa.sun_path);
		close(out->fd);
		return -1;
	}
	return 1;
}

/* ---- host:port ---- */

struct str listen_host(struct str text)
{
	const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	struct str host;

	if (!colon || str_starts(text, UNIX_PREFIX))
		return STR_NONE;
	host = (struct str){text.p, (size_t)(colon - text.p)};
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct str){host.p + 1, host.n - 2};
	return host;
}

static void set_port(struct sockaddr *sa, in_port_t port)
{
	if (sa->sa_family == AF_INET)
		((struct sockaddr_in *)(void *)sa)->sin_port = port;
	else
		((struct sockaddr_in6 *)(void *)sa)->sin6_port = port;
}

static in_port_t get_port(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)sa)->sin_port;
	return ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port;
}

static void describe(struct listen_socket *l, const struct sockaddr *sa, socklen_t n)
{
	char host[64] = "?", port[8] = "?";

	getnameinfo(sa, n, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(l->text, sizeof(l->text), sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
		port);
}

/* One address; *port is set to the one that was picked, so that a name's other addresses get the
 * same. */
static int open_address(const struct addrinfo *ai, in_port_t *port, struct listen_socket *out)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr *sa = (struct sockaddr *)&ss;
	socklen_t n = ai->ai_addrlen;
	int one = 1, saved;

	memcpy(&ss, ai->ai_addr, n);
	if (*port)
		set_port(sa, *port);
	out->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out->fd < 0)
		return -1;
	setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ai->ai_family == AF_INET6)
		setsockopt(out->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(out->fd, sa, n) != 0 || listen(out->fd, BACKLOG) != 0) {
		saved = errno;
		close(out->fd);
		errno = saved;
		return -1;
	}
	n = sizeof(ss);
	getsockname(out->fd, sa, &n);
	*port = get_port(sa);
	out->is_unix = false;
	out->is_loopback = listen_is_local(sa);
	describe(out, sa, n);
	return 0;
}

static int resolve(struct str text, struct addrinfo **out, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct str host = listen_host(text);
	const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	char name[256], port[8];
	size_t port_n = colon ? text.n - (size_t)(colon - text.p) - 1 : 0;
	int r;

	if (!colon || port_n == 0 || port_n >= sizeof(port) || host.n >= sizeof(name))
		return err_set(e, ERR_INPUT,
			"cannot listen on '%.*s': want host:port or unix:/path", STR_ARG(text));
	memcpy(name, host.p, host.n);
	name[host.n] = '\0';
	memcpy(port, colon + 1, port_n);
	port[port_n] = '\0';
	r = getaddrinfo(host.n ? name : NULL, port, &hints, out);
	if (r != 0)
		return err_set(e, ERR_INPUT, "cannot listen on '%.*s': %s", STR_ARG(text),
			r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
	return 0;
}

static int open_tcp(struct str text, struct listen_socket *out, size_t max, struct err *e)
{
	struct addrinfo *list = NULL;
	in_port_t port = 0;
	int n = 0;

	if (resolve(text, &list, e) != 0)
		return -1;
	for (const struct addrinfo *ai = list; ai && (size_t)n < max; ai = ai->ai_next) {
		if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
			continue;
		if (open_address(ai, &port, &out[n]) == 0) {
			n++;
		} else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) {
			err_sys(e, "cannot listen on '%.*s'", STR_ARG(text));
			break;
		}
	}
	freeaddrinfo(list);
	if (e->code == ERR_NONE && n == 0)
		err_set(e, ERR_INPUT, "cannot listen on '%.*s': this machine has no such address",
			STR_ARG(text));
	if (e->code == ERR_NONE)
		return n;
	while (n > 0)
		listen_close(&out[--n]);
	return -1;
}

int listen_open(struct str text, struct listen_socket *out, size_t max, struct err *e)
{
	*e = (struct err){0};
	if (max == 0)
		return 0;
	if (str_starts(text, UNIX_PREFIX))
		return open_unix(
			(struct str){text.p + UNIX_PREFIX.n, text.n - UNIX_PREFIX.n}, out, e);
	return open_tcp(text, out, max, e);
}

void listen_close(struct listen_socket *l)
{
	if (l->fd < 0)
		return;
	close(l->fd);
	l->fd = -1;
	if (l->is_unix)
		unlink(l->text + UNIX_PREFIX.n);
}

/* ---- who is at the other end ---- */

bool listen_is_local(const struct sockaddr *sa)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;

	if (!sa)
		return false;
	switch (sa->sa_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
			return v6->sin6_addr.s6_addr[12] == 127;
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	default:
		return false;
	}
}

bool listen_address(const struct sockaddr *sa, unsigned char out[LISTEN_ADDRESS])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	memset(out, 0, LISTEN_ADDRESS);
	if (sa && sa->sa_family == AF_INET) {
		memcpy(out, mapped, sizeof(mapped));
		memcpy(out + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
		return true;
	}
	if (!sa || sa->sa_family != AF_INET6)
		return false;
	memcpy(out, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, LISTEN_ADDRESS);
	return true;
}
