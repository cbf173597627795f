/* amx.h: a message of Alertmanager as the variables that prometheus-am-executor makes of it.
 *
 * Pure. The names and their meaning: runbookd-runbook(5).
 */
#ifndef RB_RUN_AMX_H
#define RB_RUN_AMX_H

#include "base/arena.h"
#include "event/event.h"

/* NAME and value of each, in a; names may hold whatever a label's name may. message: the whole one; NULL: ev is told as
 * a message of its own, of that one alert, without receiver and group labels; ev NULL: a run by hand, no alert at all.
 * -1: the arena is full. */
int amx_entries(struct arena *a, const struct json *message, const struct event *ev, struct kv **out, size_t *n);

#endif
