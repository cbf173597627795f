/* fields.h: how the kinds read a JSON object whose fields are known: picked by a table, each of its
 * type or refused with its place. Not for others.
 */
#ifndef RB_SOURCE_FIELDS_H
#define RB_SOURCE_FIELDS_H

#include "source/source.h"

/* A place in the body, put into words only where something is wrong with it. */
struct source_place {
	const char *list;	/* "alerts", "event.data"; NULL: name is at the top */
	size_t index;		/* in that list; SOURCE_NO_INDEX: it is an object */
	const char *name;	/* "labels"; "": the element itself */
};
#define SOURCE_NO_INDEX SIZE_MAX

enum field_type {
	FIELD_STRING,
	FIELD_NUMBER,
	FIELD_TEXT,	/* a string, or the number that older versions sent */
	FIELD_BOOL,
	FIELD_LIST,
	FIELD_MAP,	/* an object of strings, to be read by fields_map */
	FIELD_OBJECT,
	FIELD_ANY,
};

struct field {
	struct str name;
	enum field_type type;
};

#define FIELD(literal, wanted) {{literal, sizeof(literal) - 1}, wanted}

/* Sorts the members of j by the table in one pass: found[i], of n, is NULL where there is none, or
 * null. Of one that stands there twice the last counts. Members that the table does not know are
 * left alone. ERR_INPUT. */
int fields_pick(const struct json *j, const struct field *table, size_t n,
	struct source_place place, const struct json **found, struct err *e);
/* A member that may be an object of strings -> pairs, not yet sorted; NULL and null give none. out
 * NULL: only the check. ERR_INPUT, or ERR_LIMIT past the limits of source.h. */
int fields_map(struct arena *a, const struct json *j, struct source_place place, struct kv **out,
	size_t *n, struct err *e);
/* ERR_INPUT "alerts[3].status: want WANTED, got a number", at j's offset (NULL: "missing"). Returns
 * -1. */
int fields_wrong(
	struct err *e, const struct json *j, struct source_place place, const char *wanted);
/* ERR_INPUT "alerts[3].status: want WANTED, got 'odd'", for a text that is none of those wanted.
 * Returns -1. */
int fields_odd(struct err *e, const struct json *j, struct source_place place, const char *wanted);
/* RFC 3339 to ns. NULL, "" and Go's zero time are "not set": 0. ERR_INPUT. */
int fields_time(const struct json *j, struct source_place place, int64_t *ns, struct err *e);
/* Of a string its text, of a number its digits, of a bool its word, else (and of NULL) "". */
struct str fields_text(const struct json *j);
/* s, or its beginning of at most limit bytes, not cut inside a character. */
struct str fields_cut(struct str s, size_t limit);

#endif
