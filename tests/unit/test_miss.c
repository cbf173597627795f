/* Why a rule does not want an event; and that this never contradicts what matches. */
#include "unit.h"

#include "rule/miss.h"

static const char look[] = "# ---\n# summary: Looks\n# kind: diagnose\n# ---\n";
static const char rules[] =
	"rules:\n"
	"  - {name: r0, match: 'alertname = Disk, mountpoint = \"/var/log\"', steps: [{runbook: look}]}\n"
	"  - {name: r1, match: ['alertname =~ \"Di.*\"', 'env != prod'], steps: [{runbook: look}]}\n"
	"  - {name: r2, match: 'alertname = Disk', any: ['env = dev, x = y', 'zone =~ \"a|b\"'], steps: [{runbook: look}]}\n"
	"  - {name: r3, match: 'alertname = Disk', when: resolved, steps: [{runbook: look}]}\n"
	"  - {name: r4, match: 'event.source = runbookd', when: any, steps: [{runbook: look}]}\n"
	"  - {name: r5, match: 'data.size.n = 17, annotations.x = \"\"', steps: [{runbook: look}]}\n"
	"  - {name: r6, match: 'absent = \"\", alertname !~ \"X.*\"', when: any, steps: [{runbook: look}]}\n"
	"  - {name: r7, match: 'alertname = Disk', any: ['env = prod', 'env = dev'], steps: [{runbook: look}]}\n";

struct fixture {
	struct arena a;
	struct conf conf;
	struct ruleset *rs;
};

static void setup(struct fixture *f, const char *text)
{
	struct ruleset_file file = {"r.yml", str_of(text)}, book = {"look.sh", str_of(look)};
	struct ruleset_input in = {&file, 1, &book, 1, &f->conf};
	struct diags d;

	*f = (struct fixture){.conf.limits = {.match_limit = 10000, .match_budget = 150000}};
	arena_init(&f->a, (size_t)64 << 20);
	diags_init(&d);
	f->rs = ruleset_build(&in, &d);
	assert_findings(&d, "");
	diags_release(&d);
}

static void teardown(struct fixture *f)
{
	ruleset_unref(f->rs);
	arena_release(&f->a);
}

static struct rule_miss miss(struct fixture *f, size_t rule, const struct event *ev)
{
	struct rule_miss m;

	assert_int_equal(rule_miss(f->rs, &f->rs->rules[rule], &f->a, ev, &m), 0);
	return m;
}

static void check(struct fixture *f, size_t rule, const struct event *ev, enum rule_miss_kind kind, size_t n,
	const char *matcher, const char *saw)
{
	struct rule_miss m = miss(f, rule, ev);

	assert_int_equal(m.kind, kind);
	assert_int_equal(m.n, n);
	if (n) {
		assert_str(m.failing[n - 1].matcher, matcher);
		assert_str(m.failing[n - 1].saw, saw);
	}
}

static void says_the_first_that_fails(void **state)
{
	struct kv labels[] = {{STR("alertname"), STR("Disk")}, {STR("env"), STR("prod")}, {STR("mountpoint"), STR("/")}};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = labels, .labels_n = 3};
	struct fixture f;
	struct err e;

	(void)state;
	setup(&f, rules);
	ev.data = json_parse(&f.a, STR("{\"size\":{\"n\":16}}"), &e);
	check(&f, 0, &ev, RULE_MISS_MATCH, 1, "mountpoint = \"/var/log\"", "/");
	check(&f, 1, &ev, RULE_MISS_MATCH, 1, "env != prod", "prod");
	check(&f, 2, &ev, RULE_MISS_ANY, 2, "zone =~ \"a|b\"", "");
	check(&f, 3, &ev, RULE_MISS_WHEN, 1, "when: resolved", "firing");
	check(&f, 4, &ev, RULE_MISS_MATCH, 1, "event.source = runbookd", "am");
	check(&f, 5, &ev, RULE_MISS_MATCH, 1, "data.size.n = 17", "16");
	check(&f, 6, &ev, RULE_MISS_NONE, 0, NULL, NULL);
	check(&f, 7, &ev, RULE_MISS_NONE, 0, NULL, NULL);
	assert_str(miss(&f, 2, &ev).failing[0].matcher, "env = dev");
	assert_str(miss(&f, 2, &ev).failing[0].saw, "prod");
	ev.source = STR("runbookd");
	check(&f, 0, &ev, RULE_MISS_OWN_EVENT, 1, "event.source != runbookd", "runbookd");
	check(&f, 4, &ev, RULE_MISS_NONE, 0, NULL, NULL);
	ev.status = EVENT_RESOLVED;
	check(&f, 4, &ev, RULE_MISS_NONE, 0, NULL, NULL);
	ev.source = STR("am");
	check(&f, 0, &ev, RULE_MISS_WHEN, 1, "when: firing", "resolved");
	teardown(&f);
}

/* Each rule either matches, or has something that fails. */
static void agrees_with_what_matches(void **state)
{
	static const char *const values[] = {"Disk", "prod", "dev", "/", "/var/log", "y", "a", "Xa"};
	static const char *const names[] = {"absent", "alertname", "env", "mountpoint", "x", "zone"};
	struct fixture f;
	uint32_t seed = 1;

	(void)state;
	setup(&f, rules);
	for (int i = 0; i < 5000; i++) {
		struct kv labels[6];
		struct event ev = {.source = i % 5 ? STR("am") : STR("runbookd"), .type = STR("alert"),
			.status = (enum event_status)(i % 3), .labels = labels};
		struct rule_match *m;
		size_t n, at = 0;

		for (size_t k = 0; k < 6; k++) {
			seed = seed * 1664525 + 1013904223;
			if (seed >> 30)
				labels[ev.labels_n++] = (struct kv){str_of(names[k]), str_of(values[seed >> 16 & 7])};
		}
		assert_int_equal(ruleset_match(f.rs, &f.a, &ev, &m, &n), 0);
		for (size_t r = 0; r < f.rs->rules_n; r++) {
			bool matches = at < n && m[at].rule == &f.rs->rules[r];

			assert_int_equal(miss(&f, r, &ev).kind == RULE_MISS_NONE, matches);
			at += matches;
		}
		arena_reset(&f.a);
	}
	teardown(&f);
}

static void what_gives_up_has_not_failed(void **state)
{
	static const char nasty[] = "rules:\n"
				    "  - {name: n, match: 'a =~ \"(x+x+)+[yw]\", b = \"1\"', steps: [{runbook: look}]}\n";
	struct kv labels[] = {{STR("a"), STR("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxz")}, {STR("b"), STR("2")}};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = labels, .labels_n = 2};
	struct fixture f;

	(void)state;
	setup(&f, nasty);
	check(&f, 0, &ev, RULE_MISS_MATCH, 1, "b = \"1\"", "2");
	labels[1].value = STR("1");
	check(&f, 0, &ev, RULE_MISS_NONE, 0, NULL, NULL);
	teardown(&f);
}

/* An object of data is written anew for each rule, a long value looked through: both take from the budget. */
static void what_costs_too_much_has_not_failed(void **state)
{
	static const char costly[] = "rules:\n"
				     "  - {name: r0, match: 'data.o = \"1\"', steps: [{runbook: look}]}\n"
				     "  - {name: r1, match: 'long =~ \".*none.*\"', steps: [{runbook: look}]}\n"
				     "  - {name: r2, match: 'data.a.199999 = \"1\"', steps: [{runbook: look}]}\n"
				     "  - {name: r3, match: 'data.o =~ \".*none.*\", env = dev', steps: [{runbook: look}]}\n";
	static char text[1 << 20], json[sizeof(text) + 100];
	struct kv labels[] = {{STR("env"), STR("prod")}, {STR("long"), {text, sizeof(text)}}};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = labels, .labels_n = 2};
	struct fixture f;
	struct err e;

	(void)state;
	setup(&f, costly);
	memset(text, 'x', sizeof(text));
	snprintf(json, sizeof(json), "{\"o\":[\"%.*s\"],\"a\":[", 100000, text);
	for (size_t i = strlen(json), k = 0; k < 200000; k++, i += 2)
		memcpy(json + i, k < 199999 ? "0," : "0]}", k < 199999 ? 2 : 4);
	ev.data = json_parse(&f.a, str_of(json), &e);
	assert_non_null(ev.data);
	for (size_t r = 0; r < 4; r++) {
		int told = 0;

		matcher_scratch_begin(f.rs->scratch);
		while (told < 1000 && miss(&f, r, &ev).kind == RULE_MISS_MATCH)
			told++;
		assert_in_range(told, r == 3 ? 1000 : 1, r == 3 ? 1000 : 20);
	}
	teardown(&f);
}

TESTS_MAIN(cmocka_unit_test(says_the_first_that_fails), cmocka_unit_test(agrees_with_what_matches),
	cmocka_unit_test(what_gives_up_has_not_failed),
	cmocka_unit_test(what_costs_too_much_has_not_failed))
