/* JSON as the items in it: what is gone into, what is handed out, and where that ends. */
#include "unit.h"
#include "base/json_items.h"

struct seen {
	struct buf out;
	unsigned into; /* containers above this depth are gone into */
	const char *stop_at; /* an item of this text stops; NULL */
	struct err e;
};

static enum json_want open_container(void *ctx, unsigned depth, struct str key, enum json_kind kind, size_t offset, struct err *e)
{
	struct seen *s = ctx;

	if (str_is(key, "forbidden")) {
		err_set(e, ERR_CONFLICT, "forbidden");
		return JSON_STOP;
	}
	if (depth >= s->into)
		return JSON_WHOLE;
	buf_printf(&s->out, "%u%.*s%c@%zu ", depth, STR_ARG(key), kind == JSON_ARRAY ? '[' : '{', offset);
	return JSON_INTO;
}

static int item(void *ctx, unsigned depth, const struct json *j, struct err *e)
{
	struct seen *s = ctx;
	struct json_w w;

	if (s->stop_at && str_is(j->text, s->stop_at))
		return err_set(e, ERR_FULL, "stopped");
	buf_printf(&s->out, "%u%.*s=", depth, STR_ARG(j->key));
	json_w_init(&w, &s->out);
	json_write(&w, j);
	buf_putc(&s->out, ' ');
	return 0;
}

static int close_container(void *ctx, unsigned depth, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	buf_printf(&s->out, "%u) ", depth);
	return 0;
}

static int run(struct seen *s, struct str body, size_t piece, size_t limit)
{
	struct json_items_use use = {open_container, item, close_container, s};
	struct json_items *j = json_items_new(&use, NULL, limit);
	int rc = 0;

	assert_non_null(j);
	buf_clear(&s->out);
	s->e = (struct err){0};
	for (size_t at = 0; at < body.n && rc == 0; at += piece)
		rc = json_items_feed(j, body.p + at, body.n - at < piece ? body.n - at : piece, &s->e);
	if (rc == 0)
		rc = json_items_finish(j, &s->e);
	if (rc != 0) { /* it takes no more */
		struct err again = {0};

		assert_int_equal(json_items_feed(j, "1", 1, &again), -1);
		assert_int_equal(json_items_finish(j, &again), -1);
	}
	json_items_free(j);
	return rc;
}

#define MEMORY ((size_t)1 << 20)

static void gives(unsigned into, const char *body, const char *want)
{
	struct seen s = {.into = into};

	buf_init(&s.out, BUF_NO_LIMIT);
	for (size_t piece = 1; piece <= strlen(body) + 1; piece++) {
		if (run(&s, str_of(body), piece, MEMORY) != 0)
			fail_msg("%s in pieces of %zu: %s", body, piece, s.e.text);
		assert_str(buf_as_str(&s.out), want);
	}
	buf_release(&s.out);
}

static void items(void **state)
{
	(void)state;
	gives(0, "", "");
	gives(0, " \n", "");
	gives(0, "{\"a\":1}{\"b\":[2,{}]}\n 7 \"x\" null true", "0={\"a\":1} 0={\"b\":[2,{}]} 0=7 0=\"x\" 0=null 0=true ");
	gives(1, "[1,{\"a\":[2]}] [3]", "0[@0 1=1 1={\"a\":[2]} 0) 0[@14 1=3 0) ");
	gives(2, "{\"x\":[{\"a\":1},2],\"y\":\"z\"}", "0{@0 1x[@5 2={\"a\":1} 2=2 1) 1y=\"z\" 0) ");
	gives(3, "{\"a\":{\"b\":{\"c\":{\"d\":1}}},\"e\":{}}", "0{@0 1a{@5 2b{@10 3c={\"d\":1} 2) 1) 1e{@29 1) 0) ");
}

static void refused(unsigned into, size_t limit, const char *stop_at, const char *body, enum err_code code, size_t offset, const char *want)
{
	struct seen s = {.into = into, .stop_at = stop_at};

	buf_init(&s.out, BUF_NO_LIMIT);
	assert_int_equal(run(&s, str_of(body), 7, limit), -1);
	assert_has(str_of(s.e.text), want);
	assert_int_equal(s.e.code, code);
	assert_int_equal(s.e.offset, offset);
	buf_release(&s.out);
}

static void refusals(void **state)
{
	char deep[JSON_ITEMS_DEPTH + 3] = "";

	(void)state;
	memset(deep, '[', JSON_ITEMS_DEPTH + 1);
	refused(1, MEMORY, NULL, "[1,2", ERR_INPUT, 4, "incomplete");
	refused(0, MEMORY, NULL, "{\"a\":1", ERR_INPUT, 6, "incomplete");
	refused(0, MEMORY, NULL, "\"a", ERR_INPUT, 2, "incomplete");
	refused(1, MEMORY, NULL, "[1]]", ERR_INPUT, 4, "unallowed token");
	refused(1, MEMORY, NULL, "[1 2]", ERR_INPUT, 4, "after array element");
	refused(1, MEMORY, "stop", "[1,\"stop\",3]", ERR_FULL, 0, "stopped");
	refused(1, MEMORY, NULL, "{\"forbidden\":{}}", ERR_CONFLICT, 0, "forbidden");
	refused(99, MEMORY, NULL, deep, ERR_LIMIT, JSON_ITEMS_DEPTH + 1, "nested too deep");
	refused(0, MEMORY, NULL, "1\v2", ERR_INPUT, 2, "vertical tab");
}

/* The limit is one of each item, not of all of them. */
static void memory_of_an_item(void **state)
{
	struct seen s = {.into = 1};
	struct buf body;

	(void)state;
	buf_init(&s.out, BUF_NO_LIMIT);
	buf_init(&body, BUF_NO_LIMIT);
	for (int i = 0; i < 1000; i++)
		buf_puts(&body, i ? ",{\"a\":[1,2,3]}" : "[{\"a\":[1,2,3]}");
	buf_putc(&body, ']');
	assert_int_equal(run(&s, buf_as_str(&body), 100, 2000), 0);
	assert_int_equal(run(&s, buf_as_str(&body), 100, 200), -1);
	assert_int_equal(s.e.code, ERR_LIMIT);
	assert_has(str_of(s.e.text), "one item of the body needs more than 200 bytes; send smaller items");
	buf_clear(&body);
	buf_putc(&body, '"');
	for (int i = 0; i < 1000; i++)
		buf_puts(&body, "0123456789");
	assert_int_equal(run(&s, buf_as_str(&body), 100, 2000), -1);
	assert_has(str_of(s.e.text), "one item of the body needs more than 2000 bytes");
	buf_release(&body);
	buf_release(&s.out);
}

TESTS_MAIN(cmocka_unit_test(items), cmocka_unit_test(refusals), cmocka_unit_test(memory_of_an_item))
