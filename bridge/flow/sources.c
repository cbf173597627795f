/* sources.c: what the configuration says about who sends, bound to the kinds that can read it.
 *
 * Owns the table from a source's name to its kind. Each kind has a source of its own name; one of
 * that name in the configuration stands in its place. It reads nothing and keeps no state of
 * requests.
 */
#include "flow/sources.h"

#include <stdlib.h>
#include <string.h>
#include "auth/sns.h"
#include "base/nearest.h"
#include "base/units.h"
#include "flow/bind_map.h"
#include "flow/contracts.h"
#include "source/cloudevents.h"

#define ARENA_LIMIT ((size_t)64 << 20)
#define KINDS_MAX 64

struct sources {
	unsigned refs;
	struct arena arena;
	struct bound_source *v;
	size_t n;
	struct bound_source emitted;
	struct contracts *contracts;
};

static int read_emitted(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e)
{
	return cloudevents_emitted(a, rq, body->json, out, e);
}

/* In no table: `kind` of a source cannot be it. */
static const struct source_kind kind_emitted = {
	SOURCES_EMITTED, "Events that are emitted over the API.", false, NULL, read_emitted, false};

static void unknown_kind(const struct conf *c, const struct conf_source *s, struct diags *d)
{
	const char *names[KINDS_MAX], *near;
	size_t n = 0;

	for (; n < KINDS_MAX && source_kinds[n].name; n++)
		names[n] = source_kinds[n].name;
	near = nearest(s->kind, names, n);
	diag_add(d, DIAG_ERROR, c->path.p, s->line, s->column,
		"unknown kind '%.*s' of the source '%.*s'%s%s%s", STR_ARG(s->kind),
		STR_ARG(s->name), near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
}

static void check_name(const struct conf *c, const struct conf_source *s, struct diags *d)
{
	if (str_is(s->name, SOURCES_EMITTED))
		diag_add(d, DIAG_ERROR, c->path.p, s->line, s->column,
			"the source of events that are emitted over the API is called '" SOURCES_EMITTED
			"'; give this one another name");
}

/* How long a signed message is taken, from its time's first to its last moment; 0: for ever, or not by its time. */
static int64_t taken_ms(const struct conf_auth *auth)
{
	if (auth->kind == CONF_AUTH_SNS)
		return SNS_AGE_MAX_MS + SNS_AHEAD_MAX_MS;
	if (auth->kind == CONF_AUTH_STANDARD_WEBHOOKS || auth->timestamp_header.n)
		return 2 * auth->tolerance_ms;
	return 0;
}

/* A signed message that somebody caught is the same as before for as long as it is taken. */
static void check_window(const struct conf *c, const struct conf_source *s, struct diags *d)
{
	int64_t least_ms = taken_ms(&s->auth);
	char is[UNITS_TEXT_MAX], least[UNITS_TEXT_MAX];

	if (c->limits.delivery_window_ms >= least_ms)
		return;
	units_format_duration(c->limits.delivery_window_ms, is);
	units_format_duration(least_ms, least);
	diag_add(d, DIAG_ERROR, c->path.p, s->line, s->column,
		"'limits.delivery_window' is %s: whoever catches a message of the source '%.*s' could send it again "
		"after that; make it %s or more",
		is, STR_ARG(s->name), least);
}

/* Lines have no delivery that could be known again. */
static void check_replays(const struct conf *c, const struct conf_source *s, struct diags *d)
{
	const struct source_kind *kind = source_kind_find(s->kind);

	if (kind && kind->lines && s->auth.kind != CONF_AUTH_SNS && taken_ms(&s->auth) > 0)
		diag_add(d, DIAG_ERROR, c->path.p, s->line, s->column,
			"the source '%.*s' takes lines of logs, which somebody who caught them could send again: a signed time "
			"does not keep him from it; give it an auth of another kind, as bearer_file or client_cert",
			STR_ARG(s->name));
}

static void check_auth(const struct conf *c, const struct conf_source *s, struct diags *d)
{
	if (s->auth.sns_topics.n && !str_is(s->kind, "sns"))
		diag_add(d, DIAG_ERROR, c->path.p, s->line, s->column,
			"'auth.sns' of the source '%.*s' needs the kind sns, not '%.*s': only SNS "
			"signs so",
			STR_ARG(s->name), STR_ARG(s->kind));
	check_window(c, s, d);
	check_replays(c, s, d);
}

static void bind(struct sources *s, const struct conf *c, struct diags *d)
{
	for (size_t i = 0; i < c->sources_n; i++) {
		const struct conf_source *from = &c->sources[i];
		struct bound_source *b = &s->v[s->n++];

		*b = (struct bound_source){.name = from->name,
			.kind = source_kind_find(from->kind),
			.map = bind_map(&s->arena, c, from, d),
			.relabel = relabel_new(&s->arena, c, from, d),
			.conf = from,
			.all = s};
		if (!b->kind)
			unknown_kind(c, from, d);
		check_name(c, from, d);
		check_auth(c, from, d);
	}
	for (const struct source_kind *k = source_kinds; k->name; k++) {
		if (!sources_find(s, str_of(k->name)))
			s->v[s->n++] =
				(struct bound_source){.name = str_of(k->name), .kind = k, .all = s};
	}
}

struct sources *sources_new(const struct conf *c, struct contracts *contracts, struct diags *d)
{
	struct sources *s = calloc(1, sizeof(*s));
	size_t errors = d->errors, most = c->sources_n;

	if (!s) {
		contracts_free(contracts);
		diag_add(d, DIAG_ERROR, c->path.p, 0, 0, "no memory");
		return NULL;
	}
	for (const struct source_kind *k = source_kinds; k->name; k++)
		most++;
	s->refs = 1;
	s->contracts = contracts;
	s->emitted = (struct bound_source){.name = STR(SOURCES_EMITTED), .kind = &kind_emitted, .all = s};
	arena_init(&s->arena, ARENA_LIMIT);
	s->v = arena_array(&s->arena, most, sizeof(*s->v));
	if (s->v)
		bind(s, c, d);
	if (arena_failed(&s->arena))
		diag_add(d, DIAG_ERROR, c->path.p, 0, 0,
			"'sources' needs more memory than it may have");
	if (d->errors == errors)
		return s;
	sources_unref(s);
	return NULL;
}

struct sources *sources_ref(struct sources *s)
{
	s->refs++;
	return s;
}

void sources_unref(struct sources *s)
{
	if (!s || --s->refs)
		return;
	contracts_free(s->contracts);
	arena_release(&s->arena);
	free(s);
}

bool sources_shared(const struct sources *s)
{
	return s->refs > 1;
}

const struct bound_source *sources_find(const struct sources *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (str_eq(s->v[i].name, name))
			return &s->v[i];
	}
	return NULL;
}

const struct bound_source *sources_emitted(const struct sources *s)
{
	return &s->emitted;
}

struct source_parse *sources_begin(
	const struct bound_source *b, struct arena *a, struct source_request rq)
{
	rq.source = b->name;
	rq.map = b->map;
	return source_begin(a, b->kind, &rq);
}

int sources_read(const struct bound_source *b, struct arena *a, struct source_request rq,
	const struct json *body, struct source_batch *out, struct err *e)
{
	struct source_body whole = {.form = SOURCE_JSON, .json = body};

	rq.source = b->name;
	rq.map = b->map;
	*out = (struct source_batch){0};
	return b->kind->read(a, &rq, &whole, out, e);
}

bool sources_same(const struct sources *a, const struct sources *b)
{
	if (!a->contracts || !b->contracts)
		return a->contracts == b->contracts;
	return strcmp(contracts_hash(a->contracts), contracts_hash(b->contracts)) == 0;
}

int sources_check(const struct sources *s, const struct event *ev, struct err *e)
{
	return contracts_check(s ? s->contracts : NULL, ev, e);
}

/* "events[2]: data breaks …", where there are several. */
static int refuse(const struct source_batch *batch, size_t i, const struct err *why, struct err *e)
{
	if (batch->n > 1)
		err_set(e, why->code, "events[%zu]: %s", i, why->text);
	else
		err_set(e, why->code, "%s", why->text);
	e->offset = why->offset;
	return -1;
}

int sources_dress(
	const struct bound_source *b, struct arena *a, struct source_batch *batch, struct err *e)
{
	for (size_t i = 0; i < batch->n; i++) {
		struct event *ev = &batch->events[i];
		struct err why = {0};

		if (relabel_apply(b->relabel, a, ev, e) != 0)
			return -1;
		if (sources_check(b->all, ev, &why) == 0)
			continue;
		if (!b->kind->repeats)
			return refuse(batch, i, &why, e);
		ev->broken = arena_strdup(a, str_of(why.text));
		if (!ev->broken.p)
			return source_no_memory(e);
	}
	return 0;
}
