/* contain.h: a program and everything that comes of it, held so that all of it can be ended.
 *
 * Three ways, in order of preference; contain_new tries them out and takes the first that works:
 * a cgroup v2 a run, a PID namespace a run (root), a subreaper a run. docs/design/run.md compares them.
 */
#ifndef RB_RUN_CONTAIN_H
#define RB_RUN_CONTAIN_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "run/spawn.h"

enum contain_mode {
	CONTAIN_AUTO,
	CONTAIN_CGROUP,
	CONTAIN_PIDNS,
	CONTAIN_SUBREAPER,
};
const char *contain_mode_name(enum contain_mode m);

struct contain;		/* of a worker */

/* tag: the same for each instance of one worker, and no other; instance: differs each time. Both are used as file
 * names. Call it before the process has a second thread. wanted other than CONTAIN_AUTO: that one or NULL with e. */
struct contain *contain_new(enum contain_mode wanted, const char *tag, const char *instance, struct err *e);
void contain_free(struct contain *c);
enum contain_mode contain_mode(const struct contain *c);

/* One run's processes. A value of the caller's, zeroed by contain_start. */
struct cell {
	pid_t pid;		/* the program, or its keeper; 0 once reaped */
	int pidfd;		/* readable when that one has ended */
	int cgroup;		/* -1 without one */
	bool kept;		/* pid is a keeper: it reports the program's end, its own end says that all are gone */
	char name[64];
};

/* name: of the run; a file name. f->report must be the write end of a pipe whose read end stays with the caller. */
int contain_start(struct contain *c, struct cell *cell, const char *name, const struct spawn_form *f, struct err *e);
/* SIGTERM or SIGKILL to each process of the run. */
void contain_signal(struct contain *c, struct cell *cell, int sig);
/* Reaps pid: its wait status. Call it when pidfd is readable. -1 where it has not ended. */
int contain_reap(struct cell *cell, int *status);
/* Is all of it gone? Meaningful after contain_reap; with a cgroup this also removes it. */
bool contain_gone(struct contain *c, struct cell *cell);
/* Closes what the cell holds. What is not gone then is left to the kernel: its KILL is pending. */
void contain_release(struct contain *c, struct cell *cell);

#endif
