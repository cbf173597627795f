/* kind.c: which decoder a body of a bare Content-Type needs, and the one that looks at the body.
 *
 * A form's type and none at all are what curl and syslog-ng say where nobody told them, so there
 * the first bytes decide.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "line/decoder.h"

static struct str bare(struct str type)
{
	const char *end = type.n ? memchr(type.p, ';', type.n) : NULL;

	if (end)
		type.n = (size_t)(end - type.p);
	return str_trim(type, " \t");
}

bool line_type_is(struct str content_type, const char *type)
{
	struct str s = bare(content_type);

	return s.n == strlen(type) && strncasecmp(s.p, type, s.n) == 0;
}

static bool ends_with(struct str s, const char *end)
{
	size_t n = strlen(end);

	return s.n >= n && strncasecmp(s.p + s.n - n, end, n) == 0;
}

static bool begins_with(struct str s, const char *begin)
{
	size_t n = strlen(begin);

	return s.n >= n && strncasecmp(s.p, begin, n) == 0;
}

const struct line_kind *line_kind_of(struct str content_type, struct err *e)
{
	static const struct {
		const char *type;
		const struct line_kind *kind; /* NULL: no */
		const char *instead;
	} types[] = {
		{"", &line_kind_any, NULL},
		{"application/x-www-form-urlencoded", &line_kind_any, NULL},
		{"application/octet-stream", &line_kind_any, NULL},
		{"application/json", &line_kind_json, NULL},
		{"application/x-ndjson", &line_kind_json, NULL},
		{"application/ndjson", &line_kind_json, NULL},
		{"application/jsonl", &line_kind_json, NULL},
		{"application/jsonlines", &line_kind_json, NULL},
		{"application/x-jsonlines", &line_kind_json, NULL},
		{"application/json-lines", &line_kind_json, NULL},
		{"application/vnd.fdo.journal", &line_kind_journal, NULL},
		{"application/logplex-1", &line_kind_syslog, NULL},
		{"application/msgpack", &line_kind_msgpack, NULL},
		{"application/x-msgpack", &line_kind_msgpack, NULL},
		{"application/x-protobuf", NULL, "it to /loki/api/v1/push, /v1/logs or /v1/traces"},
	};
	struct str type = bare(content_type);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!line_type_is(type, types[i].type))
			continue;
		if (!types[i].kind)
			err_set(e, ERR_INPUT, "'%s' is not taken here; send %s", types[i].type,
				types[i].instead);
		return types[i].kind;
	}
	if (ends_with(type, "+json"))
		return &line_kind_json;
	if (begins_with(type, "text/"))
		return &line_kind_text;
	err_set(e, ERR_INPUT,
		"'%.*s' is not taken here; send text/plain, application/x-ndjson or "
		"application/json",
		(int)(type.n < 80 ? type.n : 80), type.p);
	return NULL;
}

/* ---- what it looks like ---- */

struct line_decoder {
	struct line_options options;
	struct line_sink sink;
	bool bracket;		      /* the first byte but white space was '[' */
	size_t n;		      /* of what was kept */
	char kept[256];		      /* blanks and a bracket, until it is decided */
	const struct line_kind *kind; /* NULL: not decided yet */
	struct line_decoder *inner;
};

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	struct line_decoder *d = calloc(1, sizeof(*d));

	if (!d) {
		err_set(e, ERR_NOMEM, "no memory for the request");
		return NULL;
	}
	d->options = *o;
	d->sink = *sink;
	return d;
}

static int decide(struct line_decoder *d, const struct line_kind *kind, struct err *e)
{
	d->inner = kind->new (&d->options, &d->sink, e);
	if (!d->inner)
		return -1;
	d->kind = kind;
	return kind->feed(d->inner, (struct str){d->kept, d->n}, e);
}

/* "[" and then an object, or nothing: so begins no line of a program that puts its time in
 * brackets. */
static int look(struct line_decoder *d, char c, struct err *e)
{
	bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';

	if (!blank && d->bracket)
		return decide(d, c == '{' || c == ']' ? &line_kind_json : &line_kind_text, e);
	if ((!blank && c != '[') || d->n == sizeof(d->kept))
		return decide(d, &line_kind_text, e);
	d->bracket |= !blank;
	d->kept[d->n++] = c;
	return 0;
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	while (piece.n > 0 && !d->kind) {
		if (look(d, piece.p[0], e) != 0)
			return -1;
		if (d->kind)
			break;
		piece.p++;
		piece.n--;
	}
	return piece.n > 0 ? d->kind->feed(d->inner, piece, e) : 0;
}

static int finish(struct line_decoder *d, struct err *e)
{
	if (!d->kind && decide(d, &line_kind_text, e) != 0)
		return -1;
	return d->kind->finish(d->inner, e);
}

static void drop(struct line_decoder *d)
{
	if (!d)
		return;
	if (d->inner)
		d->kind->free(d->inner);
	free(d);
}

const struct line_kind line_kind_any = {"any", new, feed, finish, drop};
