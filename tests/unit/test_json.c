/* JSON in and out: every odd input of json.h has its defined answer, in pieces of any size. */
#include "unit.h"
#include "base/json.h"

static struct arena arena;
static struct buf out;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 64 << 20);
	buf_init(&out, BUF_NO_LIMIT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	buf_release(&out);
	return 0;
}

static const struct json *parse(struct str s)
{
	struct err e = {0};
	const struct json *j = json_parse(&arena, s, &e);
	if (!j)
		fail_msg("refused: %s at %zu", e.text, e.offset);
	return j;
}

static struct str write_back(const struct json *j)
{
	struct json_w w;
	buf_clear(&out);
	json_w_init(&w, &out);
	json_write(&w, j);
	assert_false(buf_failed(&out));
	return buf_as_str(&out);
}

static void refuse(struct str s, enum err_code code, size_t offset, const char *part)
{
	struct err e = {0};
	if (json_parse(&arena, s, &e))
		fail_msg("'%.*s' was taken", STR_ARG(s));
	assert_int_equal(e.code, code);
	assert_has(str_of(e.text), part);
	if (e.offset != offset)
		fail_msg("'%.*s': offset %zu, not %zu (%s)", STR_ARG(s), e.offset, offset, e.text);
}

/* ---- reading ---- */

static void reads_all_kinds(void **state)
{
	(void)state;
	const struct json *j =
		parse(STR(" {\"s\": \"x\", \"n\": -1.50e3, \"t\": true, \"f\": false,"
			  " \"z\": null, \"a\": [1, [2], {}], \"o\": {\"k\": []}} "));
	assert_int_equal(j->kind, JSON_OBJECT);
	assert_int_equal(j->count, 7);
	assert_str(json_str(json_get(j, "s")), "x");
	assert_str(json_get(j, "n")->text, "-1.50e3");
	assert_true(json_get(j, "t")->boolean);
	assert_false(json_get(j, "f")->boolean);
	assert_int_equal(json_get(j, "z")->kind, JSON_NULL);
	assert_int_equal(json_get(j, "a")->count, 3);
	assert_null(json_get(j, "none"));
	assert_null(json_get(NULL, "x"));
	assert_null(json_get(json_get(j, "a"), "x"));
	assert_null(json_str(json_get(j, "n")).p);
	assert_str(write_back(j), "{\"s\":\"x\",\"n\":-1.50e3,\"t\":true,\"f\":false,\"z\":null,"
				  "\"a\":[1,[2],{}],\"o\":{\"k\":[]}}");
	assert_str(write_back(parse(STR("3"))), "3");
	assert_str(write_back(parse(STR("\"x\""))), "\"x\"");
	assert_str(write_back(parse(STR("null"))), "null");
}

static void pieces_of_any_size(void **state)
{
	(void)state;
	static const char text[] = "{\"alerts\":[{\"labels\":{\"a\":\"\\u00e4\xC3\xA4\\n\"},"
				   "\"n\":12345.678e9,\"t\":true}],\"k\":null}";
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct err e;
		struct json_reader *r = json_reader_new(&arena, NULL);
		for (size_t i = 0; i < sizeof(text) - 1; i += piece) {
			size_t n = sizeof(text) - 1 - i < piece ? sizeof(text) - 1 - i : piece;
			/* a copy of just these bytes: reading past them is a finding */
			char *copy = malloc(n);
			memcpy(copy, text + i, n);
			assert_int_equal(json_reader_feed(r, copy, n, &e), 0);
			free(copy);
		}
		const struct json *j = json_reader_finish(r, &e);
		assert_non_null(j);
		assert_str(write_back(j),
			"{\"alerts\":[{\"labels\":{\"a\":\"\xC3\xA4\xC3\xA4\\n\"},"
			"\"n\":12345.678e9,\"t\":true}],\"k\":null}");
		json_reader_free(r);
	}
}

static void faults_have_offsets(void **state)
{
	(void)state;
	refuse(STR_NONE, ERR_INPUT, 0, "empty");
	refuse(STR("  \n "), ERR_INPUT, 4, "empty");
	refuse(STR("{\"a\":1"), ERR_INPUT, 6, "incomplete");
	refuse(STR("[1,"), ERR_INPUT, 3, "incomplete");
	refuse(STR("\"abc"), ERR_INPUT, 4, "incomplete");
	refuse(STR("tru"), ERR_INPUT, 3, "incomplete");
	refuse(STR("{\"a\""), ERR_INPUT, 4, "incomplete");
	refuse(STR("[1] x"), ERR_INPUT, 5, "trailing garbage");
	refuse(STR("[1] []"), ERR_INPUT, 5, "trailing garbage");
	refuse(STR("{} {}"), ERR_INPUT, 4, "trailing garbage");
	refuse(STR("[1,]"), ERR_INPUT, 4, "unallowed token");
	refuse(STR("{\"a\":1,}"), ERR_INPUT, 8, "invalid object key");
	refuse(STR("{a:1}"), ERR_INPUT, 2, "invalid char");
	refuse(STR("['a']"), ERR_INPUT, 2, "invalid char");
	refuse(STR("[NaN]"), ERR_INPUT, 2, "invalid char");
	refuse(STR("[01]"), ERR_INPUT, 3, "I expect");
	refuse(STR("[+1]"), ERR_INPUT, 2, "invalid char");
	refuse(STR("[1.]"), ERR_INPUT, 3, "malformed number");
	refuse(STR("[-]"), ERR_INPUT, 2, "malformed number");
	refuse(STR("[1] // c"), ERR_INPUT, 4, "trailing garbage");
	refuse(STR("/* c */ [1]"), ERR_INPUT, 0, "comment");
	refuse(STR("[\"\\x\"]"), ERR_INPUT, 3, "may not");
	refuse(STR("[\"\\u12G4\"]"), ERR_INPUT, 6, "non-hex");
}

static void offsets_count_earlier_pieces(void **state)
{
	(void)state;
	struct err e = {0};
	struct json_reader *r = json_reader_new(&arena, NULL);
	assert_int_equal(json_reader_feed(r, "{\"a\": [1, 2", 11, &e), 0);
	assert_int_equal(json_reader_feed(r, ", 3, ", 5, &e), 0);
	assert_int_equal(json_reader_feed(r, "  }", 3, &e), -1);
	assert_int_equal(e.offset, 19);
	/* after that it takes no more */
	assert_int_equal(json_reader_feed(r, "1]}", 3, &e), -1);
	assert_null(json_reader_finish(r, &e));
	json_reader_free(r);
}

static void invalid_utf8(void **state)
{
	(void)state;
	struct err e;
	static const char *const bad[] = {
		"[\"\xFF\"]", "[\"\x80\"]", "[\"\xC3\"]", "[\"\xC0\x80\"]", "[\"\xE0\x80\x80\"]",
		"[\"\xED\xA0\x80\"]", "[\"\xF4\x90\x80\x80\"]", "[\"\xF8\x88\x80\x80\x80\"]",
		"{\"\xC1\xBF\":1}", "{\"\xFF\":1}",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (json_parse(&arena, str_of(bad[i]), &e))
			fail_msg("number %zu was taken", i);
		assert_int_equal(e.code, ERR_INPUT);
		assert_true(e.offset >= 2 && e.offset <= strlen(bad[i]));
	}
	assert_str(json_str(parse(STR("[\"\xF0\x9F\x98\x80\"]"))->child), "\xF0\x9F\x98\x80");
}

static void surrogates(void **state)
{
	(void)state;
	assert_str(parse(STR("\"\\ud83d\\ude00\""))->text, "\xF0\x9F\x98\x80");
	assert_str(parse(STR("\"a\\udc00b\\udfffc\""))->text, "a\xEF\xBF\xBD" "b\xEF\xBF\xBD" "c");
	assert_str(parse(STR("\"a\\ud800b\""))->text, "a?b");
	assert_str(parse(STR("{\"\\udc00\":1}"))->child->key, "\xEF\xBF\xBD");
}

static void control_bytes(void **state)
{
	(void)state;
	refuse((struct str){"[\"a\0b\"]", 7}, ERR_INPUT, 3, "invalid character inside string");
	refuse(STR("[\"a\nb\"]"), ERR_INPUT, 3, "invalid character inside string");
	refuse(STR("[\"a\x1F\"]"), ERR_INPUT, 3, "invalid character inside string");
	refuse((struct str){"[1]\0", 4}, ERR_INPUT, 4, "trailing garbage");
	refuse((struct str){"\0", 1}, ERR_INPUT, 1, "invalid char");
	struct str s = parse(STR("\"a\\u0000b\""))->text;
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "a\0b", 3);
}

static void doubled_keys(void **state)
{
	(void)state;
	const struct json *j = parse(STR("{\"a\":1,\"b\":2,\"a\":{\"x\":1},\"c\":3,\"a\":[4]}"));
	assert_int_equal(j->count, 3);
	assert_int_equal(json_get(j, "a")->kind, JSON_ARRAY);
	assert_str(write_back(j), "{\"b\":2,\"c\":3,\"a\":[4]}");
	assert_str(write_back(parse(STR("{\"\":1,\"\":2}"))), "{\"\":2}");
	assert_str(write_back(parse(STR("{\"a\":1,\"\\u0061\":2}"))), "{\"a\":2}");
	/* in an inner object, after a clean one */
	assert_str(write_back(parse(STR("[{\"k\":1},{\"k\":1,\"k\":2},{\"k\":3}]"))),
		"[{\"k\":1},{\"k\":2},{\"k\":3}]");
}

static void doubled_keys_among_many(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	buf_putc(&b, '{');
	for (int i = 0; i < 60000; i++)
		buf_printf(&b, "%s\"k%d\":%d", i ? "," : "", i % 20000, i);
	buf_putc(&b, '}');
	const struct json *j = parse(buf_as_str(&b));
	assert_int_equal(j->count, 20000);
	int i = 40000;
	for (const struct json *c = j->child; c; c = c->next, i++) {
		int64_t v;
		assert_true(json_i64(c, &v));
		assert_int_equal(v, i);
	}
	assert_int_equal(i, 60000);
	buf_release(&b);
}

/* Keys that the filter cannot tell apart must not be lost for it. */
static void similar_keys(void **state)
{
	(void)state;
	assert_str(write_back(parse(STR("{\"axxb\":1,\"aXxb\":2,\"a11b\":3}"))),
		"{\"axxb\":1,\"aXxb\":2,\"a11b\":3}");
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	for (int n = 30; n < 36; n++) {
		buf_clear(&b);
		for (int i = 0; i < n; i++)
			buf_printf(&b, "%s\"k%dk\":%d", i ? "," : "{", i, i);
		buf_putc(&b, '}');
		assert_int_equal(parse(buf_as_str(&b))->count, n);
	}
	buf_release(&b);
}

static void depth_limit(void **state)
{
	(void)state;
	char text[200];
	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	const struct json *j = parse((struct str){text, 128});
	write_back(j);
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	refuse((struct str){text, 130}, ERR_LIMIT, 65, "nested too deep");

	struct err e;
	struct json_limits limits = {.depth = 2};
	struct json_reader *r = json_reader_new(&arena, &limits);
	assert_int_equal(json_reader_feed(r, "[[1],[2]", 8, &e), 0);
	assert_int_equal(json_reader_feed(r, ",[[", 3, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(e.offset, 11);
	json_reader_free(r);
}

static void node_limit(void **state)
{
	(void)state;
	struct err e;
	struct json_limits limits = {.nodes = 4};
	struct json_reader *r = json_reader_new(&arena, &limits);
	assert_int_equal(json_reader_feed(r, "[1,2,3]", 7, &e), 0);
	assert_non_null(json_reader_finish(r, &e));
	json_reader_free(r);
	r = json_reader_new(&arena, &limits);
	assert_int_equal(json_reader_feed(r, "[1,2,3,4]", 9, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "too many values");
	json_reader_free(r);
}

/* What nobody limits otherwise: the array itself is a value, too. */
static void default_limits(void **state)
{
	struct arena large;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	for (int i = 0; i < JSON_NODES_LIMIT - 1; i++)
		buf_puts(&b, i ? ",0" : "[0");
	arena_init(&large, (size_t)512 << 20);
	buf_putc(&b, ']');
	assert_non_null(json_parse(&large, buf_as_str(&b), &e));
	arena_reset(&large);
	b.n--;
	buf_puts(&b, ",0]");
	assert_null(json_parse(&large, buf_as_str(&b), &e));
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "too many values");
	buf_clear(&b);
	for (int i = 0; i < JSON_DEPTH_LIMIT; i++)
		buf_putc(&b, '[');
	for (int i = 0; i < JSON_DEPTH_LIMIT; i++)
		buf_putc(&b, ']');
	assert_non_null(json_parse(&large, buf_as_str(&b), &e));
	buf_clear(&b);
	for (int i = 0; i < JSON_DEPTH_LIMIT + 1; i++)
		buf_putc(&b, '[');
	assert_null(json_parse(&large, buf_as_str(&b), &e));
	assert_has(str_of(e.text), "nested too deep");
	arena_release(&large);
	buf_release(&b);
}

static void memory_limit(void **state)
{
	(void)state;
	struct arena small;
	struct err e;
	struct buf b;
	arena_init(&small, 20000);
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "[1");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, ",1");
	buf_puts(&b, "]");
	assert_null(json_parse(&small, buf_as_str(&b), &e));
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "memory");
	arena_release(&small);
	arena_init(&small, 100);
	assert_null(json_parse(&small, STR("1"), &e));
	assert_int_equal(e.code, ERR_LIMIT);
	arena_release(&small);
	buf_release(&b);
}

static void numbers(void **state)
{
	(void)state;
	int64_t v;
	assert_true(json_i64(parse(STR("9223372036854775807")), &v));
	assert_int_equal(v, INT64_MAX);
	assert_true(json_i64(parse(STR("-9223372036854775808")), &v));
	assert_true(v == INT64_MIN);
	assert_true(json_i64(parse(STR("-0")), &v));
	assert_false(json_i64(parse(STR("9223372036854775808")), &v));
	assert_false(json_i64(parse(STR("-9223372036854775809")), &v));
	assert_false(json_i64(parse(STR("1.0")), &v));
	assert_false(json_i64(parse(STR("1e2")), &v));
	assert_false(json_i64(parse(STR("\"1\"")), &v));
	assert_false(json_i64(NULL, &v));
	const char *huge = "[1e999999,123456789012345678901234567890.5]";
	assert_str(write_back(parse(str_of(huge))), huge);
}

static void paths(void **state)
{
	(void)state;
	const struct json *j =
		parse(STR("{\"a\":{\"b\":[10,{\"c\":\"x\"}]},\"\":{\"\":5},\"0\":1}"));
	assert_str(json_str(json_path(j, STR("a.b.1.c"))), "x");
	assert_str(json_path(j, STR("a.b.0"))->text, "10");
	assert_str(json_path(j, STR("0"))->text, "1");
	assert_str(json_path(j, STR("."))->text, "5");
	assert_null(json_path(j, STR("a.b.2")));
	assert_null(json_path(j, STR("a.b.-1")));
	assert_null(json_path(j, STR("a.b.x")));
	assert_null(json_path(j, STR("a.b.0.c")));
	assert_null(json_path(j, STR("a..b")));
	assert_null(json_path(j, STR("a.")));
	assert_null(json_path(j, STR("a.b.99999999999999999999")));
	assert_null(json_path(NULL, STR("a")));
}

static void offsets_of_values(void **state)
{
	(void)state;
	const struct json *j = parse(STR("{\"a\": \"xy\", \"b\": [1, 22]}"));
	assert_int_equal(j->offset, 0);
	assert_int_equal(json_get(j, "a")->offset, 10);
	assert_int_equal(json_get(j, "b")->offset, 17);
	assert_int_equal(json_get(j, "b")->child->offset, 19);
}

static void kind_names(void **state)
{
	(void)state;
	assert_string_equal(json_kind_name(JSON_NULL), "null");
	assert_string_equal(json_kind_name(JSON_OBJECT), "an object");
}

/* ---- writing ---- */

static void writes(void **state)
{
	(void)state;
	struct json_w w;
	json_w_init(&w, &out);
	json_w_object(&w);
	json_w_kstr(&w, "s", STR("a\"b\\c\n\t\x01/\x7F"));
	json_w_ki64(&w, "i", INT64_MIN);
	json_w_kbool(&w, "t", true);
	json_w_kbool(&w, "f", false);
	json_w_kraw(&w, "r", STR("[1,2]"));
	json_w_ktime_ms(&w, "at", INT64_C(1795375172624));
	json_w_ktime_ms(&w, "never", 0);
	json_w_key(&w, STR("arr"));
	json_w_array(&w);
	json_w_null(&w);
	json_w_double(&w, 0.1);
	json_w_double(&w, 1.0 / 3);
	json_w_double(&w, 3);
	json_w_double(&w, 1.0 / 0.0);
	json_w_array(&w);
	json_w_end(&w, ']');
	json_w_object(&w);
	json_w_end(&w, '}');
	json_w_str(&w, STR_NONE);
	json_w_end(&w, ']');
	json_w_end(&w, '}');
	assert_string_equal(out.p,
		"{\"s\":\"a\\\"b\\\\c\\n\\t\\u0001/\x7F\",\"i\":-9223372036854775808,\"t\":true,"
		"\"f\":false,\"r\":[1,2],\"at\":\"2026-11-22T19:19:32.624Z\",\"never\":null,"
		"\"arr\":[null,0.1,0.33333333333333331,3,null,[],{},\"\"]}");
	parse(buf_as_str(&out));
}

static void quotes_every_byte(void **state)
{
	(void)state;
	char all[256];
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	json_quote(&out, (struct str){all, 128});
	struct str back = parse(buf_as_str(&out))->text;
	assert_int_equal(back.n, 128);
	assert_memory_equal(back.p, all, 128);
	buf_clear(&out);
	json_quote(&out, (struct str){all + 128, 128});
	back = parse(buf_as_str(&out))->text;
	assert_int_equal(back.n, 128 * 3);
	for (size_t i = 0; i < 128; i++)
		assert_memory_equal(back.p + 3 * i, "\xEF\xBF\xBD", 3);
	buf_clear(&out);
	json_quote(&out, STR("a\xC3\xA4" "b\xE2\x82"));
	assert_string_equal(out.p, "\"a\xC3\xA4" "b\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

/* Eight bytes are looked at in one: each special byte at each place must be seen. */
static void quotes_at_every_place(void **state)
{
	(void)state;
	static const char special[] = {
		'"', '\\', '\n', '\0', '\x1F', '\x7F', '\xFF', '!', '#', '['};
	char text[24];
	for (size_t n = 1; n <= sizeof(text); n++) {
		for (size_t at = 0; at < n; at++) {
			for (size_t k = 0; k < sizeof(special); k++) {
				memset(text, 'a', n);
				text[at] = special[k];
				buf_clear(&out);
				json_quote(&out, (struct str){text, n});
				struct str back = parse(buf_as_str(&out))->text;
				bool replaced = special[k] == '\xFF';
				assert_int_equal(back.n, replaced ? n + 2 : n);
				assert_memory_equal(back.p, text, at);
				assert_memory_equal(
					back.p + at, replaced ? "\xEF\xBF\xBD" : text + at, 1);
				assert_memory_equal(
					back.p + back.n - (n - at - 1), text + at + 1, n - at - 1);
			}
		}
	}
}

static void too_deep_sets_the_buffers_error(void **state)
{
	(void)state;
	struct json_w w;
	json_w_init(&w, &out);
	for (int i = 0; i < JSON_W_DEPTH - 1; i++)
		json_w_array(&w);
	assert_false(buf_failed(&out));
	json_w_array(&w);
	assert_true(buf_failed(&out));
	for (int i = 0; i < JSON_W_DEPTH + 5; i++)
		json_w_end(&w, ']');
	assert_true(buf_failed(&out));
}

static void full_buffer_keeps_the_error(void **state)
{
	(void)state;
	struct buf b;
	struct json_w w;
	buf_init(&b, 10);
	json_w_init(&w, &b);
	json_w_object(&w);
	json_w_kstr(&w, "key", STR("a long value that does not fit"));
	json_w_end(&w, '}');
	assert_true(buf_failed(&b));
	assert_true(b.n <= 10);
	buf_release(&b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
TESTS_MAIN(T(reads_all_kinds), T(pieces_of_any_size), T(faults_have_offsets),
	T(offsets_count_earlier_pieces), T(invalid_utf8), T(surrogates), T(control_bytes),
	T(doubled_keys), T(doubled_keys_among_many), T(similar_keys), T(depth_limit), T(node_limit), T(default_limits),
	T(memory_limit), T(numbers), T(paths), T(offsets_of_values), T(kind_names), T(writes),
	T(quotes_every_byte), T(quotes_at_every_place),
	T(too_deep_sets_the_buffers_error), T(full_buffer_keeps_the_error))
