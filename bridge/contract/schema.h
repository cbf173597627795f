/* schema.h: a contract's parts, compiled. For this folder only. */
#ifndef RB_CONTRACT_SCHEMA_H
#define RB_CONTRACT_SCHEMA_H

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>
#include "base/arena.h"
#include "contract/contract.h"
#include "contract/format.h"

/* Bits for `type`. */
enum {
	SCHEMA_NULL = 1 << 0,
	SCHEMA_BOOLEAN = 1 << 1,
	SCHEMA_NUMBER = 1 << 2,
	SCHEMA_INTEGER = 1 << 3,
	SCHEMA_STRING = 1 << 4,
	SCHEMA_ARRAY = 1 << 5,
	SCHEMA_OBJECT = 1 << 6,
};

struct schema;

struct schema_list {
	struct schema **v;
	size_t n;
};

struct schema_property {
	struct str name;
	struct schema *schema;
};

/* At least and at most, of a length or a count; most < 0: no end. */
struct schema_range {
	int64_t least, most;
};

struct schema {
	bool never;			/* the schema `false` */
	unsigned types;			/* 0: any */
	const struct json *one_of_values; /* enum: an array */
	const struct json *value;	/* const */
	struct schema_property *properties;
	size_t properties_n;
	struct schema *additional;	/* of properties that are not named; NULL: anything */
	struct str *required;
	size_t required_n;
	struct schema *items;		/* NULL: anything */
	pcre2_code *pattern;		/* not anchored */
	struct str pattern_text;
	enum format format;
	struct str minimum, maximum, above, below;	/* JSON numbers; "" none */
	struct schema_range length, count, members;	/* characters, items, properties */
	struct schema_list all, any, one;
	struct schema *not_;
	struct schema *ref;
	int mark;			/* while loops are looked for */
};

struct contract {
	struct arena arena;
	struct schema *top;
	pcre2_code **patterns;		/* to be freed */
	size_t patterns_n, patterns_cap;
	pcre2_match_data *match;
	pcre2_match_context *context;
};

/* JSON's equality: numbers by value, objects without order. own: of the contract. */
bool schema_equal(const struct json *own, const struct json *b);

#endif
