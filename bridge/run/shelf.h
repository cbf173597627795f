/* shelf.h: the worker's own copies of runbooks, read, checked and kept while the files stay as they are. */
#ifndef RB_RUN_SHELF_H
#define RB_RUN_SHELF_H

#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "rule/runbook.h"

#define SHELF_MAX 1000			/* runbooks kept */
#define SHELF_FILE_MAX (4 << 20)	/* bytes of one */

struct shelf;

struct shelf *shelf_new(void);
void shelf_free(struct shelf *s);
/* Forgets all: the configuration has changed. */
void shelf_clear(struct shelf *s);

/* By name in c's folders, nowhere else. Each time: is it the file that was read, may nobody else change it or a folder
 * above it, is it executable. The result is the shelf's, until the next call. NULL with e (ERR_INPUT), the remedy named. */
const struct runbook *shelf_get(struct shelf *s, const struct conf *c, struct str name, struct err *e);

#endif
