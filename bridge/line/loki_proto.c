/* loki_proto.c: what is pushed to Loki as Protocol Buffers (pkg/push/push.proto), inflated already:
 *
 *	PushRequest	1 streams
 *	Stream		1 labels, as {name="value", …}	2 entries	3 hash
 *	Entry		1 timestamp (1 seconds, 2 nanos)	2 line	3 structured metadata (1
 *name, 2 value)
 */
#include <string.h>
#include "line/maker.h"
#include "line/proto_tree.h"

#define NS_PER_S INT64_C(1000000000)

struct line_decoder {
	struct line_maker maker;
	struct proto_stream stream;
	struct arena arena; /* of an entry */
};

static const struct proto_shape timestamp_shape = {
	{{1, "seconds", PROTO_INT, false, NULL}, {2, "nanos", PROTO_INT, false, NULL}}};
static const struct proto_shape pair_shape = {
	{{1, "name", PROTO_TEXT, false, NULL}, {2, "value", PROTO_TEXT, false, NULL}}};
static const struct proto_shape entry_shape = {{
	{1, "timestamp", PROTO_MESSAGE, false, &timestamp_shape},
	{2, "line", PROTO_TEXT, false, NULL},
	{3, "structuredMetadata", PROTO_MESSAGE, true, &pair_shape},
}};

/* ---- labels as text ---- */

struct cursor {
	struct str left;
	uint64_t offset; /* of its end */
};

static int broken(const struct cursor *c, struct err *e)
{
	err_set(e, ERR_INPUT, "the stream's labels read wrong: want {name=\"value\", …}");
	e->offset = (size_t)(c->offset - c->left.n);
	return -1;
}

static void skip_blanks(struct cursor *c)
{
	while (c->left.n && c->left.p[0] == ' ') {
		c->left.p++;
		c->left.n--;
	}
}

static bool take_char(struct cursor *c, char want)
{
	skip_blanks(c);
	if (c->left.n == 0 || c->left.p[0] != want)
		return false;
	c->left.p++;
	c->left.n--;
	return true;
}

/* Go quotes as JSON does, but for \a \v \x41 \101 \U0001F600 \'. Of these the letter stays as it is
 * written, without its backslash: labels hold no such bytes. */
static struct str unquote(struct arena *a, struct str s)
{
	static const char from[] = "ntr\"\\", to[] = "\n\t\r\"\\";
	char *p;
	size_t n = 0;

	if (s.n == 0 || !memchr(s.p, '\\', s.n) || !(p = arena_alloc(a, s.n)))
		return s;
	for (size_t i = 0; i < s.n; i++) {
		const char *which = NULL;

		if (s.p[i] == '\\' && i + 1 < s.n)
			which = memchr(from, s.p[++i], sizeof(from) - 1);
		p[n++] = which ? to[which - from] : s.p[i];
	}
	return (struct str){p, n};
}

static bool take_quoted(struct cursor *c, struct str *out)
{
	size_t n = 0;

	if (!take_char(c, '"'))
		return false;
	while (n < c->left.n && c->left.p[n] != '"')
		n += c->left.p[n] == '\\' ? 2 : 1;
	if (n >= c->left.n)
		return false;
	*out = (struct str){c->left.p, n};
	c->left.p += n + 1;
	c->left.n -= n + 1;
	return true;
}

static bool take_name(struct cursor *c, struct str *out)
{
	size_t n = 0;

	skip_blanks(c);
	while (n < c->left.n && c->left.p[n] != '=' && c->left.p[n] != ' ')
		n++;
	*out = (struct str){c->left.p, n};
	c->left.p += n;
	c->left.n -= n;
	return n > 0;
}

static int put_labels(void *ctx, const struct proto_field *f, struct err *e)
{
	struct line_decoder *d = ctx;
	struct cursor c = {f->bytes, f->offset + f->bytes.n};
	struct str name, value;

	line_maker_begin(&d->maker, f->offset);
	if (!take_char(&c, '{'))
		return broken(&c, e);
	while (!take_char(&c, '}')) {
		if (!take_name(&c, &name) || !take_char(&c, '=') || !take_quoted(&c, &value))
			return broken(&c, e);
		line_maker_label(&d->maker, name, unquote(&d->maker.arena, value));
		if (!take_char(&c, ',') && (c.left.n == 0 || c.left.p[0] != '}'))
			return broken(&c, e);
	}
	line_maker_base(&d->maker);
	return 0;
}

/* ---- entries ---- */

static int64_t time_of(const struct json *entry)
{
	const struct json *t = json_get(entry, "timestamp");
	int64_t seconds = 0, nanos = 0, ns;

	json_i64(json_get(t, "seconds"), &seconds);
	json_i64(json_get(t, "nanos"), &nanos);
	if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) ||
		__builtin_add_overflow(ns, nanos, &ns))
		return 0;
	return ns;
}

static int take_entry(void *ctx, const struct proto_field *f, struct err *e)
{
	struct line_decoder *d = ctx;
	struct json *entry = proto_tree(&d->arena, &entry_shape, proto_in(f), e);
	const struct json *pairs = entry ? json_get(entry, "structuredMetadata") : NULL;
	int rc;

	if (!entry)
		return -1;
	line_maker_begin(&d->maker, f->offset);
	d->maker.line.time_ns = time_of(entry);
	for (const struct json *p = pairs ? pairs->child : NULL; p; p = p->next)
		line_maker_label(
			&d->maker, json_str(json_get(p, "name")), json_str(json_get(p, "value")));
	line_maker_text(&d->maker, json_str(json_get(entry, "line")));
	rc = line_maker_end(&d->maker, e);
	arena_reset(&d->arena);
	return rc;
}

/* Once for the labels and once for the entries: they may stand in any order. */
static int take_stream(void *ctx, const struct proto_field *f, struct err *e)
{
	struct line_decoder *d = ctx;
	int rc;

	if (f->number != 1 || f->wire != PROTO_BYTES)
		return 0;
	rc = proto_each(f, 1, put_labels, d, e);
	if (rc == 0)
		rc = proto_each(f, 2, take_entry, d, e);
	line_maker_unbase(&d->maker, d->maker.request_n);
	return rc;
}

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	struct line_decoder *d = line_maker_new(sizeof(*d), o, sink, e);

	if (!d)
		return NULL;
	arena_init(&d->arena, LINE_ITEM_LIMIT);
	proto_stream_init(&d->stream, LINE_ITEM_LIMIT, take_stream, d);
	return d;
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	return proto_stream_feed(&d->stream, piece, e);
}

static int finish(struct line_decoder *d, struct err *e)
{
	return proto_stream_finish(&d->stream, e);
}

static void drop(struct line_decoder *d)
{
	if (!d)
		return;
	proto_stream_release(&d->stream);
	arena_release(&d->arena);
	line_maker_free(d);
}

const struct line_kind line_kind_loki_proto = {"loki protobuf", new, feed, finish, drop};
