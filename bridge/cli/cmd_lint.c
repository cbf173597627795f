/* cmd_lint.c: lint: is this file a runbook that runbookd will run?
 *
 * Front matter, owner and mode of the file and of each folder above it, the x bit, and whether the
 * interpreter of the first line is there. Without files: those in the configuration's runbook folders.
 * Executes nothing.
 */
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "flow/load.h"
#include "rule/runbook.h"

#define LINT_FILE_LIMIT ((size_t)4 << 20)
#define LINT_ARENA_LIMIT ((size_t)64 << 20)

static struct str take_word(struct str *rest)
{
	struct str word;

	while (rest->n && strchr(" \t\r", rest->p[0]))
		*rest = (struct str){rest->p + 1, rest->n - 1};
	word = (struct str){rest->p, 0};
	while (rest->n && !strchr(" \t\r", rest->p[0])) {
		*rest = (struct str){rest->p + 1, rest->n - 1};
		word.n++;
	}
	return word;
}

/* Where the worker's own PATH would find it. */
static bool in_path(struct arena *a, struct str name)
{
	static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
		"/sbin", "/bin"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		struct str path = file_join(a, str_of(folders[i]), name);

		if (path.p && access(path.p, X_OK) == 0)
			return true;
	}
	return false;
}

static void check_env(struct arena *a, struct str rest, const char *path, struct diags *d)
{
	struct str word = take_word(&rest);

	while (word.n && (word.p[0] == '-' || memchr(word.p, '=', word.n)))
		word = take_word(&rest);
	if (word.n && !in_path(a, word))
		diag_add(d, DIAG_WARNING, path, 1, 1, "env will not find '%.*s' here; install it",
			STR_ARG(word));
}

static void check_shebang(struct arena *a, struct str bytes, const char *path, struct diags *d)
{
	const char *end = bytes.n ? memchr(bytes.p, '\n', bytes.n) : NULL;
	struct str line = {bytes.p, end ? (size_t)(end - bytes.p) : bytes.n};
	struct str program;

	if (str_starts(bytes, STR("\x7f" "ELF")))
		return;
	if (!str_starts(line, STR("#!"))) {
		diag_add(d, DIAG_ERROR, path, 1, 1,
			"the first line names no interpreter; begin it with #! and a path, such as #!/bin/sh");
		return;
	}
	if (line.p[line.n - 1] == '\r') {
		diag_add(d, DIAG_ERROR, path, 1, 1,
			"lines end in CR LF, and the kernel would look for an interpreter with a CR in its "
			"name; save it with LF");
		return;
	}
	line = (struct str){line.p + 2, line.n - 2};
	program = arena_strdup(a, take_word(&line));
	if (!program.p || program.n == 0 || program.p[0] != '/')
		diag_add(d, DIAG_ERROR, path, 1, 1, "the interpreter '%.*s' is no absolute path",
			STR_ARG(program));
	else if (access(program.p, X_OK) != 0)
		diag_add(d, DIAG_ERROR, path, 1, 1, "the interpreter '%s' is not there; install it",
			program.p);
	else if (str_is(program, "/usr/bin/env") || str_is(program, "/bin/env"))
		check_env(a, line, path, d);
}

static void lint(const char *path, struct diags *d)
{
	struct runbook *r = NULL;
	struct err e = {0};
	struct arena a;
	struct buf b;

	arena_init(&a, LINT_ARENA_LIMIT);
	buf_init(&b, LINT_FILE_LIMIT);
	if (file_check_safe(path, geteuid(), 1, &e) < 0)
		diag_add(d, DIAG_ERROR, path, 0, 0, "%s", e.text);
	if (file_read(path, &b, &e) < 0) {
		diag_add(d, DIAG_ERROR, path, 0, 0, "%s", e.text);
	} else {
		check_shebang(&a, buf_as_str(&b), path, d);
		r = runbook_parse(&a, buf_as_str(&b), path, d);
	}
	if (r)
		runbook_release(r);
	buf_release(&b);
	arena_release(&a);
}

static size_t lint_configured(struct cli *c, struct diags *d)
{
	struct str *paths;
	struct conf *conf = load_conf(c->o.config, d);
	size_t n = 0;

	if (conf) {
		n = load_list_runbooks(&c->arena, conf, &paths, d);
		for (size_t i = 0; i < n; i++)
			lint(paths[i].p, d);
	}
	conf_free(conf);
	return n;
}

static int run(struct cli *c, int argc, char **argv)
{
	size_t n = (size_t)argc;
	struct diags d;
	int rc;

	diags_init(&d);
	for (int i = 0; i < argc; i++)
		lint(argv[i], &d);
	if (argc == 0)
		n = lint_configured(c, &d);
	cli_print_findings(c, &d, d.errors == 0);
	if (c->o.format == CLI_TABLE)
		buf_printf(&c->out, "%zu %s, %zu errors, %zu warnings\n", n, n == 1 ? "runbook" : "runbooks",
			d.errors, d.warnings);
	rc = d.errors ? CLI_FAILED : CLI_GOOD;
	diags_release(&d);
	return rc;
}

const struct command command_lint = {
	.name = "lint",
	.synopsis = "[FILE]...",
	.sentence = "check runbooks: front matter, mode, owner, interpreter (default: all of the configuration)",
	.scopes = SCOPE_CONFIG,
	.args_max = -1,
	.run = run,
};
