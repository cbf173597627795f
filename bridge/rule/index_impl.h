/* index_impl.h: how an index lies in memory. For index.c and index_build.c only. */
#ifndef RB_RULE_INDEX_IMPL_H
#define RB_RULE_INDEX_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "rule/index.h"
#include "rule/matcher.h"

#define INDEX_PREFIX_MAX 32	/* bytes of a beginning that count */
#define INDEX_PART_LEAST 3	/* bytes of a part; a shorter one is not looked for */
#define INDEX_LEAF 1		/* so few rules need not be told apart */
#define INDEX_DEPTH 4		/* fields that tell rules apart, one after the other */
#define INDEX_PART_RULES 2	/* fewer rules are not worth going through a value's bytes */
#define INDEX_FOLLOWED 64	/* a long value has the same part again and again */
#define INDEX_PLACES_FACTOR 16	/* a rule may be filed so many times, on average */

/* How a text is asked for. */
enum index_kind {
	INDEX_WORD,	/* the value is it */
	INDEX_PREFIX,	/* begins with it */
	INDEX_PART,	/* holds it: its first or last 8, 4 or 3 bytes */
	INDEX_PRESENT,	/* the value is not "" */
};

/* Rules that have in common what was asked so far. */
struct index_node {
	uint32_t rest, rest_n;		/* in `rest`: those that nothing more is asked for */
	uint32_t group, group_n;	/* in `groups` */
	uint64_t event;			/* the last one that led here: parts may lead here again and again */
};

/* Within a node: the rules that are told apart by one field. */
struct index_group {
	uint32_t field;
	uint32_t prefixes;	/* bit i: there are beginnings of i + 1 bytes */
	uint32_t parts;		/* the same */
	uint64_t part_starts;	/* bit i: a part begins with a byte whose lower six bits are i */
	uint32_t present;	/* a target, or 0 */
	bool words;		/* there are words */
	bool empty;		/* "" is one of them */
};

/* Where a text leads: a target is the number of a node (never the first), or of a rule with INDEX_IS_RULE. Texts
 * themselves are not kept: one that only has the same hash makes a candidate too many, which its matchers refuse. */
#define INDEX_IS_RULE UINT32_C(0x80000000)
struct index_slot {
	uint32_t tag;
	uint32_t target;	/* 0: free */
};

struct index_value {		/* of a field, in the event at hand */
	struct str text;
	uint64_t hash;
	uint64_t event;		/* which event; else it is not known yet */
};

struct index {
	struct index_node *nodes;
	struct index_group *groups;
	uint32_t *rest;
	struct index_slot *slots;
	uint64_t slots_mask;
	uint64_t *bits_known;	/* a bit for each text that there is: most are not, and this is small */
	uint64_t bits_mask;	/* of the number of a bit */
	size_t nodes_n, groups_n, rest_n;

	const struct field **fields;
	size_t fields_n;
	uint32_t *names;	/* labels and annotations by hash: number of the field + 1 */
	uint64_t names_mask;
	bool has_annotations;
	uint32_t *first_group;	/* by field: the first node's group, or INDEX_NONE */
	uint32_t *always;	/* groups of the first node that labels and annotations of the event do not lead to */
	size_t always_n;

	/* of the event at hand */
	struct index_value *values;
	uint32_t *seen;		/* fields that the event has */
	uint64_t followed[INDEX_FOLLOWED];	/* parts that were found in it already */
	uint64_t event;
	uint64_t *bits, *blocks;	/* candidates; words of `bits` that are not 0 */
	size_t blocks_n, block_at;
	size_t bytes;
};
#define INDEX_NONE UINT32_MAX

static inline uint64_t index_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static inline uint64_t index_load(const char *p, size_t n)
{
	uint64_t x = 0;
	uint32_t y, z;

	if (n == 8) {
		memcpy(&x, p, 8);
	} else if (n >= 4) {
		memcpy(&y, p, 4);
		memcpy(&z, p + n - 4, 4);
		x = (uint64_t)y << 32 | z;
	} else if (n > 0) {
		x = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 |
			(unsigned char)p[n - 1];
	}
	return x;
}

static inline uint64_t index_hash(const char *p, size_t n)
{
	uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15);

	for (; n > 8; p += 8, n -= 8) {
		h = (h ^ index_load(p, 8)) * UINT64_C(0xd6e8feb86659fd93);
		h ^= h >> 32;
	}
	return index_mix(h ^ index_load(p, n));
}

/* For parts, of which a value has as many as bytes: only what passes the filter is mixed well. n is index_part_length
 * of something. */
static inline uint64_t index_part(const char *p, size_t n)
{
	return index_load(p, n) ^ (uint64_t)n << 60;
}

static inline uint64_t index_part_filter(uint64_t part, size_t group)
{
	return (part ^ group * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xd6e8feb86659fd93) >> 40;
}

/* Where a text of a kind stands for one group. */
static inline uint64_t index_key(uint64_t hash, size_t group, enum index_kind kind)
{
	return (hash ^ (group * 4 + kind + 1) * UINT64_C(0x9e3779b97f4a7c15)) *
		UINT64_C(0xff51afd7ed558ccd);
}

static inline uint32_t index_tag(uint64_t key)
{
	return (uint32_t)key;
}

static inline uint64_t index_place(uint64_t key)
{
	return key >> 32;
}

/* The same for the filter, of all but parts. */
static inline uint64_t index_filter(uint64_t key)
{
	return key >> 8;
}

static inline uint64_t index_name_hash(const struct str *name, enum field_kind kind)
{
	return index_hash(name->p, name->n) + kind;
}

/* Of how many bytes of a text of n bytes its part is made. */
static inline size_t index_part_length(size_t n)
{
	return n >= 8 ? 8 : n >= 4 ? 4 : n;
}

#endif
