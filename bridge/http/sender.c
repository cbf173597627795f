/* sender.c: who is at the other end of a request, and may it send to a source that says so itself?
 *
 * The client is the peer; or, where that is a trusted proxy, whom it speaks for. What came through
 * any proxy is never "this machine", whatever address the proxy names: a request with a header that
 * only proxies add loses that, even where nobody said that there is a proxy. Its address is then
 * not known at all.
 *
 * A source's auth is asked in this order: the addresses, what the headers show, and for a signature
 * the bytes of the body as they came, before anything is made of them. The verdict comes before the
 * handler's finish, and before whatever the handler said of the body: who may not send hears
 * nothing else, and nothing is stored.
 */
#include <string.h>
#include <strings.h>
#include "auth/source_auth.h"
#include "base/clock.h"
#include "http/access.h"
#include "http/gate.h"
#include "http/handlers.h"
#include "http/state.h"

#define THIS_MACHINE "127.0.0.1" /* what a unix socket counts as */

/* ---- the client ---- */

struct client_walk {
	struct access_chain by_list, by_rfc; /* X-Forwarded-For, Forwarded */
	bool any;			     /* a header that only proxies add */
};

/* Of a value that is folded (RFC 9112, 5.2) libmicrohttpd puts what is on the next line behind the
 * name: whatever begins so may be such a header. */
static bool is_of_proxies(struct str name)
{
	static const char *const names[] = {"X-Forwarded-For", "Forwarded", "X-Real-IP",
		"X-Forwarded-Host", "X-Forwarded-Proto", "Via"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncasecmp(name.p, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

static void walk(void *arg, struct str name, struct str value)
{
	struct client_walk *w = arg;
	int first = name.n ? name.p[0] | 0x20 : 0;

	if (first != 'x' && first != 'f' && first != 'v')
		return;
	if (strcasecmp(name.p, "X-Forwarded-For") == 0)
		access_chain_forwarded_for(&w->by_list, value);
	else if (strcasecmp(name.p, "Forwarded") == 0)
		access_chain_forwarded(&w->by_rfc, value);
	w->any = w->any || is_of_proxies(name);
}

static bool trusted(const void *ctx, const unsigned char *address)
{
	return auth_is_proxy(ctx, address);
}

/* Where both headers are there and differ, one of them was not the proxy's. */
static const struct access_chain *chain_of(const struct client_walk *w)
{
	const struct access_chain *a = &w->by_list, *b = &w->by_rfc;

	if (a->last == ACCESS_NOBODY || b->last == ACCESS_NOBODY)
		return a->last == ACCESS_NOBODY ? b : a;
	return a->last == b->last && memcmp(a->address, b->address, sizeof(a->address)) == 0 ? a
											     : NULL;
}

static void through_proxy(struct request *r, const struct client_walk *w)
{
	const struct access_chain *c = chain_of(w);

	r->client.known = c && c->last == ACCESS_KNOWN;
	if (r->client.known)
		memcpy(r->client.address, c->address, sizeof(r->client.address));
}

void request_find_client(struct request *r)
{
	const struct listener *l = r->conn->listener;
	const struct auth *a = r->server->app.ic->auth;
	struct client_walk w = {.by_list = {.trusted = trusted, .ctx = a},
		.by_rfc = {.trusted = trusted, .ctx = a}};
	bool proxy = auth_is_proxy(a, l->socket.is_unix ? NULL : r->conn->address);

	r->client.known = true;
	if (l->socket.is_unix)
		cidr_parse_address(STR(THIS_MACHINE), r->client.address);
	else
		memcpy(r->client.address, r->conn->address, sizeof(r->client.address));
	r->client.here = l->socket.is_loopback || access_is_loopback(r->client.address);
	if (!proxy && !r->client.here) /* what it says of others means nothing */
		return;
	request_headers(r, walk, &w);
	if (!w.any) /* it speaks for itself */
		return;
	r->client.here = false;
	r->client.known = false;
	if (proxy)
		through_proxy(r, &w);
}

const char *request_client_text(const struct request *r, char out[CIDR_TEXT_MAX])
{
	if (!r->client.known)
		return "unknown";
	cidr_format_address(r->client.address, out);
	return out;
}

/* ---- a source's auth ---- */

static bool refuse(
	struct request *r, const struct source_auth *s, enum auth_verdict v, const struct err *e)
{
	bool asks = v == AUTH_NOTHING_SHOWN;
	enum conf_auth_kind kind = source_auth_kind(s);

	/* Who may try other credentials is told so. */
	asks = asks || (v == AUTH_WRONG && (kind == CONF_AUTH_BEARER || kind == CONF_AUTH_BASIC));
	if (v == AUTH_NO_MEMORY) {
		request_problem(r, MHD_HTTP_SERVICE_UNAVAILABLE, e);
		return false;
	}
	if (asks)
		r->challenge = source_auth_challenge(s);
	ingest_complain(r, e);
	request_problem(r, asks ? MHD_HTTP_UNAUTHORIZED : MHD_HTTP_FORBIDDEN, e);
	return false;
}

static bool address_may(struct request *r, const struct source_auth *s, struct str source)
{
	char text[CIDR_TEXT_MAX];
	struct err e = {0};
	int n = (int)(source.n < 100 ? source.n : 100);

	if (source_auth_takes(s, r->client.known ? r->client.address : NULL))
		return true;
	if (r->client.known)
		err_set(&e, ERR_INPUT,
			"the source '%.*s' takes nothing from %s; its auth.allow says from where",
			n, source.p, request_client_text(r, text));
	else
		err_set(&e, ERR_INPUT,
			"the source '%.*s' looks at addresses (auth.allow), and this one is not "
			"known: "
			"a proxy is between that is not in http.trusted_proxies, or that does not "
			"say "
			"for whom it speaks",
			n, source.p);
	return refuse(r, s, AUTH_FORBIDDEN, &e);
}

static struct str header_of(void *ctx, const char *name)
{
	return request_header(ctx, name);
}

static bool begin_signature(struct request *r, const struct source_auth *s)
{
	struct err e = {0};
	enum auth_verdict v;

	if (r->route->method == ROUTE_OPTIONS) /* a question, with nothing to sign or to take */
		return true;
	v = signature_begin(
		source_auth_signing(s), header_of, r, clock_wall_ms(), &r->signature, &e);
	return v == AUTH_GOOD || refuse(r, s, v, &e);
}

static bool shows_credentials(struct request *r, const struct source_auth *s)
{
	struct str shown = request_header(r, MHD_HTTP_HEADER_AUTHORIZATION);
	struct err e = {0};
	enum auth_verdict v = source_auth_credentials(s, shown, &e);

	return v == AUTH_GOOD || refuse(r, s, v, &e);
}

static bool shows_certificate(struct request *r, const struct source_auth *s)
{
	struct str *names = NULL;
	size_t n = request_client_cert_names(r, &names);
	struct err e = {0};
	enum auth_verdict v = source_auth_names(s, names, n, &e);

	return v == AUTH_GOOD || refuse(r, s, v, &e);
}

bool sender_may(struct request *r, const struct source_auth *s, struct str source)
{
	if (!address_may(r, s, source))
		return false;
	switch (source_auth_kind(s)) {
	case CONF_AUTH_TOKEN:
		return gate_token_may_send(r, source);
	case CONF_AUTH_BEARER:
		return shows_credentials(r, s);
	case CONF_AUTH_BASIC: /* a browser adds it, and a certificate, by itself */
		return shows_credentials(r, s) && !gate_from_page(r, false);
	case CONF_AUTH_CLIENT_CERT:
		return shows_certificate(r, s) && !gate_from_page(r, false);
	case CONF_AUTH_HMAC:
	case CONF_AUTH_STANDARD_WEBHOOKS:
	case CONF_AUTH_GITHUB:
	case CONF_AUTH_PAGERDUTY:
		return begin_signature(r, s);
	case CONF_AUTH_NONE: /* only from where */
	case CONF_AUTH_SNS:  /* its signature stands in the body: ingest.c */
		break;
	}
	return !gate_from_page(r, source_auth_is_by_place(s) || r->client.here);
}

bool request_signature_holds(struct request *r)
{
	struct err e = {0};

	if (!r->signature || signature_end(r->signature, clock_wall_ms(), &e) == AUTH_GOOD)
		return true;
	r->answered = false; /* whatever was said of the body meanwhile */
	r->unproven = true;
	r->retry_after = 0;
	ingest_complain(r, &e);
	request_problem(r, MHD_HTTP_FORBIDDEN, &e);
	return false;
}
