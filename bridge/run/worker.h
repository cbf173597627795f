/* worker.h: the worker: claims runs, executes them, reports. */
#ifndef RB_RUN_WORKER_H
#define RB_RUN_WORKER_H

#include "conf/conf.h"

#define WORKER_RESULT_WAIT_MS 5000	/* at the end: for Redis to take the last results; an answer that is owed then is waited for */
#define WORKER_WAIT_WORK_MS 1000	/* one wait for work; then it looks anyway, for what became ready with time */

struct worker_options {
	const char *conf_path;	/* as given; NULL the default one: for reloads */
	struct conf *conf;	/* taken over */
	const char *suffix;	/* of the name, after the host's and a dot; NULL none */
	int ready_fd;		/* gets one byte after hello; -1 none */
};

/* Runs until a signal ends it. The exit status: 0 stopped, 1 the system said no, 4 Redis holds data of a newer version. */
int worker_run(const struct worker_options *o);

#endif
