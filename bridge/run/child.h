/* child.h: one program, run to its end and cleaned up after, from a filled-in form.
 *
 * On the loop of its caller: nothing here blocks. The caller:
 *   1. makes a struct contain, once;
 *   2. fills in a struct child_spec (everything is copied or used before child_start returns);
 *   3. gets on_line for each line as it comes, and on_end exactly once, when nothing of the program is left;
 *      the struct child is gone when on_end returns;
 *   4. may call child_stop before that.
 */
#ifndef RB_RUN_CHILD_H
#define RB_RUN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>
#include "base/err.h"
#include "base/str.h"
#include "run/contain.h"

#define CHILD_LINE_MAX 16384	/* bytes; a longer line comes in pieces */
#define CHILD_LINES_MAX(output_limit) (1000 + (output_limit) / 16)	/* so that short lines do not cost more than long ones */
#define CHILD_SWEEP_MS 1000	/* from TERM to KILL for what the program left behind */
#define CHILD_STUCK_MS 10000	/* after KILL: what is there still hangs in the kernel */

struct child_spec {
	const char *name;	/* of this run and attempt: a file name */
	const char *path;	/* absolute */
	char *const *argv;	/* ended by NULL */
	char *const *envp;	/* ended by NULL; nothing is added */
	const char *dir;	/* absolute */
	bool become;		/* take uid, gid, groups (needs root); false: as this process */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t groups_n;
	bool no_new_privs;
	struct str stdin_bytes;	/* a sealed file in memory becomes its standard input */
	/* Bytes of both streams, newlines too, and CHILD_LINES_MAX of it lines. What comes after is read, counted, dropped. */
	int64_t output_limit;
	int64_t timeout_ms;	/* 0: none */
	int64_t grace_ms;	/* from TERM to KILL */
};

struct child_result {
	struct err why;		/* code ERR_NONE: the program was started; else why it was not */
	int exit_code;		/* where signal == 0 */
	int signal;
	bool timed_out;		/* it was ended because of timeout_ms */
	bool stopped;		/* it was ended because of child_stop */
	bool unknown;		/* its keeper was killed: exit_code and signal are not known */
	bool stuck;		/* something of it is still there, after KILL */
	int64_t dropped;	/* bytes of output past the limit */
	int64_t duration_ms;
};

struct child_calls {
	/* text without the newline, any bytes, until it returns; wall clock. Also the note on dropped output. */
	void (*on_line)(void *ctx, bool is_stderr, int64_t time_ms, struct str text);
	void (*on_end)(void *ctx, const struct child_result *r);
};

enum child_stop_how {
	CHILD_STOP_TERM,	/* TERM, grace, KILL */
	CHILD_STOP_KILL,
};

struct child;

/* NULL with e: nothing was started, no callback will come. calls must outlive it. */
struct child *child_start(uv_loop_t *loop, struct contain *contain, const struct child_spec *spec,
	const struct child_calls *calls, void *ctx, struct err *e);
void child_stop(struct child *c, enum child_stop_how how);

#endif
