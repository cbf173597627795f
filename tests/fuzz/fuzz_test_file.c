/* Any bytes as a file of rule tests: findings, or tests whose names can be held against rules. */
#include "fuzz.h"
#include "trial/test_file.h"

static const char runbook[] =
	"# ---\n# summary: x\n# params: {path: {pattern: '^/'}, n: {type: int}}\n# ---\n";
static const char rules[] =
	"rules:\n  - name: disk\n    match: '{}'\n    steps: [{runbook: look}]\n";

static void check_values(const struct test_file *f)
{
	for (size_t i = 0; i < f->tests_n; i++) {
		const struct rule_test *t = &f->tests[i];

		FUZZ_MUST(t->name.n && t->events_n <= TEST_EVENTS_LIMIT &&
			  t->expect_n <= TEST_EVENTS_LIMIT);
		FUZZ_MUST(t->expect_n || t->expect_none_n || t->exact || t->has_exact);
		for (size_t k = 0; k < t->events_n; k++)
			FUZZ_MUST(t->events[k].has_at && t->events[k].at_ms >= 0 &&
				  t->events[k].place.line > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ruleset *rs;
	struct diags d;
	struct arena a;

	diags_init(&d);
	if (!rs) {
		struct ruleset_file file = {"r.yml", {rules, sizeof(rules) - 1}};
		struct ruleset_file book = {"look.sh", {runbook, sizeof(runbook) - 1}};
		struct conf conf = {.limits.match_limit = 10000};
		struct ruleset_input in = {&file, 1, &book, 1, &conf};

		rs = ruleset_build(&in, &d);
		FUZZ_MUST(rs);
	}
	arena_init(&a, FUZZ_MEMORY);
	struct test_file *f =
		test_file_parse(&a, (struct str){(const char *)data, size}, "fuzz.test.yml", &d);
	FUZZ_MUST((f != NULL) == (d.errors == 0));
	if (f) {
		check_values(f);
		test_file_check(f, rs, &d);
	}
	arena_release(&a);
	diags_release(&d);
	return 0;
}
