/* shelf.c: from a runbook's name to a file that may be executed.
 *
 * What comes from Redis is a name. The worker finds the file itself, in the folders of its own
 * configuration, and reads parameters, user and limits from that file: a bridge that was taken over
 * can ask for runbooks that are there, and for nothing else.
 *
 * A parsed copy is used again while device, inode, size and times of the file are the same, and the
 * found path while the folders' times are (stamp.h). Owner and mode, of the file and of
 * every folder above it, are looked at before each run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/file.h"
#include "flow/load.h"
#include "run/shelf.h"
#include "run/stamp.h"

#define ENTRY_MEMORY (1 << 20) /* bytes of one parsed front matter */
#define FOLDERS_MAX 16 /* with more than these, nothing is remembered about where files are */

struct entry {
	struct entry *next;
	struct arena arena;
	struct runbook *runbook;
	char *path;
	struct stamp file;
	struct stamp folders[FOLDERS_MAX];
	size_t folders_n;
};

struct shelf {
	struct entry *first;
	size_t n;
};

struct shelf *shelf_new(void)
{
	return calloc(1, sizeof(struct shelf));
}

static void entry_free(struct entry *x)
{
	if (x->runbook)
		runbook_release(x->runbook);
	arena_release(&x->arena);
	free(x->path);
	free(x);
}

void shelf_clear(struct shelf *s)
{
	while (s->first) {
		struct entry *x = s->first;
		s->first = x->next;
		entry_free(x);
	}
	s->n = 0;
}

void shelf_free(struct shelf *s)
{
	if (!s)
		return;
	shelf_clear(s);
	free(s);
}

/* The stamps of the runbook folders, in order; a missing one is all zero. */
static size_t folder_stamps(const struct conf *c, struct stamp out[FOLDERS_MAX])
{
	struct arena a;

	if (c->runbooks.n > FOLDERS_MAX)
		return 0;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < c->runbooks.n; i++) {
		struct str path = file_join(&a, c->dir, c->runbooks.v[i].text);
		struct str z = arena_strdup(&a, path);
		if (!z.p || !stamp_of(z.p, &out[i]))
			out[i] = (struct stamp){.racy = false};
	}
	arena_release(&a);
	return c->runbooks.n;
}

/* Is the entry what stands there now? */
static bool fresh(const struct entry *x, const struct conf *c)
{
	struct stamp folders[FOLDERS_MAX], file;
	size_t n = folder_stamps(c, folders);

	if (n == 0 || n != x->folders_n || !stamp_of(x->path, &file) ||
		!stamp_same(&x->file, &file))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!stamp_same(&x->folders[i], &folders[i]))
			return false;
	}
	return true;
}

static int find_path(struct entry *x, const struct conf *c, struct str name, struct err *e)
{
	struct arena a;

	arena_init(&a, 16 << 20);
	struct str path = load_find_runbook(&a, c, name);
	if (path.n)
		x->path = strndup(path.p, path.n);
	arena_release(&a);
	if (path.n && !x->path)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (x->path)
		return 0;
	return err_set(e, ERR_INPUT,
		"this worker has no runbook '%.*s', or two of that name; put one executable file "
		"into a folder of `runbooks`, or give the step a pool whose workers have it",
		STR_ARG(name));
}

/* The first finding as one line. */
static int first_finding(const struct diags *d, struct err *e)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *f = &d->v[i];
		if (f->kind == DIAG_ERROR)
			return err_set(
				e, ERR_INPUT, "%s:%d:%d: %s", f->file, f->line, f->column, f->text);
	}
	return err_set(e, ERR_INPUT, "its front matter cannot be read");
}

static int read_runbook(struct entry *x, struct err *e)
{
	struct diags d;
	struct buf b;
	int rc;

	diags_init(&d);
	buf_init(&b, SHELF_FILE_MAX);
	rc = file_read(x->path, &b, e);
	if (rc == 0) {
		x->runbook = runbook_parse(&x->arena, buf_as_str(&b), x->path, &d);
		if (!x->runbook)
			rc = first_finding(&d, e);
	}
	buf_release(&b);
	diags_release(&d);
	return rc;
}

static struct entry *entry_new(const struct conf *c, struct str name, struct err *e)
{
	struct entry *x = calloc(1, sizeof(*x));

	if (!x) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	arena_init(&x->arena, ENTRY_MEMORY);
	/* Stamps first: a change while reading shows as a difference at the next look. */
	x->folders_n = folder_stamps(c, x->folders);
	if (find_path(x, c, name, e) == 0) {
		if (!stamp_of(x->path, &x->file))
			err_sys(e, "cannot look at '%s'", x->path);
		else if (read_runbook(x, e) == 0)
			return x;
	}
	entry_free(x);
	return NULL;
}

static struct entry *look_up(struct shelf *s, const struct conf *c, struct str name)
{
	for (struct entry **at = &s->first; *at; at = &(*at)->next) {
		struct entry *x = *at;
		if (!str_eq(x->runbook->name, name))
			continue;
		if (fresh(x, c))
			return x;
		*at = x->next;
		entry_free(x);
		s->n--;
		return NULL;
	}
	return NULL;
}

const struct runbook *shelf_get(
	struct shelf *s, const struct conf *c, struct str name, struct err *e)
{
	struct entry *x = look_up(s, c, name);

	if (!x) {
		x = entry_new(c, name, e);
		if (!x)
			return NULL;
		if (s->n >= SHELF_MAX)
			shelf_clear(s);
		x->next = s->first;
		s->first = x;
		s->n++;
	}
	return file_check_safe(x->path, geteuid(), 1, e) == 0 ? x->runbook : NULL;
}
