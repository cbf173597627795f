/* The connection: addresses, greeting, what happens when Redis is away, slow, newer, or somebody else's. */
#include "store_rig.h"
#include "store/redis_url.h"
#include "store/redis_impl.h"
#include "store/store_impl.h"

#define A "aaaaaaaaaaaaaaaa"
#define T0 RIG_T0

/* ---- addresses ---- */

static void good_addresses(void **state)
{
	static const struct {
		const char *text, *path, *host, *port, *user, *password, *database, *shown;
	} v[] = {
		{"unix:/run/x/redis.sock", "/run/x/redis.sock", "", "", "", "", "", "unix:/run/x/redis.sock"},
		{"unix:///run/x", "/run/x", "", "", "", "", "", "unix:/run/x"},
		{"redis://db", "", "db", "6379", "", "", "", "redis://db"},
		{"redis://db:1/2", "", "db", "1", "", "", "2", "redis://db:1/2"},
		{"redis://db/", "", "db", "6379", "", "", "", "redis://db"},
		{"redis://[::1]:7000", "", "::1", "7000", "", "", "", "redis://[::1]:7000"},
		{"redis://[::1]", "", "::1", "6379", "", "", "", "redis://[::1]"},
		{"redis://:p%40%3a@db:1", "", "db", "1", "", "p@:", "", "redis://db:1"},
		{"redis://anna:s:e@cr@db", "", "db", "6379", "anna", "s:e@cr", "", "redis://db"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct redis_url u;
		struct err e;
		if (redis_url_parse(&u, str_of(v[i].text), &e))
			fail_msg("%s: %s", v[i].text, e.text);
		assert_str(u.path, v[i].path);
		assert_str(u.host, v[i].host);
		assert_str(u.port, v[i].port);
		assert_str(u.user, v[i].user);
		assert_str(u.password, v[i].password);
		assert_str(u.database, v[i].database);
		assert_str(u.shown, v[i].shown);
		redis_url_release(&u);
	}
}

static void bad_addresses(void **state)
{
	static const char *const v[] = {"", "redis", "redis:", "redis:/", "redis://", "redis://:6379", "http://x", "unix:",
		"unix:x", "redis://db:0x1", "redis://db:65536", "redis://db:", "redis://db/x", "redis://u@db",
		"redis://:%4@db", "redis://:%zz@db", "redis://[::1", "redis://[::1]x", "rediss://db", "sentinel://a:1/b",
		"cluster://a:1", ("unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct redis_url u;
		struct err e = {.code = ERR_NONE};
		if (redis_url_parse(&u, str_of(v[i]), &e) == 0)
			fail_msg("'%s' was taken", v[i]);
		assert_int_equal(e.code, ERR_INPUT);
		redis_url_release(&u);
	}
}

/* ---- a rig without a server that is up from the start ---- */

struct idle {
	struct rig r;
	struct store_options o;
};

static void idle_init(struct idle *t, const char *address)
{
	memset(t, 0, sizeof(*t));
	uv_loop_init(&t->r.loop);
	uv_timer_init(&t->r.loop, &t->r.deadline);
	t->r.limits = (struct store_limits){.occurrence_skew_ms = 5 * MINUTE,
		.reopen_window_ms = 15 * MINUTE, .queue = 100, .queue_ttl_ms = HOUR};
	t->o = (struct store_options){
		.loop = &t->r.loop,
		.address = str_of(address),
		.namespace_ = STR("t"),
		.slow_after_ms = 20000,
		.load_library = true,
		.on_state = rig_on_state,
		.ctx = &t->r,
	};
}

static void until_down(struct rig *r, const char *why)
{
	r->deadline.data = r;
	uv_timer_start(&r->deadline, rig_on_deadline, SERVER_DEADLINE_MS, 0);
	while (r->up || !strstr(r->why.text, why))
		uv_run(&r->loop, UV_RUN_ONCE);
	uv_timer_stop(&r->deadline);
}

static void close_store(struct rig *r)
{
	bool closed = false;

	store_close(r->s, rig_flag, &closed);
	rig_until(r, &closed);
	r->s = NULL;
}

static void idle_release(struct idle *t)
{
	if (t->r.s)
		close_store(&t->r);
	uv_close((uv_handle_t *)&t->r.deadline, NULL);
	uv_run(&t->r.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&t->r.loop), 0);
}

static void open_store(struct idle *t)
{
	t->r.s = store_new(&t->o, &t->r.e);
	assert_non_null(t->r.s);
}

static void nobody_there(void **state)
{
	struct idle t;
	struct rig_event ev = rig_alert(A, 'f', T0);
	struct rig_answer out;

	(void)state;
	idle_init(&t, "unix:/nonexistent/redis.sock");
	open_store(&t);
	until_down(&t.r, "cannot connect to 'unix:/nonexistent/redis.sock': no such file");
	assert_false(store_up(t.r.s));
	assert_int_equal(t.r.downs, 1);
	assert_int_equal(rig_ingest_n(&t.r, &ev, 1, 0, &out), ERR_AWAY);
	assert_has(str_of(t.r.e.text), "no such file");
	assert_string_equal(store_why(t.r.s), t.r.e.text);
	close_store(&t.r);
	/* A name that is none. */
	t.o.address = STR("redis://host.invalid:1");
	open_store(&t);
	until_down(&t.r, "cannot resolve the host of 'redis://host.invalid:1'");
	close_store(&t.r);
	t.o.address = STR("nonsense");
	assert_null(store_new(&t.o, &t.r.e));
	assert_int_equal(t.r.e.code, ERR_INPUT);
	idle_release(&t);
}

/* Closed before anything happened. */
static void closed_at_once(void **state)
{
	struct idle t;

	(void)state;
	idle_init(&t, "redis://localhost:1");
	t.o.blocking = true;
	open_store(&t);
	close_store(&t.r);
	open_store(&t);
	uv_run(&t.r.loop, UV_RUN_NOWAIT);
	idle_release(&t);
}

/* ---- greeting ---- */

static void by_tcp_with_password(void **state)
{
	struct idle t;
	struct server server = {.password = "p@ss word"};
	struct rig_event ev = rig_alert(A, 'f', T0);
	char address[100];

	(void)state;
	server_pick_port(&server);
	server_start(&server);
	snprintf(address, sizeof(address), "redis://:p%%40ss%%20word@127.0.0.1:%s/3", server.port);
	idle_init(&t, address);
	open_store(&t);
	rig_until(&t.r, &t.r.up);
	assert_int_equal(rig_ingest(&t.r, &ev).outcome, STORE_NEW);
	freeReplyObject(server_ask(&server, "SELECT 3"));
	assert_int_equal(server_number(&server, "EXISTS " RIG_KEY ":bus"), 1);
	close_store(&t.r);
	snprintf(address, sizeof(address), "redis://:wrong@127.0.0.1:%s", server.port);
	t.o.address = str_of(address);
	t.r.up = false;
	open_store(&t);
	until_down(&t.r, "refuses us: redis says: WRONGPASS");
	assert_null(strstr(t.r.why.text, "wrong@"));
	close_store(&t.r);
	snprintf(address, sizeof(address), "unix:%s", server.socket);
	t.o.address = str_of(address);
	open_store(&t);
	until_down(&t.r, "NOAUTH");
	idle_release(&t);
	server_stop(&server);
}

static void newer_schema(void **state)
{
	struct idle t;
	struct server server = {.password = NULL};

	(void)state;
	server_start(&server);
	freeReplyObject(server_ask(&server, "HSET " RIG_KEY ":meta schema 2"));
	idle_init(&t, server.address);
	open_store(&t);
	until_down(&t.r, "has schema 2, this program knows schema 1");
	assert_int_equal(t.r.why.code, ERR_VERSION);
	/* Never touched: no library, no key beside that one. */
	assert_int_equal(server_number(&server, "DBSIZE"), 1);
	redisReply *list = server_ask(&server, "FUNCTION LIST");
	assert_int_equal(list->elements, 0);
	freeReplyObject(list);
	idle_release(&t);
	server_stop(&server);
}

static void worker_waits_for_a_bridge(void **state)
{
	struct idle t;
	struct server server = {.password = NULL};
	struct store *worker;

	(void)state;
	server_start(&server);
	idle_init(&t, server.address);
	t.o.load_library = false;
	open_store(&t);
	until_down(&t.r, "waiting for a bridge");
	worker = t.r.s;
	t.o.load_library = true;
	t.o.on_state = NULL;
	t.r.s = store_new(&t.o, &t.r.e);
	rig_until(&t.r, &t.r.up);
	assert_true(store_up(worker));
	close_store(&t.r);
	t.r.s = worker;
	idle_release(&t);
	server_stop(&server);
}

static void older_library(void **state)
{
	struct idle t;
	struct server server = {.password = NULL};

	(void)state;
	server_start(&server);
	freeReplyObject(server_ask(&server, "FUNCTION LOAD %s",
		"#!lua name=runbookd\nredis.register_function{function_name='rb_version_v1', "
		"callback=function() return {0, ''} end, flags={'no-writes'}}"));
	idle_init(&t, server.address);
	open_store(&t);
	rig_until(&t.r, &t.r.up);
	redisReply *v = server_ask(&server, "FCALL rb_version_v1 1 " RIG_KEY);
	assert_int_equal(v->element[0]->integer, store_library_version());
	assert_string_equal(v->element[1]->str, "1");
	freeReplyObject(v);
	/* A newer one stays. */
	close_store(&t.r);
	freeReplyObject(server_ask(&server, "FUNCTION LOAD REPLACE %s",
		"#!lua name=runbookd\nredis.register_function{function_name='rb_version_v1', "
		"callback=function() return {999, '1'} end, flags={'no-writes'}}\n"
		"redis.register_function('rb_open_v1', function() return {999, '1'} end)"));
	t.r.up = false;
	open_store(&t);
	rig_until(&t.r, &t.r.up);
	assert_int_equal(server_number(&server, "EXISTS " RIG_KEY ":bus"), 0);
	v = server_ask(&server, "FCALL rb_version_v1 1 " RIG_KEY);
	assert_int_equal(v->element[0]->integer, 999);
	freeReplyObject(v);
	idle_release(&t);
	server_stop(&server);
}

/* ---- away, slow, gone ---- */

static void restarted(void **state)
{
	struct rig r;
	struct rig_event ev = rig_alert(A, 'f', T0);

	(void)state;
	rig_start(&r, false);
	struct rig_answer a = rig_ingest(&r, &ev);
	server_kill(&r.server);
	until_down(&r, "'");
	struct rig_answer out;
	assert_int_equal(rig_ingest_n(&r, &ev, 1, 0, &out), ERR_AWAY);
	server_run(&r.server);
	rig_until(&r, &r.up);
	struct rig_answer b = rig_ingest(&r, &ev);
	assert_int_equal(b.outcome, STORE_DUPLICATE);
	assert_string_equal(b.id, a.id);
	rig_stop(&r);
}

static void library_lost(void **state)
{
	struct rig r;
	struct rig_event ev = rig_alert(A, 'f', T0);
	struct rig_answer out;

	(void)state;
	rig_start(&r, false);
	freeReplyObject(server_ask(&r.server, "FUNCTION FLUSH"));
	assert_int_equal(rig_ingest_n(&r, &ev, 1, 0, &out), ERR_AWAY);
	rig_until(&r, &r.up);
	assert_int_equal(rig_ingest(&r, &ev).outcome, STORE_NEW);
	rig_stop(&r);
}

static void slow(void **state)
{
	struct idle t;
	struct server server = {.password = NULL};
	struct rig_event ev = rig_alert(A, 'f', T0);
	struct rig_answer out;

	(void)state;
	server_start(&server);
	idle_init(&t, server.address);
	t.o.slow_after_ms = 300;
	open_store(&t);
	rig_until(&t.r, &t.r.up);
	freeReplyObject(server_ask(&server, "CLIENT PAUSE 600000 WRITE"));
	assert_int_equal(rig_ingest_n(&t.r, &ev, 1, 0, &out), ERR_AWAY);
	assert_false(store_up(t.r.s));
	until_down(&t.r, "did not answer within 300 ms");
	freeReplyObject(server_ask(&server, "CLIENT UNPAUSE"));
	/* What was asked while it slept may have been done: asked again, it is there once. */
	do {
		rig_until(&t.r, &t.r.up);
	} while (rig_ingest_n(&t.r, &ev, 1, 0, &out) == ERR_AWAY);
	assert_int_equal(t.r.e.code, ERR_NONE);
	assert_int_equal(server_number(&server, "ZCARD " RIG_KEY ":alerts:firing"), 1);
	idle_release(&t);
	server_stop(&server);
}

/* ---- many calls ---- */

struct many {
	struct rig *r;
	int asked, answered, failed;
	enum err_code code;
	bool all;
};

static void on_many(void *ctx, const struct err *e, const struct store_inbox_entry *v, size_t n)
{
	struct many *m = ctx;

	(void)v, (void)n;
	m->answered++;
	if (e) {
		m->failed++;
		m->code = e->code;
	}
	m->all = m->answered == m->asked;
}

/* Each turn of the loop has work for so long, in which Redis answers what was asked in the turn before. */
#define WORK_NS ((uint64_t)40 * 1000 * 1000)
#define WORK_TURNS 10

static void work(uv_idle_t *idle)
{
	struct many *m = idle->data;
	uint64_t begun = uv_hrtime();

	kill(m->r->server.pid, SIGCONT);
	freeReplyObject(server_ask(&m->r->server, "PING")); /* it had its turn, however busy the machine is */
	while (uv_hrtime() - begun < WORK_NS)
		continue;
	if (m->asked < WORK_TURNS) {
		kill(m->r->server.pid, SIGSTOP);
		assert_int_equal(store_inbox(m->r->s, 1, 1 << 20, STR_NONE, on_many, m, &m->r->e), 0);
		m->asked++;
	}
}

static void redis_is_not_blamed_for_our_work(void **state)
{
	struct rig r;
	struct many m = {.r = &r};
	uv_idle_t busy = {.data = &m};

	(void)state;
	rig_start(&r, false);
	r.s->redis->slow_after_ms = 16; /* less than a turn takes */
	uv_timer_stop(&r.s->redis->watch); /* which still runs for as long as the rig gave Redis */
	uv_idle_init(&r.loop, &busy);
	uv_idle_start(&busy, work);
	while (m.answered < WORK_TURNS)
		uv_run(&r.loop, UV_RUN_ONCE);
	assert_int_equal(m.failed, 0);
	assert_true(store_up(r.s));
	uv_close((uv_handle_t *)&busy, NULL);
	rig_stop(&r);
}

static void one_write_a_turn(void **state)
{
	struct rig r;
	struct many m = {.r = &r};

	(void)state;
	rig_start(&r, false);
	long long before = server_number(&r.server, "EVAL %s 0",
		"return tonumber(string.match(redis.call('INFO','stats'), 'total_reads_processed:(%d+)'))");
	for (; m.asked < 1000; m.asked++)
		assert_int_equal(store_inbox(r.s, 1, 1 << 20, STR_NONE, on_many, &m, &r.e), 0);
	assert_int_equal(m.answered, 0);
	rig_until(&r, &m.all);
	assert_int_equal(m.failed, 0);
	long long after = server_number(&r.server, "EVAL %s 0",
		"return tonumber(string.match(redis.call('INFO','stats'), 'total_reads_processed:(%d+)'))");
	/* 90 KB, which Redis reads in pieces of 16 KB. */
	assert_true(after - before < 20);
	rig_stop(&r);
}

/* More than a socket takes at once: the rest follows. */
static void a_large_write(void **state)
{
	struct rig r;
	char *big = calloc(1, 8 << 20);
	struct str emitted[1];

	(void)state;
	rig_start(&r, false);
	struct rig_event ev = rig_with_rule(rig_alert(A, 'f', T0), "r", &rig_step, 1, 0);
	rig_ingest(&r, &ev);
	struct rig_claimed c = rig_claim(&r);
	memset(big, 'x', (8 << 20) - 1);
	memcpy(big, "{\"a\":\"", 6);
	memcpy(big + (8 << 20) - 3, "\"}", 2);
	emitted[0] = str_of(big);
	struct store_run_change change = {.run = rig_held(&c), .state = STR("succeeded"), .emitted = emitted,
		.emitted_n = 1, .who = STR("w")};
	assert_int_equal(rig_await(&r, store_run_change(r.s, &change, rig_done, &r, &r.e)), ERR_NONE);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":inbox"), 2);
	free(big);
	rig_stop(&r);
}

static void closed_in_flight(void **state)
{
	struct rig r;
	struct many m = {.r = &r, .asked = 10};

	(void)state;
	rig_start(&r, false);
	for (int i = 0; i < 10; i++)
		store_inbox(r.s, 1, 1 << 20, STR_NONE, on_many, &m, &r.e);
	close_store(&r);
	assert_int_equal(m.failed, 10);
	assert_int_equal(m.code, ERR_AWAY);
	rig_stop(&r);
}

static void too_many_in_flight(void **state)
{
	struct rig r;
	struct many m = {.r = &r};

	(void)state;
	rig_start(&r, false);
	r.s->redis->pending_limit = 10;
	while (store_inbox(r.s, 1, 1 << 20, STR_NONE, on_many, &m, &r.e) == 0)
		m.asked++;
	assert_int_equal(m.asked, 10);
	assert_int_equal(r.e.code, ERR_AWAY);
	rig_until(&r, &m.all);
	assert_int_equal(m.failed, 0);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(good_addresses), cmocka_unit_test(bad_addresses), cmocka_unit_test(nobody_there),
	cmocka_unit_test(closed_at_once), cmocka_unit_test(by_tcp_with_password), cmocka_unit_test(newer_schema),
	cmocka_unit_test(worker_waits_for_a_bridge), cmocka_unit_test(older_library), cmocka_unit_test(restarted),
	cmocka_unit_test(library_lost), cmocka_unit_test(slow), cmocka_unit_test(redis_is_not_blamed_for_our_work), cmocka_unit_test(one_write_a_turn),
	cmocka_unit_test(a_large_write), cmocka_unit_test(closed_in_flight), cmocka_unit_test(too_many_in_flight))
