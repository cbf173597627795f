/* contain.c: which way a run's processes are held, and the same five calls for each.
 *
 * Owns the choice. A way counts as usable only after a process was really started that way: limits
 * of containers and of systemd units show in no other place. What ends what is in cgroup.c and
 * keeper.c.
 *
 * Processes that even KILL does not end (they hang in the kernel, a dead NFS server) are let go by
 * contain_release and reaped here later, so that they cost a table entry and not a slot.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/sched.h>
#include "run/cgroup.h"
#include "run/contain.h"
#include "run/keeper.h"

struct contain {
	enum contain_mode mode;
	struct cgroup_home *home; /* CONTAIN_CGROUP */
	pid_t *stuck;		  /* children to reap when they end after all */
	size_t stuck_n;
};

const char *contain_mode_name(enum contain_mode m)
{
	switch (m) {
	case CONTAIN_AUTO:
		return "auto";
	case CONTAIN_CGROUP:
		return "cgroup";
	case CONTAIN_PIDNS:
		return "pid-namespace";
	case CONTAIN_SUBREAPER:
		return "subreaper";
	}
	return "?";
}

/* Is a PID namespace to be had? */
static int try_pidns(struct err *e)
{
	sigset_t all, old;
	int pidfd = -1;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t pid = spawn_fork(CLONE_NEWPID, -1, &pidfd);
	if (pid == 0)
		_exit(0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return err_sys(e, "cannot make a PID namespace");
	close(pidfd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static int choose(struct contain *c, enum contain_mode wanted, const char *tag,
	const char *instance, struct err *e)
{
	if (wanted == CONTAIN_AUTO || wanted == CONTAIN_CGROUP) {
		c->mode = CONTAIN_CGROUP;
		c->home = cgroup_home_new(tag, instance, e);
		if (c->home || wanted == CONTAIN_CGROUP)
			return c->home ? 0 : -1;
	}
	if (wanted == CONTAIN_AUTO || wanted == CONTAIN_PIDNS) {
		c->mode = CONTAIN_PIDNS;
		int rc = try_pidns(e);
		if (rc == 0 || wanted == CONTAIN_PIDNS)
			return rc;
	}
	c->mode = CONTAIN_SUBREAPER;
	return 0;
}

struct contain *contain_new(
	enum contain_mode wanted, const char *tag, const char *instance, struct err *e)
{
	struct contain *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(e, ERR_NOMEM, "out of memory"), NULL;
	if (choose(c, wanted, tag, instance, e) < 0) {
		contain_free(c);
		return NULL;
	}
	return c;
}

void contain_free(struct contain *c)
{
	if (!c)
		return;
	cgroup_home_free(c->home);
	free(c->stuck);
	free(c);
}

enum contain_mode contain_mode(const struct contain *c)
{
	return c->mode;
}

static void reap_stuck(struct contain *c)
{
	size_t left = 0;

	for (size_t i = 0; i < c->stuck_n; i++) {
		if (waitpid(c->stuck[i], NULL, WNOHANG) == 0)
			c->stuck[left++] = c->stuck[i];
	}
	c->stuck_n = left;
}

int contain_start(struct contain *c, struct cell *cell, const char *name,
	const struct spawn_form *f, struct err *e)
{
	uint64_t flags = c->mode == CONTAIN_PIDNS ? CLONE_NEWPID : 0;
	sigset_t all, old;

	*cell = (struct cell){.pidfd = -1, .cgroup = -1, .kept = c->mode != CONTAIN_CGROUP};
	if (snprintf(cell->name, sizeof(cell->name), "%s", name) >= (int)sizeof(cell->name))
		return err_set(e, ERR_LIMIT, "the run's name is too long");
	reap_stuck(c);
	if (c->mode == CONTAIN_CGROUP && (cell->cgroup = cgroup_make(c->home, name, e)) < 0)
		return -1;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	if (cell->kept) {
		cell->pid = spawn_fork(flags, -1, &cell->pidfd);
		if (cell->pid == 0)
			keeper_run(f, c->mode == CONTAIN_PIDNS);
	} else {
		cell->pid = spawn_program(f, cell->cgroup, &cell->pidfd);
	}
	int error = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (cell->pid > 0)
		return 0;
	cell->pid = 0;
	contain_gone(c, cell);
	contain_release(c, cell);
	errno = error;
	return err_sys(e, "cannot fork");
}

void contain_signal(struct contain *c, struct cell *cell, int sig)
{
	(void)c;
	if (!cell->kept)
		cgroup_signal(cell->cgroup, sig);
	else if (cell->pid > 0)
		syscall(SYS_pidfd_send_signal, cell->pidfd,
			sig == SIGKILL ? KEEPER_KILL : KEEPER_TERM, NULL, 0);
}

int contain_reap(struct cell *cell, int *status)
{
	pid_t pid = cell->pid ? waitpid(cell->pid, status, WNOHANG) : -1;

	if (pid != cell->pid)
		return -1;
	cell->pid = 0;
	return 0;
}

bool contain_gone(struct contain *c, struct cell *cell)
{
	if (cell->pid)
		return false;
	return cell->cgroup < 0 || cgroup_remove(c->home, cell->name);
}

void contain_release(struct contain *c, struct cell *cell)
{
	if (cell->pid) {
		pid_t *v = reallocarray(c->stuck, c->stuck_n + 1, sizeof(*v));
		if (v) {
			c->stuck = v;
			v[c->stuck_n++] = cell->pid;
		}
		cell->pid = 0;
	}
	if (cell->pidfd >= 0)
		close(cell->pidfd);
	if (cell->cgroup >= 0)
		close(cell->cgroup);
	cell->pidfd = cell->cgroup = -1;
}
