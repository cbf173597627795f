/* trial.h: rules tried out: events go in at times of one's own, what was decided comes out.
 *
 * A trial decides nothing itself. Each event goes through ingest_batch (ruleset_match, flow/decide,
 * the function library in Redis), time through store_tick, runs through claim and run_set_state, on
 * a private redis-server whose clock is handed in: docs/design/trial.md. What a trial adds is the
 * order of time: it moves the clock to what comes next (an event, something due, the end of a run)
 * and plays the worker, whose runs start as soon as they are ready and end as on_run says, without
 * executing anything.
 *
 *	struct trial *t = trial_new(address, &e);
 *	trial_begin(t, &setup, &e);                     an empty namespace, for each history
 *	trial_feed(t, at_ms, &event, NULL, &e);         in the order of time
 *	trial_feed_line(t, at_ms, &line, &e);           the same
 *	trial_advance(t, until_ms, &e);
 *	log = trial_log(t);
 *	trial_free(t);
 *
 * All times are ms since 1970 on the trial's clock. What is due at a time comes before the event of
 * that time. Calls block until they are done (one thread, a loop of its own). -1 with e: the private
 * server is gone, memory ended, or a limit below was reached; the history under way is then of no
 * use, trial_begin begins another.
 */
#ifndef RB_TRIAL_TRIAL_H
#define RB_TRIAL_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "event/event.h"
#include "flow/run_state.h"
#include "rule/ruleset.h"
#include "store/store.h"

#define TRIAL_MEMORY ((size_t)1 << 30) /* bytes of what is kept of one history */
#define TRIAL_RUNS_MAX 100000	       /* runs that one history may start */
/* Runs that lead to events that lead to runs, without time passing. */
#define TRIAL_ROUNDS_MAX 1000
/* 2025-01-01T00:00:00Z: where histories begin that have no time of their own. */
#define TRIAL_T0 INT64_C(1735689600000)

struct bound_source; /* flow/sources.h */
struct trial;

/* One decision of one rule. Texts live until the next trial_begin. */
struct trial_decision {
	int64_t at_ms;
	struct str event; /* id of the event that it is on; of a duplicate that of its occurrence */
	struct str rule;
	enum decision decision;
	struct str reason;
	struct str run; /* "": none */
	bool later; /* made after its event was stored: something was due, or a run had reported */
};

/* One run that started. A retry is a run of its own here, with attempt 2. */
struct trial_run {
	int64_t at_ms, ended_ms; /* ended_ms 0: not yet */
	struct str run, rule, step, runbook, event, pool;
	const struct kv *params; /* as the runbook would get them */
	size_t params_n;
	int64_t attempt; /* from 1 */
	enum run_state state;
	struct str reason;
};

/* An alert that began to fire, fires anew, or resolved. Resends of one that fires are none of these. */
struct trial_alert {
	int64_t at_ms;
	bool resolved;
	struct str source, fingerprint;
	const struct kv *labels; /* sorted by name */
	size_t labels_n;
};

struct trial_log { /* in the order of time */
	const struct trial_decision *decisions;
	size_t decisions_n;
	const struct trial_run *runs;
	size_t runs_n;
	const struct trial_alert *alerts;
	size_t alerts_n;
};

/* How a run ends. Texts are copied, but for what it emits. */
struct trial_outcome {
	int64_t ends_ms;      /* on the clock; what is past ends at once */
	enum run_state state; /* a final one */
	bool retry;	      /* exit status 75 */
	struct str reason;
	bool has_exit;
	int exit_code;
	struct str output; /* what it prints to its standard output; lines */
	const struct str *emitted; /* events that it writes to $RUNBOOK_EVENTS, JSON each; alive until it has ended */
	size_t emitted_n;
};

struct trial_setup {
	struct ruleset *rules;	 /* a reference is held until the next trial_begin */
	const struct conf *conf; /* alive until then */
	int64_t start_ms;
	/* How does this run, which starts now, end? *out says: succeeded, at once. NULL: all do. */
	void (*on_run)(void *ctx, const struct trial_run *run, struct trial_outcome *out);
	void *ctx;
};

/* address: unix:/… of a server that nobody else uses, and that is thrown away. NULL with e. */
struct trial *trial_new(struct str address, struct err *e);
void trial_free(struct trial *t);

int trial_begin(struct trial *t, const struct trial_setup *setup, struct err *e);

/* What the store said to one event. */
struct trial_answer {
	bool duplicate;
	const struct trial_decision *decisions; /* of this event, in the log */
	size_t decisions_n;			/* 0: no rule matched */
};
/* Advances to at_ms, then the event arrives. out may be NULL. at_ms must not be before the trial's
 * now. */
int trial_feed(struct trial *t, int64_t at_ms, const struct event *ev, struct trial_answer *out,
	struct err *e);
/* A line of a log, as one shipper sends it: what the patterns say of it. It counts at that time, whatever time it says. */
struct trial_line {
	const struct bound_source *bound; /* of kind logs; alive during the call */
	struct str text;		  /* plain or a JSON object */
	const struct kv *labels;	  /* that it has besides its own */
	size_t labels_n;
};
int trial_feed_line(struct trial *t, int64_t at_ms, const struct trial_line *line, struct err *e);
/* A pause begins, or the one of the same `what` ends. ERR_NOT_FOUND: there is none. */
int trial_pause(struct trial *t, int64_t at_ms, const struct store_pause *pause, struct err *e);
int trial_resume(struct trial *t, int64_t at_ms, const struct store_pause *pause, struct err *e);
/* The id of the event that was fed last, as soon as it has one: also while its runs start. "" where no rule matched. */
struct str trial_fed_id(const struct trial *t);
/* The clock goes on to until_ms, through all that falls due. */
int trial_advance(struct trial *t, int64_t until_ms, struct err *e);
/* When something is due next (a pending rule, a retry, the end of a run); 0: nothing that is known.
 */
int64_t trial_next_due(const struct trial *t);
int64_t trial_now(const struct trial *t);
/* Valid until the next call that moves the trial. */
struct trial_log trial_log(const struct trial *t);

#endif
