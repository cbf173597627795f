/* json_request.c: a JSON value is read while it comes, and given out when all of it is there. */
#include "http/json_request.h"

#include "http/state.h"

#define NAME_SHOWN 80 /* bytes of a member's name in a refusal */

void json_request_begin_within(struct request *r, const struct json_limits *limits)
{
	r->json = json_reader_new(&r->arena, limits);
	if (!r->json)
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
}

void json_request_begin(struct request *r)
{
	json_request_begin_within(r, NULL);
}

int json_request_feed(struct request *r, struct str piece, struct err *e)
{
	return json_reader_feed(r->json, piece.p, piece.n, e);
}

void json_request_drop(struct request *r)
{
	if (r->json)
		json_reader_free(r->json);
	r->json = NULL;
}

struct json *json_request_finish(struct request *r, struct err *e)
{
	struct json *body = json_reader_finish(r->json, e);

	json_request_drop(r);
	return body;
}

int json_request_wrong(const struct json *at, const char *text, struct err *e)
{
	err_set(e, ERR_INPUT, "%s", text);
	e->offset = at ? at->offset : 0;
	return -1;
}

int json_request_unknown(const struct json *member, const char *known, struct err *e)
{
	err_set(e, ERR_INPUT, "unknown member '%.*s'; known are: %s",
		(int)(member->key.n < NAME_SHOWN ? member->key.n : NAME_SHOWN), member->key.p,
		known);
	e->offset = member->offset;
	return -1;
}
