/* proto_tree.c: a table says which fields a message has; all others are passed over.
 *
 * A field of another wire type than its own is broken. Of a field that may stand there once and
 * stands there twice, the first one counts. A text need not be UTF-8: whoever writes it out as JSON
 * mends it.
 */
#include "line/proto_tree.h"

#include <math.h>
#include <string.h>

struct build {
	struct arena *arena;
	struct err *e;
};

static struct json *node(struct build *b, enum json_kind kind, uint64_t offset)
{
	struct json *j = arena_zalloc(b->arena, sizeof(*j));

	if (!j) {
		err_set(b->e, ERR_LIMIT,
			"one item of the body needs more than %zu bytes; send smaller items",
			b->arena->limit);
		return NULL;
	}
	j->kind = kind;
	j->offset = (size_t)offset;
	return j;
}

static const struct proto_shape_field *find(const struct proto_shape *shape, uint32_t number)
{
	for (size_t i = 0; i < PROTO_SHAPE_FIELDS && shape->fields[i].number; i++)
		if (shape->fields[i].number == number)
			return &shape->fields[i];
	return NULL;
}

static bool wire_fits(enum proto_type type, enum proto_wire wire)
{
	switch (type) {
	case PROTO_TEXT:
	case PROTO_HEX:
	case PROTO_MESSAGE:
		return wire == PROTO_BYTES;
	case PROTO_UINT:
		return wire != PROTO_BYTES;
	case PROTO_DOUBLE:
		return wire == PROTO_FIXED64;
	case PROTO_INT:
	case PROTO_BOOL:
		break;
	}
	return wire == PROTO_VARINT;
}

static struct str hex(struct arena *a, struct str s)
{
	static const char digits[] = "0123456789abcdef";
	char *p = arena_alloc(a, s.n * 2 + 1);

	for (size_t i = 0; p && i < s.n; i++) {
		p[2 * i] = digits[(unsigned char)s.p[i] >> 4];
		p[2 * i + 1] = digits[(unsigned char)s.p[i] & 15];
	}
	return p ? (struct str){p, s.n * 2} : STR_NONE;
}

/* A number as JSON has it; what JSON has not is null. */
static void set_double(struct build *b, struct json *j, uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	if (isfinite(v))
		j->text = arena_printf(b->arena, "%.17g", v);
	else
		j->kind = JSON_NULL;
}

static struct json *tree(
	struct build *b, const struct proto_shape *shape, struct proto p, unsigned depth);

static struct json *value(struct build *b, const struct proto_shape_field *known,
	const struct proto_field *f, unsigned depth)
{
	static const enum json_kind kinds[] = {
		[PROTO_TEXT] = JSON_STRING,
		[PROTO_HEX] = JSON_STRING,
		[PROTO_INT] = JSON_NUMBER,
		[PROTO_UINT] = JSON_NUMBER,
		[PROTO_BOOL] = JSON_BOOL,
		[PROTO_DOUBLE] = JSON_NUMBER,
	};
	struct json *j;

	if (known->type == PROTO_MESSAGE)
		return tree(b, known->message, proto_in(f), depth);
	j = node(b, kinds[known->type], f->offset);
	if (!j)
		return NULL;
	j->boolean = f->value != 0;
	if (known->type == PROTO_TEXT)
		j->text = f->bytes;
	else if (known->type == PROTO_HEX)
		j->text = hex(b->arena, f->bytes);
	else if (known->type == PROTO_INT)
		j->text = arena_printf(b->arena, "%lld", (long long)f->value);
	else if (known->type == PROTO_UINT)
		j->text = arena_printf(b->arena, "%llu", (unsigned long long)f->value);
	else if (known->type == PROTO_DOUBLE)
		set_double(b, j, f->value);
	return j;
}

static void append(struct json *parent, struct json **tail, struct json *j)
{
	if (*tail)
		(*tail)->next = j;
	else
		parent->child = j;
	*tail = j;
	parent->count++;
}

/* An object under way: its last member, and of each array the last element. */
struct object {
	struct json *j, *tail;
	struct json *members[PROTO_SHAPE_FIELDS], *tails[PROTO_SHAPE_FIELDS];
};

static bool add(struct build *b, struct object *o, const struct proto_shape *shape,
	const struct proto_shape_field *known, struct json *j)
{
	size_t i = (size_t)(known - shape->fields);
	struct json *member = o->members[i];

	if (member && !known->many)
		return true;
	if (!member) {
		member = known->many ? node(b, JSON_ARRAY, j->offset) : j;
		if (!member)
			return false;
		member->key = str_of(known->name);
		o->members[i] = member;
		append(o->j, &o->tail, member);
	}
	if (known->many)
		append(member, &o->tails[i], j);
	return true;
}

static struct json *tree(
	struct build *b, const struct proto_shape *shape, struct proto p, unsigned depth)
{
	struct object o = {.j = node(b, JSON_OBJECT, p.offset)};
	struct proto_field f;
	int rc;

	if (depth == 0) {
		err_set(b->e, ERR_INPUT, "nested too deep");
		b->e->offset = (size_t)p.offset;
		return NULL;
	}
	if (!o.j)
		return NULL;
	while ((rc = proto_next(&p, &f, b->e)) > 0) {
		const struct proto_shape_field *known = find(shape, f.number);
		struct json *j;

		if (!known)
			continue;
		if (!wire_fits(known->type, f.wire)) {
			err_set(b->e, ERR_INPUT, "broken protobuf: '%s' is of another type",
				known->name);
			b->e->offset = (size_t)f.offset;
			return NULL;
		}
		j = value(b, known, &f, depth - 1);
		if (!j || !add(b, &o, shape, known, j))
			return NULL;
	}
	return rc == 0 ? o.j : NULL;
}

struct json *proto_tree(
	struct arena *a, const struct proto_shape *shape, struct proto p, struct err *e)
{
	struct build b = {a, e};

	return tree(&b, shape, p, PROTO_TREE_DEPTH);
}
