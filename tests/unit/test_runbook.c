/* Front matter in every comment style, its findings, and the check of parameters. */
#include "unit.h"
#include <dirent.h>
#include "base/file.h"
#include "rule/runbook.h"

static struct arena arena;
static struct diags diags;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 64 << 20);
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

static struct runbook *parse(struct str bytes, const char *path)
{
	struct runbook *r = runbook_parse(&arena, bytes, path, &diags);

	if (!r)
		fail_msg("%s:%d: %s", path, diags.v[0].line, diags.v[0].text);
	assert_int_equal(diags.n, 0);
	return r;
}

#define FULL                                                                                                     \
	"#!/bin/sh\n"                                                                                            \
	"# Copyright somebody. ---\n"                                                                            \
	"# ---\n"                                                                                                \
	"# summary: Rotate the logs   # a YAML comment\n"                                                        \
	"# kind: diagnose\n"                                                                                     \
	"# params:\n"                                                                                            \
	"#   path: {type: string, required: true, pattern: \"^/var/log(/|$)\"}\n"                                \
	"#   days:\n"                                                                                            \
	"#     type: int\n"                                                                                      \
	"#     default: 7\n"                                                                                     \
	"#     summary: keep so many\n"                                                                          \
	"#   how: {type: enum, values: [gzip, zstd], default: gzip}\n"                                           \
	"#   ratio: {type: float}\n"                                                                             \
	"#   dry: {type: bool, default: false}\n"                                                                \
	"#   wait: {type: duration, default: 5m}\n"                                                              \
	"#   note:\n"                                                                                            \
	"#\n"                                                                                                    \
	"# timeout: 90s\n"                                                                                       \
	"# grace: 3s\n"                                                                                          \
	"# idempotent: true\n"                                                                                   \
	"# retries: {max: 2, backoff: 10s}\n"                                                                    \
	"# user: root\n"                                                                                         \
	"# output_limit: 64KiB\n"                                                                                \
	"# env: [LANG, TZ]\n"                                                                                    \
	"# ---\n"                                                                                                \
	"# ---\n"                                                                                                \
	"# summary: not this one\n"                                                                              \
	"# ---\n"                                                                                                \
	"exec true\n"

static void all_keys(void **state)
{
	struct runbook *r = parse(STR(FULL), "/etc/runbookd/runbooks/rotate-logs.sh");

	(void)state;
	assert_str(r->name, "rotate-logs");
	assert_str(r->path, "/etc/runbookd/runbooks/rotate-logs.sh");
	assert_str(r->summary, "Rotate the logs");
	assert_int_equal(r->kind, RUNBOOK_DIAGNOSE);
	assert_int_equal(r->params_n, 7);
	assert_int_equal(r->timeout_ms, 90000);
	assert_int_equal(r->grace_ms, 3000);
	assert_true(r->idempotent);
	assert_int_equal(r->retries_max, 2);
	assert_int_equal(r->retries_backoff_ms, 10000);
	assert_str(r->user, "root");
	assert_int_equal(r->output_limit, 64 << 10);
	assert_int_equal(r->env_n, 2);
	assert_str(r->env[1], "TZ");
	char sha[HASH_SHA256_HEX];
	hash_sha256_hex(STR(FULL), sha);
	assert_string_equal(r->sha256, sha);
	const struct param *p = runbook_param(r, STR("path"));
	assert_true(p->required && !p->has_default && p->code);
	p = runbook_param(r, STR("days"));
	assert_int_equal(p->type, PARAM_INT);
	assert_str(p->default_, "7");
	assert_str(p->summary, "keep so many");
	p = runbook_param(r, STR("how"));
	assert_int_equal(p->values_n, 2);
	assert_int_equal(runbook_param(r, STR("note"))->type, PARAM_STRING);
	assert_null(runbook_param(r, STR("other")));
	runbook_release(r);
}

static void defaults(void **state)
{
	struct runbook *r = parse(STR("# ---\n# summary: x\n# ---"), "x");

	(void)state;
	assert_str(r->name, "x");
	assert_int_equal(r->kind, RUNBOOK_REMEDIATE);
	assert_int_equal(r->timeout_ms, RUNBOOK_TIMEOUT_DEFAULT_MS);
	assert_int_equal(r->grace_ms, RUNBOOK_GRACE_DEFAULT_MS);
	assert_int_equal(r->output_limit, RUNBOOK_OUTPUT_DEFAULT);
	assert_false(r->idempotent);
	assert_int_equal(r->retries_max, 0);
	assert_int_equal(r->user.n, 0);
	assert_int_equal(r->params_n, 0);
	assert_string_equal(runbook_kind_name(r->kind), "remediate");
}

static void comment_styles(void **state)
{
	static const char *const styles[] = {
		"#!/bin/sh\n# ---\n# summary: x\n# ---\n", "#---\n#summary: x\n#---\n", "// ---\n// summary: x\n// ---\n",
		"-- ---\n-- summary: x\n-- ---\n", "; ---\n; summary: x\n; ---\n", "% ---\n% summary: x\n% ---\n",
		"  # ---\n  # summary: x\n\t# ---  \n", "#   ---\n#   summary: x\n#   ---\n",
		"#!/bin/sh\r\n# ---\r\n# summary: x\r\n# ---\r\n", "----\n-----\n-- ---\n-- summary: x\n--   ---\n",
		"\177ELF\n# ---\n# summary: x\n# ---\n", "/* no */\n//---\n//summary: x\n//---\n",
		"# ---\n# summary: x\n#\n#   # note\n# ---\n", "# --- \n# {summary: x}\n# ---",
		"#! ---\n# ---\n# summary: >\n#   x\n# ---\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
		struct runbook *r = parse(str_of(styles[i]), "a");
		struct str s = r->summary;
		if (s.n > 0 && s.p[s.n - 1] == '\n')
			s.n--;
		assert_str(s, "x");
		runbook_release(r);
	}
}

static void names(void **state)
{
	static const char *const cases[][2] = {
		{"a.sh", "a"}, {"/x/y.z/a", "a"}, {"/x/a.b.py", "a.b"}, {".hidden", ".hidden"}, {"a.", "a"}, {"/x/", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_str(runbook_name(cases[i][0]), cases[i][1]);
}

static void far_down(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	while (b.n < RUNBOOK_FRONT_MATTER_LIMIT - 40)
		buf_puts(&b, "echo\n");
	size_t n = b.n;
	buf_puts(&b, "# ---\n# summary: x\n# ---\n");
	runbook_release(parse(buf_as_str(&b), "a.sh"));
	b.n = n;
	buf_puts(&b, "echo\necho\necho\necho\necho\n# ---\n# summary: x\n# ---\n");
	assert_null(runbook_parse(&arena, buf_as_str(&b), "a.sh", &diags));
	assert_has(str_of(diags.v[0].text), "not closed");
	buf_release(&b);
}

/* ---- golden findings ---- */

static struct str read_golden(const char *name, const char *end_of_name)
{
	struct buf b;
	struct err e;
	struct str path = arena_printf(&arena, "%s/front-matter/%s%s", GOLDEN_DIR, name, end_of_name);

	buf_init(&b, BUF_NO_LIMIT);
	if (file_read(path.p, &b, &e) < 0)
		fail_msg("%s", e.text);
	struct str s = arena_strdup(&arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static void golden_findings(void **state)
{
	DIR *dir = opendir(GOLDEN_DIR "/front-matter");
	struct dirent *f;
	unsigned seen = 0;

	(void)state;
	assert_non_null(dir);
	while ((f = readdir(dir))) {
		char *dot = strrchr(f->d_name, '.');
		if (f->d_name[0] == '.' || (dot && strcmp(dot, ".findings") == 0))
			continue;
		struct diags d;
		diags_init(&d);
		assert_null(runbook_parse(&arena, read_golden(f->d_name, ""), f->d_name, &d));
		assert_findings(&d, read_golden(f->d_name, ".findings").p);
		diags_release(&d);
		seen++;
	}
	closedir(dir);
	assert_true(seen >= 15);
}

/* ---- parameters ---- */

static int check(const struct runbook *r, const char *json, struct kv **out, size_t *n, struct err *e)
{
	const struct json *given = json ? json_parse(&arena, str_of(json), e) : NULL;

	return runbook_check_params(r, &arena, given, out, n, e);
}

static void fills_in_defaults(void **state)
{
	struct runbook *r = parse(STR(FULL), "rotate-logs.sh");
	struct kv *v;
	size_t n;
	struct err e;

	(void)state;
	assert_int_equal(check(r, "{\"dry\":true,\"path\":\"/var/log/x\",\"ratio\":0.50}", &v, &n, &e), 0);
	assert_int_equal(n, 6);
	static const char *const want[][2] = {
		{"path", "/var/log/x"}, {"days", "7"}, {"how", "gzip"}, {"ratio", "0.50"}, {"dry", "true"}, {"wait", "5m"}};
	for (size_t i = 0; i < n; i++) {
		assert_str(v[i].name, want[i][0]);
		assert_str(v[i].value, want[i][1]);
	}
	assert_int_equal(check(r, "{\"path\":\"/var/log\",\"note\":\"line\\nfeed $(id) `x`\",\"days\":-12}", &v, &n, &e), 0);
	assert_int_equal(n, 6);
	assert_str(v[5].value, "line\nfeed $(id) `x`");
	runbook_release(r);
	struct runbook *none = parse(STR("# ---\n# summary: x\n# ---\n"), "a");
	assert_int_equal(check(none, NULL, &v, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(check(none, "{}", &v, &n, &e), 0);
}

static void refuses(void **state)
{
	static const char *const cases[][2] = {
		{NULL, "parameter 'path' of runbook 'rotate-logs' is missing"},
		{"[]", "want an object, got an array"},
		{"{\"pth\":\"/var/log\"}", "runbook 'rotate-logs' has no parameter 'pth', did you mean 'path'?"},
		{"{\"path\":\"/etc\"}", "parameter 'path': want a match of ^/var/log(/|$), got '/etc'"},
		{"{\"path\":\"/var/logs\"}", "want a match"},
		{"{\"path\":\"/var/log\\n\"}", "want a match"},
		{"{\"path\":\"/var/log/\\u0000\"}", "NUL byte"},
		{"{\"path\":null}", "parameter 'path': want one value, got null"},
		{"{\"path\":[\"/var/log\"]}", "want one value, got an array"},
		{"{\"path\":{}}", "want one value, got an object"},
		{"{\"path\":\"/var/log\",\"days\":\"\"}", "parameter 'days': want a whole number, got ''"},
		{"{\"path\":\"/var/log\",\"days\":1.0}", "want a whole number, got '1.0'"},
		{"{\"path\":\"/var/log\",\"days\":1e3}", "want a whole number"},
		{"{\"path\":\"/var/log\",\"days\":\" 1\"}", "want a whole number"},
		{"{\"path\":\"/var/log\",\"days\":\"+1\"}", "want a whole number"},
		{"{\"path\":\"/var/log\",\"days\":\"0x10\"}", "want a whole number"},
		{"{\"path\":\"/var/log\",\"days\":9223372036854775808}", "want a whole number"},
		{"{\"path\":\"/var/log\",\"days\":-9223372036854775809}", "want a whole number"},
		{"{\"path\":\"/var/log\",\"days\":123456789012345678901234567890}", "want a whole number"},
		{"{\"path\":\"/var/log\",\"ratio\":\"nan\"}", "want a number, got 'nan'"},
		{"{\"path\":\"/var/log\",\"ratio\":\"inf\"}", "want a number"},
		{"{\"path\":\"/var/log\",\"ratio\":1e999}", "want a number"},
		{"{\"path\":\"/var/log\",\"ratio\":\"1.\\u0000\"}", "NUL byte"},
		{"{\"path\":\"/var/log\",\"ratio\":\"0x1p3\"}", "want a number"},
		{"{\"path\":\"/var/log\",\"ratio\":\"\"}", "want a number"},
		{"{\"path\":\"/var/log\",\"dry\":\"yes\"}", "parameter 'dry': want true or false, got 'yes'"},
		{"{\"path\":\"/var/log\",\"dry\":1}", "want true or false"},
		{"{\"path\":\"/var/log\",\"how\":\"xz\"}", "parameter 'how': want one of gzip, zstd, got 'xz'"},
		{"{\"path\":\"/var/log\",\"how\":\"\"}", "want one of"},
		{"{\"path\":\"/var/log\",\"wait\":\"5\"}", "want a duration"},
	};
	struct runbook *r = parse(STR(FULL), "rotate-logs.sh");
	struct kv *v;
	size_t n;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (check(r, cases[i][0], &v, &n, &e) == 0)
			fail_msg("taken: %s", cases[i][0]);
		assert_int_equal(e.code, ERR_INPUT);
		assert_has(str_of(e.text), cases[i][1]);
	}
	runbook_release(r);
}

static void takes_the_ends(void **state)
{
	struct runbook *r = parse(STR("# ---\n# summary: x\n# params: {i: {type: int}, f: {type: float}, d: {type: duration}, s: {}}\n# ---\n"), "a");
	static const char *const good[] = {
		"{\"i\":9223372036854775807}", "{\"i\":\"-9223372036854775808\"}", "{\"i\":0}", "{\"i\":\"007\"}",
		"{\"f\":-1.5e-300}", "{\"f\":\"5\"}", "{\"f\":\".5\"}", "{\"d\":\"1h30m\"}", "{\"d\":\"0\"}", "{\"s\":\"\"}", "{\"s\":5}",
		"{\"s\":false}",
	};
	struct kv *v;
	size_t n;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (check(r, good[i], &v, &n, &e) < 0)
			fail_msg("%s: %s", good[i], e.text);
		assert_int_equal(n, 1);
	}
	runbook_release(r);
}

static void bounds(void **state)
{
	struct runbook *r = parse(STR("# ---\n# summary: x\n# params: {s: {}, p: {pattern: '^(a+)+[bc]$'}}\n# ---\n"), "a");
	size_t limit = RUNBOOK_PARAM_LIMIT;
	char *p = test_malloc(limit + 1);
	struct err e;

	(void)state;
	memset(p, 'a', limit + 1);
	assert_int_equal(param_check(runbook_param(r, STR("s")), (struct str){p, limit}, &e), 0);
	assert_int_equal(param_check(runbook_param(r, STR("s")), (struct str){p, limit + 1}, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(param_check(runbook_param(r, STR("p")), (struct str){p, 40}, &e), -1);
	assert_has(str_of(e.text), "can decide within its limits");
	assert_int_equal(param_check(runbook_param(r, STR("s")), STR("a\xff"), &e), -1);
	assert_has(str_of(e.text), "not UTF-8");
	/* A long value is cut in the message, at a character. */
	for (size_t i = 0; i + 1 < limit; i += 2)
		memcpy(p + i, "\xc3\xa9", 2);
	p[0] = 'x';
	p[1] = 'x';
	p[2] = 'x';
	memcpy(p + 3, "\xc3\xa9", 2);
	for (size_t i = 5; i + 1 < 200; i += 2)
		memcpy(p + i, "\xc3\xa9", 2);
	assert_int_equal(param_check(runbook_param(r, STR("p")), (struct str){p, 199}, &e), -1);
	assert_has(str_of(e.text), "\xc3\xa9'…");
	test_free(p);
	runbook_release(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(all_keys), TEST(defaults), TEST(comment_styles), TEST(names), TEST(far_down),
	TEST(golden_findings), TEST(fills_in_defaults), TEST(refuses), TEST(takes_the_ends), TEST(bounds))
