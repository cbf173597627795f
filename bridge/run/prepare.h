/* prepare.h: from a claim to a filled-in form, or a refusal: the worker's own checks. */
#ifndef RB_RUN_PREPARE_H
#define RB_RUN_PREPARE_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "run/artifacts.h"
#include "run/child.h"
#include "run/runas.h"
#include "run/shelf.h"
#include "store/store.h"

/* A run that may be executed. Everything in the arena that it was made in. */
struct prepared {
	struct child_spec spec;
	struct artifacts artifacts;
	bool have_artifacts;		/* they were made: collect them, also after a failure further on */
	struct str params_json;		/* as executed; "" where it did not come so far */
	struct str sha256;		/* of the file; "" likewise */
	bool other_file;		/* it is not the file that the rule was decided with */
	bool idempotent;
	bool amx_alone;			/* AMX_* tell of its alert alone: there was no message */
	int64_t timeout_ms;
};

/* What the worker is, for all its runs. */
struct prepare_host {
	const struct conf *conf;
	struct shelf *shelf;
	struct runas_book *users;
	struct str state_dir;
	struct artifacts_ahead *ahead;
	struct str worker;
	char *const *environment;	/* its own */
};

/* Before anything is found out. */
#define PREPARED_NONE ((struct prepared){.params_json = STR(""), .sha256 = STR("")})

/* The claim's runbook, checked by the shelf just now, and the shelf's until its next call. NULL: refused, e says why. */
const struct runbook *prepare_find(const struct store_claimed *claim, const struct prepare_host *h, struct err *e);

/* The message that the runbook is told of: to be fetched before prepare_run. "": none; rb NULL: none. */
struct str prepare_message_id(struct arena *a, const struct store_claimed *claim, const struct runbook *rb);

/* claim: copied by the caller, lives in a, as message ("" none) does. rb: of prepare_find, in the same turn of the loop.
 * *p: PREPARED_NONE before; holds what was found out, also after a refusal (-1, e says why and what to do). */
int prepare_run(struct prepared *p, struct arena *a, const struct store_claimed *claim, const struct runbook *rb,
	struct str message, const struct prepare_host *h, struct err *e);

#endif
