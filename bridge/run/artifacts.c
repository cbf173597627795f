/* artifacts.c: files that a run leaves.
 *
 * Owns state_dir/artifacts and state_dir/events. Both folders are the worker's; a run's user gets
 * one folder and one file in them, made before the run, and cannot make another or take these away.
 *
 * What is collected was written by a script that may be anyone's: nothing is followed (no symlink,
 * no second link to a file from elsewhere, no fifo, no folder), everything is opened relative to
 * the run's folder, and count, bytes and lines have limits. It runs after the last process of the
 * run is gone.
 *
 * What a script leaves is not deleted when a limit is reached, only not listed: it may be the only
 * copy of something. It goes with the folder, after `incidents.retention`.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"
#include "base/utf8.h"
#include "run/artifacts.h"

#define LOOKED_AT_MAX 10000 /* entries of one folder */
#define SWEEP_DEPTH 16	    /* folders in folders */

struct file {
	struct str name;
	int64_t size;
};

/* A retry may write on to what its earlier attempt left: plain files that artifacts_collect took
 * over go back. The folder is ours meanwhile, so nobody can put another file in their place. */
static int give_back(const char *path, const struct runas *user, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct stat st;
	size_t seen = 0;
	int rc = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return err_sys(e, "cannot open folder '%s'", path);
	}
	/* Still the user's: its worker went before it collected, and took over nothing. */
	bool ours = fstat(fd, &st) == 0 && st.st_uid == geteuid();
	for (struct dirent *de; ours && rc == 0 && seen < LOOKED_AT_MAX && (de = readdir(d));
		seen++) {
		int file = openat(
			fd, de->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (file < 0)
			continue;
		if (fstat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
			st.st_uid == geteuid() && fchown(file, user->uid, user->gid) < 0)
			rc = err_sys(e, "cannot give '%s/%s' to user '%.*s'", path, de->d_name,
				STR_ARG(user->name));
		close(file);
	}
	closedir(d);
	return rc;
}

/* A new file that only its user may read and write; what an earlier attempt left in its place goes.
 */
static int make_empty(const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd = open(path, flags, 0600);

	if (fd >= 0 || errno != EEXIST || unlink(path) < 0)
		return fd;
	return open(path, flags, 0600);
}

/* ---- made ahead ---- */

struct artifacts_ahead {
	char *dir, *events; /* paths */
	bool dir_made;	    /* by us: it is there, and nobody had it */
	int fd;		    /* of the file, likewise; -1: none */
};

void artifacts_ahead_free(struct artifacts_ahead *x)
{
	if (!x)
		return;
	if (x->dir_made)
		rmdir(x->dir);
	if (x->fd >= 0) {
		unlink(x->events);
		close(x->fd);
	}
	free(x->dir);
	free(x->events);
	free(x);
}

struct artifacts_ahead *artifacts_ahead_new(struct str state_dir, struct str name)
{
	struct artifacts_ahead *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->fd = -1;
	if (asprintf(&x->dir, "%.*s/artifacts/%.*s", STR_ARG(state_dir), STR_ARG(name)) < 0)
		x->dir = NULL;
	if (asprintf(&x->events, "%.*s/events/%.*s", STR_ARG(state_dir), STR_ARG(name)) < 0)
		x->events = NULL;
	if (x->dir && x->events)
		return x;
	artifacts_ahead_free(x);
	return NULL;
}

void artifacts_ahead_make(struct artifacts_ahead *x)
{
	if (!x->dir_made)
		x->dir_made = mkdir(x->dir, 0700) == 0;
	if (x->fd < 0)
		x->fd = open(x->events, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* The folder gets its name. False: there is none, or something has that name. */
static bool name_dir(struct artifacts_ahead *x, const char *path)
{
	if (!x || !x->dir_made)
		return false;
	bool named = renameat2(AT_FDCWD, x->dir, AT_FDCWD, path, RENAME_NOREPLACE) == 0;
	if (named || errno == ENOENT) /* a sweep takes it after long */
		x->dir_made = false;
	return named;
}

/* The file gets its name, in the place of what an earlier attempt left. -1: there is none. */
static int name_events(struct artifacts_ahead *x, const char *path)
{
	int fd = x ? x->fd : -1;

	if (fd < 0)
		return -1;
	x->fd = -1;
	if (rename(x->events, path) == 0)
		return fd;
	close(fd);
	unlink(x->events);
	return -1;
}

/* ---- before the run ---- */

int artifacts_make(struct artifacts *f, struct arena *a, struct str state_dir,
	struct artifacts_ahead *ahead, struct str run, const struct runas *user, struct err *e)
{
	f->dir = arena_printf(a, "%.*s/artifacts/%.*s", STR_ARG(state_dir), STR_ARG(run));
	f->events = arena_printf(a, "%.*s/events/%.*s", STR_ARG(state_dir), STR_ARG(run));
	if (!f->dir.p || !f->events.p)
		return err_set(e, ERR_NOMEM, "out of memory");
	/* A retry finds what its earlier attempt left, and keeps it. */
	bool again = !name_dir(ahead, f->dir.p) && mkdir(f->dir.p, 0700) < 0;
	if (again) {
		if (errno != EEXIST)
			return err_sys(e, "cannot make folder '%s'", f->dir.p);
		if (user->become && give_back(f->dir.p, user, e) < 0)
			return -1;
	}
	int fd = name_events(ahead, f->events.p);
	if (fd < 0)
		fd = make_empty(f->events.p);
	if (fd < 0)
		return err_sys(e, "cannot make file '%s'", f->events.p);
	int rc = 0;
	if (user->become && (fchown(fd, user->uid, user->gid) < 0 ||
				    lchown(f->dir.p, user->uid, user->gid) < 0))
		rc = err_sys(e, "cannot give '%s' to user '%.*s'", f->dir.p, STR_ARG(user->name));
	close(fd);
	if (rc == 0 && again && chmod(f->dir.p, 0700) < 0)
		rc = err_sys(e, "cannot change the mode of '%s'", f->dir.p);
	return rc;
}

/* ---- the folder ---- */

static bool good_name(struct str name)
{
	if (name.n > ARTIFACTS_NAME_MAX || utf8_valid(name) != name.n)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
			return false;
	}
	return true;
}

/* Takes over a plain file that is in no other folder; its size, or -1 for anything else. */
static int64_t take_over(int dir, const char *name)
{
	struct stat st;
	int64_t size = -1;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
		(geteuid() != 0 || (fchown(fd, 0, getegid()) == 0 && fchmod(fd, 0640) == 0)))
		size = st.st_size;
	close(fd);
	return size;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static size_t list_folder(DIR *d, struct arena *a, struct file *files, struct artifacts_found *out)
{
	int64_t bytes = 0;
	size_t n = 0, seen = 0;

	for (struct dirent *de; (de = readdir(d)) && seen < LOOKED_AT_MAX;) {
		struct str name = str_of(de->d_name);
		if (str_is(name, ".") || str_is(name, ".."))
			continue;
		seen++;
		int64_t size =
			n < ARTIFACTS_MAX && good_name(name) ? take_over(dirfd(d), de->d_name) : -1;
		if (size < 0 || size > ARTIFACTS_BYTES_MAX - bytes) {
			out->left_out++;
			continue;
		}
		files[n] = (struct file){arena_strdup(a, name), size};
		bytes += size;
		n++;
	}
	qsort(files, n, sizeof(*files), by_name);
	return n;
}

static void files_json(
	struct arena *a, const struct file *files, size_t n, struct artifacts_found *out)
{
	struct buf b;
	struct json_w w;

	buf_init(&b, 1 << 20);
	json_w_init(&w, &b);
	json_w_array(&w);
	for (size_t i = 0; i < n; i++) {
		json_w_object(&w);
		json_w_kstr(&w, "name", files[i].name);
		json_w_ki64(&w, "size", files[i].size);
		json_w_end(&w, '}');
	}
	json_w_end(&w, ']');
	out->json = arena_strdup(a, buf_as_str(&b));
	out->n = n;
	buf_release(&b);
}

static int collect_files(
	const struct artifacts *f, struct arena *a, struct artifacts_found *out, struct err *e)
{
	struct file *files;
	int fd;
	DIR *d;

	out->json = STR("[]");
	if (rmdir(f->dir.p) == 0)
		return 0; /* the usual case: nothing in it */
	fd = open(f->dir.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open folder '%s'", f->dir.p);
	if (geteuid() == 0 && (fchown(fd, 0, getegid()) < 0 || fchmod(fd, 0750) < 0)) {
		close(fd);
		return err_sys(e, "cannot take over folder '%s'", f->dir.p);
	}
	files = arena_array(a, ARTIFACTS_MAX, sizeof(*files));
	d = files ? fdopendir(fd) : NULL;
	if (!d) {
		close(fd);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	files_json(a, files, list_folder(d, a, files, out), out);
	closedir(d);
	return 0;
}

/* ---- events ---- */

static void bad_event(struct arena *a, struct artifacts_found *out, const char *why)
{
	if (out->events_bad++ == 0)
		out->events_why = arena_strdup(a, str_of(why));
}

static void take_event(struct arena *a, struct artifacts_found *out, struct str line)
{
	struct err e;
	struct arena scratch;

	if (line.n > EVENTS_LINE_MAX) {
		bad_event(a, out, "a line is longer than 64KiB");
		return;
	}
	if (out->events_n == EVENTS_MAX) {
		bad_event(a, out, "there are more than 100 of them");
		return;
	}
	arena_init(&scratch, 16 << 20);
	const struct json *j = json_parse(&scratch, line, &e);
	if (!j)
		bad_event(a, out, e.text);
	else if (j->kind != JSON_OBJECT || json_str(json_get(j, "type")).n == 0)
		bad_event(a, out, "want an object with a \"type\"");
	else
		out->events[out->events_n++] = arena_strdup(a, line);
	arena_release(&scratch);
}

static void split_events(struct arena *a, struct artifacts_found *out, struct str all)
{
	while (all.n > 0) {
		const char *end = memchr(all.p, '\n', all.n);
		struct str line = {all.p, end ? (size_t)(end - all.p) : all.n};
		size_t step = line.n + (end ? 1 : 0);

		while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
			line.n--;
		if (line.n)
			take_event(a, out, line);
		all.p += step;
		all.n -= step;
	}
}

static int collect_events(
	const struct artifacts *f, struct arena *a, struct artifacts_found *out, struct err *e)
{
	const size_t limit = (size_t)(EVENTS_LINE_MAX + 1) * EVENTS_MAX + 1;
	int fd = open(f->events.p, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	struct buf b;
	int rc = 0;

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", f->events.p);
	unlink(f->events.p);
	buf_init(&b, limit);
	out->events = arena_array(a, EVENTS_MAX, sizeof(*out->events));
	if (!out->events || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, ERR_IO, "'%s' is no file any more", f->events.p);
	}
	while (st.st_size > 0 && b.n < limit) {
		size_t want = limit - b.n < 65536 ? limit - b.n : 65536;
		char *room = buf_room(&b, want);
		ssize_t n = room ? read(fd, room, want) : -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_sys(e, "cannot read '%s'", f->events.p);
		if (n <= 0)
			break;
		buf_added(&b, (size_t)n);
	}
	if (b.n == limit)
		bad_event(a, out, "there are too many bytes of them");
	split_events(a, out, buf_as_str(&b));
	buf_release(&b);
	close(fd);
	return rc;
}

int artifacts_collect(
	const struct artifacts *f, struct arena *a, struct artifacts_found *out, struct err *e)
{
	*out = (struct artifacts_found){.json = STR("[]")};
	int rc = collect_files(f, a, out, e);
	struct err e2;
	if (collect_events(f, a, out, rc < 0 ? &e2 : e) < 0)
		rc = -1;
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : rc;
}

/* ---- age ---- */

/* A whole folder, never through a symlink. */
static bool remove_all(int parent, const char *name, int depth)
{
	if (unlinkat(parent, name, 0) == 0)
		return true;
	int fd = depth < SWEEP_DEPTH
			 ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			 : -1;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *de; (de = readdir(d));) {
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			remove_all(dirfd(d), de->d_name, depth + 1);
	}
	closedir(d);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

static size_t sweep_folder(const char *path, int64_t before_ms, size_t max)
{
	DIR *d = opendir(path);
	size_t gone = 0;

	for (struct dirent *de; d && gone < max && (de = readdir(d));) {
		int64_t ms;
		uint64_t seq;
		struct str name = str_of(de->d_name);
		if (id_valid(name) && id_to_ms_seq(name, &ms, &seq) && ms < before_ms)
			gone += remove_all(dirfd(d), de->d_name, 0);
	}
	if (d)
		closedir(d);
	return gone;
}

size_t artifacts_sweep(struct str state_dir, int64_t before_ms, size_t max)
{
	struct arena a;
	size_t gone = 0;

	arena_init(&a, 1 << 16);
	struct str files = arena_printf(&a, "%.*s/artifacts", STR_ARG(state_dir));
	struct str events = arena_printf(&a, "%.*s/events", STR_ARG(state_dir));
	if (files.p && events.p)
		gone = sweep_folder(files.p, before_ms, max) +
		       sweep_folder(events.p, before_ms, max);
	arena_release(&a);
	return gone;
}
