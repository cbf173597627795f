/* index.h: which rules an event can concern at all, without looking at the others. For this folder only.
 *
 * Made once of all rules of a ruleset. For each rule it takes texts that the rule's own matchers ask of one field
 * (the whole value, its beginning, a part of it, or that it is there), and files the rule under their hashes; rules
 * that share such a text are told apart by a second field, and so on. What it gives are candidates: no rule that holds
 * is missing, and each is still held against the event by its matchers. docs/design/index.md has the why.
 */
#ifndef RB_RULE_INDEX_H
#define RB_RULE_INDEX_H

#include <stddef.h>
#include "base/arena.h"
#include "event/event.h"
#include "rule/ruleset.h"

struct index;

/* The rules stay where they are as long as the index, which lives in a. Neither `when` nor own events are looked at:
 * ruleset_match does. NULL: a is full, or no memory. */
struct index *index_new(struct arena *a, const struct rule *rules, size_t n, const struct pace *pace);

/* Finds the candidates of ev and keeps them for index_next; one event at a time, one thread. a: for values of data
 * that are objects. */
void index_find(struct index *ix, struct arena *a, const struct event *ev);

/* The candidates in order of the rules, each once: their numbers; INDEX_END after the last. What was handed out is
 * forgotten: after INDEX_END the index is ready for the next event. */
#define INDEX_END ((size_t)-1)
size_t index_next(struct index *ix);

/* For check and the benchmark: rules that every event is held against, and bytes of the index. */
struct index_figures {
	size_t everywhere;
	size_t bytes;
};
struct index_figures index_figures(const struct index *ix);

#endif
