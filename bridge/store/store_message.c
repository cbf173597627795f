/* store_message.c: the two commands of message.h.
 *
 * Plain SET and GET of rb:{…}:message:ID. Does not look into the text, and does not check that the id
 * is its digest: who puts it made both.
 */
#include "store/message.h"

#include <stdlib.h>
#include "store/store_impl.h"

struct get_call {
	store_text_cb cb;
	void *ctx;
};

static struct str key_of(struct store *s, struct str id)
{
	buf_clear(&s->scratch);
	buf_str(&s->scratch, s->prefix);
	buf_puts(&s->scratch, ":message:");
	buf_str(&s->scratch, id);
	return buf_as_str(&s->scratch);
}

int store_message_put(struct store *s, struct str id, struct str json, int64_t keep_ms, store_done_cb cb, void *ctx,
	struct err *e)
{
	struct store_plain *c = store_plain_new(cb, ctx, e);

	if (store_command_for(s, 5, c, e))
		return -1;
	redis_arg(s->redis, STR("SET"));
	redis_arg(s->redis, key_of(s, id));
	redis_arg(s->redis, json);
	redis_arg(s->redis, STR("PX"));
	redis_arg_i64(s->redis, keep_ms > 0 ? keep_ms : 1);
	return store_end(s, store_plain_answer, c, e);
}

static void on_get(void *ctx, const struct err *e, const redisReply *reply)
{
	struct get_call *c = ctx;
	struct err gone;

	if (!e && reply->type != REDIS_REPLY_STRING) {
		err_set(&gone, ERR_NOT_FOUND, "the message is not kept any more");
		e = &gone;
	}
	c->cb(c->ctx, e, e ? STR_NONE : redis_text(reply));
	free(c);
}

int store_message_get(struct store *s, struct str id, store_text_cb cb, void *ctx, struct err *e)
{
	struct get_call *c = store_call(sizeof(*c), e);

	if (store_command_for(s, 2, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	redis_arg(s->redis, STR("GET"));
	redis_arg(s->redis, key_of(s, id));
	return store_end(s, on_get, c, e);
}
