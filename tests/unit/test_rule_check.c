/* What check warns of: rules that never match, values that are not what they look like, regexes that take very long,
 * rules twice; and what it does not warn of. */
#include "unit.h"
#include "rule/regex_walk.h"
#include "rule/ruleset.h"

static struct arena arena;
static struct diags diags;
static struct conf conf;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 16 << 20);
	diags_init(&diags);
	conf = (struct conf){.limits.match_limit = 1000000};
	return 0;
}

static int end(void **state)
{
	(void)state;
	diags_release(&diags);
	arena_release(&arena);
	return 0;
}

static void check(struct str yaml, struct str book)
{
	struct ruleset_file file = {"a.yml", yaml}, books[] = {{"one.sh", book}};
	struct ruleset_input in = {&file, 1, books, 1, &conf};

	diags_release(&diags);
	diags_init(&diags);
	struct ruleset *rs = ruleset_build(&in, &diags);
	if (!rs)
		fail_msg("%.*s: %s", STR_ARG(yaml), diags.v[0].text);
	ruleset_check(rs, &diags);
	assert_int_equal(diags.errors, 0);
	ruleset_unref(rs);
}

#define BOOK STR("# ---\n# summary: x\n# params: {p: {}}\n# ---\n")

/* The keys of one rule, besides its name and steps. */
static void check_keys(const char *keys)
{
	check(arena_printf(&arena, "rules:\n- name: r\n  steps: [{runbook: one}]\n  %s\n", keys), BOOK);
}

struct check_case {
	const char *keys;
	const char *want;	/* NULL: no warning */
};

static void hold(const struct check_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_keys(cases[i].keys);
		if (diags.n != (cases[i].want != NULL))
			fail_msg("%s: %zu warnings, the first: %s", cases[i].keys, diags.n,
				diags.n ? diags.v[0].text : "");
		if (cases[i].want) {
			assert_has(str_of(diags.v[0].text), cases[i].want);
			assert_int_equal(diags.v[0].line, 4);
			assert_true(diags.v[0].column > 1);
		}
	}
}

#define HOLD(cases) hold(cases, sizeof(cases) / sizeof(cases[0]))

static void never_matches(void **state)
{
	static const struct check_case cases[] = {
		{"match: 'a=x, a=y'", "rule 'r': it never matches: no value of 'a' passes 'a=x', 'a=y'"},
		{"match: [a=x, a=y]", "it never matches"},
		{"match: 'a=x, b=z, a!=x'", "passes 'a=x', 'a!=x'"},
		{"match: 'a=x, a=~\"y.*\"'", "it never matches"},
		{"match: 'a=x, a!~\"x|y\"'", "it never matches"},
		{"match: 'a=x, a!~\"x.*\"'", "it never matches"},
		{"match: 'a=\"\", a!=\"\"'", "it never matches"},
		{"match: 'a=\"\", a=~\".+\"'", "it never matches"},
		{"match: 'a!=\"\", a!~\".+\"'", "it never matches"},
		{"match: 'a!~\".*\"'", "it never matches"},
		{"match: 'a=~\"x|y\", a!=x, a!=y'", "it never matches"},
		{"match: 'a=~\"x|y\", a=~\"z|w\"'", "it never matches"},
		{"match: 'a=~\"(x|y)z\", a=~\"[0-9]+\"'", "it never matches"},
		{"match: 'a=~\"web-.*\", a=~\"db-[0-9]+\"'", "it never matches"},
		{"match: 'annotations.a=x, annotations.a=y'", "no value of 'annotations.a'"},
		{"match: 'data.a.b=x, data.a.b=y'", "no value of 'data.a.b'"},
		{"match: 'event.status=resolved'", "with 'when: firing', the default; there are firing and info"},
		{"match: 'event.status=firing'\n  when: resolved", "with 'when: resolved'"},
		{"match: 'event.status=gone'\n  when: any", "there are firing, info and resolved"},
		{"match: 'event.severity=page'", "there are critical, error, warning, info and unknown"},
		{"match: 'event.severity=~\"crit|fatal\"'", "it never matches"},
		{"match: 'a=x'\n  any: [a=y, a=z]", "it never matches"},
		{"any: ['a=x, a=y']", "it never matches"},
		{"match: 'a=x'\n  any: [a=y, b=z]", "a part of 'any' never holds: no value of 'a' passes 'a=x', 'a=y'"},
		{"match: 'a=x, b=x'", NULL},
		{"match: 'a=x, \"a\"=x'", NULL},
		{"match: 'a=x, annotations.a=y'", NULL},
		{"match: 'a!=x, a!=y'", NULL},
		{"match: 'a=\"\", a!=x, a=~\".*\"'", NULL},
		{"match: 'a!=\"\", a=~\".+\"'", NULL},
		{"match: 'a=~\"x|y\", a!=x'", NULL},
		{"match: 'a=~\"x|y\", a=~\"y|z\"'", NULL},
		{"match: 'a=~\"web-.*\", a=~\".*-1\"'", NULL},
		{"match: 'a=~\"web-.*\", a=~\"w.*\"'", NULL},
		{"match: 'a=~\"(?i)web-.*\", a=~\"WEB-.*\"'", NULL},
		{"match: 'event.status=resolved'\n  when: any", NULL},
		{"match: 'event.status!=info'", NULL},
		{"match: 'event.severity=~\"crit.*\"'", NULL},
		{"match: '\"event.severity\"=page'", NULL},
		{"match: 'a=x'\n  any: [a=x, b=z]", NULL},
		{"match: '{}'", NULL},
	};

	(void)state;
	HOLD(cases);
}

static void values(void **state)
{
	static const struct check_case cases[] = {
		{"match: 'a=b c'", "'a=b c' has the value 'b c'; put it into double quotes"},
		{"match: 'a==b'", "has the value '=b'"},
		{"any: ['a={b}c', 'b=d']", "has the value '{b}c'"},
		{"match: '\"a.b\"=~\"\\bfoo\"'", "holds the control character 0x08"},
		{"match: 'a=\"b c\"'", NULL},
		{"match: 'a='", NULL},
		{"match: 'a=~\"\\bfoo\"'", NULL},
		{"match: '\"a.b\"=~\"\\\\bfoo\"'", NULL},
	};

	(void)state;
	HOLD(cases);
}

static void slow_regexes(void **state)
{
	static const char *const slow[] = {
		"(a+)+b", "(a+)+", "(a*)*b", "(a|a)*b", "(a|aa)+", "(\\w|\\d)+x", "(.*,){11}P", "(x+x+)+y",
		"([a-zA-Z]+)*1", "foo: (\\d+)*\\.", "(.*)*z", "(?:a?)+b{2}(a+)*c", "^(([a-z])+.)+[A-Z]([a-z])+$",
		"([^/]+/?)*x", ".*.*.*.*.*=x", "(?<n>\\s*\\w+\\s*)+:", "(é+)+x", "(a{1,}){2,}b",
	};
	static const char *const fine[] = {
		"Host.*|Node.*", ".*disk.*full.*", "(\\w+\\s)*", "(?:[a-z]+-)*[a-z]+", "\\d+\\.\\d+\\.\\d+\\.\\d+",
		"(a+)++b", "(?>a+)+b", "[a-z]+[0-9]+", "web-[0-9]{1,3}(\\.example\\.(com|org))?", "(?i)disk.*",
		".*", "(a|b|c)+", "a{2,5}b{2,5}", "(?=.*x).*y", "\\Qa+\\E",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		check_keys(arena_printf(&arena, "match: 'a=~\"%s\"'", slow[i]).p);
		if (diags.n != 1)
			fail_msg("no warning: %s", slow[i]);
		assert_has(str_of(diags.v[0].text), "can take very long: a value such as");
		assert_int_equal(diags.v[0].line, 4);
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		check_keys(arena_printf(&arena, "match: 'a=~\"%s\"'", fine[i]).p);
		if (diags.n != 0)
			fail_msg("%s: %s", fine[i], diags.v[0].text);
	}
}

/* A regex is tried once, and every rule that has it hears of it, in the order of the rules. */
static void slow_twice(void **state)
{
	(void)state;
	check(STR("rules:\n- {name: x, match: 'a!~\"(a+)+b\"', steps: [{runbook: one}]}\n"
		  "- {name: y, any: ['b=c', 'c=~\"(a+)+b\"'], steps: [{runbook: one}]}\n"),
		BOOK);
	assert_int_equal(diags.n, 2);
	assert_has(str_of(diags.v[0].text), "rule 'x'");
	assert_has(str_of(diags.v[1].text), "rule 'y'");
}

static void slow_pattern(void **state)
{
	(void)state;
	check(STR(""), STR("# ---\n# summary: x\n# params: {p: {pattern: '^(a+)+b$'}, q: {pattern: '^a+$'}}\n# ---\n"));
	assert_int_equal(diags.n, 1);
	assert_string_equal(diags.v[0].file, "one.sh");
	assert_has(str_of(diags.v[0].text), "parameter 'p': its pattern '^(a+)+b$' can take very long");
}

/* Odd texts are read to their end, and quantifiers of quantifiers do not multiply the time. */
static void walks_anything(void **state)
{
	static const char *const odd[] = {"(?(1)a)+", "((?1)a)+", "[", "(", "a)", "(*VERB)a", "(?<n>a)\\k<n>+", "[^]a]*", "\\",
		"(?#c)a", "\\x{41}+\\p{L}*\\cA", "[[:alpha:]-\\d]+", "a{,3}{2", "(?P<n>x)|(?'m'y)", "", "|", "(|)*"};
	struct regex_pumps pumps;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		(void)regex_pumps(&arena, str_of(odd[i]), &pumps);
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "(a*|b)+");
	while (b.n < 2000)
		buf_puts(&b, "{3}");
	arena_reset(&arena);
	(void)regex_pumps(&arena, buf_as_str(&b), &pumps);
	buf_clear(&b);
	while (b.n < 2000)
		buf_putc(&b, '(');
	assert_false(regex_pumps(&arena, buf_as_str(&b), &pumps));
	buf_release(&b);
}

static void twins(void **state)
{
	(void)state;
	check(STR("rules:\n"
		  "- {name: first, match: 'a=x, b=~\"y.*\"', any: [c=d, e=f], steps: [{runbook: one, with: {p: x}}]}\n"
		  "- {name: second, match: ['b=~\"y.*\"', 'a = \"x\"'], any: [e=f, c=d], for: 1m, steps: [{runbook: one, with: {p: x}}]}\n"
		  "- {name: other-step, match: 'a=x, b=~\"y.*\"', any: [c=d, e=f], steps: [{runbook: one, with: {p: y}}]}\n"
		  "- {name: other-when, match: 'a=x, b=~\"y.*\"', any: [c=d, e=f], when: any, steps: [{runbook: one, with: {p: x}}]}\n"
		  "- {name: trial, match: 'a=x, b=~\"y.*\"', any: [c=d, e=f], mode: dry_run, steps: [{runbook: one, with: {p: x}}]}\n"
		  "- {name: more, match: 'a=x, b=~\"y.*\", c=d', any: [c=d, e=f], steps: [{runbook: one, with: {p: x}}]}\n"),
		BOOK);
	assert_findings(&diags, "a.yml:3:25: warning: rule 'second': it does what rule 'first' in a.yml:2 does: the same matchers and "
				"the same steps, so that each of its events runs them twice; remove one of them\n");
}

static void patterns(void **state)
{
	static const struct check_case cases[] = {
		{"match: 'Failed login from (?<ip>\\S+)'", NULL},
		{"match: 'Failed|Invalid'", NULL},
		{"match: '(?i)failed'", NULL},
		{"match: '\\d+.*\\d+'", "pattern 'p': no text is known that each line it takes must hold"},
		{"match: 'Failed|\\d'", "no text is known"},
		{"match: 'Failed'\n  resolve: {match: '\\d back'}", NULL},
		{"match: 'Failed'\n  resolve: {match: '\\d'}", "no text is known"},
		{"match: 'ab\\d'", "holds a certain text of 2 bytes"},
		{"match: 'word(a+)+y'", "its match can take very long"},
		{"match: 'word'\n  exclude: 'word(a+)+y'", "its exclude can take very long: a line such as 'wordaaa"},
		{"match: 'word'\n  resolve: {match: 'word (\\w+\\s?)+!'}", "its resolve.match can take very long"},
		{"match: '.'", "its match takes every line"},
		{"match: '.*'", "its match takes every line"},
		{"match: 'word'\n  exclude: '.*'", "it never fires: its exclude takes every line"},
		{"match: 'word'\n  exclude: word", "it never fires: its exclude"},
		{"match: 'word'\n  exclude: 'word b'", NULL},
		{"match: 'word'\n  resolve: {match: word}", "it never fires: its resolve.match takes"},
		{"match: 'word'\n  source: 'unit = a, unit = b'", "source of pattern 'p': it never matches: no value of 'unit' passes"},
		{"match: 'word'\n  source: 'unit =~ \"a|b\", unit = b, event.type = log, event.source = logs'", NULL},
		{"match: 'word'\n  source: 'event.type = alert'", "it never matches: a line has no type of its own, it is 'log'"},
		{"match: 'word'\n  source: 'event.severity =~ \"error|critical\"'", "a line has no severity of its own, it is 'unknown'"},
		{"match: 'word'\n  source: 'event.status != info'", "a line has no status of its own"},
		{"match: 'word'\n  source: 'unit = a b'", "source of pattern 'p': 'unit = a b' has the value 'a b'; put it into double quotes"},
		{"match: 'from (?<address>\\S+)'\n  threshold: {count: 2, within: 1m, by: [adress]}",
			"threshold.by has 'adress', which is no group of its match; did you mean 'address'?"},
		{"match: 'from (?<ip>\\S+)'\n  threshold: {count: 2, within: 1m, by: [hots]}", "did you mean 'host'?"},
		{"match: 'from (?<ip>\\S+)'\n  threshold: {count: 2, within: 1m, by: [ip, host, namespace]}", NULL},
		{"match: 'from (?<ip>\\S+)'\n  summary: '{{ match.user }}'", "its summary has match.user, which is no group"},
		{"match: 'from (?<address>\\S+)'\n  summary: '{{ labels.adress }}'", "its summary has labels.adress"},
		{"match: 'from (?<ip>\\S+)'\n  summary: '{{ labels.ip }} {{ match.ip }} {{ labels.region }} {{ labels.alertname }}'",
			NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check(arena_printf(&arena, "patterns:\n- name: p\n  %s\n", cases[i].keys), BOOK);
		if (diags.n != (cases[i].want != NULL))
			fail_msg("%s: %zu warnings, the first: %s", cases[i].keys, diags.n, diags.n ? diags.v[0].text : "");
		if (cases[i].want) {
			assert_has(str_of(diags.v[0].text), cases[i].want);
			assert_int_equal(diags.v[0].line, 3);
			assert_int_equal(diags.v[0].column, 10);
		}
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(never_matches), TEST(values), TEST(slow_regexes), TEST(slow_twice), TEST(slow_pattern), TEST(walks_anything),
	TEST(twins), TEST(patterns))
