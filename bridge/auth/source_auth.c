/* source_auth.c: `auth` of a source: its secrets' files read, and what is shown held against them.
 *
 * A secret is in memory in the clear only while it is read; what stays are the SHA-256 of what
 * bearer and basic are to show, and the keyed contexts of those that sign (signature.c). All of
 * them are compared, each over its whole length.
 */
#include "auth/source_auth.h"

#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "auth/auth_impl.h"
#include "auth/credentials.h"
#include "base/base64.h"
#include "base/file.h"

/* ---- loading ---- */

static void say(struct auth_load *l, enum diag_kind kind, const struct source_auth *s, int line,
	int column, const char *what)
{
	diag_add(l->d, kind, l->auth->conf->path.p, line, column, "'sources.%.*s.auth': %s",
		STR_ARG(s->conf->name), what);
}

static void say_auth(
	struct auth_load *l, enum diag_kind kind, const struct source_auth *s, const char *what)
{
	say(l, kind, s, s->conf->auth.line, s->conf->auth.column, what);
}

/* Who needs the group's right to read it must have it; nobody needs another one's. */
static void warn_loose(
	struct auth_load *l, const struct source_auth *s, const struct conf_text *path)
{
	struct err e;
	struct stat st;
	mode_t loose;

	if (stat(path->text.p, &st) != 0)
		return;
	loose = st.st_uid != geteuid() && st.st_gid == getegid() ? S_IWGRP | S_IRWXO
								 : S_IRWXG | S_IRWXO;
	if ((st.st_mode & loose) == 0)
		return;
	err_set(&e, ERR_INPUT,
		"'%s' has the mode %04o, so that others get at the secret; chmod %s %s",
		path->text.p, (unsigned)st.st_mode & 07777,
		loose & S_IRGRP ? "go=" : "g-w,o=", path->text.p);
	say(l, DIAG_WARNING, s, path->line, path->column, e.text);
}

static bool is_white(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_blank(const struct buf *b)
{
	size_t i = 0;

	while (i < b->n && is_white(b->p[i]))
		i++;
	return i == b->n;
}

/* The secret, without one final newline. White space alone is what anybody may guess. */
static int read_secret(const char *path, struct buf *out, struct err *e)
{
	/* All its room at once: a buffer that grows leaves parts of it behind. */
	buf_room(out, AUTH_SECRET_MAX);
	if (file_read(path, out, e) != 0)
		return -1;
	if (out->n && out->p[out->n - 1] == '\n')
		out->n--;
	if (is_blank(out))
		return err_set(e, ERR_INPUT, "'%s' is empty; put the secret there", path);
	return 0;
}

/* No header shows it, and no sender that signs was given it. */
static void warn_white(struct auth_load *l, const struct source_auth *s,
	const struct conf_text *path, struct str secret)
{
	struct err e;

	if (s->conf->auth.kind == CONF_AUTH_STANDARD_WEBHOOKS || /* base64 */
		(!is_white(secret.p[0]) && !is_white(secret.p[secret.n - 1])))
		return;
	err_set(&e, ERR_INPUT,
		"'%s' has white space before or behind the secret, which counts as a part of it; "
		"only one final newline does not",
		path->text.p);
	say(l, DIAG_WARNING, s, path->line, path->column, e.text);
}

static void hash_secret(struct auth_load *l, struct str secret)
{
	uint64_t n = secret.n;

	sha256_update(&l->secrets, sizeof(n), (const uint8_t *)&n);
	sha256_update(&l->secrets, secret.n, (const uint8_t *)secret.p);
}

static int take_secret(struct source_auth *s, size_t i, struct str secret, struct err *e)
{
	if (s->signing)
		return signing_key(s->signing, i, secret, e);
	if (s->conf->auth.kind == CONF_AUTH_BASIC)
		auth_digest_basic(s->conf->auth.user, secret, s->digests[i]);
	else
		auth_digest(secret, s->digests[i]);
	return 0;
}

static void load_secret(struct auth_load *l, struct source_auth *s, size_t i)
{
	const struct conf_text *path = &s->conf->auth.secrets.v[i];
	struct err e = {0};
	struct buf b;

	buf_init(&b, AUTH_SECRET_MAX);
	if (read_secret(path->text.p, &b, &e) == 0 && take_secret(s, i, buf_as_str(&b), &e) == 0) {
		hash_secret(l, buf_as_str(&b));
		warn_loose(l, s, path);
		warn_white(l, s, path, buf_as_str(&b));
	} else if (e.code == ERR_INPUT &&
		   !memmem(e.text, strlen(e.text), path->text.p, path->text.n)) {
		struct err whole;

		err_set(&whole, ERR_INPUT, "'%s' %s", path->text.p, e.text);
		say(l, DIAG_ERROR, s, path->line, path->column, whole.text);
	} else {
		say(l, DIAG_ERROR, s, path->line, path->column, e.text);
	}
	if (b.p)
		explicit_bzero(b.p, b.cap);
	buf_release(&b);
}

static void load_secrets(struct auth_load *l, struct source_auth *s)
{
	const struct conf_auth *c = &s->conf->auth;

	s->digests_n = c->kind == CONF_AUTH_BEARER || c->kind == CONF_AUTH_BASIC ? c->secrets.n : 0;
	s->digests = calloc(s->digests_n ? s->digests_n : 1, sizeof(*s->digests));
	if (!s->digests || signing_new(c, &s->signing) != 0) {
		say_auth(l, DIAG_ERROR, s, "no memory");
		return;
	}
	for (size_t i = 0; i < c->secrets.n; i++)
		load_secret(l, s, i);
}

/* What would never let anybody in, or lets others listen. */
static void check_rest(struct auth_load *l, const struct source_auth *s)
{
	const struct conf *c = l->auth->conf;
	enum conf_auth_kind kind = s->conf->auth.kind;

	if (kind == CONF_AUTH_TOKEN && c->tokens_n == 0)
		say_auth(l, DIAG_ERROR, s,
			"it asks for a token, and 'tokens' has none; runbookctl token new makes "
			"one");
	if (kind == CONF_AUTH_CLIENT_CERT && c->http.tls.client_ca.n == 0 &&
		!(c->syslog.listen.n && str_eq(c->syslog.source, s->conf->name)))
		say_auth(l, DIAG_ERROR, s,
			"client_cert needs http.tls with client_ca, which says who signs clients' "
			"certificates");
	if ((kind == CONF_AUTH_TOKEN || kind == CONF_AUTH_BEARER || kind == CONF_AUTH_BASIC) &&
		c->http.tls.cert.n == 0 && conf_listens_elsewhere(c))
		say_auth(l, DIAG_WARNING, s,
			"what its senders show crosses the network in the clear; set http.tls, or "
			"listen on this machine only, with a proxy in front that speaks TLS");
}

void source_auth_load(struct auth_load *l, struct source_auth *s)
{
	const struct conf_list *allow = &s->conf->auth.allow;

	s->allow = calloc(allow->n ? allow->n : 1, sizeof(*s->allow));
	if (!s->allow)
		say_auth(l, DIAG_ERROR, s, "no memory");
	for (size_t i = 0; s->allow && i < allow->n; i++)
		s->allow_n += cidr_parse(allow->v[i].text, &s->allow[s->allow_n]);
	load_secrets(l, s);
	check_rest(l, s);
}

void source_auth_release(struct source_auth *s)
{
	if (s->digests)
		explicit_bzero(s->digests, s->digests_n * sizeof(*s->digests));
	free(s->digests);
	free(s->allow);
	signing_free(s->signing);
}

/* ---- what is asked ---- */

enum conf_auth_kind source_auth_kind(const struct source_auth *s)
{
	return s->conf->auth.kind;
}

bool source_auth_is_by_place(const struct source_auth *s)
{
	return s->conf->auth.kind == CONF_AUTH_NONE;
}

bool source_auth_takes(const struct source_auth *s, const unsigned char *address)
{
	return s->allow_n == 0 || (address && cidr_any(s->allow, s->allow_n, address));
}

const char *source_auth_challenge(const struct source_auth *s)
{
	switch (s->conf->auth.kind) {
	case CONF_AUTH_BASIC:
		return "Basic realm=\"runbookd\", charset=\"UTF-8\"";
	case CONF_AUTH_HMAC:
	case CONF_AUTH_STANDARD_WEBHOOKS:
	case CONF_AUTH_GITHUB:
	case CONF_AUTH_PAGERDUTY:
		return "Signature realm=\"runbookd\"";
	case CONF_AUTH_CLIENT_CERT:
		return "ClientCertificate realm=\"runbookd\"";
	case CONF_AUTH_NONE:
	case CONF_AUTH_TOKEN:
	case CONF_AUTH_BEARER:
	case CONF_AUTH_SNS:
		break;
	}
	return "Bearer realm=\"runbookd\"";
}

static bool is_one_of(const struct source_auth *s, const uint8_t shown[AUTH_DIGEST])
{
	int good = 0;

	for (size_t i = 0; i < s->digests_n; i++)
		good |= memeql_sec(shown, s->digests[i], AUTH_DIGEST);
	return good != 0;
}

enum auth_verdict source_auth_credentials(
	const struct source_auth *s, struct str authorization, struct err *e)
{
	bool basic = s->conf->auth.kind == CONF_AUTH_BASIC;
	uint8_t digest[AUTH_DIGEST];
	struct credentials c;
	bool good;

	credentials_read(authorization, &c);
	if (c.form != (basic ? CREDENTIALS_BASIC : CREDENTIALS_BEARER)) {
		credentials_wipe(&c);
		err_set(e, ERR_INPUT, "the source '%.*s' takes who shows %s",
			STR_ARG(s->conf->name),
			basic ? "its user and password, as 'Authorization: Basic'"
			      : "its secret, as 'Authorization: Bearer'");
		return AUTH_NOTHING_SHOWN;
	}
	if (basic)
		auth_digest_basic(c.user, c.secret, digest);
	else
		auth_digest(c.secret, digest);
	credentials_wipe(&c);
	good = is_one_of(s, digest);
	explicit_bzero(digest, sizeof(digest));
	if (good)
		return AUTH_GOOD;
	err_set(e, ERR_INPUT, "these are not the credentials of the source '%.*s'",
		STR_ARG(s->conf->name));
	return AUTH_WRONG;
}

/* Host names are the same in any case; other names that differ only so belong to no two. */
static bool same_name(struct str a, struct str b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

enum auth_verdict source_auth_names(
	const struct source_auth *s, const struct str *names, size_t n, struct err *e)
{
	const struct conf_list *wanted = &s->conf->auth.names;

	if (n == 0) {
		err_set(e, ERR_INPUT,
			"the source '%.*s' takes who shows a certificate that http.tls.client_ca "
			"vouches for",
			STR_ARG(s->conf->name));
		return AUTH_NOTHING_SHOWN;
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < wanted->n; k++) {
			if (same_name(names[i], wanted->v[k].text))
				return AUTH_GOOD;
		}
	}
	err_set(e, ERR_INPUT,
		"the certificate of '%.*s' has none of the names of the source '%.*s'",
		(int)(names[0].n < 100 ? names[0].n : 100), names[0].p, STR_ARG(s->conf->name));
	return AUTH_FORBIDDEN;
}

const struct signing *source_auth_signing(const struct source_auth *s)
{
	return s->signing;
}
