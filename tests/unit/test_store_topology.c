/* Roots and their symptoms, and what changed before an incident: in whatever order it comes in. */
#include "store_rig.h"

#define T0 RIG_T0
#define WINDOW (5 * MINUTE) /* 37-topology.lua */

static const struct str up[] = {{"udb:1", 5}}, down[] = {{"ddb:1", 5}}, other_up[] = {{"udb:2", 5}};
static const struct str middle[] = {{"dnet:1", 6}, {"udb:1", 5}}, net[] = {{"unet:1", 6}},
			low[] = {{"ddb:1", 5}, {"dnet:1", 6}};

/* A new alert in an incident of its own; returns the incident. */
static struct rig_event alert_of(const char *name, const struct str *topology, size_t n)
{
	static char fp[64][17];
	static unsigned i;
	char *id = fp[i % 64];

	snprintf(id, 17, "%016x", i++);
	struct rig_event ev = rig_alert(id, 'f', T0);
	ev.corr = name;
	ev.topology = topology;
	ev.topology_n = n;
	return ev;
}

static struct rig_answer fire(struct rig *r, struct rig_event ev)
{
	return rig_ingest(r, &ev);
}

static bool is_symptom_of(struct rig *r, const char *symptom, const char *root)
{
	char want[80];

	snprintf(want, sizeof(want), "\"symptom_of\":\"%s\"", root);
	return strstr(rig_get(r, STORE_INCIDENT, symptom).text, want) != NULL;
}

static bool is_root_of(struct rig *r, const char *root, const char *symptom)
{
	struct rig_text t = rig_get(r, STORE_INCIDENT, root);
	const char *list = strstr(t.text, "\"root_of\":[");
	const char *found = list ? strstr(list, symptom) : NULL;

	return strstr(t.text, "\"root\":true") && found && found < strchr(list, ']');
}

/* An alert of each, the first one earlier by `gap`. */
static void pair(struct rig *r, const struct str *first, const struct str *second, int64_t gap,
	struct rig_answer *a, struct rig_answer *b)
{
	*a = fire(r, alert_of("first", first, 1));
	rig_pass(r, gap);
	*b = fire(r, alert_of("second", second, 1));
	assert_string_not_equal(a->incident, b->incident);
}

static void the_cause_first(void **state)
{
	struct rig r;
	struct rig_answer root, symptom;

	(void)state;
	rig_start(&r, true);
	pair(&r, up, down, HOUR, &root, &symptom);
	assert_true(is_symptom_of(&r, symptom.incident, root.incident));
	assert_true(is_root_of(&r, root.incident, symptom.incident));
	struct rig_text t = rig_get(&r, STORE_INCIDENT, root.incident);
	assert_text(t, "\"symptom_of\":null");
	/* Both timelines say so, after what came in. */
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	assert_non_null(rows);
	rig_list(&r, STORE_TIMELINE,
		&(struct store_page){.id = str_of(symptom.incident), .limit = 10}, rows);
	assert_int_equal(rows->n, 2);
	assert_has(str_of(rows->v[1]), "\"kind\":\"topology\"");
	assert_has(str_of(rows->v[1]), "\"node\":\"db\"");
	rig_list(&r, STORE_TIMELINE, &(struct store_page){.id = str_of(root.incident), .limit = 10},
		rows);
	assert_int_equal(rows->n, 2);
	assert_has(str_of(rows->v[1]), symptom.incident);
	free(rows);
	rig_stop(&r);
}

static void the_symptom_first(void **state)
{
	struct rig r;
	struct rig_answer root, symptom;

	(void)state;
	for (int late = 0; late <= 1; late++) {
		rig_start(&r, true);
		pair(&r, down, up, WINDOW + late, &symptom, &root);
		assert_int_equal(is_symptom_of(&r, symptom.incident, root.incident), !late);
		rig_stop(&r);
	}
}

static void what_has_nothing_to_do_with_it(void **state)
{
	struct rig r;
	struct rig_answer a, b;

	(void)state;
	rig_start(&r, true);
	pair(&r, other_up, down, 0, &a, &b);
	struct rig_text t = rig_get(&r, STORE_INCIDENT, b.incident);
	assert_text(t, "\"root\":false,\"symptom_of\":null,\"root_of\":[]");
	/* Two ends in one incident are no root and no symptom. */
	struct rig_event ev = alert_of("second", up, 1);
	assert_string_equal(fire(&r, ev).incident, b.incident);
	t = rig_get(&r, STORE_INCIDENT, b.incident);
	assert_text(t, "\"root\":false,\"symptom_of\":null");
	rig_stop(&r);
}

static void in_one_call(void **state)
{
	struct rig_event ev[] = {
		alert_of("one", down, 1), alert_of("root", up, 1), alert_of("two", down, 1)};
	struct rig_answer a[3];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(rig_ingest_n(&r, ev, 3, 0, a), ERR_NONE);
	assert_true(is_symptom_of(&r, a[0].incident, a[1].incident));
	assert_true(is_symptom_of(&r, a[2].incident, a[1].incident));
	rig_stop(&r);
}

/* net <- db <- client: whatever comes last, net is the root of both. */
static void a_root_that_is_a_symptom(void **state)
{
	static const int orders[][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct rig_answer a[3];
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		rig_start(&r, true);
		for (int k = 0; k < 3; k++) {
			int which = orders[i][k];
			a[which] = fire(&r, which == 0	 ? alert_of("net", net, 1)
					    : which == 1 ? alert_of("db", middle, 2)
							 : alert_of("client", low, 2));
			rig_pass(&r, SECOND);
		}
		assert_true(is_symptom_of(&r, a[1].incident, a[0].incident));
		assert_true(is_symptom_of(&r, a[2].incident, a[0].incident));
		assert_true(is_root_of(&r, a[0].incident, a[2].incident));
		assert_text(rig_get(&r, STORE_INCIDENT, a[1].incident), "\"root\":false");
		rig_stop(&r);
	}
}

static void the_root_resolves_first(void **state)
{
	struct rig r;
	struct rig_answer root, symptom;

	(void)state;
	for (int late = 0; late <= 1; late++) {
		rig_start(&r, true);
		struct rig_event cause = alert_of("first", up, 1), ev = alert_of("second", down, 1);
		root = fire(&r, cause);
		symptom = fire(&r, ev);
		rig_pass(&r, SECOND);
		cause.status = 'r';
		cause.topology_n = 0;
		fire(&r, cause);
		assert_true(is_symptom_of(&r, symptom.incident, root.incident));
		/* A further one still finds it for a while; then another cause may be found. */
		rig_pass(&r, WINDOW + late);
		struct rig_answer next = fire(&r, alert_of("third", down, 1));
		assert_int_equal(is_symptom_of(&r, next.incident, root.incident), !late);
		struct rig_answer other = fire(&r, alert_of("fourth", up, 1));
		struct rig_event again = alert_of("second", down, 1);
		fire(&r, again);
		assert_true(
			is_symptom_of(&r, symptom.incident, late ? other.incident : root.incident));
		rig_stop(&r);
	}
}

static void on_told(void *ctx, const struct err *e, struct str text)
{
	(void)text;
	rig_done(ctx, e);
}

static void merge(struct rig *r, const char *id, const char *into)
{
	struct store_act act = {.what = STORE_MERGE,
		.incident = str_of(id),
		.who = STR("ann"),
		.text = STR("the same"),
		.into = str_of(into)};

	assert_int_equal(rig_await(r, store_incident_act(r->s, &act, on_told, r, &r->e)), ERR_NONE);
}

/* Who takes an incident in takes its place. */
static void merged_incidents(void **state)
{
	struct rig_answer a, b, c;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_event ev = alert_of("shop", down, 1);
	struct kv label = {STR("service"), STR("shop")};
	ev.labels = &label;
	ev.labels_n = 1;
	fire(&r, (struct rig_event){.status = 'i', .change = "{\"service\":\"shop\"}"});
	a = fire(&r, alert_of("db", up, 1));
	b = fire(&r, ev);
	c = fire(&r, alert_of("plain", NULL, 0));
	merge(&r, a.incident, c.incident);
	assert_true(is_symptom_of(&r, b.incident, c.incident));
	assert_true(is_root_of(&r, c.incident, b.incident));
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"root\":false");
	/* The symptom into its root: what changed before it goes along. */
	merge(&r, b.incident, c.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, c.incident), "\"root\":false,\"symptom_of\":null");
	assert_text(rig_get(&r, STORE_INCIDENT, c.incident), "\"what_changed\":[{");
	/* What comes now finds the one that is left. */
	a = fire(&r, alert_of("more", down, 1));
	assert_true(is_symptom_of(&r, a.incident, c.incident));
	rig_stop(&r);
}

static struct rig_event with_only_root(struct rig_event ev)
{
	ev = rig_with_rule(ev, "fix", &rig_step, 1, 0);
	ev.rules[0].only_root = true;
	return ev;
}

static void rules_for_roots_alone(void **state)
{
	struct rig_answer a, explained;
	struct rig r;
	char want[128];

	(void)state;
	rig_start(&r, true);
	struct rig_event cause = with_only_root(alert_of("first", up, 1));
	struct rig_answer root = fire(&r, cause);
	assert_int_equal(root.d[0].decision, DECISION_RUN);
	struct rig_event ev = with_only_root(alert_of("second", down, 1));
	assert_int_equal(rig_call(&r, RIG_EXPLAIN, &ev, 1, 0, &explained), ERR_NONE);
	a = fire(&r, ev);
	assert_int_equal(a.d[0].decision, DECISION_PAUSED);
	assert_int_equal(explained.d[0].decision, DECISION_PAUSED);
	snprintf(want, sizeof(want),
		"its incident is a symptom of incident %s, and the rule says only: root",
		root.incident);
	assert_string_equal(a.d[0].reason, want);
	assert_string_equal(explained.d[0].reason, want);
	/* Also what waited while the cause came in. */
	struct rig_event early = with_only_root(alert_of("third", other_up, 0));
	early.rules[0].for_ms = MINUTE;
	struct str waits[] = {{"ddb:3", 5}}, comes[] = {{"udb:3", 5}};
	early.topology = waits;
	early.topology_n = 1;
	assert_int_equal(fire(&r, early).d[0].decision, DECISION_PENDING);
	fire(&r, alert_of("fourth", comes, 1));
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_string_equal(rig_late_rule, "fix");
	assert_int_equal(rig_late_decision, DECISION_PAUSED);
	/* When the root has been over for a while, it explains nothing any more. */
	cause.status = 'r';
	cause.rules_n = 0;
	cause.topology_n = 0;
	fire(&r, cause);
	rig_pass(&r, WINDOW);
	assert_int_equal(fire(&r, with_only_root(alert_of("second", NULL, 0))).d[0].decision,
		DECISION_PAUSED);
	rig_pass(&r, 1);
	assert_int_equal(
		fire(&r, with_only_root(alert_of("second", NULL, 0))).d[0].decision, DECISION_RUN);
	rig_stop(&r);
}

/* Keys of this incident, or that name it; not those that free themselves. */
static long long keys_with(struct rig *r, const char *id)
{
	char script[400];

	snprintf(script, sizeof(script),
		"local n = 0 for _, k in ipairs(redis.call('KEYS', '*')) do if redis.call('PTTL', "
		"k) < 0 and "
		"(string.find(k, '%s', 1, true) or redis.call('TYPE', k).ok == 'zset' and "
		"redis.call('ZSCORE', k, '%s') or redis.call('TYPE', k).ok == "
		"'hash' and redis.call('HEXISTS', k, '%s') == 1) then n = n + 1 end end return n",
		id, id, id);
	return server_number(&r->server, "EVAL %s 0", script);
}

static void all_of_it_is_forgotten(void **state)
{
	struct rig_answer root, symptom;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_event cause = alert_of("first", up, 1), ev = alert_of("second", down, 1);
	struct rig_event change = {.status = 'i', .change = "{\"service\":\"shop\"}"};
	struct kv label = {STR("service"), STR("shop")};
	ev.labels = &label;
	ev.labels_n = 1;
	fire(&r, change);
	root = fire(&r, cause);
	symptom = fire(&r, ev);
	assert_true(is_symptom_of(&r, symptom.incident, root.incident));
	assert_text(rig_get(&r, STORE_INCIDENT, symptom.incident), "\"what_changed\":[{\"event\"");
	assert_true(keys_with(&r, root.incident) > 5);
	cause.status = ev.status = 'r';
	cause.topology_n = ev.topology_n = 0;
	fire(&r, cause);
	fire(&r, ev);
	rig_pass(&r, 31 * DAY);
	while (rig_tick(&r).trimmed > 0)
		;
	assert_int_equal(keys_with(&r, root.incident), 0);
	assert_int_equal(keys_with(&r, symptom.incident), 0);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":changes"), 0);
	rig_stop(&r);
}

#define NODES 9

/* Nodes of which each depends on some before it, and all on the first one, by whatever way. */
struct web {
	struct str words[NODES][NODES + 1];
	size_t words_n[NODES];
	char text[NODES][2][16];
	int order[NODES];
};

static unsigned chance(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % n;
}

static void make_web(struct web *w, unsigned *seed)
{
	bool needs[NODES][NODES] = {{false}};

	for (int i = 0; i < NODES; i++) {
		snprintf(w->text[i][0], sizeof(w->text[i][0]), "un%d:1", i);
		snprintf(w->text[i][1], sizeof(w->text[i][1]), "dn%d:1", i);
		for (int k = 0; k < i; k++) {
			needs[i][k] = needs[i][k] || k == 0 || chance(seed, 3) == 0;
			for (int m = 0; m < k && needs[i][k]; m++)
				needs[i][m] = needs[i][m] || needs[k][m];
		}
		w->words_n[i] = 0;
		w->words[i][w->words_n[i]++] = str_of(w->text[i][0]);
		for (int k = 0; k < i; k++)
			if (needs[i][k])
				w->words[i][w->words_n[i]++] = str_of(w->text[k][1]);
	}
}

static void shuffle(int *order, unsigned *seed)
{
	for (int i = 0; i < NODES; i++)
		order[i] = i;
	for (int i = NODES - 1; i > 0; i--) {
		int k = (int)chance(seed, (unsigned)i + 1), was = order[i];
		order[i] = order[k];
		order[k] = was;
	}
}

static void play_web(const struct web *w, int round)
{
	char incident[NODES][ID_LEN + 1], name[16];
	struct rig r;

	rig_start(&r, true);
	for (int i = 0; i < NODES; i++) {
		int which = w->order[i];
		snprintf(name, sizeof(name), "n%d", which);
		struct rig_answer a = fire(&r, alert_of(name, w->words[which], w->words_n[which]));
		memcpy(incident[which], a.incident, sizeof(a.incident));
		rig_pass(&r, SECOND);
	}
	for (int i = 1; i < NODES; i++) {
		if (!is_symptom_of(&r, incident[i], incident[0]))
			fail_msg("round %d: n%d is no symptom of n0", round, i);
		assert_true(is_root_of(&r, incident[0], incident[i]));
	}
	assert_text(rig_get(&r, STORE_INCIDENT, incident[0]), "\"symptom_of\":null");
	rig_stop(&r);
}

static void any_order_has_the_same_root(void **state)
{
	unsigned seed = 5;
	struct web w;

	(void)state;
	for (int round = 0; round < 12; round++) {
		make_web(&w, &seed);
		shuffle(w.order, &seed);
		play_web(&w, round);
	}
}

/* Symptoms of one root, those that wait for one, and roots of one KEY. */
static void relations_have_limits(void **state)
{
	struct rig_answer first = {0}, last = {0}, root;
	struct rig r;
	char name[24];

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 1002; i++) {
		snprintf(name, sizeof(name), "symptom-%d", i);
		last = fire(&r, alert_of(name, down, 1));
		first = i == 0 ? last : first;
		rig_pass(&r, 1);
	}
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":topology:down:db:1"), 1000);
	root = fire(&r, alert_of("root", up, 1));
	assert_int_equal(
		server_number(&r.server, "ZCARD " RIG_KEY ":incident:%s:symptoms", root.incident),
		1000);
	assert_true(is_symptom_of(&r, last.incident, root.incident));
	assert_false(is_symptom_of(&r, first.incident, root.incident));
	/* There is no room for another one. */
	last = fire(&r, alert_of("more", down, 1));
	assert_false(is_symptom_of(&r, last.incident, root.incident));
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "root-%d", i);
		fire(&r, alert_of(name, up, 1));
	}
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":topology:up:db:1"), 16);
	rig_stop(&r);
}

/* More than one command of Lua may name at once: none of it is written in part. */
static void many_roots_in_one_call(void **state)
{
	enum { ROOTS = 6, EACH = 700 };
	static char keys[ROOTS][2][8];
	static struct str words[ROOTS][2];
	struct rig_event ev[ROOTS];
	struct rig_answer a[ROOTS];
	struct rig r;
	char name[24];

	(void)state;
	rig_start(&r, true);
	for (int k = 0; k < ROOTS; k++) {
		for (int side = 0; side < 2; side++) {
			snprintf(keys[k][side], sizeof(keys[k][side]), "%csw%d", "du"[side], k);
			words[k][side] = str_of(keys[k][side]);
		}
		for (int i = 0; i < EACH; i++) {
			snprintf(name, sizeof(name), "host-%d-%d", k, i);
			fire(&r, alert_of(name, &words[k][0], 1));
		}
	}
	for (int k = 0; k < ROOTS; k++)
		ev[k] = alert_of(keys[k][1], &words[k][1], 1);
	assert_int_equal(rig_ingest_n(&r, ev, ROOTS, 0, a), ERR_NONE);
	assert_int_equal(server_number(&r.server, "HLEN " RIG_KEY ":symptoms"), ROOTS * EACH);
	for (int k = 0; k < ROOTS; k++)
		assert_int_equal(server_number(&r.server,
					 "ZCARD " RIG_KEY ":incident:%s:symptoms", a[k].incident),
			EACH);
	rig_stop(&r);
}

/* A root that took over those of others is forgotten, however many they are. */
static void many_symptoms_are_forgotten(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = fire(&r, alert_of("root", up, 1));
	freeReplyObject(server_ask(&r.server, "EVAL %s 0 %s",
		"for i = 1, 9000 do redis.call('ZADD', '" RIG_KEY
		":incident:' .. ARGV[1] .. ':symptoms', 1, 'S' .. i) "
		"redis.call('HSET', '" RIG_KEY ":symptoms', 'S' .. i, ARGV[1]) end",
		a.incident));
	rig_time(&r, r.now + 2 * DAY); /* counts as resolved */
	rig_tick(&r);
	rig_time(&r, r.now + 31 * DAY);
	rig_tick(&r);
	rig_tick(&r);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":incident:%s", a.incident), 0);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":symptoms"), 0);
	rig_stop(&r);
}

/* ---- changes ---- */

static struct rig_event deploy(int64_t time, const char *labels)
{
	return (struct rig_event){.status = 'i', .time = time, .change = labels};
}

static struct rig_event labelled(const char *corr, struct kv *labels, size_t n)
{
	struct rig_event ev = alert_of(corr, NULL, 0);

	ev.labels = labels;
	ev.labels_n = n;
	return ev;
}

/* How many changes the incident shows. */
static size_t changed(struct rig *r, const char *incident)
{
	struct rig_text t = rig_get(r, STORE_INCIDENT, incident);
	const char *at = strstr(t.text, "\"what_changed\":[");
	size_t n = 0;

	assert_non_null(at);
	while ((at = strstr(at, "{\"event\":")) != NULL) {
		n++;
		at++;
	}
	return n;
}

static struct kv shop[] = {{{"cluster", 7}, {"eu", 2}}, {{"service", 7}, {"shop", 4}}};

static void changes_that_share_labels(void **state)
{
	static const struct {
		const char *labels;
		size_t n;
	} cases[] = {
		{"{\"service\":\"shop\"}", 1},
		{"{\"service\":\"shop\",\"cluster\":\"eu\"}", 1},
		{"{\"service\":\"shop\",\"version\":\"2\"}", 1},
		{"{\"service\":\"shop\",\"cluster\":\"us\"}", 0},
		{"{\"service\":\"sho\"}", 0},
		{"{\"service\":\"shops\"}", 0},
		{"{\"ervice\":\"shop\"}", 0},
		{"{\"version\":\"2\"}", 0},
		{"{}", 0},
	};
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* The change first, and the change told late. */
		for (int late = 0; late <= 1; late++) {
			rig_start(&r, true);
			struct rig_answer a;
			if (!late)
				fire(&r, deploy(0, cases[i].labels));
			rig_pass(&r, MINUTE);
			a = fire(&r, labelled("shop", shop, 2));
			rig_pass(&r, MINUTE);
			if (late)
				fire(&r, deploy(T0, cases[i].labels));
			assert_int_equal(changed(&r, a.incident), cases[i].n);
			rig_stop(&r);
		}
	}
}

static void changes_nearest_first(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	fire(&r, deploy(0, "{\"service\":\"shop\",\"version\":\"1\"}"));
	rig_pass(&r, 2 * MINUTE);
	fire(&r, deploy(T0 + MINUTE, "{\"service\":\"shop\",\"version\":\"2\"}"));
	fire(&r, deploy(0, "{\"service\":\"shop\",\"version\":\"3\"}"));
	struct rig_answer a = fire(&r, labelled("shop", shop, 2));
	assert_int_equal(changed(&r, a.incident), 3);
	struct rig_text t = rig_get(&r, STORE_INCIDENT, a.incident);
	char *one = strstr(t.text, "\"version\":\"1\""), *two = strstr(t.text, "\"version\":\"2\""),
	     *three = strstr(t.text, "\"version\":\"3\"");
	assert_true(three < two && two < one);
	assert_text(
		t, "\"time\":\"2025-11-22T20:01:00.000Z\",\"type\":\"deploy\",\"source\":\"ci\"");
	/* A second alert does not show them twice; nor does the timeline. */
	fire(&r, labelled("shop", shop, 2));
	assert_int_equal(changed(&r, a.incident), 3);
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	assert_non_null(rows);
	rig_list(&r, STORE_TIMELINE, &(struct store_page){.id = str_of(a.incident), .limit = 10},
		rows);
	assert_int_equal(rows->n, 5);
	free(rows);
	rig_stop(&r);
}

static void changes_within_an_hour(void **state)
{
	struct rig r;

	(void)state;
	for (int late = 0; late <= 1; late++) {
		rig_start(&r, true);
		fire(&r, deploy(0, "{\"service\":\"shop\"}"));
		rig_pass(&r, HOUR - 1 + late);
		assert_int_equal(changed(&r, fire(&r, labelled("shop", shop, 2)).incident), !late);
		rig_stop(&r);
	}
	/* It came after the incident opened: no cause of it, however it is told. */
	rig_start(&r, true);
	struct rig_answer a = fire(&r, labelled("shop", shop, 2));
	rig_pass(&r, MINUTE);
	fire(&r, deploy(0, "{\"service\":\"shop\"}"));
	fire(&r, deploy(T0 + HOUR, "{\"service\":\"shop\"}"));
	assert_int_equal(changed(&r, a.incident), 0);
	fire(&r, deploy(T0 - HOUR + MINUTE, "{\"service\":\"shop\"}"));
	assert_int_equal(changed(&r, a.incident), 0);
	fire(&r, deploy(T0 - HOUR + MINUTE + 1, "{\"service\":\"shop\"}"));
	assert_int_equal(changed(&r, a.incident), 1);
	rig_stop(&r);
}

static void changes_in_one_call(void **state)
{
	struct rig_event ev[] = {labelled("shop", shop, 2),
		deploy(T0 - MINUTE, "{\"service\":\"shop\",\"version\":\"1\"}"),
		deploy(T0 - SECOND, "{\"service\":\"cart\"}"), labelled("cart", NULL, 0)};
	struct kv cart = {STR("service"), STR("cart")};
	struct rig_answer a[4];
	struct rig r;

	(void)state;
	ev[3].labels = &cart;
	ev[3].labels_n = 1;
	rig_start(&r, true);
	assert_int_equal(rig_ingest_n(&r, ev, 4, 0, a), ERR_NONE);
	assert_int_equal(changed(&r, a[0].incident), 1);
	assert_int_equal(changed(&r, a[3].incident), 1);
	rig_stop(&r);
}

/* A label that a later alert brings counts, too. */
static void changes_of_a_later_alert(void **state)
{
	struct kv cart = {STR("service"), STR("cart")};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	fire(&r, deploy(0, "{\"service\":\"shop\"}"));
	struct rig_answer a = fire(&r, labelled("eu", &cart, 1));
	assert_int_equal(changed(&r, a.incident), 0);
	fire(&r, labelled("eu", shop, 2));
	assert_int_equal(changed(&r, a.incident), 1);
	rig_stop(&r);
}

/* What an incident is filed under counts, also where that is not all that it has. */
static void changes_of_one_that_is_filed_in_part(void **state)
{
	struct kv many[65];
	char name[65][8];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	many[0] = shop[1];
	for (int i = 1; i < 65; i++) {
		snprintf(name[i], sizeof(name[i]), "l%02d", i);
		many[i] = (struct kv){str_of(name[i]), STR("v")};
	}
	rig_pass(&r, MINUTE);
	struct rig_answer a = fire(&r, labelled("shop", many, 65));
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:partly"), 1);
	fire(&r, deploy(T0, "{\"service\":\"shop\"}"));
	fire(&r, deploy(T0, "{\"service\":\"cart\"}"));
	assert_int_equal(changed(&r, a.incident), 1);
	/* One that was merged brings its labels along. */
	struct rig_answer other = fire(&r, labelled("cart", shop, 2));
	merge(&r, a.incident, other.incident);
	fire(&r, deploy(T0, "{\"l01\":\"v\",\"version\":\"2\"}"));
	assert_int_equal(changed(&r, other.incident), 2);
	rig_stop(&r);
}

static void changes_have_limits(void **state)
{
	struct rig r;
	char labels[64];

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 257; i++) {
		snprintf(labels, sizeof(labels), "{\"service\":\"%s\",\"n\":\"%d\"}",
			i < 200 ? "cart" : "shop", i);
		fire(&r, deploy(T0 - 10 * MINUTE + i, labels));
	}
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":changes"), 256);
	struct rig_answer a = fire(&r, labelled("shop", shop, 2));
	char key[100];
	snprintf(key, sizeof(key), RIG_KEY ":incident:%s:changes", a.incident);
	assert_int_equal(server_number(&r.server, "ZCARD %s", key), 50);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"n\":\"256\"");
	rig_stop(&r);
}

static void late_changes_look_so_far(void **state)
{
	struct rig_answer first = {0}, second = {0}, a;
	struct rig r;
	char name[24];

	(void)state;
	rig_start(&r, true);
	rig_pass(&r, MINUTE);
	for (int i = 0; i < 101; i++) {
		snprintf(name, sizeof(name), "shop-%d", i);
		a = fire(&r, labelled(name, shop, 2));
		first = i == 0 ? a : first;
		second = i == 1 ? a : second;
		rig_pass(&r, 1);
	}
	fire(&r, deploy(T0, "{\"service\":\"shop\"}"));
	assert_int_equal(changed(&r, first.incident), 0);
	assert_int_equal(changed(&r, second.incident), 1);
	assert_int_equal(changed(&r, a.incident), 1);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(the_cause_first), cmocka_unit_test(the_symptom_first),
	cmocka_unit_test(what_has_nothing_to_do_with_it), cmocka_unit_test(in_one_call),
	cmocka_unit_test(a_root_that_is_a_symptom), cmocka_unit_test(the_root_resolves_first),
	cmocka_unit_test(merged_incidents), cmocka_unit_test(rules_for_roots_alone),
	cmocka_unit_test(all_of_it_is_forgotten), cmocka_unit_test(changes_that_share_labels),
	cmocka_unit_test(changes_nearest_first), cmocka_unit_test(changes_within_an_hour),
	cmocka_unit_test(changes_in_one_call), cmocka_unit_test(changes_of_a_later_alert),
	cmocka_unit_test(changes_of_one_that_is_filed_in_part),
	cmocka_unit_test(changes_have_limits), cmocka_unit_test(late_changes_look_so_far),
	cmocka_unit_test(any_order_has_the_same_root), cmocka_unit_test(relations_have_limits),
	cmocka_unit_test(many_roots_in_one_call), cmocka_unit_test(many_symptoms_are_forgotten))
