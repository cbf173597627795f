/* handshake.c: OPTIONS /ingest/NAME: may this origin deliver CloudEvents here?
 *
 * CloudEvents' HTTP Web Hook: some producers (Azure Event Grid is one) ask before they send the first
 * event, and send nothing where the answer does not name them. Who may send is decided at each delivery by
 * the source's own rules, so every origin that asks is told yes; at what rate, by the source's `rate`.
 * Sources of other kinds have no such question: 405.
 */
#include <string.h>
#include "http/handlers.h"
#include "http/state.h"

#define MINUTE_MS 60000
#define TAKES "POST, PUT"

static void no_method(struct request *r)
{
	r->allow = STR(TAKES);
	request_problemf(r, MHD_HTTP_METHOD_NOT_ALLOWED, "this path takes no OPTIONS; it takes " TAKES);
}

/* Requests a minute, or "*". */
static struct str allowed_rate(struct request *r, const struct bound_source *b)
{
	const struct conf_rate *rate = b->conf ? &b->conf->rate : NULL;
	double n;

	if (!rate || rate->count == 0)
		return STR("*");
	n = (double)rate->count * MINUTE_MS / (double)rate->per_ms;
	return arena_printf(&r->arena, "%lld", n < 1 ? 1LL : (long long)n);
}

static void finish(struct request *r)
{
	const struct bound_source *b = sources_find(r->server->app.ic->sources, r->args.name);
	struct str origin = request_header(r, "WebHook-Request-Origin");

	if (!b) {
		request_problemf(r, MHD_HTTP_NOT_FOUND, "there is no source '%.*s'; add it under 'sources'",
			(int)(r->args.name.n < 100 ? r->args.name.n : 100), r->args.name.p);
		return;
	}
	if (strcmp(b->kind->name, "cloudevents") != 0) {
		no_method(r);
		return;
	}
	if (origin.n == 0) {
		request_problemf(r, MHD_HTTP_BAD_REQUEST,
			"a header WebHook-Request-Origin says who asks; it is missing");
		return;
	}
	r->allow = STR(TAKES);
	r->allowed_origin = arena_strdup(&r->arena, origin);
	r->allowed_rate = allowed_rate(r, b);
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_TEXT);
}

const struct route_handler handler_handshake = {NULL, NULL, finish, NULL, 0, NULL};
