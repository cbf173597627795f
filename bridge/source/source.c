/* source.c: one body, in pieces, to one batch of events.
 *
 * Guarantee: nothing comes out before the last byte was read and the whole body was found good, so
 * a body is taken whole or refused whole. All memory is the request's arena but for the parser's
 * handle, which source_finish and source_abort free; one of the two must be called.
 *
 * After an error source_feed may be called again and does nothing: the first error is the one that
 * source_finish reports.
 */
#include "source/source.h"

#include <strings.h>
#include "source/form.h"

struct source_parse {
	struct arena *arena;
	const struct source_kind *kind;
	struct source_request rq;
	enum source_form form;
	struct json_reader *reader; /* of SOURCE_JSON */
	char *bytes;		    /* of the other two */
	size_t n, cap;
	struct err failed; /* code ERR_NONE until a piece was refused */
};

struct str source_header(const struct source_request *rq, const char *name)
{
	return rq->header ? rq->header(rq->ctx, name) : STR_NONE;
}

bool source_type_is(const struct source_request *rq, const char *type)
{
	struct str s = source_header(rq, "Content-Type");
	size_t n = strlen(type);

	if (s.n < n || strncasecmp(s.p, type, n) != 0)
		return false;
	return s.n == n || s.p[n] == ';' || s.p[n] == ' ' || s.p[n] == '\t';
}

int source_no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, "the body does not fit the memory of a request");
}

static const struct json_limits limits = {SOURCE_DEPTH_LIMIT, SOURCE_NODES_LIMIT};

struct json *source_json(struct arena *a, struct str bytes, struct err *e)
{
	struct json_reader *reader = json_reader_new(a, &limits);
	struct json *j = NULL;

	if (!reader) {
		source_no_memory(e);
		return NULL;
	}
	if (json_reader_feed(reader, bytes.p, bytes.n, e) == 0)
		j = json_reader_finish(reader, e);
	json_reader_free(reader);
	return j;
}

struct source_parse *source_begin(
	struct arena *a, const struct source_kind *kind, const struct source_request *rq)
{
	struct source_parse *p = arena_zalloc(a, sizeof(*p));

	if (!p)
		return NULL;
	p->arena = a;
	p->kind = kind;
	p->rq = *rq;
	p->rq.source = arena_strdup(a, rq->source);
	p->form = kind->form ? kind->form(&p->rq) : SOURCE_JSON;
	if (arena_failed(a))
		return NULL;
	if (p->form == SOURCE_JSON && !(p->reader = json_reader_new(a, &limits)))
		return NULL;
	return p;
}

static int keep(struct source_parse *p, const char *bytes, size_t n)
{
	size_t cap = p->cap ? p->cap : 4096;

	while (cap - p->n < n)
		cap *= 2;
	if (cap != p->cap) {
		char *more = arena_grow(p->arena, p->bytes, p->cap, cap);
		if (!more)
			return source_no_memory(&p->failed);
		p->bytes = more;
		p->cap = cap;
	}
	memcpy(p->bytes + p->n, bytes, n);
	p->n += n;
	return 0;
}

int source_feed(struct source_parse *p, const char *bytes, size_t n, struct err *e)
{
	if (p->failed.code == ERR_NONE &&
		(p->reader ? json_reader_feed(p->reader, bytes, n, &p->failed)
			   : keep(p, bytes, n)) == 0)
		return 0;
	*e = p->failed;
	return -1;
}

static int end_body(struct source_parse *p, struct source_body *body)
{
	struct str bytes = {p->bytes, p->n};

	*body = (struct source_body){.form = p->form};
	if (p->reader)
		body->json = json_reader_finish(p->reader, &p->failed);
	else if (p->form == SOURCE_FORM)
		form_decode(p->arena, bytes, &body->pairs, &body->pairs_n, &p->failed);
	else
		body->bytes = bytes;
	return p->failed.code == ERR_NONE ? 0 : -1;
}

int source_finish(struct source_parse *p, struct source_batch *out, struct err *e)
{
	struct source_body body;
	int rc = -1;

	*out = (struct source_batch){0};
	if (p->failed.code == ERR_NONE)
		rc = end_body(p, &body);
	json_reader_free(p->reader);
	p->reader = NULL;
	if (rc < 0) {
		*e = p->failed;
		return -1;
	}
	out->body = body.json;
	return p->kind->read(p->arena, &p->rq, &body, out, e);
}

void source_abort(struct source_parse *p)
{
	json_reader_free(p->reader);
	p->reader = NULL;
}
