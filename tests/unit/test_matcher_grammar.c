/* Alertmanager's grammar of matchers, case by case: what it takes, and as what, and what it refuses.
 *
 * The cases are those that its documentation and its own tests name, for the classic and the UTF-8 syntax and for
 * which of the two counts. Where this project takes less, the case says so with "ours".
 */
#include "unit.h"
#include "rule/matcher_impl.h"

static struct arena arena;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 16 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

/* "name=value;name!~value": as [name][op][value] one after the other, so that no value needs quotes. */
static struct str shown(const struct matchers *m)
{
	static const char *const ops[] = {
		[MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};
	struct str s = STR("");

	for (size_t i = 0; i < m->n; i++)
		s = arena_printf(&arena, "%.*s[%.*s]%s[%.*s]", STR_ARG(s), STR_ARG(m->v[i].field.name),
			ops[m->v[i].op], STR_ARG(m->v[i].value));
	return s;
}

struct grammar_case {
	const char *text;
	const char *want;	/* NULL: refused */
};

static void hold(const struct grammar_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct grammar_case *c = &cases[i];
		struct matchers m;
		struct err e = {0};
		bool taken = matchers_parse(&arena, str_of(c->text), &m, &e) == 0;
		if (taken && !c->want)
			fail_msg("taken: %s as %.*s", c->text, STR_ARG(shown(&m)));
		if (!taken && c->want)
			fail_msg("refused: %s: %s at %zu", c->text, e.text, e.offset);
		if (taken && !str_is(shown(&m), c->want))
			fail_msg("%s is %.*s, not %s", c->text, STR_ARG(shown(&m)), c->want);
		if (!taken && (!e.text[0] || e.offset > strlen(c->text)))
			fail_msg("%s: no text or a place outside: '%s' at %zu", c->text, e.text, e.offset);
		if (taken)
			for (size_t k = 0; k < m.n; k++)
				assert_int_equal(m.v[k].field.kind, FIELD_LABEL);
		matchers_release(&m);
	}
}

#define HOLD(cases) hold(cases, sizeof(cases) / sizeof(cases[0]))

/* Taken by both syntaxes, as the same. */
static void plain(void **state)
{
	static const struct grammar_case cases[] = {
		{"foo=bar", "[foo]=[bar]"},
		{"{foo=bar}", "[foo]=[bar]"},
		{"{foo=bar,}", "[foo]=[bar]"},
		{"foo=bar,", "[foo]=[bar]"},
		{"foo = bar", "[foo]=[bar]"},
		{"dings !=bums", "[dings]!=[bums]"},
		{"foo!=bar", "[foo]!=[bar]"},
		{"foo=~[a-z]+", "[foo]=~[[a-z]+]"},
		{"{foo!~[a-z]+}", "[foo]!~[[a-z]+]"},
		{"foo=~bar.*", "[foo]=~[bar.*]"},
		{"{foo=\"\"}", "[foo]=[]"},
		{"foo=\"bar,baz\"", "[foo]=[bar,baz]"},
		{"{foo=bar,bar!=baz}", "[foo]=[bar][bar]!=[baz]"},
		{"foo=bar,dings!=bums", "[foo]=[bar][dings]!=[bums]"},
		{"foo=bar, dings!=bums", "[foo]=[bar][dings]!=[bums]"},
		{"{foo = \"bar\", dings != \"bums\", }", "[foo]=[bar][dings]!=[bums]"},
		{"{ foo = bar , bar != baz , }", "[foo]=[bar][bar]!=[baz]"},
		{"{foo=\"bar,quux\", job=\"job1\"}", "[foo]=[bar,quux][job]=[job1]"},
		{"{foo=\"bar\",baz!~\".*quux\", derp=\"wat\"}", "[foo]=[bar][baz]!~[.*quux][derp]=[wat]"},
		{"statuscode=~\"5..\"", "[statuscode]=~[5..]"},
		{"{quote=\"She said: \\\"Hi, ladies! That's gender-neutral…\\\"\"}",
			"[quote]=[She said: \"Hi, ladies! That's gender-neutral…\"]"},
		{"{quote=~\"She said: \\\"Hi, all!( How're you…)?\\\"\"}",
			"[quote]=~[She said: \"Hi, all!( How're you…)?\"]"},
		{"contains_quote != \"\\\"\" , contains_comma !~ \"foo,bar\" , ",
			"[contains_quote]!=[\"][contains_comma]!~[foo,bar]"},
		{"foo=\"a\\\\b\"", "[foo]=[a\\b]"},
		{"foo=\"a\\nb\"", "[foo]=[a\nb]"},
		{"foo=\"{}!=~,'`\"", "[foo]=[{}!=~,'`]"},
		{"foo=🙂bar", "[foo]=[🙂bar]"},
		{"foo=\"🙂\"", "[foo]=[🙂]"},
		{"foo\t=\n bar", "[foo]=[bar]"},
		{"foo_1:x=y", "[foo_1:x]=[y]"},
		{"foo=a.b-c/d:e", "[foo]=[a.b-c/d:e]"},
	};

	(void)state;
	HOLD(cases);
}

/* Only the UTF-8 syntax takes these: names, and Go's escapes. */
static void utf8(void **state)
{
	static const struct grammar_case cases[] = {
		{"{}", ""},
		{" { } ", ""},
		{"{\"foo\"=\"bar\"}", "[foo]=[bar]"},
		{"\"foo\"=\"bar\",", "[foo]=[bar]"},
		{"{\"foo\"!=\"bar\"}", "[foo]!=[bar]"},
		{"\"foo\"=~\"[a-z]+\"", "[foo]=~[[a-z]+]"},
		{"\"foo\"!~bar", "[foo]!~[bar]"},
		{"foo🙂=bar", "[foo🙂]=[bar]"},
		{"{foo🙂=bar,bar=baz🙂}", "[foo🙂]=[bar][bar]=[baz🙂]"},
		{"Προμηθεύς=Ζεύς", "[Προμηθεύς]=[Ζεύς]"},
		{"{name-with-dashes = \"bar\"}", "[name-with-dashes]=[bar]"},
		{"0foo=bar", "[0foo]=[bar]"},
		{"a/b@c=d", "[a/b@c]=[d]"},
		{"\"foo!\"=\"x\"", "[foo!]=[x]"},
		{"\"a b\"=c", "[a b]=[c]"},
		{"\"a.b\"=c, d=e", "[a.b]=[c][d]=[e]"},
		{"\"kubernetes.io/name\" = \"web\"", "[kubernetes.io/name]=[web]"},
		{"\"\\\"q\\\"\"=x", "[\"q\"]=[x]"},
		{"{\"foo\"=\"\\xf0\\x9f\\x99\\x82\"}", "[foo]=[🙂]"},
		{"{\"foo\"=\"\\U0001f642\"}", "[foo]=[🙂]"},
		{"\"foo\"=\"\\u00e9\\u20ac\"", "[foo]=[é€]"},
		{"\"foo\"=\"\\101\\x42\"", "[foo]=[AB]"},
		{"{\"foo\"=\"bar\\n\"}", "[foo]=[bar\n]"},
		{"{\"foo\"=\"bar\\t\"}", "[foo]=[bar\t]"},
		{"{\"foo\"=\"\\\"bar\\\"\"}", "[foo]=[\"bar\"]"},
		{"{\"foo\"=\"bar\\\\\"}", "[foo]=[bar\\]"},
		{"\"foo\"=\"\\a\\b\\f\\r\\v\"", "[foo]=[\a\b\f\r\v]"},
		{"\"foo\"=~\"web-\\\\d+\"", "[foo]=~[web-\\d+]"},
		{"foo\xc2\xa0=\xe3\x80\x80""bar", "[foo]=[bar]"},
	};

	(void)state;
	HOLD(cases);
}

/* Only the classic syntax takes these, or it takes them as something else: it counts. */
static void classic(void **state)
{
	static const struct grammar_case cases[] = {
		{"foo=\"\\xf0\\x9f\\x99\\x82\"", "[foo]=[\\xf0\\x9f\\x99\\x82]"},
		{"foo=\"bar\\t\"", "[foo]=[bar\\t]"},
		{"foo=~\"\\d+\\.\\w\"", "[foo]=~[\\d+\\.\\w]"},
		{"foo=~\"\\bfoo\\b\"", "[foo]=~[\\bfoo\\b]"},
		{"foo=\"bar\\w\"", "[foo]=[bar\\w]"},
		{"foo=!bar\\n", "[foo]=[!bar\n]"},
		{"{foo=!bar,bar=$baz\\n}", "[foo]=[!bar][bar]=[$baz\n]"},
		{"{foo='}", "[foo]=[']"},
		{"{foo=`}", "[foo]=[`]"},
		{"foo='bar'", "[foo]=['bar']"},
		{"{foo=\\n}", "[foo]=[\n]"},
		{"{foo=bar\\t}", "[foo]=[bar\\t]"},
		{"{foo=bar\\}", "[foo]=[bar\\]"},
		{"{foo=bar\\\\}", "[foo]=[bar\\]"},
		{"{foo=\\\"}", "[foo]=[\"]"},
		{"{foo=bar\\\"}", "[foo]=[bar\"]"},
		{"tricky=~~~", "[tricky]=~[~~]"},
		{"trickier==\\\\=\\=\\\"", "[trickier]=[=\\=\\=\"]"},
		{"foo==bar", "[foo]=[=bar]"},
		{"foo=bar baz", "[foo]=[bar baz]"},
		{"foo=bar baz=1", "[foo]=[bar baz=1]"},
		{"foo=a=b", "[foo]=[a=b]"},
		{"foo=~a{2}", "[foo]=~[a{2]"},
		{"{foo=~a{2}}", "[foo]=~[a{2}]"},
		{"foo=~\\d+", "[foo]=~[\\d+]"},
		{"{foo=bar}}", "[foo]=[bar}]"},
		{"{foo=bar}},}", "[foo]=[bar}}]"},
		{"{foo=,bar=}}", "[foo]=[][bar]=[}]"},
		{"job=", "[job]=[]"},
		{"job=~", "[job]=~[]"},
		{"absent=,foo=bar", "[absent]=[][foo]=[bar]"},
		{"{foo=", "[foo]=[]"},
		{"{foo=}b", "[foo]=[}b]"},
		{"foo=bar}", "[foo]=[bar]"},
		{"{foo=bar", "[foo]=[bar]"},
		{"foo=\"a\nb\"", "[foo]=[a\nb]"},
		{"foo=\"a\\,\" , b=c", NULL}, /* the comma leaves the backslash open: the quote is never closed */
		{"foo=bar\v", "[foo]=[bar]"},
		{"{foo=bar\v}", "[foo]=[bar]"},
		{"{foo=bar\v,a=b}", "[foo]=[bar\v][a]=[b]"},
	};

	(void)state;
	HOLD(cases);
}

static void refused(void **state)
{
	static const struct grammar_case cases[] = {
		{",", NULL},
		{"{,}", NULL},
		{"foo", NULL},
		{"foo!bar", NULL},
		{"{foo!bar}", NULL},
		{"foo~bar", NULL},
		{"foo=bar,,a=b", NULL},
		{",foo=bar", NULL},
		{"=bar", NULL},
		{"{foo=:\"bar\"}", NULL},
		{"\"foo\"=\"bar\\w\"", NULL},
		{"\"foo\"=bar\\n", NULL},
		{"{\"foo\"=\"\\xf0\\x9f\"}", NULL},
		{"\"foo\"=\"\\ud800\"", NULL},
		{"\"foo\"=\"\\U00110000\"", NULL},
		{"\"foo\"=\"\\x4\"", NULL},
		{"\"foo\"=\"\\400\"", NULL},
		{"\"foo\"=\"a\nb\"", NULL},
		{"\"foo\"=", NULL},
		{"{\"foo\"=bar", NULL},
		{"\"foo\"=bar}", NULL},
		{"\"foo\"=bar baz", NULL},
		{"\"foo\"==bar", NULL},
		{"\"foo\"=\"bar\" \"baz\"", NULL},
		{"job=\"value", NULL},
		{"job=value\"", NULL},
		{"job=\"", NULL},
		{"trickier==\\\\=\\=\\\"\"", NULL},
		{"contains_unescaped_quote = foo\"bar", NULL},
		{"{foo=~\"invalid[regexp\"}", NULL},
		{"\"{foo=\\\"bar\"}", NULL},
		{"\"foo=\\\"bar\"", NULL},
		{"\"foo=\\\"bar\\\"\"", NULL},
		{"\"foo=\\\"bar\\\"", NULL},
		{"\"{foo=\\\"bar\\\"}\"", NULL},
		{"\"foo=\"bar\"\"", NULL},
		{"{{foo=", NULL},
		{"{{foo=bar}}", NULL},
		{"'foo'=bar", NULL},
		{"name-with-dashes = bar baz", NULL},
		{"foo=bar\xff", NULL},
	};

	(void)state;
	HOLD(cases);
}

/* What docs/rules.md names as different. */
static void ours(void **state)
{
	static const struct grammar_case cases[] = {
		{"", NULL},		/* would match every event */
		{"  ", NULL},
		{"{", NULL},
		{"}", NULL},
		{"\"\"=x", NULL},
		{"a.b=c", NULL},	/* no field, and a label needs quotes then */
		{"labels.a=c", NULL},
		{"{foo=bar}\n", "[foo]=[bar]"},	/* blanks round the whole do not count */
		{"  {foo=bar}", "[foo]=[bar]"},
		{"foo=~\"(?<x>a)\"", "[foo]=~[(?<x>a)]"},
		{"foo=~\"a(?=b).*\"", "[foo]=~[a(?=b).*]"},
	};

	(void)state;
	HOLD(cases);
}

/* A bare name is always a label, whatever a field is called; a field's values follow the classic syntax. */
static void names(void **state)
{
	static const struct {
		const char *text;
		enum field_kind kind;
		const char *name, *value;
	} cases[] = {
		{"event=x", FIELD_LABEL, "event", "x"},
		{"source=x", FIELD_LABEL, "source", "x"},
		{"severity=x", FIELD_LABEL, "severity", "x"},
		{"annotations=x", FIELD_LABEL, "annotations", "x"},
		{"data=x", FIELD_LABEL, "data", "x"},
		{"\"event.source\"=x", FIELD_LABEL, "event.source", "x"},
		{"\"data.a\"=x", FIELD_LABEL, "data.a", "x"},
		{"event.source=x", FIELD_EVENT, "source", "x"},
		{"event.summary=~\"disk \\d+\"", FIELD_EVENT, "summary", "disk \\d+"},
		{"annotations.a-b/c=x y", FIELD_ANNOTATION, "a-b/c", "x y"},
		{"annotations.é=x", FIELD_ANNOTATION, "é", "x"},
		{"data.a.b.0.c = \"x\"", FIELD_DATA, "a.b.0.c", "x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct matchers m;
		struct err e;
		if (matchers_parse(&arena, str_of(cases[i].text), &m, &e) < 0)
			fail_msg("%s: %s", cases[i].text, e.text);
		assert_int_equal(m.v[0].field.kind, cases[i].kind);
		assert_str(m.v[0].field.name, cases[i].name);
		assert_str(m.v[0].value, cases[i].value);
		matchers_release(&m);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(plain), TEST(utf8), TEST(classic), TEST(refused), TEST(ours), TEST(names))
