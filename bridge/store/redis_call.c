/* redis_call.c: commands as bytes, and what is in flight.
 *
 * Owns the writing of RESP onto r->out and the ring of those that wait for an answer. A command is written whole or
 * not at all: where memory or the limit of the buffer ends in the middle, redis_end takes it back. Guarantee: one
 * entry of the ring for each command in r->out or on the wire, in the same order.
 */
#include "store/redis_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int redis_pending_push(struct redis *r, const struct redis_pending *p)
{
	if (r->pending_n == r->pending_cap) {
		size_t cap = r->pending_cap ? r->pending_cap * 2 : 64;
		struct redis_pending *v = calloc(cap, sizeof(*v));
		if (!v)
			return -1;
		for (size_t i = 0; i < r->pending_n; i++)
			v[i] = r->pending[(r->pending_head + i) & (r->pending_cap - 1)];
		free(r->pending);
		r->pending = v;
		r->pending_cap = cap;
		r->pending_head = 0;
	}
	r->pending[(r->pending_head + r->pending_n) & (r->pending_cap - 1)] = *p;
	r->pending_n++;
	return 0;
}

struct redis_pending redis_pending_pop(struct redis *r)
{
	assert(r->pending_n > 0);
	struct redis_pending p = r->pending[r->pending_head];
	r->pending_head = (r->pending_head + 1) & (r->pending_cap - 1);
	r->pending_n--;
	return p;
}

const struct redis_pending *redis_pending_head(const struct redis *r)
{
	return r->pending_n > 0 ? &r->pending[r->pending_head] : NULL;
}

int redis_begin(struct redis *r, size_t argc, struct err *e)
{
	if (r->phase != REDIS_UP && r->phase != REDIS_GREETING)
		return err_set(e, ERR_AWAY, "%s", redis_why(r));
	if (r->pending_n >= r->pending_limit)
		return err_set(e, ERR_AWAY, "%zu calls to Redis are in flight already", r->pending_n);
	assert(r->args_left == 0);
	r->out_start = r->out.n;
	r->args_left = argc;
	buf_putc(&r->out, '*');
	buf_u64(&r->out, argc);
	buf_add(&r->out, "\r\n", 2);
	return 0;
}

static void arg_head(struct redis *r, size_t n)
{
	assert(r->args_left > 0);
	r->args_left--;
	buf_putc(&r->out, '$');
	buf_u64(&r->out, n);
	buf_add(&r->out, "\r\n", 2);
}

void redis_arg(struct redis *r, struct str s)
{
	arg_head(r, s.n);
	buf_str(&r->out, s);
	buf_add(&r->out, "\r\n", 2);
}

void redis_arg_z(struct redis *r, const char *z)
{
	redis_arg(r, str_of(z));
}

void redis_arg_i64(struct redis *r, int64_t v)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		digits[--at] = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		digits[--at] = '-';
	redis_arg(r, (struct str){digits + at, sizeof(digits) - at});
}

void redis_arg_join(struct redis *r, struct str a, struct str b)
{
	arg_head(r, a.n + b.n);
	buf_str(&r->out, a);
	buf_str(&r->out, b);
	buf_add(&r->out, "\r\n", 2);
}

/* Takes the command back that began at out_start. */
static void undo(struct redis *r)
{
	struct buf *b = &r->out;

	b->n = r->out_start;
	b->failed = false;
	if (b->p)
		b->p[b->n] = '\0';
}

void redis_args_ready(struct redis *r, size_t n, struct str encoded)
{
	assert(r->args_left >= n);
	r->args_left -= n;
	buf_str(&r->out, encoded);
}

void redis_aside_begin(struct redis *r)
{
	assert(r->args_left == 0);
	r->out_start = r->out.n;
	r->args_left = SIZE_MAX;
}

size_t redis_aside_end(struct redis *r, struct buf *into)
{
	size_t n = SIZE_MAX - r->args_left;

	buf_add(into, r->out.p + r->out_start, r->out.n - r->out_start);
	into->failed |= r->out.failed;
	r->args_left = 0;
	undo(r);
	return n;
}

int redis_end(struct redis *r, int64_t blocks_ms, redis_reply_cb cb, void *ctx, struct err *e)
{
	struct redis_pending p = {cb, ctx, uv_hrtime(), 0};

	assert(r->args_left == 0);
	p.deadline_ms = redis_listened_ms(r) + r->slow_after_ms + blocks_ms;
	if (buf_failed(&r->out) || redis_pending_push(r, &p)) {
		undo(r);
		return err_set(e, ERR_AWAY, "more than %zu MiB wait to be written to Redis",
			REDIS_OUT_LIMIT >> 20);
	}
	redis_wake(r);
	redis_watch(r);
	return 0;
}

struct str redis_text(const redisReply *reply)
{
	if (!reply || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS))
		return STR_NONE;
	return (struct str){reply->str, (size_t)reply->len};
}

int64_t redis_number(const redisReply *reply)
{
	if (!reply)
		return 0;
	if (reply->type == REDIS_REPLY_INTEGER)
		return reply->integer;
	return reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
}

/* How the text of an error answer begins, and what it means. Those with `true` are our library's own. */
static const struct {
	const char *word;
	enum err_code code;
	bool own;
} words[] = {
	{"FULL ", ERR_FULL, true},
	{"FENCED ", ERR_CONFLICT, true},
	{"NAMED ", ERR_CONFLICT, true},
	{"WHOLE ", ERR_CONFLICT, true},
	{"STATE ", ERR_CONFLICT, true},
	{"KEYUSED ", ERR_CONFLICT, true},
	{"NOTFOUND ", ERR_NOT_FOUND, true},
	{"ERR Function not found", ERR_AWAY, false},
	{"LOADING ", ERR_AWAY, false},
	{"BUSY ", ERR_AWAY, false},
	{"OOM ", ERR_AWAY, false},
	{"MISCONF ", ERR_AWAY, false},
	{"READONLY ", ERR_AWAY, false},
	{"MASTERDOWN ", ERR_AWAY, false},
	{"NOREPLICAS ", ERR_AWAY, false},
	{"CLUSTERDOWN ", ERR_AWAY, false},
	{"TRYAGAIN ", ERR_AWAY, false},
	{"NOAUTH ", ERR_AWAY, false},
	{"WRONGPASS ", ERR_AWAY, false},
	{"NOPERM ", ERR_AWAY, false},
};

void redis_err_of(const redisReply *reply, struct err *e)
{
	struct str text = {reply->str, (size_t)reply->len};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct str word = str_of(words[i].word);
		if (!str_starts(text, word))
			continue;
		if (words[i].own)
			text = (struct str){text.p + word.n, text.n - word.n};
		err_set(e, words[i].code, "%s%.*s", words[i].own ? "" : "redis says: ", STR_ARG(text));
		return;
	}
	err_set(e, ERR_IO, "redis says: %.*s", STR_ARG(text));
}
