/* matcher_impl.h: what field.c, matcher_parse.c and matcher.c share. For these three only. */
#ifndef RB_RULE_MATCHER_IMPL_H
#define RB_RULE_MATCHER_IMPL_H

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>
#include "rule/matcher.h"
#include "rule/words.h"

struct matcher {
	struct field field;
	enum matcher_op op;
	struct str text;	/* as written */
	struct str value;	/* = and != */
	pcre2_code *code;	/* =~ and !~; NULL where words say the same */
	struct str *words;
	size_t words_n;
	uint32_t names_n;	/* named groups */
};

/* A name or value as it stands in the text. */
struct word {
	size_t from, to;	/* bytes, with the quotes */
	bool quoted;
	struct str value;	/* what it means; in the arena */
};

/* Plain or quoted. A plain word may be empty: the caller knows what was wanted there. */
int matcher_read_word(struct cursor *c, struct arena *a, struct word *out, struct err *e);
/* What a plain word cannot hold. */
bool matcher_is_reserved(char c);
int field_of_word(const struct word *w, struct field *out, struct err *e);
/* 0, or -1 with the first byte that is not UTF-8. */
int matcher_check_utf8(struct str text, struct err *e);

#endif
