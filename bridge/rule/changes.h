/* changes.h: `changes` of the configuration in a ruleset, for ruleset.c. What others use is in
 * ruleset.h. */
#ifndef RB_RULE_CHANGES_H
#define RB_RULE_CHANGES_H

#include "rule/ruleset.h"

/* Findings are those of the configuration's file. */
void changes_read(struct ruleset *rs, const struct conf *conf, struct diags *d);
void changes_release(struct ruleset *rs);
/* A line a matcher, for the ruleset's hash. */
void changes_describe(const struct ruleset *rs, struct buf *out);

#endif
