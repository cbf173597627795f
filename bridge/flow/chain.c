/* chain.c: the rules that led to an event, and the loop in them.
 *
 * A chain is the event's trail (the rules whose runs led to it, the first one first) and the rule
 * that asks to run now. A loop is what lies between two places of one rule: the asking rule and
 * where it stands last in the trail; or, where it does not stand there (it only listens to a loop
 * of others), the trail's last rule and where that stands before.
 *
 * Pure. Decides nothing: that it is too long is decide.c's to say.
 */
#include "flow/chain.h"

#include <string.h>

#define CHAIN_RULES_MAX                                                                            \
	256 /* of a trail; more are not looked at. limits.chain_depth is at most 64 */

struct chain {
	struct str rules[CHAIN_RULES_MAX + 1];
	size_t n;
};

static void read_trail(struct chain *c, struct str trail)
{
	if (trail.n == 0) /* it may be no text at all */
		return;
	const char *p = trail.p, *end = trail.p + trail.n;

	while (p < end && c->n < CHAIN_RULES_MAX) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));
		size_t n = blank ? (size_t)(blank - p) : (size_t)(end - p);

		c->rules[c->n++] = (struct str){p, n};
		p += n + 1;
	}
}

/* Where the rule at `last` stands before that; `last` itself where it does not. */
static size_t before(const struct chain *c, size_t last)
{
	for (size_t i = last; i-- > 0;)
		if (str_eq(c->rules[i], c->rules[last]))
			return i;
	return last;
}

static struct str arrows(struct arena *a, const struct chain *c, size_t from, size_t to)
{
	struct buf b;
	struct str s;

	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = from; i <= to; i++) {
		if (i > from)
			buf_puts(&b, " -> ");
		buf_str(&b, c->rules[i]);
	}
	s = buf_failed(&b) ? STR_NONE : arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

/* What stands behind the numbers. */
static struct str tell(struct arena *a, struct chain *c, struct str rule)
{
	size_t last = c->n;

	if (c->n == 0)
		return STR_NONE;
	c->rules[last] = rule;
	if (before(c, last) == last)
		last--;
	if (before(c, last) == last)
		return arena_printf(a, "; they came by %.*s", STR_ARG(arrows(a, c, 0, last)));
	return arena_printf(a, "; the loop is %.*s", STR_ARG(arrows(a, c, before(c, last), last)));
}

struct str chain_reason(
	struct arena *a, const struct event *ev, struct str rule, int64_t chain_depth)
{
	struct chain c = {.n = 0};

	read_trail(&c, ev->trail);
	return arena_printf(a, "%u runs led to this event, and limits.chain_depth is %lld%.*s",
		ev->depth, (long long)chain_depth, STR_ARG(tell(a, &c, rule)));
}
