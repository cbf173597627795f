/* cmd_version.c: version: of this program; asks nobody.
 *
 * The running bridge's own version is in the metric runbookd_build_info.
 */
#include "config.h"

#include "cli/commands.h"

static int run(struct cli *c, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (c->o.format == CLI_JSON)
		buf_puts(&c->out, "{\n  \"version\": \"" PACKAGE_VERSION "\"\n}\n");
	else if (c->o.format == CLI_YAML)
		buf_puts(&c->out, "version: \"" PACKAGE_VERSION "\"\n");
	else
		buf_puts(&c->out, "runbookctl " PACKAGE_VERSION "\n");
	return CLI_GOOD;
}

const struct command command_version = {
	.name = "version",
	.synopsis = "",
	.sentence = "the version of this program",
	.run = run,
};
