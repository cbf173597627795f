/* flow/decide.h: what the rules want of one event, in the form that the store takes.
 *
 * Everything that can be said before Redis is asked: which incident, which rules, their steps
 * filled in. Whether a rule then really runs (duplicate, cooldown, full queue) is the store's to
 * say, in the same atomic step.
 */
#ifndef RB_FLOW_DECIDE_H
#define RB_FLOW_DECIDE_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "event/event.h"
#include "rule/ruleset.h"
#include "store/store.h"

/* Of a change, as incidents show it; what is longer is cut or left out. */
#define DECIDE_CHANGE_TEXT_MAX 512	/* bytes of type and of summary */
#define DECIDE_CHANGE_LABEL_MAX 256	/* bytes of a label's name and value */
#define DECIDE_CHANGE_LABELS_MAX 64

/* ev and all that out points to live in a. -1: the arena is full (ERR_LIMIT). Where a rule that matches has a runbook
 * with `compat: am-executor`, ev->message gets its id and json, and whoever stores the event keeps it before. */
int decide_event(const struct ruleset *rules, int64_t chain_depth, struct arena *a,
	const struct event *ev, struct store_event_in *out, struct err *e);
/* For what is thought to be a duplicate: only which rules match, no JSON, no steps. The store says
 * where it is none. */
int decide_duplicate(const struct ruleset *rules, struct arena *a, const struct event *ev,
	struct store_event_in *out, struct err *e);
/* The rules with `absent`, in a. */
int decide_watch(const struct ruleset *rules, struct arena *a, struct store_watch *out, struct err *e);
/* The configuration's limits as the store takes them. */
struct store_limits decide_limits(const struct conf *c);
/* Is it the store's own word that a limit began to hold? Its summary is for the log. */
bool decide_is_limit(const struct event *ev);
/* Counts one event and what was decided on it. */
void decide_count(
	const struct event *ev, const struct store_event_in *in, const struct store_event_out *out);

#endif
