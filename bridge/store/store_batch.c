/* store_batch.c: ingests that come together as one function call.
 *
 * Under load many messages come while Redis works. What a call costs it beside its events (the function's start,
 * the incident, the keys that several of them share, the lines of the append-only file, the disk) is then paid once.
 *
 * A batch grows until the turn of the loop ends and fewer than BATCHES_UNDER_WAY are waiting for their answers, or it is full,
 * or a message comes that does not go with it (other limits, another
 * ruleset, one that left alerts out). Each message keeps its own answer and its own error: where the call is refused,
 * nothing of it was stored, and each of its messages is sent again alone. For BATCH_PAUSE_MS after that no batches are made:
 * what refused one (a full queue) will refuse the next.
 *
 * It does not reorder the messages that it joins. Resends, which have a shorter call, may overtake them: no order is
 * promised between requests that are under way at once.
 */
#include <stdlib.h>
#include "store/store_impl.h"

#define BATCH_BYTES ((size_t)1 << 20) /* a message that is larger goes alone */
#define BATCH_PAUSE_MS 1000
/* One that Redis works on and one that waits there, so that it never idles for us. More would only make them smaller:
 * Redis takes one after the other. */
#define BATCHES_UNDER_WAY 2

struct batch_item {
	struct ingest_call *call;
	size_t n;		/* events */
	size_t args, from, to;	/* their arguments: how many, and where in `events` */
};

struct store_batch {
	struct store *s;
	struct buf head;	/* "limits truncated ruleset", encoded */
	struct buf events;	/* arguments of all items, encoded */
	struct batch_item items[STORE_INGEST_EVENTS_MAX];
	size_t items_n, events_n, args;
	bool sent; /* it is one of batches_under_way */
};

static void batch_free(struct store_batch *b)
{
	buf_release(&b->head);
	buf_release(&b->events);
	free(b);
}

/* The messages' sizes, as the function's first argument has them: "1 1 3". */
static struct str sizes_of(struct store *s, const struct batch_item *items, size_t n)
{
	buf_clear(&s->scratch);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(&s->scratch, ' ');
		buf_u64(&s->scratch, items[i].n);
	}
	return buf_as_str(&s->scratch);
}

/* One call with these items, which lie one behind the other. */
static int send_items(struct store_batch *b, const struct batch_item *items, size_t n, redis_reply_cb cb, void *ctx,
	struct err *e)
{
	struct redis *r = b->s->redis;
	size_t args = 0;

	for (size_t i = 0; i < n; i++)
		args += items[i].args;
	if (store_begin(b->s, "rb_ingest_v2", STORE_INGEST_WORDS + args, e))
		return -1;
	redis_arg(r, sizes_of(b->s, items, n));
	redis_args_ready(r, STORE_INGEST_WORDS - 1, buf_as_str(&b->head));
	redis_args_ready(r, args, (struct str){b->events.p + items[0].from, items[n - 1].to - items[0].from});
	return redis_end(r, 0, cb, ctx, e);
}

static void on_single(void *ctx, const struct err *e, const redisReply *reply)
{
	size_t at = 0;

	store_ingest_answer(ctx, e, reply, &at);
}

static void send_each(struct store_batch *b)
{
	struct err e;
	size_t at = 0;

	for (size_t i = 0; i < b->items_n; i++)
		if (send_items(b, &b->items[i], 1, on_single, b->items[i].call, &e))
			store_ingest_answer(b->items[i].call, &e, NULL, &at);
}

static void on_batch(void *ctx, const struct err *e, const redisReply *reply)
{
	struct store_batch *b = ctx;
	struct store *s = b->s;
	size_t at = 0;

	if (b->sent)
		s->batches_under_way--;
	if (e && e->code != ERR_AWAY && b->items_n > 1) {
		s->batch_pause_ms = (int64_t)uv_now(s->loop) + BATCH_PAUSE_MS;
		send_each(b);
	} else {
		for (size_t i = 0; i < b->items_n; i++)
			store_ingest_answer(b->items[i].call, e, reply, &at);
	}
	batch_free(b);
	if (s->batch)
		redis_wake(s->redis);
}

/* Now, however many are under way. */
static void batch_send(struct store *s)
{
	struct store_batch *b = s->batch;
	struct err e;

	s->batch = NULL;
	if (!b)
		return;
	if (b->items_n == 0) {
		batch_free(b);
		return;
	}
	if (send_items(b, b->items, b->items_n, on_batch, b, &e)) {
		on_batch(b, &e, NULL);
		return;
	}
	b->sent = true;
	s->batches_under_way++;
	if (b->items_n == 1) /* never sent again */
		buf_release(&b->events);
}

void store_batch_send_due(struct store *s)
{
	while (s->batch && s->batches_under_way < BATCHES_UNDER_WAY)
		batch_send(s);
}

void store_batch_drop(struct store *s, const struct err *why)
{
	struct store_batch *b = s->batch;

	s->batch = NULL;
	if (b && b->items_n > 0)
		on_batch(b, why, NULL);
	else if (b)
		batch_free(b);
}

static struct store_batch *batch_new(struct store *s, struct str head, struct err *e)
{
	struct store_batch *b = store_call(sizeof(*b), e);

	if (!b)
		return NULL;
	b->s = s;
	buf_init(&b->head, BUF_NO_LIMIT);
	buf_init(&b->events, BUF_NO_LIMIT);
	buf_str(&b->head, head);
	return b;
}

static bool goes_with(const struct store_batch *b, struct str head, size_t events, size_t bytes)
{
	return b->items_n < STORE_INGEST_EVENTS_MAX && b->events_n + events <= STORE_INGEST_EVENTS_MAX &&
	       b->events.n + bytes <= BATCH_BYTES && str_eq(buf_as_str(&b->head), head);
}

int store_batch_add(struct store *s, struct ingest_call *call, size_t events, struct str head, struct str bytes,
	size_t args, struct err *e)
{
	if (s->batch && !goes_with(s->batch, head, events, bytes.n))
		batch_send(s);
	if (!s->batch)
		s->batch = batch_new(s, head, e);
	struct store_batch *b = s->batch;
	if (!b)
		return -1;
	size_t from = b->events.n;
	buf_str(&b->events, bytes);
	if (buf_failed(&b->events) || buf_failed(&b->head)) {
		b->events.failed = false;
		b->events.n = from;
		return err_set(e, ERR_NOMEM, "no memory for a call to Redis");
	}
	b->items[b->items_n++] = (struct batch_item){call, events, args, from, b->events.n};
	b->events_n += events;
	b->args += args;
	if ((int64_t)uv_now(s->loop) < s->batch_pause_ms)
		batch_send(s);
	else
		redis_wake(s->redis);
	return 0;
}
