/* drain.h: lines of one kind put together, without knowing the kinds: Drain's tree, with our
 * bounds.
 *
 * A message is cut at blanks into tokens. What changes by its nature (numbers, addresses,
 * hexadecimal, UUIDs, paths) is replaced in them by a mark, one byte each; tokens that differ
 * within a group become one that is a mark in part or as a whole. A group's tokens thus say which
 * lines it is made of, and every line that was added to it is one of those. Pure; one thread.
 */
#ifndef RB_RULE_DRAIN_H
#define RB_RULE_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/str.h"
#include "event/event.h"

#define DRAIN_DEPTH                                                                                \
	2 /* tokens that lead to a group, behind the program and how many tokens there are */
#define DRAIN_CHILDREN 100 /* of one node; what comes later shares a node */
#define DRAIN_GROUPS 5000  /* lines of further kinds are left out, and counted */
#define DRAIN_LEAF 200	   /* groups of one node, which each line is held against */
#define DRAIN_TOKENS 64	   /* of one message; the rest of it is not looked at */
#define DRAIN_BYTES 1024   /* the same */
#define DRAIN_SIMILAR 65   /* per cent of the tokens that a line and its group have in common */
#define DRAIN_ALIKE 4	   /* groups that differ in the same one token are one */
#define DRAIN_SAMPLES 16   /* lines of a group that are kept, the first ones that differ */
#define DRAIN_MEMORY ((size_t)512 << 20)

/* A byte in a token; no text has them: a token with a control character is DRAIN_ANY. */
enum drain_mark {
	DRAIN_ANY = 1, /* one character or more, no blanks */
	DRAIN_MAYBE,   /* the same, or none */
	DRAIN_NUMBER,  /* digits, with a sign */
	DRAIN_ADDRESS, /* IPv4, IPv6, MAC */
	DRAIN_HEX,
	DRAIN_UUID,
	DRAIN_PATH,
	DRAIN_DAY, /* of the week, or a month, in three letters */
	DRAIN_MARKS,
};

struct drain_group {
	struct str program; /* of all its lines; "" none, or not all have the same */
	struct str *tokens;
	bool *wide; /* before each token, in some line: more or other blanks than one space; before
		     * the first one: any */
	size_t n;
	bool trailing; /* some line has blanks behind the last token */
	bool cut;      /* some line is longer than what was looked at */
	uint64_t count;
	uint64_t first, last;		   /* numbers of lines, as given */
	size_t longest;			   /* bytes of a line */
	enum event_severity level;	   /* the worst that its lines say of themselves */
	struct str samples[DRAIN_SAMPLES]; /* their first DRAIN_BYTES */
	size_t samples_n;
	struct drain_group *next_in_leaf;
	struct drain_group *into; /* drain_finish put its lines there; NULL: it stands */
};

struct drain;

/* NULL: no memory. */
struct drain *drain_new(void);
void drain_free(struct drain *d);

struct drain_line {
	struct str message; /* valid UTF-8 */
	struct str program; /* "": not known */
	enum event_severity level;
	uint64_t number;
};

/* The group that the line is now in; NULL: it has no tokens, or a bound keeps it out. Texts are
 * copied. */
struct drain_group *drain_add(struct drain *d, const struct drain_line *l);
/* After the last line: puts together what the tree kept apart by its first tokens. */
void drain_finish(struct drain *d);
/* All groups that stand, in the order in which they began. */
struct drain_group *const *drain_groups(const struct drain *d, size_t *n);
/* Lines that a bound kept out. */
uint64_t drain_left_out(const struct drain *d);

/* ---- drain_mask.c ---- */
struct drain_tokens {
	struct str v[DRAIN_TOKENS];
	bool wide[DRAIN_TOKENS];
	size_t n;
	bool trailing, cut;
};
/* The message's tokens, in a; with marks or, for a look at the values, as they stand. */
void drain_tokens(struct arena *a, struct str message, bool marks, struct drain_tokens *out);
/* What both are: of each other, or of what they were merged from. NULL in .p: the arena is full. */
struct str drain_merge(struct arena *a, struct str x, struct str y);

static inline bool drain_is_mark(char c)
{
	return c > 0 && c < DRAIN_MARKS;
}

#endif
