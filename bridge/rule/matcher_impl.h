/* matcher_impl.h: what field.c and the matcher_*.c files share. For them only. */
#ifndef RB_RULE_MATCHER_IMPL_H
#define RB_RULE_MATCHER_IMPL_H

#include "rule/matcher.h"
#include "rule/regex.h"
#include "rule/words.h"

/* What a regex of plain words has at its ends. */
enum matcher_open {
	OPEN_NOT,
	OPEN_ANY,	/* .* */
	OPEN_SOME,	/* .+ */
};

struct matcher {
	struct field field;
	enum matcher_op op;
	struct str text;	/* as written */
	struct str value;	/* = and != */
	struct regex *regex;	/* =~ and !~; NULL where words say the same */
	pcre2_code *code;	/* the regex's */
	struct str *words;	/* the value is one of them; or where head or tail is open: */
	size_t words_n;		/* one of them is its end, its beginning, or a part of it */
	enum matcher_open head, tail;	/* then the code is there, too, and says the same */
	uint32_t names_n;	/* named groups */
};

/* How a word says what a plain character cannot. */
enum escapes {
	ESCAPES_NONE,		/* not at all */
	ESCAPES_CLASSIC,	/* \" \\ \n; every other backslash is itself */
	ESCAPES_GO,		/* as a Go string: \" \\ \n \t … \x41 \101 \u00e9 \U0001f642; every other is refused */
};

/* A name or value as it stands in the text. */
struct word {
	size_t from, to;	/* bytes, with the quotes */
	bool quoted;
	enum escapes escapes;
	struct str value;	/* what it means; in the arena */
};

/* A comparison as it stands in the text: not compiled, its name not looked up. */
struct raw_matcher {
	struct word name, value;
	enum matcher_op op;
};
struct raw_list {
	struct raw_matcher v[MATCHER_LIMIT];
	size_t n;
};

/* matcher.c: a regex on a text, within the bounds of the scratch. 1, 0, or -1 where it gave up; then e says why of `what`,
 * the regex as written. */
int matcher_regex_on(const struct regex *r, struct str what, struct matcher_scratch *s, struct str v, struct err *e);
/* After it gave 1: its named groups that took part are appended to g, which has room for r->names_n more. */
void matcher_regex_groups(const struct regex *r, struct matcher_scratch *s, struct str v, struct matcher_groups *g);

/* The two syntaxes. -1: this one does not take the text; e->offset is the byte. A list without a matcher is taken by
 * the UTF-8 syntax only, as {}. */
int matcher_read_classic(struct str text, struct arena *a, struct raw_list *out, struct err *e);
int matcher_read_utf8(struct str text, struct arena *a, struct raw_list *out, struct err *e);

/* A word of the UTF-8 syntax, plain or quoted. A plain one may be empty: the caller knows what was wanted there. */
int matcher_read_word(struct cursor *c, struct arena *a, struct word *out, struct err *e);
/* What a plain word cannot hold. */
bool matcher_is_reserved(struct str s, size_t i);
void matcher_skip_spaces(struct cursor *c);
/* Does an operator stand at the beginning of rest? */
bool matcher_op_at(struct str rest, enum matcher_op *op);
struct str matcher_op_text(enum matcher_op op);
/* w->value from its bytes in the text. */
int matcher_unescape(struct arena *a, struct str text, struct word *w, struct err *e);
/* The byte of the text that stands for this byte of w->value. */
size_t matcher_offset_in_text(struct str text, const struct word *w, size_t byte);
int matcher_too_many(size_t offset, struct err *e);
int field_of_word(const struct word *w, struct field *out, struct err *e);
/* What stands behind "event.". */
const char *field_event_name(enum field_event f);
/* 0, or -1 with the first byte that is not UTF-8. */
int matcher_check_utf8(struct str text, struct err *e);

#endif
