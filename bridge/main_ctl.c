/* main_ctl.c: runbookctl, the command line.
 *
 * Wiring only: everything is in cli/. It talks to a bridge over HTTP and needs nothing else, but for
 * `check` and `lint`, which read files in this process, and `test`, which tries rules out on a
 * redis-server of its own: cli/ may not start one, so it gets the two functions that do.
 */
#include "cli/cli.h"
#include "run/private_redis.h"

int main(int argc, char **argv)
{
	static const struct cli_services services = {
		.redis_start = private_redis_start,
		.redis_stop = private_redis_stop,
	};

	return cli_main(argc, argv, &services);
}
