/* prefilter.h: which of many patterns a text can match, by one walk over its bytes. For this folder
 * only. Pure.
 *
 * Each pattern is there with texts of which it needs one. All of them are one automaton; letters
 * are the same in either case, for a pattern too many costs little, and a pattern too few would be
 * a line lost.
 */
#ifndef RB_RULE_PREFILTER_H
#define RB_RULE_PREFILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/str.h"

#define PREFILTER_STATES_MAX 65535 /* of the automaton */
/* bytes of a text that count; fewer where there would be too many states */
#define PREFILTER_TEXT_MAX 16

struct prefilter;

/* What one pattern needs. n 0: nothing is known, it is always a candidate. */
struct prefilter_need {
	const struct str *v;
	size_t n;
};

/* The texts of which a match of this regex holds one, for a match anywhere; n 0: not known. In a.
 * caseless: set where the regex takes letters in either case; then what the automaton must add is
 * its own matter. */
struct prefilter_need prefilter_need_of(struct arena *a, struct str regex, bool *caseless);

/* needs[i] is of pattern i; caseless[i]: as above. What it keeps is in a. NULL: a is full, or no
 * memory. */
struct prefilter *prefilter_new(
	struct arena *a, const struct prefilter_need *needs, const bool *caseless, size_t n);

/* The numbers of the candidates, each once; *out lives until the next call. */
size_t prefilter_scan(struct prefilter *f, struct str text, const uint32_t **out);

/* For check and the benchmark. */
struct prefilter_figures {
	size_t states, classes, always, bytes;
};
struct prefilter_figures prefilter_figures(const struct prefilter *f);

#endif
