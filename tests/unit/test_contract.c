/* Contracts: each keyword with values that hold and that do not, places, findings of the contract itself, limits. */
#include "unit.h"
#include "contract/contract.h"
#include "contract/decimal.h"
#include "contract/format.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 256 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static struct contract *parse(const char *schema)
{
	struct diags d;

	diags_init(&d);
	struct contract *c = contract_parse(str_of(schema), "c.json", &d);
	assert_findings(&d, "");
	assert_non_null(c);
	diags_release(&d);
	return c;
}

static struct json *value(struct str text)
{
	struct err e = {0};
	struct json *j = json_parse(&arena, text, &e);

	if (!j)
		fail_msg("%s: %.*s", e.text, (int)(text.n < 200 ? text.n : 200), text.p);
	return j;
}

/* want NULL: it holds; else what is said. */
static void check(const char *schema, const char *json, const char *want)
{
	struct contract *c = parse(schema);
	struct err e = {0};
	int rc = contract_check(c, value(str_of(json)), &e);

	if (!want && rc != 0)
		fail_msg("%s does not hold for %s: %s", schema, json, e.text);
	if (want && rc == 0)
		fail_msg("%s holds for %s", schema, json);
	if (want)
		assert_string_equal(e.text, want);
	contract_free(c);
}

static void refuse(const char *schema, const char *want)
{
	struct diags d;

	diags_init(&d);
	assert_null(contract_parse(str_of(schema), "c.json", &d));
	assert_findings(&d, want);
	diags_release(&d);
}

static void types(void **state)
{
	(void)state;
	static const char *const names[] = {"null", "boolean", "integer", "string", "array", "object"};
	static const char *const values[] = {"null", "true", "3", "\"a\"", "[]", "{}"};

	for (size_t i = 0; i < 6; i++) {
		char schema[64];
		snprintf(schema, sizeof(schema), "{\"type\":\"%s\"}", names[i]);
		struct contract *c = parse(schema);
		for (size_t j = 0; j < 6; j++) {
			struct err e = {0};
			assert_int_equal(contract_check(c, value(str_of(values[j])), &e), i == j ? 0 : -1);
		}
		contract_free(c);
	}
	check("{\"type\":\"number\"}", "1.5", NULL);
	check("{\"type\":\"integer\"}", "1.0", NULL);
	check("{\"type\":\"integer\"}", "15e-1", "want a whole number, got a number with a fraction");
	check("{\"type\":\"integer\"}", "150e-1", NULL);
	check("{\"type\":[\"string\",\"null\"]}", "null", NULL);
	check("{\"type\":[\"string\",\"null\"]}", "1", "want null or a string, got a number");
}

static void values(void **state)
{
	(void)state;
	check("{\"const\":1}", "1.00", NULL);
	check("{\"const\":1}", "true", "want '1', got 'a boolean'");
	check("{\"const\":{\"a\":1,\"b\":[2]}}", "{\"b\":[2.0],\"a\":1e0}", NULL);
	check("{\"const\":{\"a\":1}}", "{\"a\":1,\"b\":1}", "want 'an object', got 'an object'");
	check("{\"const\":[1,2]}", "[2,1]", "want 'an array', got 'an array'");
	check("{\"enum\":[\"a\",null,3]}", "null", NULL);
	check("{\"enum\":[\"a\",null,3]}", "3.0", NULL);
	check("{\"enum\":[\"a\",\"b\"]}", "\"c\"", "want one of 'a', 'b', got 'c'");
}

static void objects(void **state)
{
	(void)state;
	const char *s = "{\"properties\":{\"a\":{\"type\":\"string\"},\"b/c\":{\"properties\":{\"~\":false}}},"
			"\"required\":[\"a\"],\"additionalProperties\":{\"type\":\"integer\"}}";

	check(s, "{\"a\":\"x\",\"z\":1}", NULL);
	check(s, "{\"z\":1}", "lacks 'a'");
	check(s, "{\"a\":1}", "/a: want a string, got a number");
	check(s, "{\"a\":\"\",\"z\":\"\"}", "/z: want a whole number, got a string");
	check(s, "{\"a\":\"\",\"b/c\":{\"~\":1}}", "/b~1c/~0: nothing is allowed here");
	check(s, "{\"a\":\"x\",\"a\":2}", "/a: want a string, got a number");
	check(s, "[]", NULL); /* says nothing about what is no object */
	check("{\"additionalProperties\":false,\"properties\":{\"a\":true}}", "{\"a\":1,\"b\":1}",
		"/b: is no property that the contract knows");
	check("{\"minProperties\":1,\"maxProperties\":2}", "{}", "has 0 properties, must have at least 1");
	check("{\"minProperties\":1,\"maxProperties\":2}", "{\"a\":1,\"b\":1,\"c\":1}",
		"has 3 properties, may have at most 2");
}

static void arrays(void **state)
{
	(void)state;
	const char *s = "{\"items\":{\"items\":{\"type\":\"null\"}},\"minItems\":1,\"maxItems\":2}";

	check(s, "[[null],[]]", NULL);
	check(s, "[[],[null,0]]", "/1/1: want null, got a number");
	check(s, "[]", "has 0 items, must have at least 1");
	check(s, "[[],[],[]]", "has 3 items, may have at most 2");
	check(s, "{}", NULL);
}

static void strings(void **state)
{
	(void)state;
	check("{\"minLength\":2,\"maxLength\":3}", "\"äöü\"", NULL);
	check("{\"minLength\":2,\"maxLength\":3}", "\"ä\"", "has 1 characters, must have at least 2");
	check("{\"maxLength\":3}", "\"abcd\"", "has 4 characters, may have at most 3");
	check("{\"pattern\":\"b+\"}", "\"abbc\"", NULL); /* not anchored */
	check("{\"pattern\":\"^b+$\"}", "\"abbc\"", "'abbc' does not match the pattern '^b+$'");
	check("{\"pattern\":\"^b$\"}", "\"b\\n\"", "'b\n' does not match the pattern '^b$'");
	check("{\"pattern\":\"^\\\\u00e4$\"}", "\"ä\"", NULL);
	check("{\"pattern\":\"^\\\\S+$\"}", "\"äé\"", NULL);
	check("{\"pattern\":\"^\\\\S$\"}", "\" \"", "' ' does not match the pattern '^\\S$'");
	check("{\"pattern\":\"x\"}", "7", NULL);
	check("{\"format\":\"date-time\"}", "\"2026-02-29T00:00:00Z\"", "'2026-02-29T00:00:00Z' is no date-time");
	check("{\"format\":\"date-time\"}", "\"2024-02-29T23:59:60.5+05:30\"", NULL);
	check("{\"format\":\"uri\"}", "\"https://a/b?c#d\"", NULL);
	check("{\"format\":\"uri\"}", "\"/a/b\"", "'/a/b' is no uri");
}

static void formats(void **state)
{
	(void)state;
	static const char *const good_times[] = {"2026-11-28T15:00:00Z", "0000-01-01t00:00:00z", "2026-12-31T00:00:00.000000001-00:00"};
	static const char *const bad_times[] = {"", "2026-11-28", "2026-11-28 15:00:00Z", "2026-11-28T15:00:00", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z", "2026-11-28T24:00:00Z", "2026-11-28T15:60:00Z", "2026-11-28T15:00:00.Z",
		"2026-11-28T15:00:00+24:00", "2026-11-28T15:00:00Zx", "1900-02-29T00:00:00Z", "26-11-28T15:00:00Z"};
	static const char *const good_uris[] = {"a:", "urn:x:y", "http://[::1]:80/%20", "mailto:a@b"};
	static const char *const bad_uris[] = {"", ":a", "1a:b", "a b:c", "http://a/%2", "http://a/%zz", "http://a b", "http://a/\xc3\xa4", "a:#b#c", "a:<"};

	for (size_t i = 0; i < sizeof(good_times) / sizeof(char *); i++)
		assert_true(format_holds(FORMAT_DATE_TIME, str_of(good_times[i])));
	for (size_t i = 0; i < sizeof(bad_times) / sizeof(char *); i++)
		if (format_holds(FORMAT_DATE_TIME, str_of(bad_times[i])))
			fail_msg("'%s' is a date-time", bad_times[i]);
	for (size_t i = 0; i < sizeof(good_uris) / sizeof(char *); i++)
		if (!format_holds(FORMAT_URI, str_of(good_uris[i])))
			fail_msg("'%s' is no uri", good_uris[i]);
	for (size_t i = 0; i < sizeof(bad_uris) / sizeof(char *); i++)
		if (format_holds(FORMAT_URI, str_of(bad_uris[i])))
			fail_msg("'%s' is a uri", bad_uris[i]);
	assert_false(format_holds(FORMAT_URI, STR("a:\0b")));
}

static void numbers(void **state)
{
	(void)state;
	check("{\"minimum\":1,\"maximum\":2}", "1", NULL);
	check("{\"minimum\":1}", "0.999999999999999999999999999", "0.999999999999999999999999999 is less than 1");
	check("{\"maximum\":2}", "2.000000000000000000000000001", "2.000000000000000000000000001 is more than 2");
	check("{\"exclusiveMinimum\":0}", "0", "0 is not more than 0");
	check("{\"exclusiveMinimum\":0}", "-0.0", "-0.0 is not more than 0");
	check("{\"exclusiveMaximum\":10}", "1e1", "1e1 is not less than 10");
	check("{\"maximum\":9007199254740993}", "9007199254740994", "9007199254740994 is more than 9007199254740993");
	check("{\"maximum\":1e999999}", "1e1000000", "1e1000000 is more than 1e999999");
	check("{\"minimum\":-1e-99999}", "-1e-99998", "-1e-99998 is less than -1e-99999");
	check("{\"maximum\":1}", "\"9\"", NULL);
}

static void decimals_are_ordered(void **state)
{
	(void)state;
	/* ascending; those on a line are equal */
	static const char *const rows[][3] = {
		{"-1e400", "-10e399", "-0.1e401"}, {"-12.5", "-125e-1", "-0.125E+2"}, {"-12.4"}, {"-1e-400"},
		{"0", "-0", "0.000e99"}, {"1e-400", "0.01e-398"}, {"0.05", "5e-2", "0.050"}, {"0.5"}, {"0.51"},
		{"1", "1.0", "10e-1"}, {"1.000000000000000000001"}, {"9"}, {"10", "1e1", "1.0e+1"}, {"10.01"},
		{"99999999999999999999"}, {"100000000000000000000", "1e20"}, {"1e400"}, {"1e99999999999999999999"},
	};
	size_t n = sizeof(rows) / sizeof(rows[0]);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			for (size_t k = 0; k < 9; k++) {
				const char *a = rows[i][k / 3], *b = rows[j][k % 3];
				if (a && b && decimal_cmp(str_of(a), str_of(b)) != (i > j) - (i < j))
					fail_msg("%s to %s: %d", a, b, decimal_cmp(str_of(a), str_of(b)));
			}
	assert_true(decimal_is_whole(STR("1.50e1")));
	assert_true(decimal_is_whole(STR("0.0")));
	assert_true(decimal_is_whole(STR("1e999999")));
	assert_false(decimal_is_whole(STR("1.5")));
	assert_false(decimal_is_whole(STR("1e-1")));
	assert_false(decimal_is_whole(STR("100e-3")));
	assert_true(decimal_is_whole(STR("100e-2")));
}

static void choices(void **state)
{
	(void)state;
	check("{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "3", "3 is more than 2");
	check("{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":1}]}", "1", NULL);
	check("{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":1}]}", "0",
		"none of its 2 alternatives holds; the first says: want a string, got a number");
	check("{\"oneOf\":[{\"minimum\":1},{\"maximum\":2}]}", "1", "more than one of its 2 alternatives holds, one may");
	check("{\"oneOf\":[{\"minimum\":2},{\"maximum\":1}]}", "3", NULL);
	check("{\"not\":{\"type\":\"string\"}}", "\"\"", "is what the contract forbids ('not')");
	check("{\"not\":{\"type\":\"string\"}}", "1", NULL);
	check("{\"properties\":{\"a\":{\"not\":{\"not\":{\"const\":1}}}}}", "{\"a\":2}", "/a: is what the contract forbids ('not')");
	check("true", "1", NULL);
	check("false", "1", "nothing is allowed here");
}

static void references(void **state)
{
	(void)state;
	const char *tree = "{\"$defs\":{\"a/b~c\":{\"type\":\"object\",\"properties\":{\"kids\":{\"type\":\"array\",\"items\":"
			   "{\"$ref\":\"#/$defs/a~1b~0c\"}}}}},\"$ref\":\"#/$defs/a~1b~0c\"}";

	check(tree, "{\"kids\":[{\"kids\":[{}]}]}", NULL);
	check(tree, "{\"kids\":[{},{\"kids\":[1]}]}", "/kids/1/kids/0: want an object, got a number");
	check("{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"additionalProperties\":false}", "{\"next\":{\"next\":{\"x\":1}}}",
		"/next/next/x: is no property that the contract knows");
	check("{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#/anyOf/0\"}]}", "null", NULL);
	refuse("{\"$ref\":\"#/nope\"}", "c.json:1:17: '$ref' leads nowhere: '#/nope'; only places of this file can be referred to, as in "
		"\"#/$defs/name\"\n");
	refuse("{\"$ref\":\"https://x/y\"}", "c.json:1:22: '$ref' leads nowhere: 'https://x/y'; only places of this file can be "
		"referred to, as in \"#/$defs/name\"\n");
	refuse("{\"$ref\":\"#\"}", "c.json:1:1: this schema leads back to itself without a step into the value\n");
	refuse("{\"$defs\":{\"a\":{\"anyOf\":[{\"not\":{\"$ref\":\"#/$defs/a\"}}]}}}",
		"c.json:1:15: this schema leads back to itself without a step into the value\n");
}

static void its_own_faults(void **state)
{
	(void)state;
	refuse("{\n  \"typo\": 1,\n  \"requird\": []\n}", "c.json:2:12: keyword 'typo' is not supported; did you mean 'type'?\n"
		"c.json:3:14: keyword 'requird' is not supported; did you mean 'required'?\n");
	refuse("{\"uniqueItems\":true}", "c.json:1:20: keyword 'uniqueItems' is not supported\n");
	refuse("{\"properties\":{\"a\":{\"if\":{}}}}", "c.json:1:26: keyword 'if' is not supported\n");
	refuse("{\"$defs\":{\"unused\":{\"multipleOf\":2}}}", "c.json:1:35: keyword 'multipleOf' is not supported\n");
	refuse("{\"type\":\"text\"}", "c.json:1:15: 'type' must be null, boolean, number, integer, string, array or object, or a list of them\n");
	refuse("{\"format\":\"email\"}", "c.json:1:18: 'format' is a string; it must be date-time or uri; no other format is supported, use 'pattern'\n");
	refuse("{\"pattern\":\"(\"}", "c.json:1:15: bad regex '(' at byte 2: missing closing parenthesis\n");
	refuse("{\"minLength\":-1}", "c.json:1:16: 'minLength' is a number; it must be a whole number from 0\n");
	refuse("{\"items\":[{}]}", "c.json:1:10: 'items' is an array; it must be one schema for all items; lists of schemas are not supported\n");
	refuse("{\"anyOf\":[]}", "c.json:1:10: 'anyOf' is an array; it must be a list of schemas, at least one\n");
	refuse("{\"minimum\":\"1\"}", "c.json:1:15: 'minimum' is a string; it must be a number\n");
	refuse("3", "c.json:1:2: a schema is an object, or true or false; this is a number\n");
}

static void broken_json(void **state)
{
	(void)state;
	struct diags d;

	diags_init(&d);
	assert_null(contract_parse(STR("{\n\"type\": }"), "c.json", &d));
	assert_int_equal(d.errors, 1);
	assert_int_equal(d.v[0].line, 2);
	diags_release(&d);
}

/* Work doubles with each level: without a limit this would be 2^60 steps. */
static void work_is_bounded(void **state)
{
	(void)state;
	struct buf b;
	struct err e = {0};

	buf_init(&b, 1 << 20);
	buf_puts(&b, "{\"$defs\":{\"s0\":{\"type\":\"null\"}");
	for (int i = 1; i <= 60; i++)
		buf_printf(&b, ",\"s%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/s%d\"},{\"$ref\":\"#/$defs/s%d\"}]}", i, i - 1, i - 1);
	buf_puts(&b, "},\"$ref\":\"#/$defs/s30\"}");
	struct contract *c = contract_parse(buf_as_str(&b), "c.json", &(struct diags){0});
	assert_non_null(c);
	assert_int_equal(contract_check(c, value(STR("1")), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.text, "the contract takes too many steps on this value");
	contract_free(c);
	buf_release(&b);
}

static void depth_is_bounded(void **state)
{
	(void)state;
	struct buf b;
	struct err e = {0};
	struct diags d;

	buf_init(&b, 1 << 20);
	diags_init(&d);
	for (int i = 0; i < CONTRACT_DEPTH / 2 + 1; i++)
		buf_puts(&b, "{\"not\":{\"not\":");
	buf_puts(&b, "true");
	for (int i = 0; i < CONTRACT_DEPTH / 2 + 1; i++)
		buf_puts(&b, "}}");
	assert_null(contract_parse(buf_as_str(&b), "c.json", &d));
	assert_true(d.errors > 0);
	diags_release(&d);
	buf_release(&b);
	(void)e;
}

static void regexes_are_bounded(void **state)
{
	(void)state;
	struct contract *c = parse("{\"pattern\":\"^(a+)+$\"}");
	struct err e = {0};

	assert_int_equal(contract_check(c, value(STR("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"")), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.text, "a pattern of the contract takes too many steps on a value");
	contract_free(c);
}

static void limits_pass_through_choices(void **state)
{
	(void)state;
	struct contract *c = parse("{\"not\":{\"anyOf\":[{\"type\":\"null\"},{\"pattern\":\"^(a+)+$\"}]}}");
	struct err e = {0};

	/* What could not be decided is not `not`: it must not hold. */
	assert_int_equal(contract_check(c, value(STR("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"")), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	contract_free(c);
}

static void no_data_is_an_empty_object(void **state)
{
	(void)state;
	struct contract *c = parse("{\"required\":[\"a\"]}");
	struct err e = {0};

	assert_int_equal(contract_check(c, NULL, &e), -1);
	assert_string_equal(e.text, "lacks 'a'");
	contract_free(c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

TESTS_MAIN(T(types), T(values), T(objects), T(arrays), T(strings), T(formats), T(numbers), T(decimals_are_ordered), T(choices),
	T(references), T(its_own_faults), T(broken_json), T(work_is_bounded), T(depth_is_bounded), T(regexes_are_bounded),
	T(limits_pass_through_choices), T(no_data_is_an_empty_object))
