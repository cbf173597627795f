/* json.c: JSON in. yajl gives tokens, this file makes a tree of them in the caller's arena.
 *
 * Guarantee: any bytes in pieces of any size end in a tree or in an error with the byte offset
 * into the whole; memory is bounded by the arena's limit, by the limits of depth and nodes, and
 * (inside yajl: one token that is cut by a piece's end) by the length of the input.
 * In a finished tree each object has each key once, and each string is valid UTF-8.
 *
 * A node and its text are one allocation; a container's last child is remembered in the frame of
 * the open container, so appending is O(1). Doubled keys are found by a small filter a frame, and
 * only where that says "perhaps" by comparing: in the usual object that is never.
 *
 * yajl checks that bytes form UTF-8 characters, but lets overlong forms and surrogates pass;
 * those are found here. yajl does not check its allocations, so it gets ones that stop the
 * program (its writes through NULL plus an offset would not be sure to).
 */
#include "base/json_impl.h"

#include <errno.h>
#include <stdlib.h>
#include "base/hash.h"
#include "base/utf8.h"

#define SMALL_OBJECT 32

size_t json_reader_where(const struct json_reader *r)
{
	return r->base + yajl_get_bytes_consumed(r->yajl);
}

int json_reader_stop(struct json_reader *r, enum err_code code, const char *text)
{
	err_set(&r->err, code, "%s", text);
	r->err.offset = json_reader_where(r);
	return 0;
}

/* ---- doubled keys ---- */

static uint64_t filter_bit(struct str key)
{
	uint64_t mix = key.n;
	if (key.n) {
		mix += (unsigned char)key.p[0] * 7u + (unsigned char)key.p[key.n - 1] * 31u +
		       (unsigned char)key.p[key.n / 2] * 17u;
	}
	return UINT64_C(1) << (mix & 63);
}

static bool again_later(const struct json *j)
{
	for (const struct json *c = j->next; c; c = c->next) {
		if (str_eq(c->key, j->key))
			return true;
	}
	return false;
}

static void drop_doubled_small(struct json *object)
{
	struct json **at = &object->child;
	while (*at) {
		if (again_later(*at)) {
			*at = (*at)->next;
			object->count--;
		} else {
			at = &(*at)->next;
		}
	}
}

/* The finishing steps of murmur3: FNV's low bits alone can be steered by a sender. */
static uint64_t key_hash(const struct json_reader *r, struct str key)
{
	uint64_t h = hash_fnv1a(HASH_FNV1A_START ^ (uintptr_t)r, key.p, key.n);
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

/* Many members: the last one of each key into a table, then all others out of the list. */
static bool drop_doubled_large(const struct json_reader *r, struct json *object)
{
	size_t cap = 64;
	while (cap < object->count * 2)
		cap *= 2;
	struct json **table = calloc(cap, sizeof(*table));
	if (!table)
		return false;

	for (struct json *c = object->child; c; c = c->next) {
		size_t i = key_hash(r, c->key) & (cap - 1);
		while (table[i] && !str_eq(table[i]->key, c->key))
			i = (i + 1) & (cap - 1);
		table[i] = c;
	}
	struct json **at = &object->child;
	while (*at) {
		size_t i = key_hash(r, (*at)->key) & (cap - 1);
		while (!str_eq(table[i]->key, (*at)->key))
			i = (i + 1) & (cap - 1);
		if (table[i] == *at) {
			at = &(*at)->next;
		} else {
			*at = (*at)->next;
			object->count--;
		}
	}
	free(table);
	return true;
}

/* ---- callbacks of yajl: 1 to go on, 0 to stop ---- */

/* A node with a copy of its text behind it, at its place in the open container. */
static struct json *add_node(struct json_reader *r, enum json_kind kind, const void *text, size_t n)
{
	if (++r->nodes > r->nodes_max) {
		json_reader_stop(r, ERR_LIMIT, "too many values in one document");
		return NULL;
	}
	struct json *j = arena_alloc(r->arena, sizeof(*j) + (text ? n + 1 : 0));
	if (!j) {
		json_reader_stop(
			r, ERR_LIMIT, "the document needs more memory than one request may have");
		return NULL;
	}
	*j = (struct json){.kind = kind, .key = r->key, .offset = json_reader_where(r)};
	if (text) {
		char *copy = (char *)(j + 1);
		memcpy(copy, text, n);
		copy[n] = '\0';
		j->text = (struct str){copy, n};
	}
	r->key = STR_NONE;

	struct json_frame *f = &r->frames[r->depth];
	if (!f->container) {
		r->root = j;
		return j;
	}
	if (f->tail)
		f->tail->next = j;
	else
		f->container->child = j;
	f->tail = j;
	f->container->count++;
	return j;
}

/* yajl has joined the bytes of a string and its escapes. What is still no UTF-8 is either a
 * sender's overlong form, or the second half of a surrogate pair written as an escape: yajl
 * made three bytes ED B0..BF xx of it, which become U+FFFD, three bytes as well. */
static bool mend_utf8(struct json_reader *r, char *p, size_t n, size_t bad)
{
	while (bad < n) {
		const unsigned char *u = (const unsigned char *)p + bad;
		bool half = n - bad >= 3 && u[0] == 0xED && u[1] >= 0xB0 && (u[2] & 0xC0) == 0x80;
		if (!half) {
			json_reader_stop(r, ERR_INPUT, "invalid bytes in a string: not UTF-8");
			return false;
		}
		memcpy(p + bad, UTF8_REPLACEMENT, 3);
		bad += 3;
		bad += utf8_valid((struct str){p + bad, n - bad});
	}
	return true;
}

static bool check_utf8(struct json_reader *r, struct str s)
{
	size_t valid = utf8_valid(s);
	/* The text is our own copy in the arena. */
	return valid == s.n || mend_utf8(r, (char *)(uintptr_t)s.p, s.n, valid);
}

static int on_null(void *ctx)
{
	return add_node(ctx, JSON_NULL, NULL, 0) != NULL;
}

static int on_boolean(void *ctx, int value)
{
	struct json *j = add_node(ctx, JSON_BOOL, NULL, 0);
	if (j)
		j->boolean = value != 0;
	return j != NULL;
}

static int on_number(void *ctx, const char *text, size_t n)
{
	return add_node(ctx, JSON_NUMBER, text, n) != NULL;
}

static int on_string(void *ctx, const unsigned char *text, size_t n)
{
	struct json *j = add_node(ctx, JSON_STRING, text, n);
	return j && check_utf8(ctx, j->text);
}

static int on_key(void *ctx, const unsigned char *text, size_t n)
{
	struct json_reader *r = ctx;
	struct json_frame *f = &r->frames[r->depth];

	r->key = arena_strdup(r->arena, (struct str){(const char *)text, n});
	if (!r->key.p)
		return json_reader_stop(
			r, ERR_LIMIT, "the document needs more memory than one request may have");
	if (!check_utf8(r, r->key))
		return 0;
	uint64_t bit = filter_bit(r->key);
	f->doubled |= (f->seen & bit) != 0;
	f->seen |= bit;
	return 1;
}

static int open_container(struct json_reader *r, enum json_kind kind)
{
	if (r->depth == r->depth_max)
		return json_reader_stop(r, ERR_LIMIT, "nested too deep");
	struct json *j = add_node(r, kind, NULL, 0);
	if (!j)
		return 0;
	j->offset--; /* where its bracket is, not behind it */
	r->frames[++r->depth] = (struct json_frame){.container = j};
	return 1;
}

static int on_start_map(void *ctx)
{
	return open_container(ctx, JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
	return open_container(ctx, JSON_ARRAY);
}

static int on_end(void *ctx)
{
	struct json_reader *r = ctx;
	struct json_frame *f = &r->frames[r->depth--];
	if (!f->doubled)
		return 1;
	if (f->container->count <= SMALL_OBJECT)
		drop_doubled_small(f->container);
	else if (!drop_doubled_large(r, f->container))
		return json_reader_stop(r, ERR_NOMEM, "no memory");
	return 1;
}

const yajl_callbacks json_tree_callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end,
};

static void *sure_malloc(void *ctx, size_t n)
{
	(void)ctx;
	void *p = malloc(n);
	if (!p)
		abort();
	return p;
}

static void *sure_realloc(void *ctx, void *old, size_t n)
{
	(void)ctx;
	void *p = realloc(old, n);
	if (!p)
		abort();
	return p;
}

static void sure_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

/* ---- the reader ---- */

bool json_reader_init(struct json_reader *r, struct arena *a, const struct json_limits *limits,
	const yajl_callbacks *callbacks, void *ctx)
{
	yajl_alloc_funcs funcs = {sure_malloc, sure_realloc, sure_free, NULL};

	/* The frames are set when they open; only the outermost one is used before that. */
	memset(r, 0, offsetof(struct json_reader, frames) + sizeof(r->frames[0]));
	r->arena = a;
	r->depth_max = JSON_DEPTH_LIMIT;
	r->nodes_max = JSON_NODES_LIMIT;
	if (limits && limits->depth && limits->depth < JSON_DEPTH_LIMIT)
		r->depth_max = limits->depth;
	if (limits && limits->nodes)
		r->nodes_max = limits->nodes;
	r->yajl = yajl_alloc(callbacks, &funcs, ctx);
	return r->yajl != NULL;
}

struct json_reader *json_reader_new(struct arena *a, const struct json_limits *limits)
{
	struct json_reader *r = arena_alloc(a, sizeof(*r));

	if (!r)
		return NULL;
	return json_reader_init(r, a, limits, &json_tree_callbacks, r) ? r : NULL;
}

void json_reader_free(struct json_reader *r)
{
	if (r && r->yajl) {
		yajl_free(r->yajl);
		r->yajl = NULL;
	}
}

/* yajl's own words: "parse error: trailing garbage\n", without the line's end. */
int json_reader_fail(struct json_reader *r, yajl_status status, struct err *e)
{
	r->dead = true;
	if (status == yajl_status_client_canceled) {
		if (e)
			*e = r->err;
		return -1;
	}
	unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
	struct str s = str_of((const char *)text);
	while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == ' '))
		s.n--;
	err_set(e, ERR_INPUT, "%.*s", STR_ARG(s));
	if (e)
		e->offset = json_reader_where(r);
	yajl_free_error(r->yajl, text);
	return -1;
}

/* yajl takes these two for white space; in JSON they stand nowhere. The bytes before the first of
 * them, or n. */
static size_t before_false_space(const char *p, size_t n)
{
	const char *tab = memchr(p, '\v', n), *feed = memchr(p, '\f', tab ? (size_t)(tab - p) : n);

	return feed ? (size_t)(feed - p) : tab ? (size_t)(tab - p) : n;
}

static int refuse_false_space(struct json_reader *r, char c, struct err *e)
{
	r->dead = true;
	err_set(e, ERR_INPUT, "a %s where none may be; it is no white space in JSON",
		c == '\v' ? "vertical tab" : "form feed");
	e->offset = r->base + 1;
	return -1;
}

int json_reader_feed(struct json_reader *r, const char *p, size_t n, struct err *e)
{
	size_t good = n ? before_false_space(p, n) : 0;

	if (good < n)
		return json_reader_feed(r, p, good, e) < 0 ? -1 : refuse_false_space(r, p[good], e);
	if (r->dead)
		return err_set(e, ERR_INPUT, "the document was refused already");
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n && !r->started; i++)
		r->started = !memchr(" \t\r\n", p[i], 4);
	yajl_status status = yajl_parse(r->yajl, (const unsigned char *)p, n);
	if (status != yajl_status_ok)
		return json_reader_fail(r, status, e);
	r->base += n;
	return 0;
}

struct json *json_reader_finish(struct json_reader *r, struct err *e)
{
	if (r->dead) {
		err_set(e, ERR_INPUT, "the document was refused already");
		return NULL;
	}
	size_t total = r->base;
	yajl_status status = yajl_complete_parse(r->yajl);
	r->dead = true;
	if (status == yajl_status_ok && r->root)
		return r->root;
	if (status == yajl_status_client_canceled)
		json_reader_fail(r, status, e);
	else if (r->started)
		err_set(e, ERR_INPUT, "the document is incomplete");
	else
		err_set(e, ERR_INPUT, "the document is empty");
	if (e)
		e->offset = total;
	return NULL;
}

struct json *json_parse(struct arena *a, struct str bytes, struct err *e)
{
	return json_parse_within(a, NULL, bytes, e);
}

struct json *json_parse_within(
	struct arena *a, const struct json_limits *limits, struct str bytes, struct err *e)
{
	struct json_reader *r = json_reader_new(a, limits);
	if (!r) {
		err_set(e, ERR_LIMIT, "the document needs more memory than one request may have");
		return NULL;
	}
	struct json *j = NULL;
	if (json_reader_feed(r, bytes.p, bytes.n, e) == 0)
		j = json_reader_finish(r, e);
	json_reader_free(r);
	return j;
}

/* ---- looking into a tree ---- */

const struct json *json_getn(const struct json *j, struct str key)
{
	if (!j || j->kind != JSON_OBJECT)
		return NULL;
	for (const struct json *c = j->child; c; c = c->next) {
		if (str_eq(c->key, key))
			return c;
	}
	return NULL;
}

const struct json *json_get(const struct json *j, const char *key)
{
	return json_getn(j, str_of(key));
}

static bool parse_i64(struct str s, int64_t *v)
{
	bool minus = s.n && s.p[0] == '-';
	size_t i = minus;
	if (i == s.n)
		return false;
	*v = 0;
	for (; i < s.n; i++) {
		int digit = s.p[i] - '0';
		if (digit < 0 || digit > 9)
			return false;
		if (__builtin_mul_overflow(*v, 10, v) ||
			__builtin_add_overflow(*v, minus ? -digit : digit, v))
			return false;
	}
	return true;
}

static const struct json *element(const struct json *j, struct str number)
{
	int64_t i;
	if (number.n == 0 || number.p[0] == '-' || !parse_i64(number, &i))
		return NULL;
	const struct json *c = j->child;
	while (c && i-- > 0)
		c = c->next;
	return c;
}

const struct json *json_path(const struct json *j, struct str path)
{
	while (j) {
		const char *dot = path.n ? memchr(path.p, '.', path.n) : NULL;
		struct str part = {path.p, dot ? (size_t)(dot - path.p) : path.n};
		j = j->kind == JSON_ARRAY ? element(j, part) : json_getn(j, part);
		if (!dot)
			break;
		path = (struct str){dot + 1, path.n - part.n - 1};
	}
	return j;
}

struct str json_str(const struct json *j)
{
	return j && j->kind == JSON_STRING ? j->text : STR_NONE;
}

bool json_i64(const struct json *j, int64_t *v)
{
	return j && j->kind == JSON_NUMBER && parse_i64(j->text, v);
}

const char *json_kind_name(enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",
		[JSON_BOOL] = "a boolean",
		[JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};
	return names[kind];
}
