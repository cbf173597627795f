/* The index over rules: it gives what a scan gives, for random rules and events of all kinds; and it
 * leads to few rules where there are many. What it reads out of regexes. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "unit.h"
#include <pcre2.h>
#include "base/clock.h"
#include "rule/index.h"
#include "rule/literals.h"
#include "rule/ruleset.h"

static struct arena arena;
static struct diags diags;
static struct conf conf;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 256 << 20);
	diags_init(&diags);
	conf = (struct conf){.path = STR("runbookd.yml")};
	conf.limits.match_limit = 1000000;
	return 0;
}

static int end(void **state)
{
	(void)state;
	diags_release(&diags);
	arena_release(&arena);
	return 0;
}

static const char note[] = "# ---\n# summary: Note\n# kind: notify\n# ---\n";

static struct ruleset *build(const struct buf *yaml)
{
	struct ruleset_file file = {"a.yml", buf_as_str(yaml)}, book = {"note.sh", {note, sizeof(note) - 1}};
	struct ruleset_input in = {&file, 1, &book, 1, &conf};
	struct ruleset *rs = ruleset_build(&in, &diags);

	if (!rs)
		assert_findings(&diags, "");
	return rs;
}

/* ---- chance ---- */

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % n;
}

static bool one_in(unsigned n)
{
	return pick(n) == 0;
}

#define PICK(array) (array)[pick(sizeof(array) / sizeof((array)[0]))]

/* ---- random matchers ---- */

static const char *const lefts[] = {"alertname", "alertname", "severity", "team", "instance",
	"\"job.name\"", "\"na\xc3\xafve\"", "mountpoint", "event.source", "event.type",
	"event.status", "event.severity", "event.summary", "annotations.summary", "annotations.x",
	"data.a", "data.a.b", "data.list.0", "data.n", "data.on", "data"};
static const char *const values[] = {"", "HostDown", "HostOutOfMemory", "HostOutOfDiskSpace",
	"NodeFilesystemAlmostFull", "a-c", "b-c", "x-c", "ab", "abc", "aaa", "web-1:9100",
	"web-2:9100", "db", "critical", "warning", "firing", "resolved", "info", "alert", "deploy",
	"am", "runbookd", "\xc3\xa9t\xc3\xa9", "x y", "a,b", "say \"no\"", "line\nfeed", "{1}",
	"c:\\dir", "12", "true", "[1,2]", "{\"b\":\"ab\"}", "HOSTDOWN",
	"a-name-that-is-longer-than-the-thirty-two-bytes-of-a-prefix",
	"a-name-that-is-longer-than-the-thirty-two-bytes-of-another"};

static void put_plain(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (strchr("\\^$.[]|()?*+{}", *s))
			buf_putc(b, '\\');
		buf_putc(b, *s);
	}
}

static void put_regex(struct buf *b, unsigned depth);

/* A value in which something was loosened, so that it matches that value and others. */
static void put_loosened(struct buf *b)
{
	static const char *const any[] = {".*", ".+", ".", ".?", "[^x]*", "\\w*", "(?:.*)", "\\d*"};
	const char *v = PICK(values);
	size_t n = strlen(v), from = n ? pick((unsigned)n) : 0, to = from + pick((unsigned)(n - from) + 1);
	char head[100] = "", tail[100] = "";

	while (from > 0 && ((unsigned char)v[from] & 0xc0) == 0x80)
		from--;
	while (((unsigned char)v[to] & 0xc0) == 0x80)
		to++;
	memcpy(head, v, from);
	memcpy(tail, v + to, n - to);
	put_plain(b, head);
	buf_puts(b, PICK(any));
	put_plain(b, tail);
}

static void put_group(struct buf *b, unsigned depth)
{
	static const char *const heads[] = {"(", "(", "(?:", "(?:", "(?<g>", "(?P<h>", "(?>", "(?'i'",
		"(?i:", "(?=", "(?!", "(?<=", "(?|"};

	buf_puts(b, PICK(heads));
	put_regex(b, depth + 1);
	while (one_in(2)) {
		buf_putc(b, '|');
		put_regex(b, depth + 1);
	}
	buf_putc(b, ')');
}

static void put_piece(struct buf *b, unsigned depth)
{
	static const char *const pieces[] = {"a", "b", "c", "-", "x", "\\.", "[ab]", "[a-c]", "[^a]",
		"\\d", "\\w+", ".", ".*", "\\b", "^", "$", "\xc3\xa9", "[[:alpha:]]", "\\Qa-c\\E",
		"\\x61", "[x\\]]", "(?#no)", "\\A", "\\p{L}", "(*UCP)", "(?x) a", "(?i)"};
	static const char *const times[] = {"?", "*", "+", "{2}", "{0,2}", "{1,}", "??", "*+", "+?"};

	switch (pick(depth > 3 ? 3 : 5)) {
	case 0:
		put_plain(b, PICK(values));
		break;
	case 1:
		put_loosened(b);
		break;
	case 2:
		buf_puts(b, PICK(pieces));
		break;
	default:
		put_group(b, depth);
	}
	if (one_in(4))
		buf_puts(b, PICK(times));
}

static void put_regex(struct buf *b, unsigned depth)
{
	do
		put_piece(b, depth);
	while (one_in(3));
}

static void put_alternatives(struct buf *b)
{
	if (one_in(12))
		buf_puts(b, "(?i)");
	do {
		switch (pick(4)) {
		case 0:
			put_plain(b, PICK(values));
			break;
		case 1:
			put_loosened(b);
			break;
		case 2:
			buf_puts(b, "(a|b|x)-c");
			break;
		default:
			put_regex(b, 0);
		}
		if (!one_in(3))
			return;
		buf_putc(b, '|');
	} while (true);
}

static void put_quoted(struct buf *b, const struct buf *text)
{
	buf_putc(b, '"');
	for (size_t i = 0; i < text->n; i++) {
		char c = text->p[i];
		if (c == '\n') {
			buf_puts(b, "\\n");
			continue;
		}
		if (c == '"' || c == '\\')
			buf_putc(b, '\\');
		buf_putc(b, c);
	}
	buf_putc(b, '"');
}

/* NAME OP VALUE that can be parsed. */
static void put_matcher(struct buf *out)
{
	static const char *const ops[] = {"=", "=", "!=", "=~", "=~", "=~", "!~"};
	struct matchers m;
	struct err e;

	for (;;) {
		struct buf one, value;
		const char *op = PICK(ops);
		buf_init(&one, BUF_NO_LIMIT);
		buf_init(&value, BUF_NO_LIMIT);
		if (op[1] == '~')
			put_alternatives(&value);
		else
			buf_puts(&value, PICK(values));
		buf_printf(&one, "%s %s ", PICK(lefts), op);
		put_quoted(&one, &value);
		struct str copy = arena_strdup(&arena, buf_as_str(&one));
		buf_release(&one);
		buf_release(&value);
		if (matchers_parse(&arena, copy, &m, &e) < 0)
			continue;
		matchers_release(&m);
		buf_str(out, copy);
		return;
	}
}

static void put_matchers(struct buf *b)
{
	struct buf text;

	buf_init(&text, BUF_NO_LIMIT);
	put_matcher(&text);
	while (one_in(2)) {
		buf_puts(&text, ", ");
		put_matcher(&text);
	}
	buf_putc(b, '\'');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\'')
			buf_putc(b, '\'');
		buf_putc(b, text.p[i]);
	}
	buf_putc(b, '\'');
	buf_release(&text);
}

static void put_rule(struct buf *b, unsigned number)
{
	static const char *const when[] = {"", "", "    when: resolved\n", "    when: any\n"};

	buf_printf(b, "  - name: r%u\n    steps: [{runbook: note}]\n%s", number, PICK(when));
	bool any = one_in(4);
	if (!any || one_in(2)) {
		buf_puts(b, "    match: ");
		put_matchers(b);
		buf_putc(b, '\n');
	}
	if (!any)
		return;
	buf_puts(b, "    any:\n");
	for (unsigned i = 1 + pick(4); i > 0; i--) {
		buf_puts(b, "      - ");
		put_matchers(b);
		buf_putc(b, '\n');
	}
}

/* ---- random events ---- */

static void put_pairs(struct kv **out, size_t *n, const char *const *names, size_t names_n)
{
	struct kv *v = arena_array(&arena, names_n, sizeof(*v));

	*n = 0;
	for (size_t i = 0; i < names_n; i++)
		if (!one_in(3))
			v[(*n)++] = (struct kv){str_of(names[i]), str_of(PICK(values))};
	event_sort_labels(v, n, one_in(2));
	*out = v;
}

static const struct json *random_data(void)
{
	static const char *const texts[] = {"{}", "{\"a\":\"abc\"}", "{\"a\":{\"b\":\"ab\"}}",
		"{\"a\":{\"b\":\"HostDown\"},\"list\":[\"x y\"]}", "{\"n\":12,\"on\":true}",
		"{\"list\":[1,2],\"a\":\"\"}", "{\"a\":[1,2],\"n\":null}"};
	struct err e;

	if (one_in(4))
		return NULL;
	return json_parse(&arena, str_of(PICK(texts)), &e);
}

static struct event random_event(void)
{
	static const char *const labels[] = {
		"alertname", "severity", "team", "instance", "job.name", "na\xc3\xafve", "mountpoint", "other"};
	static const char *const annotations[] = {"summary", "x", "alertname"};
	struct event ev = {
		.source = str_of(one_in(3) ? "runbookd" : PICK(values)),
		.type = str_of(PICK(values)),
		.summary = str_of(PICK(values)),
		.status = (enum event_status)pick(3),
		.severity = (enum event_severity)pick(5),
		.data = random_data(),
	};

	put_pairs(&ev.labels, &ev.labels_n, labels, sizeof(labels) / sizeof(labels[0]));
	put_pairs(&ev.annotations, &ev.annotations_n, annotations, 3);
	return ev;
}

/* ---- the two beside each other ---- */

static void put_match(struct buf *b, const struct rule_match *m)
{
	buf_printf(b, " %.*s%s", STR_ARG(m->rule->name), m->failed ? "!" : "");
	for (size_t i = 0; i < m->groups.n; i++)
		buf_printf(b, " %.*s=%.*s", STR_ARG(m->groups.v[i].name),
			STR_ARG(m->groups.v[i].value));
}

static size_t compare(const struct ruleset *rs, const struct event *ev, uint64_t started)
{
	struct rule_match *v;
	struct buf found, wanted;
	size_t n;

	buf_init(&found, BUF_NO_LIMIT);
	buf_init(&wanted, BUF_NO_LIMIT);
	assert_int_equal(ruleset_match_scan(rs, &arena, ev, &v, &n), 0);
	for (size_t i = 0; i < n; i++)
		put_match(&wanted, &v[i]);
	assert_int_equal(ruleset_match(rs, &arena, ev, &v, &n), 0);
	for (size_t i = 0; i < n; i++)
		put_match(&found, &v[i]);
	if (!str_eq(buf_as_str(&found), buf_as_str(&wanted)))
		fail_msg("INDEX_SEED=%llu: the index gives\n%.*s\nand a scan\n%.*s",
			(unsigned long long)started, STR_ARG(buf_as_str(&found)),
			STR_ARG(buf_as_str(&wanted)));
	buf_release(&found);
	buf_release(&wanted);
	return n;
}

#define PAIRS 120000

/* Rule sets of 1 to 400 rules, each with some events, until there were PAIRS pairs. */
static void the_index_gives_what_a_scan_gives(void **state)
{
	const char *given = getenv("INDEX_SEED");
	uint64_t started = given ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_ms();
	size_t pairs = 0, matches = 0;

	(void)state;
	seed = (started + 1) * UINT64_C(0x9e3779b97f4a7c15);
	while (pairs < PAIRS) {
		struct buf yaml;
		unsigned rules = 1 + pick(one_in(4) ? 400 : 60);
		buf_init(&yaml, BUF_NO_LIMIT);
		buf_puts(&yaml, "rules:\n");
		for (unsigned i = 0; i < rules; i++)
			put_rule(&yaml, i);
		struct ruleset *rs = build(&yaml);
		buf_release(&yaml);
		for (unsigned i = 0; i < 40; i++) {
			struct event ev = random_event();
			matches += compare(rs, &ev, started);
			pairs += rules;
		}
		ruleset_unref(rs);
		arena_reset(&arena);
	}
	print_message("INDEX_SEED=%llu: %zu pairs, %zu of them matches\n",
		(unsigned long long)started, pairs, matches);
	assert_true(matches > pairs / 100);
}

/* ---- few candidates ---- */

static size_t candidates_of(const struct ruleset *rs, const struct event *ev)
{
	size_t n = 0;

	index_find(rs->index, &arena, ev);
	while (index_next(rs->index) != INDEX_END)
		n++;
	return n;
}

/* 8,000 rules: alternatives, prefixes, parts, and pairs of labels that only together are rare. */
static void many_rules_few_candidates(void **state)
{
	struct buf yaml;
	struct kv labels[] = {{STR("alertname"), STR("Disk7Full")}, {STR("instance"), STR("web-77-a")},
		{STR("severity"), STR("critical")}, {STR("team"), STR("team-9")}};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = labels, .labels_n = 4};

	(void)state;
	buf_init(&yaml, BUF_NO_LIMIT);
	buf_puts(&yaml, "rules:\n");
	for (unsigned i = 0; i < 2000; i++) {
		buf_printf(&yaml, "  - {name: a%u, steps: [{runbook: note}], match: 'alertname = Disk%uFull, "
				  "team = team-%u, severity = critical'}\n", i, i % 40, i / 40);
		buf_printf(&yaml, "  - {name: b%u, steps: [{runbook: note}], match: 'alertname =~ "
				  "\"(A|B|C)-%u\", severity = critical'}\n", i, i);
		buf_printf(&yaml, "  - {name: c%u, steps: [{runbook: note}], match: 'instance =~ "
				  "\"web-%u-.*\", severity = critical'}\n", i, i);
		buf_printf(&yaml, "  - {name: d%u, steps: [{runbook: note}], any: ['instance =~ "
				  "\".*:%u[0-9]\"', 'other = x%u'], match: 'severity = critical'}\n",
			i, i + 1000, i);
	}
	struct ruleset *rs = build(&yaml);
	assert_int_equal(compare(rs, &ev, 0), 2);
	assert_true(candidates_of(rs, &ev) <= 16);
	labels[0].value = STR("B-1234");
	assert_int_equal(compare(rs, &ev, 0), 2);
	labels[1].value = STR("web:15551");
	assert_int_equal(compare(rs, &ev, 0), 2);
	assert_true(candidates_of(rs, &ev) <= 16);
	ruleset_unref(rs);
	buf_release(&yaml);
}

/* ---- what a regex asks for ---- */

static void put_set(struct buf *b, const char *what, const struct str *v, size_t n)
{
	buf_puts(b, what);
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%.*s", i ? "|" : "", STR_ARG(v[i]));
}

static void check_literals(const char *regex, const char *want)
{
	struct literals l;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	if (!literals_of(&arena, str_of(regex), &l)) {
		buf_puts(&b, "unknown");
	} else {
		put_set(&b, l.precise ? "precise " : l.exact ? "exact " : "prefix ", l.v, l.n);
		if (!l.exact && l.part_n)
			put_set(&b, " part ", l.part, l.part_n);
		buf_puts(&b, l.nonempty ? "" : " or empty");
	}
	if (!str_is(buf_as_str(&b), want))
		fail_msg("'%s': got '%.*s', not '%s'", regex, STR_ARG(buf_as_str(&b)), want);
	buf_release(&b);
}

static void literals(void **state)
{
	(void)state;
	check_literals("abc", "precise abc");
	check_literals("", "precise  or empty");
	check_literals("a|b|", "precise a|b| or empty");
	check_literals("(a|b)-c", "precise a-c|b-c");
	check_literals("(?:x|y)(1|2)?", "precise x1|x2|x|y1|y2|y");
	check_literals("^(?:x|y)$", "precise x|y");
	check_literals("[Hh]ost\\.down", "precise Host.down|host.down");
	check_literals("(?<n>a|b)c", "exact ac|bc");
	check_literals("a\\bb", "exact ab");
	check_literals("a^b", "exact ab");
	check_literals("Host.*", "prefix Host part Host");
	check_literals("(Host|Node).+Full", "prefix Host|Node part Full");
	check_literals("H.*OutOfMemory", "prefix H part OutOfMemory");
	check_literals(".*(disk|memory).*", "prefix  part disk|memory");
	check_literals(".*", "prefix  or empty");
	check_literals(".+", "prefix ");
	check_literals("(ab)+c", "prefix ab part ab");
	check_literals("\xc3\xa9*a", "prefix  part a");
	check_literals("ab{2,3}", "prefix ab part a");
	check_literals("a{0}b", "prefix  part b");
	check_literals("[0-9]+-x", "prefix  part -x");
	check_literals("[^a]x", "prefix  part x");
	check_literals("x(a|b.*)y", "prefix xa|xb part x");
	check_literals("a??b", "precise ab|b");
	check_literals("a?+b", "exact ab|b");
	check_literals("[.]x", "precise .x");
	check_literals("[:a]", "precise :|a");
	for (size_t i = 0; i < 1; i++) {
		static const char *const unknown[] = {"(?i)abc", "(?=a)b", "(?<=a)b", "(?<!a)b", "(?!a)b",
			"(a)\\1", "\\x61", "\\Qa\\E", "(*UCP)a", "(?|a|b)", "a{,2}", "\\p{L}", "[[:alpha:]]",
			"(?#x)a", "(", "a)", "[a", "a**", "*a", "(?P>n)", "(?(1)a|b)", "\\", "[]a]", "(?<n",
			"[:a:]", "[.a.]", "[=a=]b"};
		for (size_t k = 0; k < sizeof(unknown) / sizeof(unknown[0]); k++)
			check_literals(unknown[k], "unknown");
	}
}

static bool is_one(const struct str *v, size_t n, struct str value)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], value))
			return true;
	return false;
}

static bool begins_with_one(const struct str *v, size_t n, struct str value)
{
	for (size_t i = 0; i < n; i++)
		if (str_starts(value, v[i]))
			return true;
	return false;
}

static bool holds_one(const struct str *v, size_t n, struct str value)
{
	for (size_t i = 0; i < n; i++)
		if (memmem(value.p, value.n, v[i].p, v[i].n))
			return true;
	return n == 0;
}

/* Is what is said of the regex true of this value? */
static bool is_true(const struct literals *l, struct str value, bool matches)
{
	if (l->precise && is_one(l->v, l->n, value) != matches)
		return false;
	if (!matches)
		return true;
	return (l->exact ? is_one : begins_with_one)(l->v, l->n, value) &&
	       holds_one(l->part, l->part_n, value) && !(l->nonempty && value.n == 0);
}

/* A text that a set of random regexes is held against: a value, or two in one. */
static struct str random_value(const struct literals *l)
{
	struct str v = l->n && one_in(3) ? l->v[pick((unsigned)l->n)] : str_of(PICK(values));

	return one_in(3) ? arena_printf(&arena, "%.*s%s", STR_ARG(v), PICK(values)) : v;
}

static void literals_are_true_of_what_pcre2_matches(void **state)
{
	const char *given = getenv("INDEX_SEED");
	uint64_t started = given ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_ms();
	pcre2_match_data *data = pcre2_match_data_create(100, NULL);
	size_t said = 0, matched = 0;

	(void)state;
	seed = (started + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (int i = 0; i < 20000; i++) {
		struct literals l;
		struct buf b;
		size_t at;
		int code;
		buf_init(&b, BUF_NO_LIMIT);
		put_alternatives(&b);
		struct str re = arena_strdup(&arena, buf_as_str(&b));
		buf_release(&b);
		bool known = literals_of(&arena, re, &l);
		pcre2_code *c = pcre2_compile((PCRE2_SPTR)re.p, re.n,
			PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY,
			&code, &at, NULL);
		if (known && l.precise && !c)
			fail_msg("'%.*s' is no regex", STR_ARG(re));
		for (int k = 0; known && c && k < 20; k++) {
			struct str v = random_value(&l);
			bool matches = pcre2_match(c, (PCRE2_SPTR)v.p, v.n, 0, 0, data, NULL) >= 0;
			if (!is_true(&l, v, matches))
				fail_msg("INDEX_SEED=%llu: '%.*s' on '%.*s'", (unsigned long long)started,
					STR_ARG(re), STR_ARG(v));
			matched += matches;
			said++;
		}
		pcre2_code_free(c);
		arena_reset(&arena);
	}
	pcre2_match_data_free(data);
	assert_true(said > 20000 && matched > said / 20);
}

/* "Host.*" and the like are compared and not handed to PCRE2: with the same answer. */
static void words_with_open_ends_mean_what_pcre2_says(void **state)
{
	static const char *const heads[] = {"", "", ".*", ".+", "^", "^.*", "^.+", ".*?", ".*.*", "(.*)",
		".*^"};
	static const char *const tails[] = {"", "", ".*", ".+", "$", ".*$", ".+$", "\\.*", ".*|b", ".+?", "$.*"};
	static const char *const bodies[] = {"", "a", "(a|ab)", "(?:web|db)-1", "[ab]c", "a|b", "\\.", "\\\\",
		"\xc3\xa9", "x?", "(?i)A", "(?<n>a)", "(a|)", "[|]", "[(]|b", "x|[)(]"};
	static const char *const held[] = {"", "a", "ab", "xa", "ax", "xax", "web-1", "web-1:9100", "a.", ".", "ac", "abc",
		"\\", "a\\.b", "\xc3\xa9", "\xc3\xa9\xc3\xa9", "a\xff", "\xff-", "line\na", "A", "b", "|", "x|", "(", "(b", "xb", "b)"};
	struct matcher_scratch *s = matcher_scratch_new(100000);
	pcre2_match_data *data = pcre2_match_data_create(100, NULL);

	(void)state;
	for (size_t i = 0; i < 11 * 11 * 16; i++) {
		struct str re = arena_printf(
			&arena, "%s%s%s", heads[i % 11], bodies[i / (11 * 11)], tails[i / 11 % 11]);
		struct buf b, quoted;
		struct matchers m;
		struct err e;
		size_t at;
		int code;
		pcre2_code *c = pcre2_compile((PCRE2_SPTR)re.p, re.n,
			PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL |
				PCRE2_DOLLAR_ENDONLY,
			&code, &at, NULL);
		assert_non_null(c);
		assert_int_equal(pcre2_jit_compile(c, PCRE2_JIT_COMPLETE), 0);
		buf_init(&b, BUF_NO_LIMIT);
		buf_init(&quoted, BUF_NO_LIMIT);
		buf_str(&b, re);
		buf_puts(&quoted, "x =~ ");
		put_quoted(&quoted, &b);
		assert_int_equal(matchers_parse(&arena, buf_as_str(&quoted), &m, &e), 0);
		for (size_t k = 0; k < sizeof(held) / sizeof(held[0]); k++) {
			struct kv x = {STR("x"), str_of(held[k])};
			struct event ev = {.labels = &x, .labels_n = 1};
			int wanted = pcre2_match(c, (PCRE2_SPTR)x.value.p, x.value.n, 0, 0, data, NULL) >= 0;
			if (matchers_eval(&m, s, &arena, &ev, NULL, &e) != wanted)
				fail_msg("'%.*s' on '%s' is %d for PCRE2", STR_ARG(re), held[k], wanted);
		}
		matchers_release(&m);
		pcre2_code_free(c);
		buf_release(&b);
		buf_release(&quoted);
	}
	pcre2_match_data_free(data);
	matcher_scratch_free(s);
}

/* Past its bounds less is said, and never something wrong. */
static void literals_have_bounds(void **state)
{
	struct literals l;
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	for (int i = 0; i < 20; i++)
		buf_puts(&b, "[ab]");
	assert_true(literals_of(&arena, buf_as_str(&b), &l));
	assert_true(!l.exact && l.n == LITERALS_MAX && l.v[0].n == 9);
	buf_clear(&b);
	for (int i = 0; i < 40; i++)
		buf_putc(&b, '(');
	buf_puts(&b, "a");
	for (int i = 0; i < 40; i++)
		buf_putc(&b, ')');
	assert_false(literals_of(&arena, buf_as_str(&b), &l));
	buf_clear(&b);
	for (int i = 0; i < 700; i++)
		buf_printf(&b, "%s(w%d)", i ? "|" : "", i);
	assert_false(literals_of(&arena, buf_as_str(&b), &l)); /* more groups than a regex may have */
	buf_clear(&b);
	buf_puts(&b, "(?:");
	for (int i = 0; i < 700; i++)
		buf_printf(&b, "%sw%d", i ? "|" : "", i);
	buf_puts(&b, ")x");
	assert_true(literals_of(&arena, buf_as_str(&b), &l));
	assert_true(!l.exact && l.nonempty);
	buf_release(&b);
}

TESTS_MAIN(cmocka_unit_test_setup_teardown(literals, begin, end),
	cmocka_unit_test_setup_teardown(literals_are_true_of_what_pcre2_matches, begin, end),
	cmocka_unit_test_setup_teardown(words_with_open_ends_mean_what_pcre2_says, begin, end),
	cmocka_unit_test_setup_teardown(literals_have_bounds, begin, end),
	cmocka_unit_test_setup_teardown(many_rules_few_candidates, begin, end),
	cmocka_unit_test_setup_teardown(the_index_gives_what_a_scan_gives, begin, end))
