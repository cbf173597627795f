/* Messages that come together in one call: each keeps its own answer, and its own refusal. */
#include "unit.h"

#include "store_rig.h"

#define MESSAGES_MAX 300

struct message {
	struct rig *r;
	struct rig_event event;
	struct event ev;
	struct store_event_in in;
	char json[1024];
	size_t *left;
	bool *all;
	enum err_code code;
	enum store_outcome outcome;
	enum decision decision;
	char id[ID_LEN + 1], run[ID_LEN + 1];
};

static void on_message(void *ctx, const struct err *e, const struct store_event_out *out, size_t n)
{
	struct message *m = ctx;

	m->code = e ? e->code : ERR_NONE;
	if (!e) {
		assert_int_equal(n, 1);
		m->outcome = out[0].outcome;
		rig_copy(m->id, sizeof(m->id), out[0].id);
		if (m->event.rules_n > 0) {
			m->decision = out[0].decisions[0].decision;
			rig_copy(m->run, sizeof(m->run), out[0].decisions[0].run);
		}
	}
	if (--*m->left == 0)
		*m->all = true;
}

static void send_one(struct message *m, int64_t truncated)
{
	rig_fill(&m->event, &m->ev, &m->in, m->json, sizeof(m->json));
	struct store_ingest call = {&m->in, 1, STR("rulesethash"), truncated, m->r->limits};
	assert_int_equal(store_ingest(m->r->s, &call, on_message, m, &m->r->e), 0);
}

/* All in one turn of the loop, each a message of its own; then their answers. */
static void send_all(struct rig *r, struct message *v, size_t n)
{
	size_t left = n;
	bool all = false;

	for (size_t i = 0; i < n; i++) {
		v[i].r = r;
		v[i].left = &left;
		v[i].all = &all;
		send_one(&v[i], 0);
	}
	rig_until(r, &all);
}

/* FCALLs so far. */
static long calls(struct rig *r)
{
	redisReply *reply = server_ask(&r->server, "INFO commandstats");
	const char *at = strstr(reply->str, "cmdstat_fcall:calls=");
	long n = at ? strtol(at + strlen("cmdstat_fcall:calls="), NULL, 10) : 0;

	freeReplyObject(reply);
	return n;
}

static void one_turn_is_one_call(void **state)
{
	struct message v[] = {
		{.event = rig_alert("a1", 'f', RIG_T0)},
		{.event = rig_with_rule(rig_alert("a2", 'f', RIG_T0), "disk-full", &rig_step, 1, HOUR)},
		{.event = rig_alert("a1", 'f', RIG_T0)},
		{.event = rig_with_rule(rig_alert("a3", 'f', RIG_T0), "disk-full", &rig_step, 1, HOUR)},
		{.event = {.status = 'i', .corr = "host-a"}},
	};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	long before = calls(&r);
	send_all(&r, v, 5);
	assert_int_equal(calls(&r), before + 1);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(v[i].code, ERR_NONE);
	assert_int_equal(v[0].outcome, STORE_NEW);
	assert_int_equal(v[2].outcome, STORE_DUPLICATE);
	assert_string_equal(v[2].id, v[0].id);
	assert_int_equal(v[1].decision, DECISION_RUN);
	assert_int_equal(strlen(v[1].run), ID_LEN);
	assert_int_equal(v[3].decision, DECISION_COOLDOWN);
	assert_int_equal(v[4].outcome, STORE_NEW);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":bus"), 4);
	rig_stop(&r);
}

/* Each message finds the queue as those before it left it, and a refused one refuses no other. */
static void the_full_one_alone_is_refused(void **state)
{
	struct message v[4] = {0};
	static const char *const fp[] = {"a1", "a2", "a3", "a4"};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 2;
	for (size_t i = 0; i < 4; i++)
		v[i].event = rig_alert(fp[i], 'f', RIG_T0);
	for (size_t i = 0; i < 3; i++)
		v[i].event = rig_with_rule(v[i].event, "disk-full", &rig_step, 1, 0);
	send_all(&r, v, 4);
	assert_int_equal(v[0].code, ERR_NONE);
	assert_int_equal(v[1].code, ERR_NONE);
	assert_int_equal(v[2].code, ERR_FULL);
	assert_int_equal(v[3].code, ERR_NONE);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":queue:default"), 2);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":bus"), 3);
	rig_stop(&r);
}

static void one_that_must_come_whole(void **state)
{
	struct message v[] = {
		{.event = rig_alert("a1", 'f', RIG_T0)},
		{.event = rig_with_rule(rig_alert("a2", 'f', RIG_T0), "disk-full", &rig_step, 1, HOUR)},
	};
	struct message light = {.event = rig_alert("a3", 'f', RIG_T0)};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	light.event.light = true;
	struct message all[] = {v[0], light, v[1]};
	send_all(&r, all, 3);
	assert_int_equal(all[0].code, ERR_NONE);
	assert_int_equal(all[1].code, ERR_CONFLICT);
	assert_int_equal(all[2].decision, DECISION_RUN);
	rig_stop(&r);
}

/* After a refusal the next messages go one by one, for a while. */
static void a_refusal_pauses(void **state)
{
	struct message v[] = {
		{.event = rig_with_rule(rig_alert("a1", 'f', RIG_T0), "disk-full", &rig_step, 1, 0)},
		{.event = rig_with_rule(rig_alert("a2", 'f', RIG_T0), "disk-full", &rig_step, 1, 0)},
	};
	struct message next[] = {{.event = rig_alert("b1", 'f', RIG_T0)}, {.event = rig_alert("b2", 'f', RIG_T0)}};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 1;
	send_all(&r, v, 2);
	assert_int_equal(v[1].code, ERR_FULL);
	long before = calls(&r);
	send_all(&r, next, 2);
	assert_int_equal(calls(&r), before + 2);
	rig_stop(&r);
}

/* More than a call may hold, and messages with other limits, are further calls; none is lost. */
static void what_does_not_go_together(void **state)
{
	struct message *v = calloc(MESSAGES_MAX, sizeof(*v));
	char (*fp)[17] = calloc(MESSAGES_MAX, sizeof(*fp));
	size_t left = 2;
	bool all = false;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < MESSAGES_MAX; i++) {
		snprintf(fp[i], sizeof(fp[i]), "%016x", (unsigned)i);
		v[i].event = rig_alert(fp[i], 'f', RIG_T0);
	}
	long before = calls(&r);
	send_all(&r, v, MESSAGES_MAX);
	assert_int_equal(calls(&r), before + 2);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":bus"), MESSAGES_MAX);

	struct message odd[] = {{.event = rig_alert("x1", 'f', RIG_T0)}, {.event = rig_alert("x2", 'f', RIG_T0)}};
	for (size_t i = 0; i < 2; i++) {
		odd[i].r = &r;
		odd[i].left = &left;
		odd[i].all = &all;
		send_one(&odd[i], i == 0 ? 7 : 0);
	}
	rig_until(&r, &all);
	assert_int_equal(calls(&r), before + 4);
	assert_text(rig_get(&r, STORE_EVENT, odd[1].id), odd[1].id);
	free(v);
	free(fp);
	rig_stop(&r);
}

/* How often Redis was told of an alert. */
static int told(struct rig *r, const char *fingerprint)
{
	redisReply *reply = server_ask(&r->server, "GET " RIG_KEY ":alert:am:%s", fingerprint);
	char state[8], start[32], last[32];
	int n = -1;

	assert_int_equal(reply->type, REDIS_REPLY_STRING);
	assert_int_equal(sscanf(reply->str, "%7s %31s %31s %d", state, start, last, &n), 4);
	freeReplyObject(reply);
	return n;
}

static struct message resend(const char *fingerprint)
{
	struct message m = {.event = rig_alert(fingerprint, 'f', RIG_T0)};

	m.event.light = true;
	return m;
}

/* Those of one turn are one call, whatever came whole is another; each is counted and told its alert's event. */
static void resends_are_one_call_of_their_own(void **state)
{
	struct message first[] = {{.event = rig_alert("a1", 'f', RIG_T0)}, {.event = rig_alert("a2", 'f', RIG_T0)}};
	struct rig r;

	(void)state;
	first[1].event.expires = RIG_T0 + 2 * MINUTE;
	rig_start(&r, true);
	send_all(&r, first, 2);
	struct message v[] = {resend("a1"), resend("a2"), {.event = rig_alert("a3", 'f', RIG_T0)}, resend("a1")};
	v[1].event.expires = RIG_T0 + 4 * MINUTE;
	long before = calls(&r);
	send_all(&r, v, 4);
	assert_int_equal(calls(&r), before + 2);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(v[i].code, ERR_NONE);
		assert_int_equal(v[i].outcome, i == 2 ? STORE_NEW : STORE_DUPLICATE);
	}
	assert_string_equal(v[0].id, first[0].id);
	assert_string_equal(v[1].id, first[1].id);
	assert_string_equal(v[3].id, first[0].id);
	assert_int_equal(told(&r, "a1"), 3);
	assert_int_equal(told(&r, "a2"), 2);
	assert_int_equal(rig_tick(&r).due_in_ms, 4 * MINUTE);
	rig_stop(&r);
}

/* Nobody hears of another one's, nothing is counted twice, and what comes whole goes on together. */
static void a_resend_that_is_none_refuses_no_other(void **state)
{
	struct message first[] = {{.event = rig_alert("a1", 'f', RIG_T0)}, {.event = rig_alert("a2", 'f', RIG_T0)}};
	struct message v[] = {resend("a1"), resend("b9"), resend("a2")}, next[] = {resend("a1"), resend("a2")};
	struct message whole[] = {{.event = rig_alert("c1", 'f', RIG_T0)}, {.event = rig_alert("c2", 'f', RIG_T0)}};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	send_all(&r, first, 2);
	long before = calls(&r);
	send_all(&r, v, 3);
	assert_int_equal(calls(&r), before + 1 + 3);
	assert_int_equal(v[0].outcome, STORE_DUPLICATE);
	assert_int_equal(v[0].code, ERR_NONE);
	assert_string_equal(v[0].id, first[0].id);
	assert_int_equal(v[1].code, ERR_CONFLICT);
	assert_int_equal(v[2].code, ERR_NONE);
	assert_string_equal(v[2].id, first[1].id);
	assert_int_equal(told(&r, "a1"), 2);
	assert_int_equal(told(&r, "a2"), 2);
	before = calls(&r);
	send_all(&r, whole, 2);
	assert_int_equal(calls(&r), before + 1);
	send_all(&r, next, 2);
	assert_int_equal(calls(&r), before + 3);
	rig_stop(&r);
}

#define TURNS 10

/* One message a turn while Redis does nothing: what waits then. */
static void send_while_stopped(struct rig *r, bool light, struct message *v, char (*fp)[17], size_t *left, bool *all)
{
	*left = TURNS;
	*all = false;
	kill(r->server.pid, SIGSTOP);
	for (int i = 0; i < TURNS; i++) {
		snprintf(fp[i], sizeof(fp[i]), "%016x", (unsigned)i);
		v[i] = light ? resend("a1") : (struct message){.event = rig_alert(fp[i], 'f', RIG_T0)};
		v[i].r = r;
		v[i].left = left;
		v[i].all = all;
		send_one(&v[i], 0);
		uv_run(&r->loop, UV_RUN_NOWAIT);
	}
}

/* Two calls are under way, and what comes meanwhile is one more. */
static void while_redis_works(void **state)
{
	struct message v[TURNS];
	char fp[TURNS][17];
	size_t left;
	bool all;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	long before = calls(&r);
	send_while_stopped(&r, false, v, fp, &left, &all);
	assert_int_equal(left, TURNS);
	kill(r.server.pid, SIGCONT);
	rig_until(&r, &all);
	assert_int_equal(calls(&r), before + 3);
	for (int i = 0; i < TURNS; i++)
		assert_int_equal(v[i].outcome, STORE_NEW);
	/* Nothing is under way any more: the next one does not wait. */
	struct message next = {.event = rig_alert("b1", 'f', RIG_T0)};
	send_all(&r, &next, 1);
	assert_int_equal(calls(&r), before + 4);
	rig_stop(&r);
}

static void dies_while_some_wait(bool light)
{
	struct message first = {.event = rig_alert("a1", 'f', RIG_T0)}, v[TURNS];
	char fp[TURNS][17];
	size_t left;
	bool all;
	struct rig r;

	rig_start(&r, true);
	send_all(&r, &first, 1);
	send_while_stopped(&r, light, v, fp, &left, &all);
	kill(r.server.pid, SIGKILL);
	rig_until(&r, &all);
	for (int i = 0; i < TURNS; i++)
		assert_int_equal(v[i].code, ERR_AWAY);
	rig_stop(&r);
}

static void what_waits_when_redis_dies(void **state)
{
	(void)state;
	dies_while_some_wait(false);
	dies_while_some_wait(true);
}

/* A kind does not wait for the other one. */
static void resends_while_redis_works(void **state)
{
	struct message first = {.event = rig_alert("a1", 'f', RIG_T0)}, v[TURNS], whole[TURNS];
	char fp[TURNS][17];
	size_t left, left_whole;
	bool all, all_whole;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	send_all(&r, &first, 1);
	long before = calls(&r);
	send_while_stopped(&r, true, v, fp, &left, &all);
	send_while_stopped(&r, false, whole, fp, &left_whole, &all_whole);
	kill(r.server.pid, SIGCONT);
	rig_until(&r, &all);
	rig_until(&r, &all_whole);
	assert_int_equal(calls(&r), before + 3 + 3);
	for (int i = 0; i < TURNS; i++) {
		assert_int_equal(v[i].code, ERR_NONE);
		assert_string_equal(v[i].id, first.id);
		assert_int_equal(whole[i].outcome, STORE_NEW);
	}
	assert_int_equal(told(&r, "a1"), 1 + TURNS);
	rig_stop(&r);
}

static void closing_ends_what_waits(void **state)
{
	struct message m = {.event = rig_alert("a1", 'f', RIG_T0)};
	size_t left = 1;
	bool all = false, closed = false;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	m.r = &r;
	m.left = &left;
	m.all = &all;
	send_one(&m, 0);
	store_close(r.s, rig_flag, &closed);
	r.s = NULL;
	rig_until(&r, &closed);
	assert_true(all);
	assert_int_equal(m.code, ERR_AWAY);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":bus"), 0);
	rig_stop(&r);
}

/* What a message of the batch says of a deadline or a delivery, those after it know. */
static void deadlines_and_deliveries(void **state)
{
	struct message v[] = {
		{.event = rig_alert("a1", 'f', RIG_T0)},
		{.event = rig_alert("a1", 'f', RIG_T0)},
		{.event = {.status = 'i', .source = "gh", .delivery = "d1"}},
		{.event = {.status = 'i', .source = "gh", .delivery = "d1"}},
		{.event = {.status = 'i', .source = "gl", .delivery = "d1"}},
	};
	struct rig r;

	(void)state;
	v[0].event.expires = RIG_T0 + 2 * MINUTE;
	v[1].event.expires = RIG_T0 + 3 * MINUTE;
	rig_start(&r, true);
	long before = calls(&r);
	send_all(&r, v, 5);
	assert_int_equal(calls(&r), before + 1);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(v[i].code, ERR_NONE);
		assert_int_equal(v[i].outcome, i == 1 || i == 3 ? STORE_DUPLICATE : STORE_NEW);
	}
	assert_string_equal(v[3].id, v[2].id);
	assert_int_equal(rig_tick(&r).due_in_ms, 3 * MINUTE);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_turn_is_one_call),
		cmocka_unit_test(the_full_one_alone_is_refused),
		cmocka_unit_test(one_that_must_come_whole),
		cmocka_unit_test(a_refusal_pauses),
		cmocka_unit_test(what_does_not_go_together),
		cmocka_unit_test(deadlines_and_deliveries),
		cmocka_unit_test(resends_are_one_call_of_their_own),
		cmocka_unit_test(a_resend_that_is_none_refuses_no_other),
		cmocka_unit_test(resends_while_redis_works),
		cmocka_unit_test(while_redis_works),
		cmocka_unit_test(what_waits_when_redis_dies),
		cmocka_unit_test(closing_ends_what_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
