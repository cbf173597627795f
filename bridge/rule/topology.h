/* topology.h: what depends on what, from YAML, for this folder. What others use is in ruleset.h.
 *
 *	topology:
 *	  - node: database
 *	    match: 'service = "postgres"'
 *	  - node: shop
 *	    match: 'service =~ "shop|cart"'
 *	    depends_on: [{node: database, same: [cluster]}]
 *
 * A node is the alerts that its matchers hold for; nodes of all files are one set, by name.
 */
#ifndef RB_RULE_TOPOLOGY_H
#define RB_RULE_TOPOLOGY_H

#include "rule/rule_yaml.h"

/* The value of `topology` in a file; into: a struct rules_build. */
void topology_read(struct reader *r, const struct yaml *y, void *into);
/* After the last file: unknown nodes, cycles (with their path), too much of anything; then what
 * goes together. */
void topology_check(struct ruleset *rs, struct diags *d);
void topology_release(struct ruleset *rs);

#endif
