/* run_state.c: the result of a run, on its way into the store.
 *
 * Owns the names of the states and how a struct run_result becomes a change of state. Every change
 * that C asks for goes through run_set_state, so there is one place to look at. Whether the change
 * is allowed, and what follows from it (the next step, a retry, counters, audit, the event), is
 * decided in one atomic step by store/library/; nothing here remembers a state.
 */
#include <assert.h>
#include <stdio.h>
#include "flow/run_state.h"

#define WHO_MAX 300 /* "worker " and a host's name */

const char *run_state_name(enum run_state s)
{
	switch (s) {
	case RUN_QUEUED:
		return "queued";
	case RUN_APPROVAL:
		return "approval";
	case RUN_RUNNING:
		return "running";
	case RUN_SUCCEEDED:
		return "succeeded";
	case RUN_FAILED:
		return "failed";
	case RUN_TIMED_OUT:
		return "timed_out";
	case RUN_CANCELLED:
		return "cancelled";
	case RUN_REJECTED:
		return "rejected";
	case RUN_LOST:
		return "lost";
	}
	return "?";
}

int run_set_state(struct store *s, struct store_held run, struct str worker,
	const struct run_result *r, store_done_cb cb, void *ctx, struct err *e)
{
	char who[WHO_MAX];

	assert(r->state == RUN_SUCCEEDED || r->state == RUN_FAILED || r->state == RUN_TIMED_OUT ||
		r->state == RUN_CANCELLED || r->state == RUN_LOST);
	snprintf(who, sizeof(who), "worker %.*s", STR_ARG(worker));
	struct store_run_change c = {
		.run = run,
		.state = r->release ? STR("release")
			 : r->retry ? STR("retry")
				    : str_of(run_state_name(r->state)),
		.reason = r->reason,
		.has_exit = r->has_exit,
		.exit_code = r->exit_code,
		.signal = r->signal,
		.artifacts_json = r->artifacts_json,
		.params_json = r->params_json,
		.runbook_sha256 = r->runbook_sha256,
		.duration_ms = r->duration_ms,
		.emitted = r->emitted,
		.emitted_n = r->emitted_n,
		.who = str_of(who),
	};
	return store_run_change(s, &c, cb, ctx, e);
}
