/* store_bus.c: the bus, record by record: what is there, and what comes.
 *
 * Waiting for what comes blocks a connection, so it has one of its own, which the first wait opens.
 * A wait that finds this connection down is kept until it is up, so its caller has nothing to try
 * again; there is one at a time.
 *
 * Plain commands, no functions: nothing is decided here.
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "store/store_impl.h"

struct records_call {
	store_records_cb cb;
	void *ctx;
};

/* The value of one field of an entry, whose second element is [name, value, …]. */
static struct str field(const redisReply *entry, const char *name)
{
	const redisReply *fields = store_at(entry, 1);

	for (size_t i = 0; fields && i + 1 < fields->elements; i += 2)
		if (str_is(store_text_at(fields, i), name))
			return store_text_at(fields, i + 1);
	return STR_NONE;
}

/* The JSON of all, one behind the other; ends[i]: where that of i ends. What follows from an
 * entry's id is not kept with it, as whole_json() of the library has it. */
static void put_json(struct buf *b, const redisReply *entries, const struct store_record *v,
	size_t n, size_t *ends)
{
	for (size_t i = 0; i < n; i++) {
		struct str json = field(store_at(entries, i), "event");
		char received[CLOCK_RFC3339_MAX];

		if (str_starts(json, STR("{\"id\":\"")) || json.n == 0) { /* a record of before */
			buf_str(b, json);
		} else {
			buf_printf(b, "{\"id\":\"%s\",", v[i].id.p);
			if (!str_starts(json, STR("{\"received\":\""))) {
				clock_format_ms(v[i].time_ms, received);
				buf_printf(b, "\"received\":\"%s\",", received);
			}
			buf_add(b, json.p + 1, json.n - 1);
		}
		ends[i] = b->n;
	}
}

/* entries: NULL where there are none. */
static void answer_records(
	const struct records_call *c, const struct err *e, const redisReply *entries)
{
	size_t n = e || !entries ? 0 : entries->elements;
	struct store_record *v = calloc(n + 1, sizeof(*v));
	char(*ids)[ID_LEN + 1] = calloc(n + 1, sizeof(*ids));
	size_t *ends = calloc(n + 1, sizeof(*ends));
	struct buf json;
	struct err nomem;

	buf_init(&json, BUF_NO_LIMIT);
	for (size_t i = 0; v && ids && ends && i < n; i++) {
		const redisReply *entry = store_at(entries, i);

		store_event_id(store_text_at(entry, 0), ids[i]);
		v[i] = (struct store_record){
			.id = str_of(ids[i]),
			.time_ms = strtoll(store_text_at(entry, 0).p, NULL, 10),
			.kind = field(entry, "kind"),
			.incident = field(entry, "incident"),
			.decisions_json = field(entry, "decisions"),
		};
	}
	if (v && ids && ends)
		put_json(&json, entries, v, n, ends);
	if ((!v || !ids || !ends || buf_failed(&json)) && !e) {
		err_set(&nomem, ERR_NOMEM, "no memory for the bus");
		e = &nomem;
	}
	for (size_t i = 0; !e && i < n; i++) {
		size_t from = i > 0 ? ends[i - 1] : 0;
		v[i].json = (struct str){json.p + from, ends[i] - from};
	}
	c->cb(c->ctx, e, e ? NULL : v, e ? 0 : n);
	buf_release(&json);
	free(v);
	free(ids);
	free(ends);
}

static void on_records(void *ctx, const struct err *e, const redisReply *reply)
{
	answer_records(ctx, e, reply);
	free(ctx);
}

int store_records(struct store *s, struct str after, size_t limit, store_records_cb cb, void *ctx,
	struct err *e)
{
	char sid[48] = "";
	struct records_call *c;

	if (after.n && !store_sid(after, sid))
		return err_set(e, ERR_INPUT, "'%.*s' is no id of a record",
			after.n > 80 ? 80 : (int)after.n, after.p);
	c = store_call(sizeof(*c), e);
	if (store_command_for(s, 6, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	redis_arg_z(s->redis, "XRANGE");
	redis_arg_join(s->redis, s->prefix, STR(":bus"));
	redis_arg_join(s->redis, after.n ? STR("(") : STR("-"), str_of(sid));
	redis_arg_z(s->redis, "+");
	redis_arg_z(s->redis, "COUNT");
	redis_arg_i64(s->redis, (int64_t)limit);
	return store_end(s, on_records, c, e);
}

/* ---- waiting for what comes ---- */

struct records_wait {
	struct records_call call; /* first: it is freed as one */
	struct store *s;
	char after[48];
	size_t limit;
	int64_t wait_ms;
};

/* [[stream, [entry, …]]], or nothing where the time was up. */
static void on_waited(void *ctx, const struct err *e, const redisReply *reply)
{
	struct records_wait *w = ctx;
	const redisReply *stream = e ? NULL : store_at(reply, 0);

	w->s->follow_waits = false;
	answer_records(&w->call, e, stream ? store_at(stream, 1) : NULL);
	free(w);
}

static int send_wait(struct records_wait *w, struct err *e)
{
	struct redis *r = w->s->follow;

	if (redis_begin(r, 8, e))
		return -1;
	redis_arg_z(r, "XREAD");
	redis_arg_z(r, "COUNT");
	redis_arg_i64(r, (int64_t)w->limit);
	redis_arg_z(r, "BLOCK");
	redis_arg_i64(r, w->wait_ms > 0 ? w->wait_ms : 1); /* 0 would be for ever */
	redis_arg_z(r, "STREAMS");
	redis_arg_join(r, w->s->prefix, STR(":bus"));
	redis_arg_z(r, w->after);
	return redis_end(r, w->wait_ms, on_waited, w, e);
}

static void on_follow_state(void *ctx, bool up, const struct err *why)
{
	struct store *s = ctx;
	struct records_wait *w = s->follow_kept;
	struct err e = {0};

	(void)why;
	if (!up || !w)
		return;
	s->follow_kept = NULL;
	if (send_wait(w, &e))
		on_waited(w, &e, NULL);
}

static void greet_follow(void *ctx)
{
	struct store *s = ctx;

	redis_ready(s->follow);
}

static int connect_follow(struct store *s, struct err *e)
{
	struct redis_options o = {
		.loop = s->loop,
		.address = str_of(s->address),
		.slow_after_ms = s->slow_after_ms,
		.pending_limit = STORE_PENDING_LIMIT,
		.on_connected = greet_follow,
		.on_state = on_follow_state,
		.ctx = s,
	};

	s->follow = redis_new(&o, e);
	return s->follow ? 0 : -1;
}

int store_records_wait(struct store *s, struct str after, size_t limit, int64_t wait_ms,
	store_records_cb cb, void *ctx, struct err *e)
{
	struct records_wait *w;

	if (s->closing)
		return err_set(e, ERR_AWAY, "the store is being closed");
	if (s->follow_waits)
		return err_set(e, ERR_CONFLICT, "waiting already");
	if (!s->follow && connect_follow(s, e))
		return -1;
	w = store_call(sizeof(*w), e);
	if (!w)
		return -1;
	*w = (struct records_wait){
		.call = {cb, ctx}, .s = s, .after = "0-0", .limit = limit, .wait_ms = wait_ms};
	if (after.n && !store_sid(after, w->after)) {
		free(w);
		return err_set(e, ERR_INPUT, "'%.*s' is no id of a record",
			after.n > 80 ? 80 : (int)after.n, after.p);
	}
	if (!redis_up(s->follow)) {
		s->follow_kept = w;
	} else if (send_wait(w, e)) {
		free(w);
		return -1;
	}
	s->follow_waits = true;
	return 0;
}

void store_bus_close(struct store *s, void (*done)(void *ctx), void *ctx)
{
	struct records_wait *w = s->follow_kept;
	struct err why;

	s->follow_kept = NULL;
	if (w) {
		err_set(&why, ERR_AWAY, "the store is being closed");
		on_waited(w, &why, NULL);
	}
	if (s->follow)
		redis_close(s->follow, done, ctx);
}

/* ---- what it holds ---- */

struct bus_call {
	store_bus_cb cb;
	void *ctx;
};

static const redisReply *member(const redisReply *reply, const char *name)
{
	for (size_t i = 0; reply && i + 1 < reply->elements; i += 2)
		if (str_is(store_text_at(reply, i), name))
			return store_at(reply, i + 1);
	return NULL;
}

static void on_bus(void *ctx, const struct err *e, const redisReply *reply)
{
	struct bus_call *c = ctx;
	char first[ID_LEN + 1] = "", last[ID_LEN + 1] = "";
	struct store_bus b = {0};
	bool none = e && strstr(e->text, "no such key"); /* nothing was ever written */

	if (!e) {
		store_event_id(store_text_at(member(reply, "first-entry"), 0), first);
		store_event_id(redis_text(member(reply, "last-generated-id")), last);
		b.trimmed = redis_number(member(reply, "entries-added")) >
			    redis_number(member(reply, "length"));
	}
	b.first = str_of(first);
	b.last = str_of(last);
	c->cb(c->ctx, none ? NULL : e, e && !none ? NULL : &b);
	free(c);
}

int store_bus(struct store *s, store_bus_cb cb, void *ctx, struct err *e)
{
	struct bus_call *c = store_call(sizeof(*c), e);

	if (store_command_for(s, 3, c, e))
		return -1;
	*c = (struct bus_call){cb, ctx};
	redis_arg_z(s->redis, "XINFO");
	redis_arg_z(s->redis, "STREAM");
	redis_arg_join(s->redis, s->prefix, STR(":bus"));
	return store_end(s, on_bus, c, e);
}
