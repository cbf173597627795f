/* Lines put together by kind: what is a mark, what a merge keeps, bounds; how well the groups meet
 * those that people made, on logs of our own and, where it is at hand, on a sample of sshd. And
 * what is proposed for a group: it matches every line of the group, whatever the lines. */
#include "unit.h"
#include "base/file.h"
#include "rule/drain.h"
#include "rule/ruleset.h"
#include "rule/suggest.h"

static struct arena arena;
static struct drain *drain;
static uint64_t number; /* of the last line */

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 256 << 20);
	drain = drain_new();
	number = 0;
	return drain ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	drain_free(drain);
	arena_release(&arena);
	return 0;
}

static struct drain_group *add(struct str message)
{
	struct drain_line l = {.message = message, .number = ++number};

	return drain_add(drain, &l);
}

/* Marks as letters in angle brackets. */
static struct str shown(const struct str *tokens, size_t n)
{
	static const char *const names[DRAIN_MARKS] = {
		"", "<*>", "<?>", "<n>", "<a>", "<h>", "<u>", "<p>", "<d>"};
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	for (size_t t = 0; t < n; t++) {
		buf_puts(&b, t ? " " : "");
		for (size_t i = 0; i < tokens[t].n; i++)
			if (drain_is_mark(tokens[t].p[i]))
				buf_puts(&b, names[(int)tokens[t].p[i]]);
			else
				buf_putc(&b, tokens[t].p[i]);
	}
	struct str s = arena_strdup(&arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

/* ---- marks and merges ---- */

static void what_changes_by_its_nature_is_a_mark(void **state)
{
	static const struct {
		const char *message, *want;
	} cases[] = {
		{"took 12 of 30", "took <n> of <n>"},
		{"took 12ms, 5% of -3", "took <n>ms, <n>% of <n>"},
		{"sshd[4123]: ssh2 eth0 sda1 x86_64", "sshd[<n>]: ssh2 eth0 sda1 x86_64"},
		{"from 192.0.2.7:443, 192.0.2.7.", "from <a>:<n>, <a>."},
		{"from 2001:db8::17 ::1 10:33:21", "from <a> <a> <n>:<n>:<n>"},
		{"mac 52:54:00:ab:cd:ef", "mac <a>"},
		{"version 1.2.3", "version <n>.<n>.<n>"},
		{"rip 0x7ffe12 sp deadbeef01 deadbeef cafe", "rip <h> sp <h> deadbeef cafe"},
		{"id=3f2b8c1e-0d7a-4c66-9a51-77b1c2d3e4f5;", "id=<u>;"},
		{"open \"/var/log/x.log\", (/srv/a) and/or n/a /",
			"open \"<p>\", (<p>) and/or n/a /"},
		{"/etc/app.conf: bad", "<p>: bad"},
		{"[Sat Nov 28 2026] Sat, 28/Nov/2026: Monday Sunny May-be",
			"[<d> <d> <n> <n>] <d>, <n>/<d>/<n>: Monday Sunny May-be"},
		{"2026-11-28 07:05:01,123", "<n>-<n>-<n> <n>:<n>:<n>,<n>"},
		{"a\x01"
		 "b bad\xff utf zero\xe2\x80\xa8width \xc3\xa9t\xc3\xa9",
			"<*> <*> utf <*> \xc3\xa9t\xc3\xa9"},
		{"  \t ", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct drain_tokens t;

		drain_tokens(&arena, str_of(cases[i].message), true, &t);
		assert_str(shown(t.v, t.n), cases[i].want);
		assert_false(t.cut);
	}
}

static void a_merge_keeps_what_stands_before_a_delimiter(void **state)
{
	static const struct {
		const char *x, *y, *want;
	} cases[] = {
		{"same", "same", "same"},
		{"root", "admin", "<*>"},
		{"user=root", "user=bob", "user=<*>"},
		{"user=", "user=bob", "user=<?>"},
		{"user=\x02", "user=bob", "user=<?>"},
		{"(root)", "(bob)", "(<*>)"},
		{"\"a\",", "\"bc\",", "\"<*>\","},
		{"abcd", "abxd", "<*>"},
		{"tenant-a", "tenant-bc", "tenant-<*>"},
		{"port=\x03,", "port=x,", "port=<*>,"},
		{"\x03", "\x04", "<*>"},
		{"a=\x03:b", "a=\x03:c", "a=<n>:<*>"},
		{"a::b", "a:b", "a:<?>:b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str m = drain_merge(&arena, str_of(cases[i].x), str_of(cases[i].y));
		struct str n = drain_merge(&arena, str_of(cases[i].y), str_of(cases[i].x));

		if (i != 12) /* either is right */
			assert_str(shown(&m, 1), cases[i].want);
		assert_str(shown(&n, 1), shown(&m, 1).p);
	}
}

/* ---- bounds ---- */

static void a_long_line_is_looked_at_in_part(void **state)
{
	struct drain_tokens t;
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	for (int i = 0; i < DRAIN_TOKENS; i++)
		buf_puts(&b, "w ");
	drain_tokens(&arena, buf_as_str(&b), true, &t);
	assert_true(t.n == DRAIN_TOKENS && !t.cut && t.trailing);
	buf_puts(&b, "one more");
	drain_tokens(&arena, buf_as_str(&b), true, &t);
	assert_true(t.n == DRAIN_TOKENS && t.cut && !t.trailing);
	buf_clear(&b);
	buf_puts(&b, "first ");
	for (int i = 0; i < DRAIN_BYTES; i++)
		buf_putc(&b, 'x');
	drain_tokens(&arena, buf_as_str(&b), true, &t);
	assert_true(t.n == 1 && t.cut);
	assert_true(add(buf_as_str(&b))->cut);
	buf_release(&b);
	assert_null(add(STR("   ")));
	assert_int_equal(drain_left_out(drain), 0); /* an empty line is none */
}

static struct str word(unsigned n)
{
	char text[16];
	size_t k = 0;

	do
		text[k++] = (char)('a' + n % 26);
	while (n /= 26);
	return arena_strdup(&arena, (struct str){text, k});
}

static void groups_are_bounded_and_the_rest_is_counted(void **state)
{
	unsigned most = 0;
	size_t n;

	(void)state;
	/* Twelve words that no other line has: each its own kind. */
	for (unsigned i = 0; i < 3 * DRAIN_GROUPS; i++) {
		struct buf b;

		buf_init(&b, BUF_NO_LIMIT);
		for (unsigned k = 0; k < 3 + i % 60; k++) {
			buf_str(&b, word(7 + 31 * i + k * 1000003));
			buf_putc(&b, ' ');
		}
		most += add(buf_as_str(&b)) != NULL;
		buf_release(&b);
	}
	drain_groups(drain, &n);
	assert_int_equal(n, DRAIN_GROUPS);
	assert_int_equal(most + drain_left_out(drain), 3 * DRAIN_GROUPS);
	assert_true(drain_left_out(drain) > 0);
	/* What is known is still taken. */
	struct drain_group *g = drain_groups(drain, &n)[0];
	uint64_t count = g->count;
	assert_ptr_equal(add(g->samples[0]), g);
	assert_int_equal(g->count, count + 1);
}

static void groups_of_one_branch_are_bounded(void **state)
{
	size_t n;

	(void)state;
	/* The first tokens lead all of them to one node; the others differ. */
	for (unsigned i = 0; i < DRAIN_LEAF + 50; i++)
		add(arena_printf(&arena, "%u %u %.*s %.*s %.*s", i, i, STR_ARG(word(7 + 3 * i)),
			STR_ARG(word(1000 + 7 * i)), STR_ARG(word(90000 + 11 * i))));
	drain_groups(drain, &n);
	assert_int_equal(n, DRAIN_LEAF);
	assert_int_equal(drain_left_out(drain), 50);
}

static void the_first_lines_that_differ_are_kept(void **state)
{
	struct drain_group *g = NULL;

	(void)state;
	for (unsigned i = 0; i < 3 * DRAIN_SAMPLES; i++) {
		g = add(arena_printf(&arena, "the same words and %u", i));
		assert_ptr_equal(add(arena_printf(&arena, "the same words and %u", i)), g);
	}
	assert_int_equal(g->samples_n, DRAIN_SAMPLES);
	assert_str(g->samples[DRAIN_SAMPLES - 1], "the same words and 15");
	assert_int_equal(g->count, 6 * DRAIN_SAMPLES);
}

static void children_past_the_bound_share_a_branch(void **state)
{
	struct drain_group *g = NULL;

	(void)state;
	for (unsigned i = 0; i < 2 * DRAIN_CHILDREN; i++)
		g = add(arena_printf(
			&arena, "%.*s went away from the second shelf", STR_ARG(word(i))));
	assert_true(g->count >= DRAIN_CHILDREN - 1);
	assert_str(shown(g->tokens, g->n), "<*> went away from the second shelf");
	assert_int_equal(drain_left_out(drain), 0);
}

static void lines_of_two_programs_are_two_groups(void **state)
{
	struct drain_line l = {
		.message = STR("cannot open /etc/a"), .program = STR("one"), .number = 1};
	struct drain_group *one = drain_add(drain, &l);

	(void)state;
	l.program = STR("two");
	l.level = SEVERITY_ERROR;
	struct drain_group *two = drain_add(drain, &l);
	assert_ptr_not_equal(one, two);
	assert_str(two->program, "two");
	assert_int_equal(one->level, SEVERITY_UNKNOWN);
	assert_int_equal(two->level, SEVERITY_ERROR);
}

static void what_only_its_first_tokens_keep_apart_is_put_together(void **state)
{
	struct drain_group *const *v;
	size_t n;

	(void)state;
	for (unsigned i = 0; i < DRAIN_ALIKE; i++) {
		add(arena_printf(&arena, "user %.*s: session closed", STR_ARG(word(i))));
		add(arena_printf(&arena, "user %.*s: session closed", STR_ARG(word(i))));
	}
	/* These are fewer: they may mean different things. */
	add(STR("opened the door again"));
	add(STR("closed the door again"));
	for (unsigned i = 0; i < DRAIN_ALIKE - 1; i++)
		add(arena_printf(&arena, "%.*s starts the engine", STR_ARG(word(i))));
	drain_groups(drain, &n);
	assert_int_equal(n, DRAIN_ALIKE + 2 + DRAIN_ALIKE - 1);
	drain_finish(drain);
	v = drain_groups(drain, &n);
	assert_int_equal(n, 1 + 2 + DRAIN_ALIKE - 1);
	assert_str(shown(v[0]->tokens, v[0]->n), "user <*>: session closed");
	assert_int_equal(v[0]->count, 2 * DRAIN_ALIKE);
	assert_int_equal(v[0]->samples_n, DRAIN_ALIKE);
	assert_int_equal(v[0]->first, 1);
	assert_int_equal(v[0]->last, 2 * DRAIN_ALIKE);
	assert_str(shown(v[1]->tokens, v[1]->n), "opened the door again");
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

/* ---- how well groups are met ---- */

struct labelled {
	struct str message;
	size_t truth;
	struct drain_group *group;
};

static void group_all(struct labelled *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i].group = add(v[i].message);
	drain_finish(drain);
	for (size_t i = 0; i < n; i++)
		while (v[i].group && v[i].group->into)
			v[i].group = v[i].group->into;
}

/* The part of the lines whose group has exactly the lines of their kind: what papers call grouping
 * accuracy. */
static double accuracy(struct labelled *v, size_t n, size_t kinds)
{
	size_t *of_kind = arena_array(&arena, kinds, sizeof(*of_kind)), good = 0;

	group_all(v, n);
	for (size_t i = 0; i < n; i++)
		of_kind[v[i].truth]++;
	for (size_t i = 0; i < n; i++) {
		size_t both = 0;

		for (size_t k = 0; k < n; k++)
			both += v[k].group == v[i].group && v[k].truth == v[i].truth;
		good += both == of_kind[v[i].truth] && both == v[i].group->count;
	}
	return (double)good / (double)n;
}

static const char *const kinds[] = {
	"Accepted connection # from @:#",
	"connection # closed after #ms, # bytes",
	"user %: session opened by uid #",
	"user %: session closed",
	"GET /srv/% took #ms status=#",
	"POST /srv/% took #ms status=#",
	"ERROR worker % failed: no answer from @ after #s",
	"WARN queue % is # messages long",
	"disk /dev/%: # sectors remapped",
	"cache hit rate # per cent",
	"replica @ is # bytes behind",
	"reading configuration from /etc/%.conf",
	"certificate of % expires in # days",
	"out of memory: killed process # (%) total-vm:#kB",
	"retry # of # for job %",
	"panic: index out of range in %",
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *const things[] = {
	"alpha", "beta", "gamma", "delta", "web-1", "web-2", "db-main", "payments", "mail"};

/* # a number, @ an address, % a name. */
static struct str line_of(const char *kind)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	for (const char *c = kind; *c; c++)
		if (*c == '#')
			buf_u64(&b, pick(100000));
		else if (*c == '@')
			buf_printf(&b, "192.0.2.%u", pick(256));
		else if (*c == '%')
			buf_puts(&b, things[pick(sizeof(things) / sizeof(things[0]))]);
		else
			buf_putc(&b, *c);
	struct str s = arena_strdup(&arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static void kinds_of_our_own_are_found_again(void **state)
{
	struct labelled v[2000];
	double got;

	(void)state;
	seed = 88172645463325252u;
	for (size_t i = 0; i < 2000; i++) {
		v[i] = (struct labelled){.truth = pick(KINDS)};
		v[i].message = line_of(kinds[v[i].truth]);
	}
	got = accuracy(v, 2000, KINDS);
	print_message("grouping accuracy on %zu kinds of our own: %.3f\n", KINDS, got);
	assert_true(got > 0.99);
}

/* ---- a sample of sshd, by people's templates ---- */

static struct str take_line(struct str *rest)
{
	const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	size_t n = end ? (size_t)(end - rest->p) : rest->n;
	struct str line = {rest->p, n};

	*rest = (struct str){rest->p + n + (end != NULL), rest->n - n - (end != NULL)};
	while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
		line.n--;
	return line;
}

/* Does the text meet a template with <*> in it? */
static bool meets(struct str template, struct str text)
{
	size_t n = 0;

	while (n < template.n &&
		!str_starts((struct str){template.p + n, template.n - n}, STR("<*>")))
		n++;
	if (text.n < n || memcmp(template.p, text.p, n) != 0)
		return false;
	if (n == template.n)
		return text.n == n;
	template = (struct str){template.p + n + 3, template.n - n - 3};
	for (size_t i = n; i <= text.n; i++)
		if (meets(template, (struct str){text.p + i, text.n - i}))
			return true;
	return false;
}

static size_t literal_bytes(struct str template)
{
	size_t n = template.n;

	for (size_t i = 0; i + 2 < template.n; i++)
		n -= memcmp(template.p + i, "<*>", 3) == 0 ? 3 : 0;
	return n;
}

static void a_sample_of_sshd_is_grouped_as_people_did(void **state)
{
	struct str templates[64];
	struct labelled v[4000];
	size_t kinds_n = 0, n = 0;
	struct buf log, csv;
	struct err e;

	(void)state;
	buf_init(&log, 8 << 20);
	buf_init(&csv, 1 << 20);
	if (file_read(SHARED_DIR "/payloads/logs/OpenSSH_2k.log", &log, &e) < 0 ||
		file_read(SHARED_DIR "/payloads/logs/OpenSSH_2k.log_templates.csv", &csv, &e) < 0)
		goto out; /* the lines of our own above say the same */
	struct str rest = buf_as_str(&csv);
	take_line(&rest);
	while (rest.n && kinds_n < 64) {
		struct str line = take_line(&rest);
		const char *comma = memchr(line.p, ',', line.n);
		templates[kinds_n++] =
			(struct str){comma + 1, (size_t)(line.p + line.n - comma - 1)};
	}
	rest = buf_as_str(&log);
	while (rest.n && n < 4000) {
		struct str line = take_line(&rest);
		const char *colon = memmem(line.p, line.n, "]: ", 3);
		size_t best = 0;

		v[n] = (struct labelled){
			.message = {colon + 3, (size_t)(line.p + line.n - colon - 3)}, .truth = 64};
		for (size_t k = 0; k < kinds_n; k++)
			if (meets(templates[k], v[n].message) &&
				literal_bytes(templates[k]) > best) {
				best = literal_bytes(templates[k]);
				v[n].truth = k;
			}
		assert_true(v[n].truth < 64);
		n++;
	}
	assert_int_equal(n, 2000);
	double got = accuracy(v, n, kinds_n);
	size_t groups;
	drain_groups(drain, &groups);
	print_message("grouping accuracy on sshd: %.3f, %zu groups for %zu templates\n", got,
		groups, kinds_n);
	assert_true(got > 0.9);
out:
	buf_release(&csv);
	buf_release(&log);
}

/* ---- what is proposed ---- */

/* The proposals as a file of patterns, read as such. */
static struct ruleset *load(struct str yaml)
{
	struct diags d;
	struct conf *conf;
	const struct ruleset_file file = {"p.yml", yaml};
	struct ruleset *rs;

	diags_init(&d);
	conf = conf_parse(STR(""), "c.yml", "/", &d);
	assert_non_null(conf);
	rs = ruleset_build(&(struct ruleset_input){.rules = &file, .rules_n = 1, .conf = conf}, &d);
	assert_findings(&d, "");
	conf_free(conf);
	diags_release(&d);
	return rs;
}

/* Does the i-th pattern take the line, which the prefilter lets pass to it? */
static bool takes(const struct ruleset *rs, size_t i, struct str program, struct str message)
{
	struct kv label = {STR("program"), program};
	const struct event line = {.labels = &label, .labels_n = program.n > 0};
	struct matcher_groups groups = {0};
	const uint32_t *which;
	size_t n = patterns_candidates(&rs->patterns, message, &which);
	struct err e;

	while (n > 0 && which[n - 1] != i)
		n--;
	matcher_scratch_begin(rs->scratch);
	return n > 0 && pattern_try(&rs->patterns.v[i], rs->scratch, &arena, &line, message,
				&groups, &e) == PATTERN_MATCHED;
}

static struct suggestion suggestion_of(const struct drain_group *g)
{
	struct suggestion s;

	assert_true(suggest_pattern(&arena, g, &s));
	return s;
}

static struct str yaml_of(const struct suggestion *s)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	suggest_write(&b, s);
	struct str text = arena_strdup(&arena, buf_as_str(&b));
	buf_release(&b);
	return text;
}

static void a_pattern_has_names_for_things_and_none_for_what_only_changes(void **state)
{
	struct drain_group *g = NULL;

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		g = add(arena_printf(&arena, "Failed login for %s from 192.0.2.%u port %u",
			things[i % 4], i % 7, 30000 + i * 7));
	struct suggestion s = suggestion_of(g);
	assert_str(s.match,
		"^Failed login for (?<value>\\S+) from (?<ip>[0-9A-Fa-f:.]+) port [-+]?\\d+$");
	assert_str(s.by, "ip");
	assert_int_equal(s.severity, SEVERITY_ERROR);
	assert_str(yaml_of(&s),
		"  # 30 lines, the first one is line 1: Failed login for alpha from 192.0.2.0 port "
		"30000\n"
		"  - name: failed-login-for\n"
		"    match: '^Failed login for (?<value>\\S+) from (?<ip>[0-9A-Fa-f:.]+) port "
		"[-+]?\\d+$'\n"
		"    threshold: {count: 5, within: 5m, by: [ip]}\n"
		"    resolve: {after: 10m}\n"
		"    severity: error\n"
		"    summary: 'Failed login for {{ labels.value }} from {{ labels.ip }} port …'\n");
}

static void blanks_are_as_in_all_of_the_lines(void **state)
{
	struct drain_group *g = add(STR("one two  three four"));

	(void)state;
	assert_str(suggestion_of(g).match, "^one two\\s+three four$");
	add(STR("one two three\tfour "));
	assert_str(suggestion_of(g).match, "^one two\\s+three\\s+four\\s*$");
	add(STR(" one two three four"));
	assert_str(suggestion_of(g).match, "^\\s*one two\\s+three\\s+four\\s*$");
}

static void what_has_a_value_of_its_own_for_each_line_gets_no_name(void **state)
{
	struct drain_group *g = NULL;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		g = add(arena_printf(&arena, "request r%u-%x of tenant %s=big failed", i * 7919,
			i * 104729, i % 2 ? "t1" : "t2"));
	struct suggestion s = suggestion_of(g);
	assert_int_equal(s.groups_n, 1);
	assert_str(s.groups[0], "tenant");
}

static void names_are_bounded(void **state)
{
	struct drain_group *g = NULL;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const char *v = things[i];
		struct drain_line l = {.program = STR("a-program-whose-name-is-longer-than-a-"
						      "pattern-may-be-called-at-all"),
			.message = arena_printf(&arena,
				"some words that stay here at all times and more of them so that "
				"it is one kind: a=%s b=%s c=%s d=%s e=%s f=%s g=%s h=%s",
				v, v, v, v, v, v, v, v)};
		g = drain_add(drain, &l);
	}
	struct suggestion s = suggestion_of(g);
	assert_int_equal(s.groups_n, SUGGEST_GROUPS);
	assert_has(s.match, " f=(?<f>\\S+) g=\\S+ h=\\S+$");
	assert_true(s.name.n > 20 && s.name.n <= SUGGEST_NAME);
	for (unsigned i = 0; i < 4; i++)
		g = add(arena_printf(
			&arena, "words then a_key_that_is_longer_than_a_label=%s", things[i]));
	s = suggestion_of(g);
	assert_int_equal(s.groups_n, 1);
	assert_str(s.groups[0], "value");
	/* Three bytes in common are too few, four will do. */
	assert_false(suggest_pattern(&arena, add(STR("abc 1 2 3")), &s));
	assert_true(suggest_pattern(&arena, add(STR("abcd 1 2 3")), &s));
}

static void a_group_with_nothing_in_common_gets_no_pattern(void **state)
{
	struct suggestion s;

	(void)state;
	assert_false(suggest_pattern(&arena, add(STR("12 0x7f / 192.0.2.1 up")), &s));
}

static void worse_and_more_comes_first(void **state)
{
	struct drain_group *often = NULL, *bad = add(STR("kernel panic in module a")),
			   *rare = add(STR("all is well today"));

	(void)state;
	for (int i = 0; i < 100; i++)
		often = add(STR("the server is happy and content"));
	assert_true(suggest_weight(bad) > suggest_weight(often));
	assert_true(suggest_weight(often) > suggest_weight(rare));
	assert_int_equal(suggest_severity(bad), SEVERITY_CRITICAL);
	/* A value alarms nobody. */
	add(STR("hello user=panic today"));
	assert_int_equal(suggest_severity(add(STR("hello user=bob today"))), SEVERITY_INFO);
}

/* Lines of all that may stand in a log, and some that may not. */
static struct str nasty_line(void)
{
	static const char *const pieces[] = {" ", " ", "\t", "  ", "a", "user=", "root", "=", ":",
		"(", ")", "[", "]", "{", "}", "{{", "'", "\"", "\\", "\\E", "\\Q", "$", "^", "*",
		"+", "?", "|", "#", ".", "-", "/", "/var/log/x", "12", "-7", "0x1f", "192.0.2.1",
		"2001:db8::1", "::", "deadbeef99", "3f2b8c1e-0d7a-4c66-9a51-77b1c2d3e4f5", "12ms",
		"\xc3\xa9", "\xe2\x80\xa8", "\xc2\xa0", "\xef\xbb\xbf", "\x01", "\x07", "\x7f",
		"\r", "\n", "%s", "<", ">", ",", ";", "&", "@", "failed", "error", "of", "the"};
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_printf(&b, "words of %s ", things[pick(sizeof(things) / sizeof(things[0]))]);
	buf_printf(&b, "%.*s ", STR_ARG(word(pick(20))));
	for (unsigned n = 1 + pick(14); n > 0; n--)
		buf_puts(&b, pieces[pick(sizeof(pieces) / sizeof(pieces[0]))]);
	struct str s = arena_strdup(&arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

/* All kinds of lines together: each matches what is proposed for its group. */
static void every_line_matches_what_is_proposed_for_its_group(void **state)
{
	static struct labelled v[20000];
	static size_t pattern_of[DRAIN_GROUPS];
	size_t n = sizeof(v) / sizeof(v[0]), groups, proposed = 0, merged = 0;
	struct ruleset *rs;
	struct buf yaml;

	(void)state;
	seed = 1442695040888963407u;
	for (size_t i = 0; i < n; i++)
		v[i].message = i % 2 ? nasty_line() : line_of(kinds[pick(KINDS)]);
	group_all(v, n);
	struct drain_group *const *g = drain_groups(drain, &groups);
	buf_init(&yaml, BUF_NO_LIMIT);
	buf_puts(&yaml, "patterns:\n");
	for (size_t i = 0; i < groups; i++) {
		struct suggestion s;

		pattern_of[i] = SIZE_MAX;
		if (!suggest_pattern(&arena, g[i], &s))
			continue;
		s.name = arena_printf(&arena, "p%zu", i);
		suggest_write(&yaml, &s);
		pattern_of[i] = proposed++;
		merged += g[i]->samples_n > 1;
	}
	rs = load(buf_as_str(&yaml));
	assert_int_equal(rs->patterns.n, proposed);
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < groups; i++)
			if (v[k].group == g[i] && pattern_of[i] != SIZE_MAX &&
				!takes(rs, pattern_of[i], STR_NONE, v[k].message))
				fail_msg("'%.*s' does not match '%.*s'",
					STR_ARG(rs->patterns.v[pattern_of[i]].match_text),
					STR_ARG(v[k].message));
	ruleset_unref(rs);
	buf_release(&yaml);
	print_message("%zu proposals, %zu of several lines\n", proposed, merged);
	assert_true(proposed > 50 && merged > 50);
}

static void check_one(struct str message)
{
	struct suggestion s = suggestion_of(add(message));
	struct ruleset *rs = load(arena_printf(&arena, "patterns:\n%.*s", STR_ARG(yaml_of(&s))));

	assert_true(s.match.n <= MATCHER_REGEX_LIMIT);
	assert_true(takes(rs, 0, STR_NONE, message));
	ruleset_unref(rs);
}

static void the_longest_proposal_can_be_taken(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "long ");
	while (b.n < 2 * DRAIN_BYTES)
		buf_puts(&b, "user=(x) ");
	check_one(buf_as_str(&b));
	buf_clear(&b);
	buf_puts(&b, "long ");
	while (b.n < DRAIN_BYTES - 1)
		buf_putc(&b, '.');
	check_one(buf_as_str(&b));
	/* What the budget of a line would count as a thousand repetitions. */
	memset(b.p + 5, '*', b.n - 5);
	assert_false(suggest_pattern(&arena, add(buf_as_str(&b)), &(struct suggestion){0}));
	buf_release(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(what_changes_by_its_nature_is_a_mark),
	TEST(a_merge_keeps_what_stands_before_a_delimiter), TEST(a_long_line_is_looked_at_in_part),
	TEST(groups_are_bounded_and_the_rest_is_counted), TEST(groups_of_one_branch_are_bounded),
	TEST(the_first_lines_that_differ_are_kept), TEST(names_are_bounded),
	TEST(children_past_the_bound_share_a_branch), TEST(lines_of_two_programs_are_two_groups),
	TEST(what_only_its_first_tokens_keep_apart_is_put_together),
	TEST(kinds_of_our_own_are_found_again), TEST(a_sample_of_sshd_is_grouped_as_people_did),
	TEST(a_pattern_has_names_for_things_and_none_for_what_only_changes),
	TEST(blanks_are_as_in_all_of_the_lines),
	TEST(what_has_a_value_of_its_own_for_each_line_gets_no_name),
	TEST(a_group_with_nothing_in_common_gets_no_pattern), TEST(worse_and_more_comes_first),
	TEST(every_line_matches_what_is_proposed_for_its_group),
	TEST(the_longest_proposal_can_be_taken))
