/* store_open.c: is this Redis one that we may use? Asked on every new connection, before anything else.
 *
 *   INFO, CONFIG GET         (a Redis that is not ours) one that forgets is used, but store_warning tells of it
 *   HGET …:meta schema       a schema newer than STORE_SCHEMA: ERR_VERSION, for good
 *   FCALL rb_version_v1      no library, or an older one: a bridge loads its own, a worker waits for a bridge
 *   FCALL rb_open_v1         (bridge) writes the schema where there is none
 *
 * A newer library with a schema that we know is fine: it keeps the functions that older programs call.
 */
#include "store/store_impl.h"

#include <stdlib.h>
#include <string.h>
#include "store/library.h"

/* The number is written once, in library/10-base.lua. */
long store_library_version(void)
{
	static const char mark[] = "\nlocal LIBRARY = ";
	const char *at = strstr(store_library, mark);

	return at ? strtol(at + sizeof(mark) - 1, NULL, 10) : 0;
}

static void drop(struct store *s, enum err_code code, const char *text)
{
	struct err why;

	err_set(&why, code, "%s", text);
	redis_drop(s->redis, &why);
}

static void newer(struct store *s, int64_t schema)
{
	struct err why;

	err_set(&why, ERR_VERSION,
		"the data in Redis under '%.*s' has schema %lld, this program knows schema %d: "
		"it was written by a newer runbookd; upgrade this one, or choose another namespace",
		STR_ARG(s->prefix), (long long)schema, STORE_SCHEMA);
	redis_drop(s->redis, &why);
}

/* Begins a function call while greeting: store_begin refuses as long as the connection is not up. */
static int greet_begin(struct store *s, const char *function, struct err *e)
{
	if (redis_begin(s->redis, 4, e))
		return -1;
	redis_arg_z(s->redis, "FCALL");
	redis_arg_z(s->redis, function);
	redis_arg_z(s->redis, "1");
	redis_arg(s->redis, s->prefix);
	return 0;
}

static void on_open(void *ctx, const struct err *e, const redisReply *reply)
{
	struct store *s = ctx;

	if (e)
		drop(s, ERR_AWAY, e->text);
	else if (store_number_at(reply, 1) > STORE_SCHEMA)
		newer(s, store_number_at(reply, 1));
	else
		redis_ready(s->redis);
}

static void open_schema(struct store *s)
{
	struct err e;

	if (greet_begin(s, "rb_open_v1", &e) || redis_end(s->redis, 0, on_open, s, &e))
		drop(s, ERR_AWAY, e.text);
}

static void on_loaded(void *ctx, const struct err *e, const redisReply *reply)
{
	struct store *s = ctx;

	(void)reply;
	if (e) {
		struct err why;
		err_set(&why, ERR_AWAY, "cannot load the function library into Redis: %s", e->text);
		redis_drop(s->redis, &why);
		return;
	}
	open_schema(s);
}

static void load_text(struct store *s, const char *text)
{
	struct err e;

	if (redis_begin(s->redis, 4, &e)) {
		drop(s, ERR_AWAY, e.text);
		return;
	}
	redis_arg_z(s->redis, "FUNCTION");
	redis_arg_z(s->redis, "LOAD");
	redis_arg_z(s->redis, "REPLACE");
	redis_arg_z(s->redis, text);
	if (redis_end(s->redis, 0, on_loaded, s, &e))
		drop(s, ERR_AWAY, e.text);
}

static void load(struct store *s)
{
	char *text;

	if (!s->own_clock) {
		load_text(s, store_library);
		return;
	}
	text = store_library_own_clock();
	if (text)
		load_text(s, text);
	else
		drop(s, ERR_AWAY, "no memory for the function library");
	free(text);
}

static void on_version(void *ctx, const struct err *e, const redisReply *reply)
{
	struct store *s = ctx;

	if (s->greeting.code) {
		drop(s, ERR_AWAY, s->greeting.text);
	} else if (s->schema > STORE_SCHEMA) {
		newer(s, s->schema);
	} else if (e && strstr(e->text, "unknown command")) {
		drop(s, ERR_AWAY, "this Redis has no functions: runbookd needs Redis 7.0 or newer");
	} else if (e && !strstr(e->text, "Function not found")) {
		drop(s, ERR_AWAY, e->text);
	} else if (e || store_number_at(reply, 0) < s->library_version) {
		if (s->load_library)
			load(s);
		else
			drop(s, ERR_AWAY, "the function library in Redis is missing or older: waiting for a bridge to load it");
	} else if (s->load_library) {
		open_schema(s);
	} else if (s->schema == 0) {
		drop(s, ERR_AWAY, "there is no data in Redis yet: waiting for a bridge");
	} else {
		redis_ready(s->redis);
	}
}

static void on_schema(void *ctx, const struct err *e, const redisReply *reply)
{
	struct store *s = ctx;

	if (e)
		s->greeting = *e;
	s->schema = redis_number(reply);
}

/* ---- does it keep what it is told? ---- */

/* One line, so that it fits a log and an answer. */
static void warn(struct store *s, const char *what, struct str value, const char *remedy)
{
	struct buf *b = &s->warning;

	if (b->n > 0)
		b->n--; /* its NUL */
	buf_puts(b, b->n > 0 ? "; " : "this redis may lose what was answered as stored: ");
	buf_puts(b, what);
	for (size_t i = 0; i < value.n && i < 200; i++)
		buf_putc(b, (unsigned char)value.p[i] < 0x20 ? ' ' : value.p[i]);
	buf_puts(b, remedy);
	buf_putc(b, '\0');
}

static void on_info(void *ctx, const struct err *e, const redisReply *reply)
{
	struct store *s = ctx;
	struct str text = redis_text(reply);

	if (e)
		warn(s, "whether its appendonly is on cannot be seen: ", str_of(e->text),
			" (allow INFO, and set 'appendonly yes' in its redis.conf)");
	else if (memmem(text.p, text.n, "aof_enabled:0", strlen("aof_enabled:0")))
		warn(s, "appendonly is off", STR_NONE, " (CONFIG SET appendonly yes, and 'appendonly yes' in its redis.conf)");
}

static void on_config(void *ctx, const struct err *e, const redisReply *reply)
{
	struct store *s = ctx;

	if (e) {
		warn(s, "its appendfsync and maxmemory-policy cannot be seen: ", str_of(e->text),
			" (allow CONFIG GET, and set 'appendfsync always' and 'maxmemory-policy noeviction' in its redis.conf)");
		return;
	}
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		struct str name = store_text_at(reply, i), value = store_text_at(reply, i + 1);
		if (str_is(name, "appendfsync") && !str_is(value, "always"))
			warn(s, "appendfsync is ", value,
				" (CONFIG SET appendfsync always, and 'appendfsync always' in its redis.conf)");
		else if (str_is(name, "maxmemory-policy") && !str_is(value, "noeviction"))
			warn(s, "maxmemory-policy is ", value,
				" (CONFIG SET maxmemory-policy noeviction, and 'maxmemory-policy noeviction' in its redis.conf)");
	}
}

static int ask_keeping(struct store *s, struct err *e)
{
	if (redis_begin(s->redis, 2, e))
		return -1;
	redis_arg_z(s->redis, "INFO");
	redis_arg_z(s->redis, "persistence");
	if (redis_end(s->redis, 0, on_info, s, e) || redis_begin(s->redis, 4, e))
		return -1;
	redis_arg_z(s->redis, "CONFIG");
	redis_arg_z(s->redis, "GET");
	redis_arg_z(s->redis, "appendfsync");
	redis_arg_z(s->redis, "maxmemory-policy");
	return redis_end(s->redis, 0, on_config, s, e);
}

void store_greet(void *ctx)
{
	struct store *s = ctx;
	struct err e;

	s->greeting = (struct err){.code = ERR_NONE};
	s->schema = 0;
	buf_clear(&s->warning);
	if (s->look_at_keeping && ask_keeping(s, &e)) {
		drop(s, ERR_AWAY, e.text);
		return;
	}
	if (redis_begin(s->redis, 3, &e) == 0) {
		redis_arg_z(s->redis, "HGET");
		redis_arg_join(s->redis, s->prefix, STR(":meta"));
		redis_arg_z(s->redis, "schema");
		if (redis_end(s->redis, 0, on_schema, s, &e) == 0 && greet_begin(s, "rb_version_v1", &e) == 0 &&
			redis_end(s->redis, 0, on_version, s, &e) == 0)
			return;
	}
	drop(s, ERR_AWAY, e.text);
}
