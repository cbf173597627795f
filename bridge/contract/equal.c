/* equal.c: when two JSON values are the same, for `enum` and `const`.
 *
 * The first one is the contract's own, so the work is bounded by the contract, however large the
 * other one is. No name stands twice in an object: the reader of JSON sees to it.
 */
#include "contract/decimal.h"
#include "contract/schema.h"

/* As many members as a has, and each of a's among them: so no others. */
static bool in_other(const struct json *a, const struct json *b)
{
	for (const struct json *m = a->child; m; m = m->next) {
		const struct json *other = json_getn(b, m->key);
		if (!other || !schema_equal(m, other))
			return false;
	}
	return true;
}

static bool same_items(const struct json *a, const struct json *b)
{
	const struct json *y = b->child;

	for (const struct json *x = a->child; x; x = x->next, y = y->next) {
		if (!y || !schema_equal(x, y))
			return false;
	}
	return !y;
}

bool schema_equal(const struct json *own, const struct json *b)
{
	if (own->kind != b->kind)
		return false;
	switch (own->kind) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return own->boolean == b->boolean;
	case JSON_NUMBER:
		return decimal_cmp(own->text, b->text) == 0;
	case JSON_STRING:
		return str_eq(own->text, b->text);
	case JSON_ARRAY:
		return own->count == b->count && same_items(own, b);
	case JSON_OBJECT:
		break;
	}
	return own->count == b->count && in_other(own, b);
}
