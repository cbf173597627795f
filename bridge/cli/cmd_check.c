/* cmd_check.c: check: what the daemons would say to a configuration, without a daemon.
 *
 * Loads in this process with the code that start and reload use (flow/load.h), looks closer at rules that are good,
 * prints every finding as file:line:column, errors before warnings, and exits 1 where there is an error, else 0. The
 * owner and mode of runbooks are judged for the user that runs it, as for the worker.
 */
#include "cli/commands.h"

#include "flow/load.h"

static int run(struct cli *c, int argc, char **argv)
{
	struct diags d;
	struct loaded *l;
	int rc;

	diags_init(&d);
	l = load_checked(argc ? argv[0] : NULL, &d);
	cli_print_findings(c, &d, l != NULL);
	if (l && c->o.format == CLI_TABLE)
		buf_printf(&c->out, "good: %zu rules, %zu runbooks, %zu warnings\n", l->rules->rules_n,
			l->rules->runbooks.n, d.warnings);
	rc = l ? CLI_GOOD : CLI_FAILED;
	loaded_free(l);
	diags_release(&d);
	return rc;
}

const struct command command_check = {
	.name = "check",
	.synopsis = "[FILE]",
	.sentence = "check a configuration with its rules and runbooks (default: the installed runbookd.yml)",
	.args_max = 1,
	.run = run,
};
