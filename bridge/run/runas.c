/* runas.c: from a user's name to uid, groups and home, before any fork.
 *
 * The name comes from the runbook's front matter (the worker's own, checked copy) or from the
 * worker's configuration, never from Redis. As root, each run changes to that user; as anyone else
 * there is nothing to change to, and everything runs as the worker itself, whatever it asks for.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>
#include "run/runas.h"

#define SPACE_LIMIT (1 << 20) /* bytes of one entry of the user database */
#define GROUPS_LIMIT 65536    /* the kernel's */

/* name NULL: by uid. NULL with e, also where there is none. */
static struct passwd *look_up(
	struct arena *a, const char *name, uid_t uid, struct passwd *pw, struct err *e)
{
	for (size_t n = 1024; n <= SPACE_LIMIT; n *= 2) {
		struct passwd *found = NULL;
		char *space = arena_alloc(a, n);
		if (!space)
			break;
		int rc = name ? getpwnam_r(name, pw, space, n, &found)
			      : getpwuid_r(uid, pw, space, n, &found);
		if (rc == ERANGE)
			continue;
		if (found)
			return found;
		err_set(e, ERR_NOT_FOUND, "no such user");
		return NULL;
	}
	err_set(e, ERR_NOMEM, "the user's entry is too long");
	return NULL;
}

static int find_groups(struct runas *u, struct arena *a, const struct passwd *pw, struct err *e)
{
	for (int n = 32; n <= GROUPS_LIMIT; n *= 2) {
		int got = n;
		gid_t *v = arena_array(a, (size_t)n, sizeof(*v));
		if (!v)
			break;
		if (getgrouplist(pw->pw_name, pw->pw_gid, v, &got) >= 0) {
			u->groups = v;
			u->groups_n = (size_t)got;
			return 0;
		}
	}
	return err_set(e, ERR_LIMIT, "user '%s' is in too many groups", pw->pw_name);
}

static void as_ourselves(struct runas *u, struct arena *a)
{
	struct err no_entry = {0};
	struct passwd space, *pw = look_up(a, NULL, geteuid(), &space, &no_entry);

	u->name = pw ? str_of(pw->pw_name) : arena_printf(a, "%u", (unsigned)geteuid());
	u->home = str_of(pw && pw->pw_dir[0] ? pw->pw_dir : "/");
}

int runas_find(
	struct runas *u, struct arena *a, struct str wanted, struct str otherwise, struct err *e)
{
	struct passwd space, *pw;
	struct str name;

	*u = (struct runas){.uid = geteuid(), .gid = getegid()};
	if (geteuid() != 0) {
		as_ourselves(u, a);
		return 0;
	}
	name = arena_strdup(a, wanted.n ? wanted : otherwise);
	if (!name.p || memchr(name.p, '\0', name.n))
		return err_set(e, ERR_INPUT, "no user to run it as; set worker.user");
	pw = look_up(a, name.p, 0, &space, e);
	if (!pw && e->code == ERR_NOT_FOUND)
		return err_set(e, ERR_INPUT,
			"its user '%s' does not exist; create it (adduser --system --group %s) or "
			"set %s",
			name.p, name.p,
			wanted.n ? "another `user:` in the runbook" : "worker.user");
	if (!pw)
		return -1;
	u->become = true;
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
	u->name = name;
	u->home = str_of(pw->pw_dir[0] ? pw->pw_dir : "/");
	return find_groups(u, a, pw, e);
}
