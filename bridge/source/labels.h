/* labels.h: labels, annotations and links that a kind makes of fields, one after the other, within
 * the limits of source.h. Not for others. */
#ifndef RB_SOURCE_LABELS_H
#define RB_SOURCE_LABELS_H

#include "source/source.h"

/* Zeroed but for the arena: empty. What is put must live as long as the event. */
struct labels {
	struct arena *arena;
	struct kv *v;
	size_t n, cap;
};

/* Of an empty value nothing is put; a name twice: the last one. ERR_LIMIT past SOURCE_LABELS_LIMIT
 * pairs, SOURCE_NAME_LIMIT or SOURCE_VALUE_LIMIT. */
int labels_put(struct labels *l, struct str name, struct str value, struct err *e);
/* NULL where there is none of that name. */
struct kv *labels_find(const struct labels *l, struct str name);
/* Sorted, as an event has them. */
void labels_end(struct labels *l, struct kv **out, size_t *n);

#endif
