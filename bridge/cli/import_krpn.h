/* import_krpn.h: an action of prometheus-alert-webhooker as a runbook. For import_krpn.c. */
#ifndef RB_CLI_IMPORT_KRPN_H
#define RB_CLI_IMPORT_KRPN_H

#include "cli/import.h"

#define KRPN_SECRETS "/etc/runbookd/secrets"	/* where a runbook that needs a password looks for it */

struct krpn_action {
	struct import *im;
	const struct yaml *y;		/* the action */
	const struct yaml *common;	/* its common_parameters; NULL none */
	struct import_rule *rule;	/* gets dry_run where the action cannot be what it was */
	struct import_runbook book;	/* name and interpreter are set */
	struct import_step step;
	struct texts fields;		/* labels and annotations that its placeholders name, as `by` has them */
	struct texts values;		/* templates of book.params, in their order */
	size_t secrets_n;
	bool urlencode, json_escape;	/* functions that the script needs */
};

/* Writes the script; false where nothing can be made of the action (said in a note). */
bool krpn_script(struct krpn_action *x);
/* The action's parameter, or the common one; NULL where there is none. */
const struct yaml *krpn_parameter(const struct krpn_action *x, const char *name);
/* A duration of Go's ("1m30s", "100ms") in ms; false where it is none. */
bool krpn_duration(struct str s, int64_t *ms);

#endif
