/* help.c: --help, from the tables of commands and options.
 *
 * The manual page is compared with what is printed here, word by word (tests/integration/test_cli.py).
 */
#include "cli/cli.h"

#include <string.h>

#define COLUMN 30
#define WIDTH 80

static void spaces(struct buf *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_putc(out, ' ');
}

/* Word by word, each line at COLUMN. */
static void wrap(struct buf *out, const char *text)
{
	size_t at = COLUMN;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (at > COLUMN && at + 1 + n > WIDTH) {
			buf_putc(out, '\n');
			spaces(out, COLUMN);
			at = COLUMN;
		} else if (at > COLUMN) {
			buf_putc(out, ' ');
			at++;
		}
		buf_add(out, text, n);
		at += n;
		text += n + (text[n] == ' ');
	}
	buf_putc(out, '\n');
}

static void entry(struct buf *out, const char *left, size_t left_n, const char *sentence)
{
	buf_puts(out, "  ");
	buf_add(out, left, left_n);
	if (left_n + 4 > COLUMN) {
		buf_putc(out, '\n');
		spaces(out, COLUMN);
	} else {
		spaces(out, COLUMN - 2 - left_n);
	}
	wrap(out, sentence);
}

static void print_command(const struct command *cmd, struct buf *out)
{
	struct buf left;

	buf_init(&left, BUF_NO_LIMIT);
	buf_printf(&left, "%s%s%s", cmd->name, *cmd->synopsis ? " " : "", cmd->synopsis);
	entry(out, left.p ? left.p : "", left.n, cmd->sentence);
	buf_release(&left);
}

static void print_options(unsigned scopes, struct buf *out)
{
	struct buf left;

	buf_init(&left, BUF_NO_LIMIT);
	for (const struct cli_option *o = cli_options; o->name; o++) {
		if (!(o->scope & scopes))
			continue;
		buf_clear(&left);
		if (o->letter)
			buf_printf(&left, "-%c, ", o->letter);
		buf_printf(&left, "--%s%s%s", o->name, o->argument ? " " : "",
			o->argument ? o->argument : "");
		entry(out, left.p ? left.p : "", left.n, o->sentence);
	}
	buf_release(&left);
}

void help_print_all(struct buf *out)
{
	buf_puts(out, "usage: runbookctl [OPTION]... COMMAND [ARGUMENT]...\n\ncommands:\n");
	for (const struct command *const *c = commands; *c; c++)
		print_command(*c, out);
	buf_puts(out, "\noptions of all commands:\n");
	print_options(SCOPE_GLOBAL, out);
	buf_puts(out, "\noptions of some; 'runbookctl COMMAND --help' lists those that it takes:\n");
	print_options(~(unsigned)SCOPE_GLOBAL, out);
	buf_puts(out, "\nexit status: 0 good, 1 failed, 2 usage, 4 not found, 5 no connection\n");
}

void help_print_command(const struct command *cmd, struct buf *out)
{
	buf_printf(out, "usage: runbookctl %s%s%s [OPTION]...\n\n%s\n", cmd->name,
		*cmd->synopsis ? " " : "", cmd->synopsis, cmd->sentence);
	if (cmd->scopes) {
		buf_puts(out, "\noptions:\n");
		print_options(cmd->scopes, out);
	}
	buf_puts(out, "\noptions of all commands:\n");
	print_options(SCOPE_GLOBAL, out);
}
