/* Log patterns: what a file says, which lines they take, the alert that comes of one, and that the
 * prefilter never hides a line: with it and without it the same patterns match. */
#include "unit.h"
#include "rule/prefilter.h"
#include "rule/ruleset.h"

static struct arena arena;
static struct diags diags;
static struct conf conf;
static struct ruleset *rules;
static struct matcher_scratch *scratch;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 256 << 20);
	diags_init(&diags);
	conf = (struct conf){.path = STR("runbookd.yml")};
	conf.limits.match_limit = 1000000;
	rules = NULL;
	scratch = matcher_scratch_new(100000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	ruleset_unref(rules);
	matcher_scratch_free(scratch);
	diags_release(&diags);
	arena_release(&arena);
	return 0;
}

static struct ruleset *build_of(struct str yaml)
{
	struct ruleset_file file = {"p.yml", yaml};
	struct ruleset_input in = {&file, 1, NULL, 0, &conf};

	return ruleset_build(&in, &diags);
}

static void build(const char *yaml)
{
	rules = build_of(str_of(yaml));
	assert_findings(&diags, "");
	assert_non_null(rules);
}

/* ---- reading ---- */

static void reads_a_pattern(void **state)
{
	(void)state;
	build("patterns:\n"
	      "  - name: ssh-bruteforce\n"
	      "    description: Somebody tries passwords\n"
	      "    source: ['{unit=\"ssh.service\"}', host != test]\n"
	      "    match: 'Failed password for (invalid user )?(?<user>\\S+) from (?<ip>\\S+)'\n"
	      "    exclude: 'from 10\\.'\n"
	      "    threshold: {count: 5, within: 2m, by: [ip]}\n"
	      "    resolve: {after: 10m, match: 'Accepted \\S+ for \\S+ from (?<ip>\\S+)'}\n"
	      "    severity: error\n"
	      "    summary: '{{ labels.ip }} is guessing passwords'\n"
	      "    lines: 7\n"
	      "    series: 99\n");
	assert_int_equal(rules->patterns.n, 1);
	const struct pattern *p = &rules->patterns.v[0];
	assert_str(p->name, "ssh-bruteforce");
	assert_str(p->description, "Somebody tries passwords");
	assert_str(p->file, "p.yml");
	assert_int_equal(p->line, 2);
	assert_int_equal(p->match_line, 5);
	assert_int_equal(p->source.n, 2);
	assert_str(p->source_text, "{unit=\"ssh.service\"}, host != test");
	assert_int_equal(p->count, 5);
	assert_int_equal(p->within_ms, 120000);
	assert_int_equal(p->by_n, 1);
	assert_str(p->by[0], "ip");
	assert_int_equal(p->resolve_after_ms, 600000);
	assert_non_null(p->resolve);
	assert_int_equal(p->severity, SEVERITY_ERROR);
	assert_int_equal(p->lines, 7);
	assert_int_equal(p->series, 99);
	assert_int_equal(p->literal, strlen("Accepted "));
}

static void what_is_not_said_has_a_default(void **state)
{
	(void)state;
	build("rules: []\npatterns:\n  - {name: Oom_1, match: 'Killed process (?<pid>\\d+) "
	      "\\((?<program>.+)\\)'}\n");
	const struct pattern *p = &rules->patterns.v[0];
	assert_int_equal(p->count, 1);
	assert_int_equal(p->resolve_after_ms, 0);
	assert_null(p->resolve);
	assert_null(p->exclude);
	assert_null(p->summary);
	assert_int_equal(p->severity, SEVERITY_WARNING);
	assert_int_equal(p->lines, PATTERN_LINES_DEFAULT);
	assert_int_equal(p->series, PATTERN_SERIES_DEFAULT);
	assert_false(p->by_given);
	assert_int_equal(p->by_n, 3);
	assert_str(p->by[0], "pid");
	assert_str(p->by[1], "program");
	assert_str(p->by[2], "host");
}

static void bounds(void **state)
{
	static const char *const good[] = {"threshold: {count: 10000, within: 30d}",
		"threshold: {count: 1}", "threshold: {count: 1, within: 1m}",
		"threshold: {by: [a]}", "lines: 0", "lines: 200", "series: 1000000",
		"resolve: {after: 30d}"};
	static const char *const bad[] = {"threshold: {count: 10001, within: 1m}",
		"threshold: {count: 2, within: 31d}",
		"threshold: {by: [a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q]}", "lines: 201",
		"series: 1000001", "resolve: {after: 31d}"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		build(arena_printf(&arena, "patterns: [{name: a, match: x, %s}]\n", good[i]).p);
		ruleset_unref(rules);
		rules = NULL;
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(build_of(
			arena_printf(&arena, "patterns: [{name: a, match: x, %s}]\n", bad[i])));
		assert_int_equal(diags.errors, 1);
		diags_release(&diags);
		diags_init(&diags);
	}
}

static void patterns_are_part_of_the_hash(void **state)
{
	(void)state;
	struct ruleset *a = build_of(STR("patterns: [{name: a, match: x}]\n"));
	struct ruleset *b = build_of(STR("patterns: [{name: a, match: y}]\n"));
	assert_string_not_equal(a->hash, b->hash);
	ruleset_unref(a);
	ruleset_unref(b);
}

static void patterns_have_a_limit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "patterns:\n");
	for (int i = 0; i <= PATTERNS_LIMIT; i++)
		buf_printf(&b, "- {name: p%d, match: 'number %d '}\n", i, i);
	assert_null(build_of(buf_as_str(&b)));
	assert_findings(
		&diags, "p.yml:10002:3: there are 10000 patterns already, and no more are taken\n");
	buf_release(&b);
}

/* ---- one line ---- */

static struct matcher_groups groups;

static enum pattern_verdict try_line(size_t i, const struct event *line, const char *message)
{
	struct err e = {0};

	groups = (struct matcher_groups){0};
	matcher_scratch_begin(scratch);
	return pattern_try(
		&rules->patterns.v[i], scratch, &arena, line, str_of(message), &groups, &e);
}

static const char ssh[] =
	"patterns:\n"
	"  - name: ssh\n"
	"    source: unit = ssh\n"
	"    match: 'Failed password for (?<user>\\S+) from (?<ip>\\S+)'\n"
	"    exclude: 'from 10\\.'\n"
	"    threshold: {by: [ip, host]}\n"
	"    resolve: {match: '(Accepted|Failed) key for \\S+ from (?<ip>\\S+)'}\n"
	"    summary: '{{ match.ip }} guesses {{ labels.user }} on {{ labels.host }}'\n"
	"    severity: critical\n";

static struct kv labels[] = {
	{STR("host"), STR("web-1")}, {STR("ip"), STR("of the line")}, {STR("unit"), STR("ssh")}};
static const struct event line = {
	.source = STR("logs"), .time_ns = 77, .labels = labels, .labels_n = 3};

static void verdicts(void **state)
{
	struct event other = line;

	(void)state;
	build(ssh);
	assert_int_equal(try_line(0, &line, "sshd: Failed password for root from 192.0.2.1 port 4"),
		PATTERN_MATCHED);
	assert_int_equal(groups.n, 2);
	assert_int_equal(
		try_line(0, &line, "Failed password for root from 10.0.0.1"), PATTERN_EXCLUDED);
	assert_int_equal(
		try_line(0, &line, "Accepted key for root from 10.0.0.1"), PATTERN_RESOLVES);
	assert_int_equal(groups.n, 1);
	assert_int_equal(try_line(0, &line, "failed password for root from 10.0.0.1"), PATTERN_NOT);
	other.labels_n = 2;
	assert_int_equal(
		try_line(0, &other, "Failed password for root from 192.0.2.1"), PATTERN_NOT);
}

static void a_regex_that_gives_up_says_so(void **state)
{
	struct err e = {0};
	char text[200];

	(void)state;
	build("patterns: [{name: slow, match: '(a+)+$'}]\n");
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '!';
	assert_int_equal(pattern_try(&rules->patterns.v[0], scratch, &arena, &line,
				 (struct str){text, sizeof(text)}, &groups, &e),
		PATTERN_FAILED);
	assert_has(str_of(e.text), "'(a+)+$' gave up on a value of 200 bytes");
}

static void dot_stops_at_a_line_feed(void **state)
{
	(void)state;
	build("patterns: [{name: a, match: 'cause: (?<cause>.*)'}]\n");
	assert_int_equal(try_line(0, &line, "panic\ncause: disk\n  at x"), PATTERN_MATCHED);
	assert_str(groups.v[0].value, "disk");
}

static struct event alert_of(const char *message, bool resolves)
{
	struct event out;
	struct err e;

	assert_int_equal(
		try_line(0, &line, message), resolves ? PATTERN_RESOLVES : PATTERN_MATCHED);
	assert_int_equal(pattern_event(&rules->patterns.v[0], resolves, &groups, &arena, &line,
				 str_of(message), &out, &e),
		0);
	return out;
}

static void an_alert_has_the_labels_of_its_line(void **state)
{
	(void)state;
	build(ssh);
	struct event ev = alert_of("Failed password for root from 192.0.2.1", false);
	assert_str(ev.source, "logs");
	assert_str(ev.type, "alert");
	assert_int_equal(ev.status, EVENT_FIRING);
	assert_int_equal(ev.severity, SEVERITY_CRITICAL);
	assert_int_equal(ev.time_ns, 77);
	assert_str(ev.summary, "192.0.2.1 guesses root on web-1");
	assert_int_equal(ev.labels_n, 5);
	assert_str(event_label(&ev, STR("alertname")), "ssh");
	assert_str(event_label(&ev, STR("ip")), "192.0.2.1");
	assert_str(event_label(&ev, STR("user")), "root");
	assert_str(event_label(&ev, STR("host")), "web-1");
	assert_str(event_label(&ev, STR("unit")), "ssh");
}

static void identity_is_the_by_labels(void **state)
{
	const struct kv by[] = {{STR("alertname"), STR("ssh")}, {STR("host"), STR("web-1")},
		{STR("ip"), STR("192.0.2.1")}};

	(void)state;
	build(ssh);
	struct str one = alert_of("Failed password for root from 192.0.2.1", false).fingerprint;
	assert_true(str_eq(one, event_fingerprint(&arena, by, 3)));
	assert_true(
		str_eq(one, alert_of("Failed password for eve from 192.0.2.1", false).fingerprint));
	assert_false(
		str_eq(one, alert_of("Failed password for eve from 192.0.2.2", false).fingerprint));
	struct event back = alert_of("Accepted key for eve from 192.0.2.1", true);
	assert_int_equal(back.status, EVENT_RESOLVED);
	assert_true(str_eq(one, back.fingerprint));
}

static void a_summary_without_its_value_is_the_line(void **state)
{
	char text[PATTERN_SUMMARY_LIMIT + 10];

	(void)state;
	build("patterns: [{name: a, match: 'disk', summary: '{{ labels.none }} is full'}]\n");
	assert_str(alert_of("disk sda", false).summary, "disk sda");
	memcpy(text, "disk", 4);
	for (size_t i = 4; i < sizeof(text) - 2; i += 2)
		memcpy(text + i, "\xC3\xA9", 2);
	text[4] = 'x';
	text[5] = 'x';
	memmove(text + 5, text + 6, sizeof(text) - 7); /* now the limit lies within a character */
	text[sizeof(text) - 3] = '\0';
	struct str s = alert_of(text, false).summary;
	assert_int_equal(s.n, PATTERN_SUMMARY_LIMIT - 1);
}

/* ---- the prefilter ---- */

static bool is_candidate(size_t pattern, struct str text)
{
	const uint32_t *v;
	size_t n = patterns_candidates(&rules->patterns, text, &v), times = 0;

	for (size_t i = 0; i < n; i++)
		times += v[i] == pattern;
	assert_true(times <= 1);
	return times == 1;
}

static void candidates(void **state)
{
	(void)state;
	build("patterns:\n"
	      "  - {name: a, match: 'he'}\n"
	      "  - {name: b, match: 'she (\\d+)'}\n"
	      "  - {name: c, match: '(?i)hers$|HIS'}\n"
	      "  - {name: d, match: '\\d\\d'}\n"
	      "  - {name: e, match: 'on', resolve: {match: 'off'}}\n"
	      "  - {name: f, match: 'on', resolve: {match: '\\d'}}\n"
	      "  - {name: g, match: '(?i)dis\xC3\xA9k'}\n");
	static const struct {
		const char *text, *want;
	} cases[] = {{"ushers", "abcdf"}, {"she 7", "abdf"}, {"xhisx", "cdf"}, {"nothing", "df"},
		{"off", "def"}, {"", "df"}, {"HE", "adf"}, {"her\xC5\xBF", "acdfg"},
		{"\xE2\x84\xAA", "cdfg"}, {"DIS\xC3\x89K", "dfg"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t p = 0; p < 7; p++) {
			bool want = strchr(cases[i].want, (int)('a' + p)) != NULL;
			if (p == 1 && strcmp(cases[i].text, "ushers") == 0)
				want = false; /* "she " with its blank */
			if (is_candidate(p, str_of(cases[i].text)) != want)
				fail_msg("pattern %zu on '%s'", p, cases[i].text);
		}
	assert_int_equal(try_line(2, &line, "her\xC5\xBF"), PATTERN_MATCHED);
	assert_int_equal(rules->patterns.v[3].literal, 0);
	assert_int_equal(rules->patterns.v[5].literal, 0);
	assert_int_equal(rules->patterns.v[4].literal, 2);
}

static uint64_t seed = 88172645463325252u;

static unsigned draw(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static void add_some(struct buf *b, const char *const *v, size_t n, unsigned most)
{
	for (unsigned k = draw(most) + 1; k > 0; k--)
		buf_puts(b, v[draw((unsigned)n)]);
}

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))
static const char *const regex_parts[] = {"disk", "Error", "k", "s", " ", "(?:ab|cd)", "(\\\\d+)",
	"[ab]", "a?", "e*", ".", "\\\\s+", "timed out", "(err|fail|x)", "\\\\b", "(?:abc){2}",
	"\xC3\xA9", "(?:|no)", "\\\\.", "^", "$", "(?!x)", "(?i:Y)"};
static const char *const text_parts[] = {"disk", "DISK", "Error", "error", "k", "s", "\xC5\xBF",
	"\xE2\x84\xAA", " ", "ab", "cd", "7", "42", "a", "e", "timed out", "err", "fail", "x",
	"abcabc", "\xC3\xA9", "\xC3\x89", ".", "no", "y", "\xFF", "\n"};

/* Random patterns over a small vocabulary, random lines over nearly the same one: what matches is a
 * candidate. */
static void the_prefilter_hides_nothing(void **state)
{
	size_t matched = 0, spared = 0;
	struct buf b, t;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	buf_init(&t, BUF_NO_LIMIT);
	for (int round = 0; round < 40; round++) {
		buf_clear(&b);
		buf_puts(&b, "patterns:\n");
		for (int i = 0; i < 60; i++) {
			buf_printf(&b, "- {name: p%d, match: \"%s", i, draw(3) == 0 ? "(?i)" : "");
			add_some(&b, regex_parts, COUNT(regex_parts), 5);
			buf_puts(&b, draw(4) == 0 ? "|" : "");
			add_some(&b, regex_parts, COUNT(regex_parts), 3);
			buf_puts(&b, "\"}\n");
		}
		build(b.p);
		for (int i = 0; i < 200; i++) {
			buf_clear(&t);
			add_some(&t, text_parts, COUNT(text_parts), draw(4) ? 8 : 120);
			for (size_t p = 0; p < rules->patterns.n; p++) {
				bool is = try_line(p, &line, t.p) == PATTERN_MATCHED;
				bool may = is_candidate(p, buf_as_str(&t));
				matched += is;
				spared += !may;
				if (is && !may)
					fail_msg("'%.*s' matches '%s', and is no candidate",
						STR_ARG(rules->patterns.v[p].match_text), t.p);
			}
		}
		ruleset_unref(rules);
		rules = NULL;
		arena_reset(&arena);
	}
	assert_true(matched > 10000 && spared > 10000);
	buf_release(&b);
	buf_release(&t);
}

/* So many texts that they have to be shortened, and so many that not all find room. */
static void many_texts_stay_within_bounds(void **state)
{
	static const size_t counts[] = {1, 100, 20000, 120000};

	(void)state;
	for (size_t c = 0; c < COUNT(counts); c++) {
		size_t n = counts[c];
		struct str *texts = arena_array(&arena, n, sizeof(*texts));
		struct prefilter_need *needs = arena_array(&arena, n, sizeof(*needs));
		bool *caseless = arena_array(&arena, n, sizeof(*caseless));
		for (size_t i = 0; i < n; i++) {
			texts[i] = arena_printf(
				&arena, "%06zx is the number of this", i * 2654435761u % 16777216);
			needs[i] = (struct prefilter_need){&texts[i], 1};
		}
		struct prefilter *f = prefilter_new(&arena, needs, caseless, n);
		assert_non_null(f);
		struct prefilter_figures is = prefilter_figures(f);
		assert_in_range(is.states, 2, PREFILTER_STATES_MAX);
		assert_int_equal(is.always, 0);
		for (size_t i = 0; i < n; i += n / 50 + 1) {
			const uint32_t *v;
			size_t k = prefilter_scan(f, texts[i], &v), at = 0;
			while (at < k && v[at] != i)
				at++;
			assert_true(at < k);
		}
		arena_reset(&arena);
	}
}

/* A text is found wherever it lies in a line of any length, and nothing that is not there. */
static void found_at_every_place(void **state)
{
	static const char needle[] = "0123456789abcdef and more";
	char line_[400];

	(void)state;
	build("patterns:\n"
	      "  - {name: a, match: '0123456789abcdef and more'}\n"
	      "  - {name: b, match: 'Q'}\n"
	      "  - {name: c, match: '0123456789abcdez'}\n");
	for (size_t n = 0; n < sizeof(line_); n += 1 + n / 97) {
		memset(line_, '.', sizeof(line_));
		assert_false(is_candidate(0, (struct str){line_, n}));
		assert_false(is_candidate(1, (struct str){line_, n}));
		for (size_t at = 0; at + sizeof(needle) - 1 <= n; at++) {
			memset(line_, '.', sizeof(line_));
			memcpy(line_ + at, needle, sizeof(needle) - 1);
			assert_true(is_candidate(0, (struct str){line_, n}));
			assert_false(is_candidate(1, (struct str){line_, n}));
			assert_false(is_candidate(2, (struct str){line_, n}));
			line_[at] = 'Q';
			assert_false(is_candidate(0, (struct str){line_, n}));
			assert_true(is_candidate(1, (struct str){line_, n}));
		}
	}
}

static void without_patterns_there_are_no_candidates(void **state)
{
	const uint32_t *v;

	(void)state;
	build("rules: []\n");
	assert_int_equal(patterns_candidates(&rules->patterns, STR("x"), &v), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(T(reads_a_pattern), T(what_is_not_said_has_a_default), T(bounds),
	T(patterns_are_part_of_the_hash), T(patterns_have_a_limit), T(verdicts),
	T(a_regex_that_gives_up_says_so), T(dot_stops_at_a_line_feed),
	T(an_alert_has_the_labels_of_its_line), T(identity_is_the_by_labels),
	T(a_summary_without_its_value_is_the_line), T(candidates), T(the_prefilter_hides_nothing),
	T(many_texts_stay_within_bounds), T(found_at_every_place),
	T(without_patterns_there_are_no_candidates))
