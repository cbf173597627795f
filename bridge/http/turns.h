/* turns.h: who may send to the store, and when: the rate of each source, and turns between them.
 *
 * What docs/design/fairness.md describes. It knows sources by name and keeps what it knows of them
 * over reloads; the rate itself is handed in each time. No clock: the time is handed in, too.
 */
#ifndef RB_HTTP_TURNS_H
#define RB_HTTP_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"
#include "conf/conf.h"

#define TURNS_EVENTS 1024 /* events under way to the store, of all sources */
#define TURNS_SHARE 512   /* of one source */
#define TURNS_WAITING 256 /* requests of one source that wait for their turn */
#define TURNS_COST_MAX 256 /* events that one request has under way at once */

struct turns;
struct turn_source;

/* A request's; the caller's memory. Zeroed, then turns_ask. */
struct turn {
	/* Its turn has come; or (refused) it will not, for turns_end was called. */
	void (*go)(struct turn *t, bool refused);
	void *ctx;
	size_t events;
	/* the rest is turns.c's */
	struct turn_source *source;
	struct turn *next;
	size_t cost;
};

struct turns *turns_new(void); /* NULL: no memory */
void turns_free(struct turns *t); /* nobody waits or is under way */
/* What is known of a source; it lives as long as t. NULL: no memory. */
struct turn_source *turns_source(struct turns *t, struct str name);

/* One request more within the rate? Else false, and *wait_ms says when there is room for one. */
bool turns_rate(struct turn_source *s, const struct conf_rate *rate, int64_t now_ms, int64_t *wait_ms);

/* Calls go, at once or later; then the caller calls turns_done when the store has answered. False: too many of this source
 * wait; go is not called. */
bool turns_ask(struct turns *t, struct turn_source *s, struct turn *turn);
/* May call go of others. */
void turns_done(struct turns *t, struct turn *turn);
/* Refuses all that wait, and all that ask from now on. */
void turns_end(struct turns *t);

#endif
