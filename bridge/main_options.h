/* main_options.h: the command line that the three daemons have in common, and --check. */
#ifndef RB_MAIN_OPTIONS_H
#define RB_MAIN_OPTIONS_H

#include <stdbool.h>
#include "base/diag.h"
#include "base/exit.h"
#include "conf/conf.h"
#include "flow/load.h"

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
/* All that the configuration names, with the findings in d. NULL: exit with *status, all is said. */
struct loaded *options_load_all(const struct options *o, struct diags *d, int *status);
/* Reads the configuration; with `all`, --check or --dump-config also the rules and runbooks that it names, to find what is
 * wrong with them. Findings go to standard error. NULL: exit with *status. */
struct conf *options_load(const struct options *o, bool all, int *status);

#endif
