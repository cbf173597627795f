/* options.h: the command line that runbookd and runbook-worker have in common, and --check. */
#ifndef RB_RUN_OPTIONS_H
#define RB_RUN_OPTIONS_H

#include <stdbool.h>
#include "conf/conf.h"

enum {
	EXIT_SYSTEM = 1,	/* the system said no */
	EXIT_USAGE = 2,
	EXIT_CONFIG = 3,	/* bad configuration: starting again does not help */
	EXIT_NEWER = 4,		/* Redis holds data of a newer version: neither */
};

struct options {
	const char *conf_path;	/* NULL: the default */
	bool check, dump;
	int ready_fd;		/* -1: nobody asks */
	const char *name;	/* --name; NULL none */
};

struct program {
	const char *name;	/* "runbook-worker" */
	const char *usage;	/* its text */
	bool ready_fd, has_name;	/* takes these options */
};

/* -1: go on; else the exit status. */
int options_read(const struct program *p, int argc, char **argv, struct options *o);
/* Reads the configuration; with `all`, --check or --dump-config also the rules and runbooks that it names, to find what is
 * wrong with them. Findings go to standard error. NULL: exit with *status. */
struct conf *options_load(const struct options *o, bool all, int *status);

#endif
