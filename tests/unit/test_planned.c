/* Facts: which maintenance windows and inhibit rules an event belongs to. */
#include "unit.h"
#include "rule/ruleset.h"

static struct arena arena;
static struct diags diags;
static struct conf *conf;

static struct ruleset *rules_of(const char *yaml)
{
	struct ruleset_input in = {0};

	diags_init(&diags);
	arena_init(&arena, 16 << 20);
	conf = conf_parse(str_of(yaml), "f.yml", "/etc/rb", &diags);
	assert_findings(&diags, "");
	in.conf = conf;
	return ruleset_build(&in, &diags);
}

static void done(struct ruleset *rs)
{
	ruleset_unref(rs);
	conf_free(conf);
	diags_release(&diags);
	arena_release(&arena);
}

static struct str facts_of(
	const struct ruleset *rs, struct kv *labels, size_t n, enum event_status status)
{
	struct event ev = {.source = STR("am"),
		.type = STR("alert"),
		.status = status,
		.summary = STR("a\nb"),
		.fingerprint = status == EVENT_INFO ? STR_NONE : STR("00000000000000aa"),
		.labels = labels,
		.labels_n = n};
	struct str out;

	assert_int_equal(ruleset_facts(rs, &arena, &ev, &out), 0);
	return out;
}

#define LABELS(...)                                                                                \
	(struct kv[]){__VA_ARGS__}, sizeof((struct kv[]){__VA_ARGS__}) / sizeof(struct kv)

static void windows(void **state)
{
	struct ruleset *rs = rules_of("maintenance:\n"
				      "  - {name: one, match: [a =~ \"x.*\", b = y], from: "
				      "2026-12-01T20:00:00Z, until: 2026-12-01T21:00:00Z}\n"
				      "  - {name: all, days: [sun], at: '01:30', for: 1h}\n");

	(void)state;
	assert_non_null(rs);
	assert_str(facts_of(rs, LABELS({STR("a"), STR("x1")}, {STR("b"), STR("y")}), EVENT_FIRING),
		"m 1796155200000 1796158800000 one\nw 64 5400000 3600000 all\n");
	assert_str(facts_of(rs, LABELS({STR("a"), STR("x1")}), EVENT_INFO),
		"w 64 5400000 3600000 all\n");
	done(rs);
}

static void inhibits(void **state)
{
	struct ruleset *rs =
		rules_of("inhibit:\n"
			 "  - {source_matchers: [severity = critical], target_matchers: [severity "
			 "=~ \"warning|critical\"], equal: [cluster, zone]}\n");
	char first[200];

	(void)state;
	assert_non_null(rs);
	struct str f = facts_of(rs,
		LABELS({STR("alertname"), STR("Down")}, {STR("cluster"), STR("eu")},
			{STR("severity"), STR("critical")}),
		EVENT_FIRING);
	snprintf(first, sizeof(first), "%.*s", STR_ARG(f));
	/* Both sides, and its name. */
	assert_int_equal(strncmp(first, "t ", 2), 0);
	char *set = strndup(first + 2, 45);
	assert_non_null(set);
	assert_int_equal(set[12], ':');
	char want[300];
	snprintf(want, sizeof(want), "t %s 1\ns %s 1 Down\n", set, set);
	assert_string_equal(first, want);
	/* A label that is not there is as an empty one; no alertname: the summary, in one line. */
	f = facts_of(rs,
		LABELS({STR("cluster"), STR("eu")}, {STR("severity"), STR("warning")},
			{STR("zone"), STR("")}),
		EVENT_RESOLVED);
	snprintf(want, sizeof(want), "t %s 0\n", set);
	assert_str(f, want);
	f = facts_of(rs, LABELS({STR("cluster"), STR("eu")}, {STR("severity"), STR("critical")}),
		EVENT_FIRING);
	assert_has(f, " 1 a b\n");
	/* Other values are another set, and what is no alert has no part in it. */
	f = facts_of(rs, LABELS({STR("cluster"), STR("us")}, {STR("severity"), STR("warning")}),
		EVENT_FIRING);
	assert_int_equal(f.n, strlen(want));
	assert_true(memcmp(f.p, want, f.n) != 0);
	assert_str(facts_of(rs, LABELS({STR("severity"), STR("critical")}), EVENT_INFO), "");
	free(set);
	done(rs);
}

static void they_are_part_of_the_hash(void **state)
{
	static const char *const texts[] = {"", "maintenance: [{name: a, at: '01:00', for: 1h}]\n",
		"maintenance: [{name: a, match: x = y, at: '01:00', for: 1h}]\n",
		"maintenance: [{name: a, at: '01:00', for: 2h}]\n",
		"inhibit: [{source_matchers: a = b, target_matchers: c = d}]\n",
		"inhibit: [{source_matchers: a = b, target_matchers: c = d, equal: [x]}]\n"};
	char hashes[6][HASH_SHA256_HEX];

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct ruleset *rs = rules_of(texts[i]);
		assert_non_null(rs);
		memcpy(hashes[i], rs->hash, sizeof(hashes[i]));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(hashes[i], hashes[k]);
		done(rs);
	}
}

static void errors_have_their_place(void **state)
{
	(void)state;
	assert_null(rules_of(
		"maintenance: [{name: a, match: 'x =~ \"(\"', at: '01:00', for: 1h}]\n"
		"inhibit: [{source_matchers: [a], target_matchers: b = c, equal: ['a.b']}]\n"));
	assert_int_equal(diags.errors, 3);
	assert_int_equal(diags.v[0].line, 1);
	assert_has(str_of(diags.v[0].text), "maintenance.match: ");
	assert_has(str_of(diags.v[1].text), "inhibit.source_matchers: ");
	assert_has(str_of(diags.v[2].text), "inhibit.equal: ");
	done(NULL);
}

TESTS_MAIN(cmocka_unit_test(windows), cmocka_unit_test(inhibits),
	cmocka_unit_test(they_are_part_of_the_hash), cmocka_unit_test(errors_have_their_place))
