/* test_load.c: which files a configuration takes, in which order, and what it says about the others. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include "flow/load.h"
#include "unit.h"

#define RUNBOOK "#!/bin/sh\n# ---\n# summary: test\n# kind: diagnose\n# ---\necho\n"
#define RULE(name) \
	"rules:\n  - name: " name "\n    match: 'alertname = \"" name "\"'\n    steps: [{runbook: one}]\n"

static char dir[64];
static struct diags d;
static struct arena a;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_load.XXXXXX");
	assert_non_null(mkdtemp(dir));
	diags_init(&d);
	arena_init(&a, 1 << 20);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	diags_release(&d);
	arena_release(&a);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *in_dir(const char *name)
{
	struct str path = arena_printf(&a, "%s/%s", dir, name);

	return path.p;
}

static void folder(const char *name, mode_t mode)
{
	assert_int_equal(mkdir(in_dir(name), 0700), 0);
	assert_int_equal(chmod(in_dir(name), mode), 0);
}

static void put(const char *name, mode_t mode, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_dir(name), mode), 0);
}

/* Findings with "DIR" in place of the test's folder. */
static void findings_are(const char *want)
{
	struct buf b, out;
	struct str rest;

	buf_init(&b, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	diags_print(&d, &b);
	rest = buf_as_str(&b);
	while (rest.n) {
		const char *at = memmem(rest.p, rest.n, dir, strlen(dir));
		size_t n = at ? (size_t)(at - rest.p) : rest.n;

		buf_add(&out, rest.p, n);
		rest = (struct str){rest.p + n, rest.n - n};
		if (at) {
			buf_puts(&out, "DIR");
			rest = (struct str){rest.p + strlen(dir), rest.n - strlen(dir)};
		}
	}
	assert_string_equal(out.p ? out.p : "", want);
	buf_release(&b);
	buf_release(&out);
}

static struct loaded *load(void)
{
	return load_all(in_dir("runbookd.yml"), &d);
}

static void names_are(const struct loaded *l, const char *want)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < l->rules->rules_n; i++) {
		buf_str(&b, l->rules->rules[i].name);
		buf_putc(&b, ' ');
	}
	buf_putc(&b, '|');
	for (size_t i = 0; i < l->rules->runbooks.n; i++) {
		buf_putc(&b, ' ');
		buf_str(&b, l->rules->runbooks.v[i]->name);
	}
	assert_string_equal(b.p, want);
	buf_release(&b);
}

/* A good tree: two rules files, one runbook. */
static void good_tree(const char *conf)
{
	put("runbookd.yml", 0644, conf);
	folder("rules", 0755);
	folder("runbooks", 0755);
	put("rules/b.yml", 0644, RULE("b"));
	put("rules/a.yml", 0644, RULE("a"));
	put("runbooks/one.sh", 0755, RUNBOOK);
}

static void test_empty_file_is_valid(void **state)
{
	struct loaded *l;

	(void)state;
	put("runbookd.yml", 0644, "");
	l = load();
	findings_are("");
	assert_non_null(l);
	names_are(l, "|");
	loaded_free(l);
}

static void test_files_in_order_without_tests(void **state)
{
	struct loaded *l;

	(void)state;
	good_tree("rules: [\"rules/*.yml\", \"rules/a.yml\"]\n");
	put("rules/a.test.yml", 0644, "tests: []\n");
	put("rules/.hidden.yml", 0644, "not: rules\n");
	l = load();
	findings_are("");
	assert_non_null(l);
	names_are(l, "a b | one");
	loaded_free(l);
}

static void test_folder_with_glob_characters(void **state)
{
	struct loaded *l;

	(void)state;
	folder("[a]*?", 0755);
	folder("[a]*?/rules", 0755);
	folder("[a]*?/runbooks", 0755);
	put("[a]*?/runbookd.yml", 0644, "");
	put("[a]*?/rules/a.yml", 0644, RULE("a"));
	put("[a]*?/runbooks/one", 0755, RUNBOOK);
	l = load_all(in_dir("[a]*?/runbookd.yml"), &d);
	findings_are("");
	assert_non_null(l);
	names_are(l, "a | one");
	loaded_free(l);
}

static void test_written_out_names_without_files_are_warned_of(void **state)
{
	struct loaded *l;

	(void)state;
	put("runbookd.yml", 0644, "rules: [\"rulez/*.yml\"]\nrunbooks: [\"gone\", \"empty\"]\n");
	folder("empty", 0755);
	l = load();
	findings_are("DIR/runbookd.yml:1:9: warning: no file matches 'rulez/*.yml'\n"
		"DIR/runbookd.yml:2:12: warning: cannot read the folder 'DIR/gone': No such file or directory\n"
		"DIR/runbookd.yml:2:20: warning: the folder 'DIR/empty' holds no runbook\n");
	assert_non_null(l);
	loaded_free(l);
}

static void test_what_is_no_runbook(void **state)
{
	struct loaded *l;

	(void)state;
	good_tree("");
	put("runbooks/README.md", 0644, "read me\n");
	put("runbooks/.one.sh.swp", 0755, RUNBOOK);
	put("runbooks/one.sh~", 0755, RUNBOOK);
	put("runbooks/one.sh.dpkg-old", 0755, RUNBOOK);
	put("runbooks/forgotten.sh", 0644, RUNBOOK);
	folder("runbooks/lib", 0755);
	l = load();
	findings_are("DIR/runbooks/forgotten.sh: warning: has a front matter but is not executable, "
		"so it is no runbook; chmod +x it\n");
	assert_non_null(l);
	names_are(l, "a b | one");
	loaded_free(l);
}

static void test_two_of_one_name(void **state)
{
	(void)state;
	good_tree("runbooks: [runbooks, more]\n");
	folder("more", 0755);
	put("more/one.py", 0755, RUNBOOK);
	assert_null(load());
	assert_int_equal(d.errors > 0, 1);
	assert_has(str_of(d.v[0].text), "the runbook 'one' is also '");
}

static void test_unsafe_runbook_is_refused(void **state)
{
	(void)state;
	good_tree("");
	assert_int_equal(chmod(in_dir("runbooks/one.sh"), 0775), 0);
	assert_null(load());
	assert_int_equal(d.errors, 1);
	assert_string_equal(d.v[0].file, in_dir("runbooks/one.sh"));
	assert_has(str_of(d.v[0].text), "one.sh is group-writable");
	assert_has(str_of(d.v[0].text), "chmod g-w");
}

static void test_unsafe_folder_is_said_once(void **state)
{
	(void)state;
	good_tree("");
	put("runbooks/two.sh", 0755, RUNBOOK);
	assert_int_equal(chmod(in_dir("runbooks"), 0777), 0);
	assert_null(load());
	assert_int_equal(d.errors, 1);
	assert_has(str_of(d.v[0].text), "chmod go-w");
}

static void test_unsafe_rules_are_warned_of(void **state)
{
	struct loaded *l;

	(void)state;
	good_tree("");
	assert_int_equal(chmod(in_dir("rules/a.yml"), 0666), 0);
	l = load();
	assert_non_null(l);
	assert_int_equal(d.warnings, 1);
	assert_string_equal(d.v[0].file, in_dir("rules/a.yml"));
	loaded_free(l);
}

static void test_all_errors_at_once(void **state)
{
	(void)state;
	good_tree("sources: {x: {kind: alertmanagr}}\n");
	put("rules/c.yml", 0644, "rules: [\n");
	put("runbooks/two.sh", 0755, "#!/bin/sh\n");
	assert_null(load());
	assert_int_equal(d.errors, 3);
	assert_int_equal(d.v[0].line, 1);
	assert_has(str_of(d.v[0].text), "did you mean 'alertmanager'");
}

/* What is wrong in runbookd.yml does not hide what is wrong in the rules. */
static void test_errors_of_both(void **state)
{
	(void)state;
	good_tree("http: {listn: []}\ncorrelation: [{match: 'a=', by: []}]\nrules: [rules/*.yml]\nworker: {slots: many}\n");
	put("rules/c.yml", 0644, "rules:\n- {name: c, match: 'x=y', steps: [{runbook: oen}]}\n");
	assert_null(load());
	assert_int_equal(d.errors, 4);
	assert_has(str_of(d.v[0].text), "did you mean 'listen'");
	assert_has(str_of(d.v[3].text), "there is no runbook 'oen', did you mean 'one'");
}

/* Where it is not known where rules and runbooks are, the rules are left alone: what would be said of them is wrong. */
static void test_rules_that_cannot_be_found(void **state)
{
	static const char *const confs[] = {"rules: [", "rule: [rules/*.yml]\n", "runbooks: {a: b}\n", "runboks: [x]\n"};

	(void)state;
	good_tree("");
	put("rules/c.yml", 0644, "rules:\n- {name: c, match: 'x=y', steps: [{runbook: oen}]}\n");
	for (size_t i = 0; i < sizeof(confs) / sizeof(confs[0]); i++) {
		put("runbookd.yml", 0644, confs[i]);
		assert_null(load());
		assert_int_equal(d.errors, 1);
		diags_release(&d);
		diags_init(&d);
	}
}

/* Warnings about rules that are good: for --check, not for a reload. */
static void test_checked(void **state)
{
	struct loaded *l;

	(void)state;
	good_tree("");
	put("rules/c.yml", 0644, "rules:\n- {name: c, match: 'x=y, x=z', steps: [{runbook: one}]}\n");
	l = load();
	assert_non_null(l);
	assert_int_equal(d.n, 0);
	loaded_free(l);
	l = load_checked(in_dir("runbookd.yml"), &d);
	assert_non_null(l);
	assert_int_equal(d.warnings, 1);
	assert_has(str_of(d.v[0].text), "it never matches");
	loaded_free(l);
	/* Also where the configuration has errors, but not where the rules do. */
	put("runbookd.yml", 0644, "x: y\n");
	assert_null(load_checked(in_dir("runbookd.yml"), &d));
	assert_int_equal(d.warnings, 2);
	put("rules/d.yml", 0644, "rules:\n- {name: d}\n");
	assert_null(load_checked(in_dir("runbookd.yml"), &d));
	assert_int_equal(d.warnings, 2);
}

static void test_missing_file(void **state)
{
	(void)state;
	assert_null(load());
	assert_int_equal(d.errors, 1);
}

static void test_find_runbook(void **state)
{
	struct loaded *l;

	(void)state;
	good_tree("runbooks: [runbooks, more]\n");
	folder("more", 0755);
	put("more/two-v2.sh", 0755, RUNBOOK);
	put("more/plain", 0755, RUNBOOK);
	put("more/off.sh", 0644, RUNBOOK);
	l = load();
	assert_non_null(l);
	assert_str(load_find_runbook(&a, l->conf, STR("one")), in_dir("runbooks/one.sh"));
	assert_str(load_find_runbook(&a, l->conf, STR("two-v2")), in_dir("more/two-v2.sh"));
	assert_str(load_find_runbook(&a, l->conf, STR("plain")), in_dir("more/plain"));
	assert_str(load_find_runbook(&a, l->conf, STR("off")), "");
	assert_str(load_find_runbook(&a, l->conf, STR("../runbooks/one")), "");
	assert_str(load_find_runbook(&a, l->conf, STR("")), "");
	put("more/one.py", 0755, RUNBOOK);
	assert_str(load_find_runbook(&a, l->conf, STR("one")), "");
	loaded_free(l);
}

static void test_watch_paths(void **state)
{
	struct loaded *l;
	struct str *paths;

	(void)state;
	good_tree("rules: [\"rules/*.yml\", \"rules/*.yaml\", \"gone/*.yml\"]\n");
	l = load();
	assert_non_null(l);
	assert_int_equal(load_watch_paths(&a, l->conf, &paths), 3);
	assert_str(paths[0], in_dir("rules"));
	assert_str(paths[1], in_dir("runbookd.yml"));
	assert_str(paths[2], in_dir("runbooks"));
	loaded_free(l);
}

static void secrets_are_watched(void **state)
{
	struct loaded *l;
	struct str *paths;

	(void)state;
	good_tree("sources: {a: {kind: alertmanager, auth: {github: {secret_files: [one, two]}}}}\n");
	put("one", 0600, "secret\n");
	put("two", 0600, "another\n");
	l = load();
	assert_non_null(l);
	assert_int_equal(load_watch_paths(&a, l->conf, &paths), 5);
	assert_str(paths[0], in_dir("one"));
	assert_str(paths[4], in_dir("two"));
	loaded_free(l);
}

/* Whoever tries rules out need not be let at the secrets. */
static void a_trial_reads_no_secrets(void **state)
{
	struct loaded *l;

	(void)state;
	good_tree("sources: {a: {kind: alertmanager, auth: {bearer_file: none}}}\n");
	l = load_beside(dir, &d);
	findings_are("");
	assert_non_null(l);
	assert_null(l->auth);
	loaded_free(l);
	assert_null(load());
	findings_are("DIR/runbookd.yml:1:55: 'sources.a.auth': cannot open 'DIR/none': No such file or directory\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

TESTS_MAIN(TEST(test_empty_file_is_valid), TEST(test_files_in_order_without_tests), TEST(test_folder_with_glob_characters),
	TEST(test_written_out_names_without_files_are_warned_of), TEST(test_what_is_no_runbook), TEST(test_two_of_one_name),
	TEST(test_unsafe_runbook_is_refused), TEST(test_unsafe_folder_is_said_once), TEST(test_unsafe_rules_are_warned_of),
	TEST(test_all_errors_at_once), TEST(test_errors_of_both),
	TEST(test_rules_that_cannot_be_found), TEST(test_checked), TEST(test_missing_file), TEST(test_find_runbook), TEST(test_watch_paths),
	TEST(secrets_are_watched), TEST(a_trial_reads_no_secrets))
