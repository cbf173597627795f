/* Lines of logs in Redis: when a threshold is reached, what is sent again, how an alert goes on and
 * ends, and the bounds of what is remembered. */
#include "store_rig.h"
#include "store/lines.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0

/* A line as a test wants it; the pattern counts 3 within a minute. */
struct line {
	const char *fp;
	const char *mark;
	int64_t time; /* ms; 0: arrival */
	bool resolves;
	int64_t count;	  /* 0: 3 */
	int64_t within;	  /* 0: a minute */
	int64_t after;	  /* 0: not by quiet */
	int64_t series;	  /* 0: 100 */
	int64_t kept;	  /* 0: 20 */
	const char *text; /* NULL: "line MARK" */
	bool light;
	bool no_rule;
};

struct said {
	enum store_line_outcome out;
	enum store_outcome outcome;
	char incident[ID_LEN + 1];
	enum decision decision;
};

struct asked {
	struct rig *r;
	struct said *said;
};

static void on_lines(void *ctx, const struct err *e, const enum store_line_outcome *out,
	const struct store_event_out *events, size_t n)
{
	struct asked *q = ctx;

	for (size_t i = 0; i < n; i++) {
		q->said[i] = (struct said){.out = out[i]};
		if (out[i] != STORE_LINE_EVENT)
			continue;
		q->said[i].outcome = events[i].outcome;
		rig_copy(q->said[i].incident, sizeof(q->said[i].incident), events[i].incident);
		if (events[i].decisions)
			q->said[i].decision = events[i].decisions[0].decision;
	}
	rig_done(q->r, e);
}

static enum err_code send_n(struct rig *r, const struct line *in, size_t n, struct said *said)
{
	struct store_line_in *v = calloc(n, sizeof(*v));
	struct store_event_in *events_in = calloc(n, sizeof(*events_in));
	struct event *events = calloc(n, sizeof(*events));
	struct rig_event *rigged = calloc(n, sizeof(*rigged));
	char(*json)[1024] = calloc(n, sizeof(*json)), (*text)[40] = calloc(n, sizeof(*text));
	struct asked q = {r, said};

	assert_true(v && events_in && events && rigged && json && text);
	for (size_t i = 0; i < n; i++) {
		const struct line *l = &in[i];
		rigged[i] = rig_alert(l->fp, l->resolves ? 'r' : 'f', 0);
		if (!l->no_rule)
			rigged[i] =
				rig_with_rule(rigged[i], "look", &rig_step, l->resolves ? 0 : 1, 0);
		if (l->resolves)
			rigged[i].rules[0].ask = DECISION_ERROR;
		rigged[i].source = "logs";
		rigged[i].light = l->light;
		rig_fill(&rigged[i], &events[i], &events_in[i], json[i], sizeof(json[i]));
		snprintf(text[i], sizeof(text[i]), "line %s", l->mark);
		v[i] = (struct store_line_in){
			.pattern = STR("ssh"),
			.count = l->count ? l->count : 3,
			.within_ms = l->within ? l->within : MINUTE,
			.series = l->series ? l->series : 100,
			.lines = l->kept ? l->kept : 20,
			.after_ms = l->after,
			.time_ms = l->time,
			.text = str_of(l->text ? l->text : text[i]),
		};
		snprintf(v[i].mark, sizeof(v[i].mark), "%s", l->mark);
	}
	const struct store_lines call = {v, events_in, n, STR("rulesethash"), r->limits};
	int rc = store_lines(r->s, &call, on_lines, &q, &r->e);
	free(v);
	free(events_in);
	free(events);
	free(rigged);
	free(json);
	free(text);
	return rig_await(r, rc);
}

static struct said send_one(struct rig *r, struct line l)
{
	struct said said = {0};

	if (send_n(r, &l, 1, &said) != ERR_NONE)
		fail_msg("a line: %s", r->e.text);
	return said;
}

#define SEND(r, ...) send_one(r, (struct line){__VA_ARGS__}).out
#define assert_fires(said_)                                                                        \
	do {                                                                                       \
		struct said s_ = (said_);                                                          \
		assert_int_equal(s_.out, STORE_LINE_EVENT);                                        \
		assert_int_equal(s_.outcome, STORE_NEW);                                           \
		assert_int_equal(s_.decision, DECISION_RUN);                                       \
	} while (0)

/* The alert that changed last, as lists show it. */
static void assert_alert(struct rig *r, const char *part)
{
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50};

	assert_non_null(rows);
	rig_list(r, STORE_ALERTS, &page, rows);
	assert_true(rows->n >= 1);
	assert_has(str_of(rows->v[0]), part);
	free(rows);
}

#define number(r, ...) server_number(&(r)->server, __VA_ARGS__)

/* ---- counting ---- */

static void fires_at_its_count(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(SEND(&r, .fp = A, .mark = "1"), STORE_LINE_COUNTED);
	assert_int_equal(SEND(&r, .fp = A, .mark = "2"), STORE_LINE_COUNTED);
	assert_int_equal(SEND(&r, .fp = B, .mark = "3"), STORE_LINE_COUNTED);
	assert_int_equal(number(&r, "ZCARD " RIG_KEY ":alerts:firing"), 0);
	struct said third = send_one(&r, (struct line){.fp = A, .mark = "3"});
	assert_fires(third);
	assert_int_equal(strlen(third.incident), ID_LEN);
	assert_alert(&r, "\"status\":\"firing\"");
	assert_alert(&r, "\"lines\":[\"line 1\",\"line 2\",\"line 3\"]");
	assert_int_equal(number(&r, "ZCARD " RIG_KEY ":alerts:firing"), 1);
	rig_stop(&r);
}

static void what_is_sent_again_counts_once(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(SEND(&r, .fp = A, .mark = "1"), STORE_LINE_COUNTED);
	assert_int_equal(SEND(&r, .fp = A, .mark = "2"), STORE_LINE_COUNTED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SEND(&r, .fp = A, .mark = "1"), STORE_LINE_KNOWN);
		assert_int_equal(SEND(&r, .fp = A, .mark = "2"), STORE_LINE_KNOWN);
	}
	assert_int_equal(SEND(&r, .fp = A, .mark = "3"), STORE_LINE_EVENT);
	assert_int_equal(SEND(&r, .fp = A, .mark = "1"), STORE_LINE_KNOWN);
	assert_int_equal(SEND(&r, .fp = A, .mark = "4"), STORE_LINE_FIRING);
	assert_int_equal(SEND(&r, .fp = A, .mark = "4"), STORE_LINE_KNOWN);
	assert_alert(&r, "\"count\":2");
	assert_alert(&r, "\"lines\":[\"line 1\",\"line 2\",\"line 3\",\"line 4\"]");
	rig_stop(&r);
}

static void one_call_counts_its_own_lines(void **state)
{
	const struct line in[] = {{.fp = A, .mark = "1"}, {.fp = A, .mark = "1"},
		{.fp = A, .mark = "2"}, {.fp = B, .mark = "1"}, {.fp = A, .mark = "3"},
		{.fp = A, .mark = "4"}, {.fp = A, .mark = "4"}};
	const enum store_line_outcome want[] = {STORE_LINE_COUNTED, STORE_LINE_KNOWN,
		STORE_LINE_COUNTED, STORE_LINE_COUNTED, STORE_LINE_EVENT, STORE_LINE_FIRING,
		STORE_LINE_KNOWN};
	struct said said[7];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(send_n(&r, in, 7, said), ERR_NONE);
	for (int i = 0; i < 7; i++)
		assert_int_equal(said[i].out, want[i]);
	assert_fires(said[4]);
	assert_alert(&r, "\"lines\":[\"line 1\",\"line 2\",\"line 3\",\"line 4\"]");
	assert_int_equal(send_n(&r, in, 7, said), ERR_NONE);
	for (int i = 0; i < 7; i++)
		assert_int_equal(said[i].out, STORE_LINE_KNOWN);
	rig_stop(&r);
}

static void a_window_slides(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(SEND(&r, .fp = A, .mark = "1", .time = T0), STORE_LINE_COUNTED);
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "2", .time = T0 + 30 * SECOND), STORE_LINE_COUNTED);
	assert_int_equal(SEND(&r, .fp = A, .mark = "3", .time = T0 + 60 * SECOND),
		STORE_LINE_COUNTED); /* a whole minute */
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "4", .time = T0 + 90 * SECOND - 1), STORE_LINE_EVENT);
	/* By arrival, where a line has no time. */
	assert_int_equal(SEND(&r, .fp = B, .mark = "1"), STORE_LINE_COUNTED);
	rig_pass(&r, 40 * SECOND);
	assert_int_equal(SEND(&r, .fp = B, .mark = "2"), STORE_LINE_COUNTED);
	rig_pass(&r, 40 * SECOND);
	assert_int_equal(SEND(&r, .fp = B, .mark = "3"), STORE_LINE_COUNTED);
	rig_pass(&r, 10 * SECOND);
	assert_int_equal(SEND(&r, .fp = B, .mark = "4"), STORE_LINE_EVENT);
	rig_stop(&r);
}

static void order_of_arrival_does_not_matter(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "1", .time = T0 + 50 * SECOND), STORE_LINE_COUNTED);
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "2", .time = T0 + 5 * MINUTE), STORE_LINE_COUNTED);
	assert_int_equal(SEND(&r, .fp = A, .mark = "3", .time = T0), STORE_LINE_COUNTED);
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "4", .time = T0 + 20 * SECOND), STORE_LINE_EVENT);
	rig_stop(&r);
}

static uint64_t seed = 88172645463325252u;

static unsigned draw(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

/* Are there `count` of the times within less than `within`? */
static bool reached(const int64_t *times, size_t n, size_t count, int64_t within)
{
	for (size_t i = 0; i < n; i++) {
		size_t in = 0;
		for (size_t k = 0; k < n; k++)
			in += times[k] >= times[i] && times[k] < times[i] + within;
		if (in >= count)
			return true;
	}
	return false;
}

/* Random times in random order and calls of random sizes: fires with the very line that makes a
 * window full. */
static void counts_as_looking_at_all_of_them(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (unsigned round = 0; round < 60; round++) {
		char fp[17], marks[40][8];
		int64_t times[40];
		size_t count = 1 + draw(6), n = 0;
		bool fired = false;
		snprintf(fp, sizeof(fp), "%016x", round + 1);
		while (n < 40) {
			struct line in[8];
			struct said said[8];
			size_t size = 1 + draw(8), from = n;
			size = size < 40 - n ? size : 40 - n;
			for (size_t i = 0; i < size; i++, n++) {
				times[n] = T0 + draw(600) * SECOND;
				snprintf(marks[n], sizeof(marks[n]), "%zu", n);
				in[i] = (struct line){.fp = fp,
					.mark = marks[n],
					.time = times[n],
					.count = (int64_t)count,
					.within = 20 * SECOND,
					.no_rule = true};
			}
			assert_int_equal(send_n(&r, in, size, said), ERR_NONE);
			for (size_t i = 0; i < size; i++) {
				bool full =
					!fired && reached(times, from + i + 1, count, 20 * SECOND);
				enum store_line_outcome want = fired  ? STORE_LINE_FIRING
							       : full ? STORE_LINE_EVENT
								      : STORE_LINE_COUNTED;
				if (said[i].out != want)
					fail_msg("round %u, line %zu: %d, not %d", round, from + i,
						said[i].out, want);
				fired |= full;
			}
		}
	}
	rig_stop(&r);
}

/* One history of failures and recoveries, in the order of their times. */
#define HISTORY 60

static void make_history(struct line *lines, char (*marks)[8], const char *fp)
{
	int64_t at = T0;

	for (int i = 0; i < HISTORY; i++) {
		at += (1 + draw(30)) * SECOND;
		snprintf(marks[i], sizeof(marks[i]), "%d", i);
		lines[i] = (struct line){.fp = fp,
			.mark = marks[i],
			.time = at,
			.count = 2,
			.within = 40 * SECOND,
			.resolves = draw(4) == 0,
			.no_rule = true};
	}
}

/* What became of an alert: "status occurrences". */
static void state_of(struct rig *r, const char *fp, char *out, size_t size)
{
	redisReply *reply = server_ask(&r->server, "GET " RIG_KEY ":alert:logs:%s", fp);
	char state = '-';
	long long ignored, occurrences = 0;

	if (reply->type == REDIS_REPLY_STRING)
		sscanf(reply->str, "%c %lld %lld %lld %lld %lld %lld", &state, &ignored, &ignored,
			&ignored, &ignored, &ignored, &occurrences);
	snprintf(out, size, "%c %lld", state, occurrences);
	freeReplyObject(reply);
}

/* The same lines, with any that were sent before sent again in between: nothing else comes of it.
 */
static void what_is_sent_again_changes_nothing(void **state)
{
	static struct line lines[HISTORY];
	static char marks[HISTORY][8];
	unsigned fired = 0;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (unsigned round = 0; round < 25; round++) {
		char once[17], again[17], want[40], got[40];
		snprintf(once, sizeof(once), "%016x", 2 * round + 1);
		snprintf(again, sizeof(again), "%016x", 2 * round + 2);
		make_history(lines, marks, once);
		for (int i = 0; i < HISTORY; i++) {
			struct line l = lines[i];
			struct said first = send_one(&r, l);
			l.fp = again;
			struct said second = send_one(&r, l);
			assert_int_equal(first.out, second.out);
			for (unsigned k = draw(4); k > 0; k--) {
				l = lines[draw((unsigned)i + 1)];
				l.fp = again;
				enum store_line_outcome out = send_one(&r, l).out;
				/* A recovery of what nobody had heard of is not remembered. */
				assert_true(out == STORE_LINE_KNOWN ||
					    (l.resolves && out == STORE_LINE_NOTHING));
			}
			state_of(&r, once, want, sizeof(want));
			state_of(&r, again, got, sizeof(got));
			assert_string_equal(got, want);
			fired += first.out == STORE_LINE_EVENT && !l.resolves;
		}
	}
	assert_true(fired > 50);
	rig_stop(&r);
}

static void without_a_threshold_each_line_fires(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_fires(send_one(&r, (struct line){.fp = A, .mark = "1", .count = 1}));
	assert_int_equal(SEND(&r, .fp = A, .mark = "2", .count = 1), STORE_LINE_FIRING);
	assert_fires(send_one(&r, (struct line){.fp = B, .mark = "1", .count = 1}));
	rig_stop(&r);
}

/* ---- how an alert goes on, and ends ---- */

static void quiet_resolves_it_and_it_counts_anew(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (const char *m = "12"; *m; m++)
		assert_int_equal(
			SEND(&r, .fp = A, .mark = (char[]){*m, '\0'}, .after = 10 * MINUTE),
			STORE_LINE_COUNTED);
	assert_int_equal(SEND(&r, .fp = A, .mark = "3", .after = 10 * MINUTE), STORE_LINE_EVENT);
	assert_alert(&r, "\"expires_at\":\"2025-11-22T20:10:00.000Z\"");
	rig_pass(&r, 4 * MINUTE);
	assert_int_equal(SEND(&r, .fp = A, .mark = "4", .after = 10 * MINUTE), STORE_LINE_FIRING);
	assert_alert(&r, "\"expires_at\":\"2025-11-22T20:14:00.000Z\"");
	assert_int_equal(SEND(&r, .fp = A, .mark = "3", .after = 10 * MINUTE), STORE_LINE_KNOWN);
	rig_time(&r, T0 + 14 * MINUTE - 1);
	assert_int_equal(rig_tick(&r).resolved_stale, 0);
	rig_time(&r, T0 + 14 * MINUTE);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	assert_alert(&r, "\"status\":\"resolved\"");
	/* What fired does not count again, sent again or not. */
	assert_int_equal(SEND(&r, .fp = A, .mark = "4", .after = 10 * MINUTE), STORE_LINE_KNOWN);
	assert_int_equal(SEND(&r, .fp = A, .mark = "5", .after = 10 * MINUTE), STORE_LINE_COUNTED);
	assert_int_equal(SEND(&r, .fp = A, .mark = "6", .after = 10 * MINUTE), STORE_LINE_COUNTED);
	assert_alert(&r, "\"status\":\"resolved\"");
	assert_fires(send_one(&r, (struct line){.fp = A, .mark = "7", .after = 10 * MINUTE}));
	assert_alert(&r, "\"occurrences\":2");
	assert_alert(&r, "\"lines\":[\"line 5\",\"line 6\",\"line 7\"]");
	rig_stop(&r);
}

static void a_counter_pattern_resolves_it(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(SEND(&r, .fp = A, .mark = "0", .resolves = true), STORE_LINE_NOTHING);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":alert:logs:" A), 0);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":series:ssh"), 0);
	assert_int_equal(SEND(&r, .fp = A, .mark = "1", .count = 1), STORE_LINE_EVENT);
	rig_pass(&r, SECOND);
	struct said end = send_one(&r, (struct line){.fp = A, .mark = "2", .resolves = true});
	assert_int_equal(end.out, STORE_LINE_EVENT);
	assert_int_equal(end.outcome, STORE_NEW);
	assert_alert(&r, "\"status\":\"resolved\"");
	assert_text(rig_get(&r, STORE_INCIDENT, end.incident), "\"status\":\"resolved\"");
	/* Both again. */
	assert_int_equal(SEND(&r, .fp = A, .mark = "1", .count = 1), STORE_LINE_KNOWN);
	assert_int_equal(SEND(&r, .fp = A, .mark = "2", .resolves = true), STORE_LINE_KNOWN);
	assert_int_equal(SEND(&r, .fp = A, .mark = "3", .resolves = true), STORE_LINE_NOTHING);
	assert_fires(send_one(&r, (struct line){.fp = A, .mark = "4", .count = 1}));
	assert_int_equal(SEND(&r, .fp = A, .mark = "2", .resolves = true), STORE_LINE_KNOWN);
	assert_alert(&r, "\"status\":\"firing\"");
	rig_stop(&r);
}

static void lines_are_in_order_of_their_times(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "1", .time = T0 + 10, .count = 1), STORE_LINE_EVENT);
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "2", .time = T0 + 30, .count = 1), STORE_LINE_FIRING);
	/* It was well in between, and then it was not. */
	assert_int_equal(SEND(&r, .fp = A, .mark = "3", .time = T0 + 20, .resolves = true),
		STORE_LINE_NOTHING);
	assert_alert(&r, "\"status\":\"firing\"");
	assert_int_equal(SEND(&r, .fp = A, .mark = "4", .time = T0 + 40, .resolves = true),
		STORE_LINE_EVENT);
	/* Older than what resolved it. */
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "5", .time = T0 + 35, .count = 1), STORE_LINE_NOTHING);
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "5", .time = T0 + 35, .count = 1), STORE_LINE_KNOWN);
	assert_alert(&r, "\"status\":\"resolved\"");
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "6", .time = T0 + 40, .count = 1), STORE_LINE_EVENT);
	rig_stop(&r);
}

/* ---- evidence ---- */

static void the_latest_lines_stay(void **state)
{
	static const char *const marks[] = {"1", "2", "3", "4", "5", "6", "7"};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (size_t i = 0; i < 7; i++)
		send_one(&r, (struct line){.fp = A, .mark = marks[i], .kept = 4});
	assert_alert(&r, "\"lines\":[\"line 4\",\"line 5\",\"line 6\",\"line 7\"]");
	assert_int_equal(number(&r, "LLEN " RIG_KEY ":alert:logs:" A ":lines"), 4);
	rig_stop(&r);
}

static void long_and_odd_lines_are_kept_as_text(void **state)
{
	char text[STORE_LINE_TEXT_MAX + 20];
	struct rig r;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + STORE_LINE_TEXT_MAX - 1, "\xE2\x82\xAC", 3);
	text[sizeof(text) - 1] = '\0';
	rig_start(&r, true);
	send_one(&r, (struct line){.fp = A, .mark = "1", .count = 1, .text = "say \"hi\"\\\t\x01"});
	assert_alert(&r, "\"lines\":[\"say \\\"hi\\\"\\\\\\t\\u0001\"]");
	send_one(&r, (struct line){.fp = A, .mark = "2", .count = 1, .text = text});
	/* Cut before the character that the limit would split, and in quotes. */
	redisReply *reply = server_ask(&r.server, "LINDEX " RIG_KEY ":alert:logs:" A ":lines 1");
	assert_int_equal(reply->len, STORE_LINE_TEXT_MAX - 1 + 2);
	freeReplyObject(reply);
	rig_stop(&r);
}

static void a_run_is_given_the_lines(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	send_one(&r, (struct line){.fp = A, .mark = "1"});
	send_one(&r, (struct line){.fp = A, .mark = "2"});
	send_one(&r, (struct line){.fp = A, .mark = "3"});
	send_one(&r, (struct line){.fp = A, .mark = "4"});
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.rule, "look");
	assert_has(str_of(c.event), ",\"lines\":[\"line 1\",\"line 2\",\"line 3\",\"line 4\"]}");
	rig_stop(&r);
}

/* ---- bounds ---- */

static void series_have_a_bound(void **state)
{
	struct rig r;
	char fp[17];
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50};

	(void)state;
	assert_non_null(rows);
	rig_start(&r, true);
	for (int i = 0; i < 5; i++) {
		snprintf(fp, sizeof(fp), "%016x", i + 1);
		assert_int_equal(SEND(&r, .fp = fp, .mark = "1", .series = 5), STORE_LINE_COUNTED);
	}
	for (int i = 5; i < 20; i++) {
		snprintf(fp, sizeof(fp), "%016x", i + 1);
		assert_int_equal(SEND(&r, .fp = fp, .mark = "1", .series = 5), STORE_LINE_REFUSED);
		assert_int_equal(number(&r, "EXISTS " RIG_KEY ":window:logs:%s", fp), 0);
	}
	/* Those that are there go on. */
	assert_int_equal(
		SEND(&r, .fp = "0000000000000001", .mark = "2", .series = 5), STORE_LINE_COUNTED);
	assert_int_equal(
		SEND(&r, .fp = "0000000000000001", .mark = "3", .series = 5), STORE_LINE_EVENT);
	/* It was said once. */
	rig_list(&r, STORE_EVENTS, &page, rows);
	size_t said = 0;
	for (size_t i = 0; i < rows->n; i++)
		if (strstr(rows->v[i], "\"type\":\"limit\"")) {
			said++;
			assert_has(str_of(rows->v[i]), "\"limit\":\"series\",\"pattern\":\"ssh\"");
			assert_has(str_of(rows->v[i]),
				"pattern 'ssh' is held back: it follows 5 alerts");
		}
	assert_int_equal(said, 1);
	assert_int_equal(number(&r, "XLEN " RIG_KEY ":inbox"), 1);
	/* An hour later the quiet ones are forgotten, the one that fires is not. */
	rig_pass(&r, HOUR + 1);
	assert_int_equal(SEND(&r, .fp = B, .mark = "1", .series = 5), STORE_LINE_COUNTED);
	assert_int_equal(number(&r, "ZCARD " RIG_KEY ":series:ssh"), 2);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":window:logs:0000000000000002"), 0);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":alert:logs:0000000000000002:lines"), 0);
	rig_stop(&r);
	free(rows);
}

static void many_in_one_call_have_the_same_bound(void **state)
{
	static char fps[50][17];
	struct line in[50];
	struct said said[50];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 50; i++) {
		snprintf(fps[i], sizeof(fps[i]), "%016x", i + 1);
		in[i] = (struct line){
			.fp = fps[i], .mark = "1", .series = 7, .count = 1, .no_rule = true};
	}
	assert_int_equal(send_n(&r, in, 50, said), ERR_NONE);
	for (int i = 0; i < 50; i++)
		assert_int_equal(said[i].out, i < 7 ? STORE_LINE_EVENT : STORE_LINE_REFUSED);
	assert_int_equal(number(&r, "ZCARD " RIG_KEY ":series:ssh"), 7);
	assert_int_equal(number(&r, "XLEN " RIG_KEY ":inbox"), 1);
	rig_stop(&r);
}

/* A thousand lines of one alert leave what a few leave. */
static void one_series_stays_small(void **state)
{
	static char marks[1000][8];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 1000; i += 250) {
		struct line in[250];
		struct said said[250];
		for (int k = 0; k < 250; k++) {
			snprintf(marks[i + k], sizeof(marks[i + k]), "%d", i + k);
			in[k] = (struct line){
				.fp = A, .mark = marks[i + k], .time = T0 + i + k, .no_rule = true};
		}
		assert_int_equal(send_n(&r, in, 250, said), ERR_NONE);
	}
	assert_int_equal(number(&r, "ZCARD " RIG_KEY ":seen:logs:" A), 256);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":window:logs:" A), 0);
	assert_int_equal(number(&r, "LLEN " RIG_KEY ":alert:logs:" A ":lines"), 20);
	rig_stop(&r);
}

static void time_forgets_all_of_it(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	send_one(&r, (struct line){.fp = A, .mark = "1", .count = 1, .after = MINUTE});
	send_one(&r, (struct line){.fp = B, .mark = "1"});
	rig_pass(&r, 2 * MINUTE);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	rig_pass(&r, HOUR);
	rig_tick(&r);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":series:ssh"), 0);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":patterns"), 0);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":seen:logs:" A), 0);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":alert:logs:" B ":lines"), 0);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":alert:logs:" A ":lines"), 1);
	rig_pass(&r, 31 * DAY);
	rig_tick(&r);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":alert:logs:" A ":lines"), 0);
	rig_stop(&r);
}

/* ---- refusals ---- */

static void a_full_queue_stores_nothing(void **state)
{
	const struct line in[] = {{.fp = B, .mark = "1", .count = 1}, {.fp = A, .mark = "3"}};
	struct said said[2];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 1;
	send_one(&r, (struct line){.fp = A, .mark = "1"});
	send_one(&r, (struct line){.fp = A, .mark = "2"});
	assert_int_equal(
		SEND(&r, .fp = "cccccccccccccccc", .mark = "1", .count = 1), STORE_LINE_EVENT);
	assert_int_equal(send_n(&r, in, 2, said), ERR_FULL);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":seen:logs:" B), 0);
	assert_int_equal(number(&r, "ZCARD " RIG_KEY ":window:logs:" A), 2);
	rig_claim(&r);
	/* The same again. One call may go over the limit. */
	assert_int_equal(send_n(&r, in, 2, said), ERR_NONE);
	assert_fires(said[0]);
	assert_fires(said[1]);
	rig_stop(&r);
}

static void an_event_is_needed_where_it_is_raised(void **state)
{
	struct line l = {.fp = A, .mark = "1", .count = 1, .light = true};
	struct said said;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(send_n(&r, &l, 1, &said), ERR_CONFLICT);
	assert_int_equal(number(&r, "EXISTS " RIG_KEY ":series:ssh"), 0);
	l.light = false;
	assert_int_equal(send_n(&r, &l, 1, &said), ERR_NONE);
	assert_fires(said);
	assert_int_equal(
		SEND(&r, .fp = A, .mark = "2", .count = 1, .light = true), STORE_LINE_FIRING);
	rig_stop(&r);
}

static void no_more_than_a_call_takes(void **state)
{
	static struct line in[STORE_LINES_MAX + 1];
	static struct said said[STORE_LINES_MAX + 1];
	static char marks[STORE_LINES_MAX + 1][8];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i <= STORE_LINES_MAX; i++) {
		snprintf(marks[i], sizeof(marks[i]), "%d", i);
		in[i] = (struct line){.fp = A, .mark = marks[i], .count = 10000};
	}
	assert_int_equal(send_n(&r, in, STORE_LINES_MAX + 1, said), ERR_LIMIT);
	assert_int_equal(send_n(&r, in, STORE_LINES_MAX, said), ERR_NONE);
	assert_int_equal(number(&r, "ZCARD " RIG_KEY ":window:logs:" A), STORE_LINES_MAX);
	rig_stop(&r);
}

#define T(f) cmocka_unit_test(f)

TESTS_MAIN(T(fires_at_its_count), T(what_is_sent_again_counts_once),
	T(one_call_counts_its_own_lines), T(a_window_slides), T(order_of_arrival_does_not_matter),
	T(counts_as_looking_at_all_of_them), T(what_is_sent_again_changes_nothing),
	T(without_a_threshold_each_line_fires), T(quiet_resolves_it_and_it_counts_anew),
	T(a_counter_pattern_resolves_it), T(lines_are_in_order_of_their_times),
	T(the_latest_lines_stay), T(long_and_odd_lines_are_kept_as_text),
	T(a_run_is_given_the_lines), T(series_have_a_bound),
	T(many_in_one_call_have_the_same_bound), T(one_series_stays_small),
	T(time_forgets_all_of_it), T(a_full_queue_stores_nothing),
	T(an_event_is_needed_where_it_is_raised), T(no_more_than_a_call_takes))
