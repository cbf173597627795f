/* store_batch.c: ingests that come together as one function call.
 *
 * Under load many messages come while Redis works. What a call costs it beside its events (the function's start,
 * the incident, the keys that several of them share, the lines of the append-only file, the disk) is then paid once.
 *
 * There are two kinds, each with its own function: messages with all there is, and resends, of which Redis needs to hear less
 * (docs/design/resends.md). A batch grows until the turn of the loop ends and fewer than BATCHES_UNDER_WAY of its kind are
 * waiting for their answers, or it is full, or a message comes that does not go with it (other limits, another
 * ruleset, one that left alerts out). Each message keeps its own answer and its own error: where the call is refused,
 * nothing of it was stored, and each of its messages is sent again alone. For BATCH_PAUSE_MS after that no batches of this
 * kind are made: what refused one (a full queue, an alert that Redis does not know any more) may refuse the next.
 *
 * It does not reorder the messages that it joins. One kind may overtake the other: no order is promised between requests
 * that are under way at once.
 */
#include <stdlib.h>
#include "store/store_impl.h"

#define BATCH_BYTES ((size_t)1 << 20) /* a message that is larger goes alone */
#define BATCH_PAUSE_MS 1000
/* One that Redis works on and one that waits there, so that it never idles for us. More would only make them smaller:
 * Redis takes one after the other. */
#define BATCHES_UNDER_WAY 2

/* Where something of an item lies in a buffer. */
struct span {
	size_t from, to;
};

struct batch_item {
	struct ingest_call *call;
	size_t n;		/* events */
	size_t words_n;
	struct span words, keys;
};

struct store_batch {
	struct store *s;
	enum store_batch_kind kind;
	struct buf head, keys, words; /* as in struct store_batch_part, of all items */
	struct batch_item items[STORE_INGEST_EVENTS_MAX];
	size_t items_n, events_n;
	bool sent; /* it is one of those under way */
};

static void batch_free(struct store_batch *b)
{
	buf_release(&b->head);
	buf_release(&b->keys);
	buf_release(&b->words);
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

/* Several items, one behind the other, as one. */
static struct batch_item joined(const struct batch_item *items, size_t n)
{
	struct batch_item all = items[0];

	for (size_t i = 1; i < n; i++) {
		all.n += items[i].n;
		all.words_n += items[i].words_n;
	}
	all.words.to = items[n - 1].words.to;
	all.keys.to = items[n - 1].keys.to;
	return all;
}

static struct str text_of(const struct buf *b, struct span at)
{
	return (struct str){b->p + at.from, at.to - at.from};
}

static int begin_whole(struct store_batch *b, const struct batch_item *items, size_t n, const struct batch_item *all,
	struct err *e)
{
	struct redis *r = b->s->redis;

	if (store_begin(b->s, "rb_ingest_v2", STORE_INGEST_WORDS + all->words_n, e))
		return -1;
	redis_arg(r, sizes_of(b->s, items, n));
	redis_args_ready(r, STORE_INGEST_WORDS - 1, buf_as_str(&b->head));
	redis_args_ready(r, all->words_n, text_of(&b->words, all->words));
	return 0;
}

static int begin_again(struct store_batch *b, const struct batch_item *all, struct err *e)
{
	struct redis *r = b->s->redis;

	if (!redis_up(r))
		return err_set(e, ERR_AWAY, "%s", redis_why(r));
	if (redis_begin(r, 3 + all->n + all->words_n + 1, e))
		return -1;
	redis_arg(r, STR("FCALL"));
	redis_arg(r, STR("rb_again_v1"));
	redis_arg_i64(r, (int64_t)all->n);
	redis_args_ready(r, all->n, text_of(&b->keys, all->keys));
	redis_args_ready(r, all->words_n, text_of(&b->words, all->words));
	redis_args_ready(r, 1, buf_as_str(&b->head));
	return 0;
}

/* One call with these items, which lie one behind the other. */
static int send_items(struct store_batch *b, const struct batch_item *items, size_t n, redis_reply_cb cb, void *ctx,
	struct err *e)
{
	const struct batch_item all = joined(items, n);

	if (b->kind == STORE_BATCH_AGAIN ? begin_again(b, &all, e) : begin_whole(b, items, n, &all, e))
		return -1;
	return redis_end(b->s->redis, 0, cb, ctx, e);
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
	struct store_batches *kind = &s->batches[b->kind];
	size_t at = 0;

	if (b->sent)
		kind->under_way--;
	if (e && e->code != ERR_AWAY && b->items_n > 1) {
		kind->pause_ms = (int64_t)uv_now(s->loop) + BATCH_PAUSE_MS;
		send_each(b);
	} else {
		for (size_t i = 0; i < b->items_n; i++)
			store_ingest_answer(b->items[i].call, e, reply, &at);
	}
	batch_free(b);
	if (kind->open)
		redis_wake(s->redis);
}

/* Now, however many are under way. */
static void batch_send(struct store_batches *kind)
{
	struct store_batch *b = kind->open;
	struct err e;

	kind->open = NULL;
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
	kind->under_way++;
	if (b->items_n == 1) { /* never sent again */
		buf_release(&b->keys);
		buf_release(&b->words);
	}
}

void store_batch_send_due(struct store *s)
{
	for (int k = 0; k < STORE_BATCH_KINDS; k++)
		while (s->batches[k].open && s->batches[k].under_way < BATCHES_UNDER_WAY)
			batch_send(&s->batches[k]);
}

void store_batch_drop(struct store *s, const struct err *why)
{
	for (int k = 0; k < STORE_BATCH_KINDS; k++) {
		struct store_batch *b = s->batches[k].open;

		s->batches[k].open = NULL;
		if (b && b->items_n > 0)
			on_batch(b, why, NULL);
		else if (b)
			batch_free(b);
	}
}

static struct store_batch *batch_new(struct store *s, enum store_batch_kind kind, struct str head, struct err *e)
{
	struct store_batch *b = store_call(sizeof(*b), e);

	if (!b)
		return NULL;
	b->s = s;
	b->kind = kind;
	buf_init(&b->head, BUF_NO_LIMIT);
	buf_init(&b->keys, BUF_NO_LIMIT);
	buf_init(&b->words, BUF_NO_LIMIT);
	buf_str(&b->head, head);
	return b;
}

static bool goes_with(const struct store_batch *b, size_t events, const struct store_batch_part *part)
{
	return b->items_n < STORE_INGEST_EVENTS_MAX && b->events_n + events <= STORE_INGEST_EVENTS_MAX &&
	       b->words.n + part->words.n + b->keys.n + part->keys.n <= BATCH_BYTES &&
	       str_eq(buf_as_str(&b->head), part->head);
}

static struct span append(struct buf *b, struct str s)
{
	size_t from = b->n;

	buf_str(b, s);
	return (struct span){from, b->n};
}

/* Without memory: as if nothing had been put to it. */
static void take_back(struct buf *b, size_t n)
{
	b->failed = false;
	b->n = n;
}

int store_batch_add(struct store *s, enum store_batch_kind kind, struct ingest_call *call,
	const struct store_batch_part *part, struct err *e)
{
	struct store_batches *of = &s->batches[kind];

	if (of->open && !goes_with(of->open, call->n, part))
		batch_send(of);
	if (!of->open)
		of->open = batch_new(s, kind, part->head, e);
	struct store_batch *b = of->open;
	if (!b)
		return -1;
	const struct batch_item item = {call, call->n, part->words_n, append(&b->words, part->words),
		append(&b->keys, part->keys)};
	if (buf_failed(&b->words) || buf_failed(&b->keys) || buf_failed(&b->head)) {
		take_back(&b->words, item.words.from);
		take_back(&b->keys, item.keys.from);
		return err_set(e, ERR_NOMEM, "no memory for a call to Redis");
	}
	b->items[b->items_n++] = item;
	b->events_n += call->n;
	if ((int64_t)uv_now(s->loop) < of->pause_ms)
		batch_send(of);
	else
		redis_wake(s->redis);
	return 0;
}
