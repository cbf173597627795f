/* route.c: the matching of paths. Pure; the table itself is in routes.c.
 *
 * A row is tried after the other: twenty rows cost less than any cleverness, and the busiest stands
 * first. A path is compared as it came, but for what the HTTP library has unescaped: "//" and a
 * slash at the end are other paths.
 */
#include "http/route.h"

#include <string.h>

static struct str segment(const char *p)
{
	const char *end = strchr(p, '/');

	return end ? (struct str){p, (size_t)(end - p)} : str_of(p);
}

static bool take_segment(struct str want, struct str got, struct route_args *args)
{
	if (str_is(want, "{id}"))
		args->id = got;
	else if (str_is(want, "{name}"))
		args->name = got;
	else if (str_is(want, "_{id}") && str_starts(got, STR("_")))
		args->id = got;
	else
		return str_eq(want, got);
	return got.n > 0;
}

static bool matches(const char *pattern, const char *path, struct route_args *args)
{
	while (*pattern == '/' && *path == '/') {
		struct str want = segment(++pattern), got = segment(++path);

		if (str_is(want, "{rest}"))
			return *path != '\0';
		if (!take_segment(want, got, args))
			return false;
		pattern += want.n;
		path += got.n;
	}
	return *pattern == '\0' && *path == '\0';
}

bool route_matches(const char *pattern, const char *path, struct route_args *args)
{
	static const char native[] = ROUTE_NATIVE, ours[] = "/ingest/";
	struct str name;

	*args = (struct route_args){STR_NONE, STR_NONE};
	if (strncmp(pattern, native, sizeof(native) - 1) != 0)
		return matches(pattern, path, args);
	pattern += sizeof(native) - 1;
	if (strncmp(path, ours, sizeof(ours) - 1) != 0)
		return matches(pattern, path, args);
	path += sizeof(ours) - 1;
	name = segment(path);
	if (name.n == 0 || !matches(pattern, path + name.n, args))
		return false;
	args->name = name;
	return true;
}

bool route_is_alertmanager(const char *path)
{
	static const char ours[] = "/ingest/", theirs[] = "/api/v2/";

	if (strncmp(path, ours, sizeof(ours) - 1) == 0) {
		path = strchr(path + sizeof(ours) - 1, '/');
		if (!path)
			return false;
	}
	return strncmp(path, theirs, sizeof(theirs) - 1) == 0;
}

static bool method_is(enum route_method m, const char *method)
{
	return strcmp(method, route_method_name(m)) == 0 ||
	       (m == ROUTE_GET && strcmp(method, "HEAD") == 0);
}

enum route_found route_find(const struct route *table, const char *method, const char *path,
	const struct route **out, struct route_args *args)
{
	enum route_found found = ROUTE_NO_PATH;

	for (const struct route *r = table; r->pattern; r++) {
		if (!route_matches(r->pattern, path, args))
			continue;
		if (method_is(r->method, method)) {
			*out = r;
			return ROUTE_OK;
		}
		found = ROUTE_NO_METHOD;
	}
	return found;
}

void route_allow(const struct route *table, const char *path, struct buf *out)
{
	struct route_args args;
	bool has[ROUTE_METHODS] = {false};
	const char *before = "";

	for (const struct route *r = table; r->pattern; r++)
		if (route_matches(r->pattern, path, &args))
			has[r->method] = true;
	for (enum route_method m = 0; m < ROUTE_METHODS; m++) {
		if (!has[m] || m == ROUTE_OPTIONS)
			continue;
		buf_puts(out, before);
		buf_puts(out, m == ROUTE_GET ? "GET, HEAD" : route_method_name(m));
		before = ", ";
	}
}

const char *route_method_name(enum route_method m)
{
	static const char *const names[ROUTE_METHODS] = {
		[ROUTE_GET] = "GET",
		[ROUTE_POST] = "POST",
		[ROUTE_PUT] = "PUT",
		[ROUTE_OPTIONS] = "OPTIONS",
	};
	return names[m];
}

const char *route_permission_name(enum route_permission p)
{
	static const char *const names[] = {
		[ROUTE_PUBLIC] = "public",
		[ROUTE_INGEST] = "ingest",
		[ROUTE_READ] = "read",
		[ROUTE_OPERATE] = "operate",
		[ROUTE_ADMIN] = "admin",
	};
	return names[p];
}
