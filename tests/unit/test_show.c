/* test_show.c: JSON as indented JSON and as YAML says the same; times and ages as people read them. */
#include "base/yaml.h"
#include "cli/show.h"
#include "unit.h"

static struct arena a;
static struct buf out;

static int set_up(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	arena_init(&a, 16 << 20);
	buf_init(&out, BUF_NO_LIMIT);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_release(&out);
	arena_release(&a);
	return 0;
}

static const struct json *parse(const char *text)
{
	struct err e = {0};
	const struct json *j = json_parse(&a, str_of(text), &e);

	if (!j)
		fail_msg("%s", e.text);
	return j;
}

static void yaml_is(const char *json, const char *want)
{
	buf_clear(&out);
	show_yaml(&out, parse(json));
	assert_str(buf_as_str(&out), want);
}

static void test_yaml_shape(void **state)
{
	(void)state;
	yaml_is("{\"a\":1,\"b\":[],\"c\":{},\"d\":null,\"e\":true}", "a: 1\nb: []\nc: {}\nd: null\ne: true\n");
	yaml_is("{\"items\":[{\"id\":\"x\",\"l\":{\"a\":\"b\"}},{\"id\":\"z\"}],\"next\":null}",
		"items:\n  - id: x\n    l:\n      a: b\n  - id: z\nnext: null\n");
	yaml_is("[[1,2],[[3]],\"s\"]", "- - 1\n  - 2\n- - - 3\n- s\n");
	yaml_is("\"a\"", "a\n");
	yaml_is("[]", "[]\n");
}

static void test_yaml_quotes_what_could_be_misread(void **state)
{
	static const char *const quoted[] = {"", "true", "No", "NULL", "~", "on", "y", "1", "1.5", "0x1f", "1e3",
		"-", "- a", "a: b", "a:", "a #b", "#a", "[a", "{a", "&a", "*a", "!a", "|", ">", "'a", "%a", "@a",
		"`a", " a", "a ", "2026-11-22", "12:30", "=", "<<", ".inf", ".5", "+1", "_1", "a,b", "?", "x\\ny"};

	(void)state;
	for (size_t i = 0; i < sizeof(quoted) / sizeof(quoted[0]); i++) {
		char json[64], want[64];

		snprintf(json, sizeof(json), "[\"%s\"]", quoted[i]);
		snprintf(want, sizeof(want), "- \"%s\"\n", quoted[i]);
		if (strcmp(quoted[i], "_1") == 0)
			snprintf(want, sizeof(want), "- _1\n");
		yaml_is(json, want);
	}
	yaml_is("[\"web-1.example.com\",\"/var/log\",\"disk full\",\"web-1:9100\"]",
		"- web-1.example.com\n- /var/log\n- disk full\n- web-1:9100\n");
	yaml_is("{\"true\":1,\"a b\":2}", "\"true\": 1\na b: 2\n");
	yaml_is("[1e5,1.5E-3,12345678901234567890]", "- 1.0e+5\n- 1.5e-3\n- 12345678901234567890\n");
}

static void test_terminal_controls_are_escaped(void **state)
{
	(void)state;
	yaml_is("[\"\\u001b[31m\\u009b\\u202e\\udb40\\udc41\\u007f\"]",
		"- \"\\u001b[31m\\u009b\\u202e\\U000e0041\\u007f\"\n");
	buf_clear(&out);
	show_json(&out, parse("[\"\\u001b[31m\\u009b\\u202e\\udb40\\udc41\\u007f\",\"q\\\"b\\\\\"]"));
	assert_str(buf_as_str(&out),
		"[\n  \"\\u001b[31m\\u009b\\u202e\\udb40\\udc41\\u007f\",\n  \"q\\\"b\\\\\"\n]\n");
}

static void same(const struct json *j, const struct yaml *y)
{
	const struct yaml *yc = y->child;

	if (j->kind == JSON_ARRAY || j->kind == JSON_OBJECT) {
		assert_int_equal(y->kind, j->kind == JSON_ARRAY ? YAML_SEQ : YAML_MAP);
		assert_int_equal(y->count, j->count);
		for (const struct json *c = j->child; c; c = c->next, yc = yc->next) {
			assert_true(str_eq(c->key, yc->key));
			same(c, yc);
		}
	} else if (j->kind == JSON_STRING) {
		assert_int_equal(y->kind, YAML_SCALAR);
		if (!str_eq(j->text, y->text))
			fail_msg("'%.*s' is not '%.*s'", STR_ARG(y->text), STR_ARG(j->text));
	} else if (j->kind == JSON_NULL) {
		assert_int_equal(y->kind, YAML_NULL);
	}
}

/* What show_yaml writes, the YAML library reads back as the same value. */
static void test_yaml_reads_back(void **state)
{
	const struct json *j = parse(
		"{\"items\":[{\"id\":\"01JD\",\"labels\":{\"alertname\":\"Disk: full\",\"a\":\"\",\"n\":\"null\","
		"\"multi\":\"a\\nb\\n\",\"q\":\"it's \\\"so\\\"\",\"u\":\"Gr\\u00fc\\u00dfe \\ud83d\\udd25\","
		"\"colon:in key\":\"v\",\"\":\"empty key\",\"nl\\nkey\":\"x\"},\"e\":[],\"o\":{},\"z\":null,"
		"\"deep\":[[[{\"a\":[1,{\"b\":\"c # d\"}]}]]],\"t\":\"\\ttab\",\"c1\":\"\\u0085\\u2028\"}]}");
	const struct yaml *y;
	struct diags d;

	(void)state;
	diags_init(&d);
	show_yaml(&out, j);
	y = yaml_parse(&a, buf_as_str(&out), "out.yml", &d);
	assert_findings(&d, "");
	assert_non_null(y);
	same(j, y);
	diags_release(&d);
}

static void test_json_reads_back(void **state)
{
	const char *text = "{\"a\":[1,2.50,{\"b\":null}],\"c\":\"x\\u001b\",\"d\":{}}";
	struct buf twice;

	(void)state;
	buf_init(&twice, BUF_NO_LIMIT);
	show_json(&out, parse(text));
	show_json(&twice, parse(out.p));
	assert_string_equal(out.p, twice.p);
	assert_string_equal(out.p, "{\n  \"a\": [\n    1,\n    2.50,\n    {\n      \"b\": null\n    }\n  ],\n"
		"  \"c\": \"x\\u001b\",\n  \"d\": {}\n}\n");
	buf_release(&twice);
}

static void test_ages(void **state)
{
	static const struct {
		int64_t ms;
		const char *age, *duration;
	} cases[] = {
		{0, "0s", "0ms"},
		{812, "0s", "812ms"},
		{1234, "1s", "1.2s"},
		{59999, "59s", "59.9s"},
		{125000, "2m", "2m05s"},
		{3720000, "1h02m", "1h02m"},
		{INT64_C(180000000), "2d2h", "50h00m"},
	};
	char text[SHOW_TIME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		show_age(1000, 1000 + cases[i].ms, text);
		assert_string_equal(text, cases[i].age);
		show_duration(cases[i].ms, text);
		assert_string_equal(text, cases[i].duration);
	}
	show_age(0, 1000, text);
	assert_string_equal(text, "");
	show_age(5000, 1000, text);
	assert_string_equal(text, "0s");
}

static void test_local_times(void **state)
{
	const int64_t then = INT64_C(1795374000000);	/* 2026-11-22T19:00:00Z */
	char text[SHOW_TIME_MAX];

	(void)state;
	show_local(then, then + 3600000, text);
	assert_string_equal(text, "19:00:00");
	show_local(then, then + 86400000, text);
	assert_string_equal(text, "2026-11-22 19:00:00");
	show_local_full(then, text);
	assert_string_equal(text, "Sun 2026-11-22 19:00:00 UTC");
	show_local_full(0, text);
	assert_string_equal(text, "");
}

static void test_members(void **state)
{
	const struct json *j = parse("{\"s\":\"x\",\"n\":12,\"t\":true,\"z\":null,\"o\":{\"a\":\"b\",\"c\":\"d e\",\"f\":1},"
		"\"at\":\"2026-11-22T19:00:00.5Z\"}");

	(void)state;
	assert_str(show_text(j, "s"), "x");
	assert_str(show_text(j, "n"), "12");
	assert_str(show_text(j, "t"), "true");
	assert_str(show_text(j, "z"), "");
	assert_str(show_text(j, "none"), "");
	assert_int_equal(show_i64(j, "n"), 12);
	assert_true(show_bool(j, "t"));
	assert_int_equal(show_time(j, "at"), INT64_C(1795374000500));
	assert_int_equal(show_time(j, "s"), 0);
	assert_str(show_pairs(&a, json_get(j, "o")), "a=b c=\"d e\" f=1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

TESTS_MAIN(TEST(test_yaml_shape), TEST(test_yaml_quotes_what_could_be_misread), TEST(test_terminal_controls_are_escaped),
	TEST(test_yaml_reads_back), TEST(test_json_reads_back), TEST(test_ages), TEST(test_local_times), TEST(test_members))
