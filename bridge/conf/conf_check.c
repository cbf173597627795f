/* conf_check.c: is this text good for that key? Pure. Each answers NULL, or the rest of the
 * sentence "'key' is 'text': …" with the remedy in it. They look at form only: whether a user, a
 * file or a kind exists is for those who use it. */
#include "conf/conf_table.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include "base/cidr.h"
#include "conf/conf.h"

#define UNIX_PATH_MAX_BYTES (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static bool only(struct str s, const char *extra)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool word =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!word && (c == '\0' || !strchr(extra, c)))
			return false;
	}
	return s.n > 0;
}

static struct str after(struct str s, size_t n)
{
	return (struct str){s.p + n, s.n - n};
}

static const char *check_unix(struct str path)
{
	if (path.n == 0 || path.p[0] != '/')
		return "a socket's path must be absolute: unix:/run/runbookd/http.sock";
	if (path.n > UNIX_PATH_MAX_BYTES)
		return "a socket's path may have 107 bytes at most; take a shorter one";
	return NULL;
}

static bool is_port(struct str s, long least)
{
	long v = 0;
	if (s.n == 0 || s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	return v >= least && v <= 65535;
}

/* "host:port" or "[v6]:port" in two; false without a colon. */
static bool split_port(struct str s, struct str *host, struct str *port)
{
	const char *colon = s.n ? memrchr(s.p, ':', s.n) : NULL;
	if (!colon)
		return false;
	*host = (struct str){s.p, (size_t)(colon - s.p)};
	*port = after(s, host->n + 1);
	return true;
}

static bool in_brackets(struct str *host)
{
	if (host->n < 2 || host->p[0] != '[' || host->p[host->n - 1] != ']')
		return false;
	*host = (struct str){host->p + 1, host->n - 2};
	return true;
}

const char *conf_check_listen(struct str s)
{
	struct str host, port;
	char text[INET6_ADDRSTRLEN] = "";
	struct in_addr v4;
	struct in6_addr v6;

	if (str_starts(s, STR("unix:")))
		return check_unix(after(s, 5));
	if (!split_port(s, &host, &port))
		return "it must be address:port, [IPv6 address]:port or unix:/path";
	if (!is_port(port, 0))
		return "the port must be a number from 0 to 65535";
	bool six = in_brackets(&host);
	if (host.n < sizeof(text))
		memcpy(text, host.p, host.n);
	if (!inet_pton(six ? AF_INET6 : AF_INET, text, six ? (void *)&v6 : (void *)&v4))
		return "it needs an IP address, as in 127.0.0.1:9911 or [::1]:9911";
	return NULL;
}

bool conf_listen_is_local(struct str s)
{
	struct str host, port;

	if (str_starts(s, STR("unix:")))
		return true;
	if (!split_port(s, &host, &port))
		return false;
	if (!in_brackets(&host))
		return str_starts(host, STR("127."));
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_addr v6;
	if (host.n < sizeof(text))
		memcpy(text, host.p, host.n);
	return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool conf_listens_elsewhere(const struct conf *c)
{
	for (size_t i = 0; i < c->http.listen.n; i++) {
		if (!conf_listen_is_local(c->http.listen.v[i].text))
			return true;
	}
	return false;
}

/* A password may hold '@' and '/', so the last '@' is the one that counts. */
static struct str user_info(struct str url)
{
	struct str rest = after(url, strlen("redis://"));
	const char *at = rest.n ? memrchr(rest.p, '@', rest.n) : NULL;
	return at ? (struct str){rest.p, (size_t)(at - rest.p)} : (struct str){rest.p, 0};
}

struct str conf_redis_password(struct str url)
{
	if (!str_starts(url, STR("redis://")))
		return STR_NONE;
	struct str info = user_info(url);
	const char *colon = info.n ? memchr(info.p, ':', info.n) : NULL;
	return colon ? after(info, (size_t)(colon - info.p) + 1) : STR_NONE;
}

static const char *check_redis_url(struct str url)
{
	struct str info = user_info(url);
	struct str rest = after(url, strlen("redis://") + info.n);
	struct str host, port;

	if (rest.n && rest.p[0] == '@')
		rest = after(rest, 1);
	const char *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
	if (slash) {
		struct str db = after(rest, (size_t)(slash - rest.p) + 1);
		if (!is_port(db, 0))
			return "after the last '/' stands the number of a database, as in "
			       "redis://127.0.0.1:6379/0";
		rest.n = (size_t)(slash - rest.p);
	}
	if (!split_port(rest, &host, &port) || !is_port(port, 1))
		return "it needs a host and a port, as in redis://127.0.0.1:6379";
	if (!in_brackets(&host) && memchr(host.p, ':', host.n))
		return "an IPv6 address stands in brackets, as in redis://[::1]:6379";
	if (host.n == 0 || !only(host, "._-:"))
		return "it needs a host and a port, as in redis://127.0.0.1:6379";
	return NULL;
}

const char *conf_check_redis(struct str s)
{
	if (str_is(s, "embedded"))
		return NULL;
	if (str_starts(s, STR("unix:")))
		return check_unix(after(s, 5));
	if (str_starts(s, STR("redis://")))
		return check_redis_url(s);
	if (str_starts(s, STR("rediss://")) || str_starts(s, STR("sentinel://")) ||
		str_starts(s, STR("cluster://")))
		return "this form is not supported yet; embedded, redis://host:port/db and "
		       "unix:/path are";
	return "it must be embedded, redis://[user:password@]host:port[/db] or unix:/path";
}

const char *conf_check_pool(struct str s)
{
	return only(s, "-_.:") && s.n <= 200
		? NULL
		: "a pool's name has letters, digits, '-', '_', '.' and ':', and 200 bytes at most";
}

const char *conf_check_namespace(struct str s)
{
	return only(s, "_-") ? NULL : "it may have letters, digits, '_' and '-' only";
}

const char *conf_check_user(struct str s)
{
	return only(s, "._-") && s.p[0] != '-' ? NULL : "it is no name of a user";
}

const char *conf_check_source(struct str s)
{
	return only(s, "-_.") && s.n <= 64
		? NULL
		: "a source's name has letters, digits, '-', '_' and '.', and 64 bytes at most";
}

const char *conf_check_token(struct str s)
{
	return only(s, "-_.@") && s.n <= 64
		? NULL
		: "a token's name has letters, digits, '-', '_', '.' and '@', and 64 bytes at most";
}

const char *conf_check_filled(struct str s)
{
	return s.n ? NULL : "it must not be empty";
}

const char *conf_check_header(struct str s)
{
	return only(s, "-_") && s.n <= 64
		? NULL
		: "a header's name has letters, digits, '-' and '_', and 64 bytes at most";
}

const char *conf_check_proxy(struct str s)
{
	struct cidr range;

	return str_is(s, CONF_UNIX) || cidr_parse(s, &range)
		? NULL
		: CONF_RANGE_LIKE ", or unix for those who connect over a unix socket";
}
