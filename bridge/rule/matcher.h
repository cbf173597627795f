/* matcher.h: Alertmanager's matcher syntax, compiled, over an event.
 *
 * `alertname =~ "Host.*", severity != info, event.source = "am"`: comma = and; values quoted or plain
 * words; braces around the whole are allowed. Left sides: a label, or a field by its prefix (event.source,
 * event.type, event.status, event.severity, event.summary, event.group, annotations.x, data.a.b.0.c); a label whose
 * name holds a dot is quoted. An absent label is the empty string, as in Alertmanager. Regexes are PCRE2
 * (JIT, UTF), anchored at both ends, and their dot matches a line feed, too; named groups are handed out.
 * "{}" holds for every event; the empty text is an error. Pure; a compiled list may be used by several
 * threads, each with a struct matcher_scratch of its own.
 */
#ifndef RB_RULE_MATCHER_H
#define RB_RULE_MATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"

/* A left side, as matchers and `by:` lists have it. */
enum field_kind {
	FIELD_LABEL,
	FIELD_EVENT,
	FIELD_ANNOTATION,
	FIELD_DATA,
};

enum field_event {
	FIELD_EVENT_SOURCE,
	FIELD_EVENT_TYPE,
	FIELD_EVENT_STATUS,
	FIELD_EVENT_SEVERITY,
	FIELD_EVENT_SUMMARY,
	FIELD_EVENT_GROUP,
};

struct field {
	enum field_kind kind;
	enum field_event event;	/* where kind is FIELD_EVENT */
	struct str name;	/* the label; or what follows the prefix */
	struct str text;	/* as written */
};

/* A whole text as one left side. ERR_INPUT. Text is copied into a. */
int field_parse(struct arena *a, struct str text, struct field *out, struct err *e);
/* Its value in ev; "" where absent. A number or bool of data is its text; an object or array is compact JSON, which
 * alone needs a. */
struct str field_value(struct arena *a, const struct field *f, const struct event *ev);
/* What that took, in bytes written and values passed: only data costs. */
uint64_t field_cost(const struct field *f, const struct event *ev, struct str value);

enum matcher_op {
	MATCH_EQ,
	MATCH_NE,
	MATCH_RE,
	MATCH_NRE,
};

struct matcher;			/* one comparison */

struct matchers {		/* all must hold */
	struct matcher *v;
	size_t n;
};

#define MATCHER_LIMIT 64		/* comparisons in one text */
#define MATCHER_REGEX_LIMIT 8192	/* bytes of one regex */
#define MATCHER_JIT_STACK (512 * 1024)	/* bytes, one a scratch */
#define MATCHER_GROUPS_LIMIT 64		/* capture groups of one regex */
#define MATCHER_HEAP_LIMIT (16 * 1024)	/* KiB, where there is no JIT */

/* e->offset: byte of text to blame. Structs live in a; the compiled regexes need matchers_release. */
int matchers_parse(struct arena *a, struct str text, struct matchers *out, struct err *e);
struct regex_pool;	/* rule/regex.h */
/* The same; regexes that other texts of the pool have, too, are shared with them. */
int matchers_parse_pooled(struct arena *a, struct str text, struct regex_pool *pool, struct matchers *out,
	struct err *e);
void matchers_release(struct matchers *m);
/* Appends those of `from`, which is empty after. ERR_NOMEM leaves both as they were. */
int matchers_join(struct arena *a, struct matchers *to, struct matchers *from, struct err *e);
/* Moves all that evaluating looks at to one piece of memory: for rules of which there are many. ERR_NOMEM leaves them as
 * they were. */
int matchers_pack(struct arena *a, struct matchers *m, struct err *e);
/* Does it compare event.type or event.source? (flow: only such rules see runbookd's own events.) */
bool matchers_name_event_origin(const struct matchers *m);
/* The labels that an event must have: name and value of each `label = value` with a value that is not empty. At most
 * max; how many. They live as long as m. */
size_t matchers_labels(const struct matchers *m, struct kv *out, size_t max);
/* Has one of its =~ regexes a group of this name? */
bool matchers_have_group(const struct matchers *m, struct str name);

/* What matching needs and a thread owns: match data, JIT stack, the limit. */
struct matcher_scratch;
struct matcher_scratch *matcher_scratch_new(uint32_t match_limit);
void matcher_scratch_free(struct matcher_scratch *s);
/* How many steps all regexes may take from one matcher_scratch_begin to the next; past it they give up. Without it there
 * is no such bound. A step is PCRE2's and costs more on a long value (matcher.c); on one over 550 KB even the first one
 * costs more than the default of limits.match_budget. */
void matcher_scratch_budget(struct matcher_scratch *s, uint64_t steps);
void matcher_scratch_begin(struct matcher_scratch *s);
uint64_t matcher_scratch_used(const struct matcher_scratch *s);

struct matcher_groups {		/* named groups that took part, in the order met, no name twice (the first one
				 * wins); they point into the event and the compiled regex */
	struct kv *v;
	size_t n;
};

/* 1 all hold, 0 one does not, -1 a regex gave up and no other matcher says no (e names it). groups may be
 * NULL; else it is {0} or what an earlier call filled, and is appended to. */
int matchers_eval(const struct matchers *m, struct matcher_scratch *s, struct arena *a,
	const struct event *ev, struct matcher_groups *groups, struct err *e);
/* For explain: the index of the first matcher that does not hold, its text and the value it saw; n where all hold. The
 * index over the rules does not help here: so what it costs to find values in data, and words in long values, is taken from
 * the budget, too. One for which it does not suffice counts as one that holds. */
size_t matchers_first_failing(const struct matchers *m, struct matcher_scratch *s, struct arena *a,
	const struct event *ev, struct str *text, struct str *saw);

#endif
