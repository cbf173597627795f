/* Matchers: grammar, errors with their byte, meaning, groups, and bounds. */
#include "unit.h"
#include "rule/matcher.h"

static struct arena arena;
static struct matcher_scratch *scratch;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 64 << 20);
	scratch = matcher_scratch_new(1000000);
	return scratch ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	matcher_scratch_free(scratch);
	arena_release(&arena);
	return 0;
}

#define KV(name, value) {{name, sizeof(name) - 1}, {value, sizeof(value) - 1}}

static struct kv labels[] = {
	KV("a.b", "dotted"), KV("alertname", "HostOutOfDiskSpace"), KV("foo", "bar"),
	KV("lines", "one\ntwo"), KV("msg", "user root from 10.1.2.3"), KV("nul", "x\0y"),
	KV("path", "/var/log"), KV("quote", "say \"hi\""), KV("slash", "a\\b"),
	KV("\xc3\xa9t\xc3\xa9", "\xf0\x9f\x98\x80"),
};
static struct kv annotations[] = {KV("runbook_url", "https://x/"), KV("x.y", "1")};

static struct event sample(void)
{
	struct err e;
	struct event ev = {
		.source = STR("am"), .type = STR("alert"), .status = EVENT_FIRING, .severity = SEVERITY_CRITICAL,
		.summary = STR("disk full"), .labels = labels, .labels_n = sizeof(labels) / sizeof(labels[0]),
		.annotations = annotations, .annotations_n = 2,
	};
	ev.data = json_parse(&arena,
		STR("{\"a\":{\"b\":[{\"c\":\"deep\"}]},\"n\":1.50,\"t\":true,\"z\":null,\"o\":{\"k\":[1,\"x\"]},\"s\":\"\"}"), &e);
	return ev;
}

static struct matchers parse(struct str text)
{
	struct matchers m;
	struct err e = {0};

	if (matchers_parse(&arena, text, &m, &e) < 0)
		fail_msg("'%.*s': %s at %zu", STR_ARG(text), e.text, e.offset);
	return m;
}

static int eval_of(struct str text, const struct event *ev)
{
	struct matchers m = parse(text);
	struct err e;
	int rc = matchers_eval(&m, scratch, &arena, ev, NULL, &e);

	matchers_release(&m);
	return rc;
}

static int eval(const char *text)
{
	struct event ev = sample();

	return eval_of(str_of(text), &ev);
}

static void holds(const char *text)
{
	if (eval(text) != 1)
		fail_msg("does not hold: %s", text);
}

static void holds_not(const char *text)
{
	if (eval(text) != 0)
		fail_msg("holds: %s", text);
}

/* The forms that Alertmanager's documentation describes. */
static void grammar(void **state)
{
	static const char *const good[] = {
		"foo=bar", "foo = bar", "  foo\t=\n bar  ", "foo=\"bar\"", "\"foo\"=bar", "\"foo\" = \"bar\"",
		"{foo=bar}", "{ foo = \"bar\" , alertname =~ \"Host.*\" }", "foo=bar,alertname!=x", "foo=bar , ",
		"{foo=bar,}", "foo!=baz", "dings !=bums", "foo=~ba.", "foo=~\"ba.\"", "foo !~ \"x|y\"", "foo=~bar|baz",
		"absent=\"\"", "absent=", "absent=,foo=bar", "{absent=}", "absent=~", "foo!=", "foo!=\"\"", "{}", " { } ",
		"quote=\"say \\\"hi\\\"\"", "slash=\"a\\\\b\"", "slash=~\"a\\\\\\\\b\"", "lines=\"one\\ntwo\"",
		"lines=\"one\ntwo\"", "path=/var/log", "path=~/var/.+", "\"\xc3\xa9t\xc3\xa9\"=\"\xf0\x9f\x98\x80\"",
		"\xc3\xa9t\xc3\xa9=\xf0\x9f\x98\x80", "foo=~\"\\w+\"", "foo=~\"[a-z]{3}\"", "foo=\"bar\",foo=~\"b.*\",foo!~\"x.*\"",
		"msg=~\"user \\w+ from \\d+\\.\\d+\\.\\d+\\.\\d+\"", "alertname=~\"Host.*,|Host[^,]+\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		holds(good[i]);
}

static void errors(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
		const char *want;
	} cases[] = {
		{"", 0, "no matcher here"},
		{"  ", 0, "'{}' matches every event"},
		{"foo", 3, "want one of = != =~ !~"},
		{"foo bar", 4, "want one of"},
		{"=bar", 0, "want a label or field"},
		{"foo=bar,,a=b", 8, "want a label or field"},
		{",foo=bar", 0, "want a label or field"},
		{"\"foo\"==bar", 6, "one '=' too many"},
		{"\"foo\"=~=bar", 7, "one '=' too many"},
		{"foo!bar", 3, "want one of"},
		{"foo~bar", 3, "want one of"},
		{"\"foo\"=bar baz", 10, "want a comma or the end"},
		{"foo!=a, \"b\"=x y", 14, "want a comma or the end"},
		{"foo=\"bar\" \"baz\"", 10, "want a comma or the end"},
		{"foo=\"bar", 4, "never closed"},
		{"foo=\"bar\\\"", 4, "never closed"},
		{"\"foo=bar", 0, "never closed"},
		{"\"foo\"='bar'", 6, "only double quotes"},
		{"'foo'=bar", 0, "only double quotes"},
		{"\"foo\"=`bar`", 6, "only double quotes"},
		{"\"foo\"=a=b", 7, "needs double quotes"},
		{"\"foo\"=~a{2}", 8, "needs double quotes"},
		{"\"foo\"=~\\d+", 7, "needs double quotes"},
		{"{\"foo\"=bar", 10, "never closed"},
		{"\"foo\"=bar}", 9, "closes nothing"},
		{"{\"foo\"=bar} x", 12, "nothing may follow"},
		{"{{foo=bar}}", 1, "want a label or field"},
		{"\"\"=x", 0, "missing"},
		{"\"foo\"=", 6, "the empty one is \"\""},
		{"\"foo\"=,a=b", 6, "the empty one is \"\""},
		{"\"a\"=~\"web-\\d+\"", 10, "'\\d' is no escape here; write \\\\ for a backslash"},
		{"\"a\"=\"x\ny\"", 6, "written \\n"},
		{"\"a\"=\"\\xff\"", 5, "not UTF-8"},
		{"  foo", 5, "want one of"},
		{"\"a\"=~\"\\u0041(\"", 13, "bad regex 'A(' at character 3"},
		{"foo=bar\xff", 7, "not UTF-8"},
		{"foo=~\"a(b\"", 9, "bad regex 'a(b' at character 4: missing closing parenthesis"},
		{"foo=~\"*a\"", 6, "bad regex '*a' at character 1: quantifier does not follow"},
		{"foo=~\"a\\\\\\\\\\\"[b\"", 15, "missing terminating ]"},
		{"x=1, foo=~(", 11, "bad regex"},
		{"foo=~\"\\C\"", 8, "bad regex"},
		{"event.nonsense=x", 0, "there is no 'event.nonsense'; known are"},
		{"a=b,event.sourc=x", 4, "did you mean 'event.source'"},
		{"annotations.=x", 0, "lacks the annotation's name"},
		{"data.=x", 0, "empty"},
		{"data.a..b=x", 0, "empty"},
		{"data.a.=x", 0, "empty"},
		{"a.b=dotted", 0, "write \"a.b\" in double quotes"},
		{"labels.foo=x", 0, "without 'labels.': 'foo'"},
		{"annotation.x=y", 0, "did you mean 'annotations."},
	};
	struct matchers m;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (matchers_parse(&arena, str_of(cases[i].text), &m, &e) == 0)
			fail_msg("taken: %s", cases[i].text);
		assert_int_equal(e.code, ERR_INPUT);
		assert_has(str_of(e.text), cases[i].want);
		if (e.offset != cases[i].offset)
			fail_msg("%s: offset %zu, not %zu (%s)", cases[i].text, e.offset, cases[i].offset, e.text);
		assert_int_equal(m.n, 0);
	}
}

static void limits(void **state)
{
	struct buf b;
	struct matchers m;
	struct err e;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	for (int i = 0; i < MATCHER_LIMIT; i++)
		buf_puts(&b, "absent=\"\",");
	m = parse(buf_as_str(&b));
	assert_int_equal(m.n, MATCHER_LIMIT);
	matchers_release(&m);
	buf_puts(&b, "foo=bar");
	assert_int_equal(matchers_parse(&arena, buf_as_str(&b), &m, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);

	buf_clear(&b);
	buf_puts(&b, "foo=~\"(");
	while (b.n < MATCHER_REGEX_LIMIT + 6)
		buf_putc(&b, 'x');
	buf_puts(&b, ")\"");
	assert_int_equal(matchers_parse(&arena, buf_as_str(&b), &m, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "8192");

	buf_clear(&b);
	buf_puts(&b, "foo=~\"");
	for (int i = 0; i < MATCHER_GROUPS_LIMIT; i++)
		buf_puts(&b, "(b)?");
	struct str fits = arena_printf(&arena, "%sbar\"", b.p), many = arena_printf(&arena, "%s(b)?bar\"", b.p);
	m = parse(fits);
	matchers_release(&m);
	assert_int_equal(matchers_parse(&arena, many, &m, &e), -1);
	assert_has(str_of(e.text), "65 groups, at most 64");
	buf_release(&b);
}

static void meaning(void **state)
{
	(void)state;
	holds_not("foo=baz");
	holds_not("foo=ba");
	holds_not("foo=bar,alertname=x");
	holds_not("foo!=bar");
	holds_not("foo=\"\"");
	holds("absent!=x");
	holds("absent!~x");
	holds("absent=~\".*\"");
	holds_not("absent=~\".+\"");
	holds_not("absent!~\".*\"");
	/* Anchored at both ends, also with | and where the beginning matches. */
	holds_not("foo=~ba");
	holds_not("foo=~ar");
	holds_not("foo=~\"b|r\"");
	holds("foo=~\"b|bar\"");
	holds("foo=~\"b.|ba.\"");
	holds_not("foo=~\"^b\"");
	holds("foo=~\"^bar$\"");
	/* An alternation of words is compared, not matched: also the empty word. */
	holds("alertname=~\"NodeDown|HostOutOfDiskSpace\"");
	holds_not("alertname!~\"NodeDown|HostOutOfDiskSpace\"");
	holds("absent=~\"a|\"");
	holds_not("foo=~\"a|\"");
	/* The dot takes a line feed; $ is the very end. */
	holds("lines=~\"one.*\"");
	holds("lines=~\"one.two\"");
	holds_not("lines=~\"one$\"");
	holds_not("lines=~\"(?-s)one.*\"");
	holds("alertname=~\"(?i)hostoutofdiskspace\"");
	holds_not("alertname=~\"hostoutofdiskspace\"");
}

static void fields(void **state)
{
	(void)state;
	holds("event.source=am");
	holds("event.type=alert, event.status=firing, event.severity=critical, event.summary=\"disk full\"");
	holds("event.severity=~\"error|critical\"");
	holds("annotations.runbook_url=~\"https://.*\"");
	holds("annotations.x.y=1");
	holds("\"a.b\"=dotted");
	holds("\"event.source\"=\"\"");
	holds("data.a.b.0.c=deep");
	holds("data.a.b.1.c=\"\"");
	holds("data.n=1.50, data.t=true, data.z=\"\", data.absent=\"\", data.s=\"\"");
	holds("data.o=\"{\\\"k\\\":[1,\\\"x\\\"]}\"");
	holds("data.o=~\".*x.*\"");
	holds("event=\"\"");
	struct event bare = {.source = STR("s"), .type = STR("t"), .status = EVENT_INFO};
	assert_int_equal(eval_of(STR("data.a=\"\", annotations.x=\"\", foo=\"\", event.status=info"), &bare), 1);
}

/* Bytes that only data can hold. */
static void odd_values(void **state)
{
	struct kv odd[] = {KV("bad", "a\xff\xfe z"), KV("nul", "x\0y")};
	struct event ev = {.labels = odd, .labels_n = 2};

	(void)state;
	assert_int_equal(eval_of(STR("nul=\"x\0y\""), &ev), 1);
	assert_int_equal(eval_of(STR("nul=x"), &ev), 0);
	assert_int_equal(eval_of(STR("nul=~\"x.y\""), &ev), 1);
	assert_int_equal(eval_of(STR("nul=~\"x\""), &ev), 0);
	/* What is not UTF-8 is not matched by a regex, and does no harm. */
	assert_int_equal(eval_of(STR("bad=~\"a.*\""), &ev), 0);
	assert_int_equal(eval_of(STR("bad=~\"a\\xff.*\""), &ev), 0);
	assert_int_equal(eval_of(STR("bad!=a"), &ev), 1);
}

/* PCRE2 10.42 with JIT has some escapes match no character past ASCII. In a class of its own each is right, and what is no
 * such escape stays as it is. */
static void escapes_match_past_ascii(void **state)
{
	static const char *const whole[] = {"\\\\S+", "\\\\D+", "[\\\\S]+", "[^\\\\s]+", "(\\\\S)+", "(?<x>\\\\S)\\\\S", "\\\\S{2}", "\\\\S*?", "\\\\S++", "\\\\W+",
		"(?# [ )\\\\S+", "(?x) \\\\S+ # [", "(?i:\\\\S+)", "(?i-x:\\\\S+)", "[[:^space:]]+", "[[]?\\\\S+", "[]]?\\\\S+", "[^]]\\\\S", "[a\\\\]]?\\\\S+", "\\\\Q\\\\E\\\\S+",
		"[\\\\Q]\\\\E]?\\\\S+", "[[:digit:]]?\\\\S+", "\\\\[?\\\\S+", "(?:\\\\S|\\\\s)+", "[^[]\\\\S", "\\\\c[?\\\\S+"};
	struct kv value = KV("v", "\xc3\xa9\xf0\x9f\x98\x80");
	const struct event ev = {.labels = &value, .labels_n = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (eval_of(arena_printf(&arena, "v=~\"%s\"", whole[i]), &ev) != 1)
			fail_msg("does not match: %s", whole[i]);
	assert_int_equal(eval_of(STR("v=~\"\\\\Q\\\\S\\\\E+\""), &ev), 0);
	assert_int_equal(eval_of(STR("v=~\"[a\\\\W]x\""), &ev), 0);
	value = (struct kv)KV("v", "\\Sx");
	assert_int_equal(eval_of(STR("v=~\"\\\\Q\\\\S\\\\Ex\""), &ev), 1);
	value = (struct kv)KV("v", "a b");
	assert_int_equal(eval_of(STR("v=~\"\\\\S+\""), &ev), 0);
	assert_int_equal(eval_of(STR("v=~\"\\\\S\\\\W\\\\S\""), &ev), 1);
}

static void large_values(void **state)
{
	size_t n = 100 * 1024;
	char *p = test_malloc(n);
	struct kv big[] = {{STR("big"), {p, n}}};
	struct event ev = {.labels = big, .labels_n = 1};

	(void)state;
	memset(p, 'v', n);
	assert_int_equal(eval_of(STR("big=~\"v+\""), &ev), 1);
	assert_int_equal(eval_of(STR("big=~\"[a-z]*\""), &ev), 1);
	assert_int_equal(eval_of(STR("big=~\".*x.*\""), &ev), 0);
	test_free(p);
}

static void gives_up_within_bounds(void **state)
{
	char *p = test_malloc(40);
	struct kv evil[] = {{STR("x"), {p, 40}}};
	struct event ev = {.labels = evil, .labels_n = 1};
	struct matchers m = parse(STR("x=~\"(a+)+[bc]\"")), negative = parse(STR("foo=\"\", x!~\"(a+)+[bc]\""));
	struct matcher_scratch *small = matcher_scratch_new(1000);
	struct err e = {0};

	(void)state;
	memset(p, 'a', 40);
	assert_int_equal(matchers_eval(&m, small, &arena, &ev, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "'x=~\"(a+)+[bc]\"' gave up on a value of 40 bytes");
	assert_int_equal(matchers_eval(&negative, small, &arena, &ev, NULL, &e), -1);
	p[0] = 'b';
	ev.labels[0].value.n = 1;
	assert_int_equal(matchers_eval(&m, small, &arena, &ev, NULL, &e), 0);
	matcher_scratch_free(small);
	matchers_release(&m);
	matchers_release(&negative);
	test_free(p);
}

/* ---- groups ---- */

static struct matcher_groups groups_of(const char *text, struct matcher_groups g)
{
	struct event ev = sample();
	struct matchers m = parse(str_of(text));
	struct err e;

	assert_int_equal(matchers_eval(&m, scratch, &arena, &ev, &g, &e), 1);
	/* The names live in the compiled regex: keep them. */
	for (size_t i = 0; i < g.n; i++) {
		g.v[i].name = arena_strdup(&arena, g.v[i].name);
		g.v[i].value = arena_strdup(&arena, g.v[i].value);
	}
	matchers_release(&m);
	return g;
}

static void named_groups(void **state)
{
	struct matcher_groups none = {0}, g;

	(void)state;
	g = groups_of("msg=~\"user (?<user>\\w+) from (?P<ip>[0-9.]+)( port (?<port>\\d+))?\"", none);
	assert_int_equal(g.n, 2);
	assert_str(g.v[0].name, "ip");
	assert_str(g.v[0].value, "10.1.2.3");
	assert_str(g.v[1].name, "user");
	assert_str(g.v[1].value, "root");
	/* Several regexes; the first of a name wins; those of !~ do not count. */
	g = groups_of("foo=~\"(?<x>.).*\", path=~\"/(?<y>[^/]+)/(?<x>.*)\", alertname!~\"(?<z>Q).*\"", none);
	assert_int_equal(g.n, 2);
	assert_str(g.v[0].name, "x");
	assert_str(g.v[0].value, "b");
	assert_str(g.v[1].name, "y");
	assert_str(g.v[1].value, "var");
	/* Appends. */
	g = groups_of("slash=~\"(?<s>.).*\"", g);
	assert_int_equal(g.n, 3);
	assert_str(g.v[2].name, "s");
	assert_str(g.v[2].value, "a");
	assert_int_equal(groups_of("foo=~\"(b)ar\", alertname=HostOutOfDiskSpace", none).n, 0);
	/* One name for several groups, and one that matched nothing. */
	g = groups_of("foo=~\"(?J)(?<x>q)|(?<x>bar)\"", none);
	assert_int_equal(g.n, 1);
	assert_str(g.v[0].value, "bar");
	g = groups_of("foo=~\"bar(?<rest>.*)\"", none);
	assert_int_equal(g.n, 1);
	assert_str(g.v[0].value, "");
}

static void knows_its_groups(void **state)
{
	struct matchers m = parse(STR("foo=~\"(?<x>.).*\", a=~\"b|c\", b!~\"(?<no>.)\""));

	(void)state;
	assert_true(matchers_have_group(&m, STR("x")));
	assert_false(matchers_have_group(&m, STR("no")));
	assert_false(matchers_have_group(&m, STR("")));
	matchers_release(&m);
}

static void costs_no_memory_where_it_fails(void **state)
{
	static const char *const texts[] = {
		"foo=baz", "foo=~\"(?<x>b).*\", alertname=~\"No.*\"", "foo=~\"baz|qux\"", "data.a.b.0.c=~\"(?<x>.)shallow\"",
		"event.summary=~\"(?<x>.)isk empty\"",
	};
	struct event ev = sample();
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct matchers m = parse(str_of(texts[i]));
		struct matcher_groups g = {0};
		size_t used = arena.used;
		assert_int_equal(matchers_eval(&m, scratch, &arena, &ev, &g, &e), 0);
		assert_int_equal(arena.used, used);
		assert_int_equal(g.n, 0);
		matchers_release(&m);
	}
}

/* ---- the rest of the interface ---- */

static void first_failing(void **state)
{
	struct event ev = sample();
	struct matchers m = parse(STR("foo=bar, msg =~ \"user .*\", alertname = \"Other\", path=~\"x.*\""));
	struct str text, saw;

	(void)state;
	assert_int_equal(matchers_first_failing(&m, scratch, &arena, &ev, &text, &saw), 2);
	assert_str(text, "alertname = \"Other\"");
	assert_str(saw, "HostOutOfDiskSpace");
	matchers_release(&m);
	m = parse(STR("absent=x"));
	assert_int_equal(matchers_first_failing(&m, scratch, &arena, &ev, &text, &saw), 0);
	assert_str(saw, "");
	matchers_release(&m);
	m = parse(STR("{}"));
	assert_int_equal(matchers_first_failing(&m, scratch, &arena, &ev, &text, &saw), 0);
	assert_null(text.p);
}

static bool origin(const char *text)
{
	struct matchers m = parse(str_of(text));
	bool is = matchers_name_event_origin(&m);

	matchers_release(&m);
	return is;
}

static void names_the_origin(void **state)
{
	(void)state;
	assert_true(origin("event.source=runbookd"));
	assert_true(origin("foo=bar, event.type=~\"run_.*\""));
	assert_false(origin("foo=bar, event.status=firing"));
	assert_false(origin("\"event.type\"=x"));
	assert_false(origin("{}"));
}

static void joins(void **state)
{
	struct matchers a = parse(STR("foo=bar")), b = parse(STR("path=~\"/v.*\", msg=~\"u.*\"")), none = parse(STR("{}"));
	struct event ev = sample();
	struct err e;

	(void)state;
	assert_int_equal(matchers_join(&arena, &a, &b, &e), 0);
	assert_int_equal(a.n, 3);
	assert_int_equal(b.n, 0);
	assert_int_equal(matchers_join(&arena, &a, &none, &e), 0);
	assert_int_equal(matchers_eval(&a, scratch, &arena, &ev, NULL, &e), 1);
	matchers_release(&a);
	assert_int_equal(a.n, 0);
}

static void left_sides(void **state)
{
	static const struct {
		const char *text;
		enum field_kind kind;
		const char *name, *value;
	} good[] = {
		{"foo", FIELD_LABEL, "foo", "bar"},
		{" \"a.b\" ", FIELD_LABEL, "a.b", "dotted"},
		{"event.type", FIELD_EVENT, "type", "alert"},
		{"annotations.runbook_url", FIELD_ANNOTATION, "runbook_url", "https://x/"},
		{"data.a.b", FIELD_DATA, "a.b", "[{\"c\":\"deep\"}]"},
		{"absent", FIELD_LABEL, "absent", ""},
	};
	struct event ev = sample();
	struct field f;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(field_parse(&arena, str_of(good[i].text), &f, &e), 0);
		assert_int_equal(f.kind, good[i].kind);
		assert_str(f.name, good[i].name);
		assert_str(field_value(&arena, &f, &ev), good[i].value);
	}
	assert_str(f.text, "absent");
	assert_int_equal(field_parse(&arena, STR("\"a.b\""), &f, &e), 0);
	assert_str(f.text, "\"a.b\"");
	static const char *const bad[] = {"", " ", "a b", "a=b", "event.x", "data.", "a.b", "\"x", "\"\"", "'x'", "a,b", "\xff"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(field_parse(&arena, str_of(bad[i]), &f, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
	}
}

static void a_full_arena(void **state)
{
	struct arena small;
	struct matchers m;
	struct err e;

	(void)state;
	for (size_t limit = 0; limit < 2000; limit += 16) {
		arena_init(&small, limit);
		if (matchers_parse(&small, STR("foo=~\"ba.*\", \"a.b\"=\"d\", path=~\"x|y\""), &m, &e) == 0) {
			assert_int_equal(m.n, 3);
			matchers_release(&m);
		} else {
			assert_int_equal(e.code, ERR_NOMEM);
			assert_int_equal(m.n, 0);
		}
		arena_release(&small);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(grammar), TEST(errors), TEST(limits), TEST(meaning), TEST(fields), TEST(odd_values), TEST(escapes_match_past_ascii),
	TEST(large_values), TEST(gives_up_within_bounds), TEST(named_groups), TEST(knows_its_groups),
	TEST(costs_no_memory_where_it_fails), TEST(first_failing), TEST(names_the_origin), TEST(joins),
	TEST(left_sides), TEST(a_full_arena))
