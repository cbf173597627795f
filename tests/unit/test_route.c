/* Paths and methods to handlers. */
#include "unit.h"

#include "http/dialect.h"
#include "http/route.h"

static const struct route table[] = {
	{ROUTE_POST, "/ingest/{name}", ROUTE_INGEST, NULL},
	{ROUTE_GET, "/api/v1/runs", ROUTE_READ, NULL},
	{ROUTE_POST, "/api/v1/runs", ROUTE_OPERATE, NULL},
	{ROUTE_GET, "/api/v1/runs/{id}", ROUTE_READ, NULL},
	{ROUTE_GET, "/api/v1/runs/{id}/artifacts/{name}", ROUTE_READ, NULL},
	{ROUTE_GET, "/-/ready", ROUTE_PUBLIC, NULL},
	{ROUTE_PUT, "/ingest/{name}", ROUTE_INGEST, NULL},
	{ROUTE_GET, NULL, ROUTE_PUBLIC, NULL},
};

static enum route_found look(
	const char *method, const char *path, const struct route **r, struct route_args *args)
{
	*r = NULL;
	return route_find(table, method, path, r, args);
}

static void finds_rows_and_arguments(void **state)
{
	const struct route *r;
	struct route_args args;

	(void)state;
	assert_int_equal(look("POST", "/ingest/alertmanager", &r, &args), ROUTE_OK);
	assert_ptr_equal(r, &table[0]);
	assert_str(args.name, "alertmanager");
	assert_null(args.id.p);
	assert_int_equal(look("GET", "/api/v1/runs/01J/artifacts/core.1", &r, &args), ROUTE_OK);
	assert_ptr_equal(r, &table[4]);
	assert_str(args.id, "01J");
	assert_str(args.name, "core.1");
}

static const struct route native[] = {
	{ROUTE_POST, ROUTE_NATIVE "/_bulk", ROUTE_INGEST, NULL},
	{ROUTE_POST, ROUTE_NATIVE "/{id}/_bulk", ROUTE_INGEST, NULL},
	{ROUTE_GET, ROUTE_NATIVE "/_{id}", ROUTE_INGEST, NULL},
	{ROUTE_GET, ROUTE_NATIVE "/_{id}/{rest}", ROUTE_INGEST, NULL},
	{ROUTE_GET, ROUTE_NATIVE "/", ROUTE_PUBLIC, NULL},
	{ROUTE_GET, NULL, ROUTE_PUBLIC, NULL},
};

/* Which row it is, and "name/id"; -1: none. */
static int native_row(const char *method, const char *path, const char *want)
{
	const struct route *r;
	struct route_args args;
	char got[100];

	if (route_find(native, method, path, &r, &args) != ROUTE_OK)
		return -1;
	snprintf(got, sizeof(got), "%.*s/%.*s", STR_ARG(args.name), STR_ARG(args.id));
	assert_string_equal(got, want);
	return (int)(r - native);
}

static void native_paths_also_behind_a_source(void **state)
{
	(void)state;
	assert_int_equal(native_row("POST", "/_bulk", "/"), 0);
	assert_int_equal(native_row("POST", "/ingest/edge/_bulk", "edge/"), 0);
	assert_int_equal(native_row("POST", "/logs/_bulk", "/logs"), 1);
	assert_int_equal(native_row("POST", "/ingest/edge/logs/_bulk", "edge/logs"), 1);
	assert_int_equal(native_row("GET", "/_license", "/_license"), 2);
	assert_int_equal(native_row("GET", "/ingest/edge/_license", "edge/_license"), 2);
	assert_int_equal(native_row("HEAD", "/_ilm/policy/a/b", "/_ilm"), 3);
	assert_int_equal(native_row("GET", "/ingest/edge/_ilm/policy", "edge/_ilm"), 3);
	assert_int_equal(native_row("GET", "/", "/"), 4);
	assert_int_equal(native_row("GET", "/ingest/edge/", "edge/"), 4);
	assert_int_equal(native_row("GET", "/ingest/edge", ""), -1);
	assert_int_equal(native_row("GET", "/ingest//_license", ""), -1);
	assert_int_equal(native_row("GET", "/license", ""), -1);
	assert_int_equal(native_row("GET", "/_ilm/", ""), -1);
	assert_int_equal(native_row("POST", "/_bulk/x", ""), -1);
}

static void paths_tell_whose_they_are(void **state)
{
	(void)state;
	assert_ptr_equal(dialect_of("/"), &dialect_elastic);
	assert_ptr_equal(dialect_of("/_nothing/of/ours"), &dialect_elastic);
	assert_ptr_equal(dialect_of("/any/_bulk"), &dialect_elastic);
	assert_ptr_equal(dialect_of("/ingest/edge/"), &dialect_elastic);
	assert_ptr_equal(dialect_of("/ingest/edge/any/_bulk"), &dialect_elastic);
	assert_ptr_equal(dialect_of("/services/collector/nothing"), &dialect_splunk);
	assert_ptr_equal(dialect_of("/ingest/edge/v1/traces"), &dialect_otlp);
	assert_ptr_equal(dialect_of("/loki/api/v1/push"), &dialect_loki);
	assert_ptr_equal(dialect_of("/ingest/edge/upload"), &dialect_journal);
	assert_null(dialect_of("/ingest/_bulk"));
	assert_null(dialect_of("/ingest/edge"));
	assert_null(dialect_of("/api/v1/runs"));
	assert_null(dialect_of("/metrics"));
}

static void methods_choose_between_rows(void **state)
{
	const struct route *r;
	struct route_args args;

	(void)state;
	assert_int_equal(look("GET", "/api/v1/runs", &r, &args), ROUTE_OK);
	assert_ptr_equal(r, &table[1]);
	assert_int_equal(look("HEAD", "/api/v1/runs", &r, &args), ROUTE_OK);
	assert_ptr_equal(r, &table[1]);
	assert_int_equal(look("POST", "/api/v1/runs", &r, &args), ROUTE_OK);
	assert_ptr_equal(r, &table[2]);
	assert_int_equal(look("PUT", "/ingest/x", &r, &args), ROUTE_OK);
	assert_ptr_equal(r, &table[6]);
	assert_int_equal(look("PUT", "/api/v1/runs", &r, &args), ROUTE_NO_METHOD);
	assert_int_equal(look("DELETE", "/api/v1/runs", &r, &args), ROUTE_NO_METHOD);
	assert_int_equal(look("get", "/api/v1/runs", &r, &args), ROUTE_NO_METHOD);
	assert_int_equal(look("HEAD", "/ingest/x", &r, &args), ROUTE_NO_METHOD);
}

static void an_alertmanagers_paths_are_told_by_their_beginning(void **state)
{
	(void)state;
	assert_true(route_is_alertmanager("/api/v2/alerts"));
	assert_true(route_is_alertmanager("/api/v2/nothing/of/ours"));
	assert_true(route_is_alertmanager("/ingest/eu/api/v2/alerts"));
	assert_false(route_is_alertmanager("/api/v1/alerts"));
	assert_false(route_is_alertmanager("/api/v2"));
	assert_false(route_is_alertmanager("/ingest/api/v2/alerts"));
	assert_false(route_is_alertmanager("/ingest/eu"));
	assert_false(route_is_alertmanager("/ingest/eu/x/api/v2/alerts"));
	assert_false(route_is_alertmanager("/x/api/v2/alerts"));
	assert_false(route_is_alertmanager(""));
}

static void other_paths_are_no_paths(void **state)
{
	static const char *const paths[] = {
		"",
		"/",
		"*",
		"ingest/x",
		"/ingest",
		"/ingest/",
		"/ingest/a/b",
		"//ingest/a",
		"/api/v1/runs/",
		"/api/v1/runs//artifacts/x",
		"/api/v1/runsx",
		"/api/v1/run",
		"/-/ready/",
		"/api/v1/runs/1/artifacts/",
		"/api/v1/runs/1/artifacts/a/b",
	};
	const struct route *r;
	struct route_args args;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (look("GET", paths[i], &r, &args) != ROUTE_NO_PATH)
			fail_msg("'%s' was found", paths[i]);
	}
}

static void allow_names_what_there_is(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	route_allow(table, "/api/v1/runs", &b);
	assert_str(buf_as_str(&b), "GET, HEAD, POST");
	buf_clear(&b);
	route_allow(table, "/ingest/x", &b);
	assert_str(buf_as_str(&b), "POST, PUT");
	buf_clear(&b);
	route_allow(table, "/-/ready", &b);
	assert_str(buf_as_str(&b), "GET, HEAD");
	buf_release(&b);
}

TESTS_MAIN(cmocka_unit_test(finds_rows_and_arguments),
	cmocka_unit_test(native_paths_also_behind_a_source), cmocka_unit_test(paths_tell_whose_they_are),
	cmocka_unit_test(methods_choose_between_rows), cmocka_unit_test(other_paths_are_no_paths),
	cmocka_unit_test(an_alertmanagers_paths_are_told_by_their_beginning),
	cmocka_unit_test(allow_names_what_there_is))
