/* The YAML tree has the place of everything, and says all that is wrong with theirs. */
#include "unit.h"
#include "base/yaml.h"

static struct arena arena;
static struct diags diags;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 64 << 20);
	diags_init(&diags);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	diags_release(&diags);
	return 0;
}

static const struct yaml *parse(const char *text)
{
	const struct yaml *y = yaml_parse(&arena, str_of(text), "f.yml", &diags);
	assert_findings(&diags, "");
	assert_non_null(y);
	return y;
}

static void refuse(const char *text, const char *findings)
{
	assert_null(yaml_parse(&arena, str_of(text), "f.yml", &diags));
	assert_findings(&diags, findings);
	diags_release(&diags);
}

static void tree_and_places(void **state)
{
	(void)state;
	const struct yaml *y = parse("# first\n"
				     "http:\n"
				     "  listen: [\"127.0.0.1:9911\", unix:/x]\n"
				     "  n: 5\n"
				     "list:\n"
				     "- a\n"
				     "- k: 'v'\n"
				     "  w:\n");
	assert_int_equal(y->kind, YAML_MAP);
	assert_int_equal(y->count, 2);
	const struct yaml *http = yaml_get(y, "http");
	assert_int_equal(http->key_line, 2);
	assert_int_equal(http->key_column, 1);
	const struct yaml *listen = yaml_get(http, "listen");
	assert_int_equal(listen->kind, YAML_SEQ);
	assert_int_equal(listen->count, 2);
	assert_int_equal(listen->key_line, 3);
	assert_int_equal(listen->key_column, 3);
	assert_int_equal(listen->line, 3);
	assert_int_equal(listen->column, 11);
	assert_str(listen->child->text, "127.0.0.1:9911");
	assert_false(listen->child->plain);
	assert_int_equal(listen->child->column, 12);
	assert_str(listen->child->next->text, "unix:/x");
	assert_true(listen->child->next->plain);
	const struct yaml *second = yaml_get(y, "list")->child->next;
	assert_int_equal(second->kind, YAML_MAP);
	assert_int_equal(second->line, 7);
	assert_str(yaml_get(second, "k")->text, "v");
	assert_int_equal(yaml_get(second, "w")->kind, YAML_NULL);
	assert_int_equal(yaml_get(second, "w")->key_line, 8);
	assert_null(yaml_get(y, "none"));
	assert_null(yaml_get(NULL, "x"));
	assert_null(yaml_get(listen, "x"));
}

static void texts(void **state)
{
	(void)state;
	const struct yaml *y =
		parse("a: 'it''s'\nb: \"x\\ty\\u00e4\"\nc: |\n  one\n  two\nd: >-\n  e\n  f\n"
		      "e: ''\ng: alertname =~ \"x|y\", a = b\nh: 100% {{ x }}\n");
	assert_str(yaml_get(y, "a")->text, "it's");
	assert_str(yaml_get(y, "b")->text, "x\ty\xC3\xA4");
	assert_str(yaml_get(y, "c")->text, "one\ntwo\n");
	assert_str(yaml_get(y, "d")->text, "e f");
	assert_str(yaml_get(y, "e")->text, "");
	assert_int_equal(yaml_get(y, "e")->kind, YAML_SCALAR);
	assert_str(yaml_get(y, "g")->text, "alertname =~ \"x|y\", a = b");
	assert_str(yaml_get(y, "h")->text, "100% {{ x }}");
	for (const struct yaml *c = y->child; c; c = c->next)
		assert_int_equal(strlen(c->text.p), c->text.n);
}

static void nulls(void **state)
{
	(void)state;
	assert_int_equal(parse("")->kind, YAML_NULL);
	assert_int_equal(parse("# only a comment\n")->kind, YAML_NULL);
	assert_int_equal(parse("---\n")->kind, YAML_NULL);
	assert_int_equal(parse("~")->kind, YAML_NULL);
	const struct yaml *y = parse("a: null\nb: 'null'\nc: NULL\nd: nil\n");
	assert_int_equal(yaml_get(y, "a")->kind, YAML_NULL);
	assert_int_equal(yaml_get(y, "b")->kind, YAML_SCALAR);
	assert_int_equal(yaml_get(y, "c")->kind, YAML_NULL);
	assert_int_equal(yaml_get(y, "d")->kind, YAML_SCALAR);
}

static void scalars_as_c_types(void **state)
{
	(void)state;
	const struct yaml *y = parse("t: true\nf: false\nq: 'true'\nyes: yes\nn: -42\nqn: '42'\n"
				     "big: 9223372036854775808\nh: 0x10\nl: [1]\ns: !!str 5\n");
	bool b;
	int64_t v;
	assert_true(yaml_bool(yaml_get(y, "t"), &b) && b);
	assert_true(yaml_bool(yaml_get(y, "f"), &b) && !b);
	assert_false(yaml_bool(yaml_get(y, "q"), &b));
	assert_false(yaml_bool(yaml_get(y, "yes"), &b));
	assert_true(yaml_i64(yaml_get(y, "n"), &v));
	assert_int_equal(v, -42);
	assert_false(yaml_i64(yaml_get(y, "qn"), &v));
	assert_false(yaml_i64(yaml_get(y, "big"), &v));
	assert_false(yaml_i64(yaml_get(y, "h"), &v));
	assert_false(yaml_i64(yaml_get(y, "l"), &v));
	assert_false(yaml_i64(yaml_get(y, "s"), &v));
	assert_false(yaml_i64(NULL, &v));
}

static void findings_say_what_to_do(void **state)
{
	(void)state;
	refuse("http:\n  listen: [\"127.0.0.1:9911\"\nredis: embedded\n",
		"f.yml:3:1: expected ',' or ']' in the list that begins in line 2, column 11\n");
	refuse("a: {b: 1\nc: 2\n",
		"f.yml:2:2: expected ',' or '}' in the map that begins in line 1, column 4\n");
	refuse("rules:\n  - name: a\n    match: x\n   when: firing\n",
		"f.yml:4:4: check indentation and quotes: this does not fit the list that begins "
		"in line 2, column 3\n");
	refuse("a: \"x\" y\n", "f.yml:1:8: check indentation and quotes: this does not fit the map "
			      "that begins in line 1, column 1\n");
	refuse("http:\n\tlisten: x\n", "f.yml:2:1: a tab; indent with spaces\n");
	refuse("a: @x\n", "f.yml:1:4: a text cannot begin with '@'; quote it\n");
	refuse("a: \"no end\nb: c\n", "f.yml:1:4: the quote that begins here is not closed\n");
	refuse("a: \"\\S+\"\n",
		"f.yml:1:5: unknown escape; put a text with backslashes in single quotes\n");
	refuse("match: alertname =~ \"a\": x\n", "f.yml:1:24: a ':' that cannot stand here; check "
						 "the indentation, or quote the text "
						 "it is in\n");
	refuse("a: x\nother\nb: 1\n", "f.yml:2:1: a key without a ':' behind it\n");
	refuse("a: - b\n", "f.yml:1:4: a '-' that cannot stand here; check the indentation\n");
	refuse("summary: {{ labels.x }} is down\n",
		"f.yml:1:11: a key must be a text; quote what begins with '{' or '['\n");
	/* one that has no words of ours */
	refuse("a: |x\n  y\n", "f.yml:1:5: while scanning a block scalar: did not find expected "
			       "comment or line break\n");
}

static void our_findings_come_all_at_once(void **state)
{
	(void)state;
	refuse("a: &x 1\nb: *x\na: 2\nc: !foo 3\n",
		"f.yml:1:4: anchors and aliases are not taken; write the value out\n"
		"f.yml:2:4: anchors and aliases are not taken; write the value out\n"
		"f.yml:3:1: key 'a' was given already in line 1\n"
		"f.yml:4:4: tags are not taken; leave it out\n");
}

static void keys_must_be_texts(void **state)
{
	(void)state;
	refuse("? [a, b]\n: 1\nc: 2\n",
		"f.yml:1:3: a key must be a text; quote what begins with '{' or '['\n");
	refuse("~: 1\n", "f.yml:1:1: a key must be a text\n");
	assert_str(parse("'': 1\n")->child->text, "1");
}

static void several_documents(void **state)
{
	(void)state;
	refuse("a: 1\n---\nb: 2\n", "f.yml:2:1: a second document; a file holds one\n");
	parse("---\na: 1\n...\n");
}

static void bytes(void **state)
{
	(void)state;
	refuse("a: b\nc: x\xFFy\n", "f.yml:2:5: invalid bytes: not UTF-8\n");
	refuse("a: \xC3\xA4\x01\n", "f.yml:1:5: a control character; write it as an escape\n");
	refuse("\xC2\x80", "f.yml:1:1: a control character; write it as an escape\n");
	refuse("a\xEF\xBF\xBF", "f.yml:1:2: a control character; write it as an escape\n");
	assert_null(yaml_parse(&arena, (struct str){"a: b\0c: d", 9}, "f.yml", &diags));
	assert_findings(&diags, "f.yml:1:5: a control character; write it as an escape\n");
}

static void depth_limit(void **state)
{
	(void)state;
	char text[200];
	memset(text, '[', YAML_DEPTH_LIMIT);
	memset(text + YAML_DEPTH_LIMIT, ']', YAML_DEPTH_LIMIT);
	text[2 * YAML_DEPTH_LIMIT] = '\0';
	parse(text);
	memset(text, '[', YAML_DEPTH_LIMIT + 2);
	text[YAML_DEPTH_LIMIT + 2] = '\0';
	refuse(text, "f.yml:1:33: nested too deep\n");
}

static void size_limit(void **state)
{
	(void)state;
	char *big = malloc(YAML_FILE_LIMIT + 1);
	memset(big, '\n', YAML_FILE_LIMIT + 1);
	assert_null(yaml_parse(&arena, (struct str){big, YAML_FILE_LIMIT + 1}, "f.yml", &diags));
	assert_findings(&diags, "f.yml: the file is larger than 16777216 bytes\n");
	free(big);
}

static void memory_limit(void **state)
{
	(void)state;
	struct arena small;
	arena_init(&small, 1000);
	assert_null(yaml_parse(&small, STR("[1,2,3,4,5,6,7,8,9,10,11,12,13]"), "f.yml", &diags));
	assert_int_equal(diags.errors, 1);
	assert_has(str_of(diags.v[0].text), "memory");
	arena_release(&small);
}

static void key_limit(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	for (int i = 0; i < 4096; i++)
		buf_printf(&b, "k%d: %d\n", i, i);
	assert_int_equal(parse(b.p)->count, 4096);
	buf_puts(&b, "one: more\n");
	refuse(b.p, "f.yml:4097:6: a map may have no more than 4096 keys\n");
	buf_release(&b);
}

static void places_in_a_larger_file(void **state)
{
	(void)state;
	const struct yaml *y =
		yaml_parse_at(&arena, STR("a: 1\nb: [2]\n"), "x.sh", 10, 2, &diags);
	assert_int_equal(y->child->line, 11);
	assert_int_equal(y->child->key_column, 3);
	assert_int_equal(y->child->next->child->line, 12);
	assert_null(yaml_parse_at(&arena, STR("a: 1\na: 2\n"), "x.sh", 10, 2, &diags));
	assert_null(yaml_parse_at(&arena, STR("a: b: c\n"), "x.sh", 10, 2, &diags));
	assert_int_equal(diags.n, 2);
	assert_int_equal(diags.v[0].line, 12);
	assert_int_equal(diags.v[0].column, 3);
	assert_int_equal(diags.v[1].line, 11);
	assert_int_equal(diags.v[1].column, 7);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
TESTS_MAIN(T(tree_and_places), T(texts), T(nulls), T(scalars_as_c_types),
	T(findings_say_what_to_do), T(our_findings_come_all_at_once), T(keys_must_be_texts),
	T(several_documents), T(bytes), T(depth_limit), T(size_limit), T(memory_limit),
	T(key_limit), T(places_in_a_larger_file))
