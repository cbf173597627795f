/* source.c: one body, in pieces, to one batch of events; and what all kinds of senders need.
 *
 * Guarantee: nothing comes out before the last byte was read and the whole body was found good, so
 * a body is taken whole or refused whole. All memory is the request's arena but for the parser's
 * handle, which source_finish and source_abort free; one of the two must be called.
 *
 * After an error source_feed may be called again and does nothing: the first error is the one that
 * source_finish reports.
 */
#include "source/source.h"

#include <stdio.h>

struct source_parse {
	struct arena *arena;
	const struct source_kind *kind;
	struct str name;
	struct json_reader *reader;
	struct err failed; /* code ERR_NONE until a piece was refused */
};

struct source_parse *source_begin(
	struct arena *a, const struct source_kind *kind, struct str source_name)
{
	static const struct json_limits limits = {SOURCE_DEPTH_LIMIT, SOURCE_NODES_LIMIT};
	struct source_parse *p = arena_zalloc(a, sizeof(*p));

	if (!p)
		return NULL;
	p->arena = a;
	p->kind = kind;
	p->name = arena_strdup(a, source_name);
	if (arena_failed(a))
		return NULL;
	p->reader = json_reader_new(a, &limits);
	return p->reader ? p : NULL;
}

int source_feed(struct source_parse *p, const char *bytes, size_t n, struct err *e)
{
	if (p->failed.code == ERR_NONE && json_reader_feed(p->reader, bytes, n, &p->failed) == 0)
		return 0;
	*e = p->failed;
	return -1;
}

int source_finish(struct source_parse *p, struct source_batch *out, struct err *e)
{
	const struct json *body = NULL;

	*out = (struct source_batch){0};
	if (p->failed.code == ERR_NONE)
		body = json_reader_finish(p->reader, &p->failed);
	json_reader_free(p->reader);
	p->reader = NULL;
	if (!body) {
		*e = p->failed;
		return -1;
	}
	return p->kind->read(p->arena, p->name, body, out, e);
}

void source_abort(struct source_parse *p)
{
	json_reader_free(p->reader);
	p->reader = NULL;
}

#define PLACE_MAX 200

static const char *place_text(struct source_place p, char text[PLACE_MAX])
{
	if (p.list)
		snprintf(text, PLACE_MAX, "%s[%zu]%s%s", p.list, p.index, *p.name ? "." : "",
			p.name);
	else
		snprintf(text, PLACE_MAX, "%s", p.name);
	return text;
}

int source_wrong_kind(
	struct err *e, const struct json *j, struct source_place place, const char *wanted)
{
	char text[PLACE_MAX];

	if (j)
		err_set(e, ERR_INPUT, "%s: want %s, got %s", place_text(place, text), wanted,
			json_kind_name(j->kind));
	else
		err_set(e, ERR_INPUT, "%s: missing, want %s", place_text(place, text), wanted);
	e->offset = j ? j->offset : 0;
	return -1;
}

/* The limits of one pair, and that it is a string. */
static int check_pair(const struct json *c, struct source_place place, struct err *e)
{
	char text[PLACE_MAX];

	if (c->kind == JSON_STRING && c->key.n <= SOURCE_NAME_LIMIT &&
		c->text.n <= SOURCE_VALUE_LIMIT)
		return 0;
	place_text(place, text);
	if (c->kind != JSON_STRING)
		err_set(e, ERR_INPUT, "%s.%.*s: want a string, got %s", text,
			(int)(c->key.n < 100 ? c->key.n : 100), c->key.p ? c->key.p : "",
			json_kind_name(c->kind));
	else
		err_set(e, ERR_LIMIT,
			"%s: a name of %zu or value of %zu bytes, at most %d and %d are taken",
			text, c->key.n, c->text.n, SOURCE_NAME_LIMIT, SOURCE_VALUE_LIMIT);
	e->offset = c->offset;
	return -1;
}

static int check_map(const struct json *j, struct source_place place, struct err *e)
{
	char text[PLACE_MAX];

	if (j->kind != JSON_OBJECT)
		return source_wrong_kind(e, j, place, "an object of strings");
	if (j->count > SOURCE_LABELS_LIMIT) {
		err_set(e, ERR_LIMIT, "%s: %zu members, at most %d are taken",
			place_text(place, text), j->count, SOURCE_LABELS_LIMIT);
		e->offset = j->offset;
		return -1;
	}
	for (const struct json *c = j->child; c; c = c->next)
		if (check_pair(c, place, e) < 0)
			return -1;
	return 0;
}

int source_read_map(struct arena *a, const struct json *j, struct source_place place,
	struct kv **out, size_t *n, struct err *e)
{
	if (out) {
		*out = NULL;
		*n = 0;
	}
	if (!j || j->kind == JSON_NULL)
		return 0;
	if (check_map(j, place, e) < 0)
		return -1;
	if (!out || j->count == 0)
		return 0;
	*out = arena_alloc(a, j->count * sizeof(**out));
	if (!*out)
		return err_set(e, ERR_LIMIT, "the body does not fit the memory of a request");
	for (const struct json *c = j->child; c; c = c->next)
		(*out)[(*n)++] = (struct kv){c->key, c->text};
	return 0;
}

struct str source_cut(struct str s, size_t limit)
{
	if (s.n <= limit)
		return s;
	/* A character has at most 4 bytes: go back to where the cut one began. */
	size_t n = limit;
	while (n > 0 && limit - n < 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return (struct str){s.p, n};
}
