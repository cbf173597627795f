/* spawn.h: the few lines that run between fork and exec, and what they may report.
 *
 * A struct spawn_form is complete before the fork; nothing here allocates, locks or logs.
 */
#ifndef RB_RUN_SPAWN_H
#define RB_RUN_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spawn_form {
	const char *path;	/* absolute */
	char *const *argv;	/* ended by NULL */
	char *const *envp;	/* ended by NULL: the whole environment */
	const char *dir;	/* absolute: where it starts */
	bool become;		/* take uid, gid and groups; false: stay who we are */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t groups_n;
	bool no_new_privs;
	int in, out, err;	/* become 0, 1, 2 */
	int report;		/* struct spawn_report goes here; closed by a successful exec */
};

enum spawn_stage {
	SPAWN_FORK,
	SPAWN_FDS,
	SPAWN_GROUPS,
	SPAWN_USER,
	SPAWN_PRIVS,
	SPAWN_DIR,
	SPAWN_EXEC,
};

enum spawn_said {
	SPAWN_FAILED,	/* stage and errno: exec was not reached */
	SPAWN_ENDED,	/* a keeper: value is the wait status of the program */
};

struct spawn_report {
	int32_t said;
	int32_t stage;
	int32_t value;
};

/* As fork(2), with a pidfd (close-on-exec) for the parent, clone(2) flags (CLONE_NEWPID) and, where cgroup_fd
 * is not -1, born inside that cgroup. All signals must be blocked around it. -1 with errno. */
pid_t spawn_fork(uint64_t flags, int cgroup_fd, int *pidfd);

/* Starts f's program in a child as of spawn_fork, by spawn_exec. Where it can, the child borrows our memory instead of a
 * copy of it: then this returns when its exec is done, or has failed and was reported. All signals must be blocked
 * around it. Not for two threads at a time. -1 with errno. */
pid_t spawn_program(const struct spawn_form *f, int cgroup_fd, int *pidfd);

/* To be called where this process comes to ignore a signal, or not to any more, after its first spawn_program: that
 * one looks up which they are, and their default action is the program's. */
void spawn_signals_changed(void);

/* In the child: own session, clean signals, three files, the user, then exec. parent is whom it dies with. */
_Noreturn void spawn_exec(const struct spawn_form *f, pid_t parent);

/* In a child: default action for every signal; the mask is left alone. */
void spawn_reset_signals(void);
/* In a child: 0, 1, 2 and 3 become these four (3 close-on-exec), all other files are closed. */
int spawn_take_fds(int in, int out, int err, int report);
void spawn_close_from(int first);
_Noreturn void spawn_fail(int report, enum spawn_stage stage, int error);

#endif
