/* flow/contracts.h: the contracts of a configuration, by the type of event that they are for.
 *
 * Immutable once loaded; belongs to the sources (flow/sources.h), which are counted.
 */
#ifndef RB_FLOW_CONTRACTS_H
#define RB_FLOW_CONTRACTS_H

#include "base/diag.h"
#include "base/err.h"
#include "event/event.h"

#define CONTRACTS_MAX 1000 /* of one configuration */
#define CONTRACTS_END ".schema.json"

struct contracts;

/* A file, as it was read. */
struct contract_file {
	const char *name; /* its path, for findings; TYPE.schema.json */
	struct str bytes;
};

/* Findings in d; NULL where it got an error. What files points at is not needed any more. */
struct contracts *contracts_new(const struct contract_file *files, size_t n, struct diags *d);
void contracts_free(struct contracts *c);	/* NULL is fine */

/* SHA-256 over all of them, in hex: other contracts have another one. */
const char *contracts_hash(const struct contracts *c);
/* Does the event's data keep to the contract of its type, if there is one? -1: ERR_INPUT "data breaks the contract of
 * 'deployed': /version: want a string, got a number", with the offset in what was read. c NULL: there are none. */
int contracts_check(const struct contracts *c, const struct event *ev, struct err *e);

#endif
