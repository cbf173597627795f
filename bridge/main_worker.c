/* main_worker.c: runbook-worker: claims runs from Redis and executes runbooks.
 *
 * Wiring only: options and the process's own settings; everything else is in run/worker.c. It
 * executes, so it listens on nothing: it imports no listen and no accept.
 */
#include "config.h"

#include <malloc.h>
#include <signal.h>
#include "base/log.h"
#include "main_options.h"
#include "run/worker.h"

static const struct program program = {
	.name = "runbook-worker",
	.usage = "usage: runbook-worker [-c FILE] [--check | --dump-config] [--name NAME] "
		 "[--ready-fd N]\n"
		 "  -c, --config FILE  the configuration (" RB_SYSCONFDIR "/runbookd.yml)\n"
		 "  --check            print what is wrong with it as file:line:column: message; "
		 "exit 0 good, 3 bad\n"
		 "  --dump-config      print the configuration in effect\n"
		 "  --name NAME        be HOST.NAME, where several workers on this host use one "
		 "Redis\n"
		 "  --ready-fd N       write one byte there once runs can be claimed\n"
		 "  --version, --help\n",
	.ready_fd = true,
	.has_name = true,
};

int main(int argc, char **argv)
{
	struct options o;
	int status = options_read(&program, argc, argv, &o);

	if (status >= 0)
		return status;
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
	signal(SIGPIPE, SIG_IGN);
	struct conf *conf = options_load(&o, false, &status);
	if (!conf)
		return status;
	malloc_trim(0);
	log_init("runbook-worker", conf->log.format, conf->log.level);
	return worker_run(&(struct worker_options){
		.conf_path = o.conf_path, .conf = conf, .suffix = o.name, .ready_fd = o.ready_fd});
}
