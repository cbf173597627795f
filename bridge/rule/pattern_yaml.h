/* pattern_yaml.h: `patterns:` of a file -> struct pattern. For this folder only. */
#ifndef RB_RULE_PATTERN_YAML_H
#define RB_RULE_PATTERN_YAML_H

#include "rule/rule_yaml.h"

/* Reads the list below `patterns`; into: a struct rules_build. Findings go to its diags; patterns
 * with findings may be incomplete. */
void patterns_read(struct reader *r, const struct yaml *y, void *into);
/* After the last file: names that stand twice. */
void patterns_check_names(struct rules_build *b);
/* Of patterns without a finding: the prefilter. False: no memory. */
bool patterns_index(struct ruleset *rs);
/* Their compiled regexes; the rest is the ruleset's arena. */
void patterns_release(struct patterns *p);

#endif
