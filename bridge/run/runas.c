/* runas.c: from a user's name to uid, groups and home, before any fork.
 *
 * The name comes from the runbook's front matter (the worker's own, checked copy) or from the
 * worker's configuration, never from Redis. As root, each run changes to that user; as anyone else
 * there is nothing to change to, and everything runs as the worker itself, whatever it asks for.
 *
 * A look into the database reads and parses files, or asks a directory service, so a book keeps
 * what was found. A change of a local file counts at once; of what else nsswitch.conf names,
 * RUNAS_KEEP_MS later. That a user is missing is not kept.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "run/runas.h"
#include "run/stamp.h"

#define SPACE_LIMIT (1 << 20) /* bytes of one entry of the user database */
#define GROUPS_LIMIT 65536    /* the kernel's */

#define ENTRY_MEMORY (2 << 20) /* bytes of one user in the book */
#define FILES 3

struct entry {
	struct entry *next;
	struct arena arena;
	struct runas user;
	int64_t found_ms;
};

struct runas_book {
	struct entry *first;
	size_t n;
	struct stamp files[FILES]; /* as they were before the first entry was looked up */
};

struct runas_book *runas_book_new(void)
{
	return calloc(1, sizeof(struct runas_book));
}

static void forget_all(struct runas_book *b)
{
	while (b->first) {
		struct entry *x = b->first;
		b->first = x->next;
		arena_release(&x->arena);
		free(x);
	}
	b->n = 0;
}

void runas_book_free(struct runas_book *b)
{
	if (!b)
		return;
	forget_all(b);
	free(b);
}

/* Forgets all where a file of the database is not the one that it was. */
static void look_at_files(struct runas_book *b)
{
	static const char *const paths[FILES] = {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf"};
	struct stamp now[FILES];
	bool same = true;

	for (size_t i = 0; i < FILES; i++) {
		stamp_of(paths[i], &now[i]);
		same = same && stamp_same(&b->files[i], &now[i]);
	}
	if (!same) {
		forget_all(b);
		memcpy(b->files, now, sizeof(now));
	}
}

static bool copy_user(struct runas *to, struct arena *a, const struct runas *from)
{
	gid_t *groups = arena_array(a, from->groups_n ? from->groups_n : 1, sizeof(*groups));

	*to = *from;
	to->name = arena_strdup(a, from->name);
	to->home = arena_strdup(a, from->home);
	if (groups && from->groups_n)
		memcpy(groups, from->groups, from->groups_n * sizeof(*groups));
	to->groups = groups;
	return groups && to->name.p && to->home.p;
}

static bool recall(struct runas_book *b, struct runas *u, struct arena *a, struct str name)
{
	look_at_files(b);
	for (struct entry **at = &b->first; *at; at = &(*at)->next) {
		struct entry *x = *at;
		if (!str_eq(x->user.name, name))
			continue;
		if (clock_mono_ms() - x->found_ms < RUNAS_KEEP_MS)
			return copy_user(u, a, &x->user);
		*at = x->next;
		arena_release(&x->arena);
		free(x);
		b->n--;
		break;
	}
	return false;
}

/* Not to be able to is no failure. */
static void remember(struct runas_book *b, const struct runas *u)
{
	struct entry *x = calloc(1, sizeof(*x));

	if (!x)
		return;
	arena_init(&x->arena, ENTRY_MEMORY);
	if (!copy_user(&x->user, &x->arena, u)) {
		arena_release(&x->arena);
		free(x);
		return;
	}
	if (b->n >= RUNAS_KEEP_MAX)
		forget_all(b);
	x->found_ms = clock_mono_ms();
	x->next = b->first;
	b->first = x;
	b->n++;
}

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

/* As root: a user of the database. */
static int find_user(struct runas *u, struct arena *a, struct str name, bool named, struct err *e)
{
	struct passwd space, *pw = look_up(a, name.p, 0, &space, e);

	if (!pw && e->code == ERR_NOT_FOUND)
		return err_set(e, ERR_INPUT,
			"its user '%s' does not exist; create it (adduser --system --group %s) or "
			"set %s",
			name.p, name.p, named ? "another `user:` in the runbook" : "worker.user");
	if (!pw)
		return -1;
	u->become = true;
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
	u->name = name;
	u->home = str_of(pw->pw_dir[0] ? pw->pw_dir : "/");
	return find_groups(u, a, pw, e);
}

int runas_find(struct runas_book *b, struct runas *u, struct arena *a, struct str wanted,
	struct str otherwise, struct err *e)
{
	struct str name;

	*u = (struct runas){.uid = geteuid(), .gid = getegid()};
	if (geteuid() != 0) {
		as_ourselves(u, a);
		return 0;
	}
	name = arena_strdup(a, wanted.n ? wanted : otherwise);
	if (!name.p || memchr(name.p, '\0', name.n))
		return err_set(e, ERR_INPUT, "no user to run it as; set worker.user");
	if (b && recall(b, u, a, name))
		return 0;
	if (find_user(u, a, name, wanted.n > 0, e) < 0)
		return -1;
	if (b)
		remember(b, u);
	return 0;
}
