/* order.c: sources of inhibit rules before what they may inhibit.
 *
 * All events of a message are stored in one step, and each is decided by what was stored before it.
 * So where one of them inhibits another one, the sender's order would decide whether it does.
 */
#include "flow/order.h"

#include <string.h>

/* By the facts of the event: see ruleset_facts. */
static bool is_source(const struct store_event_in *in)
{
	struct str f = in->facts;

	return in->event->status == EVENT_FIRING && f.n > 0 &&
	       (f.p[0] == 's' || memmem(f.p, f.n, "\ns ", 3));
}

static bool same_alert(const struct event *a, const struct event *b)
{
	return a->fingerprint.n > 0 && str_eq(a->fingerprint, b->fingerprint) &&
	       str_eq(a->source, b->source);
}

/* A source, or what comes before one of the same alert. */
static bool goes_first(const struct store_event_in *in, size_t n, const bool *source, size_t i)
{
	for (size_t j = i; j < n; j++)
		if (source[j] && (j == i || same_alert(in[i].event, in[j].event)))
			return true;
	return false;
}

static void put(struct store_event_in *in, const struct store_event_in *old, size_t i, size_t at,
	size_t *from)
{
	in[at] = old[i];
	if (from)
		from[at] = i;
}

void order_events(struct arena *a, struct store_event_in *in, size_t n, size_t *from)
{
	size_t at = 0, sources = 0;
	struct store_event_in *old;
	bool *source;

	for (size_t i = 0; i < n; i++) {
		sources += is_source(&in[i]);
		if (from)
			from[i] = i;
	}
	if (sources == 0 || sources == n)
		return;
	old = arena_array(a, n, sizeof(*old));
	source = arena_array(a, n, sizeof(*source));
	bool *first = arena_array(a, n, sizeof(*first));
	if (!old || !source || !first)
		return;
	memcpy(old, in, n * sizeof(*in));
	for (size_t i = 0; i < n; i++)
		source[i] = is_source(&in[i]);
	for (size_t i = 0; i < n; i++)
		first[i] = goes_first(old, n, source, i);
	for (int others = 0; others < 2; others++)
		for (size_t i = 0; i < n; i++)
			if (first[i] == !others)
				put(in, old, i, at++, from);
}
