/* file.h: reading files whole, and knowing who could have changed them. */
#ifndef RB_BASE_FILE_H
#define RB_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appends the file's bytes; ERR_IO, or ERR_LIMIT where it is larger than out's limit. */
int file_read(const char *path, struct buf *out, struct err *e);
/* The same from what is open already, a pipe or standard input, to its end; name is for the error. */
int file_read_fd(int fd, const char *name, struct buf *out, struct err *e);
/* Written beside it, fsynced, renamed over it. */
int file_write_atomic(const char *path, struct str bytes, mode_t mode, struct err *e);
/* mkdir -p; folders that exist are left as they are. */
int file_mkdirs(const char *path, mode_t mode, struct err *e);
/* Refuses (ERR_INPUT) a regular file that anyone but root or `owner` may change: its owner, group- and
 * world-writable bits, and the same for each folder above it (a sticky folder of root's is fine), with
 * symlinks resolved first. The text says which component, its owner and mode, and the chmod or chown
 * that mends it. needs_exec: an x bit must be set, too. */
int file_check_safe(const char *path, uid_t owner, int needs_exec, struct err *e);
/* dir + "/" + name, or name where it is absolute; in the arena. */
struct str file_join(struct arena *a, struct str dir, struct str name);

#endif
