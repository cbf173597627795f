/* Incidents by the labels of their alerts, and the functions that any client may call. */
#include "store_rig.h"
#include "base/json.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define C "cccccccccccccccc"
#define T0 RIG_T0
#define MANY 70000 /* more than a page looks at */

static struct kv pair(const char *name, const char *value)
{
	return (struct kv){str_of(name), str_of(value)};
}

/* A firing alert of an incident of its own key, with these labels. */
static struct rig_answer fire(
	struct rig *r, const char *fp, const char *corr, struct kv *labels, size_t n)
{
	struct rig_event ev = rig_alert(fp, 'f', T0);

	ev.corr = corr;
	ev.labels = labels;
	ev.labels_n = n;
	return rig_ingest(r, &ev);
}

static void resolve(struct rig *r, const char *fp, const char *corr)
{
	struct rig_event ev = rig_alert(fp, 'r', T0);

	ev.corr = corr;
	rig_ingest(r, &ev);
}

/* How many incidents a page of up to 50 has. */
static size_t found(struct rig *r, struct rig_rows *rows, const char *status, bool any,
	const struct kv *labels, size_t n)
{
	struct store_page page = {.limit = 50,
		.status = str_of(status),
		.labels = labels,
		.labels_n = n,
		.any_label = any};

	rig_list(r, STORE_INCIDENTS, &page, rows);
	assert_int_equal(r->e.code, ERR_NONE);
	return rows->n;
}

static struct json *ask_json(struct arena *a, redisReply *reply)
{
	struct err e;

	if (reply->type == REDIS_REPLY_ERROR)
		fail_msg("%s", reply->str);
	struct json *j = json_parse(a, arena_strdup(a, (struct str){reply->str, reply->len}), &e);
	if (!j)
		fail_msg("no JSON: %s: %s", e.text, reply->str);
	freeReplyObject(reply);
	return j;
}

/* server_ask, for what is refused. */
static void assert_refused(struct rig *r, const char *call, const char *part)
{
	redisReply *reply = redisCommand(r->server.raw, call);

	assert_non_null(reply);
	assert_int_equal(reply->type, REDIS_REPLY_ERROR);
	assert_has(str_of(reply->str), part);
	freeReplyObject(reply);
}

static void by_all_and_by_any(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct kv web[] = {pair("instance", "a"), pair("job", "node"), pair("zone", "eu=1 \"x\"")};
	struct kv db[] = {pair("instance", "b"), pair("job", "node")};
	struct kv later[] = {pair("ance", "a"), pair("disk", "sda"), pair("instance", "a")};
	struct kv q[3];

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = fire(&r, A, "k1", web, 3);
	struct rig_answer second = fire(&r, B, "k2", db, 2);
	assert_string_equal(fire(&r, C, "k1", later, 3).incident, first.incident);
	q[0] = pair("job", "node");
	assert_int_equal(found(&r, rows, "", false, q, 1), 2);
	assert_has(str_of(rows->v[0]), second.incident);
	q[1] = pair("instance", "a");
	assert_int_equal(found(&r, rows, "", false, q, 2), 1);
	assert_has(str_of(rows->v[0]), first.incident);
	assert_int_equal(found(&r, rows, "", true, q, 2), 2);
	assert_has(str_of(rows->v[0]), "\"shared\":[\"job=node\"]");
	assert_has(str_of(rows->v[1]), "\"shared\":[\"job=node\",\"instance=a\"]");
	q[2] = pair("zone", "eu=1 \"x\"");
	assert_int_equal(found(&r, rows, "open", false, q, 3), 1);
	assert_int_equal(found(&r, rows, "open", true, q + 2, 1), 1);
	assert_has(str_of(rows->v[0]), "\"shared\":[\"zone=eu=1 \\\"x\\\"\"]");
	q[0] = pair("disk", "sda"); /* of its second alert: no row that a list would show */
	assert_int_equal(found(&r, rows, "", false, q, 2), 0);
	assert_int_equal(found(&r, rows, "", true, q, 1), 1);
	q[0] = pair("ance", "a");
	assert_int_equal(found(&r, rows, "", true, q, 1), 1);
	q[0] = pair("disk", "sdb");
	assert_int_equal(found(&r, rows, "", false, q, 2), 0);
	resolve(&r, B, "k2");
	q[0] = pair("job", "node");
	assert_int_equal(found(&r, rows, "open", false, q, 1), 1);
	assert_int_equal(found(&r, rows, "resolved", false, q, 1), 1);
	assert_has(str_of(rows->v[0]), second.incident);
	assert_int_equal(found(&r, rows, "closed", true, q, 1), 0);
	free(rows);
	rig_stop(&r);
}

/* An alert that comes again, fires again or is only explained files nothing anew. */
static void filed_once(void **state)
{
	struct rig r;
	struct kv labels[] = {pair("instance", "a")};
	struct rig_event ev = rig_alert(A, 'f', T0);
	struct rig_answer out;

	(void)state;
	rig_start(&r, true);
	ev.labels = labels;
	ev.labels_n = 1;
	assert_int_equal(rig_call(&r, RIG_EXPLAIN, &ev, 1, 0, &out), ERR_NONE);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":labels"), 0);
	rig_ingest(&r, &ev);
	rig_ingest(&r, &ev);
	resolve(&r, A, "host-a");
	rig_pass(&r, MINUTE);
	ev.starts += MINUTE;
	rig_ingest(&r, &ev);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":labels"), 1);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":incidents:partly"), 0);
	rig_stop(&r);
}

/* Pages one after the other show each incident once, over more than is looked at together. */
static void pages_of_many(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct kv labels[] = {pair("job", "node"), pair("odd", "no")}, odd = pair("odd", "yes");
	char last[ID_LEN + 1] = "";

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 700; i++) {
		char fp[17];
		snprintf(fp, sizeof(fp), "%016x", (unsigned)i);
		labels[1] = i % 350 == 7 ? odd : pair("odd", "no");
		fire(&r, fp, fp, labels, 2);
		rig_pass(&r, 1);
	}
	for (int any = 0; any < 2; any++) {
		struct store_page page = {
			.limit = 37, .labels = labels, .labels_n = 2, .any_label = any};
		size_t n = 0;
		labels[1] = any ? odd : pair("odd", "no");
		last[0] = '\0';
		do {
			rig_list(&r, STORE_INCIDENTS, &page, rows);
			for (size_t i = 0; i < rows->n; i++, n++) {
				assert_true(last[0] == '\0' || strcmp(rows->cursor[i], last) < 0);
				rig_copy(last, sizeof(last), str_of(rows->cursor[i]));
			}
			page.cursor = str_of(last);
		} while (rows->more);
		assert_int_equal(n, any ? 700 : 698);
	}
	labels[1] = odd;
	assert_int_equal(found(&r, rows, "open", false, labels, 2), 2);
	struct store_page page = {.limit = 50,
		.labels = labels,
		.labels_n = 1,
		.since_ms = T0 + 100,
		.until_ms = T0 + 119};
	rig_list(&r, STORE_INCIDENTS, &page, rows);
	assert_int_equal(rows->n, 20);
	free(rows);
	rig_stop(&r);
}

/* Where an incident is not filed under all it has, a list finds it all the same; it is then the
 * filter that decides. */
static void partly_filed(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct kv many[65], never = pair("x", "/y"); /* that / may be written in two ways */
	char name[65][8], fp[17], corr[300] = "k";

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 65; i++) {
		snprintf(name[i], sizeof(name[i]), "l%02d", i);
		many[i] = pair(name[i], "v");
	}
	struct rig_answer over = fire(&r, A, corr, many, 65);
	fire(&r, B, "k2", many, 64);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:partly"), 1);
	assert_int_equal(server_number(&r.server, "ZLEXCOUNT " RIG_KEY ":labels [l64 [l65"), 0);
	assert_int_equal(found(&r, rows, "", false, &many[64], 1), 1);
	assert_has(str_of(rows->v[0]), over.incident);
	assert_int_equal(found(&r, rows, "", false, many, 64), 2);
	assert_int_equal(found(&r, rows, "resolved", false, many, 1), 0);
	assert_int_equal(found(&r, rows, "", true, &many[64], 1), 0);
	/* Many alerts of one incident, each with a label that only it has. */
	for (int i = 0; i < 200; i++) {
		struct kv own;
		char value[101]; /* its label is 105 bytes, with what is between: 39 of them fit */
		snprintf(value, sizeof(value), "%0100d", i);
		snprintf(fp, sizeof(fp), "%016x", (unsigned)i);
		own = pair("pod", value);
		fire(&r, fp, "k3", &own, 1);
	}
	/* The first alert's, and the others'. */
	assert_int_equal(server_number(&r.server, "ZLEXCOUNT " RIG_KEY ":labels [pod= [poe"), 1);
	assert_int_equal(
		server_number(&r.server, "ZLEXCOUNT " RIG_KEY ":labels:later [pod= [poe"), 38);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:partly"), 2);
	assert_int_equal(found(&r, rows, "", false, &never, 1), 2);
	free(rows);
	rig_stop(&r);
}

static void what_is_not_indexed(void **state)
{
	char value[300];

	(void)state;
	memset(value, 'v', sizeof(value));
	assert_true(store_label_indexed(STR("a"), (struct str){value, 255}));
	assert_false(store_label_indexed(STR("a"), (struct str){value, 256}));
	assert_false(store_label_indexed(STR("a=b"), STR("c")));
	assert_true(store_label_indexed(STR("a"), STR("b=c")));
	assert_false(store_label_indexed(STR("a"), STR("")));
	assert_false(store_label_indexed(STR("a"), STR("x\0y")));
	assert_false(store_label_indexed(STR(""), STR("x")));
}

/* Incidents of bridges and of a library that knew of no labels. */
static void older_ones(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct kv label = pair("instance", "a");
	struct rig_text t;

	(void)state;
	rig_start(&r, true);
	redisReply *old = server_ask(&r.server,
		"FCALL rb_ingest_v2 1 " RIG_KEY " 1 %s 0 h am:%s %s %s key %s %s",
		"300000 900000 100 6 900000 0 0 0 0", A, "f 0 ", "2 0 600000 0 ",
		"\"title\":\"t\",\"key\":{},\"labels\":{\"instance\":\"a\"}}",
		"{\"source\":\"am\"}");
	assert_has(str_of(old->str), "0 ");
	rig_copy(t.text, sizeof(t.text), str_of(strrchr(old->str, ' ') + 1));
	freeReplyObject(old);
	assert_int_equal(found(&r, rows, "", false, &label, 1), 1);
	assert_has(str_of(rows->v[0]), t.text);
	assert_has(str_of(rows->v[0]), "\"title\":\"t\"");
	/* The same where the library was an older one, too. */
	server_number(&r.server, "DEL " RIG_KEY ":incidents:partly");
	assert_int_equal(found(&r, rows, "", false, &label, 1), 0);
	freeReplyObject(server_ask(&r.server, "FCALL rb_open_v1 1 " RIG_KEY));
	assert_int_equal(found(&r, rows, "", false, &label, 1), 0);
	server_number(&r.server, "HDEL " RIG_KEY ":meta labels");
	freeReplyObject(server_ask(&r.server, "FCALL rb_open_v1 1 " RIG_KEY));
	assert_int_equal(found(&r, rows, "", false, &label, 1), 1);
	free(rows);
	rig_stop(&r);
}

/* Nothing of an incident is left when it is forgotten. */
static void forgotten_whole(void **state)
{
	struct rig r;
	struct kv many[65];
	char name[65][8];

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 65; i++) {
		snprintf(name[i], sizeof(name[i]), "l%02d", i);
		many[i] = pair(name[i], "v");
	}
	fire(&r, A, "k1", many, 65);
	resolve(&r, A, "k1");
	rig_pass(&r, 20 * DAY);
	fire(&r, B, "k2", many, 1);
	fire(&r, C, "k2", many + 1, 1);
	resolve(&r, B, "k2");
	resolve(&r, C, "k2");
	rig_pass(&r, 11 * DAY);
	rig_tick(&r);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":labels"), 1);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":labels:later"), 1);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":incidents:partly"), 0);
	rig_pass(&r, 20 * DAY);
	rig_tick(&r);
	redisReply *keys = server_ask(&r.server, "KEYS *");
	for (size_t i = 0; i < keys->elements; i++) {
		const char *key = keys->element[i]->str;
		if (strstr(key, "label") || strstr(key, "incident") || strstr(key, ":alert"))
			fail_msg("%s is left", key);
	}
	freeReplyObject(keys);
	rig_stop(&r);
}

/* Which of its alerts had a label matters to a list, whose rows show those of the first, and to no
 * function for anyone: three incidents, each found by labels of its first alert, of a later one and
 * of both. */
static void first_and_later(void **state)
{
	static const char *const asked[] = {
		"* 0 0 10 instance=a disk=sda", /* of the first and of a later one */
		"* 0 0 10 disk=sda zone=eu",	/* both of later ones */
		"* 0 0 10 instance=a job=node", /* both of the first */
		"resolved 0 0 10 disk=sda job=node",
	};
	struct rig r;
	struct arena a;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct kv first[] = {pair("instance", "a"), pair("job", "node")};
	struct kv later[] = {pair("disk", "sda"), pair("instance", "b")};
	struct kv last[] = {pair("zone", "eu"), pair("disk", "sda")};

	(void)state;
	rig_start(&r, true);
	arena_init(&a, 1 << 20);
	for (int i = 0; i < 3; i++) {
		char fp[3][17], corr[8];

		snprintf(corr, sizeof(corr), "k%d", i);
		for (int k = 0; k < 3; k++)
			snprintf(fp[k], sizeof(fp[k]), "%016x", (unsigned)(16 * i + k));
		fire(&r, fp[0], corr, first, 2);
		fire(&r, fp[1], corr, later, 2);
		fire(&r, fp[2], corr, last, 2);
		for (int k = 0; i == 0 && k < 3; k++)
			resolve(&r, fp[k], corr);
	}
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":labels"), 3 * 2);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":labels:later"), 3 * 3);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		char call[200];

		snprintf(call, sizeof(call), "FCALL_RO rb_incidents 1 " RIG_KEY " %s", asked[i]);
		const struct json *items =
			json_get(ask_json(&a, redisCommand(r.server.raw, call)), "items");
		assert_int_equal(items->count, asked[i][0] == '*' ? 3 : 1);
	}
	assert_int_equal(found(&r, rows, "", false, first, 2), 3);
	assert_int_equal(found(&r, rows, "open", false, first, 2), 2);
	assert_int_equal(found(&r, rows, "resolved", false, first, 2), 1);
	assert_int_equal(found(&r, rows, "", false, later, 2), 0);
	assert_int_equal(found(&r, rows, "", true, later, 2), 3);
	assert_has(str_of(rows->v[2]), "\"shared\":[\"disk=sda\",\"instance=b\"]");
	free(rows);
	arena_release(&a);
	rig_stop(&r);
}

/* What is not there is not looked for for ever: the page is empty, and says where to go on. */
static void a_rare_status_ends(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 10, .status = STR("closed")};
	char cursor[100];
	int pages = 0;

	(void)state;
	rig_start(&r, true);
	freeReplyObject(server_ask(&r.server, "EVAL %s 1 " RIG_KEY ":incidents:done %d",
		"for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], 0, "
		"string.format('01KAPJDTG0%016d', i)) end",
		MANY));
	do {
		rig_list(&r, STORE_INCIDENTS, &page, rows);
		assert_int_equal(r.e.code, ERR_NONE);
		assert_int_equal(rows->n, 0);
		assert_true(!rows->more == (rows->resume[0] == '\0'));
		rig_copy(cursor, sizeof(cursor), str_of(rows->resume));
		page.cursor = str_of(cursor);
		pages++;
	} while (rows->more);
	assert_int_equal(pages, 2);
	free(rows);
	rig_stop(&r);
}

/* store_incident_members knows each plain member of a row. */
static void members_of_a_row(void **state)
{
	struct rig r;
	struct arena a;
	struct err e;

	(void)state;
	rig_start(&r, true);
	arena_init(&a, 1 << 20);
	struct rig_text t = rig_get(&r, STORE_INCIDENT, fire(&r, A, "k1", NULL, 0).incident);
	struct json *j = json_parse(&a, str_of(t.text), &e);
	assert_non_null(j);
	for (const struct json *m = j->child; m; m = m->next) {
		bool known = m->kind == JSON_OBJECT || m->kind == JSON_ARRAY;
		for (const char *const *name = store_incident_members; *name; name++)
			known = known || str_is(m->key, *name);
		if (!known)
			fail_msg("'%.*s' is missing in store_incident_members", STR_ARG(m->key));
	}
	arena_release(&a);
	rig_stop(&r);
}

/* ---- the functions ---- */

static void functions_for_anyone(void **state)
{
	struct rig r;
	struct arena a;
	struct kv web[] = {pair("instance", "web 1"), pair("job", "node")},
		  db[] = {pair("job", "node")};

	(void)state;
	rig_start(&r, true);
	arena_init(&a, 1 << 20);
	struct rig_answer first = fire(&r, A, "k1", web, 2);
	rig_pass(&r, MINUTE);
	struct rig_answer second = fire(&r, B, "k2", db, 1);
	resolve(&r, B, "k2");
	struct json *j =
		ask_json(&a, server_ask(&r.server, "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 0 10"));
	assert_int_equal(json_get(j, "items")->count, 2);
	assert_int_equal(json_get(j, "next")->kind, JSON_NULL);
	j = ask_json(&a,
		server_ask(&r.server, "FCALL_RO rb_incidents 1 " RIG_KEY " open 0 0 10 %s job=node",
			"instance=web 1"));
	assert_int_equal(json_get(j, "items")->count, 1);
	assert_str(json_str(json_get(json_get(j, "items")->child, "id")), first.incident);
	j = ask_json(&a,
		server_ask(&r.server, "FCALL_RO rb_incidents 1 " RIG_KEY " open 0 0 10 %s job=db",
			"instance=web 1"));
	assert_int_equal(json_get(j, "items")->count, 0);
	j = ask_json(&a,
		server_ask(&r.server, "FCALL_RO rb_incidents 1 " RIG_KEY " resolved %lld %lld 10",
			(long long)(T0 + MINUTE), (long long)(T0 + MINUTE)));
	assert_int_equal(json_get(j, "items")->count, 1);
	j = ask_json(&a, server_ask(&r.server, "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 %lld 10",
				 (long long)(T0 + MINUTE - 1)));
	assert_int_equal(json_get(j, "items")->count, 1);
	j = ask_json(&a, server_ask(&r.server, "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 0 1"));
	assert_str(json_str(json_get(j, "next")), second.incident);
	j = ask_json(&a, server_ask(&r.server, "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 %s 1",
				 second.incident));
	assert_str(json_str(json_get(json_get(j, "items")->child, "id")), first.incident);
	assert_int_equal(json_get(j, "next")->kind, JSON_NULL);
	j = ask_json(
		&a, server_ask(&r.server, "FCALL_RO rb_related 1 " RIG_KEY " 0 0 10 %s job=node",
			    "instance=web 1"));
	assert_int_equal(json_get(j, "items")->count, 2);
	assert_int_equal(json_get(json_get(j, "items")->child->next, "shared")->count, 2);
	redisReply *one =
		server_ask(&r.server, "FCALL_RO rb_incident 1 " RIG_KEY " %s", first.incident);
	assert_string_equal(one->str, rig_get(&r, STORE_INCIDENT, first.incident).text);
	freeReplyObject(one);
	arena_release(&a);
	rig_stop(&r);
}

static void functions_refuse(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_refused(&r, "FCALL_RO rb_incidents 1 " RIG_KEY, "STATUS is ''");
	assert_refused(&r, "FCALL_RO rb_incidents 1 " RIG_KEY " firing 0 0 10",
		"want open, resolved, closed or *");
	assert_refused(
		&r, "FCALL_RO rb_incidents 1 " RIG_KEY " * yesterday 0 10", "SINCE is 'yesterday'");
	assert_refused(&r, "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 -1 10", "UNTIL is '-1'");
	char huge[400], ask[600];
	snprintf(huge, sizeof(huge), "%0310d", 7);
	huge[0] = '9';
	snprintf(ask, sizeof(ask), "FCALL_RO rb_incidents 1 " RIG_KEY " * %s 0 10", huge);
	assert_refused(&r, ask, "; want a time in ms");
	snprintf(ask, sizeof(ask), "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 %s 10", huge);
	assert_refused(&r, ask, "; want a time in ms");
	assert_refused(&r, "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 0 0", "from 1 to 1000");
	assert_refused(&r, "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 0 1001", "from 1 to 1000");
	assert_refused(&r, "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 0 1.5", "from 1 to 1000");
	assert_refused(&r, "FCALL_RO rb_incidents 1 " RIG_KEY " * 0 0 10 job", "'job' is no label");
	assert_refused(&r,
		"FCALL_RO rb_incidents 1 " RIG_KEY
		" * 0 0 10 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 a=1 "
		"a=1 a=1 a=1 a=1 a=1 a=1",
		"more than 16 labels");
	assert_refused(&r, "FCALL_RO rb_related 1 " RIG_KEY " 0 0 10", "at least one");
	assert_refused(&r, "FCALL_RO rb_related 1 " RIG_KEY " 0 0 10 job=", "'job=' is no label");
	assert_refused(
		&r, "FCALL_RO rb_incident 1 " RIG_KEY " x", "NOTFOUND there is no incident 'x'");
	assert_refused(
		&r, "FCALL_RO rb_incident 1 " RIG_KEY " 01KAPJDTG00000000000000000", "NOTFOUND");
	assert_refused(&r, "FCALL_RO rb_alert 1 " RIG_KEY " am x",
		"NOTFOUND there is no alert 'x' of source 'am'");
	rig_stop(&r);
}

/* rb_alert says what the list says. */
static void an_alert(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50};
	struct rig_event ev[] = {
		rig_alert(A, 'f', T0), rig_alert(B, 'f', T0), rig_alert(C, 'f', T0)};
	struct rig_answer out[3];

	(void)state;
	rig_start(&r, true);
	ev[1].expires = T0 + HOUR;
	assert_int_equal(rig_ingest_n(&r, ev, 3, 0, out), ERR_NONE);
	resolve(&r, C, "host-a");
	rig_list(&r, STORE_ALERTS, &page, rows);
	assert_int_equal(rows->n, 3);
	for (size_t i = 0; i < 3; i++) {
		redisReply *one = server_ask(&r.server, "FCALL_RO rb_alert 1 " RIG_KEY " am %s",
			strchr(rows->cursor[i], ':') + 1);
		assert_string_equal(one->str, rows->v[i]);
		freeReplyObject(one);
	}
	/* Texts and nestings that could be taken for others. */
	redisReply *raw = server_ask(&r.server,
		"FCALL rb_ingest_v2 1 " RIG_KEY " 1 %s 0 h am:%s %s %s key %s %s",
		"300000 900000 100 6 900000 0 0 0 0", "dddddddddddddddd", "f 0 ", "2 0 600000 0 ",
		"+{\"title\":\"t\"",
		"{\"source\":\"am\",\"fingerprint\":\"d\",\"summary\":\"a \\\"}],{ "
		"\\\\\",\"labels\":{},\"annotations\":{\"a\":\"]}\"},"
		"\"data\":{\"n\":1.50,\"list\":[[],{}],\"summary\":\"no\"}}");
	assert_int_equal(raw->type, REDIS_REPLY_STRING);
	freeReplyObject(raw);
	raw = server_ask(&r.server, "FCALL_RO rb_alert 1 " RIG_KEY " am dddddddddddddddd");
	assert_has(str_of(raw->str),
		"\"summary\":\"a \\\"}],{ "
		"\\\\\",\"labels\":{},\"annotations\":{\"a\":\"]}\"},\"links\":null,");
	assert_has(str_of(raw->str), "\"data\":{\"n\":1.50,\"list\":[[],{}],\"summary\":\"no\"}}");
	freeReplyObject(raw);
	free(rows);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(by_all_and_by_any), cmocka_unit_test(filed_once),
	cmocka_unit_test(pages_of_many), cmocka_unit_test(partly_filed),
	cmocka_unit_test(what_is_not_indexed), cmocka_unit_test(older_ones),
	cmocka_unit_test(forgotten_whole), cmocka_unit_test(first_and_later),
	cmocka_unit_test(a_rare_status_ends), cmocka_unit_test(members_of_a_row),
	cmocka_unit_test(functions_for_anyone), cmocka_unit_test(functions_refuse),
	cmocka_unit_test(an_alert))
