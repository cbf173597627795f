/* route.h: from a method and a path to who answers it.
 *
 * A table of rows: method, pattern, permission, handler. Patterns are paths whose segments are
 * fixed words, or {id} and {name}, which take any one segment that is not empty; _{id} takes one that
 * begins with _, and {rest}, at the end, all that is left. What begins with ROUTE_NATIVE is the path as a sender knows it, and
 * the same behind /ingest/NAME. The permission is
 * a column that the dispatcher checks before a handler is called, so no handler can forget it.
 */
#ifndef RB_HTTP_ROUTE_H
#define RB_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/str.h"

enum route_method {
	ROUTE_GET, /* HEAD, too */
	ROUTE_POST,
	ROUTE_PUT,
	ROUTE_OPTIONS, /* of few paths, and there of few names: Allow does not list it */
	ROUTE_METHODS,
};

/* What a route asks for, and what is open to all. docs/http-api.md has these names. */
enum route_permission {
	ROUTE_PUBLIC,
	ROUTE_INGEST,
	ROUTE_READ,
	ROUTE_OPERATE,
	ROUTE_ADMIN,
};

struct route_handler; /* request.h */

struct route {
	enum route_method method;
	const char *pattern;
	enum route_permission permission;
	const struct route_handler *handler;
};

struct route_args {
	struct str id; /* STR_NONE where the pattern has none; points into the path */
	struct str name;
};

#define ROUTE_NATIVE "[/ingest/{name}]"

enum route_found {
	ROUTE_OK,
	ROUTE_NO_PATH,	 /* 404 */
	ROUTE_NO_METHOD, /* 405 */
};

/* The table ends with pattern == NULL; the first row that matches counts. */
enum route_found route_find(const struct route *table, const char *method, const char *path,
	const struct route **out, struct route_args *args);
/* For 405: "GET, HEAD, POST". */
void route_allow(const struct route *table, const char *path, struct buf *out);
bool route_matches(const char *pattern, const char *path, struct route_args *args);
/* Is it a path of an Alertmanager's API: /api/v2/…, or of one source /ingest/NAME/api/v2/…? Whether there is such a path or not. */
bool route_is_alertmanager(const char *path);
/* "GET", "POST", "PUT". */
const char *route_method_name(enum route_method m);
const char *route_permission_name(enum route_permission p);

#endif
