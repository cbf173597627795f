/* timeline.h: what happened to an incident, a line each, oldest first. */
#ifndef RB_CLI_TIMELINE_H
#define RB_CLI_TIMELINE_H

#include "cli/cli.h"

void timeline_print(struct cli *c, const struct json *const *entries, size_t n, int indent);

#endif
