/* incident_page.h: one incident on one page. */
#ifndef RB_CLI_INCIDENT_PAGE_H
#define RB_CLI_INCIDENT_PAGE_H

#include "cli/cli.h"

/* path: "/api/v1/incidents/ID", for what belongs to it. 0 or an exit status. */
int incident_page(struct cli *c, const char *path, const struct json *incident);

#endif
