/* store.c: the life of a struct store, and the frame that its calls share.
 *
 * Owns the connections: one for the calls, a second one for the one command that blocks, and one more for who follows the
 * bus (store_bus.c). What a
 * call says and what its answer means is in store_ingest.c, store_runs.c, store_time.c and store_query.c.
 */
#include "store/store_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/utf8.h"

static const char *const decision_names[] = {
	[DECISION_RUN] = "run",
	[DECISION_PENDING] = "pending",
	[DECISION_APPROVAL] = "approval",
	[DECISION_DUPLICATE] = "duplicate",
	[DECISION_COOLDOWN] = "cooldown",
	[DECISION_LIMIT] = "limit",
	[DECISION_FLAPPING] = "flapping",
	[DECISION_PAUSED] = "paused",
	[DECISION_DRY_RUN] = "dry_run",
	[DECISION_ERROR] = "error",
};

const char *decision_name(enum decision d)
{
	return decision_names[d];
}

/* ---- life ---- */

static void on_state(void *ctx, bool up, const struct err *why)
{
	struct store *s = ctx;

	if (s->on_state)
		s->on_state(s->ctx, up, why);
}

static void on_turn_end(void *ctx)
{
	struct store *s = ctx;

	store_batch_send_due(s);
}

static void on_bell_id(void *ctx, const struct err *e, const redisReply *reply)
{
	struct store *s = ctx;

	s->bell_id = e ? 0 : redis_number(reply);
}

/* What Redis holds was looked at on the other connection. Where it does not tell the id, a wait just lasts its time. */
static void greet_bell(void *ctx)
{
	struct store *s = ctx;
	struct err e;

	s->bell_id = 0;
	if (redis_begin(s->bell, 2, &e) == 0) {
		redis_arg_z(s->bell, "CLIENT");
		redis_arg_z(s->bell, "ID");
		redis_end(s->bell, 0, on_bell_id, s, &e);
	}
	redis_ready(s->bell);
}

static int connect_both(struct store *s, const struct store_options *o, struct err *e)
{
	struct redis_options ro = {
		.loop = o->loop,
		.address = o->address,
		.slow_after_ms = o->slow_after_ms,
		.pending_limit = STORE_PENDING_LIMIT,
		.on_connected = store_greet,
		.on_state = on_state,
		.on_turn_end = on_turn_end,
		.ctx = s,
	};

	if (o->blocking) {
		struct redis_options bell = ro;
		bell.on_connected = greet_bell;
		bell.on_state = NULL;
		bell.on_turn_end = NULL;
		s->bell = redis_new(&bell, e);
		if (!s->bell)
			return -1;
	}
	s->redis = redis_new(&ro, e);
	if (!s->redis && s->bell)
		redis_close(s->bell, NULL, NULL);
	return s->redis ? 0 : -1;
}

struct store *store_new(const struct store_options *o, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	size_t size = o->namespace_.n + sizeof("rb:{:0}");
	char *prefix = malloc(size);

	if (!s || !prefix) {
		err_set(e, ERR_NOMEM, "no memory for the store");
		goto fail;
	}
	int n = snprintf(prefix, size, "rb:{%.*s:0}", STR_ARG(o->namespace_));
	s->prefix = (struct str){prefix, (size_t)n};
	buf_init(&s->scratch, BUF_NO_LIMIT);
	buf_init(&s->head, BUF_NO_LIMIT);
	buf_init(&s->keys, BUF_NO_LIMIT);
	buf_init(&s->args, BUF_NO_LIMIT);
	s->loop = o->loop;
	s->address = strndup(o->address.p, o->address.n);
	s->slow_after_ms = o->slow_after_ms;
	s->load_library = o->load_library;
	s->look_at_keeping = o->look_at_keeping;
	s->own_clock = o->own_clock;
	buf_init(&s->warning, STORE_WARNING_LIMIT);
	s->library_version = store_library_version();
	s->on_state = o->on_state;
	s->ctx = o->ctx;
	if (!s->address)
		err_set(e, ERR_NOMEM, "no memory for the store");
	if (!s->address || connect_both(s, o, e))
		goto fail;
	return s;
fail:
	if (s)
		free(s->address);
	free(prefix);
	free(s);
	return NULL;
}

static void on_closed(void *ctx)
{
	struct store *s = ctx;

	if (--s->closing > 0)
		return;
	void (*closed)(void *) = s->closed;
	void *closed_ctx = s->closed_ctx;
	free((char *)s->prefix.p);
	free(s->address);
	buf_release(&s->scratch);
	buf_release(&s->head);
	buf_release(&s->keys);
	buf_release(&s->args);
	buf_release(&s->warning);
	free(s);
	if (closed)
		closed(closed_ctx);
}

void store_close(struct store *s, void (*done)(void *ctx), void *ctx)
{
	struct err why;

	err_set(&why, ERR_AWAY, "the store is being closed");
	store_batch_drop(s, &why);
	s->closed = done;
	s->closed_ctx = ctx;
	s->on_state = NULL;
	s->closing = 1 + (s->bell != NULL) + (s->follow != NULL);
	store_bus_close(s, on_closed, s);
	if (s->bell)
		redis_close(s->bell, on_closed, s);
	redis_close(s->redis, on_closed, s);
}

bool store_up(const struct store *s)
{
	return redis_up(s->redis);
}

const char *store_why(const struct store *s)
{
	return redis_why(s->redis);
}

const char *store_warning(const struct store *s)
{
	return s->warning.n > 0 ? s->warning.p : "";
}

/* ---- the frame of a call ---- */

void *store_call(size_t size, struct err *e)
{
	void *p = calloc(1, size);

	if (!p)
		err_set(e, ERR_NOMEM, "no memory for a call to Redis");
	return p;
}

int store_begin_on(struct store *s, struct redis *r, const char *function, size_t args, struct err *e)
{
	if (!redis_up(r))
		return err_set(e, ERR_AWAY, "%s", redis_why(r));
	if (redis_begin(r, 4 + args, e))
		return -1;
	redis_arg(r, STR("FCALL"));
	redis_arg_z(r, function);
	redis_arg(r, STR("1"));
	redis_arg(r, s->prefix);
	return 0;
}

int store_begin(struct store *s, const char *function, size_t args, struct err *e)
{
	return store_begin_on(s, s->redis, function, args, e);
}

int store_command_for(struct store *s, size_t words, void *call, struct err *e)
{
	if (call && !store_up(s))
		err_set(e, ERR_AWAY, "%s", store_why(s));
	else if (call && redis_begin(s->redis, words, e) == 0)
		return 0;
	free(call);
	return -1;
}

int store_begin_for(struct store *s, const char *function, size_t args, void *call, struct err *e)
{
	if (call && store_begin(s, function, args, e) == 0)
		return 0;
	free(call);
	return -1;
}

int store_end(struct store *s, redis_reply_cb cb, void *call, struct err *e)
{
	int rc = redis_end(s->redis, 0, cb, call, e);

	if (rc)
		free(call);
	return rc;
}

const redisReply *store_at(const redisReply *reply, size_t i)
{
	return reply && reply->type == REDIS_REPLY_ARRAY && i < reply->elements ? reply->element[i] : NULL;
}

struct str store_text_at(const redisReply *reply, size_t i)
{
	return redis_text(store_at(reply, i));
}

int64_t store_number_at(const redisReply *reply, size_t i)
{
	return redis_number(store_at(reply, i));
}

struct str store_short(struct str s, char hex[66])
{
	if (s.n <= STORE_CORR_LIMIT)
		return s;
	hex[0] = '#';
	hash_sha256_hex(s, hex + 1);
	return (struct str){hex, 65};
}

void store_event_id(struct str sid, char out[ID_LEN + 1])
{
	uint64_t part[2] = {0, 0};
	int which = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sid.n; i++) {
		if (sid.p[i] == '-' && which == 0)
			which = 1;
		else if (sid.p[i] >= '0' && sid.p[i] <= '9')
			part[which] = part[which] * 10 + (uint64_t)(sid.p[i] - '0');
		else
			return;
	}
	if (which == 1)
		id_from_ms_seq((int64_t)part[0], part[1], out);
}

bool store_sid(struct str id, char sid[48])
{
	int64_t ms;
	uint64_t seq;

	if (!id_to_ms_seq(id, &ms, &seq))
		return false;
	snprintf(sid, 48, "%lld-%llu", (long long)ms, (unsigned long long)seq);
	return true;
}

struct str store_clean(struct buf *b, struct str s)
{
	size_t good = utf8_valid(s);

	if (good == s.n)
		return s;
	buf_clear(b);
	while (s.n > 0) {
		buf_add(b, s.p, good);
		s = (struct str){s.p + good, s.n - good};
		if (s.n > 0) {
			buf_puts(b, UTF8_REPLACEMENT);
			s = (struct str){s.p + 1, s.n - 1};
		}
		good = utf8_valid(s);
	}
	return buf_as_str(b);
}

struct store_plain *store_plain_new(store_done_cb cb, void *ctx, struct err *e)
{
	struct store_plain *c = store_call(sizeof(*c), e);

	if (c) {
		c->cb = cb;
		c->ctx = ctx;
	}
	return c;
}

void store_plain_answer(void *ctx, const struct err *e, const redisReply *reply)
{
	struct store_plain *c = ctx;

	(void)reply;
	if (c->cb)
		c->cb(c->ctx, e);
	free(c);
}
