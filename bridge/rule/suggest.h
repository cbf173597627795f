/* suggest.h: a log pattern for lines of one kind, proposed for a person to look at.
 *
 * Made from a group of drain.h: what all its lines have stands in the regex as it is, what differs
 * as a named group where it looks like a thing that lines are about (a user, an address, a device),
 * else without a name, so that no alert gets a label with a value of its own for each line. Every
 * line of the group matches. Pure.
 */
#ifndef RB_RULE_SUGGEST_H
#define RB_RULE_SUGGEST_H

#include <stdbool.h>
#include "base/arena.h"
#include "base/buf.h"
#include "rule/drain.h"

#define SUGGEST_GROUPS 6      /* named groups of one pattern */
#define SUGGEST_NAME 48	      /* bytes of a pattern's name */
#define SUGGEST_GROUP_NAME 24 /* bytes of a group's name */
#define SUGGEST_LITERAL                                                                            \
	4 /* bytes: a group that has no text of this length in common is not proposed */
#define SUGGEST_COST                                                                               \
	100000 /* repetitions in a regex times bytes of a line: limits.match_budget would be used  \
		  up */
#define SUGGEST_OFTEN 10 /* lines from which on a pattern counts before it fires */

struct suggestion {
	const struct drain_group *group;
	struct str name;   /* [a-z0-9-]+ */
	struct str source; /* matchers; "" none */
	struct str match;
	struct str groups[SUGGEST_GROUPS]; /* names, as they stand in match */
	size_t groups_n;
	struct str by; /* the group that a threshold counts by; "" none */
	bool threshold;
	enum event_severity severity;
	struct str summary; /* a template */
};

/* How much a group's lines deserve a look: by what they say of themselves and in words, and how
 * many there are. */
double suggest_weight(const struct drain_group *g);
enum event_severity suggest_severity(const struct drain_group *g);

/* False: nothing in it stays the same, or it is too long, or the arena is full. Texts are in a. */
bool suggest_pattern(struct arena *a, const struct drain_group *g, struct suggestion *out);
/* An entry of `patterns:`, with the first line as a comment above it. */
void suggest_write(struct buf *out, const struct suggestion *s);

#endif
