/* import_trigger.h: a trigger-rule of adnanh/webhook as matchers. For import_webhook.c. */
#ifndef RB_CLI_IMPORT_TRIGGER_H
#define RB_CLI_IMPORT_TRIGGER_H

#include "cli/import.h"

#define TRIGGER_TERMS_LIMIT 64	/* alternatives of one rule, when it is multiplied out */
#define TRIGGER_WIDTH_LIMIT 40	/* matchers of one alternative */

/* Who may send: what stands in the rule as a condition that all of it depends on. */
struct trigger_auth {
	const struct yaml *hmac;	/* the match; NULL none */
	const char *algorithm;		/* sha1 sha256 sha512 */
	struct texts allow;		/* CIDR */
};

/* Adds what has to hold to rule->match and rule->any, and its notes; sets rule->dry_run where a condition has no
 * equivalent: it is left out then, and the rule would run for more than it did. */
void trigger_import(struct import *im, const struct yaml *trigger, struct import_rule *rule, struct trigger_auth *auth);

#endif
