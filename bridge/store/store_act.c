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
	[STORE_MERGE] = "merge",
	[STORE_SPLIT] = "split",
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

static int check_id(struct str id, struct err *e)
{
	if (id_valid(id))
		return 0;
	return err_set(e, ERR_NOT_FOUND, "there is no incident '%.*s'", id.n > 80 ? 80 : (int)id.n,
		id.n ? id.p : "");
}

int store_incident_act(
	struct store *s, const struct store_act *in, store_text_cb cb, void *ctx, struct err *e)
{
	bool merge = in->what == STORE_MERGE;
	size_t alerts_n = in->what == STORE_SPLIT ? in->alerts_n : 0;

	if (check_id(in->incident, e) || (merge && check_id(in->into, e)))
		return -1;
	struct act_call *c = store_call(sizeof(*c), e);
	if (store_begin_for(s, "rb_incident_act_v1", 4 + merge + alerts_n, c, e))
		return -1;
	c->cb = cb;
	c->ctx = ctx;
	redis_arg_z(s->redis, names[in->what]);
	redis_arg(s->redis, in->incident);
	redis_arg(s->redis, store_clean(&s->scratch, in->who));
	redis_arg(s->redis, store_clean(&s->scratch, in->text));
	if (merge)
		redis_arg(s->redis, in->into);
	for (size_t i = 0; i < alerts_n; i++)
		redis_arg(s->redis, store_clean(&s->scratch, in->alerts[i]));
	return store_end(s, on_text, c, e);
}
