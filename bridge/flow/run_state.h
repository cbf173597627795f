/* flow/run_state.h: the only place in C that changes a run's state.
 *
 *   queued -> running -> succeeded | failed | timed_out | cancelled | lost
 *   queued -> cancelled (queue_ttl, an earlier step failed)      running -> queued (retry)
 *
 * The table of allowed transitions lives in store/library/; this only calls it. Each change writes the audit
 * and the counters in the same step, and sets off the next step of the rule.
 */
#ifndef RB_FLOW_RUN_STATE_H
#define RB_FLOW_RUN_STATE_H

#include "store/store.h"

enum run_state {
	RUN_QUEUED,
	RUN_APPROVAL,
	RUN_RUNNING,
	RUN_SUCCEEDED,
	RUN_FAILED,
	RUN_TIMED_OUT,
	RUN_CANCELLED,
	RUN_REJECTED,
	RUN_LOST,
};
const char *run_state_name(enum run_state s);

struct run_result {
	enum run_state state;
	bool retry;			/* exit 75: again, while the runbook's retries last */
	bool release;			/* its worker stops, and it may start again elsewhere: no retry is used up */
	struct str reason;
	bool has_exit;
	int exit_code;
	int signal;
	struct str artifacts_json, params_json, runbook_sha256;
	int64_t duration_ms;
	const struct str *emitted;
	size_t emitted_n;
};
/* ERR_CONFLICT in the callback: the fence is not ours any more; the run has gone on without us. */
int run_set_state(struct store *s, struct store_held run, struct str worker, const struct run_result *r, store_done_cb cb,
	void *ctx, struct err *e);

#endif
