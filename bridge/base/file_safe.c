/* file_safe.c: could anyone but root or the owner have changed what this path leads to?
 *
 * Walks the path as the kernel would, one component at a time from the root: each folder is
 * checked before it is entered, each symlink (its owner) before it is followed, and then the
 * folders of its target, and at last the file. Whoever could write to any of these could put
 * another file in the place. A folder that is writable for others is fine where it is root's and
 * sticky, for there only owners rename, and owners are checked.
 *
 * The answer holds as long as root and the owner leave the path alone: nobody else can make it
 * false afterwards. So it needs no lock, and may be given long before the file is opened.
 * ACLs that let others write show as the group's write bit and are refused by it.
 */
#include "base/file.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40
#define NAME_TEXT 40

struct walk {
	const char *path;	/* as the caller named it */
	uid_t owner;
	int links;
	struct buf at;		/* resolved so far: absolute, "" for the root */
	struct buf rest;	/* still to walk */
};

static void user_name(uid_t uid, char out[NAME_TEXT])
{
	char space[4096];
	struct passwd pw, *found = NULL;
	if (getpwuid_r(uid, &pw, space, sizeof(space), &found) == 0 && found)
		snprintf(out, NAME_TEXT, "%s", pw.pw_name);
	else
		snprintf(out, NAME_TEXT, "%u", (unsigned)uid);
}

static void group_name(gid_t gid, char out[NAME_TEXT])
{
	char space[4096];
	struct group gr, *found = NULL;
	if (getgrgid_r(gid, &gr, space, sizeof(space), &found) == 0 && found)
		snprintf(out, NAME_TEXT, "%s", gr.gr_name);
	else
		snprintf(out, NAME_TEXT, "%u", (unsigned)gid);
}

static int check_owner(const struct walk *w, const char *what, const struct stat *st, struct err *e)
{
	char user[NAME_TEXT], wanted[NAME_TEXT];
	if (st->st_uid == 0 || st->st_uid == w->owner)
		return 0;
	user_name(st->st_uid, user);
	user_name(w->owner, wanted);
	const char *or = w->owner ? " or " : "";
	return err_set(e, ERR_INPUT,
		"refusing '%s': %s belongs to %s, not to root%s%s; chown %s%s %s", w->path, what,
		user, or, w->owner ? wanted : "", S_ISLNK(st->st_mode) ? "-h " : "", wanted, what);
}

static int check_mode(const struct walk *w, const char *what, const struct stat *st, struct err *e)
{
	char user[NAME_TEXT], group[NAME_TEXT];
	bool g = st->st_mode & S_IWGRP;
	bool o = st->st_mode & S_IWOTH;
	if (!g && !o)
		return 0;
	if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) && st->st_uid == 0)
		return 0;
	user_name(st->st_uid, user);
	group_name(st->st_gid, group);
	return err_set(e, ERR_INPUT, "refusing '%s': %s is %s-writable (%s:%s %04o); chmod %s-w %s",
		w->path, what, g && o ? "group- and world" : g ? "group" : "world", user, group,
		(unsigned)st->st_mode & 07777, g && o ? "go" : g ? "g" : "o", what);
}

static int follow(struct walk *w, const char *link, struct err *e)
{
	char target[PATH_MAX];
	struct buf rest;

	if (++w->links > LINKS_MAX) {
		errno = ELOOP;
		return err_sys(e, "cannot resolve '%s'", w->path);
	}
	ssize_t n = readlink(link, target, sizeof(target));
	if (n < 0)
		return err_sys(e, "cannot read the link '%s'", link);
	buf_init(&rest, BUF_NO_LIMIT);
	buf_add(&rest, target, (size_t)n);
	buf_putc(&rest, '/');
	buf_str(&rest, buf_as_str(&w->rest));
	buf_release(&w->rest);
	w->rest = rest;
	if (n && target[0] == '/')
		buf_clear(&w->at);
	return 0;
}

static void leave_folder(struct buf *at)
{
	while (at->n && at->p[at->n - 1] != '/')
		at->n--;
	if (at->n)
		at->n--;
	if (at->p)
		at->p[at->n] = '\0';
}

/* Takes the next component off `rest` onto `at`. 1: there was one to look at, 0: none. */
static int next_component(struct walk *w)
{
	size_t skip = w->rest.p ? strspn(w->rest.p, "/") : 0;
	buf_consume(&w->rest, skip);
	size_t n = w->rest.n ? strcspn(w->rest.p, "/") : 0;
	if (n == 0)
		return 0;
	struct str name = {w->rest.p, n};
	if (str_is(name, "..")) {
		leave_folder(&w->at);
	} else if (!str_is(name, ".")) {
		buf_putc(&w->at, '/');
		buf_str(&w->at, name);
	}
	buf_consume(&w->rest, n);
	return 1;
}

static int step(struct walk *w, struct stat *st, struct err *e)
{
	const char *here = w->at.n ? w->at.p : "/";
	if (lstat(here, st) != 0)
		return err_sys(e, "cannot look at '%s'", here);
	if (check_owner(w, here, st, e) != 0)
		return -1;
	if (!S_ISLNK(st->st_mode))
		return check_mode(w, here, st, e);
	if (follow(w, here, e) != 0)
		return -1;
	/* A relative target starts at the folder that holds the link. */
	leave_folder(&w->at);
	return 0;
}

static int walk(struct walk *w, int needs_exec, struct err *e)
{
	struct stat st;
	if (step(w, &st, e) != 0) /* the root folder itself */
		return -1;
	while (next_component(w)) {
		if (step(w, &st, e) != 0)
			return -1;
	}
	if (buf_failed(&w->at) || buf_failed(&w->rest))
		return err_set(e, ERR_NOMEM, "cannot check '%s': no memory", w->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INPUT, "refusing '%s': it is no regular file", w->path);
	if (needs_exec && !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))) {
		return err_set(e, ERR_INPUT, "refusing '%s': it is not executable; chmod +x %s",
			w->path, w->at.p);
	}
	return 0;
}

int file_check_safe(const char *path, uid_t owner, int needs_exec, struct err *e)
{
	struct walk w = {.path = path, .owner = owner};
	int rc = 0;

	buf_init(&w.at, BUF_NO_LIMIT);
	buf_init(&w.rest, BUF_NO_LIMIT);
	if (path[0] != '/') {
		char *cwd = getcwd(NULL, 0);
		if (!cwd)
			rc = err_sys(e, "cannot find the current folder");
		else
			buf_printf(&w.rest, "%s/", cwd);
		free(cwd);
	}
	buf_puts(&w.rest, path);
	if (rc == 0)
		rc = walk(&w, needs_exec, e);
	buf_release(&w.at);
	buf_release(&w.rest);
	return rc;
}
