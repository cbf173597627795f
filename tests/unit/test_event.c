/* Events: words, labels, fingerprints, and JSON there and back. */
#include "unit.h"
#include "event/event.h"

static struct arena arena;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 8 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

#define KV(name, value) {{name, sizeof(name) - 1}, {value, sizeof(value) - 1}}

static struct str written(const struct event *e)
{
	struct buf b;
	struct json_w w;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	event_write_json(&w, e);
	struct str s = arena_strdup(&arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static void statuses(void **state)
{
	enum event_status s;

	(void)state;
	for (int i = EVENT_FIRING; i <= EVENT_INFO; i++) {
		assert_true(event_status_parse(str_of(event_status_name((enum event_status)i)), &s));
		assert_int_equal(s, i);
	}
	assert_false(event_status_parse(STR("Firing"), &s));
	assert_false(event_status_parse(STR(""), &s));
}

static void severities(void **state)
{
	static const struct {
		const char *word;
		enum event_severity want;
	} cases[] = {
		{"Highest", SEVERITY_CRITICAL},
		{"Blocker", SEVERITY_CRITICAL},
		{"Lowest", SEVERITY_INFO},
		{"trivial", SEVERITY_INFO},
		{"critical", SEVERITY_CRITICAL}, {"CRITICAL", SEVERITY_CRITICAL}, {"Page", SEVERITY_CRITICAL},
		{"P1", SEVERITY_CRITICAL}, {"emergency", SEVERITY_CRITICAL}, {"error", SEVERITY_ERROR},
		{"Major", SEVERITY_ERROR}, {"high", SEVERITY_ERROR}, {"warning", SEVERITY_WARNING},
		{"warn", SEVERITY_WARNING}, {"p3", SEVERITY_WARNING}, {"info", SEVERITY_INFO},
		{"none", SEVERITY_INFO}, {"low", SEVERITY_INFO}, {"", SEVERITY_UNKNOWN},
		{"unknown", SEVERITY_UNKNOWN}, {"crit\n", SEVERITY_UNKNOWN},
		{"a very long word that no sender uses", SEVERITY_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(event_severity_of(str_of(cases[i].word)), cases[i].want);
	for (int i = SEVERITY_UNKNOWN; i <= SEVERITY_CRITICAL; i++)
		assert_int_equal(event_severity_of(str_of(event_severity_name((enum event_severity)i))), i);
	assert_true(SEVERITY_CRITICAL > SEVERITY_ERROR && SEVERITY_ERROR > SEVERITY_WARNING);
}

static void sorts_labels(void **state)
{
	struct kv v[] = {KV("b", "2"), KV("a", "1"), KV("b", "3"), KV("", "x"), KV("ab", ""), KV("a", "0")};
	size_t n = 6;

	(void)state;
	event_sort_labels(v, &n, false);
	assert_int_equal(n, 4);
	assert_str(v[0].name, "");
	assert_str(v[1].name, "a");
	assert_str(v[1].value, "0");
	assert_str(v[2].name, "ab");
	assert_str(v[3].name, "b");
	assert_str(v[3].value, "3");
	event_sort_labels(v, &n, true);
	assert_int_equal(n, 3);
	assert_str(v[1].name, "a");
	assert_str(v[2].name, "b");
	n = 0;
	event_sort_labels(NULL, &n, true);
	assert_int_equal(n, 0);
}

static void drops_a_label_emptied_later(void **state)
{
	struct kv v[] = {KV("a", "1"), KV("a", "")};
	size_t n = 2;

	(void)state;
	event_sort_labels(v, &n, true);
	assert_int_equal(n, 0);
}

static void finds_labels(void **state)
{
	struct kv v[] = {KV("a", "1"), KV("ab", "2"), KV("b", "3")};
	struct event e = {.labels = v, .labels_n = 3, .annotations = v, .annotations_n = 1};

	(void)state;
	assert_str(event_label(&e, STR("a")), "1");
	assert_str(event_label(&e, STR("ab")), "2");
	assert_str(event_label(&e, STR("b")), "3");
	assert_int_equal(event_label(&e, STR("aa")).n, 0);
	assert_null(event_label(&e, STR("")).p);
	assert_str(event_annotation(&e, STR("a")), "1");
	assert_null(event_annotation(&e, STR("b")).p);
}

/* Values by FNV-1a 64 over name 0xff value 0xff, computed apart from this code. */
static void fingerprints(void **state)
{
	struct kv one[] = {KV("alertname", "Up"), KV("instance", "h:1")};
	struct kv odd[] = {KV("a", "line\nfeed"), KV("b", "nul\0byte"), KV("\xc3\xa9", "\xe2\x82\xac")};

	(void)state;
	assert_str(event_fingerprint(&arena, NULL, 0), "cbf29ce484222325");
	assert_str(event_fingerprint(&arena, one, 2), "191112ab3bd7f55b");
	assert_str(event_fingerprint(&arena, odd, 3), "2d938101a0d88923");
}

static void writes_all_members(void **state)
{
	struct kv labels[] = {KV("a\"b", "x\ny"), KV("z", "\0")};
	struct kv annotations[] = {KV("summary", "s")};
	struct kv links[] = {KV("generator", "http://x/")};
	struct err err;
	struct event e = {
		.id = STR("01JD0000000000000000000000"),
		.source = STR("am"),
		.type = STR("alert"),
		.status = EVENT_RESOLVED,
		.severity = SEVERITY_ERROR,
		.time_ns = INT64_C(1763839172624714673),
		.received_ms = INT64_C(1763839173001),
		.fingerprint = STR("8a1b2c3d4e5f6071"),
		.starts_ns = INT64_C(1763839172000000000),
		.ends_ns = INT64_C(1763839172747884000),
		.summary = STR("it's \\ down"),
		.labels = labels,
		.labels_n = 2,
		.annotations = annotations,
		.annotations_n = 1,
		.links = links,
		.links_n = 1,
		.data = json_parse(&arena, STR("{\"b\":[1.50,null,true,{\"c\":\"\\u0000\"}],\"a\":-0}"), &err),
		.depth = 3,
		.trail = STR("ping pong ping"),
	};

	(void)state;
	assert_str(written(&e),
		"{\"id\":\"01JD0000000000000000000000\",\"source\":\"am\",\"type\":\"alert\",\"status\":\"resolved\","
		"\"time\":\"2025-11-22T19:19:32.624714673Z\",\"received\":\"2025-11-22T19:19:33.001Z\","
		"\"fingerprint\":\"8a1b2c3d4e5f6071\",\"starts_at\":\"2025-11-22T19:19:32.000Z\","
		"\"ends_at\":\"2025-11-22T19:19:32.747884Z\",\"severity\":\"error\",\"summary\":\"it's \\\\ down\","
		"\"labels\":{\"a\\\"b\":\"x\\ny\",\"z\":\"\\u0000\"},\"annotations\":{\"summary\":\"s\"},"
		"\"links\":{\"generator\":\"http://x/\"},\"data\":{\"b\":[1.50,null,true,{\"c\":\"\\u0000\"}],\"a\":-0},"
		"\"depth\":3,\"trail\":[\"ping\",\"pong\",\"ping\"]}");
}

static void writes_what_is_unknown(void **state)
{
	struct event e = {.source = STR("s"), .type = STR("git_push"), .status = EVENT_INFO};

	(void)state;
	assert_str(written(&e),
		"{\"source\":\"s\",\"type\":\"git_push\",\"status\":\"info\",\"time\":null,\"fingerprint\":null,"
		"\"starts_at\":null,\"ends_at\":null,\"severity\":\"unknown\",\"summary\":\"\",\"labels\":{},"
		"\"annotations\":{},\"links\":{},\"data\":{}}");
}

static void writes_inside_other_json(void **state)
{
	struct event e = {.source = STR("s"), .type = STR("t"), .status = EVENT_INFO};
	struct buf b;
	struct json_w w;
	struct err err;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_array(&w);
	event_write_json(&w, &e);
	event_write_json(&w, &e);
	json_w_end(&w, ']');
	const struct json *j = json_parse(&arena, buf_as_str(&b), &err);
	assert_non_null(j);
	assert_int_equal(j->count, 2);
	buf_release(&b);
}

static void reads_back_what_it_wrote(void **state)
{
	static const char *const events[] = {
		"{\"id\":\"01JD0000000000000000000000\",\"source\":\"am\",\"type\":\"alert\",\"status\":\"firing\","
		"\"time\":\"2025-11-22T19:19:32.624714673Z\",\"received\":\"2025-11-22T19:19:33.001Z\","
		"\"fingerprint\":\"8a1b2c3d4e5f6071\",\"starts_at\":\"2025-11-22T19:19:32.100Z\",\"ends_at\":null,"
		"\"severity\":\"critical\",\"summary\":\"s\",\"labels\":{\"a\":\"\\u0000\\n\",\"b\":\"\"},"
		"\"annotations\":{\"\":\"x\"},\"links\":{\"l\":\"m\"},\"data\":[1,{\"x\":null}],\"depth\":7,\"trail\":[\"a\",\"b\"]}",
		"{\"source\":\"\",\"type\":\"\",\"status\":\"info\",\"time\":null,\"fingerprint\":null,\"starts_at\":null,"
		"\"ends_at\":null,\"severity\":\"unknown\",\"summary\":\"\",\"labels\":{},\"annotations\":{},\"links\":{},"
		"\"data\":\"text\"}",
	};
	struct event e;
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct json *j = json_parse(&arena, str_of(events[i]), &err);
		if (event_read_json(&arena, j, &e, &err) < 0)
			fail_msg("%s", err.text);
		assert_str(written(&e), events[i]);
	}
}

static void reads_unsorted_labels(void **state)
{
	struct err err;
	struct event e;
	const struct json *j = json_parse(&arena,
		STR("{\"source\":\"s\",\"type\":\"t\",\"status\":\"info\",\"labels\":{\"b\":\"2\",\"a\":\"1\"},\"new\":[]}"), &err);

	(void)state;
	assert_int_equal(event_read_json(&arena, j, &e, &err), 0);
	assert_str(event_label(&e, STR("a")), "1");
	assert_str(event_label(&e, STR("b")), "2");
}

static void refuses_by_member(void **state)
{
	static const struct {
		const char *json, *want;
	} cases[] = {
		{"[]", "want an object"},
		{"{\"type\":\"t\",\"status\":\"info\"}", "'source': want a string, got nothing"},
		{"{\"source\":\"s\",\"type\":1,\"status\":\"info\"}", "'type': want a string, got a number"},
		{"{\"source\":\"s\",\"type\":\"t\",\"status\":\"odd\"}", "'status': want 'firing'"},
		{"{\"source\":\"s\",\"type\":\"t\",\"status\":\"info\",\"time\":\"today\"}", "'time': want a time"},
		{"{\"source\":\"s\",\"type\":\"t\",\"status\":\"info\",\"labels\":[]}", "'labels': want an object"},
		{"{\"source\":\"s\",\"type\":\"t\",\"status\":\"info\",\"links\":{\"a\":1}}", "'links': want strings"},
		{"{\"source\":\"s\",\"type\":\"t\",\"status\":\"info\",\"depth\":-1}", "'depth': want"},
		{"{\"source\":\"s\",\"type\":\"t\",\"status\":\"info\",\"severity\":{}}", "'severity': want a string"},
	};
	struct err err;
	struct event e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct json *j = json_parse(&arena, str_of(cases[i].json), &err);
		assert_int_equal(event_read_json(&arena, j, &e, &err), -1);
		assert_int_equal(err.code, ERR_INPUT);
		assert_has(str_of(err.text), cases[i].want);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(statuses), TEST(severities), TEST(sorts_labels), TEST(drops_a_label_emptied_later),
	TEST(finds_labels), TEST(fingerprints), TEST(writes_all_members), TEST(writes_what_is_unknown),
	TEST(writes_inside_other_json), TEST(reads_back_what_it_wrote), TEST(reads_unsorted_labels),
	TEST(refuses_by_member))
