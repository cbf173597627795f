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

	if (store_command_for(s, 3, c, e))
		return -1;
	redis_arg_z(s->redis, "SET");
	redis_arg_join(s->redis, s->prefix, STR(":clock"));
	redis_arg_i64(s->redis, now_ms);
	return store_end(s, store_plain_answer, c, e);
}
