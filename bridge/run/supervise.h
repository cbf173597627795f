/* supervise.h: runbookd itself: Redis, the bridge and the worker, started, kept, reloaded, stopped in order. */
#ifndef RB_RUN_SUPERVISE_H
#define RB_RUN_SUPERVISE_H

#include "conf/conf.h"

#define SUPERVISE_BRIDGE_STOP_MS 20000	/* the bridge lets requests under way end within 10 s, and be refused within 5 more */
#define SUPERVISE_REDIS_STOP_MS 60000

struct supervise_options {
	const char *conf_path;	/* as given; NULL the default one */
	struct conf *conf;	/* taken over */
};

/* Runs until a signal ends it. The exit status, see options.h. */
int supervise_run(const struct supervise_options *o);

#endif
