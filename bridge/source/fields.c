/* fields.c: objects whose fields are known, read the same way by every kind.
 *
 * Guarantee: what is of the wrong type, or past a limit, is refused with its place and its offset
 * in the body; what is not known is left alone, since newer senders say more. null is "not set".
 */
#include "source/fields.h"

#include <stdio.h>
#include "base/clock.h"

#define PLACE_MAX 200

static const char *place_text(struct source_place p, char text[PLACE_MAX])
{
	if (p.list && p.index != SOURCE_NO_INDEX)
		snprintf(text, PLACE_MAX, "%s[%zu]%s%s", p.list, p.index, *p.name ? "." : "",
			p.name);
	else if (p.list)
		snprintf(text, PLACE_MAX, "%s%s%s", p.list, *p.name ? "." : "", p.name);
	else
		snprintf(text, PLACE_MAX, "%s", p.name);
	return text;
}

int fields_wrong(struct err *e, const struct json *j, struct source_place place, const char *wanted)
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
		return fields_wrong(e, j, place, "an object of strings");
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

int fields_map(struct arena *a, const struct json *j, struct source_place place, struct kv **out,
	size_t *n, struct err *e)
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
		return source_no_memory(e);
	for (const struct json *c = j->child; c; c = c->next)
		(*out)[(*n)++] = (struct kv){c->key, c->text};
	return 0;
}

struct str fields_cut(struct str s, size_t limit)
{
	if (s.n <= limit)
		return s;
	/* A character has at most 4 bytes: go back to where the cut one began. */
	size_t n = limit;
	while (n > 0 && limit - n < 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return (struct str){s.p, n};
}

static const struct {
	const char *text;
	unsigned kinds; /* bits of enum json_kind */
} wants[] = {
	[FIELD_STRING] = {"a string", 1u << JSON_STRING},
	[FIELD_NUMBER] = {"a number", 1u << JSON_NUMBER},
	[FIELD_TEXT] = {"a string", 1u << JSON_STRING | 1u << JSON_NUMBER},
	[FIELD_BOOL] = {"true or false", 1u << JSON_BOOL},
	[FIELD_LIST] = {"an array", 1u << JSON_ARRAY},
	[FIELD_MAP] = {"an object of strings", 1u << JSON_OBJECT},
	[FIELD_OBJECT] = {"an object", 1u << JSON_OBJECT},
	[FIELD_ANY] = {"anything", ~0u},
};

int fields_pick(const struct json *j, const struct field *table, size_t n,
	struct source_place place, const struct json **found, struct err *e)
{
	for (const struct json *m = j->child; m; m = m->next) {
		for (size_t i = 0; i < n; i++) {
			if (!str_eq(m->key, table[i].name))
				continue;
			found[i] = m->kind == JSON_NULL ? NULL : m;
			if (!found[i] || wants[table[i].type].kinds & 1u << m->kind)
				break;
			place.name = table[i].name.p;
			return fields_wrong(e, m, place, wants[table[i].type].text);
		}
	}
	return 0;
}

int fields_odd(struct err *e, const struct json *j, struct source_place place, const char *wanted)
{
	char text[PLACE_MAX];

	if (!j || j->kind != JSON_STRING)
		return fields_wrong(e, j, place, wanted);
	err_set(e, ERR_INPUT, "%s: want %s, got '%.*s'", place_text(place, text), wanted,
		(int)(j->text.n < 40 ? j->text.n : 40), j->text.p);
	e->offset = j->offset;
	return -1;
}

int fields_time(const struct json *j, struct source_place place, int64_t *ns, struct err *e)
{
	char text[PLACE_MAX];

	*ns = 0;
	if (!j || j->text.n == 0 || clock_parse_rfc3339(j->text, ns))
		return 0;
	err_set(e, ERR_INPUT, "%s: '%.*s' is no time as in RFC 3339", place_text(place, text),
		(int)(j->text.n < 40 ? j->text.n : 40), j->text.p);
	e->offset = j->offset;
	return -1;
}

struct str fields_text(const struct json *j)
{
	if (j && (j->kind == JSON_STRING || j->kind == JSON_NUMBER))
		return j->text;
	if (j && j->kind == JSON_BOOL)
		return j->boolean ? STR("true") : STR("false");
	return STR_NONE;
}
