/* artifacts.h: the folder that a run may leave files in, and the file that it may write events to.
 *
 * Below state_dir: artifacts/RUN/ and events/RUN. While the run lasts they belong to its user; afterwards the folder
 * and the files in it belong to the worker, so that nobody changes them any more.
 */
#ifndef RB_RUN_ARTIFACTS_H
#define RB_RUN_ARTIFACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "run/runas.h"

#define ARTIFACTS_MAX 100			/* files that are listed */
#define ARTIFACTS_BYTES_MAX ((int64_t)1 << 30)	/* of all listed files */
#define ARTIFACTS_NAME_MAX 255			/* bytes */
#define EVENTS_MAX 100				/* lines that become events */
#define EVENTS_LINE_MAX (64 << 10)		/* bytes of one */

struct artifacts {
	struct str dir;		/* absolute, NUL-terminated */
	struct str events;	/* the same */
};

struct artifacts_found {
	struct str json;		/* [{"name":…,"size":…}, …] by name */
	size_t n;
	size_t left_out;		/* no plain file, a strange name, or over a limit; still in the folder */
	struct str *events;		/* compact JSON objects */
	size_t events_n;
	size_t events_bad;		/* lines that were no JSON object with a "type", too long, or too many */
	struct str events_why;		/* what was wrong with the first bad one */
};

/* A folder and a file made ahead, to which artifacts_make only gives the names of a run: on a disk that takes a fifth of
 * the time of making them. Only what this object made itself is used. */
struct artifacts_ahead;
/* name: what they are called meanwhile, a ULID that nobody else has; a sweep takes them where they were left by a process
 * that was killed. NULL without memory. */
struct artifacts_ahead *artifacts_ahead_new(struct str state_dir, struct str name);
/* Makes what is not there. What fails here is left to artifacts_make, which tells of it. */
void artifacts_ahead_make(struct artifacts_ahead *x);
/* Removes what nobody took. x: may be NULL. */
void artifacts_ahead_free(struct artifacts_ahead *x);

/* run must be a ULID. Makes both, or takes them from ahead (NULL: none); texts in a. */
int artifacts_make(struct artifacts *f, struct arena *a, struct str state_dir, struct artifacts_ahead *ahead,
	struct str run, const struct runas *user, struct err *e);
/* After the run: lists, takes over, reads the events and removes their file; an empty folder is removed. Texts in a. */
int artifacts_collect(const struct artifacts *f, struct arena *a, struct artifacts_found *out, struct err *e);
/* Removes folders of runs that are older than before_ms (by their ids), at most max of them, and event files likewise.
 * Returns how many went. */
size_t artifacts_sweep(struct str state_dir, int64_t before_ms, size_t max);

#endif
