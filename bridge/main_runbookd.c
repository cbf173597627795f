/* main_runbookd.c: runbookd: starts, watches, restarts, reloads and stops Redis, the bridge and the
 * worker.
 *
 * Wiring only: options and the check of everything that the configuration names; the rest is in
 * run/supervise.c. It opens no network socket and reads no event.
 */
#include "config.h"

#include <malloc.h>
#include <signal.h>
#include "base/log.h"
#include "main_options.h"
#include "run/supervise.h"

static const struct program program = {
	.name = "runbookd",
	.usage = "usage: runbookd [-c FILE] [--check | --dump-config]\n"
		 "  -c, --config FILE  the configuration (" RB_SYSCONFDIR "/runbookd.yml)\n"
		 "  --check            print what is wrong with it as file:line:column: message; "
		 "exit 0 good, 3 bad\n"
		 "  --dump-config      print the configuration in effect\n"
		 "  --version, --help\n",
};

int main(int argc, char **argv)
{
	struct options o;
	int status = options_read(&program, argc, argv, &o);

	if (status >= 0)
		return status;
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 64 << 10);
	mallopt(M_TRIM_THRESHOLD, 64 << 10);
	signal(SIGPIPE, SIG_IGN);
	struct conf *conf = options_load(&o, true, &status);
	if (!conf)
		return status;
	malloc_trim(0);
	log_init("runbookd", conf->log.format, conf->log.level);
	return supervise_run(&(struct supervise_options){.conf_path = o.conf_path, .conf = conf});
}
