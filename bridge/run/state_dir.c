/* state_dir.c: modes and locks of state_dir.
 *
 * Modes: a run's user must be able to pass through to artifacts/RUN and events/RUN, which are its
 * own, and to nothing else; so state_dir and these two folders are 0711, and what must not be seen
 * has a mode of its own (redis/ and redis.sock 0700, locks 0600).
 *
 * A lock is flock(2): the kernel takes it back when the last holder is gone, in whatever way. It is
 * close-on-exec, but a child between fork and exec holds it, too; hence the wait.
 *
 * An id is written whole or not at all, and only by who holds the lock of its name. What is no ULID
 * is replaced: that is a state_dir that nobody knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "run/state_dir.h"

#define LOOK_EVERY_MS 20

/* A folder of ours that others may pass through. */
static int make_passable(const char *path, struct err *e)
{
	struct stat st;

	if (file_mkdirs(path, 0711, e) < 0)
		return -1;
	if (stat(path, &st) < 0)
		return err_sys(e, "cannot look at '%s'", path);
	/* Only root's runs are other users'. Made by another hand it may be closed to them. */
	if (geteuid() == 0 && st.st_uid == 0 && (st.st_mode & 0011) != 0011 &&
		chmod(path, (st.st_mode & 07777) | 0011) < 0)
		return err_sys(e, "cannot make '%s' passable for the users of runbooks", path);
	return 0;
}

int state_dir_make(struct str state_dir, struct err *e)
{
	static const char *const below[] = {"", "/artifacts", "/events"};
	struct arena a;
	int rc = 0;

	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]) && rc == 0; i++) {
		struct str path = arena_printf(&a, "%.*s%s", STR_ARG(state_dir), below[i]);
		rc = path.p ? make_passable(path.p, e)
			    : err_set(e, ERR_NOMEM, "the path of state_dir is too long");
	}
	arena_release(&a);
	return rc;
}

static long holder(int fd)
{
	char text[32] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

static int try_lock(int fd, const char *path, int wait_ms, struct err *e)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000};
	int64_t end = clock_mono_ms() + wait_ms;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, "cannot lock '%s'", path);
		if (clock_mono_ms() >= end)
			return err_set(e, ERR_CONFLICT,
				"another one is at work with this state_dir: process %ld holds "
				"'%s'; stop it, or set another state_dir",
				holder(fd), path);
		nanosleep(&pause, NULL);
	}
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
		return err_sys(e, "cannot write '%s'", path);
	return 0;
}

int state_dir_lock(struct str state_dir, const char *name, int wait_ms, struct err *e)
{
	struct arena a;
	int fd = -1;

	arena_init(&a, 1 << 16);
	struct str path = arena_printf(&a, "%.*s/%s.lock", STR_ARG(state_dir), name);
	if (!path.p)
		err_set(e, ERR_NOMEM, "the path of state_dir is too long");
	else if ((fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		err_sys(e, "cannot open '%s'", path.p);
	else if (try_lock(fd, path.p, wait_ms, e) < 0) {
		close(fd);
		fd = -1;
	}
	arena_release(&a);
	return fd;
}

int state_dir_id(struct str state_dir, const char *name, char out[ID_LEN + 1], struct err *e)
{
	struct arena a;
	struct buf text;
	struct err ignored;
	int rc = 0;

	arena_init(&a, 1 << 16);
	buf_init(&text, ID_LEN + 2);
	struct str path = arena_printf(&a, "%.*s/%s.id", STR_ARG(state_dir), name);
	if (!path.p) {
		rc = err_set(e, ERR_NOMEM, "the path of state_dir is too long");
	} else if (file_read(path.p, &text, &ignored) == 0 && text.n >= ID_LEN &&
		   id_valid((struct str){text.p, ID_LEN})) {
		memcpy(out, text.p, ID_LEN);
		out[ID_LEN] = '\0';
	} else {
		id_new(clock_wall_ms(), out);
		buf_clear(&text);
		buf_puts(&text, out);
		buf_putc(&text, '\n');
		rc = file_write_atomic(path.p, buf_as_str(&text), 0600, e);
	}
	buf_release(&text);
	arena_release(&a);
	return rc;
}
