/* cgroup.c: runs in cgroups of their own, so that no process of theirs can get away.
 *
 * Owns one folder below the cgroup that this process is in, and in it one cgroup a run. A process
 * is born inside its run's cgroup (CLONE_INTO_CGROUP) and everything it starts stays in it,
 * whatever sessions or parents it gives itself.
 *
 * Guarantee: when this process dies, even by KILL, what is in the folder dies too. The kernel
 * offers nothing for that, so a guard, a fork of this process that only waits for the end of a
 * pipe, does it. If the guard was killed as well, the next instance of the same tag does it before
 * it starts a run.
 *
 * It sets no limits (memory, CPU, processes): that would need controllers.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "run/cgroup.h"
#include "run/spawn.h"

#define PREFIX "runbooks-"
#define MEMBERS_MAX 4096    /* signalled in one go; KILL has no such limit */
#define SIGNAL_AT_ONCE 64   /* pidfds held at a time */
#define REMOVE_WAIT_MS 2000 /* for processes that were killed to be gone */

struct cgroup_home {
	char *path;
	int dir;
	int guard_pipe; /* the guard reads the other end */
	pid_t guard;
};

/* The part of a mountinfo line that a cgroup2 mount has: its root and where it is mounted. */
static bool parse_mount(char *line, char **root, char **point)
{
	char *save = NULL, *word = strtok_r(line, " ", &save);
	int at = 0;

	*root = *point = NULL;
	for (; word; word = strtok_r(NULL, " ", &save), at++) {
		if (at == 3)
			*root = word;
		else if (at == 4)
			*point = word;
		else if (strcmp(word, "-") == 0) {
			word = strtok_r(NULL, " ", &save);
			return word && strcmp(word, "cgroup2") == 0 && *root && *point;
		}
	}
	return false;
}

/* Mount point + cgroup path below the mount's root; NULL where the mount does not show our cgroup.
 */
static char *join_mount(const char *root, const char *point, const char *own)
{
	size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
	char *out;

	if (strncmp(own, root, n) != 0 || (own[n] != '/' && own[n] != '\0') ||
		strncmp(own, "/..", 3) == 0)
		return NULL;
	if (asprintf(&out, "%s%s", point, strcmp(own + n, "/") == 0 ? "" : own + n) < 0)
		return NULL;
	return out;
}

static char *own_cgroup(struct err *e)
{
	struct buf mine, mounts;
	char *found = NULL, *save = NULL, *save2 = NULL, *own = NULL;

	buf_init(&mine, 1 << 20);
	buf_init(&mounts, 4 << 20);
	if (file_read("/proc/self/cgroup", &mine, e) < 0 ||
		file_read("/proc/self/mountinfo", &mounts, e) < 0)
		goto out;
	for (char *l = mine.p ? strtok_r(mine.p, "\n", &save) : NULL; l;
		l = strtok_r(NULL, "\n", &save)) {
		if (strncmp(l, "0::/", 4) == 0)
			own = l + 3;
	}
	for (char *l = mounts.p ? strtok_r(mounts.p, "\n", &save2) : NULL; l && own && !found;
		l = strtok_r(NULL, "\n", &save2)) {
		char *root, *point;
		if (parse_mount(l, &root, &point))
			found = join_mount(root, point, own);
	}
	if (!found)
		err_set(e, ERR_NOT_FOUND, "no cgroup v2 is mounted that holds this process");
out:
	buf_release(&mine);
	buf_release(&mounts);
	return found;
}

static void pause_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static bool write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

/* Removes the cgroups in dir, then dir itself, as far as they are empty. Only system calls but for
 * opendir's memory. */
static bool remove_tree(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return errno == ENOENT;
	}
	for (struct dirent *de; (de = readdir(d));) {
		if (de->d_type == DT_DIR && strcmp(de->d_name, ".") != 0 &&
			strcmp(de->d_name, "..") != 0)
			remove_tree(dirfd(d), de->d_name);
	}
	closedir(d);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

/* KILL to all below parent/name, and away with it. False where something would not die in time. */
static bool kill_tree(int parent, const char *name)
{
	int64_t end = clock_mono_ms() + REMOVE_WAIT_MS;

	for (;;) {
		int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			return errno == ENOENT;
		write_file(fd, "cgroup.kill", "1");
		close(fd);
		if (remove_tree(parent, name))
			return true;
		if (clock_mono_ms() > end)
			return false;
		pause_ms(2);
	}
}

/* What cannot be killed now (it hangs in the kernel) has its KILL pending and does nothing more. */
static void kill_leftovers(int parent, const char *tag)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	size_t n = strlen(tag);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *de; (de = readdir(d));) {
		const char *rest = de->d_name + strlen(PREFIX);
		if (strncmp(de->d_name, PREFIX, strlen(PREFIX)) == 0 &&
			strncmp(rest, tag, n) == 0 && rest[n] == '.')
			kill_tree(parent, de->d_name);
	}
	closedir(d);
}

/* The guard. It is made before this process has another thread, so that libc's locks are free in
 * the copy. */
static _Noreturn void guard_run(int parent, const char *name, int pipe_fd)
{
	char c;

	setsid();
	spawn_reset_signals(); /* all stay blocked: only KILL ends it early */
	prctl(PR_SET_NAME, "runbook-guard", 0, 0, 0);
	if (dup2(pipe_fd, 0) < 0 || dup2(parent, 1) < 0)
		_exit(126);
	spawn_close_from(2);
	if (chdir("/") < 0)
		_exit(126);
	while (read(0, &c, 1) < 0 && errno == EINTR)
		;
	kill_tree(1, name);
	_exit(0);
}

static int start_guard(struct cgroup_home *h, int parent, const char *name, struct err *e)
{
	sigset_t all, old;
	int ends[2], pidfd = -1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	h->guard = spawn_fork(0, -1, &pidfd);
	if (h->guard == 0)
		guard_run(parent, name, ends[0]);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(ends[0]);
	if (h->guard < 0) {
		close(ends[1]);
		return err_sys(e, "cannot fork");
	}
	close(pidfd);
	h->guard_pipe = ends[1];
	return 0;
}

/* Can a process be born in there, and is there a cgroup.kill? Known for sure only by doing it. */
static int try_out(struct cgroup_home *h, struct err *e)
{
	sigset_t all, old;
	int pidfd = -1, status = 0;
	int fd = cgroup_make(h, "probe", e);

	if (fd < 0)
		return -1;
	if (faccessat(fd, "cgroup.kill", W_OK, AT_EACCESS) < 0) {
		close(fd);
		return err_sys(e, "no cgroup.kill in '%s'; it needs Linux 5.14", h->path);
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t pid = spawn_fork(0, fd, &pidfd);
	if (pid == 0)
		_exit(0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(fd);
	if (pid < 0)
		return err_sys(e, "cannot start a process in cgroup '%s'", h->path);
	close(pidfd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	cgroup_remove(h, "probe");
	return 0;
}

struct cgroup_home *cgroup_home_new(const char *tag, const char *instance, struct err *e)
{
	struct cgroup_home *h = calloc(1, sizeof(*h));
	char *own = h ? own_cgroup(e) : NULL, *name = NULL;
	int parent = -1;

	if (!h)
		return err_set(e, ERR_NOMEM, "out of memory"), NULL;
	h->dir = h->guard_pipe = -1;
	if (!own)
		goto fail;
	parent = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0) {
		err_sys(e, "cannot open cgroup '%s'", own);
		goto fail;
	}
	if (asprintf(&name, PREFIX "%s.%s", tag, instance) < 0 ||
		asprintf(&h->path, "%s/%s", own, name) < 0) {
		err_set(e, ERR_NOMEM, "out of memory");
		goto fail;
	}
	kill_leftovers(parent, tag);
	if (mkdirat(parent, name, 0755) < 0) {
		err_sys(e, "cannot make cgroup '%s'", h->path);
		goto fail;
	}
	h->dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->dir < 0)
		err_sys(e, "cannot open cgroup '%s'", h->path);
	if (h->dir < 0 || try_out(h, e) < 0 || start_guard(h, parent, name, e) < 0) {
		kill_tree(parent, name);
		goto fail;
	}
	free(own);
	free(name);
	close(parent);
	return h;
fail:
	free(own);
	free(name);
	if (parent >= 0)
		close(parent);
	cgroup_home_free(h);
	return NULL;
}

void cgroup_home_free(struct cgroup_home *h)
{
	if (!h)
		return;
	if (h->guard_pipe >= 0) {
		close(h->guard_pipe); /* the guard does the rest */
		while (waitpid(h->guard, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (h->dir >= 0)
		close(h->dir);
	free(h->path);
	free(h);
}

const char *cgroup_home_path(const struct cgroup_home *h)
{
	return h->path;
}

int cgroup_make(struct cgroup_home *h, const char *name, struct err *e)
{
	if (mkdirat(h->dir, name, 0755) < 0)
		return err_sys(e, "cannot make cgroup '%s/%s'", h->path, name);
	int fd = openat(h->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_sys(e, "cannot open cgroup '%s/%s'", h->path, name);
	return fd;
}

/* The pids in cgroup.procs, at most max. Zombies are not in it. */
static size_t members(int cgroup, pid_t *out, size_t max)
{
	struct buf b;
	struct err e;
	size_t n = 0;
	char path[64];

	buf_init(&b, 1 << 20);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/cgroup.procs", cgroup);
	if (file_read(path, &b, &e) == 0 && b.p) {
		for (char *p = b.p; *p && n < max;) {
			out[n] = (pid_t)strtol(p, &p, 10);
			n += out[n] > 0;
			p += strcspn(p, "\n");
			p += *p == '\n';
		}
	}
	buf_release(&b);
	return n;
}

static bool contains(const pid_t *v, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == pid)
			return true;
	}
	return false;
}

/* Holds each one first, then looks again who is in: so that no process which got a freed number is
 * hit. */
static void signal_some(int cgroup, int sig, const pid_t *pids, size_t n, pid_t *now)
{
	int fds[SIGNAL_AT_ONCE];

	for (size_t i = 0; i < n; i++)
		fds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
	size_t now_n = members(cgroup, now, MEMBERS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0 && contains(now, now_n, pids[i]))
			syscall(SYS_pidfd_send_signal, fds[i], sig, NULL, 0);
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

void cgroup_signal(int cgroup, int sig)
{
	if (sig == SIGKILL) {
		write_file(cgroup, "cgroup.kill", "1");
		return;
	}
	pid_t *pids = calloc(2 * MEMBERS_MAX, sizeof(*pids));
	if (!pids)
		return;
	size_t n = members(cgroup, pids, MEMBERS_MAX);
	for (size_t i = 0; i < n; i += SIGNAL_AT_ONCE) {
		size_t some = n - i < SIGNAL_AT_ONCE ? n - i : SIGNAL_AT_ONCE;
		signal_some(cgroup, sig, pids + i, some, pids + MEMBERS_MAX);
	}
	free(pids);
}

bool cgroup_remove(struct cgroup_home *h, const char *name)
{
	return unlinkat(h->dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}
