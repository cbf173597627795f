/* contract.h: what the data of an event of one type must look like, as a JSON Schema (2020-12, a part of it).
 *
 * Pure: bytes -> a compiled contract, a contract and a value -> good, or the place that is not. docs/contracts.md lists the
 * keywords. A keyword, format or reference that is not in that list is an error when the contract is read: nothing that
 * its author wrote is silently not checked.
 */
#ifndef RB_CONTRACT_CONTRACT_H
#define RB_CONTRACT_CONTRACT_H

#include "base/diag.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define CONTRACT_FILE_LIMIT ((size_t)1 << 20)	/* bytes of a contract */
#define CONTRACT_STEPS 200000			/* subschemas that one check may apply to values */
#define CONTRACT_DEPTH 128			/* of subschemas applied within each other */
#define CONTRACT_MATCH_LIMIT 100000		/* PCRE2's, of one `pattern` on one text */

struct contract;

/* name: the file's, for findings. NULL where d got an error. The bytes are not needed any more. */
struct contract *contract_parse(struct str bytes, const char *name, struct diags *d);
void contract_free(struct contract *c);	/* NULL is fine */

/* 0: v keeps to it. Else -1, ERR_INPUT with "/a/0/b: want a string, got a number" (the place as a JSON pointer into v; none
 * for v itself) and its offset; ERR_LIMIT where it takes more than the limits above. v NULL stands for {}. Not for
 * two threads at a time. */
int contract_check(struct contract *c, const struct json *v, struct err *e);

#endif
