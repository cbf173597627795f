/* redis_url.c: takes "redis://…" and "unix:…" apart.
 *
 * Owns nothing but what it puts into the struct's arena. Every part is checked here, so that those who connect
 * need not: the path fits a sockaddr_un, the port and the database are numbers in range. Kinds of addresses that
 * other programs know (rediss, sentinel, cluster) are refused by name.
 */
#include "store/redis_url.h"

#include <sys/un.h>

#define URL_LIMIT 4096

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static int decode(struct arena *a, struct str in, struct str *out, struct err *e)
{
	char *p = arena_alloc(a, in.n + 1);
	size_t n = 0;

	if (!p)
		return err_set(e, ERR_NOMEM, "no memory for the address of Redis");
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '%') {
			p[n++] = in.p[i];
			continue;
		}
		if (i + 2 >= in.n || hex(in.p[i + 1]) < 0 || hex(in.p[i + 2]) < 0)
			return err_set(e, ERR_INPUT,
				"redis: a '%%' in user or password wants two hexadecimal digits after it");
		p[n++] = (char)(hex(in.p[i + 1]) * 16 + hex(in.p[i + 2]));
		i += 2;
	}
	p[n] = '\0';
	*out = (struct str){p, n};
	return 0;
}

static bool is_number(struct str s, long max)
{
	long v = 0;

	if (s.n == 0 || s.n > 6)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	return v <= max;
}

/* Cuts s at the first (or last) c: what is before it; *rest is what is after, or has p NULL. */
static struct str cut(struct str s, char c, bool last, struct str *rest)
{
	*rest = STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		size_t at = last ? s.n - 1 - i : i;
		if (s.p[at] == c) {
			*rest = (struct str){s.p + at + 1, s.n - at - 1};
			return (struct str){s.p, at};
		}
	}
	return s;
}

static int parse_host(struct redis_url *u, struct str s, struct err *e)
{
	struct str host, port;

	if (s.n > 0 && s.p[0] == '[') {
		struct str after;
		host = cut((struct str){s.p + 1, s.n - 1}, ']', false, &after);
		if (!after.p || (after.n > 0 && after.p[0] != ':'))
			return err_set(e, ERR_INPUT, "redis: '%.*s': want [address]:port", STR_ARG(s));
		port = after.n > 0 ? (struct str){after.p + 1, after.n - 1} : STR_NONE;
	} else {
		host = cut(s, ':', true, &port);
	}
	if (host.n == 0)
		return err_set(e, ERR_INPUT, "redis: no host in 'redis://…': want redis://host:port");
	if (!port.p)
		port = STR("6379");
	if (!is_number(port, 65535))
		return err_set(e, ERR_INPUT, "redis: '%.*s' is no port", STR_ARG(port));
	u->host = arena_strdup(&u->arena, host);
	u->port = arena_strdup(&u->arena, port);
	return 0;
}

static int parse_tcp(struct redis_url *u, struct str s, struct err *e)
{
	struct str path, place, login = STR_NONE;
	struct str authority = cut(s, '/', false, &path);
	struct str before = cut(authority, '@', true, &place);

	if (place.p)
		login = before;
	else
		place = authority;
	if (login.p) {
		struct str password, user = cut(login, ':', false, &password);
		if (!password.p)
			return err_set(e, ERR_INPUT, "redis: want user:password or :password before the '@'");
		if (decode(&u->arena, user, &u->user, e) || decode(&u->arena, password, &u->password, e))
			return -1;
	}
	if (path.n > 0) {
		if (!is_number(path, 65535))
			return err_set(e, ERR_INPUT, "redis: '/%.*s' is no database number", STR_ARG(path));
		u->database = arena_strdup(&u->arena, path);
	}
	if (parse_host(u, place, e))
		return -1;
	u->shown = arena_printf(&u->arena, "redis://%.*s%s%.*s", STR_ARG(place), path.n > 0 ? "/" : "",
		STR_ARG(path));
	return 0;
}

static int parse_unix(struct redis_url *u, struct str s, struct err *e)
{
	if (str_starts(s, STR("//")))
		s = (struct str){s.p + 2, s.n - 2};
	if (s.n == 0 || s.p[0] != '/')
		return err_set(e, ERR_INPUT, "redis: want unix:/path, with an absolute path");
	if (s.n >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return err_set(e, ERR_INPUT,
			"redis: the path of a unix socket has at most %zu bytes, this one %zu: '%.*s'",
			sizeof(((struct sockaddr_un *)0)->sun_path) - 1, s.n, STR_ARG(s));
	u->path = arena_strdup(&u->arena, s);
	u->shown = arena_printf(&u->arena, "unix:%.*s", STR_ARG(s));
	return 0;
}

int redis_url_parse(struct redis_url *u, struct str text, struct err *e)
{
	struct str rest;
	struct str scheme = cut(text, ':', false, &rest);
	int rc;

	*u = (struct redis_url){.path = STR_NONE};
	arena_init(&u->arena, URL_LIMIT * 4);
	if (text.n > URL_LIMIT)
		return err_set(e, ERR_INPUT, "redis: an address has at most %d bytes", URL_LIMIT);
	if (rest.p && str_is(scheme, "unix"))
		rc = parse_unix(u, rest, e);
	else if (str_starts(text, STR("redis://")))
		rc = parse_tcp(u, (struct str){text.p + 8, text.n - 8}, e);
	else if (rest.p && (str_is(scheme, "rediss") || str_is(scheme, "sentinel") || str_is(scheme, "cluster")))
		rc = err_set(e, ERR_INPUT, "redis: '%.*s:' addresses are not supported yet; use redis:// or unix:",
			STR_ARG(scheme));
	else
		rc = err_set(e, ERR_INPUT, "redis: want redis://host:port or unix:/path");
	if (rc == 0 && arena_failed(&u->arena))
		rc = err_set(e, ERR_NOMEM, "no memory for the address of Redis");
	return rc;
}

void redis_url_release(struct redis_url *u)
{
	arena_release(&u->arena);
}
