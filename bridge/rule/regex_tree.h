/* regex_tree.h: a regex's text as a tree. For regex_walk.c only. Pure.
 *
 * The tree knows sets of ASCII characters (with one character for all others), sequences, alternatives and
 * repetitions; assertions and back references are empty. It need not be exact: it is for guesses that PCRE2 judges.
 */
#ifndef RB_RULE_REGEX_TREE_H
#define RB_RULE_REGEX_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/str.h"

#define REGEX_TREE_DEPTH 32	/* groups within groups */
#define REGEX_TIMES_MAX 1000	/* a repetition of so many times or more is open */

enum regex_kind {
	REGEX_EMPTY,
	REGEX_SET,
	REGEX_SEQ,
	REGEX_ALT,
	REGEX_LOOP,
};

struct regex_node {
	enum regex_kind kind;
	uint64_t set[2];
	struct str other;	/* a character past ASCII that the set has; "" none */
	unsigned min, max;	/* max REGEX_TIMES_MAX: open */
	bool possessive;
	struct regex_node *child, *next;
};

/* NULL: it is not understood (recursion, conditions), or a is full. */
struct regex_node *regex_tree(struct arena *a, struct str regex);
void regex_add_char(struct regex_node *n, unsigned char c);
bool regex_has_char(const struct regex_node *n, unsigned char c);

#endif
