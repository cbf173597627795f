/* What depends on what, and which events are changes: reading it, its findings, and the keys of
 * alerts. */
#include "unit.h"

#include "rule/ruleset.h"

static struct arena arena;
static struct diags diags;
static struct conf conf = {.limits = {.match_limit = 10000, .match_budget = 150000}};
static struct ruleset *rules;

static void build(const char *yaml)
{
	struct ruleset_file file = {"t.yml", str_of(yaml)};
	struct ruleset_input in = {&file, 1, NULL, 0, &conf};

	diags_init(&diags);
	arena_init(&arena, 1 << 20);
	rules = ruleset_build(&in, &diags);
}

static void drop(void)
{
	ruleset_unref(rules);
	rules = NULL;
	diags_release(&diags);
	arena_release(&arena);
}

static void good(const char *yaml)
{
	build(yaml);
	if (!rules)
		fail_msg("%s", diags.v[0].text);
}

/* Refused, with one finding that has this. */
static void bad(const char *yaml, int line, const char *text)
{
	build(yaml);
	assert_null(rules);
	if (diags.n != 1)
		fail_msg("%zu findings, the second one: %s", diags.n, diags.v[1].text);
	assert_has(str_of(diags.v[0].text), text);
	assert_int_equal(diags.v[0].line, line);
	drop();
}

/* The keys of an alert with these labels, which are sorted: {name, value}…, NULL. */
static struct rule_topology keys_of(const char *const *labels)
{
	struct kv v[8];
	struct event ev = {.source = STR("am"),
		.type = STR("alert"),
		.status = EVENT_FIRING,
		.fingerprint = STR("0000000000000001"),
		.labels = v};
	struct rule_topology out;

	for (; labels[0]; labels += 2)
		v[ev.labels_n++] = (struct kv){str_of(labels[0]), str_of(labels[1])};
	assert_int_equal(ruleset_topology(rules, &arena, &ev, &out), 0);
	return out;
}

#define KEYS(...) keys_of((const char *const[]){__VA_ARGS__, NULL})

static bool has(const struct rule_topology *t, char side, struct str key)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->keys[i].p[0] == side &&
			str_eq((struct str){t->keys[i].p + 1, t->keys[i].n - 1}, key))
			return true;
	return false;
}

/* Does what `down` is depend on what `up` is? */
static bool related(const struct rule_topology *down, const struct rule_topology *up)
{
	for (size_t i = 0; i < down->n; i++)
		if (down->keys[i].p[0] == 'd' &&
			has(up, 'u', (struct str){down->keys[i].p + 1, down->keys[i].n - 1}))
			return true;
	return false;
}

static const char chain[] = "topology:\n"
			    "  - node: shop\n"
			    "    match: 'service =~ \"shop|cart\"'\n"
			    "    depends_on: [{node: database, same: [cluster]}, network]\n"
			    "  - node: database\n"
			    "    match: ['service = postgres', 'severity != info']\n"
			    "    depends_on: [{node: host, same: host}]\n"
			    "  - node: host\n"
			    "    match: 'alertname = HostDown'\n"
			    "  - node: network\n"
			    "    match: 'alertname =~ \"Switch.*\"'\n";

static void two_ends_have_the_same_key(void **state)
{
	(void)state;
	good(chain);
	struct rule_topology shop = KEYS("cluster", "eu", "service", "shop");
	struct rule_topology db = KEYS("cluster", "eu", "service", "postgres");
	struct rule_topology us = KEYS("cluster", "us", "service", "postgres");
	struct rule_topology mild =
		KEYS("cluster", "eu", "service", "postgres", "severity", "info");
	struct rule_topology bare = KEYS("service", "postgres");
	assert_true(related(&shop, &db));
	assert_false(related(&db, &shop));
	assert_false(related(&shop, &us));
	assert_int_equal(mild.n, 0);
	/* Without the label they cannot agree. */
	assert_false(related(&shop, &bare));
	/* No `same`: any of them. */
	struct rule_topology network = KEYS("alertname", "SwitchDown", "cluster", "us");
	assert_true(related(&shop, &network));
	assert_memory_equal(network.keys[0].p, "unetwork:", 9);
	drop();
}

static void by_way_of_others(void **state)
{
	(void)state;
	good(chain);
	struct rule_topology host =
		KEYS("alertname", "HostDown", "cluster", "eu", "instance", "a:9100");
	struct rule_topology db = KEYS("instance", "a:5432", "service", "postgres");
	struct rule_topology named = KEYS("host", "a", "service", "postgres");
	/* `host` has no port, and may be the label of that name. */
	assert_true(related(&db, &host));
	assert_true(related(&named, &host));
	/* Both ends agree on what all steps ask for. */
	struct rule_topology near = KEYS("cluster", "eu", "instance", "a:80", "service", "shop");
	struct rule_topology far = KEYS("cluster", "us", "instance", "a:80", "service", "shop");
	struct rule_topology other = KEYS("cluster", "eu", "instance", "b:80", "service", "shop");
	assert_true(related(&near, &host));
	assert_false(related(&far, &host));
	assert_false(related(&other, &host));
	drop();
}

static void only_what_fires(void **state)
{
	(void)state;
	good(chain);
	struct kv label = {STR("alertname"), STR("SwitchDown")};
	struct event ev = {.fingerprint = STR("1"), .labels = &label, .labels_n = 1};
	struct rule_topology out;
	for (enum event_status s = EVENT_FIRING; s <= EVENT_INFO; s++) {
		ev.status = s;
		assert_int_equal(ruleset_topology(rules, &arena, &ev, &out), 0);
		assert_int_equal(out.n, s == EVENT_FIRING ? 1 : 0);
	}
	drop();
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	bad("topology: {node: a}\n", 1, "want a list of nodes");
	bad("topology: [{match: 'a=b'}]\n", 1, "this node has no name");
	bad("topology: [{node: a}]\n", 1, "this node has no 'match'");
	bad("topology: [{node: A, match: 'a=b'}]\n", 1, "'A' cannot be a node's name");
	bad("topology: [{node: a, match: 'a b'}]\n", 1, "want one of = != =~ !~ here");
	bad("topology: [{node: a, match: 'a=b', needs: [b]}]\n", 1,
		"unknown key 'needs' in a node");
	bad("topology:\n- {node: a, match: 'a=b'}\n- {node: a, match: 'a=c'}\n", 3,
		"there is a node 'a' already, in t.yml:2");
	bad("topology:\n- {node: alpha, match: 'a=b'}\n- {node: b, match: 'a=c',\n   depends_on: "
	    "[alhpa]}\n",
		4, "there is no node 'alhpa', did you mean 'alpha'?");
	bad("topology:\n- {node: a, match: 'a=b', depends_on: [{same: [x]}]}\n", 2,
		"has no 'node'");
	bad("topology:\n- {node: a, match: 'a=b', depends_on: []}\n", 2,
		"want a list of nodes, at most 32");
	bad("topology:\n- {node: a, match: 'a=b', depends_on: [{node: b, same: ['event.x']}]}\n"
	    "- {node: b, match: 'a=c'}\n",
		2, "event.");
}

static void circles_are_errors_with_their_path(void **state)
{
	(void)state;
	bad("topology:\n- {node: a, match: 'a=b', depends_on: [a]}\n", 2, "in a circle: a -> a;");
	bad("topology:\n"
	    "- {node: start, match: 'a=b', depends_on: [one]}\n"
	    "- {node: one, match: 'a=b', depends_on: [leaf, two]}\n"
	    "- {node: two, match: 'a=b', depends_on: [three]}\n"
	    "- {node: three, match: 'a=b', depends_on: [one]}\n"
	    "- {node: leaf, match: 'a=b'}\n",
		3, "in a circle: one -> two -> three -> one;");
	/* Two ways to one node are none. */
	good("topology:\n"
	     "- {node: a, match: 'a=b', depends_on: [b, c]}\n"
	     "- {node: b, match: 'a=c', depends_on: [d]}\n"
	     "- {node: c, match: 'a=d', depends_on: [d]}\n"
	     "- {node: d, match: 'a=e'}\n");
	drop();
}

/* n nodes a0, a1, …; chained: each needs the one before it. */
static void write_nodes(struct buf *b, int n, bool chained)
{
	buf_puts(b, "topology:\n");
	for (int i = 0; i < n; i++) {
		buf_printf(b, "- {node: a%d, match: 'a=x%d'", i, i);
		if (chained && i > 0)
			buf_printf(b, ", depends_on: [a%d]", i - 1);
		buf_puts(b, "}\n");
	}
}

static void limits(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	write_nodes(&b, TOPOLOGY_NODES_MAX, false);
	good(b.p);
	drop();
	buf_puts(&b, "- {node: more, match: 'a=b'}\n");
	bad(b.p, TOPOLOGY_NODES_MAX + 2, "more than 256 nodes");
	buf_clear(&b);
	write_nodes(&b, TOPOLOGY_DEPENDS_MAX + 1, true);
	good(b.p);
	drop();
	buf_clear(&b);
	write_nodes(&b, TOPOLOGY_DEPENDS_MAX + 2, true);
	bad(b.p, TOPOLOGY_DEPENDS_MAX + 3, "depends on more than 32 others");
	for (int n = TOPOLOGY_SAMES_MAX; n <= TOPOLOGY_SAMES_MAX + 1; n++) {
		buf_clear(&b);
		write_nodes(&b, 1, false);
		for (int i = 0; i < n; i++)
			buf_printf(&b,
				"- {node: b%d, match: 'b=c', depends_on: [{node: a0, same: "
				"[l%d]}]}\n",
				i, i);
		if (n == TOPOLOGY_SAMES_MAX) {
			good(b.p);
			drop();
		} else {
			bad(b.p, 2, "more than 16 different lists 'same'");
		}
	}
	buf_release(&b);
}

/* An alert of many nodes has to do with no more than so many others. */
static void keys_of_one_alert(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	write_nodes(&b, 32, false);
	for (int i = 0; i < 5; i++) {
		buf_printf(&b, "- {node: b%d, match: 'b=c', depends_on: [", i);
		for (int k = 0; k < 32; k++)
			buf_printf(&b, "%s{node: a%d, same: [l%d]}", k ? ", " : "", k, i);
		buf_puts(&b, "]}\n");
	}
	good(b.p);
	struct rule_topology t =
		KEYS("b", "c", "l0", "x", "l1", "x", "l2", "x", "l3", "x", "l4", "x");
	assert_int_equal(t.n, TOPOLOGY_KEYS_MAX);
	drop();
	buf_release(&b);
}

static bool is_change(const char *type, enum event_status status)
{
	struct event ev = {.type = str_of(type), .status = status};

	return ruleset_is_change(rules, &arena, &ev);
}

static void changes(void **state)
{
	struct conf_text texts[] = {{STR("event.type =~ \"deploy.*|git_.*_merged\""), 1, 1},
		{STR("event.type = push, branch = main"), 2, 5}};

	(void)state;
	conf.changes = (struct conf_list){texts, 2};
	good("");
	char before[HASH_SHA256_HEX];
	memcpy(before, rules->hash, sizeof(before));
	assert_true(is_change("deployed", EVENT_INFO));
	assert_true(is_change("git_config_merged", EVENT_INFO));
	assert_false(is_change("deployed", EVENT_FIRING));
	assert_false(is_change("push", EVENT_INFO));
	assert_false(is_change("a deploy", EVENT_INFO));
	drop();
	conf.changes.n = 1;
	good("");
	assert_memory_not_equal(before, rules->hash, HASH_SHA256_HEX);
	drop();
	texts[0].text = STR("event.type is deploy");
	build("");
	assert_null(rules);
	assert_has(str_of(diags.v[0].text),
		"changes: want one of = != =~ !~ here: 'event.type is deploy'");
	assert_int_equal(diags.v[0].line, 1);
	drop();
	conf.changes.n = 0;
}

static void only_root(void **state)
{
	(void)state;
	build("rules:\n  - {name: a, match: 'a=b', only: leaf, steps: [{runbook: x}]}\n");
	assert_null(rules);
	assert_has(str_of(diags.v[0].text), "want one of root, got 'leaf'");
	drop();
}

TESTS_MAIN(cmocka_unit_test(two_ends_have_the_same_key), cmocka_unit_test(by_way_of_others),
	cmocka_unit_test(only_what_fires), cmocka_unit_test(what_is_wrong_is_said),
	cmocka_unit_test(circles_are_errors_with_their_path), cmocka_unit_test(limits),
	cmocka_unit_test(keys_of_one_alert), cmocka_unit_test(changes), cmocka_unit_test(only_root))
