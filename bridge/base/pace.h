/* pace.h: long work on a thread that others share a processor with.
 *
 * Who does the work calls pause() again and again, some hundred microseconds apart; who asked for
 * it decides there whether to sleep. A pure layer so stays pure: it knows neither clock nor
 * threads. The caller owns the struct.
 */
#ifndef RB_BASE_PACE_H
#define RB_BASE_PACE_H

#include <stddef.h>

struct pace {
	void (*pause)(void *ctx);
	void *ctx;
};

#define PACE_EVERY 64	/* passes of a loop that takes some microseconds each */

/* In a loop, i its counter. p NULL: nobody minds. */
static inline void pace_step(const struct pace *p, size_t i)
{
	if (p && i % PACE_EVERY == PACE_EVERY - 1)
		p->pause(p->ctx);
}

#endif
