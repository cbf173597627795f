/* trial_impl.h: what the files of trial/ share of a struct trial. For this folder only. */
#ifndef RB_TRIAL_TRIAL_IMPL_H
#define RB_TRIAL_TRIAL_IMPL_H

#include <uv.h>
#include "base/arena.h"
#include "flow/ingest.h"
#include "trial/trial.h"

#define TRIAL_ANSWER_MS 60000 /* a call to the private Redis may take so long */
/* Nobody renews: the worker is never silent. */
#define TRIAL_LEASE_MS (INT64_C(100) * 365 * 24 * 3600 * 1000)
#define TRIAL_POOLS_MAX 1000 /* that runs wait for at one time */
#define TRIAL_FETCH 500	     /* records of the bus at once */

/* A run that is under way, and how it will end. */
struct held_run {
	size_t at; /* in runs */
	uint64_t fence;
	struct trial_outcome outcome;
	int64_t backoff_ms; /* before a retry */
	bool ended;
};

struct trial_times { /* latest first, none twice; malloc'ed */
	int64_t *v;
	size_t n, cap;
};

struct trial {
	uv_loop_t loop;
	uv_timer_t deadline;
	struct str address;  /* malloc'ed */
	uint64_t histories;  /* each has a namespace of its own */
	struct store *store; /* of the history under way; NULL: none */
	bool store_up;
	struct err store_why; /* why it is not */

	/* of the history */
	struct trial_setup setup;
	struct ingest_ctx ic;
	int64_t now;
	struct arena kept;    /* the log, and all it points to */
	struct arena scratch; /* of one call */
	struct trial_decision *decisions;
	size_t decisions_n, decisions_cap;
	struct trial_run *runs;
	size_t runs_n, runs_cap;
	struct trial_alert *alerts;
	size_t alerts_n, alerts_cap;
	struct held_run *held;
	size_t held_n, held_cap;
	struct trial_times due; /* when something is due, or may be */
	struct trial_times
		idle;	       /* when an alert may be stale: of no interest after the last event */
	char seen[ID_LEN + 1]; /* the record of the bus that was read last; "" none */
	struct str fed_id;     /* of the event that was fed last; "" none */

	/* of the calls under way */
	unsigned calls;
	struct err failed;
};

/* A call was begun (rc 0) or not (rc -1 with t->failed). */
void trial_began(struct trial *t, int rc);
/* A callback was called. */
void trial_ended(struct trial *t, const struct err *e);
/* Runs the loop until no call is under way. -1: one failed. */
int trial_await(struct trial *t, struct err *e);
/* err_set for memory that ended. */
int trial_full(struct err *e);
/* Grows an array of the kept arena by one element, which is cleared; NULL: full. */
void *trial_grow(struct trial *t, void *array, size_t n, size_t *cap, size_t size);
/* Something is due then. */
int trial_due_at(struct trial *t, int64_t at_ms, struct err *e);

/* trial.c: all that is due now, and all that follows from it without time passing. */
int trial_settle(struct trial *t, struct err *e);
/* An alert may be stale, if nobody speaks of it from now on. */
int trial_stale_at(struct trial *t, struct err *e);

/* trial_runs.c: which pools have runs that wait; in scratch. */
struct trial_pools {
	struct trial *t;
	struct str v[TRIAL_POOLS_MAX];
	size_t n, runs; /* pools; runs that are queued in them, of which some may have to wait */
};
/* Begins the call that fills *p. */
void trial_ask_pools(struct trial *t, struct trial_pools *p);
/* Claims what is ready in these pools, ends what is over; *moved where anything was done. */
int trial_play_worker(struct trial *t, const struct trial_pools *p, bool *moved, struct err *e);

/* trial_log.c: how many records of the bus came since the last look; they are in the log. */
struct trial_records {
	struct trial *t;
	size_t n;
};
/* Begins the call that reads them. */
void trial_ask_bus(struct trial *t, struct trial_records *w);
/* Decisions as the API shows them: an array, or the member `decisions` of an answer. */
int trial_add_decisions(struct trial *t, int64_t at_ms, struct str event, struct str json,
	bool later, struct err *e);

#endif
