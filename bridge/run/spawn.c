/* spawn.c: from fork to exec.
 *
 * Owns the order in which a child gives things up: session, signals, files, groups, group, user,
 * new privileges, and only then the signal that ties its life to its parent's (a change of user
 * would undo that one). Each step is checked, the user's by trying to get root back. A step that
 * fails ends the child and is reported by number; the parent turns it into a sentence.
 *
 * Guarantee: only system calls between fork and exec (the process may have threads that hold locks
 * of libc), and past libc's own ideas of them: its setresuid wants every thread of the process to
 * follow. It does not choose anything: the form says it all.
 *
 * A copy of the worker's address space that the next exec throws away costs more than all else
 * here, so on x86-64 the child borrows it, as with vfork(2): the worker sleeps until exec, the
 * child has a stack of its own and the worker's memory to read. What it changes there is errno.
 * Elsewhere, and where a sanitizer keeps books about stacks, it gets its copy.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "run/spawn.h"

#define REPORT_FD 3

#ifdef SYS_setuid32 /* an old processor, whose plain numbers take ids of 16 bits */
#define ID_CALL(name) SYS_##name##32
#else
#define ID_CALL(name) SYS_##name
#endif

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif
#if defined(__x86_64__) && !defined(SANITIZED)
#define BORROWS
#endif

pid_t spawn_fork(uint64_t flags, int cgroup_fd, int *pidfd)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid >= 0 || errno != ENOSYS || flags || cgroup_fd >= 0)
		return (pid_t)pid;

	/* A container's filter may hide clone3 from us; the plain way then. */
	pid = fork();
	if (pid <= 0)
		return (pid_t)pid;
	*pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (*pidfd < 0) {
		kill((pid_t)pid, SIGKILL);
		return -1;
	}
	return (pid_t)pid;
}

/* ---- the borrowed address space ---- */

#ifdef BORROWS

#define STACK_SIZE 65536

struct errand {
	const struct spawn_form *form;
	pid_t parent;
};

static bool ignored[NSIG]; /* what this process ignores */
static bool ignored_found;

static void default_action(int sig);
static _Noreturn void exec_in_place(const struct spawn_form *f, pid_t parent);

/* CLONE_CLEAR_SIGHAND did the signals that had handlers. */
static void run_errand(void *ctx)
{
	const struct errand *x = ctx;

	for (int sig = 1; sig < NSIG; sig++) {
		if (ignored[sig])
			default_action(sig);
	}
	exec_in_place(x->form, x->parent);
}

/* 64 system calls, which is more than all others of a start. */
static void find_ignored(void)
{
	unsigned long act[8]; /* the kernel's struct; its first field is the handler */

	for (int sig = 1; sig < NSIG; sig++)
		ignored[sig] = syscall(SYS_rt_sigaction, sig, NULL, act, NSIG / 8) == 0 &&
			       act[0] == (unsigned long)(uintptr_t)SIG_IGN;
	ignored_found = true;
}

/* clone3, and in the child run(ctx), which never returns, on args->stack. libc has no such call:
 * the child must not return from the function that made it, for its parent still has to. */
static long clone3_call(struct clone_args *args, void (*run)(void *), void *ctx)
{
	long rc;
	register void (*r8)(void *) __asm__("r8") = run;
	register void *r9 __asm__("r9") = ctx;

	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "movq %%r9, %%rdi\n\t"
			 "callq *%%r8\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(rc)
			 : "0"((long)SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(r8), "r"(r9)
			 : "rcx", "r11", "cc", "memory");
	return rc;
}

static pid_t borrow(const struct spawn_form *f, int cgroup_fd, int *pidfd)
{
	static _Alignas(16) char stack[STACK_SIZE]; /* its user is the one child that we wait for */
	struct errand x = {f, getpid()};
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = sizeof(stack),
	};
	if (!ignored_found)
		find_ignored();
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	long pid = clone3_call(&args, run_errand, &x);
	if (pid >= 0)
		return (pid_t)pid;
	errno = (int)-pid;
	return -1;
}

#endif

void spawn_signals_changed(void)
{
#ifdef BORROWS
	ignored_found = false;
#endif
}

pid_t spawn_program(const struct spawn_form *f, int cgroup_fd, int *pidfd)
{
	pid_t me = getpid(), pid;

#ifdef BORROWS
	pid = borrow(f, cgroup_fd, pidfd);
	if (pid > 0 || (errno != ENOSYS && errno != EINVAL)) /* EINVAL: Linux before 5.5 */
		return pid;
#endif
	pid = spawn_fork(0, cgroup_fd, pidfd);
	if (pid == 0)
		spawn_exec(f, me);
	return pid;
}

/* ---- in the child ---- */

/* Not by libc, which refuses its own two signals; its posix_spawn leaves just these ignored, so
 * that whoever was started by make or a shell that uses it would pass that on. */
static void default_action(int sig)
{
	const unsigned long dfl[8] = {0}; /* the kernel's struct, all zero */

	syscall(SYS_rt_sigaction, sig, dfl, NULL, NSIG / 8); /* KILL and STOP say no: fine */
}

void spawn_reset_signals(void)
{
	for (int sig = 1; sig < NSIG; sig++)
		default_action(sig);
}

void spawn_close_from(int first)
{
	struct rlimit lim;

	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) == 0)
		return;
	int most = 65536;
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < (rlim_t)most)
		most = (int)lim.rlim_cur;
	for (int fd = first; fd < most; fd++)
		close(fd);
}

int spawn_take_fds(int in, int out, int err, int report)
{
	/* The four come from above 2 or are in their places already: none overwrites another. */
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		return -1;
	if (report != REPORT_FD && dup3(report, REPORT_FD, O_CLOEXEC) < 0)
		return -1;
	spawn_close_from(REPORT_FD + 1);
	return 0;
}

void spawn_fail(int report, enum spawn_stage stage, int error)
{
	struct spawn_report r = {.said = SPAWN_FAILED, .stage = stage, .value = error};

	if (write(report, &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(126); /* nobody reads it any more */
	_exit(127);
}

/* Groups, group, user; and a look whether it is so. */
static void become(const struct spawn_form *f)
{
	uid_t ru, eu, su;
	gid_t rg, eg, sg;

	if (syscall(ID_CALL(setgroups), f->groups_n, f->groups) < 0)
		spawn_fail(REPORT_FD, SPAWN_GROUPS, errno);
	if (syscall(ID_CALL(setresgid), f->gid, f->gid, f->gid) < 0)
		spawn_fail(REPORT_FD, SPAWN_GROUPS, errno);
	if (syscall(ID_CALL(setresuid), f->uid, f->uid, f->uid) < 0)
		spawn_fail(REPORT_FD, SPAWN_USER, errno);
	if (getresuid(&ru, &eu, &su) < 0 || getresgid(&rg, &eg, &sg) < 0 || ru != f->uid ||
		eu != f->uid || su != f->uid || rg != f->gid || eg != f->gid || sg != f->gid)
		spawn_fail(REPORT_FD, SPAWN_USER, EPERM);
	if (f->uid != 0 && syscall(ID_CALL(setuid), 0) == 0)
		spawn_fail(REPORT_FD, SPAWN_USER, EPERM);
}

/* All but the actions of signals, which are the defaults already. */
static _Noreturn void exec_in_place(const struct spawn_form *f, pid_t parent)
{
	sigset_t none;

	setsid();
	umask(027);
	if (spawn_take_fds(f->in, f->out, f->err, f->report) < 0)
		spawn_fail(f->report, SPAWN_FDS, errno);
	if (f->become)
		become(f);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (f->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		spawn_fail(REPORT_FD, SPAWN_PRIVS, errno);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		spawn_fail(REPORT_FD, SPAWN_PRIVS, errno);
	if (getppid() != parent)
		_exit(126); /* it died before the line above */
	if (chdir(f->dir) < 0)
		spawn_fail(REPORT_FD, SPAWN_DIR, errno);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(f->path, f->argv, f->envp);
	spawn_fail(REPORT_FD, SPAWN_EXEC, errno);
}

void spawn_exec(const struct spawn_form *f, pid_t parent)
{
	spawn_reset_signals();
	exec_in_place(f, parent);
}
