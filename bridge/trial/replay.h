/* replay.h: events that came once, through other rules: what would be decided now, beside what was decided then.
 *
 *	replay_init(&r, &arena);
 *	replay_add(&r, event, &e);                 each, newest first, as the API shows them
 *	replay_later(&r, id, decisions, &e);       what was decided when something was due
 *	replay_play(&r, trial, loaded, until, &e);
 *
 * The events of runbookd itself are not played: they tell how runs ended, and the same run ends the same way; a run that
 * there was not then succeeds at once. So no decision on such an event is compared. What repeated an alert is not stored,
 * and no alert counts as stale. All in the arena, which also bounds it.
 */
#ifndef RB_TRIAL_REPLAY_H
#define RB_TRIAL_REPLAY_H

#include "base/arena.h"
#include "base/json.h"
#include "flow/load.h"
#include "trial/trial.h"

#define REPLAY_EVENTS_MAX 100000

/* The last decision of a rule on an event: what was pending and then ran is `run`. */
struct replay_decision {
	struct str rule, decision, reason;
};

struct replay_change {
	struct str rule;
	const struct replay_decision *then, *now; /* NULL: it did not want the event, or was not there */
};

struct replay_event {
	struct str id, incident;
	int64_t received_ms;
	struct str json; /* as it was given */
	struct replay_decision *then, *now;
	size_t then_n, now_n;
	struct replay_change *changes; /* after replay_play: where the two differ */
	size_t changes_n;
};

/* How often a rule decided so. */
struct replay_count {
	struct str rule, decision;
	size_t then, now;
};

struct replay_outcome;
struct replay_fed;

struct replay {
	struct arena *a;
	struct replay_event *events; /* newest first */
	size_t n, cap;
	size_t own; /* events of runbookd itself, which are not among them */
	struct replay_outcome *outcomes;
	size_t outcomes_n, outcomes_cap;
	struct replay_fed *fed;
	size_t fed_n;
	struct trial *trial;
	const struct replay_event *under_way; /* it arrives now; NULL: time passes */
	struct replay_count *counts; /* by rule, then decision */
	size_t counts_n;
	size_t changed; /* events that differ */
};

void replay_init(struct replay *r, struct arena *a);
/* ERR_LIMIT past REPLAY_EVENTS_MAX; ERR_INPUT where it is no event. */
int replay_add(struct replay *r, const struct json *event, struct err *e);
/* decisions: an array, as on a timeline. An unknown event is no error. */
int replay_later(struct replay *r, struct str event, const struct json *decisions, struct err *e);
/* Time goes on until until_ms after the last event. l->conf: alerts no longer become stale. */
int replay_play(struct replay *r, struct trial *t, struct loaded *l, int64_t until_ms, struct err *e);

#endif
