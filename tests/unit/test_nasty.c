/* Regexes that can take very long: what all of them may cost one event is bounded, in steps, and what
 * is not nasty still gets its answer. */
#include "unit.h"
#include "nasty.h"
#include "rule/ruleset.h"

#define BUDGET 150000
#define LIMIT 100000

static struct arena arena;
static struct diags diags;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 256 << 20);
	diags_init(&diags);
	return 0;
}

static int end(void **state)
{
	(void)state;
	diags_release(&diags);
	arena_release(&arena);
	return 0;
}

static struct matchers parse(const char *regex)
{
	struct matchers m;
	struct buf b;
	struct err e;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "x =~ \"");
	for (; *regex; regex++)
		buf_printf(&b, "%s%c", *regex == '"' || *regex == '\\' ? "\\" : "", *regex);
	buf_putc(&b, '"');
	if (matchers_parse(&arena, buf_as_str(&b), &m, &e) < 0)
		fail_msg("%.*s: %s", STR_ARG(buf_as_str(&b)), e.text);
	buf_release(&b);
	return m;
}

/* On values from short to a megabyte: an answer, or none, within the budget. */
static void each_alone(void **state)
{
	static const size_t sizes[] = {3, 30, 300, 5000, 80000, 500000};
	struct matcher_scratch *s = matcher_scratch_new(LIMIT);
	size_t gave_up = 0, answered = 0;

	(void)state;
	matcher_scratch_budget(s, BUDGET);
	for (size_t i = 0; i < NASTY_N; i++) {
		struct matchers m = parse(nasty[i].regex);
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			struct kv x = {STR("x"), nasty_value(&arena, &nasty[i], sizes[k])};
			struct event ev = {.labels = &x, .labels_n = 1};
			struct err e;
			matcher_scratch_begin(s);
			int rc = matchers_eval(&m, s, &arena, &ev, NULL, &e);
			assert_true(matcher_scratch_used(s) <= BUDGET);
			if (rc < 0)
				assert_int_equal(e.code, ERR_LIMIT);
			else
				assert_true(matcher_scratch_used(s) > sizes[k] / 16);
			gave_up += rc < 0;
			answered += rc >= 0;
		}
		matchers_release(&m);
		arena_reset(&arena);
	}
	matcher_scratch_free(s);
	assert_true(gave_up > NASTY_N && answered > NASTY_N);
}

/* Plain regexes on long values, as a log line or a JSON object may be. */
static void long_values_that_are_not_nasty(void **state)
{
	static const char *const regexes[] = {".*disk.*", ".*disk.*full.*", "[a-z ]*(error|disk).*", ".*disk", "(?i).*DISK.*"};
	struct matcher_scratch *s = matcher_scratch_new(LIMIT);
	struct kv x = {.name = STR("x")};
	struct event ev = {.labels = &x, .labels_n = 1};

	(void)state;
	matcher_scratch_budget(s, BUDGET);
	for (size_t i = 0; i < sizeof(regexes) / sizeof(regexes[0]); i++) {
		struct matchers m = parse(regexes[i]);
		struct err e;
		x.value = nasty_value(&arena, &(struct nasty){NULL, "all is well ", "disk is full"}, 2000);
		matcher_scratch_begin(s);
		assert_int_equal(matchers_eval(&m, s, &arena, &ev, NULL, &e), i != 3);
		x.value = nasty_value(&arena, &(struct nasty){NULL, "all is well ", "disk is full"}, 100000);
		matcher_scratch_begin(s);
		if (i < 2)
			assert_int_equal(matchers_eval(&m, s, &arena, &ev, NULL, &e), 1);
		matchers_release(&m);
	}
	matcher_scratch_free(s);
}

/* Words that may stand anywhere are looked for without PCRE2, and five hundred of them take their time, too. */
static void words_within_long_values(void **state)
{
	struct matchers many = parse(".*[ab][ab][ab][ab][ab][ab][ab][ab][ab]c.*"), one = parse(".*bc.*"), head = parse("aa.*");
	struct matcher_scratch *s = matcher_scratch_new(LIMIT);
	struct kv x = {STR("x"), nasty_value(&arena, &(struct nasty){NULL, "a", "b"}, 500000)};
	struct event ev = {.labels = &x, .labels_n = 1};
	struct err e;

	(void)state;
	matcher_scratch_budget(s, BUDGET);
	assert_int_equal(matchers_eval(&many, s, &arena, &ev, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "gave up on a value of 500001 bytes: the budget of the event is used up");
	assert_int_equal(matchers_eval(&one, s, &arena, &ev, NULL, &e), 0);
	assert_int_equal(matchers_eval(&head, s, &arena, &ev, NULL, &e), 1);
	assert_true(matcher_scratch_used(s) > 0 && matcher_scratch_used(s) <= BUDGET);
	struct str text, saw;
	assert_int_equal(matchers_first_failing(&many, s, &arena, &ev, &text, &saw), 1);
	for (int i = 0; i < 100; i++)
		if (matchers_eval(&one, s, &arena, &ev, NULL, &e) < 0)
			break;
	assert_int_equal(e.code, ERR_LIMIT);
	assert_true(matcher_scratch_used(s) <= BUDGET);
	/* A value as most are costs nothing. */
	x.value = STR("aaaaaaaac");
	matcher_scratch_begin(s);
	assert_int_equal(matchers_eval(&many, s, &arena, &ev, NULL, &e), 0);
	assert_int_equal(matcher_scratch_used(s), 0);
	matcher_scratch_free(s);
	matchers_release(&many);
	matchers_release(&one);
	matchers_release(&head);
}

static const char note[] = "# ---\n# summary: Note\n# kind: notify\n# ---\n";

static void put_rule(struct buf *b, const char *name, size_t number, const char *left, const char *regex)
{
	buf_printf(b, "  - {name: %s-%zu, steps: [{runbook: note}], match: '%s =~ \"", name, number, left);
	for (; *regex; regex++) {
		if (*regex == '"' || *regex == '\\')
			buf_putc(b, '\\');
		if (*regex == '\'')
			buf_putc(b, '\'');
		buf_putc(b, *regex);
	}
	buf_puts(b, "\"'}\n");
}

static struct ruleset *build(const struct buf *yaml, int64_t limit, int64_t budget)
{
	struct conf conf = {.path = STR("runbookd.yml"), .limits.match_limit = limit,
		.limits.match_budget = budget};
	struct ruleset_file file = {"a.yml", buf_as_str(yaml)}, book = {"note.sh", {note, sizeof(note) - 1}};
	struct ruleset_input in = {&file, 1, &book, 1, &conf};
	struct ruleset *rs = ruleset_build(&in, &diags);

	if (!rs)
		assert_findings(&diags, "");
	return rs;
}

static size_t count(const struct rule_match *m, size_t n, const char *name, bool failed, const char *reason)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += str_starts(m[i].rule->name, str_of(name)) && m[i].failed == failed &&
			 (!failed || memmem(m[i].reason.p, m[i].reason.n, reason, strlen(reason)));
	return found;
}

/* Four hundred nasty rules before the good ones: these get their answers all the same. */
static void many_at_once(void **state)
{
	static const char nasties[][20] = {"(a+)+b", "(a|aa)+b", "(.*a){12}b", "a*a*a*a*a*b"};
	struct kv labels[] = {{STR("x"), nasty_value(&arena, &nasty[0], 60)}, {STR("y"), STR("web-12")}};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = labels, .labels_n = 2};
	struct rule_match *m;
	struct buf yaml;
	size_t n;

	(void)state;
	buf_init(&yaml, BUF_NO_LIMIT);
	buf_puts(&yaml, "rules:\n");
	for (size_t i = 0; i < 400; i++)
		put_rule(&yaml, "nasty", i, "x", nasties[i % 4]);
	for (size_t i = 0; i < 500; i++)
		put_rule(&yaml, "good", i, "y", i % 2 ? "[a-z]+-\\d+" : "[a-z]+-[3-9]+");
	struct ruleset *rs = build(&yaml, LIMIT, BUDGET);
	assert_int_equal(ruleset_match(rs, &arena, &ev, &m, &n), 0);
	assert_true(matcher_scratch_used(rs->scratch) <= BUDGET);
	assert_int_equal(n, 650);
	assert_int_equal(count(m, n, "good", false, NULL), 250);
	assert_int_equal(count(m, n, "nasty", true, "gave up on a value of 62 bytes"), 400);
	assert_true(count(m, n, "nasty", true, "the budget of the event is used up "
					       "(limits.match_budget, 150000 steps)") > 350);
	/* The next event begins anew. */
	labels[0].value = STR("aab");
	assert_int_equal(ruleset_match(rs, &arena, &ev, &m, &n), 0);
	assert_int_equal(count(m, n, "nasty", true, ""), 0);
	ruleset_unref(rs);
	buf_release(&yaml);
}

/* Where even first tries use it up, the rest gives up, too, and says so. */
static void a_small_budget(void **state)
{
	struct kv label = {STR("x"), STR("web-12")};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = &label, .labels_n = 1};
	struct rule_match *m;
	struct buf yaml;
	size_t n;

	(void)state;
	buf_init(&yaml, BUF_NO_LIMIT);
	buf_puts(&yaml, "rules:\n");
	for (size_t i = 0; i < 300; i++)
		put_rule(&yaml, "good", i, "x", "[a-z]+-\\d+");
	struct ruleset *rs = build(&yaml, LIMIT, 1000);
	assert_int_equal(ruleset_match(rs, &arena, &ev, &m, &n), 0);
	assert_true(matcher_scratch_used(rs->scratch) <= 1000);
	assert_int_equal(count(m, n, "good", false, NULL) + count(m, n, "good", true, "match_budget"), 300);
	assert_true(count(m, n, "good", false, NULL) >= 200);
	assert_true(count(m, n, "good", true, "match_budget") > 0);
	ruleset_unref(rs);
	rs = build(&yaml, LIMIT, BUDGET);
	assert_int_equal(ruleset_match(rs, &arena, &ev, &m, &n), 0);
	assert_int_equal(count(m, n, "good", false, NULL), 300);
	ruleset_unref(rs);
	buf_release(&yaml);
}

/* One regex alone may not take more than limits.match_limit. */
static void the_limit_of_one(void **state)
{
	struct kv label = {STR("x"), nasty_value(&arena, &nasty[0], 60)};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = &label, .labels_n = 1};
	struct rule_match *m;
	struct buf yaml;
	size_t n;

	(void)state;
	buf_init(&yaml, BUF_NO_LIMIT);
	buf_puts(&yaml, "rules:\n");
	put_rule(&yaml, "nasty", 0, "x", "(a+)+b");
	struct ruleset *rs = build(&yaml, 1000, BUDGET);
	assert_int_equal(ruleset_match(rs, &arena, &ev, &m, &n), 0);
	assert_int_equal(count(m, n, "nasty", true, "match limit exceeded"), 1);
	assert_true(matcher_scratch_used(rs->scratch) < 3000);
	ruleset_unref(rs);
	buf_release(&yaml);
}

TESTS_MAIN(cmocka_unit_test_setup_teardown(each_alone, begin, end),
	cmocka_unit_test_setup_teardown(long_values_that_are_not_nasty, begin, end),
	cmocka_unit_test_setup_teardown(words_within_long_values, begin, end),
	cmocka_unit_test_setup_teardown(many_at_once, begin, end),
	cmocka_unit_test_setup_teardown(a_small_budget, begin, end),
	cmocka_unit_test_setup_teardown(the_limit_of_one, begin, end))
