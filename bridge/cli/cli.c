/* cli.c: runbookctl from argv to its exit status.
 *
 * Owns the struct cli of the one command that runs. What a command printed is written at its end, or
 * piece by piece by those that follow something; an output that takes no more (a full disk) is a
 * failure, also where the command itself was good.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"

void cli_error(const char *fmt, ...)
{
	char *text = NULL;
	struct buf b;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	buf_init(&b, BUF_NO_LIMIT);
	term_escape_lines(&b, str_of(text));
	fprintf(stderr, "runbookctl: %s\n", b.p ? b.p : "");
	buf_release(&b);
	free(text);
}

int cli_read_file(const char *path, struct buf *out, struct err *e)
{
	if (strcmp(path, "-") == 0)
		return file_read_fd(STDIN_FILENO, "standard input", out, e);
	return file_read(path, out, e);
}

bool cli_flush(struct cli *c)
{
	bool good = !buf_failed(&c->out);

	if (c->out.n && fwrite(c->out.p, 1, c->out.n, stdout) != c->out.n)
		good = false;
	if (fflush(stdout) != 0)
		good = false;
	buf_clear(&c->out);
	if (!good)
		cli_error("cannot write the output: %s", strerror(errno ? errno : ENOMEM));
	return good;
}

static int check_use(const struct cli *c, const struct command *cmd, int args)
{
	for (size_t i = 0; i < c->o.given_n; i++) {
		if (c->o.given[i]->scope & (cmd->scopes | SCOPE_GLOBAL))
			continue;
		cli_error("'%s' takes no option '--%s'; see runbookctl %s --help", cmd->name,
			c->o.given[i]->name, cmd->name);
		return CLI_USAGE;
	}
	if (args < cmd->args_min || (cmd->args_max >= 0 && args > cmd->args_max)) {
		cli_error("'%s' has %s arguments; usage: runbookctl %s%s%s", cmd->name,
			args < cmd->args_min ? "too few" : "too many", cmd->name,
			*cmd->synopsis ? " " : "", cmd->synopsis);
		return CLI_USAGE;
	}
	return 0;
}

/* Who can read the token can use it. */
static void warn_loose_token(const char *path)
{
	struct stat st;

	if (path && stat(path, &st) == 0 && (st.st_mode & (S_IRGRP | S_IROTH)))
		cli_error("warning: others may read the token file '%s'; chmod 600 it", path);
}

static int run_command(struct cli *c, const struct command *cmd, int argc, char **argv)
{
	struct err e = {0};
	int rc = check_use(c, cmd, argc);

	if (rc)
		return rc;
	if (client_init(&c->client, c->o.url, c->o.token_file, &e) < 0) {
		cli_error("%s", e.text);
		rc = CLI_USAGE;
	} else {
		warn_loose_token(c->o.token_file);
		c->client.ca_file = c->o.ca_file;
		rc = cmd->run(c, argc, argv);
	}
	client_release(&c->client);
	return rc;
}

static int dispatch(struct cli *c, char **words, int n)
{
	const struct command *cmd;
	int used = 0;

	if (c->o.version)
		return command_version.run(c, 0, words);
	if (n == 0 && !c->o.help) {
		cli_error("no command; see runbookctl --help");
		return CLI_USAGE;
	}
	if (n == 0) {
		help_print_all(&c->out);
		return CLI_GOOD;
	}
	cmd = command_find(words, n, &used);
	if (!cmd)
		return CLI_USAGE;
	if (c->o.help) {
		help_print_command(cmd, &c->out);
		return CLI_GOOD;
	}
	return run_command(c, cmd, n - used, words + used);
}

int cli_main(int argc, char **argv, const struct cli_services *services)
{
	struct cli c = {.now_ms = clock_wall_ms(), .services = services};
	char **words;
	int n, rc;

	term_init(&c.term);
	arena_init(&c.arena, CLI_ARENA_LIMIT);
	buf_init(&c.out, BUF_NO_LIMIT);
	rc = options_parse(&c.o, argc, argv, &words, &n);
	if (rc == 0)
		rc = dispatch(&c, words, n);
	if (!cli_flush(&c) && rc == 0)
		rc = CLI_FAILED;
	buf_release(&c.out);
	arena_release(&c.arena);
	return rc;
}
