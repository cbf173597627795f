/* cmd_reload.c: reload: asks the bridge to read its configuration again.
 *
 * All or nothing: a refused one changes nothing, and the lines of --check say why. Exit 1 then.
 */
#include "cli/commands.h"
#include "cli/show.h"

static int run(struct cli *c, int argc, char **argv)
{
	const struct json *answer;
	int rc = cli_post(c, "/-/reload", STR_NONE, NULL, &answer);

	(void)argc;
	(void)argv;
	if (rc)
		return rc;
	if (c->o.format != CLI_TABLE && answer) {
		cli_print(c, answer);
	} else if (c->o.format == CLI_TABLE) {
		term_escape_lines(&c->out, show_text(answer, "warnings"));
		buf_puts(&c->out, "reloaded\n");
	}
	return CLI_GOOD;
}

const struct command command_reload = {
	.name = "reload",
	.synopsis = "",
	.sentence = "read configuration, rules and runbooks again, all or nothing",
	.run = run,
};
