/* explain.c: POST /api/v1/explain: what would become of a payload, or of a stored event, and why.
 *
 * A payload goes through the parser of its source, as it would at /ingest (of a kind that may
 * be sent item by item, as it would there): JSON as it stands in the body, so that a
 * fault has its place there, and a string as the raw bytes of a request, under the headers that the body names. What is
 * found is flow/explain.h's to tell. Neither signature nor sender is looked at, and nothing is stored.
 */
#include "flow/explain.h"

#include <strings.h>
#include "base/json.h"
#include "base/clock.h"
#include "http/handlers.h"
#include "http/json_request.h"
#include "http/state.h"

#define BODY_LIMIT ((size_t)16 << 20)

static void begin(struct request *r)
{
	/* The payload may be as deep as at /ingest, and is one member down. */
	static const struct json_limits limits = {SOURCE_DEPTH_LIMIT + 1, SOURCE_NODES_LIMIT};

	r->data = arena_zalloc(&r->arena, sizeof(struct source_batch));
	if (!r->data)
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
	else
		json_request_begin_within(r, &limits);
}

/* {name: value}: strings, all of them. */
static int check_headers(const struct json *headers, struct err *e)
{
	if (headers->kind != JSON_OBJECT)
		return json_request_wrong(headers,
			"'headers' is an object of strings: {\"X-GitHub-Event\": \"push\"}", e);
	for (const struct json *h = headers->child; h; h = h->next) {
		if (h->kind == JSON_STRING)
			continue;
		err_set(e, ERR_INPUT, "headers.%.*s: want a string, got %s", (int)(h->key.n < 80 ? h->key.n : 80),
			h->key.p, json_kind_name(h->kind));
		e->offset = h->offset;
		return -1;
	}
	return 0;
}

static int check_members(const struct json *body, struct err *e)
{
	static const char *const texts[] = {"source", "event", "rule"};
	static const char usage[] =
		"want an object {\"source\": NAME, \"payload\": …} or {\"event\": ID}";
	const struct json *headers = NULL;

	if (body->kind != JSON_OBJECT)
		return json_request_wrong(body, usage, e);
	for (const struct json *m = body->child; m; m = m->next) {
		bool text = str_is(m->key, texts[0]) || str_is(m->key, texts[1]) || str_is(m->key, texts[2]);

		if (text && m->kind != JSON_STRING)
			return json_request_wrong(m, "'source', 'event' and 'rule' are strings", e);
		if (str_is(m->key, "headers") && check_headers(headers = m, e) < 0)
			return -1;
		if (text || m == headers || str_is(m->key, "payload"))
			continue;
		return json_request_unknown(m, "source, payload, headers, event, rule", e);
	}
	if (json_get(body, "event"))
		return json_get(body, "source") || json_get(body, "payload") || headers
			       ? json_request_wrong(body, "either 'event', or 'source' and 'payload' with their 'headers'", e)
			       : 0;
	return json_get(body, "source") && json_get(body, "payload") ? 0 : json_request_wrong(body, usage, e);
}

static struct str header_of(void *ctx, const char *name)
{
	const struct json *headers = ctx;
	size_t n = strlen(name);

	for (const struct json *h = headers->child; h; h = h->next)
		if (h->key.n == n && strncasecmp(h->key.p, name, n) == 0)
			return h->text;
	return STR_NONE;
}

static void headers_of(
	void *ctx, void (*take)(void *arg, struct str name, struct str value), void *arg)
{
	const struct json *headers = ctx;

	for (const struct json *h = headers->child; h; h = h->next)
		take(arg, h->key, h->text);
}

/* What an adapter is told of the request that the body stands for. */
static struct source_request request_told(const struct bound_source *b, const struct json *headers)
{
	return (struct source_request){.source = b->name,
		.now_ms = clock_wall_ms(),
		.header = headers ? header_of : NULL,
		.headers = headers ? headers_of : NULL,
		.ctx = (void *)headers};
}

/* The bytes of a request. A fault's offset counts from their beginning. */
static int read_text(struct request *r, const struct bound_source *b, struct source_request rq, struct str text,
	struct source_batch *out, struct err *e)
{
	struct source_parse *p = sources_begin(b, &r->arena, rq);

	if (!p)
		return err_set(e, ERR_NOMEM, "no memory for the request");
	source_feed(p, text.p, text.n, e);
	return source_finish(p, out, e);
}

/* For a kind that takes bytes under these headers, the JSON as text; a fault's place in it is none in the body. */
static int read_written(struct request *r, const struct bound_source *b, struct source_request rq,
	const struct json *payload, struct source_batch *out, struct err *e)
{
	struct buf text;
	struct json_w w;
	struct str kept;

	buf_init(&text, BODY_LIMIT);
	json_w_init(&w, &text);
	json_write(&w, payload);
	kept = buf_failed(&text) ? STR_NONE : arena_strdup(&r->arena, buf_as_str(&text));
	buf_release(&text);
	if (!kept.p)
		return err_set(e, ERR_LIMIT, "it does not fit the memory of a request");
	if (read_text(r, b, rq, kept, out, e) == 0)
		return 0;
	e->offset = payload->offset;
	return -1;
}

/* JSON as it stands, as which a form that may hold it is read, too. */
static int read_json(struct request *r, const struct bound_source *b, struct source_request rq,
	const struct json *payload, struct source_batch *out, struct err *e)
{
	if (b->kind->form && b->kind->form(&rq) == SOURCE_BYTES)
		return read_written(r, b, rq, payload, out, e);
	return sources_read(b, &r->arena, rq, payload, out, e);
}

static int read_payload(struct request *r, const struct json *body, struct source_batch *out, struct err *e)
{
	struct str name = json_str(json_get(body, "source"));
	const struct json *payload = json_get(body, "payload");
	const struct sources *all = r->server->app.ic->sources;
	const struct bound_source *b = str_is(name, SOURCES_EMITTED) ? sources_emitted(all) : sources_find(all, name);
	struct source_request rq;
	struct err inner = {0};
	int rc;

	if (!b)
		return err_set(e, ERR_NOT_FOUND, "there is no source '%.*s'; add it under 'sources'",
			(int)(name.n < 100 ? name.n : 100), name.p);
	rq = request_told(b, json_get(body, "headers"));
	if (payload->kind == JSON_STRING)
		rc = read_text(r, b, rq, payload->text, out, &inner);
	else
		rc = read_json(r, b, rq, payload, out, &inner);
	if (rc == 0)
		rc = sources_dress(b, &r->arena, out, &inner);
	/* Of items that a kind takes one by one, those that are good are told of. */
	if (rc == 0 && out->n == 0 && out->refused.code) {
		inner = out->refused;
		rc = -1;
	}
	if (rc == 0)
		return 0;
	err_set(e, inner.code, "payload: %s", inner.text);
	e->offset = inner.offset;
	return -1;
}

static int explain(
	struct request *r, const struct json *body, struct source_batch *batch, struct err *e)
{
	const struct ingest_ctx *ic = r->server->app.ic;
	struct str id = json_str(json_get(body, "event")), rule = json_str(json_get(body, "rule"));

	if (json_get(body, "event"))
		return explain_stored(ic, &r->arena, id, rule, request_answer_json, r, e);
	return explain_batch(ic, &r->arena, batch, rule, request_answer_json, r, e);
}

static void finish(struct request *r)
{
	static const char *const no_params[] = {NULL};
	struct err e = {0};
	const struct json *body = json_request_finish(r, &e);
	struct source_batch *batch = r->data;

	if (!body || check_members(body, &e) != 0 ||
		(!json_get(body, "event") && read_payload(r, body, batch, &e) != 0))
		request_fault(r, &e);
	else if (request_params_known(r, no_params, &e) != 0 || explain(r, body, batch, &e) != 0)
		request_fail(r, &e);
}

const struct route_handler handler_explain = {
	begin, json_request_feed, finish, json_request_drop, BODY_LIMIT, NULL};
