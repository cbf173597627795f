/* matcher_plain.h: matchers as plain comparisons, for where no regex can be run: a pause by
 * matchers, which Redis looks at. */
#ifndef RB_RULE_MATCHER_PLAIN_H
#define RB_RULE_MATCHER_PLAIN_H

#include "rule/matcher.h"

#define MATCHER_PLAIN_TEXT_MAX 1000 /* bytes of the text, as it is given back */

struct matcher_plain {
	struct str text;  /* in one form, whatever their order and blanks were:
			     instance="db-1",job=~"a|b" */
	struct str tests; /* JSON, as library/36-suppress.lua reads it */
};
/* In a. ERR_INPUT: e->offset is the byte of text to blame; also for regexes that are more than
 * words with anything before or behind them, and for `data`. */
int matcher_plain_parse(struct arena *a, struct str text, struct matcher_plain *out, struct err *e);

#endif
