/* cmd_test.c: test: the tests of rules, on a clock of their own.
 *
 * Owns one private redis-server and one trial for all files; each folder's rules are loaded once.
 * Prints what failed, and as its last line how many passed and failed. A file that cannot be read,
 * or whose rules cannot, has its findings said, is left out, and the others are played. What a test
 * means is in trial/; nothing is executed, and no bridge is asked.
 */
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/yaml.h"
#include "trial/test_play.h"

/* The rules of one folder, or of -c. */
struct loaded_folder {
	char *folder;	       /* malloc'ed; NULL: of -c */
	struct loaded *loaded; /* NULL: they have errors, which were said */
	struct loaded_folder *next;
};

struct session {
	struct cli *cli;
	struct trial *trial;
	struct loaded_folder *folders;
	struct diags diags;
	struct buf json; /* the elements of "tests" */
	size_t passed, failed;
	bool unreadable;
};

/* ---- rules ---- */

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *given =
		slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	char *real = given ? realpath(given, NULL) : NULL;

	free(given);
	return real;
}

static struct loaded *load(struct session *s, const char *folder)
{
	struct loaded *l =
		folder ? load_beside(folder, &s->diags) : load_all(s->cli->o.config, &s->diags);

	if (l && l->rules->rules_n == 0 && l->rules->patterns.n == 0) {
		diag_add(&s->diags, DIAG_ERROR, folder ? folder : s->cli->o.config, 0, 0,
			folder ? "no rules or log patterns stand beside the test; put it into their "
				 "folder, or name the configuration with -c"
			       : "this configuration has no rules and no log patterns");
		loaded_free(l);
		l = NULL;
	}
	return l;
}

/* The rules that a file of tests is about; NULL: said why. */
static struct loaded *rules_for(struct session *s, const char *path)
{
	char *folder = s->cli->o.config ? NULL : folder_of(path);
	struct loaded_folder *f;

	if (!s->cli->o.config && !folder)
		return NULL; /* the file itself cannot be there */
	for (f = s->folders; f; f = f->next) {
		if (!folder || strcmp(f->folder, folder) == 0) {
			free(folder);
			return f->loaded;
		}
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		free(folder);
		return NULL;
	}
	*f = (struct loaded_folder){folder, load(s, folder), s->folders};
	s->folders = f;
	return f->loaded;
}

/* ---- what came of a test ---- */

static void print_line(struct cli *c, const char *what, struct str text)
{
	buf_printf(&c->out, "  %-9s ", what);
	term_escape(&c->out, text);
	buf_putc(&c->out, '\n');
}

static void print_failures(
	struct cli *c, const char *file, const struct rule_test *t, const struct test_result *r)
{
	for (size_t i = 0; i < r->failures_n; i++) {
		const struct test_failure *f = &r->failures[i];

		term_escape(&c->out, str_of(file));
		buf_printf(&c->out, ":%d: ", f->place.line);
		term_escape(&c->out, t->name);
		buf_putc(&c->out, '\n');
		print_line(c, "expected", f->expected);
		print_line(c, "got", f->got);
		for (size_t k = 0; k < f->why_n; k++)
			print_line(c, k ? "" : "why", f->why[k]);
	}
}

static void write_failure(struct json_w *w, const struct test_failure *f)
{
	json_w_object(w);
	json_w_ki64(w, "line", f->place.line);
	json_w_kstr(w, "expected", f->expected);
	json_w_kstr(w, "got", f->got);
	json_w_key(w, STR("why"));
	json_w_array(w);
	for (size_t k = 0; k < f->why_n; k++)
		json_w_str(w, f->why[k]);
	json_w_end(w, ']');
	json_w_end(w, '}');
}

static void write_decision(struct json_w *w, const struct trial_decision *d)
{
	json_w_object(w);
	json_w_ki64(w, "at_ms", d->at_ms - TRIAL_T0);
	json_w_kstr(w, "rule", d->rule);
	json_w_kstr(w, "decision", str_of(decision_name(d->decision)));
	json_w_kstr(w, "reason", d->reason);
	json_w_end(w, '}');
}

static void write_run(struct json_w *w, const struct trial_run *r)
{
	json_w_object(w);
	json_w_ki64(w, "at_ms", r->at_ms - TRIAL_T0);
	json_w_kstr(w, "rule", r->rule);
	json_w_kstr(w, "runbook", r->runbook);
	json_w_kstr(w, "step", r->step);
	json_w_kstr(w, "pool", r->pool);
	json_w_ki64(w, "attempt", r->attempt);
	json_w_kstr(w, "state", str_of(run_state_name(r->state)));
	json_w_kstr(w, "reason", r->reason);
	json_w_key(w, STR("params"));
	json_w_object(w);
	for (size_t i = 0; i < r->params_n; i++) {
		json_w_key(w, r->params[i].name);
		json_w_str(w, r->params[i].value);
	}
	json_w_end(w, '}');
	json_w_end(w, '}');
}

static void write_alert(struct json_w *w, const struct trial_alert *a)
{
	json_w_object(w);
	json_w_ki64(w, "at_ms", a->at_ms - TRIAL_T0);
	json_w_kstr(w, "status", a->resolved ? STR("resolved") : STR("firing"));
	json_w_key(w, STR("labels"));
	json_w_object(w);
	for (size_t i = 0; i < a->labels_n; i++) {
		json_w_key(w, a->labels[i].name);
		json_w_str(w, a->labels[i].value);
	}
	json_w_end(w, '}');
	json_w_end(w, '}');
}

static void write_test(
	struct session *s, const char *file, const struct rule_test *t, const struct test_result *r)
{
	struct json_w w;

	if (s->json.n)
		buf_putc(&s->json, ',');
	json_w_init(&w, &s->json);
	json_w_object(&w);
	json_w_kstr(&w, "file", str_of(file));
	json_w_ki64(&w, "line", t->place.line);
	json_w_kstr(&w, "name", t->name);
	json_w_kbool(&w, "passed", r->failures_n == 0);
	json_w_key(&w, STR("failures"));
	json_w_array(&w);
	for (size_t i = 0; i < r->failures_n; i++)
		write_failure(&w, &r->failures[i]);
	json_w_end(&w, ']');
	json_w_key(&w, STR("decisions"));
	json_w_array(&w);
	for (size_t i = 0; i < r->log.decisions_n; i++)
		write_decision(&w, &r->log.decisions[i]);
	json_w_end(&w, ']');
	json_w_key(&w, STR("runs"));
	json_w_array(&w);
	for (size_t i = 0; i < r->log.runs_n; i++)
		write_run(&w, &r->log.runs[i]);
	json_w_end(&w, ']');
	json_w_key(&w, STR("alerts"));
	json_w_array(&w);
	for (size_t i = 0; i < r->log.alerts_n; i++)
		write_alert(&w, &r->log.alerts[i]);
	json_w_end(&w, ']');
	json_w_end(&w, '}');
}

/* ---- playing ---- */

static int start(struct session *s)
{
	struct str address;
	struct err e = {.code = ERR_NONE};

	if (s->trial)
		return 0;
	if (s->cli->services->redis_start(&address, &e) == 0)
		s->trial = trial_new(address, &e);
	if (s->trial)
		return 0;
	cli_error("%s", e.text);
	return -1;
}

static void play(
	struct session *s, const char *file, const struct loaded *l, const struct rule_test *t)
{
	struct test_failure broke = {
		.place = t->place, .expected = STR("the test can be played to its end")};
	struct test_result r;
	struct arena a;
	struct err e;

	arena_init(&a, TEST_FILE_MEMORY);
	if (test_play(s->trial, l, t, &a, &r, &e) < 0) {
		broke.got = str_of(e.text);
		r = (struct test_result){.failures = &broke, .failures_n = 1};
	}
	if (r.failures_n)
		s->failed++;
	else
		s->passed++;
	if (s->cli->o.format == CLI_TABLE)
		print_failures(s->cli, file, t, &r);
	else
		write_test(s, file, t, &r);
	arena_release(&a);
}

/* -1: nothing more can be played. */
static int play_file(struct session *s, const char *path)
{
	struct test_file *f = NULL;
	struct loaded *l;
	struct arena a;
	struct buf bytes;
	struct err e;
	int rc = 0;

	arena_init(&a, TEST_FILE_MEMORY);
	buf_init(&bytes, YAML_FILE_LIMIT);
	if (file_read(path, &bytes, &e) < 0)
		diag_add(&s->diags, DIAG_ERROR, path, 0, 0, "%s", e.text);
	else
		f = test_file_parse(&a, buf_as_str(&bytes), path, &s->diags);
	l = f ? rules_for(s, path) : NULL;
	if (!l || !test_file_check(f, l->rules, &s->diags))
		s->unreadable = true;
	else if (start(s) < 0)
		rc = -1;
	else
		for (size_t i = 0; i < f->tests_n; i++)
			play(s, path, l, &f->tests[i]);
	buf_release(&bytes);
	arena_release(&a);
	return rc;
}

static int print_data(struct session *s)
{
	struct cli *c = s->cli;
	struct json_w w;
	struct buf b;
	int rc;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	json_w_ki64(&w, "passed", (int64_t)s->passed);
	json_w_ki64(&w, "failed", (int64_t)s->failed);
	json_w_key(&w, STR("tests"));
	json_w_array(&w);
	if (s->json.n)
		json_w_raw(&w, buf_as_str(&s->json));
	json_w_end(&w, ']');
	json_w_key(&w, STR("findings"));
	cli_write_findings(&w, &s->diags);
	json_w_end(&w, '}');
	rc = cli_print_text(c, buf_as_str(&b), "give fewer files");
	buf_release(&b);
	return rc;
}

static void session_release(struct session *s)
{
	struct loaded_folder *next;

	trial_free(s->trial);
	s->cli->services->redis_stop();
	for (struct loaded_folder *f = s->folders; f; f = next) {
		next = f->next;
		loaded_free(f->loaded);
		free(f->folder);
		free(f);
	}
	diags_release(&s->diags);
	buf_release(&s->json);
}

static int run(struct cli *c, int argc, char **argv)
{
	struct session s = {.cli = c};
	int rc = CLI_GOOD;

	diags_init(&s.diags);
	buf_init(&s.json, BUF_NO_LIMIT);
	for (int i = 0; i < argc && rc == CLI_GOOD; i++)
		rc = play_file(&s, argv[i]) < 0 ? CLI_FAILED : CLI_GOOD;
	if (rc == CLI_GOOD) {
		if (c->o.format == CLI_TABLE) {
			if (s.diags.errors)
				cli_print_lines(c, &s.diags);
			buf_printf(&c->out, "%zu passed, %zu failed\n", s.passed, s.failed);
		} else if (print_data(&s) != CLI_GOOD) {
			s.failed++;
		}
		rc = s.unreadable ? CLI_UNREADABLE : s.failed ? CLI_FAILED : CLI_GOOD;
	}
	session_release(&s);
	return rc;
}

const struct command command_test = {
	.name = "test",
	.synopsis = "FILE...",
	.sentence = "play the tests of rules (*.test.yml) on a clock of their own; without -c, the "
		    "rules beside each file",
	.scopes = SCOPE_CONFIG,
	.args_min = 1,
	.args_max = -1,
	.run = run,
};
