/* client.c: libcurl with everything off that a command line of ours does not need.
 *
 * Guarantees: only http and https (or http over a unix socket), no redirects (a token never goes to
 * another host), a bounded answer, a bounded wait but for streams. A proxy from the environment is not
 * used for loopback and unix sockets. An answer that is streamed is handed out only where its status is
 * 200; any other is kept, for the problem details in it.
 * Does not print and does not know what is in the answers.
 */
#include "cli/client.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

#define TOKEN_LIMIT 4096

static int read_token(struct client *c, const char *path, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, TOKEN_LIMIT);
	rc = file_read(path, &b, e);
	if (rc == 0 && b.n && b.p[b.n - 1] == '\n')
		b.p[--b.n] = '\0';
	if (rc == 0 && b.n == 0)
		rc = err_set(e, ERR_INPUT, "the token file '%s' is empty", path);
	for (size_t i = 0; rc == 0 && i < b.n; i++) {
		if (b.p[i] <= ' ' || b.p[i] == 0x7f)
			rc = err_set(e, ERR_INPUT, "the token file '%s' must hold one line, the token",
				path);
	}
	if (rc == 0)
		c->token = buf_steal(&b);
	buf_release(&b);
	return rc;
}

static int read_url(struct client *c, const char *url, struct err *e)
{
	size_t n;

	if (strncmp(url, "unix:", 5) == 0) {
		const char *path = url + 5;

		while (path[0] == '/' && path[1] == '/')
			path++;
		if (path[0] != '/')
			return err_set(e, ERR_INPUT, "'%s' is no address: a unix socket is unix:/path", url);
		c->socket = strdup(path);
		c->base = strdup("http://localhost");
		return c->socket && c->base ? 0 : err_set(e, ERR_NOMEM, "not enough memory");
	}
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return err_set(e, ERR_INPUT,
			"'%s' is no address: give http://HOST:PORT, https://HOST:PORT or unix:/path", url);
	n = strlen(url);
	while (n && url[n - 1] == '/')
		n--;
	if (url[n - 1] == ':')
		return err_set(e, ERR_INPUT, "'%s' names no host: give http://HOST:PORT", url);
	c->base = strndup(url, n);
	return c->base ? 0 : err_set(e, ERR_NOMEM, "not enough memory");
}

int client_init(struct client *c, const char *url, const char *token_file, struct err *e)
{
	*c = (struct client){.shown = url};
	if (read_url(c, url, e) < 0)
		return -1;
	if (token_file && read_token(c, token_file, e) < 0)
		return -1;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return err_set(e, ERR_NOMEM, "cannot set up libcurl");
	c->curl = curl_easy_init();
	return c->curl ? 0 : err_set(e, ERR_NOMEM, "cannot set up libcurl");
}

void client_release(struct client *c)
{
	if (c->curl) {
		curl_easy_cleanup(c->curl);
		curl_global_cleanup();
	}
	free(c->base);
	free(c->socket);
	free(c->token);
	*c = (struct client){0};
}

void reply_release(struct reply *r)
{
	buf_release(&r->body);
}

struct transfer {
	const struct request *q;
	struct reply *r;
	void *curl;
	bool stopped;	/* on_data wanted no more */
};

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	long status = 0;

	n *= size;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (t->q->on_data && status == 200) {
		t->stopped = t->q->on_data(t->q->ctx, p, n) != 0;
		return t->stopped ? 0 : n;
	}
	buf_add(&t->r->body, p, n);
	return buf_failed(&t->r->body) ? 0 : n;
}

static bool is_loopback(const char *base)
{
	static const char *const hosts[] = {"127.", "localhost", "[::1]"};
	const char *host = strstr(base, "//") + 2;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		if (strncmp(host, hosts[i], strlen(hosts[i])) == 0)
			return true;
	}
	return false;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
	struct curl_slist *longer = NULL;
	char *line = NULL;

	if (asprintf(&line, "%s: %s", name, value) < 0)
		return list;
	longer = curl_slist_append(list, line);
	free(line);
	return longer ? longer : list;
}

static struct curl_slist *headers(const struct client *c, const struct request *q)
{
	struct curl_slist *list = NULL;

	list = add_header(list, "Accept", "application/json, text/plain;q=0.9");
	/* Without a value libcurl leaves a header out that it would put in. */
	list = add_header(list, "Content-Type", q->body.n ? "application/json" : "");
	if (c->token) {
		char *value = NULL;

		if (asprintf(&value, "Bearer %s", c->token) >= 0)
			list = add_header(list, "Authorization", value);
		free(value);
	}
	if (q->idempotency_key)
		list = add_header(list, "Idempotency-Key", q->idempotency_key);
	return add_header(list, "Expect", "");
}

static void set_up(struct client *c, const struct request *q, struct transfer *t, const char *url,
	char *why)
{
	CURL *h = c->curl;

	curl_easy_reset(h);
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "runbookctl");
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CLIENT_CONNECT_TIMEOUT_MS);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, q->on_data ? 0L : (long)CLIENT_TIMEOUT_MS);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
	if (q->silence_s) {
		curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, q->silence_s);
	}
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
	if (c->ca_file)
		curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file);
	if (c->socket)
		curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	if (c->socket || is_loopback(c->base))
		curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
	if (strcmp(q->method, "POST") == 0) {
		curl_easy_setopt(h, CURLOPT_POST, 1L);
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, q->body.p ? q->body.p : "");
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n);
	}
}

/* What the system said is plainer than libcurl's sentence about it. */
static int fail(struct client *c, CURLcode rc, const char *why, struct err *e)
{
	long number = 0;

	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &number);
	if (rc == CURLE_COULDNT_CONNECT && number)
		return err_set(e, ERR_AWAY, "%s", strerror((int)number));
	return err_set(e, ERR_AWAY, "%s", why[0] ? why : curl_easy_strerror(rc));
}

int client_call(struct client *c, const struct request *q, struct reply *r, struct err *e)
{
	struct transfer t = {.q = q, .r = r, .curl = c->curl};
	char why[CURL_ERROR_SIZE] = "";
	struct curl_slist *list;
	char *url = NULL;
	CURLcode rc;

	r->status = 0;
	buf_init(&r->body, CLIENT_BODY_LIMIT);
	if (asprintf(&url, "%s%s", c->base, q->path) < 0)
		return err_set(e, ERR_NOMEM, "not enough memory");
	list = headers(c, q);
	set_up(c, q, &t, url, why);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, list);
	rc = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &r->status);
	curl_slist_free_all(list);
	free(url);
	if (rc == CURLE_OK || t.stopped)
		return 0;
	if (buf_failed(&r->body))
		return err_set(e, ERR_LIMIT, "the answer is over %zu MiB", CLIENT_BODY_LIMIT >> 20);
	return fail(c, rc, why, e);
}
