/* store_rig.h: a store on a loop with a redis-server of its own, for the tests of store/.
 *
 * With a clock of the test's own, the library is loaded before the store connects, with TEST_CLOCK set: its time is
 * the number in the key …:clock, which rig_time sets. The store finds a library of its own version and keeps it.
 * The helpers below fill in what a test does not care about.
 */
#ifndef RB_TESTS_STORE_RIG_H
#define RB_TESTS_STORE_RIG_H

#include "redis_server.h"
#include <uv.h>
#include "base/json.h"
#include "store/library.h"
#include "store/store.h"

#define RIG_T0 INT64_C(1763841600000)	/* 2025-11-22T20:00:00Z */
#define RIG_KEY "rb:{t:0}"
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct rig {
	struct server server;
	uv_loop_t loop;
	uv_timer_t deadline;
	struct store *s;
	struct store_limits limits;
	bool up;
	int ups, downs;
	struct err why;
	int64_t now;		/* of the test's clock; 0: Redis's own */
	struct err e;		/* of the last call */
	bool done;
};

/* ---- life ---- */

static inline void rig_on_deadline(uv_timer_t *t)
{
	const struct rig *r = t->data;

	fail_msg("nothing came within %d ms; the store is %s: %s", SERVER_DEADLINE_MS, r && r->up ? "up" : "down",
		r ? r->why.text : "");
}

/* Runs the loop until *flag. */
static inline void rig_until(struct rig *r, const bool *flag)
{
	r->deadline.data = r;
	uv_timer_start(&r->deadline, rig_on_deadline, SERVER_DEADLINE_MS, 0);
	while (!*flag)
		uv_run(&r->loop, UV_RUN_ONCE);
	uv_timer_stop(&r->deadline);
}

static inline void rig_on_state(void *ctx, bool up, const struct err *why)
{
	struct rig *r = ctx;

	r->up = up;
	if (up)
		r->ups++;
	else
		r->downs++;
	if (why)
		r->why = *why;
}

static inline void rig_time(struct rig *r, int64_t now)
{
	r->now = now;
	freeReplyObject(server_ask(&r->server, "SET " RIG_KEY ":clock %lld", (long long)now));
}

static inline void rig_pass(struct rig *r, int64_t ms)
{
	rig_time(r, r->now + ms);
}

static inline void rig_load_clock(struct rig *r)
{
	static const char off[] = "local TEST_CLOCK = false", on[] = "local TEST_CLOCK = true ";
	char *text = strdup(store_library);
	char *at = text ? strstr(text, off) : NULL;

	assert_non_null(at);
	memcpy(at, on, sizeof(on) - 1);
	freeReplyObject(server_ask(&r->server, "FUNCTION LOAD REPLACE %s", text));
	free(text);
}

static inline struct store *rig_store(struct rig *r, bool blocking)
{
	struct store_options o = {
		.loop = &r->loop,
		.address = str_of(r->server.address),
		.namespace_ = STR("t"),
		.slow_after_ms = 20000,
		.load_library = true,
		.blocking = blocking,
		.on_state = rig_on_state,
		.ctx = r,
	};
	struct store *s = store_new(&o, &r->e);

	assert_non_null(s);
	return s;
}

static inline void rig_start(struct rig *r, bool test_clock)
{
	memset(r, 0, sizeof(*r));
	server_start(&r->server);
	uv_loop_init(&r->loop);
	uv_timer_init(&r->loop, &r->deadline);
	r->limits = (struct store_limits){.occurrence_skew_ms = 5 * MINUTE, .reopen_window_ms = 15 * MINUTE,
		.queue = 100, .queue_ttl_ms = HOUR, .flapping = {6, 15 * MINUTE},
		.delivery_window_ms = 72 * HOUR};
	if (test_clock) {
		rig_load_clock(r);
		rig_time(r, RIG_T0);
	}
	r->s = rig_store(r, true);
	rig_until(r, &r->up);
}

static inline void rig_flag(void *ctx)
{
	*(bool *)ctx = true;
}

static inline void rig_stop(struct rig *r)
{
	bool closed = false;

	if (r->s) {
		store_close(r->s, rig_flag, &closed);
		rig_until(r, &closed);
	}
	uv_close((uv_handle_t *)&r->deadline, NULL);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	server_stop(&r->server);
}

static inline void rig_done(void *ctx, const struct err *e)
{
	struct rig *r = ctx;

	r->e = e ? *e : (struct err){.code = ERR_NONE};
	r->done = true;
}

/* Waits for a call that was begun with rig_done (or a callback that ends in it). rc: what the call returned. */
static inline enum err_code rig_await(struct rig *r, int rc)
{
	if (rc)
		return r->e.code;
	rig_until(r, &r->done);
	r->done = false;
	return r->e.code;
}

/* ---- ingest ---- */

#define RIG_RULES 4

struct rig_event {
	const char *source;	/* NULL: "am" */
	const char *fp;		/* NULL: no alert */
	char status;		/* 'f', 'r' or 'i' */
	int64_t starts;		/* ms */
	int64_t expires;	/* ms; 0: no deadline */
	const char *delivery;	/* NULL: none */
	int severity;
	unsigned depth;
	const char *corr;	/* NULL: none */
	int64_t window;		/* 0: 10 m */
	const char *inbox;
	const char *facts;	/* of what is planned; NULL none */
	const char *host;	/* for limits of hosts; NULL none */
	bool light;		/* without its JSON */
	struct kv *labels;	/* of the event and of the incident that it opens; the event's JSON has others. n 0: alertname */
	size_t labels_n;
	const char *labels_json;	/* NULL: {"alertname":"Disk"} */
	const char *change;	/* of a change: its labels, as JSON; NULL: it is none */
	int64_t time;		/* ms: when it happened; 0: not known */
	const struct str *topology;
	size_t topology_n;
	struct store_decision_in rules[RIG_RULES];
	size_t rules_n;
};

struct rig_answer {
	enum store_outcome outcome;
	char id[ID_LEN + 1], incident[ID_LEN + 1];
	struct {
		enum decision decision, ended;
		bool ended_one;
		char reason[200], run[ID_LEN + 1];
	} d[RIG_RULES];
};

struct rig_ingest {
	struct rig *r;
	const struct rig_event *events;
	struct rig_answer *out;
};

static inline void rig_copy(char *out, size_t size, struct str s)
{
	snprintf(out, size, "%.*s", STR_ARG(s));
}

static inline void rig_on_ingest(void *ctx, const struct err *e, const struct store_event_out *out, size_t n)
{
	struct rig_ingest *c = ctx;

	for (size_t i = 0; i < n; i++) {
		struct rig_answer *a = &c->out[i];
		memset(a, 0, sizeof(*a));
		a->outcome = out[i].outcome;
		rig_copy(a->id, sizeof(a->id), out[i].id);
		rig_copy(a->incident, sizeof(a->incident), out[i].incident);
		for (size_t k = 0; k < c->events[i].rules_n; k++) {
			a->d[k].decision = out[i].decisions[k].decision;
			a->d[k].ended_one = out[i].decisions[k].ended_one;
			a->d[k].ended = out[i].decisions[k].ended;
			rig_copy(a->d[k].reason, sizeof(a->d[k].reason), out[i].decisions[k].reason);
			rig_copy(a->d[k].run, sizeof(a->d[k].run), out[i].decisions[k].run);
		}
	}
	rig_done(c->r, e);
}

/* The labels of an incident that it opens. */
static inline void rig_labels_json(const struct rig_event *in, char *out, size_t size)
{
	struct buf b;
	struct json_w w;

	buf_init(&b, size - 1);
	json_w_init(&w, &b);
	json_w_object(&w);
	for (size_t i = 0; i < in->labels_n; i++)
		json_w_kstr(&w, in->labels[i].name.p, in->labels[i].value);
	if (in->labels_n == 0)
		json_w_kstr(&w, "alertname", STR("Disk"));
	json_w_end(&w, '}');
	assert_false(buf_failed(&b));
	rig_copy(out, size, buf_as_str(&b));
	buf_release(&b);
}

/* The event itself, with the JSON that event_write_json would give of it. */
static inline void rig_fill(const struct rig_event *in, struct event *ev, struct store_event_in *out, char *json, size_t size)
{
	const char *source = in->source ? in->source : "am";
	const char *status = in->status == 'f' ? "firing" : in->status == 'r' ? "resolved" : "info";
	char fp[40] = "null", starts[CLOCK_RFC3339_MAX + 2] = "null";

	if (in->fp)
		snprintf(fp, sizeof(fp), "\"%s\"", in->fp);
	if (in->starts) {
		starts[0] = '"';
		clock_format_ms(in->starts, starts + 1);
		strcat(starts, "\"");
	}
	int n = snprintf(json, size,
		"{\"source\":\"%s\",\"type\":\"%s\",\"status\":\"%s\",\"time\":null,\"fingerprint\":%s,\"starts_at\":%s,"
		"\"ends_at\":null,\"severity\":\"warning\",\"summary\":\"disk of %s\",\"labels\":%s,"
		"\"annotations\":{},\"links\":{},\"data\":{}}",
		source, in->fp ? "alert" : "note", status, fp, starts, in->fp ? in->fp : "nobody",
		in->labels_json ? in->labels_json : "{\"alertname\":\"Disk\"}");
	assert_true(n > 0 && (size_t)n < size);
	rig_labels_json(in, json + n, size - (size_t)n);
	*ev = (struct event){
		.source = str_of(source),
		.type = in->fp ? STR("alert") : STR("note"),
		.status = in->status == 'f' ? EVENT_FIRING : in->status == 'r' ? EVENT_RESOLVED : EVENT_INFO,
		.severity = (enum event_severity)in->severity,
		.fingerprint = str_of(in->fp),
		.starts_ns = in->starts * 1000000,
		.time_ns = in->time * 1000000,
		.expires_ns = in->expires * 1000000,
		.summary = STR("disk full"),
		.depth = in->depth,
		.labels = in->labels,
		.labels_n = in->labels_n,
	};
	*out = (struct store_event_in){
		.event = ev,
		.json = in->light ? STR_NONE : (struct str){json, (size_t)n}, /* the labels stand behind it */
		.labels_json = str_of(json + n),
		.corr_key = str_of(in->corr),
		.corr_json = in->corr ? STR("{\"instance\":\"a\"}") : STR_NONE,
		.corr_window_ms = in->window ? in->window : 10 * MINUTE,
		.delivery = str_of(in->delivery),
		.facts = str_of(in->facts),
		.inbox = str_of(in->inbox),
		.host = str_of(in->host),
		.topology = in->topology,
		.topology_n = in->topology_n,
		.decisions = in->rules,
		.decisions_n = in->rules_n,
	};
	if (in->change) {
		size_t at = strlen(json) + 1;
		int m = snprintf(json + at, size - at,
			"{\"type\":\"deploy\",\"source\":\"ci\",\"summary\":\"\",\"labels\":%s}", in->change);
		assert_true(m > 0 && at + (size_t)m < size);
		out->change_json = (struct str){json + at, (size_t)m};
	}
}

enum rig_how {
	RIG_INGEST,
	RIG_EXPLAIN,
	RIG_EXPLAIN_NEW,	/* as if no alert were known */
};

/* One call with n events; out has room for n. */
static inline enum err_code rig_call(struct rig *r, enum rig_how how, const struct rig_event *in, size_t n,
	int64_t truncated, struct rig_answer *out)
{
	struct event *events = calloc(n, sizeof(*events));
	struct store_event_in *v = calloc(n, sizeof(*v));
	char (*json)[4096] = calloc(n, sizeof(*json));
	struct rig_ingest c = {r, in, out};

	assert_true(events && v && json);
	for (size_t i = 0; i < n; i++)
		rig_fill(&in[i], &events[i], &v[i], json[i], sizeof(json[i]));
	struct store_ingest call = {v, n, STR("rulesethash"), truncated, r->limits};
	int rc = how == RIG_INGEST ? store_ingest(r->s, &call, rig_on_ingest, &c, &r->e)
				   : store_explain(r->s, &call, how == RIG_EXPLAIN_NEW, rig_on_ingest, &c, &r->e);
	free(events);
	free(v);
	free(json);
	return rig_await(r, rc);
}

static inline enum err_code rig_ingest_n(struct rig *r, const struct rig_event *in, size_t n, int64_t truncated,
	struct rig_answer *out)
{
	return rig_call(r, RIG_INGEST, in, n, truncated, out);
}

static inline struct rig_answer rig_ingest(struct rig *r, const struct rig_event *in)
{
	struct rig_answer out = {.outcome = STORE_TAKEN};

	rig_ingest_n(r, in, 1, 0, &out);
	assert_int_equal(r->e.code, ERR_NONE);
	return out;
}

/* An alert as most tests want it: source am, correlation key "host-a". */
static inline struct rig_event rig_alert(const char *fp, char status, int64_t starts)
{
	return (struct rig_event){.fp = fp, .status = status, .starts = starts, .severity = 2, .corr = "host-a"};
}

static const struct store_step_in rig_step = {
	.name = {"disk-usage", 10},
	.runbook = {"disk-usage", 10},
	.runbook_sha256 = {"5ha", 3},
	.pool = {"default", 7},
	.params_json = {"{\"path\":\"/var\"}", 15},
};

static inline struct rig_event rig_with_rule(struct rig_event ev, const char *rule, const struct store_step_in *steps,
	size_t n, int64_t cooldown)
{
	ev.rules[ev.rules_n++] = (struct store_decision_in){
		.rule = str_of(rule),
		.ask = DECISION_RUN,
		.cooldown_ms = cooldown,
		.steps = steps,
		.steps_n = n,
	};
	return ev;
}

/* ---- runs ---- */

struct rig_claimed {
	char run[ID_LEN + 1], rule[64], step[64], incident[ID_LEN + 1], params[200];
	char event[2000], incident_json[2000], steps[2000];
	uint64_t fence;
	int64_t attempt, received, claimed;
	unsigned depth;
	bool late, idempotent;
	int64_t retries;
};

struct rig_claim {
	struct rig *r;
	struct rig_claimed *out;
};

static inline void rig_on_claim(void *ctx, const struct err *e, const struct store_claimed *c)
{
	struct rig_claim *rc = ctx;
	struct rig_claimed *o = rc->out;

	memset(o, 0, sizeof(*o));
	if (!e) {
		rig_copy(o->run, sizeof(o->run), c->run);
		rig_copy(o->rule, sizeof(o->rule), c->rule);
		rig_copy(o->step, sizeof(o->step), c->step);
		rig_copy(o->incident, sizeof(o->incident), c->incident);
		rig_copy(o->params, sizeof(o->params), c->params_json);
		rig_copy(o->event, sizeof(o->event), c->event_json);
		rig_copy(o->incident_json, sizeof(o->incident_json), c->incident_json);
		rig_copy(o->steps, sizeof(o->steps), c->steps_json);
		o->fence = c->fence;
		o->attempt = c->attempt;
		o->received = c->event_received_ms;
		o->claimed = c->claimed_ms;
		o->depth = c->depth;
		o->late = c->late;
		o->idempotent = c->idempotent;
		o->retries = c->retries_max;
	}
	rig_done(rc->r, e);
}

static inline struct rig_claimed rig_claim_as(struct rig *r, const char *worker, const char *instance, const char *pool)
{
	struct rig_claimed out;
	struct rig_claim c = {r, &out};
	struct str pools[] = {str_of(pool)};

	rig_await(r, store_claim(r->s, str_of(worker), str_of(instance), pools, 1, 15 * SECOND, rig_on_claim, &c, &r->e));
	assert_int_equal(r->e.code, ERR_NONE);
	return out;
}

static inline struct rig_claimed rig_claim(struct rig *r)
{
	return rig_claim_as(r, "w1", "i1", "default");
}

static inline struct store_held rig_held(const struct rig_claimed *c)
{
	return (struct store_held){str_of(c->run), c->fence};
}

/* What was executed ended, with the file that the rule was decided with. */
static inline enum err_code rig_change(struct rig *r, const struct rig_claimed *run, const char *state, int exit_code)
{
	struct store_run_change c = {
		.run = rig_held(run),
		.state = str_of(state),
		.has_exit = true,
		.exit_code = exit_code,
		.runbook_sha256 = STR("5ha"),
		.duration_ms = 42,
		.who = STR("worker w1"),
	};

	return rig_await(r, store_run_change(r->s, &c, rig_done, r, &r->e));
}

/* It goes back before anything was executed. */
static inline enum err_code rig_give_back(struct rig *r, const struct rig_claimed *run)
{
	struct store_run_change c = {.run = rig_held(run), .state = STR("release"), .who = STR("worker w1")};

	return rig_await(r, store_run_change(r->s, &c, rig_done, r, &r->e));
}

/* ---- answers ---- */

struct rig_text {
	struct rig *r;
	char text[4000];
};

static inline void rig_on_text(void *ctx, const struct err *e, struct str text)
{
	struct rig_text *t = ctx;

	rig_copy(t->text, sizeof(t->text), e ? STR_NONE : text);
	rig_done(t->r, e);
}

static inline struct rig_text rig_get(struct rig *r, enum store_kind kind, const char *id)
{
	struct rig_text t = {.r = r};

	rig_await(r, store_get(r->s, kind, str_of(id), rig_on_text, &t, &r->e));
	return t;
}

#define assert_text(t, part) assert_has(str_of((t).text), part)

/* Makes of all that is kept with steps what a library of before kept, in which a step was six words. */
static inline void rig_keep_as_before(struct rig *r)
{
	static const char script[] =
		"local changed = 0 "
		"local function six(words) local out = {} "
		"for i, w in ipairs(words) do "
		"local n, pool, book, sha, params, name = "
		"string.match(w, '^(%d %d %d %d+ %d+ %d+) ([^%z]*)%z([^%z]*)%z([^%z]*)%z([^%z]*)%z(.*)$') "
		"for _, v in ipairs(n and {name, book, sha, pool, params, n} or {w}) do out[#out + 1] = v end end "
		"changed = changed + (#out > #words and 1 or 0) return out end "
		"local function before(json) local rec = cjson.decode(json) "
		"rec.words = rec.words and six(rec.words) "
		"for _, ev in ipairs(rec.events or {}) do "
		"if ev.asks and ev.asks.words then ev.asks.words = six(ev.asks.words) end end "
		"return cjson.encode(rec) end "
		"for _, key in ipairs(redis.call('KEYS', '*:waits')) do local v = redis.call('HGETALL', key) "
		"for i = 1, #v, 2 do redis.call('HSET', key, v[i], before(v[i + 1])) end end "
		"for _, key in ipairs(redis.call('KEYS', '*:gate:*')) do "
		"redis.call('SET', key, before(redis.call('GET', key))) end "
		"for _, key in ipairs(redis.call('KEYS', '*:run:*')) do "
		"local v = redis.call('TYPE', key).ok == 'hash' and redis.call('HGET', key, 'failure') "
		"if v then redis.call('HSET', key, 'failure', cjson.encode(six(cjson.decode(v)))) end end "
		"return changed";
	redisReply *reply = server_ask(&r->server, "EVAL %s 0", script);

	assert_true(reply->integer > 0);
	freeReplyObject(reply);
}

struct rig_rows {
	struct rig *r;
	size_t n;
	bool more;
	char resume[100];
	char v[50][2000];
	char cursor[50][100];
};

static inline void rig_on_rows(void *ctx, const struct err *e, const struct store_rows *rows)
{
	struct rig_rows *out = ctx;

	out->n = e ? 0 : rows->n;
	out->more = !e && rows->more;
	rig_copy(out->resume, sizeof(out->resume), e ? STR_NONE : rows->resume);
	for (size_t i = 0; i < out->n && i < 50; i++) {
		rig_copy(out->v[i], sizeof(out->v[i]), rows->v[i]);
		rig_copy(out->cursor[i], sizeof(out->cursor[i]), rows->cursors[i]);
	}
	rig_done(out->r, e);
}

static inline void rig_list(struct rig *r, enum store_list what, const struct store_page *page, struct rig_rows *out)
{
	out->r = r;
	out->n = 0;
	rig_await(r, store_list(r->s, what, page, rig_on_rows, out, &r->e));
}

/* ---- time ---- */

struct rig_tick {
	struct rig *r;
	struct store_tick_result result;	/* late is NULL: see rig_late_rule */
};

/* Of the latest tick: the last decision that it made. */
static char rig_late_rule[64];
static enum decision rig_late_decision;

static inline void rig_on_tick(void *ctx, const struct err *e, const struct store_tick_result *result)
{
	struct rig_tick *t = ctx;

	if (result) {
		t->result = *result;
		if (result->late_n > 0) {
			rig_copy(rig_late_rule, sizeof(rig_late_rule), result->late[result->late_n - 1].rule);
			rig_late_decision = result->late[result->late_n - 1].decision;
		}
		t->result.late = NULL;
	}
	rig_done(t->r, e);
}

static inline struct store_tick_result rig_tick(struct rig *r)
{
	struct rig_tick t = {.r = r};
	struct store_tick in = {r->limits, 24 * HOUR, 30 * DAY, 365 * DAY};

	if (rig_await(r, store_tick(r->s, &in, rig_on_tick, &t, &r->e)) != ERR_NONE)
		fail_msg("a tick: %s", r->e.text);
	return t.result;
}

#endif
