/* correlation.h: the correlation policies of a ruleset, for ruleset.c. What others use is in ruleset.h. */
#ifndef RB_RULE_CORRELATION_H
#define RB_RULE_CORRELATION_H

#include "rule/ruleset.h"

/* Findings are those of the configuration's file. */
void correlation_read(struct ruleset *rs, const struct conf *conf, struct diags *d);
void correlation_release(struct ruleset *rs);
/* A line a policy, for the ruleset's hash. */
void correlation_describe(const struct ruleset *rs, struct buf *out);

#endif
