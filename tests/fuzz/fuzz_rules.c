/* Any bytes as a rules file: findings, or rules that an event can be held against and whose steps render. */
#include "fuzz.h"
#include "rule/ruleset.h"

static const char runbook[] = "# ---\n# summary: x\n# params: {path: {pattern: '^/'}, n: {type: int}}\n# ---\n";

static void render(const struct rule_match *m, struct arena *a, const struct event *ev)
{
	const struct rule *r = m->rule;
	struct rule_rendered_step *steps;
	struct err e;
	size_t n;

	if (rule_render(m, a, ev, &steps, &n, &e) < 0 ||
		rule_render_steps(m, r->resolve_steps, r->resolve_steps_n, a, ev, &steps, &e) < 0 ||
		rule_render_steps(m, r->failure_steps, r->failure_steps_n, a, ev, &steps, &e) < 0)
		FUZZ_MUST(e.text[0]);
}

static void use(struct ruleset *rs)
{
	struct kv labels[] = {{STR("alertname"), STR("DiskFull")}, {STR("instance"), STR("web-1:9100")}, {STR("path"), STR("/x")}};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = labels, .labels_n = 3};
	struct arena a;
	struct rule_match *m;
	struct rule_correlation c;
	struct rule_topology t;
	size_t n;

	arena_init(&a, FUZZ_MEMORY);
	if (ruleset_match(rs, &a, &ev, &m, &n) == 0)
		for (size_t i = 0; i < n; i++)
			if (!m[i].failed)
				render(&m[i], &a, &ev);
	(void)ruleset_correlate(rs, &a, &ev, &c);
	ev.fingerprint = STR("1");
	if (ruleset_topology(rs, &a, &ev, &t) == 0)
		FUZZ_MUST(t.n <= TOPOLOGY_KEYS_MAX);
	arena_release(&a);
}

/* Held against a line that has much of what a regex may ask for; what the prefilter leaves out does not match. */
static void use_patterns(struct ruleset *rs)
{
	static const char text[] = "Failed password for root from 192.0.2.1: error (disk) a b x 42\n";
	struct kv labels[] = {{STR("host"), STR("web-1")}, {STR("unit"), STR("ssh.service")}};
	const struct event line = {.source = STR("logs"), .labels = labels, .labels_n = 2};
	const struct str message = {text, sizeof(text) - 1};
	struct matcher_scratch *scratch = matcher_scratch_new(10000);
	const uint32_t *v;
	size_t n = patterns_candidates(&rs->patterns, message, &v);
	struct arena a;
	struct err e = {0};

	arena_init(&a, FUZZ_MEMORY);
	for (size_t i = 0; scratch && i < rs->patterns.n; i++) {
		struct matcher_groups g = {0};
		struct event out;
		bool is_candidate = false;
		enum pattern_verdict verdict = pattern_try(&rs->patterns.v[i], scratch, &a, &line, message, &g, &e);
		for (size_t k = 0; k < n; k++)
			is_candidate |= v[k] == i;
		FUZZ_MUST(is_candidate || verdict == PATTERN_NOT || verdict == PATTERN_FAILED);
		if (verdict == PATTERN_MATCHED || verdict == PATTERN_RESOLVES)
			(void)pattern_event(&rs->patterns.v[i], verdict == PATTERN_RESOLVES, &g, &a, &line, message, &out, &e);
	}
	matcher_scratch_free(scratch);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diags d;
	struct ruleset_file rules = {"fuzz.yml", {(const char *)data, size}};
	struct ruleset_file book = {"disk-usage.sh", {runbook, sizeof(runbook) - 1}};
	struct conf conf = {.limits.match_limit = 10000};
	struct ruleset_input in = {&rules, 1, &book, 1, &conf};

	diags_init(&d);
	struct ruleset *rs = ruleset_build(&in, &d);
	FUZZ_MUST((rs != NULL) == (d.errors == 0));
	if (rs) {
		use(rs);
		use_patterns(rs);
		ruleset_check(rs, &d);
		FUZZ_MUST(d.errors == 0);
	}
	ruleset_unref(rs);
	diags_release(&d);
	return 0;
}
