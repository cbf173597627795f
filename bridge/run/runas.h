/* runas.h: which user a runbook runs as, with everything that a change to it needs. */
#ifndef RB_RUN_RUNAS_H
#define RB_RUN_RUNAS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct runas {
	bool become;		/* the worker is root and changes; false: as the worker itself */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;	/* all of the user's, gid among them */
	size_t groups_n;
	struct str name;
	struct str home;	/* NUL-terminated */
};

/* The user database as it was found last: what it said of a user is believed for RUNAS_KEEP_MS, and no longer than
 * its files stay as they are. */
struct runas_book;

#define RUNAS_KEEP_MS 10000
#define RUNAS_KEEP_MAX 64	/* users */

struct runas_book *runas_book_new(void);
void runas_book_free(struct runas_book *b);

/* wanted: of the runbook's front matter, "" none; otherwise: worker.user. A worker that is not root runs everything as
 * itself. ERR_INPUT says what to change. Texts and groups in a. Looks into the user database, where b (NULL: none) does
 * not know: may block. */
int runas_find(struct runas_book *b, struct runas *u, struct arena *a, struct str wanted, struct str otherwise, struct err *e);

#endif
