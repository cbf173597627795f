/* flow/relabel.h: `labels:` of a source: how the labels of its events are renamed and derived, so that one host has one
 * name whoever reports it. Pure.
 */
#ifndef RB_FLOW_RELABEL_H
#define RB_FLOW_RELABEL_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/err.h"
#include "conf/conf.h"
#include "event/event.h"

struct relabel;

/* Templates over the event as it came, in a; findings in d with the place in the file. NULL: nothing to do, or no
 * memory (arena_failed). */
const struct relabel *relabel_new(struct arena *a, const struct conf *c, const struct conf_source *s, struct diags *d);
/* All of them see the labels as they were before. One whose value is missing or empty leaves its label alone; a literal
 * "" drops it. The fingerprint, the sender's identity, stays. r NULL is fine. ERR_LIMIT. */
int relabel_apply(const struct relabel *r, struct arena *a, struct event *ev, struct err *e);

#endif
