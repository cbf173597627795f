/* test_feed.c: listeners of the bus: each event once and in order, however they begin and pause. */
#include "store_rig.h"

#include "flow/feed.h"
#include "unit.h"

#define HEARD_MAX 1000

struct ear {
	struct feed_listener *l;
	bool ready, gone, full; /* full: it takes one event at a time */
	enum err_code failed;
	char heard[HEARD_MAX][40]; /* labels n */
	size_t n;
	bool enough; /* it has heard `want` */
	size_t want;
};

static void on_ready(void *ctx, const struct err *e, bool gone)
{
	struct ear *ear = ctx;

	ear->ready = true;
	ear->gone = gone;
	ear->failed = e ? e->code : ERR_NONE;
}

static bool on_event(void *ctx, struct str id, struct str json)
{
	struct ear *ear = ctx;
	struct arena a;
	struct err e;

	arena_init(&a, 1 << 20);
	const struct json *j = json_parse(&a, json, &e);
	assert_non_null(j);
	assert_true(str_eq(json_str(json_get(j, "id")), id));
	assert_non_null(json_get(j, "decisions"));
	assert_true(ear->n < HEARD_MAX);
	rig_copy(ear->heard[ear->n++], sizeof(ear->heard[0]),
		json_str(json_path(j, STR("labels.n"))));
	arena_release(&a);
	ear->enough = ear->n >= ear->want;
	return !ear->full;
}

static int join(
	struct feed *f, struct ear *ear, const char *after, const char *filter, struct err *e)
{
	const struct feed_options o = {.after = str_of(after),
		.filter = str_of(filter),
		.on_ready = on_ready,
		.on_event = on_event,
		.ctx = ear};

	memset(ear, 0, sizeof(*ear));
	ear->l = feed_join(f, &o, e);
	return ear->l ? 0 : -1;
}

static void begin(struct rig *r, struct feed *f, struct ear *ear, const char *after)
{
	struct err e;

	assert_int_equal(join(f, ear, after, "", &e), 0);
	rig_until(r, &ear->ready);
	assert_int_equal(ear->failed, ERR_NONE);
}

static void hear(struct rig *r, struct ear *ear, size_t n)
{
	ear->want = n;
	ear->enough = ear->n >= n;
	while (!ear->enough) {
		bool now = ear->full;
		size_t before = ear->n;

		if (now)
			feed_more(ear->l);
		while (ear->n == before)
			uv_run(&r->loop, UV_RUN_ONCE);
	}
	assert_int_equal(ear->n, n);
}

static void heard(const struct ear *ear, size_t from, int first)
{
	char want[40];

	for (size_t i = from; i < ear->n; i++) {
		snprintf(want, sizeof(want), "s%d", first + (int)(i - from));
		assert_string_equal(ear->heard[i], want);
	}
}

/* An event with the label n="sN"; its id. */
static const char *put(struct rig *r, int n)
{
	static struct rig_answer a;
	char labels[40];
	const struct rig_event in = {.status = 'i', .labels_json = labels};

	snprintf(labels, sizeof(labels), "{\"n\":\"s%d\"}", n);
	a = rig_ingest(r, &in);
	return a.id;
}

static void pieces_and_pauses(void **state)
{
	struct rig r;
	struct ear *all = calloc(1, sizeof(*all)), *slow = calloc(1, sizeof(*slow)),
		   *late = calloc(1, sizeof(*late));
	char first[40];
	int n = 0;

	(void)state;
	rig_start(&r, false);
	struct feed *f = feed_new(r.s);
	begin(&r, f, all, "");
	snprintf(first, sizeof(first), "%s", put(&r, n++));
	hear(&r, all, 1);
	begin(&r, f, slow, first);
	slow->full = true;
	while (n < 2 * FEED_PIECE + 51)
		put(&r, n++);
	hear(&r, all, (size_t)n);
	hear(&r, slow, 130); /* a piece and a part of one, one event at a time */
	begin(&r, f, late, first);
	put(&r, n++);
	hear(&r, late, (size_t)n - 1);
	hear(&r, slow, (size_t)n - 1);
	hear(&r, all, (size_t)n);
	heard(all, 0, 0);
	heard(slow, 0, 1);
	heard(late, 0, 1);
	/* Those that have caught up hear what comes. */
	slow->full = false;
	feed_more(slow->l);
	put(&r, n++);
	hear(&r, slow, (size_t)n - 1);
	hear(&r, late, (size_t)n - 1);
	heard(slow, 0, 1);
	feed_leave(all->l);
	feed_leave(slow->l);
	feed_leave(late->l);
	rig_stop(&r);
	feed_free(f);
	free(all);
	free(slow);
	free(late);
}

static void leaving_at_any_time(void **state)
{
	struct rig r;
	struct ear *ear = calloc(1, sizeof(*ear)), *stays = calloc(1, sizeof(*stays));
	char first[40];
	struct err e;

	(void)state;
	rig_start(&r, false);
	struct feed *f = feed_new(r.s);
	snprintf(first, sizeof(first), "%s", put(&r, 0));
	put(&r, 1);
	assert_int_equal(join(f, ear, "", "", &e), 0);
	feed_leave(ear->l); /* before it is known where it begins */
	begin(&r, f, stays, first);
	begin(&r, f, ear, first);
	feed_leave(ear->l); /* while it reads for itself */
	hear(&r, stays, 1);
	put(&r, 2);
	hear(&r, stays, 2);
	assert_false(ear->n > 0);
	heard(stays, 0, 1);
	/* The last one leaves, and another one comes. */
	feed_leave(stays->l);
	put(&r, 3);
	begin(&r, f, ear, "");
	put(&r, 4);
	hear(&r, ear, 1);
	heard(ear, 0, 4);
	feed_leave(ear->l);
	rig_stop(&r);
	feed_free(f);
	free(ear);
	free(stays);
}

static void places_that_are_gone(void **state)
{
	struct rig r;
	struct ear *ear = calloc(1, sizeof(*ear));
	char id[5][40];
	struct err e;

	(void)state;
	rig_start(&r, false);
	struct feed *f = feed_new(r.s);
	/* Nothing was ever written. */
	begin(&r, f, ear, "");
	assert_false(ear->gone);
	assert_int_equal(feed_place(ear->l).n, 0);
	snprintf(id[0], sizeof(id[0]), "%s", put(&r, 0));
	hear(&r, ear, 1);
	feed_leave(ear->l);
	for (int i = 1; i < 5; i++)
		snprintf(id[i], sizeof(id[i]), "%s", put(&r, i));
	/* All is there, also what came before an id that never was. */
	begin(&r, f, ear, "01000000000000000000000000");
	assert_false(ear->gone);
	hear(&r, ear, 5);
	feed_leave(ear->l);
	server_number(&r.server, "XTRIM " RIG_KEY ":bus MAXLEN 2");
	begin(&r, f, ear, id[1]);
	assert_true(ear->gone);
	hear(&r, ear, 2);
	heard(ear, 0, 3);
	feed_leave(ear->l);
	begin(&r, f, ear, id[3]);
	assert_false(ear->gone);
	hear(&r, ear, 1);
	feed_leave(ear->l);
	server_number(&r.server, "XTRIM " RIG_KEY ":bus MAXLEN 0");
	begin(&r, f, ear, id[4]);
	assert_false(ear->gone);
	feed_leave(ear->l);
	begin(&r, f, ear, id[3]);
	assert_true(ear->gone);
	put(&r, 5);
	hear(&r, ear, 1);
	heard(ear, 0, 5);
	feed_leave(ear->l);
	begin(&r, f, ear, "7ZZZZZZZZZ0000000000000001");
	assert_true(ear->gone);
	feed_leave(ear->l);
	/* What cannot begin. */
	assert_int_equal(join(f, ear, "12", "", &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_int_equal(join(f, ear, "", "a = ", &e), 0);
	feed_leave(ear->l);
	assert_int_equal(join(f, ear, "", "{", &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	rig_stop(&r);
	feed_free(f);
	free(ear);
}

#define LARGE 20000
#define LARGE_N 150

static void put_large(struct rig *r, int n, size_t size)
{
	char *text = malloc(size + 1);

	memset(text, 'x', size);
	text[size] = '\0';
	char *json = NULL;
	assert_true(asprintf(&json, "{\"labels\":{\"n\":\"s%d\"},\"data\":\"%s\"}", n, text) > 0);
	freeReplyObject(server_ask(&r->server,
		"XADD " RIG_KEY ":bus * kind info incident %s decisions [] event %s", "", json));
	free(json);
	free(text);
}

/* A number that Redis tells of itself. */
static long long info(struct rig *r, const char *name)
{
	redisReply *reply = server_ask(&r->server, "INFO everything");
	const char *at = strstr(reply->str, name);
	long long n = at ? atoll(at + strlen(name)) : 0;

	freeReplyObject(reply);
	return n;
}

static long long sent(struct rig *r)
{
	return info(r, "total_net_output_bytes:");
}

/* A feed of events from `first` on, of which n are large. */
static struct feed *feed_of_large(struct rig *r, int n, size_t size, char first[40])
{
	rig_start(r, false);
	struct feed *f = feed_new(r->s);

	snprintf(first, 40, "%s", put(r, 0));
	for (int i = 1; i <= n; i++)
		put_large(r, i, size);
	return f;
}

/* One that takes one large event at a time is not read a whole piece of them for each. */
static void reads_little_more_than_is_taken(void **state)
{
	struct rig r;
	struct ear *slow = calloc(1, sizeof(*slow));
	char first[40];

	(void)state;
	struct feed *f = feed_of_large(&r, LARGE_N, LARGE, first);
	long long before = sent(&r);
	begin(&r, f, slow, first);
	slow->full = true;
	hear(&r, slow, LARGE_N);
	heard(slow, 0, 1);
	assert_true(sent(&r) - before < 2LL * LARGE * LARGE_N);
	feed_leave(slow->l);
	rig_stop(&r);
	feed_free(f);
	free(slow);
}

/* One that takes all has no more of them in memory than FEED_PIECE_BYTES, or one. */
static void pieces_have_so_many_bytes(void **state)
{
	const int n_all = 60, a_piece = 4;
	const size_t size = FEED_PIECE_BYTES / (size_t)a_piece;
	struct rig r;
	struct ear *ear = calloc(1, sizeof(*ear));
	char first[40];

	(void)state;
	struct feed *f = feed_of_large(&r, n_all, size, first);
	long long before = info(&r, "cmdstat_xrange:calls=");
	begin(&r, f, ear, first);
	hear(&r, ear, (size_t)n_all);
	heard(ear, 0, 1);
	assert_true(info(&r, "cmdstat_xrange:calls=") - before >=
		    (n_all - FEED_PIECE_FIRST) / a_piece);
	feed_leave(ear->l);
	rig_stop(&r);
	feed_free(f);
	free(ear);
}

TESTS_MAIN(cmocka_unit_test(pieces_and_pauses), cmocka_unit_test(reads_little_more_than_is_taken),
	cmocka_unit_test(pieces_have_so_many_bytes),
	cmocka_unit_test(leaving_at_any_time),
	cmocka_unit_test(places_that_are_gone))
