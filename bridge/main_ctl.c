/* main_ctl.c: runbookctl, the command line.
 *
 * Wiring only: everything is in cli/. It talks to a bridge over HTTP and needs nothing else, but for
 * `check` and `lint`, which read files in this process.
 */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
