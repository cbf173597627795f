/* job.h: one claimed run, from the claim until its result is in Redis.
 *
 * On the worker's loop. A struct job is made by job_start, which copies the claim, and is gone after on_done.
 */
#ifndef RB_RUN_JOB_H
#define RB_RUN_JOB_H

#include <uv.h>
#include "base/err.h"
#include "conf/conf.h"
#include "run/contain.h"
#include "run/runas.h"
#include "run/shelf.h"
#include "store/store.h"

#define JOB_OUTPUT_EVERY_MS 100	/* how long a line waits for others */
#define JOB_OUTPUT_LINES 32	/* or this many of them */
#define JOB_BATCH_LINES 256	/* lines in one call, at most */
#define JOB_BATCH_BYTES (256 << 10)
#define JOB_AGAIN_MS 500	/* after a call that failed because Redis was away */

struct job;

/* What the jobs of a worker share; the worker's. */
struct job_host {
	uv_loop_t *loop;
	struct store *store;
	struct contain *contain;
	struct shelf *shelf;
	struct runas_book *users;
	const struct conf *conf;	/* of now: a reload changes it for later jobs */
	struct str state_dir;		/* as at the start, whatever a reload says */
	struct artifacts_ahead *ahead;
	struct str name;		/* of the worker */
	char *const *environment;	/* the worker's own */
	/* Called once, at the end: the result is in Redis, or the run is somebody else's. j is gone after it. */
	void (*on_done)(struct job_host *h, struct job *j);
};

enum job_stop {
	JOB_STOP_TERM,		/* the worker stops: TERM, the runbook's grace, KILL */
	JOB_STOP_KILL,
	JOB_CANCEL,		/* nobody wants the run any more: TERM, grace, KILL; it is not given back */
	JOB_LOST,		/* the fence is not ours any more: KILL, and no result */
};

/* Checks and starts; what is refused becomes the run's result. stopping: the worker takes no more: the run goes back as it came.
 * NULL with e: no memory; the lease will run out. */
struct job *job_start(struct job_host *h, const struct store_claimed *c, bool stopping, struct err *e);
void job_stop(struct job *j, enum job_stop how);
/* Redis is back: what waits is sent now. */
void job_store_up(struct job *j);
struct store_held job_held(const struct job *j);
/* False: only Redis is waited for. */
bool job_running(const struct job *j);
/* Whether Redis was asked and has not answered; false, too, between an answer that it takes nothing and the next call. */
bool job_calling(const struct job *j);

/* For the worker's list. */
struct job *job_next(const struct job *j);
void job_set_next(struct job *j, struct job *next);

#endif
