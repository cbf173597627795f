/* store_pause.c: pauses, which people begin and end.
 *
 * They are kept and looked at by the library (36-suppress.lua), in the step that decides; here are
 * only the calls. That names, times and texts are sound is the caller's to check.
 */
#include "store/store_impl.h"

#include <stdlib.h>

struct pause_call {
	store_text_cb cb;
	void *ctx;
};

static void on_text(void *ctx, const struct err *e, const redisReply *reply)
{
	struct pause_call *c = ctx;

	c->cb(c->ctx, e, redis_text(reply));
	free(c);
}

/* NULL with e: nothing was begun. */
static struct pause_call *begin(struct store *s, const char *function, size_t args,
	store_text_cb cb, void *ctx, struct err *e)
{
	struct pause_call *c = store_call(sizeof(*c), e);

	if (store_begin_for(s, function, args, c, e))
		return NULL;
	c->cb = cb;
	c->ctx = ctx;
	return c;
}

int store_pause(
	struct store *s, const struct store_pause *in, store_text_cb cb, void *ctx, struct err *e)
{
	struct pause_call *c = begin(s, "rb_pause_v1", 5, cb, ctx, e);

	if (!c)
		return -1;
	redis_arg(s->redis, in->what);
	redis_arg_i64(s->redis, in->for_ms);
	redis_arg(s->redis, store_clean(&s->scratch, in->who));
	redis_arg(s->redis, store_clean(&s->scratch, in->reason));
	redis_arg(s->redis, in->tests);
	return store_end(s, on_text, c, e);
}

int store_resume(
	struct store *s, const struct store_pause *in, store_text_cb cb, void *ctx, struct err *e)
{
	struct pause_call *c = begin(s, "rb_resume_v1", 3, cb, ctx, e);

	if (!c)
		return -1;
	redis_arg(s->redis, in->what);
	redis_arg(s->redis, store_clean(&s->scratch, in->who));
	redis_arg(s->redis, store_clean(&s->scratch, in->reason));
	return store_end(s, on_text, c, e);
}

int store_pauses(struct store *s, store_text_cb cb, void *ctx, struct err *e)
{
	struct pause_call *c = begin(s, "rb_pauses_v1", 0, cb, ctx, e);

	return c ? store_end(s, on_text, c, e) : -1;
}
