/* cgroup.h: a folder of cgroup v2 below our own, with a cgroup for each run.
 *
 * No controller is used: membership, and cgroup.kill (Linux 5.14), are all that is asked of it.
 */
#ifndef RB_RUN_CGROUP_H
#define RB_RUN_CGROUP_H

#include <stdbool.h>
#include "base/err.h"

struct cgroup_home;

/* "runbooks-TAG.INSTANCE" below this process's own cgroup. What earlier instances of the same tag left is killed
 * and removed first. A small guard process kills all in it when this process dies in whatever way.
 * NULL with e where this process may not do so. */
struct cgroup_home *cgroup_home_new(const char *tag, const char *instance, struct err *e);
/* Kills what is left, ends the guard, removes the folder. */
void cgroup_home_free(struct cgroup_home *h);
const char *cgroup_home_path(const struct cgroup_home *h);

/* A new cgroup `name` in it; its open folder (close-on-exec), for spawn_fork. -1 with e. */
int cgroup_make(struct cgroup_home *h, const char *name, struct err *e);
/* To each process in the cgroup. SIGKILL is one step of the kernel, which no fork escapes. */
void cgroup_signal(int cgroup, int sig);
/* True where it was empty and is gone. */
bool cgroup_remove(struct cgroup_home *h, const char *name);

#endif
