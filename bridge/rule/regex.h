/* regex.h: compiled regexes; within a pool each text is compiled once. For this folder only.
 *
 * Counted: a regex lives as long as one who has it. One thread at a time, except for matching.
 */
#ifndef RB_RULE_REGEX_H
#define RB_RULE_REGEX_H

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>
#include "base/err.h"
#include "base/str.h"

struct regex {
	pcre2_code *code;
	uint32_t names_n;	/* named groups */
	uint32_t loops;		/* how many repetitions stand in it, at least 1 */
	uint32_t refs;
};

/* Texts belong to the caller and have to live as long as the pool. NULL: no memory. */
struct regex_pool;
struct regex_pool *regex_pool_new(void);
/* Regexes that someone has stay. */
void regex_pool_free(struct regex_pool *p);

/* Anchored at both ends, as matchers have it. One reference for the caller; pool may be NULL. NULL: e says why, *at is
 * the byte of the text to blame. */
struct regex *regex_get(struct regex_pool *pool, struct str text, size_t *at, struct err *e);
/* The same for lines of logs: it may match anywhere, its dot does not match a line feed. Not shared. */
struct regex *regex_anywhere(struct str text, size_t *at, struct err *e);
void regex_unref(struct regex *r);
/* The i-th of its names_n named groups, and its number. Lives as long as r. */
struct str regex_group(const struct regex *r, uint32_t i, uint32_t *number);

#endif
