/* Rulesets: findings, matching, steps filled in, incidents named, and the life of one. */
#include "unit.h"
#include <dirent.h>
#include "base/file.h"
#include "rule/ruleset.h"

static struct arena arena;
static struct diags diags;
static struct conf conf;
static struct ruleset *rules;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 64 << 20);
	diags_init(&diags);
	conf = (struct conf){.path = STR("runbookd.yml")};
	conf.limits.match_limit = 1000000;
	rules = NULL;
	return 0;
}

static int end(void **state)
{
	(void)state;
	ruleset_unref(rules);
	diags_release(&diags);
	arena_release(&arena);
	return 0;
}

/* ---- files ---- */

static const char disk_usage[] = "# ---\n# summary: What fills it\n# kind: diagnose\n"
				 "# params:\n#   path: {default: /, pattern: '^/'}\n# ---\n";
static const char rotate_logs[] = "# ---\n# summary: Rotate\n# timeout: 60s\n"
				  "# params:\n#   path: {required: true, pattern: '^/var/log(/|$)'}\n"
				  "#   days: {type: int, default: 7}\n# ---\n";
static const char page_oncall[] = "# ---\n# summary: Tell\n# kind: notify\n"
				  "# params:\n#   text: {required: true}\n#   to: {}\n# ---\n";

static struct ruleset_file books[] = {
	{"page-oncall.sh", {page_oncall, sizeof(page_oncall) - 1}},
	{"disk-usage.sh", {disk_usage, sizeof(disk_usage) - 1}},
	{"rotate-logs.sh", {rotate_logs, sizeof(rotate_logs) - 1}},
};

static struct ruleset *build_two(const char *one, const char *two)
{
	struct ruleset_file files[] = {{"a.yml", str_of(one)}, {"b.yml", str_of(two)}};
	struct ruleset_input in = {files, two ? 2 : 1, books, 3, &conf};

	return ruleset_build(&in, &diags);
}

static void build(const char *yaml)
{
	rules = build_two(yaml, NULL);
	if (!rules)
		assert_findings(&diags, "");
}

static struct str read_file(const char *path)
{
	struct buf b;
	struct err e;

	buf_init(&b, BUF_NO_LIMIT);
	if (file_read(path, &b, &e) < 0)
		fail_msg("%s", e.text);
	struct str s = arena_strdup(&arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

#define RULES GOLDEN_DIR "/rules/"

static void golden(const char *name)
{
	static const char *const names[] = {"disk-usage.sh", "page-oncall.py", "rotate-logs.sh", "broken.sh"};
	struct ruleset_file files[4], file = {name, read_file(arena_printf(&arena, RULES "%s", name).p)};
	struct diags d;
	/* Only one of the files names the runbook that is broken. */
	struct ruleset_input in = {&file, 1, files, strcmp(name, "broken-runbook.yml") == 0 ? 4 : 3, &conf};

	for (size_t i = 0; i < 4; i++)
		files[i] = (struct ruleset_file){
			names[i], read_file(arena_printf(&arena, RULES "runbooks/%s", names[i]).p)};
	diags_init(&d);
	assert_null(ruleset_build(&in, &d));
	assert_findings(&d, read_file(arena_printf(&arena, RULES "%s.findings", name).p).p);
	diags_release(&d);
}

static void golden_findings(void **state)
{
	DIR *dir = opendir(RULES);
	struct dirent *f;
	unsigned seen = 0;

	(void)state;
	assert_non_null(dir);
	while ((f = readdir(dir))) {
		char *dot = strrchr(f->d_name, '.');
		if (!dot || strcmp(dot, ".yml") != 0)
			continue;
		golden(f->d_name);
		seen++;
	}
	closedir(dir);
	assert_true(seen >= 9);
}

/* ---- reading ---- */

static void reads_a_rule(void **state)
{
	(void)state;
	build("rules:\n"
	      "  - name: log-disk-full\n"
	      "    description: Free the log volume\n"
	      "    match: ['alertname =~ \"Disk.*\"', mountpoint = /var/log]\n"
	      "    any: [team = ops, \"team = db, tier = 1\"]\n"
	      "    when: any\n"
	      "    cooldown: {every: 30m, by: [instance, annotations.x]}\n"
	      "    mode: dry_run\n"
	      "    steps:\n"
	      "      - runbook: disk-usage\n"
	      "      - {runbook: rotate-logs, with: {path: /var/log, days: 3}, timeout: 10s, pool: local, always: true}\n"
	      "      - {runbook: disk-usage, with: {path: \"{{ labels.mountpoint }}\"}}\n");
	const struct rule *r = &rules->rules[0];
	assert_str(r->name, "log-disk-full");
	assert_str(r->description, "Free the log volume");
	assert_str(r->file, "a.yml");
	assert_int_equal(r->line, 2);
	assert_str(r->source_yaml, "alertname =~ \"Disk.*\", mountpoint = /var/log, any(team = ops; team = db, tier = 1)");
	assert_int_equal(r->match.n, 2);
	assert_int_equal(r->any_n, 2);
	assert_int_equal(r->when, WHEN_ANY);
	assert_int_equal(r->cooldown_ms, 30 * 60 * 1000);
	assert_int_equal(r->cooldown_by_n, 2);
	assert_true(r->dry_run);
	assert_false(r->sees_own_events);
	assert_int_equal(r->steps_n, 3);
	assert_str(r->steps[0].name, "disk-usage");
	assert_null(r->steps[0].pool);
	assert_str(r->steps[1].name, "rotate-logs");
	assert_int_equal(r->steps[1].timeout_ms, 10000);
	assert_true(r->steps[1].always);
	assert_int_equal(r->steps[1].with_n, 2);
	assert_str(r->steps[2].name, "disk-usage-2");
	assert_ptr_equal(r->steps[2].runbook, ruleset_runbook(rules, STR("disk-usage")));
	assert_null(ruleset_runbook(rules, STR("disk")));
	assert_int_equal(rules->runbooks.n, 3);
	assert_str(rules->runbooks.v[0]->name, "disk-usage");
}

static void reads_guards(void **state)
{
	(void)state;
	build("rules:\n"
	      "  - name: all\n"
	      "    match: 'team =~ \"(?<who>.*)\"'\n"
	      "    for: 2m\n"
	      "    limits: {runs: {count: 5, per: 1h}, hosts: {count: 3, per: 1d}}\n"
	      "    on_resolve: {runbook: page-oncall, with: {text: \"over, {{ match.who }}\"}}\n"
	      "    on_flapping: skip\n"
	      "    approval: {expires: 1h}\n"
	      "    steps: [{runbook: disk-usage}, {runbook: page-oncall, with: {text: x}}]\n"
	      "    on_failure:\n"
	      "    - {runbook: page-oncall, with: {text: \"{{ steps.disk-usage.output }}\"}}\n"
	      "    - {runbook: page-oncall, with: {text: \"{{ steps.page-oncall-3.state }}\"}, always: true}\n"
	      "    slo: {objective: 99.5, within: 30s, window: 7d}\n"
	      "  - {name: none, match: team=ops, steps: [{runbook: disk-usage}]}\n"
	      "  - {name: words, match: team=ops, on_resolve: cancel, on_flapping: run, approval: required,\n"
	      "     slo: {objective: 90, within: 1h}, limits: {hosts: {count: 1, per: 1s}}, steps: [{runbook: disk-usage}]}\n"
	      "  - {name: said-none, match: team=ops, on_resolve: ignore, approval: none, on_failure: {runbook: disk-usage},\n"
	      "     steps: [{runbook: disk-usage}]}\n");
	const struct rule *r = &rules->rules[0];
	assert_int_equal(r->for_ms, 120000);
	assert_int_equal(r->limit_runs.count, 5);
	assert_int_equal(r->limit_runs.per_ms, 3600000);
	assert_int_equal(r->limit_hosts.count, 3);
	assert_int_equal(r->limit_hosts.per_ms, 86400000);
	assert_int_equal(r->on_resolve, ON_RESOLVE_STEP);
	assert_int_equal(r->resolve_steps_n, 1);
	assert_str(r->resolve_steps[0].name, "page-oncall-2");
	assert_true(r->skip_flapping && r->approval);
	assert_int_equal(r->approval_expires_ms, 3600000);
	assert_int_equal(r->failure_steps_n, 2);
	assert_str(r->failure_steps[0].name, "page-oncall-3");
	assert_str(r->failure_steps[1].name, "page-oncall-4");
	assert_true(r->failure_steps[1].always);
	assert_true(r->slo.objective > 99.49 && r->slo.objective < 99.51);
	assert_int_equal(r->slo.within_ms, 30000);
	assert_int_equal(r->slo.window_ms, INT64_C(7) * 86400000);
	r++;
	assert_true(r->for_ms == 0 && r->limit_runs.count == 0 && r->limit_hosts.count == 0 && r->slo.objective == 0);
	assert_true(r->on_resolve == ON_RESOLVE_IGNORE && !r->skip_flapping && !r->approval);
	assert_true(r->resolve_steps_n == 0 && r->failure_steps_n == 0);
	r++;
	assert_int_equal(r->on_resolve, ON_RESOLVE_CANCEL);
	assert_true(r->approval && r->approval_expires_ms == 0 && !r->skip_flapping && r->limit_runs.count == 0);
	assert_int_equal(r->limit_hosts.count, 1);
	assert_int_equal(r->slo.window_ms, RULE_SLO_WINDOW_DEFAULT_MS);
	r++;
	assert_true(r->on_resolve == ON_RESOLVE_IGNORE && !r->approval);
	assert_int_equal(r->failure_steps_n, 1);
	assert_str(r->failure_steps[0].name, "disk-usage-2");
}

/* A runbook may be called what a second step of another would be: names stay apart. */
static void reads_rules_over_several_events(void **state)
{
	(void)state;
	build("rules:\n"
	      "  - name: t\n"
	      "    match: a = b\n"
	      "    threshold: {count: 5, within: 10m, by: [instance, data.x]}\n"
	      "    steps: [{runbook: disk-usage}]\n"
	      "  - name: g\n"
	      "    all_of: ['event.type = a', 'event.type = b, event.source =~ \"x|y\"']\n"
	      "    by: [data.sha]\n"
	      "    within: 30m\n"
	      "    on_timeout: {runbook: rotate-logs, with: {path: /var/log}}\n"
	      "    steps: [{runbook: disk-usage}]\n"
	      "  - name: s\n"
	      "    sequence: [a = b, c = d]\n"
	      "    within: 1m\n"
	      "    steps: [{runbook: disk-usage}]\n"
	      "  - name: n\n"
	      "    absent: 'event.type = \"heartbeat\"'\n"
	      "    every: 5m\n"
	      "    steps: [{runbook: disk-usage}]\n");
	const struct rule_gate *g = &rules->rules[0].gate;
	assert_int_equal(g->kind, RULE_GATE_THRESHOLD);
	assert_int_equal(g->count, 5);
	assert_int_equal(g->within_ms, 600000);
	assert_int_equal(g->by_n, 2);
	assert_str(g->by[1].text, "data.x");
	g = &rules->rules[1].gate;
	assert_int_equal(g->kind, RULE_GATE_ALL_OF);
	assert_int_equal(g->count, 2);
	assert_str(g->parts, "event.type = a\nevent.type = b, event.source =~ \"x|y\"");
	assert_int_equal(g->timeout_steps_n, 1);
	assert_str(g->timeout_steps[0].name, "rotate-logs");
	assert_true(rules->rules[1].by_parts);
	assert_true(rules->rules[1].sees_own_events);
	assert_str(rules->rules[1].source_yaml,
		"all_of(event.type = a; event.type = b, event.source =~ \"x|y\")");
	assert_int_equal(rules->rules[2].gate.kind, RULE_GATE_SEQUENCE);
	assert_false(rules->rules[2].sees_own_events);
	g = &rules->rules[3].gate;
	assert_int_equal(g->kind, RULE_GATE_ABSENT);
	assert_int_equal(g->within_ms, 300000);
	assert_str(rules->rules[3].source_yaml, "absent(event.type = \"heartbeat\")");
}

/* Which parts an event is: by the index as without it. */
static void tells_parts(void **state)
{
	struct kv labels[] = {{STR("a"), STR("x")}, {STR("b"), STR("y")}};
	struct event ev = {.source = STR("am"), .type = STR("t"), .status = EVENT_INFO, .labels = labels};
	struct rule_match *m, *scan;
	size_t n, scan_n;

	(void)state;
	build("rules:\n"
	      "  - name: g\n"
	      "    all_of: ['a = \"z\"', 'a = \"x\"', 'b =~ \"(?<what>y)\"', 'c = \"\", b != \"\"']\n"
	      "    within: 30m\n"
	      "    steps: [{runbook: page-oncall, with: {text: \"{{ match.what }}\"}}]\n");
	for (size_t have = 0; have <= 2; have++) {
		ev.labels_n = have;
		assert_int_equal(ruleset_match(rules, &arena, &ev, &m, &n), 0);
		assert_int_equal(ruleset_match_scan(rules, &arena, &ev, &scan, &scan_n), 0);
		assert_int_equal(n, have > 0);
		assert_int_equal(scan_n, n);
		if (have > 0)
			assert_int_equal(m[0].parts, scan[0].parts);
		if (have > 0)
			assert_int_equal(m[0].parts, have == 1 ? 2 : 2 + 4 + 8);
	}
	assert_int_equal(m[0].groups.n, 1);
	assert_str(m[0].groups.v[0].value, "y");
}

static void step_names(void **state)
{
	struct ruleset_file two[] = {{"a-2.sh", STR("# ---\n# summary: x\n# ---\n")}, {"a.sh", STR("# ---\n# summary: x\n# ---\n")}};
	struct ruleset_file file = {"r.yml", STR("rules:\n- name: x\n  match: '{}'\n  steps: [{runbook: a}, {runbook: a-2}, {runbook: a},"
						 " {runbook: a}, {runbook: a-2}]\n"
						 "- name: y\n  match: '{}'\n  steps: [{runbook: a}, {runbook: a}, {runbook: a-2}]\n")};
	struct ruleset_input in = {&file, 1, two, 2, &conf};
	static const char *const want[] = {"a", "a-2", "a-3", "a-4", "a-2-2"};

	(void)state;
	rules = ruleset_build(&in, &diags);
	assert_non_null(rules);
	for (size_t i = 0; i < 5; i++)
		assert_str(rules->rules[0].steps[i].name, want[i]);
	assert_str(rules->rules[1].steps[1].name, "a-2");
	assert_str(rules->rules[1].steps[2].name, "a-2-2");
}

static void count_pause(void *ctx)
{
	++*(size_t *)ctx;
}

/* Who builds many rules is asked to let others have the processor, the more often the more rules there are. */
static void a_long_build_pauses(void **state)
{
	struct ruleset_file book = {"disk-usage.sh", STR("# ---\n# summary: x\n# ---\n")};
	struct buf text;
	size_t few = 0, many = 0;
	struct pace pace = {count_pause, &few};

	(void)state;
	buf_init(&text, BUF_NO_LIMIT);
	buf_puts(&text, "rules:\n");
	for (int i = 0; i < 2000; i++) {
		if (i == 200) {
			struct ruleset_file file = {"r.yml", buf_as_str(&text)};
			struct ruleset_input in = {&file, 1, &book, 1, &conf};
			struct ruleset *rs = ruleset_build_paced(&in, &pace, &diags);
			assert_non_null(rs);
			ruleset_unref(rs);
		}
		buf_printf(&text, "- {name: r%d, match: '{alertname=\"A%d\"}', steps: [{runbook: disk-usage}]}\n", i, i);
	}
	struct ruleset_file file = {"r.yml", buf_as_str(&text)};
	struct ruleset_input in = {&file, 1, &book, 1, &conf};
	pace.ctx = &many;
	rules = ruleset_build_paced(&in, &pace, &diags);
	assert_non_null(rules);
	assert_true(few > 10);
	assert_true(many > few * 8);
	many = 0; /* who builds paces it; who uses it later does not */
	for (int i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&rules->arena, 1000));
	assert_int_equal(many, 0);
	buf_release(&text);
}

static void reads_a_short_rule(void **state)
{
	(void)state;
	build("rules:\n- {name: a, match: '{}', cooldown: 1h, steps: [{runbook: disk-usage}]}\n");
	assert_int_equal(rules->rules[0].when, WHEN_FIRING);
	assert_int_equal(rules->rules[0].cooldown_ms, 3600000);
	assert_int_equal(rules->rules[0].cooldown_by_n, 0);
	assert_false(rules->rules[0].dry_run);
	assert_str(rules->rules[0].source_yaml, "{}");
}

static void empty_files(void **state)
{
	(void)state;
	rules = build_two("", "rules: []\n");
	assert_non_null(rules);
	assert_int_equal(rules->rules_n, 0);
	ruleset_unref(rules);
	struct ruleset_input in = {.conf = &conf};
	rules = ruleset_build(&in, &diags);
	assert_non_null(rules);
	assert_int_equal(diags.n, 0);
}

#define RULE(name, match) "- {name: " name ", match: '" match "', steps: [{runbook: disk-usage}]}\n"

static void names_across_files(void **state)
{
	(void)state;
	assert_null(build_two("rules:\n" RULE("a", "{}") RULE("b", "{}"), "rules:\n" RULE("b", "{}") RULE("a", "{}")));
	assert_findings(&diags, "b.yml:3:10: there is a rule 'a' already, in a.yml:2; names are unique across files\n"
				"b.yml:2:10: there is a rule 'b' already, in a.yml:3; names are unique across files\n");
}

static void runbook_names(void **state)
{
	struct ruleset_file two[] = {{"x/a.sh", STR("# ---\n# summary: x\n# ---\n")}, {"y/a.py", STR("# ---\n# summary: x\n# ---\n")}};
	struct ruleset_input in = {NULL, 0, two, 2, &conf};

	(void)state;
	assert_null(ruleset_build(&in, &diags));
	assert_findings(&diags, "y/a.py: a runbook 'a' is there already, as 'x/a.sh'; the name is the file's without extension: rename one\n");
}

/* All files are read, whatever is wrong in the first. */
static void all_findings_at_once(void **state)
{
	struct conf_text match = {STR("a b"), 7, 3}, by = {STR("x.y"), 8, 5};
	struct conf_correlation policy = {{&match, 1}, {&by, 1}, 60000};

	(void)state;
	conf.correlation = &policy;
	conf.correlation_n = 1;
	assert_null(build_two("rules: [\n", "rules:\n- {name: a, match: 'a', steps: [{runbook: disk-usage}]}\n"));
	assert_int_equal(diags.n, 4);
	assert_string_equal(diags.v[0].file, "a.yml");
	assert_string_equal(diags.v[1].file, "b.yml");
	assert_string_equal(diags.v[2].file, "runbookd.yml");
	assert_int_equal(diags.v[2].line, 7);
	assert_has(str_of(diags.v[2].text), "correlation: want one of = != =~ !~ here: 'a b'");
	assert_int_equal(diags.v[3].column, 5);
	assert_has(str_of(diags.v[3].text), "'x.y' is no field");
}

/* ---- matching ---- */

#define KV(name, value) {{name, sizeof(name) - 1}, {value, sizeof(value) - 1}}

static struct kv labels[] = {KV("alertname", "DiskFull"), KV("instance", "web-1:9100"), KV("mountpoint", "/var/log"), KV("team", "ops")};

static struct event sample(void)
{
	return (struct event){.source = STR("am"), .type = STR("alert"), .status = EVENT_FIRING, .labels = labels, .labels_n = 4,
		.fingerprint = STR("00000000000000aa")};
}

/* The names of the rules that match, with ! where one failed. */
static struct str matching(const struct event *ev)
{
	struct rule_match *m;
	size_t n;
	struct str s = STR("");

	assert_int_equal(ruleset_match(rules, &arena, ev, &m, &n), 0);
	for (size_t i = 0; i < n; i++)
		s = arena_printf(&arena, "%.*s%s%.*s%s", STR_ARG(s), i ? " " : "", STR_ARG(m[i].rule->name), m[i].failed ? "!" : "");
	return s;
}

static void matches_in_order(void **state)
{
	struct event ev = sample();

	(void)state;
	build("rules:\n" RULE("z", "alertname=~\"Disk.*\"") RULE("no", "alertname=Other") RULE("a", "team=ops, mountpoint=~\"/var/.*\"") RULE(
		"all", "{}") RULE("absent", "tier=\"\""));
	assert_str(matching(&ev), "z a all absent");
	ev.labels_n = 0;
	assert_str(matching(&ev), "all absent");
}

static void looks_at_when(void **state)
{
	struct event ev = sample();

	(void)state;
	build("rules:\n"
	      "- {name: default, match: team=ops, steps: [{runbook: disk-usage}]}\n"
	      "- {name: firing, match: team=ops, when: firing, steps: [{runbook: disk-usage}]}\n"
	      "- {name: resolved, match: team=ops, when: resolved, steps: [{runbook: disk-usage}]}\n"
	      "- {name: any, match: team=ops, when: any, steps: [{runbook: disk-usage}]}\n");
	assert_str(matching(&ev), "default firing any");
	ev.status = EVENT_INFO;
	assert_str(matching(&ev), "default firing any");
	ev.status = EVENT_RESOLVED;
	assert_str(matching(&ev), "resolved any");
}

static void one_of_any(void **state)
{
	struct event ev = sample();

	(void)state;
	build("rules:\n"
	      "- {name: second, match: alertname=DiskFull, any: [team=db, 'team=ops, mountpoint!=\"\"'], steps: [{runbook: disk-usage}]}\n"
	      "- {name: none, match: alertname=DiskFull, any: [team=db, team=net], steps: [{runbook: disk-usage}]}\n"
	      "- {name: not-match, match: alertname=Other, any: [team=ops], steps: [{runbook: disk-usage}]}\n"
	      "- {name: only, any: [team=ops], steps: [{runbook: disk-usage}]}\n");
	assert_str(matching(&ev), "second only");
}

static void own_events(void **state)
{
	struct event ev = sample();

	(void)state;
	ev.source = STR("runbookd");
	ev.type = STR("run_failed");
	ev.status = EVENT_INFO;
	build("rules:\n" RULE("all", "{}") RULE("by-label", "team=ops") RULE("by-type", "event.type=run_failed") RULE(
		"by-source", "event.source=runbookd, team=ops")
	      "- {name: in-any, any: [team=x, 'event.type =~ \"run_.*\"'], steps: [{runbook: disk-usage}]}\n");
	assert_str(matching(&ev), "by-type by-source in-any");
	ev.source = STR("am");
	assert_str(matching(&ev), "all by-label by-type in-any");
}

static void a_regex_that_gives_up(void **state)
{
	struct kv evil[] = {KV("x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = evil, .labels_n = 1};
	struct rule_match *m;
	size_t n;

	(void)state;
	conf.limits.match_limit = 1000;
	build("rules:\n" RULE("bad", "x=~\"(a+)+[bc]\"") RULE("decided", "x=~\"(a+)+[bc]\", y=z") RULE("good", "x=~\"a+\"")
	      "- {name: any-good, any: ['x=~\"(a+)+[bc]\"', 'x!=b'], steps: [{runbook: disk-usage}]}\n"
	      "- {name: any-bad, any: ['x=~\"(a+)+[bc]\"', 'x=b'], steps: [{runbook: disk-usage}]}\n");
	assert_str(matching(&ev), "bad! good any-good any-bad!");
	assert_int_equal(ruleset_match(rules, &arena, &ev, &m, &n), 0);
	assert_has(m[0].reason, "gave up on a value of 40 bytes");
	assert_has(m[3].reason, "gave up");
}

static void no_memory_without_a_match(void **state)
{
	struct event ev = sample();
	struct rule_match *m;
	size_t n, used = arena.used;

	(void)state;
	build("rules:\n" RULE("a", "alertname=~\"(?<x>D).*\", team=x") RULE("b", "alertname=~\"(?<x>D).*\", team=~\"o.\"") RULE("c", "x=y"));
	assert_int_equal(ruleset_match(rules, &arena, &ev, &m, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(arena.used, used);
}

static void many_rules(void **state)
{
	struct event ev = sample();
	struct buf b;
	struct rule_match *m;
	size_t n;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "rules:\n");
	for (unsigned i = 0; i < 3000; i++)
		buf_printf(&b, "- {name: r%u, match: 'alertname=%s', steps: [{runbook: disk-usage}]}\n", i, i % 3 ? "No" : "DiskFull");
	build(b.p);
	buf_release(&b);
	assert_int_equal(ruleset_match(rules, &arena, &ev, &m, &n), 0);
	assert_int_equal(n, 1000);
	assert_str(m[999].rule->name, "r2997");
	struct arena small;
	arena_init(&small, 4096);
	assert_int_equal(ruleset_match(rules, &small, &ev, &m, &n), -1);
	arena_release(&small);
}

/* ---- steps ---- */

static struct rule_match first_match(const struct event *ev)
{
	struct rule_match *m;
	size_t n;

	assert_int_equal(ruleset_match(rules, &arena, ev, &m, &n), 0);
	assert_true(n > 0);
	return m[0];
}

static void renders_steps(void **state)
{
	struct event ev = sample();
	struct rule_rendered_step *s;
	size_t n;
	struct err e;

	(void)state;
	build("rules:\n"
	      "- name: a\n"
	      "  match: 'instance =~ \"(?<name>[^:]+):(?<port>[0-9]+)\"'\n"
	      "  any: ['team =~ \"(?<who>.*)\"']\n"
	      "  steps:\n"
	      "  - runbook: disk-usage\n"
	      "  - runbook: rotate-logs\n"
	      "    with: {path: \"{{ labels.mountpoint }}\"}\n"
	      "    pool: \"host:{{ labels.instance | host }}\"\n"
	      "  - runbook: page-oncall\n"
	      "    with: {text: \"{{ match.who }}: {{ match.name }} {{ match.port }} \\\"x\\\"\"}\n");
	struct rule_match m = first_match(&ev);
	if (rule_render(&m, &arena, &ev, &s, &n, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(n, 3);
	assert_str(s[0].pool, "default");
	assert_str(s[0].params_json, "{\"path\":\"/\"}");
	assert_str(s[1].pool, "host:web-1");
	assert_str(s[1].params_json, "{\"path\":\"/var/log\",\"days\":\"7\"}");
	assert_ptr_equal(s[1].step, &m.rule->steps[1]);
	assert_str(s[2].params_json, "{\"text\":\"ops: web-1 9100 \\\"x\\\"\"}");
	assert_false(s[0].late || s[1].late || s[2].late);
}

static void refuses_what_the_runbook_does(void **state)
{
	struct event ev = sample();
	struct rule_rendered_step *s;
	size_t n;
	struct err e;
	struct kv bad[] = {KV("mountpoint", "/var/log\n"), KV("team", "a/b")};

	(void)state;
	build("rules:\n- {name: a, match: '{}', steps: [{runbook: disk-usage}, {runbook: rotate-logs, with: {path: \"{{ labels.mountpoint }}\"}}]}\n"
	      "- {name: b, match: '{}', steps: [{runbook: disk-usage, pool: \"host:{{ labels.team }}\"}]}\n");
	ev.labels = bad;
	ev.labels_n = 2;
	struct rule_match *m;
	assert_int_equal(ruleset_match(rules, &arena, &ev, &m, &n), 0);
	assert_int_equal(rule_render(&m[0], &arena, &ev, &s, &n, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_has(str_of(e.text), "step 'rotate-logs': parameter 'path': want a match of ^/var/log(/|$), got '/var/log\n'");
	assert_int_equal(rule_render(&m[1], &arena, &ev, &s, &n, &e), -1);
	assert_has(str_of(e.text), "step 'disk-usage': 'host:a/b' cannot be a pool's name");
	ev.labels_n = 0;
	assert_int_equal(rule_render(&m[0], &arena, &ev, &s, &n, &e), -1);
	assert_has(str_of(e.text), "step 'rotate-logs': labels.mountpoint is missing; give it a default");
}

static void renders_late(void **state)
{
	struct event ev = sample();
	struct kv evil[] = {KV("alertname", "{{ incident.id }}"), KV("mountpoint", "/etc")};
	struct rule_rendered_step *s;
	size_t n;
	struct err e;
	struct kv *kv;

	(void)state;
	build("rules:\n- name: a\n  match: 'alertname =~ \"(?<all>.*)\"'\n  steps:\n"
	      "  - runbook: disk-usage\n"
	      "  - runbook: page-oncall\n"
	      "    with: {to: \"{{ labels.alertname }}\", text: \"{{ match.all }} {{ steps.disk-usage.output }} {{ incident.id }}\"}\n"
	      "- name: b\n  match: '{}'\n  steps:\n"
	      "  - {runbook: rotate-logs, with: {path: \"{{ labels.mountpoint }}\", days: \"{{ incident.truncated | default 3 }}\"}}\n");
	ev.labels = evil;
	ev.labels_n = 2;
	struct rule_match *m;
	assert_int_equal(ruleset_match(rules, &arena, &ev, &m, &n), 0);
	if (rule_render(&m[0], &arena, &ev, &s, &n, &e) < 0)
		fail_msg("%s", e.text);
	assert_false(s[0].late);
	assert_true(s[1].late);
	const struct json *params = json_parse(&arena, s[1].params_json, &e);
	struct template_ctx ctx = {
		.event = &ev,
		.incident = json_parse(&arena, STR("{\"id\":\"INC1\"}"), &e),
		.steps = json_parse(&arena, STR("{\"disk-usage\":{\"output\":\"90% {{ x }}\"}}"), &e),
	};
	if (rule_render_late(&arena, params, &ctx, &kv, &n, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(n, 2);
	assert_str(kv[0].name, "to");
	assert_str(kv[0].value, "{{ incident.id }}");
	assert_str(kv[1].value, "{{ incident.id }} 90% {{ x }} INC1");
	ctx.steps = NULL;
	assert_int_equal(rule_render_late(&arena, params, &ctx, &kv, &n, &e), -1);
	assert_has(str_of(e.text), "parameter 'text': steps.disk-usage.output is missing");
	/* What is known early is checked early. */
	assert_int_equal(rule_render(&m[1], &arena, &ev, &s, &n, &e), -1);
	assert_has(str_of(e.text), "step 'rotate-logs': parameter 'path'");
	assert_int_equal(rule_render_late(&arena, json_parse(&arena, STR("[]"), &e), &ctx, &kv, &n, &e), -1);
	assert_int_equal(rule_render_late(&arena, json_parse(&arena, STR("{\"a\":1}"), &e), &ctx, &kv, &n, &e), -1);
	assert_int_equal(rule_render_late(&arena, json_parse(&arena, STR("{\"a\":\"{{\"}"), &e), &ctx, &kv, &n, &e), -1);
	assert_has(str_of(e.text), "parameter 'a': want a path");
}

static void renders_other_lists(void **state)
{
	struct event ev = sample();
	struct rule_rendered_step *s;
	struct err e;

	(void)state;
	build("rules:\n- name: a\n  match: 'team =~ \"(?<who>.*)\"'\n  steps: [{runbook: disk-usage}]\n"
	      "  on_resolve: {runbook: page-oncall, with: {text: \"{{ match.who }}\"}, pool: \"host:{{ labels.instance | host }}\"}\n"
	      "  on_failure:\n"
	      "  - {runbook: page-oncall, with: {text: \"{{ labels.team }}: {{ steps.disk-usage.state }}\"}}\n"
	      "  - {runbook: page-oncall, with: {text: \"{{ labels.none }}\"}}\n");
	struct rule_match m = first_match(&ev);
	if (rule_render_steps(&m, m.rule->resolve_steps, m.rule->resolve_steps_n, &arena, &ev, &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_ptr_equal(s[0].step, &m.rule->resolve_steps[0]);
	assert_str(s[0].pool, "host:web-1");
	assert_str(s[0].params_json, "{\"text\":\"ops\"}");
	if (rule_render_steps(&m, m.rule->failure_steps, 1, &arena, &ev, &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(s[0].late);
	assert_str(s[0].params_json, "{\"text\":\"ops: {{ steps.disk-usage.state }}\"}");
	assert_int_equal(rule_render_steps(&m, m.rule->failure_steps, 2, &arena, &ev, &s, &e), -1);
	assert_has(str_of(e.text), "step 'page-oncall-3': labels.none is missing");
}

/* ---- keys and incidents ---- */

static void by_keys(void **state)
{
	struct event ev = sample(), other = sample();
	struct kv one[] = {KV("a", "x;b=1:y"), KV("b", "")}, two[] = {KV("a", "x"), KV("b", "y")};
	struct field by[2];
	struct err e;

	(void)state;
	assert_int_equal(field_parse(&arena, STR("a"), &by[0], &e), 0);
	assert_int_equal(field_parse(&arena, STR("b"), &by[1], &e), 0);
	ev.labels = one;
	other.labels = two;
	ev.labels_n = other.labels_n = 2;
	assert_str(rule_by_key(&arena, by, 2, &ev), "a=7:x;b=1:y;b=0:;");
	assert_str(rule_by_key(&arena, by, 2, &other), "a=1:x;b=1:y;");
	assert_str(rule_by_key(&arena, by, 0, &ev), "");
	/* A long one is hashed: short, the same for the same, and unlike the text of any other. */
	char *p = test_malloc(5000);
	memset(p, 'v', 5000);
	one[0].value = (struct str){p, 5000};
	struct str key = rule_by_key(&arena, by, 2, &ev);
	assert_int_equal(key.n, 65);
	assert_int_equal(key.p[0], '#');
	p[4999] = 'w';
	assert_false(str_eq(key, rule_by_key(&arena, by, 2, &ev)));
	p[4999] = 'v';
	assert_true(str_eq(key, rule_by_key(&arena, by, 2, &ev)));
	test_free(p);
}

static struct conf_text db = {STR("team = db"), 1, 1}, cluster[] = {{STR("cluster"), 1, 1}, {STR("\"a.b\""), 1, 1}},
			instance = {STR("instance"), 1, 1};
static struct conf_correlation policies[] = {{{&db, 1}, {cluster, 2}, 60000}, {{NULL, 0}, {&instance, 1}, 600000}};

static struct rule_correlation correlate(const struct event *ev)
{
	struct rule_correlation c;

	assert_int_equal(ruleset_correlate(rules, &arena, ev, &c), 0);
	return c;
}

static void names_incidents(void **state)
{
	struct kv db_labels[] = {KV("a.b", "x\0"), KV("cluster", "eu"), KV("instance", "web-1:9100"), KV("team", "db")};
	struct event ev = sample(), second = sample();

	(void)state;
	conf.correlation = policies;
	conf.correlation_n = 2;
	build("");
	struct rule_correlation c = correlate(&ev);
	assert_has(c.key, ":instance=10:web-1:9100;");
	assert_str(c.key_json, "{\"instance\":\"web-1:9100\"}");
	assert_int_equal(c.window_ms, 600000);
	/* The same values, another source: the same incident. */
	second.source = STR("datadog");
	second.labels_n = 2;
	assert_true(str_eq(c.key, correlate(&second).key));
	/* The first policy that holds counts, and has keys of its own. */
	second.labels = db_labels;
	second.labels_n = 4;
	struct rule_correlation d = correlate(&second);
	assert_str(d.key_json, "{\"cluster\":\"eu\",\"a.b\":\"x\\u0000\"}");
	assert_int_equal(d.window_ms, 60000);
	assert_false(str_eq(c.key, d.key));
	/* Some of its fields are enough; none of them: the next policy. */
	second.labels = db_labels + 1;
	second.labels_n = 3;
	assert_str(correlate(&second).key_json, "{\"cluster\":\"eu\"}");
	second.labels = db_labels + 2;
	second.labels_n = 2;
	assert_true(str_eq(c.key, correlate(&second).key));
	/* None at all: alone. */
	ev.labels_n = 0;
	c = correlate(&ev);
	assert_str(c.key, "alert:2:am:00000000000000aa");
	assert_str(c.key_json, "{\"fingerprint\":\"00000000000000aa\"}");
	assert_int_equal(c.window_ms, 600000);
	ev.fingerprint = STR_NONE;
	c = correlate(&ev);
	assert_int_equal(c.key.n, 0);
	assert_str(c.key_json, "{}");
}

static void keys_outlive_the_order(void **state)
{
	struct event ev = sample();
	struct conf_correlation turned[] = {policies[1], policies[0]};

	(void)state;
	conf.correlation = policies;
	conf.correlation_n = 2;
	build("");
	struct str key = correlate(&ev).key;
	char hash[HASH_SHA256_HEX];
	memcpy(hash, rules->hash, sizeof(hash));
	ruleset_unref(rules);
	conf.correlation = turned;
	build("");
	assert_true(str_eq(key, correlate(&ev).key));
	assert_string_not_equal(hash, rules->hash);
	/* A copy, for people: the configuration may go. */
	assert_int_equal(rules->correlation_n, 2);
	assert_str(rules->correlation_conf[1].match.v[0].text, "team = db");
}

static void long_values(void **state)
{
	size_t n = 100 * 1024;
	char *p = test_malloc(n);
	struct kv big[] = {{STR("instance"), {p, n}}};
	struct event ev = sample();

	(void)state;
	memset(p, 'v', n);
	ev.labels = big;
	ev.labels_n = 1;
	conf.correlation = policies;
	conf.correlation_n = 2;
	build("");
	struct rule_correlation c = correlate(&ev);
	assert_true(c.key.n <= 300);
	assert_true(c.key_json.n < 1100);
	test_free(p);
}

/* ---- the life of a ruleset ---- */

static void hashes(void **state)
{
	char first[HASH_SHA256_HEX];

	(void)state;
	build("rules:\n" RULE("a", "{}"));
	memcpy(first, rules->hash, sizeof(first));
	assert_int_equal(strlen(first), 64);
	ruleset_unref(rules);
	build("rules:\n" RULE("a", "{}"));
	assert_string_equal(rules->hash, first);
	ruleset_unref(rules);
	build("rules:\n" RULE("a", "{}") "# a comment\n");
	assert_string_not_equal(rules->hash, first);
	ruleset_unref(rules);
	/* Where the files lie does not matter; what they are called for rules, and what is in them, does. */
	struct ruleset_file file = {"/elsewhere/z.yml", STR("rules:\n" RULE("a", "{}"))};
	struct ruleset_file moved[] = {books[0], books[1], books[2]};
	moved[1].name = "/elsewhere/disk-usage.py";
	struct ruleset_input in = {&file, 1, moved, 3, &conf};
	rules = ruleset_build(&in, &diags);
	assert_string_equal(rules->hash, first);
	ruleset_unref(rules);
	moved[1].bytes.n--;
	rules = ruleset_build(&in, &diags);
	assert_string_not_equal(rules->hash, first);
}

/* What suggestions put a key into. */
static void keeps_the_text(void **state)
{
	static const char yaml[] = "# \xc3\xa4\nrules:\n"
				   "  # of the first\n"
				   "  - name: one   # here\n"
				   "    match: 'a = \"- {\"'\n"
				   "    steps: [{runbook: disk-usage}]\n\n"
				   "  -\n"
				   "    name: two\n"
				   "    match: 'a = b'\n"
				   "    steps:\n"
				   "      - runbook: disk-usage\n"
				   "  - {name: three, match: 'a = c', steps: [{runbook: disk-usage}]}\n"
				   "patterns: []\n";
	static const char flow[] =
		"rules: [{name: four, match: 'a = d', steps: [{runbook: disk-usage}]},\n"
		"  {name: five, match: 'a = e', steps: [{runbook: disk-usage}]}]\n";

	(void)state;
	rules = build_two(yaml, flow);
	if (!rules)
		assert_findings(&diags, "");
	assert_str(rules->rules[0].text,
		"name: one   # here\n    match: 'a = \"- {\"'\n    steps: [{runbook: disk-usage}]");
	assert_int_equal(rules->rules[0].text_column, 5);
	assert_str(rules->rules[1].text,
		"name: two\n    match: 'a = b'\n    steps:\n      - runbook: disk-usage");
	assert_str(rules->rules[2].text, "{name: three, match: 'a = c', steps: [{runbook: disk-usage}]}");
	/* What cannot be cut out is not there. */
	assert_str(rules->rules[3].text, "");
	assert_str(rules->rules[4].text, "");
}

static void references(void **state)
{
	struct event ev = sample();

	(void)state;
	build("rules:\n" RULE("a", "alertname=~\"D.*\""));
	struct ruleset *held = ruleset_ref(rules);
	ruleset_unref(rules);
	assert_ptr_equal(held, rules);
	assert_str(matching(&ev), "a");
	ruleset_unref(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(golden_findings), TEST(reads_a_rule), TEST(reads_guards), TEST(reads_rules_over_several_events), TEST(tells_parts), TEST(renders_other_lists), TEST(step_names), TEST(a_long_build_pauses), TEST(reads_a_short_rule), TEST(empty_files),
	TEST(names_across_files), TEST(runbook_names), TEST(all_findings_at_once), TEST(matches_in_order),
	TEST(looks_at_when), TEST(one_of_any), TEST(own_events), TEST(a_regex_that_gives_up),
	TEST(no_memory_without_a_match), TEST(many_rules), TEST(renders_steps), TEST(refuses_what_the_runbook_does),
	TEST(renders_late), TEST(by_keys), TEST(names_incidents), TEST(keys_outlive_the_order), TEST(long_values),
	TEST(hashes), TEST(keeps_the_text), TEST(references))
