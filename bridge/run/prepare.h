/* prepare.h: from a claim to a filled-in form, or a refusal: the worker's own checks. */
#ifndef RB_RUN_PREPARE_H
#define RB_RUN_PREPARE_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "run/artifacts.h"
#include "run/child.h"
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
	struct str state_dir;
	struct str worker;
	char *const *environment;	/* its own */
};

/* The message that the runbook is told of: to be fetched before prepare_run. "": none. */
struct str prepare_message_id(struct arena *a, const struct store_claimed *claim, const struct prepare_host *h);

/* claim: copied by the caller, lives in a, as message ("" none) does. -1: refused, e says why and what to do. */
int prepare_run(struct prepared *p, struct arena *a, const struct store_claimed *claim, struct str message,
	const struct prepare_host *h, struct err *e);

#endif
