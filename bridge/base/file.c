/* file.c: whole files in and out, folders, and the question who could have changed a file.
 *
 * file_write_atomic: after a crash at any instruction the path holds the old bytes or the new
 * ones, whole. The temporary file stands beside it and is removed on failure.
 *
 * Blocks on the disk: for start, reload and small state, not for the request path. It follows
 * no rule about which paths are allowed; that is the caller's.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* waits: for more, where nothing is there yet but will be. */
static int read_all(int fd, const char *path, bool waits, struct buf *out, struct err *e)
{
	size_t chunk = 4096;
	for (;;) {
		/* At the limit one byte more tells "just fits" from "too large". */
		char spill;
		size_t room = out->limit - out->n < chunk ? out->limit - out->n : chunk;
		char *to = room ? buf_room(out, room) : &spill;
		if (!to)
			return err_set(e, ERR_NOMEM, "cannot read '%s': no memory", path);
		ssize_t n = read(fd, to, room ? room : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && waits) {
			poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
			continue;
		}
		if (n < 0)
			return err_sys(e, "cannot read '%s'", path);
		if (n == 0)
			return 0;
		if (!room)
			return err_set(
				e, ERR_LIMIT, "'%s' is larger than %zu bytes", path, out->limit);
		buf_added(out, (size_t)n);
		if (chunk < (size_t)1 << 20)
			chunk *= 2;
	}
}

int file_read(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", path);
	int rc = buf_failed(out) ? err_set(e, ERR_NOMEM, "cannot read '%s': no memory", path)
				 : read_all(fd, path, false, out, e);
	close(fd);
	return rc;
}

int file_read_fd(int fd, const char *name, struct buf *out, struct err *e)
{
	if (buf_failed(out))
		return err_set(e, ERR_NOMEM, "cannot read '%s': no memory", name);
	return read_all(fd, name, true, out, e);
}

static int write_all(int fd, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return 0;
}

/* The rename is durable once the folder is synced. Some file systems cannot; that is no failure. */
static void sync_folder(const char *path)
{
	char *copy = strdup(path);
	if (!copy)
		return;
	char *slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = '\0';
	int fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

int file_write_atomic(const char *path, struct str bytes, mode_t mode, struct err *e)
{
	char *tmp = NULL;
	int rc = 0;
	if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
		return err_set(e, ERR_NOMEM, "cannot write '%s': no memory", path);
	int fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		rc = err_sys(e, "cannot create '%s'", tmp);
		free(tmp);
		return rc;
	}
	bool good = write_all(fd, bytes) == 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0;
	if (!good)
		rc = err_sys(e, "cannot write '%s'", tmp);
	if (close(fd) != 0 && good) {
		rc = err_sys(e, "cannot write '%s'", tmp);
		good = false;
	}
	if (good && rename(tmp, path) != 0) {
		rc = err_sys(e, "cannot rename '%s' to '%s'", tmp, path);
		good = false;
	}
	if (good)
		sync_folder(path);
	else
		unlink(tmp);
	free(tmp);
	return rc;
}

static int make_folder(const char *path, mode_t mode, struct err *e)
{
	struct stat st;
	if (mkdir(path, mode) == 0)
		return 0;
	int saved = errno;
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		saved = ENOTDIR;
	}
	errno = saved;
	return err_sys(e, "cannot create folder '%s'", path);
}

int file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char *copy = strdup(path);
	int rc = 0;
	if (!copy)
		return err_set(e, ERR_NOMEM, "cannot create folder '%s': no memory", path);
	for (char *p = copy; *p && rc == 0; p++) {
		if (*p != '/' || p == copy || p[-1] == '/')
			continue;
		*p = '\0';
		rc = make_folder(copy, mode, e);
		*p = '/';
	}
	if (rc == 0)
		rc = make_folder(copy, mode, e);
	free(copy);
	return rc;
}

struct str file_join(struct arena *a, struct str dir, struct str name)
{
	if ((name.n && name.p[0] == '/') || dir.n == 0)
		return arena_strdup(a, name);
	bool slash = dir.p[dir.n - 1] == '/';
	return arena_printf(a, "%.*s%s%.*s", STR_ARG(dir), slash ? "" : "/", STR_ARG(name));
}
