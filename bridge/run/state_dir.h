/* state_dir.h: the folder of everything that lasts, and the locks that say who works in it. */
#ifndef RB_RUN_STATE_DIR_H
#define RB_RUN_STATE_DIR_H

#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

#define STATE_DIR_LOCK_WAIT_MS 5000	/* for the children of a program that was killed to be gone */

/* Makes state_dir and the folders in it: passable for runs of any user (they reach their own folder), readable for
 * none of them. */
int state_dir_make(struct str state_dir, struct err *e);
/* An open, locked file state_dir/NAME.lock with our pid in it; it is ours until the descriptor is closed or we die.
 * -1 with e: another process has it (ERR_CONFLICT, with its pid), or ERR_IO. May wait up to wait_ms. */
int state_dir_lock(struct str state_dir, const char *name, int wait_ms, struct err *e);
/* The id of the one who works here under the lock NAME, which the caller holds: a ULID, made once and kept in
 * state_dir/NAME.id. */
int state_dir_id(struct str state_dir, const char *name, char out[ID_LEN + 1], struct err *e);

#endif
