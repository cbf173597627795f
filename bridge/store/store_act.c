/* store_act.c: what people do with incidents.
 *
 * It is decided and kept by the library (55-incidents.lua); here is only the call. That texts are
 * of a sound size is the caller's to check.
 */
#include "store/store_impl.h"

#include <stdlib.h>

static const char *const names[] = {
	[STORE_ACK] = "ack",
	[STORE_UNACK] = "unack",
	[STORE_CLOSE] = "close",
	[STORE_NOTE] = "note",
};

struct act_call {
	store_text_cb cb;
	void *ctx;
};

static void on_text(void *ctx, const struct err *e, const redisReply *reply)
{
	struct act_call *c = ctx;

	c->cb(c->ctx, e, redis_text(reply));
	free(c);
}

int store_incident_act(
	struct store *s, const struct store_act *in, store_text_cb cb, void *ctx, struct err *e)
{
	if (!id_valid(in->incident))
		return err_set(e, ERR_NOT_FOUND, "there is no incident '%.*s'",
			in->incident.n > 80 ? 80 : (int)in->incident.n,
			in->incident.n ? in->incident.p : "");
	struct act_call *c = store_call(sizeof(*c), e);
	if (store_begin_for(s, "rb_incident_act_v1", 4, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	redis_arg_z(s->redis, names[in->what]);
	redis_arg(s->redis, in->incident);
	redis_arg(s->redis, store_clean(&s->scratch, in->who));
	redis_arg(s->redis, store_clean(&s->scratch, in->text));
	return store_end(s, on_text, c, e);
}
