/* keeper.h: the process that stands over one run's tree where there is no cgroup for it. */
#ifndef RB_RUN_KEEPER_H
#define RB_RUN_KEEPER_H

#include <stdbool.h>
#include "run/spawn.h"

/* What a keeper does on a signal from its worker. */
#define KEEPER_TERM SIGTERM	/* TERM to every process of the tree */
#define KEEPER_KILL SIGUSR1	/* KILL to every process of the tree, until none is left */

/* Runs in a child made by spawn_fork; init: it was made with CLONE_NEWPID. Starts the program, writes a
 * SPAWN_ENDED when that has ended, and exits when nothing of the tree is left. */
_Noreturn void keeper_run(const struct spawn_form *f, bool init);

#endif
