/* store.h: everything runbookd keeps, in Redis, by one function call each.
 *
 * The only layer that knows Redis. Each call is one FCALL of the library in library/: atomic, validated
 * before its first write, on Redis's clock. Calls of one loop turn go out in one write; answers come back on
 * the loop as callbacks, in order. A callback is called exactly once for each call that returned 0, also when
 * the connection breaks (ERR_AWAY: whether Redis did it is then unknown; all calls may be sent again, dedup
 * and fences make it safe). Texts in results live until the callback returns. Keys: docs/redis.md.
 */
#ifndef RB_STORE_STORE_H
#define RB_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "event/event.h"

#define STORE_SCHEMA 1			/* of the data; a higher one found in Redis: ERR_VERSION, never touched */
#define STORE_INGEST_EVENTS_MAX 256	/* a call */
#define STORE_PENDING_LIMIT 100000	/* calls in flight; past it ERR_AWAY at once */

struct store;

struct store_options {
	uv_loop_t *loop;
	struct str address;		/* redis://… or unix:/path */
	struct str namespace_;
	int64_t slow_after_ms;		/* a call without answer for so long ends in ERR_AWAY */
	bool load_library;		/* bridge: loads or upgrades the function library; worker: waits for it */
	bool look_at_keeping;		/* sees whether this Redis keeps what it is told: store_warning */
	bool blocking;			/* opens a second connection for store_claim_wait or store_inbox_wait */
	bool own_clock;			/* of a private server that nothing else uses: the library that it loads has a clock
					 * that stands until store_set_clock moves it */
	/* Up or down, and why; also called with ERR_VERSION, after which the program ends. */
	void (*on_state)(void *ctx, bool up, const struct err *why);
	void *ctx;
};

/* Connects, and connects again (50 ms doubling to 2 s), until closed. NULL with e for a bad address. */
struct store *store_new(const struct store_options *o, struct err *e);
/* Ends all calls in flight with ERR_AWAY, then calls done; frees s. */
void store_close(struct store *s, void (*done)(void *ctx), void *ctx);
bool store_up(const struct store *s);
/* Why it is not up: "cannot connect to '…': Connection refused". */
const char *store_why(const struct store *s);
/* "", or that this Redis may lose what it answered for, why, and what to set. Known once it is up. */
const char *store_warning(const struct store *s);

/* ---- ingest ---- */

enum decision {
	DECISION_RUN,
	DECISION_PENDING,
	DECISION_APPROVAL,
	DECISION_DUPLICATE,
	DECISION_COOLDOWN,
	DECISION_LIMIT,
	DECISION_FLAPPING,
	DECISION_PAUSED,
	DECISION_DRY_RUN,
	DECISION_ERROR,
};
const char *decision_name(enum decision d);

struct store_step_in {
	struct str name;
	struct str runbook;
	struct str runbook_sha256;
	struct str pool;
	struct str params_json;
	bool late;			/* params_json holds templates */
	bool always;
	bool idempotent;
	int64_t timeout_ms;		/* 0: the runbook's */
	int64_t retries_max;
	int64_t retries_backoff_ms;
};

/* At most `count` within any `per_ms`; count 0: no limit. */
struct store_limit {
	int64_t count;
	int64_t per_ms;
};

enum store_on_resolve {
	STORE_ON_RESOLVE_IGNORE,
	STORE_ON_RESOLVE_CANCEL,	/* the rule's runs for this alert are cancelled */
	STORE_ON_RESOLVE_STEPS,		/* resolve_steps run, where the rule had a run for it */
};

enum store_gate_kind {
	STORE_GATE_NONE,
	STORE_GATE_THRESHOLD,
	STORE_GATE_ALL_OF,
	STORE_GATE_SEQUENCE,
	STORE_GATE_ABSENT,
};

/* A rule over several events: what this one counts for. See library/35-gates.lua. */
struct store_gate_in {
	enum store_gate_kind kind;
	int64_t count;			/* events of a threshold, else parts */
	int64_t within_ms;		/* of absent: how long without one */
	uint32_t parts;			/* bits: which of them this event is */
	struct str key;			/* values by which events are told apart; "" */
	int64_t time_ms;		/* when it happened; 0: now */
	struct str names;		/* of the parts, a line each */
	struct str why;			/* why the steps cannot be run for this event; "" they can */
	struct str timeout_why;		/* the same of those on timeout */
	const struct store_step_in *timeout_steps;
	size_t timeout_steps_n;
};

/* What a rule wants of an event. Members that are 0 or "" ask for nothing and cost nothing. */
struct store_decision_in {
	struct str rule;
	enum decision ask;		/* DECISION_RUN or _DRY_RUN: the store decides, in the order of
					 * docs/rules.md, "Decisions"; others (_ERROR, _LIMIT): that is the decision */
	struct str reason;		/* for what is decided already */
	int64_t cooldown_ms;
	struct str cooldown_key;	/* "": the correlation key */
	const struct store_step_in *steps;	/* of _RUN and _DRY_RUN */
	size_t steps_n;
	int64_t for_ms;			/* still firing after; a firing alert only, else the decision is _ERROR */
	struct store_limit limit_runs, limit_hosts;	/* the rule's own */
	enum store_on_resolve on_resolve;
	const struct store_step_in *resolve_steps;
	size_t resolve_steps_n;
	const struct store_step_in *failure_steps;	/* where the steps end in failed, timed_out or lost */
	size_t failure_steps_n;
	bool skip_flapping;		/* on_flapping: skip */
	bool only_root;			/* not where the incident is a symptom of one that stands */
	bool parallel;			/* the steps start at once */
	bool approval;			/* a person has to say yes */
	int64_t approval_expires_ms;	/* 0: never */
	struct {
		double objective;	/* percent; 0: none */
		int64_t within_ms, window_ms;
	} slo;
	struct store_gate_in gate;
};

struct store_event_in {
	const struct event *event;
	struct str json;		/* event_write_json, without id and received; "" for an alert without a delivery that
					 * is thought to be a duplicate: where it is none, ERR_CONFLICT, and nothing was stored */
	struct str labels_json;
	struct str corr_key;		/* which incident; "" for what opens none (status info) */
	struct str corr_json;
	int64_t corr_window_ms;
	struct str host;		/* for limits of hosts: label instance without its port, else host; "" none */
	struct str delivery;		/* what names this very event of this very delivery, by its source: seen before within
					 * limits.delivery_window_ms, it is a duplicate, whatever it says; "" none */
	struct str facts;		/* maintenance windows and inhibit rules that it belongs to (library/37-planned.lua); "" none */
	struct str change_json;		/* of a change: {"type":…,…}, as incidents show it; "" it is none */
	const struct str *topology;	/* of a firing alert: "uKEY", "dKEY" (rule/ruleset.h) */
	size_t topology_n;
	struct str inbox;		/* inbox entry this came from: taken off in the same step; "" */
	const struct store_decision_in *decisions;
	size_t decisions_n;
};

struct store_limits {
	int64_t occurrence_skew_ms, reopen_window_ms;
	int64_t queue;			/* runs waiting a pool */
	int64_t queue_ttl_ms;
	struct store_limit runs, hosts;	/* over all rules; not for _DRY_RUN and runs by hand */
	struct {
		int64_t transitions, window_ms;	/* so many changes of its state within: an alert flaps; 0: never */
	} flapping;
	int64_t delivery_window_ms;	/* how long delivery ids are remembered */
	int64_t gate_late_ms;		/* rules over several events: how long after it happened one may come */
	int64_t gates;			/* so many values of its `by` such a rule follows at once */
};

struct store_ingest {
	const struct store_event_in *events;
	size_t n;			/* at most STORE_INGEST_EVENTS_MAX */
	struct str ruleset_hash;
	int64_t truncated;		/* shown on the incidents of this message */
	struct store_limits limits;
};

enum store_outcome {
	STORE_NEW,			/* a new occurrence, a resolve, an info event */
	STORE_DUPLICATE,
	STORE_REOPENED,			/* we had resolved it ourselves; no run */
	STORE_TAKEN,			/* inbox entry was gone: another bridge had it */
};

struct store_decision_out {
	enum decision decision;
	struct str reason;
	struct str run;			/* the first step's run; "" */
	bool ended_one;			/* the event found a gate of the rule over, which came to: */
	enum decision ended;
};

struct store_event_out {
	enum store_outcome outcome;
	struct str id;			/* of the stored event; for a duplicate that of its occurrence */
	struct str incident;		/* "" */
	const struct store_decision_out *decisions;	/* as many as went in, in their order */
};

/* e NULL: done and durable; out has as many as went in. ERR_FULL: nothing was stored. */
typedef void (*store_ingest_cb)(void *ctx, const struct err *e, const struct store_event_out *out, size_t n);
int store_ingest(struct store *s, const struct store_ingest *in, store_ingest_cb cb, void *ctx, struct err *e);
/* What store_ingest would answer now, by the same code, with nothing written: ids of events, incidents and runs in out
 * are made up where they would be new. as_new: as if neither alert nor delivery had ever been heard of, so that a duplicate tells
 * what its rules would do. All events need their JSON ("{}" with a member will do). */
int store_explain(struct store *s, const struct store_ingest *in, bool as_new, store_ingest_cb cb, void *ctx,
	struct err *e);

/* ---- runs: for the worker ---- */

struct store_claimed {
	struct str run;			/* "" where there was nothing to claim */
	uint64_t fence;
	struct str rule, runbook, runbook_sha256, step, pool;
	struct str params_json;
	bool late;
	struct str event_json;		/* as the API shows it */
	struct str incident;		/* id, "" */
	struct str incident_json;	/* as the API shows it; "" */
	struct str events_json;		/* ids of the other events of a rule over several; "" */
	struct str steps_json;		/* earlier steps of the same rule's run: {"name": {"state":…,"exit_code":…,"output":…}} */
	int64_t attempt;		/* from 1 */
	int64_t timeout_ms;		/* 0: the runbook's */
	int64_t event_received_ms, claimed_ms;	/* Redis's clock */
	unsigned depth;
	bool idempotent;		/* by what Redis decides: a lost worker's run starts again */
	int64_t retries_max;		/* likewise */
	bool called;			/* after a wait: a heartbeat would tell that a run is to be stopped */
};
typedef void (*store_claim_cb)(void *ctx, const struct err *e, const struct store_claimed *c);
typedef void (*store_done_cb)(void *ctx, const struct err *e);

/* The worker `name` (host name and, after a dot, more where there are several on it) has started: runs that an earlier
 * instance of this name and home still holds are taken from it at once. instance: a ULID made at start; home: one that
 * lasts as long as its state_dir. ERR_CONFLICT: one of this name from another home lives, or did within its lease. */
int store_worker_hello(struct store *s, struct str name, struct str instance, struct str home,
	const struct str *pools, size_t n, int64_t lease_ms, store_done_cb cb, void *ctx, struct err *e);
/* Claims the best ready run of the pools. c->run "" : none. */
int store_claim(struct store *s, struct str worker, struct str instance, const struct str *pools, size_t n,
	int64_t lease_ms, store_claim_cb cb, void *ctx, struct err *e);
/* Calls back when a run may be ready in one of the pools, when this worker is called, or after at most wait_ms; maybe
 * with a run that it claimed in the same turn, else c->run is "" and says nothing. n 0: claims nothing, only waits to
 * be called. On the blocking connection; one at a time. */
int store_claim_wait(struct store *s, struct str worker, struct str instance, const struct str *pools, size_t n,
	int64_t lease_ms, int64_t wait_ms, store_claim_cb cb, void *ctx, struct err *e);
/* Ends such a wait soon. Its callback still comes, and with a run where one was ready: so it must be waited for. */
void store_claim_wake(struct store *s);

struct store_held {
	struct str run;
	uint64_t fence;
};
/* Renews the leases. Indexes of held: lost are those whose fence is not theirs any more, cancel those that are to be
 * stopped; the reason is Redis's to tell. */
struct store_beat {
	const size_t *lost, *cancel;
	size_t lost_n, cancel_n;
};
typedef void (*store_heartbeat_cb)(void *ctx, const struct err *e, const struct store_beat *b);
int store_heartbeat(struct store *s, struct str worker, struct str instance, const struct store_held *held, size_t n,
	int64_t lease_ms, store_heartbeat_cb cb, void *ctx, struct err *e);

struct store_line {
	int64_t time_ms;
	bool is_stderr;
	struct str text;		/* without the newline; any bytes */
};
/* Appends output; ERR_CONFLICT where the fence is not ours. */
int store_output(struct store *s, struct store_held run, const struct store_line *lines, size_t n, store_done_cb cb,
	void *ctx, struct err *e);

/* A run's change of state; the table of allowed ones is in library/20-runs.lua. Called by flow/run_state.c only. */
struct store_run_change {
	struct store_held run;
	struct str state;		/* succeeded failed timed_out cancelled lost; or "retry"; or "release": its worker stops, queued again */
	struct str reason;
	bool has_exit;
	int64_t exit_code;
	int64_t signal;			/* 0 none */
	struct str artifacts_json;	/* [{"name":…,"size":…}] */
	struct str params_json;		/* as they were executed */
	struct str runbook_sha256;	/* of what was executed; empty with "release": it had not begun, and that was no attempt */
	int64_t duration_ms;
	const struct str *emitted;	/* events that the script wrote, JSON each, for the inbox */
	size_t emitted_n;
	struct str who;			/* for the audit: "worker NAME" */
};
int store_run_change(struct store *s, const struct store_run_change *c, store_done_cb cb, void *ctx, struct err *e);

/* ---- approval ---- */

/* A run that waits for approval may begin, or is rejected; who and reason (may be "") go into the audit. ERR_CONFLICT
 * where it does not wait, ERR_NOT_FOUND. */
int store_run_approve(struct store *s, struct str run, bool yes, struct str who, struct str reason, store_done_cb cb,
	void *ctx, struct err *e);

/* ---- runs by hand ---- */
struct store_manual_run {
	struct store_step_in step;
	struct str who;			/* for the audit */
	struct str idempotency_key;	/* "" */
	struct str request_sha256;	/* of what was asked for; looked at where there is a key */
	struct store_limits limits;
	struct str ruleset_hash;
};
/* out: the run's id; an Idempotency-Key seen before gives the run of that time, or ERR_CONFLICT where it came with
 * another request. */
typedef void (*store_text_cb)(void *ctx, const struct err *e, struct str text);
int store_run_new(struct store *s, const struct store_manual_run *in, store_text_cb cb, void *ctx, struct err *e);

/* ---- time ---- */
struct store_tick {
	struct store_limits limits;
	int64_t stale_after_ms, retention_ms, audit_retention_ms;
};
struct store_late {			/* a decision that was made because its time had come (for) */
	struct str rule;
	enum decision decision;
};
struct store_tick_result {
	int64_t requeued, lost, expired, resolved_stale, trimmed;	/* resolved_stale: for want of news, or past their deadline */
	bool more;			/* call again soon */
	int64_t due_in_ms;		/* until the next thing is due that wants its moment (for, approval, an alert's deadline); -1: none */
	const struct store_late *late;
	size_t late_n;
};
typedef void (*store_tick_cb)(void *ctx, const struct err *e, const struct store_tick_result *r);
/* What was put off (for), approvals, leases that ran out, runs past queue_ttl, stale alerts, retention; bounded work a call. Any bridge may call it at any time. */
int store_tick(struct store *s, const struct store_tick *t, store_tick_cb cb, void *ctx, struct err *e);

/* The rules with `absent` that are loaded: all of them, in any order, each time. One without `by` is watched from then on. */
struct store_watch {
	struct store_limits limits;
	struct str ruleset_hash;
	const struct store_decision_in *rules;	/* steps of those that `begins` says; of others only the name counts */
	const bool *begins;
	size_t n;
};
int store_watch(struct store *s, const struct store_watch *w, store_done_cb cb, void *ctx, struct err *e);

struct store_inbox_entry {
	struct str id;
	struct str json;		/* {"type":…,"data":…,"labels":…, "run":…, "depth":n} */
};
typedef void (*store_inbox_cb)(void *ctx, const struct err *e, const struct store_inbox_entry *v, size_t n);
/* The oldest entries behind the one with id `after` ("": from the beginning): at most `limit`, and no more than `bytes`
 * of JSON, but one at least where there is one. They stay until an ingest takes them off. */
int store_inbox(struct store *s, size_t limit, size_t bytes, struct str after, store_inbox_cb cb, void *ctx,
	struct err *e);

/* Calls back when an entry behind the one with id `after` comes ("": behind what is there now), or after wait_ms; id: that
 * entry's, or "". On the blocking connection; one at a time. */
int store_inbox_wait(struct store *s, struct str after, int64_t wait_ms, store_text_cb cb, void *ctx, struct err *e);

/* ---- pauses: rules do not run for a time, in all bridges from the next decision on ---- */
#define STORE_PAUSE_MAX_MS (INT64_C(366) * 86400000)
#define STORE_PAUSE_REASON_MAX 500	/* bytes */
struct store_pause {
	struct str what;		/* "all", "rule NAME", "runbook NAME" or "matchers TEXT" */
	int64_t for_ms;			/* of store_resume: not looked at */
	struct str who, reason;		/* who: for the audit and for each decision */
	struct str tests;		/* of matchers: rule/matcher_plain.h; "" else, and of store_resume */
};
/* Text: the pause as JSON. One of the same `what` is replaced; ERR_CONFLICT: there are too many. */
int store_pause(struct store *s, const struct store_pause *in, store_text_cb cb, void *ctx, struct err *e);
/* Ends it before its time. Text: the pause that it was; ERR_NOT_FOUND. */
int store_resume(struct store *s, const struct store_pause *in, store_text_cb cb, void *ctx, struct err *e);
/* Text: a JSON array of those that hold. */
int store_pauses(struct store *s, store_text_cb cb, void *ctx, struct err *e);

/* ---- what people do with incidents: audited, and on the timeline ---- */
#define STORE_ACT_TEXT_MAX 4096		/* bytes */
enum store_act_kind {
	STORE_ACK,
	STORE_UNACK,
	STORE_CLOSE,			/* it takes no more alerts, and what has not begun does not run */
	STORE_NOTE,
	STORE_MERGE,			/* into another one, which has from then on what it has; it is closed */
	STORE_SPLIT,			/* some alerts go to a new one */
};
#define STORE_SPLIT_MAX 256		/* alerts of one STORE_SPLIT */
struct store_act {
	enum store_act_kind what;
	struct str incident;
	struct str who;			/* for the audit and the timeline */
	struct str text;		/* may be "", but for STORE_CLOSE and STORE_NOTE */
	struct str into;		/* STORE_MERGE */
	const struct str *alerts;	/* STORE_SPLIT: "SOURCE:FINGERPRINT", at most STORE_SPLIT_MAX */
	size_t alerts_n;
};
/* Text: the incident as JSON; of STORE_MERGE the one that it is merged into, of STORE_SPLIT the new one. What is so already changes nothing. ERR_NOT_FOUND; ERR_CONFLICT: not in this state. */
int store_incident_act(struct store *s, const struct store_act *in, store_text_cb cb, void *ctx, struct err *e);

/* ---- answers: rows are JSON as the API shows it ---- */
enum store_list {
	STORE_INCIDENTS,
	STORE_ALERTS,
	STORE_EVENTS,
	STORE_RUNS,
	STORE_AUDIT,
	STORE_TIMELINE,			/* of page.id, oldest first */
	STORE_INCIDENT_ALERTS,		/* of page.id */
	STORE_INCIDENT_RUNS,
};
#define STORE_LABELS_MAX 64	/* of a page */
struct store_page {
	struct str id;
	struct str status;		/* "" all */
	int64_t since_ms, until_ms;	/* 0 none */
	int64_t limit;
	struct str cursor;		/* "" from the newest */
	const struct kv *labels;	/* of incidents, by their index: each is store_label_indexed */
	size_t labels_n;
	bool any_label;			/* those with some of these labels, and rows say which (`shared`); else a list
					 * with all incidents whose first alert has all, and with others */
};
struct store_rows {
	const struct str *v;
	const struct str *cursors;	/* of each row: the place after it */
	size_t n;
	bool more;
	struct str resume;		/* where more is: the place after all that was looked at, also where n is 0 */
};
/* Can incidents be looked up by it? */
#define STORE_LABEL_MAX 256	/* bytes of name and value */
bool store_label_indexed(struct str name, struct str value);
/* The plain members of an incident's row; ended by NULL. */
extern const char *const store_incident_members[];
typedef void (*store_rows_cb)(void *ctx, const struct err *e, const struct store_rows *rows);
int store_list(struct store *s, enum store_list what, const struct store_page *page, store_rows_cb cb, void *ctx, struct err *e);
enum store_kind {
	STORE_INCIDENT,
	STORE_RUN,
	STORE_EVENT,
};
/* text: its JSON; ERR_NOT_FOUND. */
int store_get(struct store *s, enum store_kind kind, struct str id, store_text_cb cb, void *ctx, struct err *e);
/* Output of a run from line `from` on: rows are {"time","stream","text"}; more: it may still grow. */
int store_run_output(struct store *s, struct str run, int64_t from, int64_t limit, store_rows_cb cb, void *ctx, struct err *e);
/* An administrative act for the audit (reload, start): object as JSON. */
int store_audit(struct store *s, struct str json, store_done_cb cb, void *ctx, struct err *e);
/* What /metrics mirrors: [kind, name, …] as flat texts; see docs/redis.md, stats. */
struct store_stat {
	struct str name;		/* "runs", "run_seconds", "queue_depth", … */
	struct str labels[3];
	double value;
	const uint64_t *buckets;	/* histograms: metric_buckets_n counts, not cumulative; value is the sum */
	uint64_t count;
};
typedef void (*store_stats_cb)(void *ctx, const struct err *e, const struct store_stat *v, size_t n);
int store_stats(struct store *s, store_stats_cb cb, void *ctx, struct err *e);

/* ---- the bus ---- */

/* One record of the bus, in the order of writing. */
struct store_record {
	struct str id;			/* a ULID; of an event, its id */
	int64_t time_ms;
	struct str kind;		/* firing, resolved, info; decisions: on an event that was stored before; run; alert */
	struct str incident;		/* "" */
	struct str decisions_json;	/* [{"rule":…,"decision":…,"reason":…,"run":…}] */
	struct str json;		/* of the event or of what changed */
};
typedef void (*store_records_cb)(void *ctx, const struct err *e, const struct store_record *v, size_t n);
/* At most `limit` records behind the one with id `after` ("": from the beginning). */
int store_records(struct store *s, struct str after, size_t limit, store_records_cb cb, void *ctx, struct err *e);
/* The same, but where there is none yet it waits for the first one, at most wait_ms: n is 0 then. On a connection of its
 * own, which the first call opens; as long as that is not up, the call is kept. One at a time. */
int store_records_wait(struct store *s, struct str after, size_t limit, int64_t wait_ms, store_records_cb cb, void *ctx,
	struct err *e);
/* What the bus holds: the ids of its first record ("": it has none) and of the latest one that there ever was ("": none).
 * trimmed: it does not hold all that there ever was. */
struct store_bus {
	struct str first, last;
	bool trimmed;
};
typedef void (*store_bus_cb)(void *ctx, const struct err *e, const struct store_bus *b);
int store_bus(struct store *s, store_bus_cb cb, void *ctx, struct err *e);

/* ---- for trials: what rules would do, at times of one's own (bridge/trial) ---- */
/* Sets the clock of a store with own_clock, for the calls after it; it must not go back. */
int store_set_clock(struct store *s, int64_t now_ms, store_done_cb cb, void *ctx, struct err *e);

#endif
