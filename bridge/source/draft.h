/* draft.h: an event under way, for the kinds whose messages are one nested object with one event in
 * it (code hosts, trackers): texts by dotted path, labels, times in the forms that such senders
 * write, identity. Not for others.
 *
 * The first thing that is wrong stays in the caller's err, and what is read afterwards is empty: a
 * kind reads all it wants, and looks once, at draft_end.
 */
#ifndef RB_SOURCE_DRAFT_H
#define RB_SOURCE_DRAFT_H

#include "source/labels.h"
#include "source/source.h"

#define DRAFT_IDENTITY 5	/* labels of an identity, at most */
#define DRAFT_WORD_LIMIT 64	/* bytes of a sender's word in a type; a longer one is cut */

struct draft {
	struct arena *arena;
	const struct json *body;	/* an object */
	struct event *event;
	struct labels labels, links;	/* the event's, from draft_end on */
	struct err *err;		/* code ERR_NONE: nothing is wrong so far */
};

/* A label and where its value stands. */
struct draft_label {
	const char *label, *path;
};

/* One event, info, with `body` as its data. -1: body is no object, or there is no memory. */
int draft_begin(struct draft *d, struct arena *a, const struct source_request *rq,
	const struct json *body, struct source_batch *out, struct err *e);
/* Sorts, and puts the event into out. -1: something was wrong. */
int draft_end(struct draft *d, struct source_batch *out);

/* What stands at "a.b.c"; NULL where it is missing, null, or one of a, b is. One of a, b that is no
 * object: ERR_INPUT. */
const struct json *draft_at(struct draft *d, const char *path);
/* Of a string or number its text, else STR_NONE; any other kind: ERR_INPUT. */
struct str draft_text(struct draft *d, const char *path);
/* Missing: false; no bool: ERR_INPUT. */
bool draft_flag(struct draft *d, const char *path);
/* ns: RFC 3339, also with a blank for T, "UTC" for Z and an offset without colon; of a number,
 * seconds since 1970. Missing, or "": 0. Any other text: ERR_INPUT. */
int64_t draft_time(struct draft *d, const char *path);
/* The same for a number of ms. */
int64_t draft_time_ms(struct draft *d, const char *path);

/* A header that is UTF-8, in the arena; STR_NONE: there is none, or it is not. */
struct str draft_header(struct draft *d, const struct source_request *rq, const char *name);

/* As labels_put. */
void draft_put(struct draft *d, const char *label, struct str value);
void draft_take(struct draft *d, const char *label, const char *path);
void draft_take_all(struct draft *d, const struct draft_label *table, size_t n);
/* Before draft_end; STR_NONE: it has no such label. */
struct str draft_label_of(const struct draft *d, const char *label);
void draft_link(struct draft *d, const char *name, struct str url);
/* PREFIX, and then the word in small letters, "_" for what is neither letter nor digit. */
void draft_type(struct draft *d, const char *prefix, struct str word);
/* Cut at SOURCE_SUMMARY_LIMIT. */
void draft_summary(struct draft *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes it an alert, identified by the labels that `identity` names (NULL ends it, and one that it
 * has not is left out), the first `needed` of which must be there, or it stays the info event that
 * it is. since: when it began to be so; 0: not known. A resolve has its own time as starts_ns, so
 * that an older firing that comes late does not fire again. */
void draft_alert(struct draft *d, const char *alertname, enum event_status status,
	const char *const *identity, size_t needed, int64_t since);

/* What comes after prefix; STR_NONE: s does not begin with it. */
struct str draft_after(struct str s, const char *prefix);
/* Is the word one of a list that NULL ends? */
bool draft_is_one(struct str word, const char *const *list);

#endif
