/* keeper.c: one small process a run, which knows when nothing of the run is left.
 *
 * Where cgroups cannot hold a run's processes, this one does: as the first process of a PID
 * namespace (root), or as a subreaper (anyone). Either way each orphan of the tree becomes its
 * child, so "no child left" means "nothing left", also for what called setsid or forked twice. As
 * init it reaches all with kill(-1), in one step, and its own end takes the whole namespace along.
 * As a subreaper it walks /proc for its descendants, again and again, until it has no child.
 *
 * It dies with the worker: the kernel sends it KILL (init) or KEEPER_KILL (subreaper) then.
 * It is a copy of the worker that never execs: only system calls, no libc state (see spawn.c).
 * It does not decide when to end a run: the worker tells it by a signal.
 *
 * Limits of the subreaper: something that forks faster than /proc is read can outrun it, and a
 * program of the same user can kill it. Hence it is the last choice.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "run/keeper.h"

#define REPORT_FD 3
#define PROCS_MAX 131072      /* processes looked at in one walk */
#define PID_BITS (1 << 22)    /* the kernel's highest pid_max */
#define WALK_AGAIN_NS 5000000 /* while killing */

struct proc {
	pid_t pid;
	pid_t parent;
};

/* One walk's memory: mapped, not allocated, and only touched as far as there are processes. */
struct walk {
	struct proc procs[PROCS_MAX];
	size_t n;
	unsigned char ours[PID_BITS / 8];
};

struct dirent64_raw { /* as getdents64(2) gives it */
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

static bool is_ours(const struct walk *w, pid_t pid)
{
	return pid > 0 && pid < PID_BITS && (w->ours[pid / 8] >> (pid % 8) & 1);
}

static void set_ours(struct walk *w, pid_t pid)
{
	if (pid > 0 && pid < PID_BITS)
		w->ours[pid / 8] |= (unsigned char)(1 << (pid % 8));
}

static pid_t number(const char *p)
{
	pid_t v = 0;

	if (*p < '1' || *p > '9')
		return 0;
	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (*p - '0');
	return v;
}

/* The parent of a process, 0 where it is gone: the fourth word of its stat, after the last ')'. */
static pid_t parent_of(int proc, const char *name)
{
	char path[32], stat[512];
	size_t n = strlen(name);

	if (n + 6 > sizeof(path))
		return 0;
	memcpy(path, name, n);
	memcpy(path + n, "/stat", 6);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t got = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (got <= 0)
		return 0;
	stat[got] = '\0';
	const char *p = strrchr(stat, ')');
	return p && strlen(p) > 4 ? number(p + 4) : 0;
}

static void list_procs(struct walk *w, int proc)
{
	_Alignas(8) char buf[8192];
	long got;

	w->n = 0;
	while ((got = syscall(SYS_getdents64, proc, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < got;) {
			const struct dirent64_raw *d = (const struct dirent64_raw *)(buf + at);
			pid_t pid = number(d->name);
			pid_t parent = pid ? parent_of(proc, d->name) : 0;
			if (parent && w->n < PROCS_MAX)
				w->procs[w->n++] = (struct proc){pid, parent};
			at += d->reclen;
		}
	}
}

static void name_of(pid_t pid, char out[16])
{
	char rev[16];
	size_t n = 0, i = 0;

	do
		rev[n++] = (char)('0' + pid % 10);
	while ((pid /= 10) > 0);
	while (n > 0)
		out[i++] = rev[--n];
	out[i] = '\0';
}

/* Signals the process that the walk saw, not one that got its number since. */
static void signal_one(int proc, const struct proc *p, int sig)
{
	char name[16];
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);

	if (fd < 0)
		return;
	name_of(p->pid, name);
	if (parent_of(proc, name) == p->parent)
		syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	close(fd);
}

/* The signal to each descendant of this process. */
static void signal_tree(int sig)
{
	struct walk *w =
		mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (w != MAP_FAILED && proc >= 0) {
		list_procs(w, proc);
		set_ours(w, getpid());
		for (bool more = true; more;) {
			more = false;
			for (size_t i = 0; i < w->n; i++) {
				if (is_ours(w, w->procs[i].pid) || !is_ours(w, w->procs[i].parent))
					continue;
				set_ours(w, w->procs[i].pid);
				more = true;
			}
		}
		for (size_t i = 0; i < w->n; i++) {
			if (is_ours(w, w->procs[i].pid) && w->procs[i].pid != getpid())
				signal_one(proc, &w->procs[i], sig);
		}
	}
	if (proc >= 0)
		close(proc);
	if (w != MAP_FAILED)
		munmap(w, sizeof(*w));
}

static void signal_all(bool init, int sig)
{
	if (init)
		kill(-1, sig);
	else
		signal_tree(sig);
}

/* False when no child is left. */
static bool reap(pid_t program)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid == 0)
			return true;
		if (pid < 0)
			return errno == EINTR;
		if (pid != program)
			continue;
		struct spawn_report r = {.said = SPAWN_ENDED, .value = status};
		if (write(REPORT_FD, &r, sizeof(r)) != (ssize_t)sizeof(r))
			continue; /* the worker is gone, and so will be this, soon */
	}
}

static _Noreturn void keep(pid_t program, bool init, const sigset_t *set)
{
	const struct timespec again = {.tv_nsec = WALK_AGAIN_NS}, long_ = {.tv_sec = 3600};
	bool killing = false;

	while (reap(program)) {
		int sig = sigtimedwait(set, NULL, killing ? &again : &long_);
		if (sig == KEEPER_KILL)
			killing = true;
		if (killing)
			signal_all(init, SIGKILL);
		else if (sig == KEEPER_TERM)
			signal_all(init, SIGTERM);
	}
	_exit(0);
}

/* The pipe's reader is the worker: without one it died before it could have taken us along. */
static bool worker_gone(void)
{
	struct pollfd p = {.fd = REPORT_FD};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

void keeper_run(const struct spawn_form *f, bool init)
{
	struct spawn_form own = *f;
	sigset_t set, all;
	int pidfd;

	sigfillset(&all);
	sigprocmask(
		SIG_SETMASK, &all, NULL); /* signals wait for sigtimedwait; also those to an init */
	setsid();
	spawn_reset_signals();
	prctl(PR_SET_NAME, "runbook-keeper", 0, 0, 0);
	if (spawn_take_fds(f->in, f->out, f->err, f->report) < 0)
		spawn_fail(f->report, SPAWN_FDS, errno);
	if (!init && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		spawn_fail(REPORT_FD, SPAWN_FORK, errno);
	if (prctl(PR_SET_PDEATHSIG, init ? SIGKILL : KEEPER_KILL, 0, 0, 0) < 0)
		spawn_fail(REPORT_FD, SPAWN_FORK, errno);
	if (worker_gone())
		_exit(126);

	own.in = 0;
	own.out = 1;
	own.err = 2;
	own.report = REPORT_FD;
	pid_t me = getpid();
	pid_t program = spawn_fork(0, -1, &pidfd);
	if (program == 0)
		spawn_exec(&own, me);
	if (program < 0)
		spawn_fail(REPORT_FD, SPAWN_FORK, errno);
	close(pidfd);
	for (int fd = 0; fd <= 2; fd++)
		close(fd); /* else the worker never sees the end of the output */

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, KEEPER_TERM);
	sigaddset(&set, KEEPER_KILL);
	keep(program, init, &set);
}
