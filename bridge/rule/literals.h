/* literals.h: the plain texts that every value has that a regex matches. For this folder only.
 *
 * Read from the regex's own text, anchored at both ends as matchers are. What is not understood (options such as
 * (?i), lookarounds, back references) makes nothing known: what is said is always true, but not all is said.
 */
#ifndef RB_RULE_LITERALS_H
#define RB_RULE_LITERALS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/str.h"

#define LITERALS_MAX 512	/* texts of one set */
#define LITERALS_BYTES 16384	/* of all texts of a set */
#define LITERALS_DEPTH 32	/* groups within groups */
#define LITERALS_MEMORY ((size_t)16 << 20)	/* what reading one regex may take */

struct literals {
	struct str *v;		/* a value is one of these, or (not exact) begins with one; n > 0, one may be "" */
	size_t n;
	bool exact;
	bool precise;		/* exact, and each of v does match, and PCRE2 takes the regex: it is not needed */
	struct str *part;	/* a value holds one of these somewhere; none is "" */
	size_t part_n;		/* 0: not known */
	bool nonempty;		/* "" does not match */
};

/* The texts are in a (which needs LITERALS_MEMORY). False: nothing is known, or a is full. */
bool literals_of(struct arena *a, struct str regex, struct literals *out);

#endif
