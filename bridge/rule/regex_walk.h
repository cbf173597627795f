/* regex_walk.h: texts on which a regex may take very long. For this folder only. Pure.
 *
 * Reads the regex's own text and looks for what makes a backtracking matcher try many ways to match the same text:
 * a repetition of what repeats itself or has alternatives, or several open repetitions one after the other. That alone
 * is a suspicion; whether it is one with cause is seen by matching such texts (rule_check_regex.c).
 */
#ifndef RB_RULE_REGEX_WALK_H
#define RB_RULE_REGEX_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/str.h"

#define REGEX_PUMPS_LIMIT 48	/* texts of one regex */
#define REGEX_WALK_MEMORY ((size_t)4 << 20)

/* A text that leads to a repetition, and one that it takes again and again. */
struct regex_pump {
	struct str before, again;
};

struct regex_pumps {
	struct regex_pump v[REGEX_PUMPS_LIMIT];
	size_t n;
	struct str plain;	/* the plain characters of the regex, each once */
};

/* False: nothing is suspicious, or it is not understood (recursion, conditions), or a is full. Texts are in a, which
 * needs REGEX_WALK_MEMORY. */
bool regex_pumps(struct arena *a, struct str regex, struct regex_pumps *out);

#endif
