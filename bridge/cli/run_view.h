/* run_view.h: how a run is shown on pages. */
#ifndef RB_CLI_RUN_VIEW_H
#define RB_CLI_RUN_VIEW_H

#include "cli/cli.h"

#define RUN_VIEW_FIRST 3	/* lines of the output that a page shows: a headline is at its start, */
#define RUN_VIEW_LAST 7		/* how it ended at its end */

/* How long it ran, or has been running; "" where it did not start. In c->arena. */
struct str run_took(struct cli *c, const struct json *run);
/* The reason; where there is none, what exit status or signal say. In c->arena. */
struct str run_reason(struct cli *c, const struct json *run);
/* The first and last lines of what it printed, each behind `margin`, and where the rest is. 0 or an exit status. */
int run_print_ends(struct cli *c, const struct json *run, const char *margin);

#endif
