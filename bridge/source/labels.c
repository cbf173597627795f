/* labels.c: pairs put together one by one; memory is the request's arena.
 *
 * Guarantee: whatever a sender writes, no event has more labels, longer names or longer values than
 * source.h allows.
 */
#include "source/labels.h"

static int make_room(struct labels *l, struct err *e)
{
	size_t cap = l->cap ? l->cap * 2 : 16;

	if (l->n < l->cap)
		return 0;
	if (l->n >= SOURCE_LABELS_LIMIT)
		return err_set(e, ERR_LIMIT, "more than %d labels, at most that many are taken",
			SOURCE_LABELS_LIMIT);
	struct kv *v = arena_grow(l->arena, l->v, l->cap * sizeof(*v), cap * sizeof(*v));
	if (!v)
		return source_no_memory(e);
	l->v = v;
	l->cap = cap;
	return 0;
}

struct kv *labels_find(const struct labels *l, struct str name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].name, name))
			return &l->v[i];
	return NULL;
}

static int too_long(struct err *e, const char *what, struct str name, size_t n, int limit)
{
	return err_set(e, ERR_LIMIT, "the %s of label '%.*s' has %zu bytes, at most %d are taken",
		what, (int)(name.n < 40 ? name.n : 40), name.p, n, limit);
}

int labels_put(struct labels *l, struct str name, struct str value, struct err *e)
{
	struct kv *old;

	if (value.n == 0)
		return 0;
	if (name.n > SOURCE_NAME_LIMIT)
		return too_long(e, "name", name, name.n, SOURCE_NAME_LIMIT);
	if (value.n > SOURCE_VALUE_LIMIT)
		return too_long(e, "value", name, value.n, SOURCE_VALUE_LIMIT);
	old = labels_find(l, name);
	if (!old && make_room(l, e) < 0)
		return -1;
	*(old ? old : &l->v[l->n++]) = (struct kv){name, value};
	return 0;
}

void labels_end(struct labels *l, struct kv **out, size_t *n)
{
	event_sort_labels(l->v, &l->n, true);
	*out = l->v;
	*n = l->n;
}
