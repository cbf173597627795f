/* index_keys.h: by which texts of which fields rules can be found. For index_build.c and index_keys.c only. */
#ifndef RB_RULE_INDEX_KEYS_H
#define RB_RULE_INDEX_KEYS_H

#include "rule/index_impl.h"

struct index_text {
	uint64_t hash;	/* of a part: index_part */
	uint8_t length;	/* of a beginning or a part, in bytes */
	uint8_t start;	/* its first byte */
	bool empty;	/* it is "" */
};

/* One matcher, as something to find rules by: one of its texts must be there. */
struct index_option {
	uint32_t field;
	enum index_kind kind;
	uint32_t text, text_n;	/* in `texts` */
};

struct index_keys {
	struct arena *tmp;
	struct index_text *texts;
	struct index_option *options;
	const struct field **fields;
	uint32_t *by_hash;	/* field + 1 */
	size_t texts_n, texts_cap, options_n, options_cap, fields_n, fields_cap, by_hash_cap;
};

/* Room for one more in v, all in tmp. NULL: no memory. */
void *index_room(struct arena *tmp, void *v, size_t n, size_t *cap, size_t size);

/* Appends the options of all of m: those that hold wherever m holds. tmp fails where there is no memory. */
void index_keys_add(struct index_keys *k, const struct matchers *m);

#endif
