/* store_trial.c: a store that rules are tried out on: with a clock that is handed in, and with a look at all that was
 * written.
 *
 * The library is the one of production but for one word: TEST_CLOCK says that the time is the number in the key `clock`.
 * Such a text belongs into a private server that ends with its user; a server that has a library of this number keeps it,
 * so nothing here must ever meet a Redis that others use.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "store/library.h"
#include "store/store_impl.h"

char *store_library_own_clock(void)
{
	static const char off[] = "\nlocal TEST_CLOCK = false", on[] = "\nlocal TEST_CLOCK = true ";
	char *text = strdup(store_library);
	char *at = text ? strstr(text, off) : NULL;

	assert(!text || at);
	if (at)
		memcpy(at, on, sizeof(on) - 1);
	return text;
}

int store_set_clock(struct store *s, int64_t now_ms, store_done_cb cb, void *ctx, struct err *e)
{
	struct store_plain *c = store_plain_new(cb, ctx, e);

	if (!c)
		return -1;
	if (!store_up(s))
		err_set(e, ERR_AWAY, "%s", store_why(s));
	if (!store_up(s) || redis_begin(s->redis, 3, e)) {
		free(c);
		return -1;
	}
	redis_arg_z(s->redis, "SET");
	redis_arg_join(s->redis, s->prefix, STR(":clock"));
	redis_arg_i64(s->redis, now_ms);
	return store_end(s, store_plain_answer, c, e);
}

/* ---- the bus ---- */

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

static void on_records(void *ctx, const struct err *e, const redisReply *reply)
{
	struct records_call *c = ctx;
	size_t n = e ? 0 : reply->elements;
	struct store_record *v = calloc(n + 1, sizeof(*v));
	char (*ids)[ID_LEN + 1] = calloc(n + 1, sizeof(*ids));
	struct err nomem;

	if ((!v || !ids) && !e) {
		err_set(&nomem, ERR_NOMEM, "no memory for the bus");
		e = &nomem;
	}
	if (e)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		const redisReply *entry = store_at(reply, i);

		store_event_id(store_text_at(entry, 0), ids[i]);
		v[i] = (struct store_record){
			.id = str_of(ids[i]),
			.time_ms = strtoll(store_text_at(entry, 0).p, NULL, 10),
			.kind = field(entry, "kind"),
			.incident = field(entry, "incident"),
			.decisions_json = field(entry, "decisions"),
			.json = field(entry, "event"),
		};
	}
	c->cb(c->ctx, e, e ? NULL : v, n);
	free(v);
	free(ids);
	free(c);
}

int store_records(struct store *s, struct str after, size_t limit, store_records_cb cb, void *ctx, struct err *e)
{
	char sid[48] = "";
	struct records_call *c;

	if (after.n && !store_sid(after, sid))
		return err_set(e, ERR_INPUT, "'%.*s' is no id of a record", after.n > 80 ? 80 : (int)after.n, after.p);
	c = store_call(sizeof(*c), e);
	if (!c)
		return -1;
	if (!store_up(s))
		err_set(e, ERR_AWAY, "%s", store_why(s));
	if (!store_up(s) || redis_begin(s->redis, 6, e)) {
		free(c);
		return -1;
	}
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
