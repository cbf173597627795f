/* Events through rules into a real store and back out of it: batches, the inbox, ticks, and pages
 * with filters. */
#include "store_rig.h"

#include "base/diag.h"
#include "flow/decide.h"
#include "flow/ingest.h"
#include "flow/query.h"
#include "flow/tick.h"
#include "source/source.h"

static const char rules_text[] =
	"rules:\n"
	"  - name: disk\n"
	"    match: 'alertname = Disk'\n"
	"    steps: [{runbook: look, with: {path: '{{ labels.mountpoint }}'}}]\n"
	"  - name: only-said\n"
	"    match: 'alertname = Disk'\n"
	"    mode: dry_run\n"
	"    steps: [{runbook: look}]\n"
	"  - name: on-result\n"
	"    match: 'event.type = run, outcome = failed'\n"
	"    when: any\n"
	"    steps: [{runbook: look}]\n"
	"  - name: on-artifact\n"
	"    match: 'event.type = artifact_ready, sha =~ \"[0-9a-f]+\"'\n"
	"    steps: [{runbook: look}]\n"
	"  - name: on-invalid\n"
	"    match: 'event.type = invalid_event'\n"
	"    steps: [{runbook: look}]\n";
static const char look[] =
	"# ---\n# summary: Looks\n# kind: diagnose\n# params:\n#   path: {default: /}\n# ---\n";

struct flow {
	struct rig rig;
	struct arena arena;
	struct conf conf;
	struct ingest_ctx ic;
	char *answer; /* of the last call */
	const struct json *json;
	struct ingest_place place;
	size_t taken;
	bool ticked;
};

static struct ruleset *build(const struct conf *conf, const char *text)
{
	struct ruleset_file rules = {"r.yml", str_of(text)};
	struct ruleset_file books = {"look.sh", {look, sizeof(look) - 1}};
	struct ruleset_input in = {&rules, 1, &books, 1, conf};
	struct diags d;
	struct ruleset *rs;

	diags_init(&d);
	rs = ruleset_build(&in, &d);
	assert_findings(&d, "");
	diags_release(&d);
	assert_non_null(rs);
	return rs;
}

static void flow_start(struct flow *f)
{
	memset(f, 0, sizeof(*f));
	rig_start(&f->rig, false);
	arena_init(&f->arena, (size_t)256 << 20);
	f->conf.path = STR("runbookd.yml");
	f->conf.limits.match_limit = 1000000;
	f->conf.limits.chain_depth = 3;
	f->conf.limits.queue = 500;
	f->conf.limits.queue_ttl_ms = HOUR;
	f->conf.incidents.occurrence_skew_ms = 5 * MINUTE;
	f->conf.incidents.reopen_window_ms = 15 * MINUTE;
	f->conf.incidents.stale_after_ms = DAY;
	f->conf.incidents.retention_ms = 30 * DAY;
	f->conf.audit_retention_ms = 30 * DAY;
	f->ic = (struct ingest_ctx){.store = f->rig.s, .rules = build(&f->conf, rules_text), .conf = &f->conf};
}

static void flow_stop(struct flow *f)
{
	assert_int_equal(f->ic.rules->refs, 1);
	ruleset_unref(f->ic.rules);
	free(f->answer);
	arena_release(&f->arena);
	rig_stop(&f->rig);
}

static void on_answer(void *ctx, const struct err *e, struct str answer)
{
	struct flow *f = ctx;

	free(f->answer);
	f->answer = strndup(answer.p ? answer.p : "", answer.n);
	rig_done(&f->rig, e);
}

static enum err_code await_answer(struct flow *f, int rc)
{
	struct err e;
	enum err_code code = rig_await(&f->rig, rc);

	f->json = NULL;
	if (code == ERR_NONE) {
		f->json = json_parse(&f->arena, arena_strdup(&f->arena, str_of(f->answer)), &e);
		assert_non_null(f->json);
	}
	return code;
}

/* A message with n alerts "Disk" on hosts from `first` on. */
static struct source_batch message(struct flow *f, int first, int n, const char *more)
{
	struct source_batch batch;
	struct source_parse *p =
		source_begin(&f->arena, source_kind_find(STR("alertmanager")),
		&(struct source_request){.source = STR("am")});
	struct err e = {0};
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"version\":\"4\",\"status\":\"firing\",\"receiver\":\"r\","
		     "\"truncatedAlerts\":0,\"alerts\":[");
	for (int i = first; i < first + n; i++)
		buf_printf(&b,
			"%s{\"status\":\"firing\",\"startsAt\":\"2026-01-01T00:00:00Z\",\"labels\":"
			"{\"alertname\":\"Disk\","
			"\"host\":\"h%d\"%s},\"annotations\":{}}",
			i > first ? "," : "", i, more);
	buf_puts(&b, "]}");
	assert_int_equal(source_feed(p, b.p, b.n, &e), 0);
	assert_int_equal(source_finish(p, &batch, &e), 0);
	buf_release(&b);
	return batch;
}

static enum err_code ingest(struct flow *f, const struct source_batch *batch)
{
	return await_answer(f, ingest_batch(&f->ic, &f->arena, batch, on_answer, f, &f->rig.e));
}

static int64_t number(struct flow *f, const char *member)
{
	int64_t v = -1;

	assert_true(json_i64(json_get(f->json, member), &v));
	return v;
}

static size_t count_decisions(struct flow *f, const char *rule, const char *decision)
{
	size_t n = 0;

	for (const struct json *d = json_get(f->json, "decisions")->child; d; d = d->next)
		n += str_is(json_str(json_get(d, "rule")), rule) &&
		     str_is(json_str(json_get(d, "decision")), decision);
	return n;
}

static enum err_code list(
	struct flow *f, enum store_list what, const char *filter, int64_t limit, struct str cursor)
{
	struct query q = {
		.what = what, .filter = str_of(filter), .page = {.limit = limit, .cursor = cursor}};

	return await_answer(f, query_list(f->rig.s, &q, on_answer, f, &f->rig.e));
}

static const struct json *items(struct flow *f)
{
	return json_get(f->json, "items");
}

static const struct json *only_event(struct flow *f, const char *filter)
{
	assert_int_equal(list(f, STORE_EVENTS, filter, 10, STR_NONE), ERR_NONE);
	assert_int_equal(items(f)->count, 1);
	return items(f)->child;
}

/* ---- batches ---- */

static void large_batch_is_answered_once_for_all(void **state)
{
	struct flow f;
	struct source_batch batch;

	(void)state;
	flow_start(&f);
	batch = message(&f, 0, 300, ",\"mountpoint\":\"/var\"");
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(number(&f, "events"), 300);
	assert_int_equal(number(&f, "new"), 300);
	assert_int_equal(count_decisions(&f, "disk", "run"), 300);
	assert_int_equal(count_decisions(&f, "only-said", "dry_run"), 300);
	assert_int_equal(server_number(&f.rig.server, "ZCARD " RIG_KEY ":queue:default"), 300);
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(number(&f, "duplicate"), 300);
	assert_int_equal(count_decisions(&f, "disk", "duplicate"), 300);
	flow_stop(&f);
}

/* Each event of a delivery is known by its place: what was not stored of it is taken when it comes again. */
static void a_large_delivery_is_completed(void **state)
{
	struct flow f;
	struct source_batch batch;

	(void)state;
	flow_start(&f);
	f.conf.limits.delivery_window_ms = HOUR;
	batch = message(&f, 0, 300, "");
	for (size_t i = 0; i < batch.n; i++) {
		batch.events[i].status = EVENT_INFO;
		batch.events[i].fingerprint = STR_NONE;
		batch.events[i].delivery = STR("d1");
	}
	batch.n = 260;
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(number(&f, "new"), 260);
	batch.n = 300;
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(number(&f, "duplicate"), 260);
	assert_int_equal(number(&f, "new"), 40);
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(number(&f, "duplicate"), 300);
	flow_stop(&f);
}

static void rules_stay_the_same_for_a_batch(void **state)
{
	static const char other[] = "rules:\n  - name: other\n    match: 'alertname = Disk'\n    "
				    "steps: [{runbook: look}]\n";
	struct flow f;
	struct ruleset *old;
	struct source_batch batch;
	int rc;

	(void)state;
	flow_start(&f);
	old = f.ic.rules;
	batch = message(&f, 0, 600, ",\"mountpoint\":\"/var\"");
	f.conf.limits.queue = 1000;
	rc = ingest_batch(&f.ic, &f.arena, &batch, on_answer, &f, &f.rig.e);
	f.ic.rules = build(&f.conf, other); /* a reload, while the first piece is under way */
	ruleset_unref(old);
	assert_int_equal(await_answer(&f, rc), ERR_NONE);
	assert_int_equal(count_decisions(&f, "disk", "run"), 600);
	assert_int_equal(count_decisions(&f, "other", "run"), 0);
	batch = message(&f, 600, 1, "");
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(count_decisions(&f, "other", "run"), 1);
	flow_stop(&f);
}

/* What was seen is guessed to be a duplicate; where Redis knows better, nothing is lost. */
static void wrong_guess_is_put_right(void **state)
{
	struct flow f;
	struct source_batch batch;
	int64_t times;

	(void)state;
	flow_start(&f);
	batch = message(&f, 0, 3, ",\"mountpoint\":\"/srv\"");
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(number(&f, "new"), 3);
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(number(&f, "duplicate"), 3);
	assert_int_equal(list(&f, STORE_ALERTS, "host = h1", 10, STR_NONE), ERR_NONE);
	assert_true(json_i64(json_get(items(&f)->child, "count"), &times));
	assert_int_equal(times, 2);
	freeReplyObject(server_ask(&f.rig.server, "FLUSHDB"));
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(number(&f, "new"), 3);
	assert_int_equal(count_decisions(&f, "disk", "run"), 3);
	assert_str(
		json_str(json_path(only_event(&f, "host = h1"), STR("labels.mountpoint"))), "/srv");
	flow_stop(&f);
}

static void missing_value_is_a_decision_error(void **state)
{
	struct flow f;
	struct source_batch batch;

	(void)state;
	flow_start(&f);
	batch = message(&f, 0, 1, "");
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_int_equal(count_decisions(&f, "disk", "error"), 1);
	assert_has(str_of(f.answer), "labels.mountpoint");
	assert_int_equal(server_number(&f.rig.server, "ZCARD " RIG_KEY ":queue:default"), 0);
	flow_stop(&f);
}

static void full_queue_stores_nothing_of_a_batch(void **state)
{
	struct flow f;
	struct source_batch batch;

	(void)state;
	flow_start(&f);
	f.conf.limits.queue = 2;
	batch = message(&f, 0, 3, ",\"mountpoint\":\"/var\"");
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	long long stored = server_number(&f.rig.server, "XLEN " RIG_KEY ":bus");
	batch = message(&f, 3, 3, ",\"mountpoint\":\"/var\"");
	assert_int_equal(ingest(&f, &batch), ERR_FULL);
	assert_has(str_of(f.rig.e.text), "default");
	assert_int_equal(server_number(&f.rig.server, "XLEN " RIG_KEY ":bus"), stored);
	flow_stop(&f);
}

static void empty_batch_is_no_call(void **state)
{
	struct flow f;
	struct source_batch batch = {0};

	(void)state;
	flow_start(&f);
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	assert_string_equal(
		f.answer, "{\"events\":0,\"new\":0,\"duplicate\":0,\"decisions\":[]}\n");
	flow_stop(&f);
}

static void without_redis_it_is_away(void **state)
{
	struct flow f;
	struct source_batch batch;
	bool down = false;

	(void)state;
	flow_start(&f);
	batch = message(&f, 0, 1, "");
	server_kill(&f.rig.server);
	while (!down) {
		uv_run(&f.rig.loop, UV_RUN_ONCE);
		down = !f.rig.up;
	}
	assert_int_equal(ingest(&f, &batch), ERR_AWAY);
	flow_stop(&f);
}

/* ---- the inbox ---- */

static void on_taken(void *ctx, const struct err *e, size_t taken)
{
	struct flow *f = ctx;

	f->taken = taken;
	rig_done(&f->rig, e);
}

static void put_inbox(struct flow *f, const char *json)
{
	freeReplyObject(server_ask(&f->rig.server,
		"XADD " RIG_KEY ":inbox * event %s incident %s json %s", "", "", json));
}

static size_t take_inbox(struct flow *f)
{
	assert_int_equal(
		rig_await(&f->rig, ingest_inbox(&f->ic, &f->place, on_taken, f, &f->rig.e)),
		ERR_NONE);
	assert_int_equal(f->ic.rules->refs, 1);
	return f->taken;
}

static void emitted_events_meet_the_rules(void **state)
{
	struct flow f;
	const struct json *ev;

	(void)state;
	flow_start(&f);
	put_inbox(&f, "{\"type\":\"artifact_ready\",\"source\":\"ci\",\"subject\":\"shop\",\"sha\":"
		      "\"abc\",\"data\":{\"n\":1},"
		      "\"depth\":0,\"run\":\"forged\",\"run\":\"R\",\"depth\":1,\"emitted\":true}");
	assert_int_equal(take_inbox(&f), 1);
	assert_int_equal(server_number(&f.rig.server, "XLEN " RIG_KEY ":inbox"), 0);
	ev = only_event(&f, "event.type = artifact_ready, ce_source = ci, subject = shop, sha = "
			    "abc, event.source = runbook");
	assert_str(json_str(json_path(ev, STR("decisions.0.decision"))), "run");
	assert_int_equal(take_inbox(&f), 0);
	flow_stop(&f);
}

static void long_chains_end(void **state)
{
	struct flow f;
	const struct json *ev;

	(void)state;
	flow_start(&f);
	put_inbox(&f, "{\"type\":\"artifact_ready\",\"sha\":\"abc\",\"run\":\"R\",\"depth\":3,"
		      "\"emitted\":true}");
	assert_int_equal(take_inbox(&f), 1);
	ev = only_event(&f, "event.type = artifact_ready");
	assert_str(json_str(json_path(ev, STR("decisions.0.decision"))), "limit");
	assert_str(json_str(json_path(ev, STR("decisions.0.reason"))),
		"3 runs led to this event, and limits.chain_depth is 3");
	put_inbox(&f, "{\"type\":\"artifact_ready\",\"sha\":\"def\",\"trail\":[\"forged\"],\"emitted\":true,\"run\":\"R\","
		      "\"depth\":3,\"trail\":[\"b\",\"a\",\"b\"]}");
	assert_int_equal(take_inbox(&f), 1);
	ev = only_event(&f, "event.type = artifact_ready, sha = def");
	assert_str(json_str(json_path(ev, STR("decisions.0.reason"))),
		"3 runs led to this event, and limits.chain_depth is 3; the loop is b -> a -> b");
	assert_str(json_str(json_path(ev, STR("trail.1"))), "a");
	flow_stop(&f);
}

static void what_cannot_be_read_is_an_event_too(void **state)
{
	struct flow f;

	(void)state;
	flow_start(&f);
	put_inbox(&f, "{\"type\":17,\"run\":\"R\",\"depth\":1,\"emitted\":true}");
	put_inbox(&f, "no JSON");
	assert_int_equal(take_inbox(&f), 2);
	assert_int_equal(
		list(&f, STORE_EVENTS, "event.type = invalid_event, event.severity = warning", 10,
			STR_NONE),
		ERR_NONE);
	assert_int_equal(items(&f)->count, 2);
	flow_stop(&f);
}

static void full_queue_keeps_the_entry_and_goes_on(void **state)
{
	struct flow f;

	(void)state;
	flow_start(&f);
	f.conf.limits.queue = 1;
	put_inbox(&f, "{\"type\":\"artifact_ready\",\"sha\":\"a\",\"run\":\"R\",\"depth\":1,"
		      "\"emitted\":true}");
	assert_int_equal(take_inbox(&f), 1);
	put_inbox(&f, "{\"type\":\"artifact_ready\",\"sha\":\"b\",\"run\":\"R\",\"depth\":1,"
		      "\"emitted\":true}");
	put_inbox(&f, "{\"type\":\"other\",\"run\":\"R\",\"depth\":1,\"emitted\":true}");
	assert_int_equal(take_inbox(&f), 1);
	assert_int_equal(server_number(&f.rig.server, "XLEN " RIG_KEY ":inbox"), 1);
	f.conf.limits.queue = 2;
	assert_int_equal(take_inbox(&f), 1);
	assert_int_equal(
		list(&f, STORE_RUNS, "rule = on-artifact, state = queued", 10, STR_NONE), ERR_NONE);
	assert_int_equal(items(&f)->count, 2);
	flow_stop(&f);
}

static long long inbox_length(struct flow *f)
{
	return server_number(&f->rig.server, "XLEN " RIG_KEY ":inbox");
}

static void await_inbox(struct flow *f, long long length)
{
	f->rig.deadline.data = &f->rig;
	uv_timer_start(&f->rig.deadline, rig_on_deadline, SERVER_DEADLINE_MS, 0);
	while (inbox_length(f) > length)
		uv_run(&f->rig.loop, UV_RUN_ONCE);
	uv_timer_stop(&f->rig.deadline);
}

static void put_artifacts(struct flow *f, int n)
{
	for (int i = 0; i < n; i++)
		put_inbox(f, "{\"type\":\"artifact_ready\",\"sha\":\"a\",\"run\":\"R\",\"depth\":1,"
			     "\"emitted\":true}");
}

static void full_queue_holds_up_no_other(void **state)
{
	struct flow f;

	(void)state;
	flow_start(&f);
	f.conf.limits.queue = 1;
	put_artifacts(&f, 1);
	assert_int_equal(take_inbox(&f), 1);
	put_artifacts(&f, 250);
	put_inbox(&f, "{\"type\":\"other\",\"run\":\"R\",\"depth\":1,\"emitted\":true}");
	assert_int_equal(take_inbox(&f), 1);
	assert_int_equal(inbox_length(&f), 250);
	only_event(&f, "event.type = other");
	f.conf.limits.queue = 1000;
	assert_int_equal(take_inbox(&f), 250);
	flow_stop(&f);
}

/* More than one walk looks at: the next one goes on behind it, the one after begins anew. */
static void walk_ends_and_is_taken_up(void **state)
{
	const int stuck = INGEST_INBOX_ENTRIES * INGEST_INBOX_BATCHES;
	struct flow f;

	(void)state;
	flow_start(&f);
	f.conf.limits.queue = 1;
	put_artifacts(&f, 1);
	assert_int_equal(take_inbox(&f), 1);
	put_artifacts(&f, stuck);
	put_inbox(&f, "{\"type\":\"other\",\"run\":\"R\",\"depth\":1,\"emitted\":true}");
	assert_int_equal(
		rig_await(&f.rig, ingest_inbox(&f.ic, &f.place, on_taken, &f, &f.rig.e)), ERR_FULL);
	assert_true(f.place.after[0] != '\0');
	assert_int_equal(take_inbox(&f), 1);
	assert_string_equal(f.place.after, "");
	assert_int_equal(inbox_length(&f), stuck);
	f.conf.limits.queue = stuck + 1;
	assert_int_equal(take_inbox(&f), stuck);
	flow_stop(&f);
}

/* An emitted event whose data are n zeros: each takes forty times its text as a tree. */
static char *zeros(int n)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"type\":\"zeros\",\"data\":[");
	for (int i = 1; i < n; i++)
		buf_puts(&b, "0,");
	buf_puts(&b, "0],\"emitted\":true,\"run\":\"R\",\"depth\":3}");
	return buf_steal(&b);
}

static void large_events_are_taken_in_parts(void **state)
{
	char *text = zeros(32700);
	struct flow f;

	(void)state;
	flow_start(&f);
	for (int i = 0; i < 100; i++)
		put_inbox(&f, text);
	assert_int_equal(take_inbox(&f), 100);
	assert_int_equal(inbox_length(&f), 0);
	assert_int_equal(list(&f, STORE_EVENTS, "event.type = zeros", 1, STR_NONE), ERR_NONE);
	assert_int_equal(items(&f)->count, 1);
	free(text);
	flow_stop(&f);
}

static void too_large_event_leaves_as_invalid(void **state)
{
	char *text = zeros(900000);
	struct flow f;

	(void)state;
	flow_start(&f);
	put_inbox(&f, "{\"type\":\"other\",\"run\":\"R\",\"depth\":1,\"emitted\":true}");
	put_inbox(&f, text);
	put_inbox(&f, "{\"type\":\"other\",\"run\":\"R\",\"depth\":1,\"emitted\":true}");
	assert_int_equal(take_inbox(&f), 3);
	assert_int_equal(inbox_length(&f), 0);
	assert_has(json_str(json_get(
			   only_event(&f, "event.type = invalid_event, run = R"), "summary")),
		"memory");
	free(text);
	flow_stop(&f);
}

/* A rule may start the same runbook again, on what that one did wrong. */
static void chains_of_invalid_events_end(void **state)
{
	static const char *const texts[] = {
		"{\"type\":17,\"emitted\":true,\"run\":\"R\",\"depth\":3}",
		"{\"type\":\"\xff\",\"emitted\":true,\"run\":\"R\",\"depth\":3}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct flow f;
		const struct json *ev;

		flow_start(&f);
		put_inbox(&f, texts[i]);
		assert_int_equal(take_inbox(&f), 1);
		ev = only_event(&f, "event.type = invalid_event, run = R");
		assert_str(json_str(json_path(ev, STR("decisions.0.decision"))), "limit");
		flow_stop(&f);
	}
}

/* An emitted event with n labels, in an order that is the worst for a sort; the first one's name
 * and value are as long as said. */
static char *labelled(int n, size_t name, size_t value, bool in_labels)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, in_labels ? "{\"type\":\"x\",\"labels\":{\"" : "{\"type\":\"x\",\"");
	for (size_t i = 0; i < name; i++)
		buf_putc(&b, 'z');
	buf_puts(&b, "\":\"");
	for (size_t i = 0; i < value; i++)
		buf_putc(&b, 'v');
	buf_putc(&b, '"');
	for (int i = n - 1; i > 0; i--)
		buf_printf(&b, ",\"l%05d\":1", i);
	buf_puts(&b, in_labels ? "}," : ",");
	buf_puts(&b, "\"emitted\":true,\"run\":\"R\",\"depth\":1}");
	return buf_steal(&b);
}

static void labels_of_an_emitted_event_are_limited(void **state)
{
	static const struct {
		int n;
		size_t name, value;
		bool in_labels;
		const char *why; /* NULL: taken */
	} cases[] = {
		{SOURCE_LABELS_LIMIT, SOURCE_NAME_LIMIT, SOURCE_VALUE_LIMIT, true, NULL},
		{SOURCE_LABELS_LIMIT, 1, 1, false, NULL},
		{SOURCE_LABELS_LIMIT + 1, 1, 1, true, "over 256 labels"},
		{SOURCE_LABELS_LIMIT + 1, 1, 1, false, "over 256 labels"},
		{1, SOURCE_NAME_LIMIT + 1, 1, true, "a name of 1025"},
		{1, SOURCE_NAME_LIMIT + 1, 1, false, "a name of 1025"},
		{1, 1, SOURCE_VALUE_LIMIT + 1, true, "value of 1048577"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text =
			labelled(cases[i].n, cases[i].name, cases[i].value, cases[i].in_labels);
		struct flow f;

		flow_start(&f);
		put_inbox(&f, text);
		assert_int_equal(take_inbox(&f), 1);
		if (cases[i].why)
			assert_has(json_str(json_get(only_event(&f, "event.type = invalid_event"),
					   "summary")),
				cases[i].why);
		else
			only_event(&f, "event.type = x");
		free(text);
		flow_stop(&f);
	}
}

static void on_tick_result(void *ctx, const struct err *e, const struct store_tick_result *r)
{
	struct flow *f = ctx;

	if (e && e->code != ERR_FULL)
		fail_msg("%s", e->text);
	f->ticked = r != NULL;
}

static void tick_drains_the_inbox(void **state)
{
	struct flow f;
	struct tick *t;
	bool closed = false;

	(void)state;
	flow_start(&f);
	for (int i = 0; i < 250; i++)
		put_inbox(&f, "{\"type\":\"other\",\"run\":\"R\",\"depth\":1,\"emitted\":true}");
	t = tick_new(&f.rig.loop, &f.ic, on_tick_result, &f);
	rig_until(&f.rig, &f.ticked);
	await_inbox(&f, 0);
	tick_close(t, rig_flag, &closed);
	rig_until(&f.rig, &closed);
	flow_stop(&f);
}

static void tick_comes_back_to_what_was_full(void **state)
{
	struct flow f;
	struct tick *t;
	bool closed = false;

	(void)state;
	flow_start(&f);
	f.conf.limits.queue = 1;
	put_artifacts(&f, 1);
	assert_int_equal(take_inbox(&f), 1);
	put_artifacts(&f, 150);
	put_inbox(&f, "{\"type\":\"other\",\"run\":\"R\",\"depth\":1,\"emitted\":true}");
	t = tick_new(&f.rig.loop, &f.ic, on_tick_result, &f);
	await_inbox(&f, 150);
	f.conf.limits.queue = 1000;
	await_inbox(&f, 0);
	tick_close(t, rig_flag, &closed);
	rig_until(&f.rig, &closed);
	flow_stop(&f);
}

/* ---- pages ---- */

static void pages_show_each_row_once(void **state)
{
	struct flow f;
	struct source_batch batch;
	struct str cursor = STR_NONE;
	size_t seen = 0, pages = 0;

	(void)state;
	flow_start(&f);
	batch = message(&f, 0, 250, "");
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	do {
		assert_int_equal(
			list(&f, STORE_EVENTS, "host =~ \"h[0-9]*5\"", 7, cursor), ERR_NONE);
		assert_true(items(&f)->count <= 7);
		for (const struct json *row = items(&f)->child; row; row = row->next, seen++) {
			char host[16];
			/* newest first: h245, h235, … */
			snprintf(host, sizeof(host), "h%d", 245 - 10 * (int)seen);
			assert_str(json_str(json_path(row, STR("labels.host"))), host);
		}
		cursor = json_str(json_get(f.json, "next"));
		pages++;
	} while (cursor.n);
	assert_int_equal(seen, 25);
	assert_int_equal(pages, 4);
	flow_stop(&f);
}

static void filters_see_what_a_row_has(void **state)
{
	static const struct {
		enum store_list what;
		const char *filter;
		size_t n;
	} cases[] = {
		{STORE_ALERTS, "alertname = Disk, event.status = firing, event.type = alert", 2},
		{STORE_ALERTS, "host = h1", 1},
		{STORE_ALERTS, "status = firing", 0},
		{STORE_INCIDENTS, "status = open, host = h0", 1},
		{STORE_INCIDENTS, "status = resolved", 0},
		{STORE_INCIDENTS, "host = h0, mountpoint = \"/var\", alertname =~ \"D.*\"", 1},
		{STORE_INCIDENTS, "host = h0, mountpoint = \"/var\", alertname != Disk", 0},
		{STORE_INCIDENTS, "host = h0, mountpoint = \"/tmp\"", 0},
		{STORE_INCIDENTS, "host = h7", 0},
		{STORE_INCIDENTS, "host != h7", 2},
		{STORE_INCIDENTS, "host = \"\"", 0},
		{STORE_INCIDENTS, "severity = unknown, alerts = 1", 2},
		{STORE_RUNS, "rule = disk, data.params.path = \"/var\", runbook = look", 2},
		{STORE_RUNS, "state != queued", 0},
		{STORE_AUDIT, "what = run, to = queued", 2},
		{STORE_EVENTS, "event.source = am, data.labels.host = h0", 1},
		{STORE_EVENTS, "", 2},
	};
	struct flow f;
	struct source_batch batch;

	(void)state;
	flow_start(&f);
	batch = message(&f, 0, 2, ",\"mountpoint\":\"/var\"");
	assert_int_equal(ingest(&f, &batch), ERR_NONE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(list(&f, cases[i].what, cases[i].filter, 10, STR_NONE), ERR_NONE);
		if (items(&f)->count != cases[i].n)
			fail_msg("'%s' gave %zu rows, not %zu: %s", cases[i].filter,
				items(&f)->count, cases[i].n, f.answer);
	}
	flow_stop(&f);
}

static void bad_questions_are_refused_at_once(void **state)
{
	struct flow f;

	(void)state;
	flow_start(&f);
	assert_int_equal(list(&f, STORE_EVENTS, "a =~ (", 10, STR_NONE), ERR_INPUT);
	assert_int_equal(list(&f, STORE_EVENTS, "a", 10, STR_NONE), ERR_INPUT);
	assert_int_equal(list(&f, STORE_EVENTS, "", 10, STR("nonsense")), ERR_INPUT);
	flow_stop(&f);
}

/* What incidents show of a change is short, whatever its sender writes. */
static void what_is_shown_of_a_change_is_cut(void **state)
{
	struct conf_text text = {STR("event.type =~ \"deploy.*\""), 1, 1};
	struct conf conf = {.limits = {.match_limit = 10000, .match_budget = 150000}, .changes = {&text, 1}};
	struct kv labels[DECIDE_CHANGE_LABELS_MAX + 2];
	char names[DECIDE_CHANGE_LABELS_MAX + 2][8], large[DECIDE_CHANGE_LABEL_MAX], summary[DECIDE_CHANGE_TEXT_MAX + 9];
	struct store_event_in in;
	struct arena a;
	struct err e;

	(void)state;
	memset(large, 'x', sizeof(large));
	memset(summary, 's', sizeof(summary));
	memcpy(summary + DECIDE_CHANGE_TEXT_MAX - 1, "\xc3\xa9", 2); /* one character across the bound */
	for (size_t i = 0; i < DECIDE_CHANGE_LABELS_MAX + 2; i++) {
		snprintf(names[i], sizeof(names[i]), "l%03zu", i);
		labels[i] = (struct kv){str_of(names[i]), STR("v")};
	}
	labels[1].value = (struct str){large, DECIDE_CHANGE_LABEL_MAX - 4};
	labels[2].value = (struct str){large, DECIDE_CHANGE_LABEL_MAX - 3};
	struct event ev = {.source = STR("ci"),
		.type = STR("deployed"),
		.status = EVENT_INFO,
		.summary = {summary, sizeof(summary)},
		.labels = labels,
		.labels_n = DECIDE_CHANGE_LABELS_MAX + 2};
	struct ruleset *rules = build(&conf, "");
	arena_init(&a, 1 << 20);
	assert_int_equal(decide_event(rules, 8, &a, &ev, &in, &e), 0);
	const struct json *shown = json_parse(&a, in.change_json, &e);
	assert_non_null(shown);
	assert_int_equal(json_str(json_get(shown, "summary")).n, DECIDE_CHANGE_TEXT_MAX - 1);
	const struct json *kept = json_get(shown, "labels");
	size_t n = 0;
	for (const struct json *l = kept->child; l; l = l->next)
		n++;
	assert_int_equal(n, DECIDE_CHANGE_LABELS_MAX);
	assert_non_null(json_get(kept, "l001"));
	assert_null(json_get(kept, "l002"));
	assert_non_null(json_get(kept, "l064"));
	assert_null(json_get(kept, "l065"));
	ev.type = STR("other");
	assert_int_equal(decide_event(rules, 8, &a, &ev, &in, &e), 0);
	assert_int_equal(in.change_json.n, 0);
	arena_release(&a);
	ruleset_unref(rules);
}

TESTS_MAIN(cmocka_unit_test(large_batch_is_answered_once_for_all),
	cmocka_unit_test(a_large_delivery_is_completed),
	cmocka_unit_test(rules_stay_the_same_for_a_batch),
	cmocka_unit_test(wrong_guess_is_put_right),
	cmocka_unit_test(missing_value_is_a_decision_error),
	cmocka_unit_test(full_queue_stores_nothing_of_a_batch),
	cmocka_unit_test(empty_batch_is_no_call), cmocka_unit_test(without_redis_it_is_away),
	cmocka_unit_test(emitted_events_meet_the_rules), cmocka_unit_test(long_chains_end),
	cmocka_unit_test(what_cannot_be_read_is_an_event_too),
	cmocka_unit_test(full_queue_keeps_the_entry_and_goes_on),
	cmocka_unit_test(full_queue_holds_up_no_other), cmocka_unit_test(walk_ends_and_is_taken_up),
	cmocka_unit_test(large_events_are_taken_in_parts),
	cmocka_unit_test(too_large_event_leaves_as_invalid),
	cmocka_unit_test(chains_of_invalid_events_end),
	cmocka_unit_test(labels_of_an_emitted_event_are_limited),
	cmocka_unit_test(tick_drains_the_inbox), cmocka_unit_test(tick_comes_back_to_what_was_full),
	cmocka_unit_test(pages_show_each_row_once), cmocka_unit_test(filters_see_what_a_row_has),
	cmocka_unit_test(bad_questions_are_refused_at_once),
	cmocka_unit_test(what_is_shown_of_a_change_is_cut))
