/* gate.c: may this request have this route? The permission column of the route table, checked.
 *
 * With tokens, each permission but ingest is a token's scope: 401 where none of ours is shown, 403
 * where it lacks the scope. Without tokens this machine stands for all of them, and no web page that
 * it shows. A source with an auth of its own asks everybody for that (sender.c). Others take from this
 * machine what comes, and from elsewhere what a token may send.
 *
 * What gives a web page away (Origin, Host) is looked at where the request stands on nothing but its
 * being on this machine, or on a password that a browser adds by itself; a Bearer token that holds
 * was put there by whoever has it.
 */
#include "auth/auth.h"
#include "http/access.h"
#include "http/gate.h"
#include "http/handlers.h"
#include "http/state.h"

#define CHALLENGE "Bearer realm=\"runbookd\""

bool gate_from_page(struct request *r, bool by_place)
{
	const struct server *s = r->server;
	const struct listener *l = r->conn->listener;
	struct str host = request_header(r, MHD_HTTP_HEADER_HOST);
	struct str origin = request_header(r, "Origin");

	if (r->route->method != ROUTE_GET && origin.p && !access_origin_is_host(origin, host)) {
		request_problemf(r, MHD_HTTP_FORBIDDEN, "a web page of '%.*s' may not do this",
			(int)(origin.n < 100 ? origin.n : 100), origin.p);
		return true;
	}
	/* Collectors may know us by any name; a browser may be told any name. */
	if ((l->socket.is_loopback || by_place) && !l->socket.is_unix &&
		(r->route->permission != ROUTE_INGEST || origin.p) &&
		!access_host_is_ours(host, s->host_names, s->host_names_n)) {
		request_problemf(r, MHD_HTTP_FORBIDDEN,
			"'%.*s' is no name of this server; use an IP address, localhost or a name "
			"in http.listen",
			(int)(host.n < 100 ? host.n : 100), host.p);
		return true;
	}
	return false;
}

static bool without_tokens(struct request *r)
{
	if (r->client.here)
		return !gate_from_page(r, true);
	request_problemf(r, MHD_HTTP_FORBIDDEN,
		"without tokens only this machine may ask for '%s', and not through a proxy; connect "
		"over loopback or a unix socket, or make tokens with runbookctl token new",
		route_permission_name(r->route->permission));
	return false;
}

static enum conf_scope scope_of(enum route_permission p)
{
	switch (p) {
	case ROUTE_READ:
		return CONF_SCOPE_READ;
	case ROUTE_OPERATE:
		return CONF_SCOPE_OPERATE;
	case ROUTE_PUBLIC:
	case ROUTE_INGEST:
	case ROUTE_ADMIN:
		break;
	}
	return CONF_SCOPE_ADMIN;
}

static void unauthorized(struct request *r, bool shown)
{
	r->challenge = shown ? CHALLENGE ", error=\"invalid_token\"" : CHALLENGE;
	request_problemf(r, MHD_HTTP_UNAUTHORIZED,
		shown ? "this token is not known here; runbookctl token new makes one for 'tokens'"
		      : "show a token, as 'Authorization: Bearer TOKEN'");
}

/* NULL: it is answered. */
static const struct conf_token *find_token(struct request *r)
{
	struct str shown = request_header(r, MHD_HTTP_HEADER_AUTHORIZATION);
	const struct conf_token *t = auth_token(r->server->app.ic->auth, shown);

	if (!t) {
		unauthorized(r, shown.n > 0);
		return NULL;
	}
	if (!auth_is_bearer(shown) && gate_from_page(r, false))
		return NULL;
	r->who = arena_printf(&r->arena, "token %.*s", STR_ARG(t->name));
	if (r->who.p)
		return t;
	request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
	return NULL;
}

static bool with_scope(struct request *r)
{
	const struct conf_token *t = find_token(r);

	if (!t)
		return false;
	if (auth_token_may(t, scope_of(r->route->permission)))
		return true;
	request_problemf(r, MHD_HTTP_FORBIDDEN, "the token '%.*s' has no scope '%s'", STR_ARG(t->name),
		route_permission_name(r->route->permission));
	return false;
}

bool gate_token_may_send(struct request *r, struct str source)
{
	const struct conf_token *t = find_token(r);

	if (!t)
		return false;
	if (auth_token_may_send(t, source))
		return true;
	request_problemf(r, MHD_HTTP_FORBIDDEN, "the token '%.*s' has no scope 'ingest:%.*s'",
		STR_ARG(t->name), (int)(source.n < 100 ? source.n : 100), source.p);
	return false;
}

static bool may_send(struct request *r)
{
	const struct auth *auth = r->server->app.ic->auth;
	struct str source = ingest_source(r);
	const struct source_auth *own = auth_source(auth, source);

	if (own)
		return sender_may(r, own, source);
	if (r->client.here)
		return !gate_from_page(r, true);
	if (!auth_has_tokens(auth))
		return without_tokens(r);
	return gate_token_may_send(r, source);
}

bool request_may(struct request *r)
{
	if (r->route->permission == ROUTE_PUBLIC)
		return true;
	if (r->route->permission == ROUTE_INGEST)
		return may_send(r);
	return auth_has_tokens(r->server->app.ic->auth) ? with_scope(r) : without_tokens(r);
}
