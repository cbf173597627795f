/* planned.h: the maintenance windows and inhibit rules of a ruleset, for ruleset.c. What others use
 * is in ruleset.h. */
#ifndef RB_RULE_PLANNED_H
#define RB_RULE_PLANNED_H

#include "rule/ruleset.h"

/* Findings are those of the configuration's file. */
void planned_read(struct ruleset *rs, const struct conf *conf, struct diags *d);
void planned_release(struct ruleset *rs);
/* A line each, for the ruleset's hash. */
void planned_describe(const struct ruleset *rs, struct buf *out);

#endif
