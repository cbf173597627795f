/* params.h: the `params` of a front matter. For this folder only; what others use is in runbook.h. */
#ifndef RB_RULE_PARAMS_H
#define RB_RULE_PARAMS_H

#include "rule/reader.h"
#include "rule/runbook.h"

/* A struct reader_key's read; into: struct runbook. */
void params_read(struct reader *r, const struct yaml *y, void *into);
/* [A-Za-z_][A-Za-z0-9_]*, at most 64 bytes: what an environment variable may be called. */
bool params_name_ok(struct str name);

#endif
