/* json_request.h: bodies that are one JSON value, for handlers that look at it once it is whole.
 *
 * json_request_begin, _feed and _drop are those of a route_handler; its finish asks
 * json_request_finish for the value. The reader is r->json's; r->data is left to the handler.
 */
#ifndef RB_HTTP_JSON_REQUEST_H
#define RB_HTTP_JSON_REQUEST_H

#include "base/json.h"
#include "http/request.h"

void json_request_begin(struct request *r);
void json_request_begin_within(struct request *r, const struct json_limits *limits);
int json_request_feed(struct request *r, struct str piece, struct err *e);
void json_request_drop(struct request *r);

/* The value, in the request's arena; NULL: e says what is wrong, and where. */
struct json *json_request_finish(struct request *r, struct err *e);

/* -1, and e says so of the place of `at` (NULL: of the beginning). */
int json_request_wrong(const struct json *at, const char *text, struct err *e);
/* The same of a member that is none of `known`, which are names with commas. */
int json_request_unknown(const struct json *member, const char *known, struct err *e);

#endif
