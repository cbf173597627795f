/* flow/sources.h: the sources of a configuration, ready to read requests: each name with its kind and what the
 * configuration says about it.
 *
 * Immutable and counted, as the ruleset is: a request holds a reference for as long as it is under way, so a reload
 * takes nothing away from it.
 */
#ifndef RB_FLOW_SOURCES_H
#define RB_FLOW_SOURCES_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/err.h"
#include "conf/conf.h"
#include "flow/relabel.h"
#include "source/source.h"

struct contracts;
struct sources;

/* One of them; lives as long as its sources. */
struct bound_source {
	struct str name;
	const struct source_kind *kind;
	const struct source_map *map;	/* NULL: it has none */
	const struct relabel *relabel;	/* NULL: labels stay as they came */
	const struct conf_source *conf;	/* NULL: it has the name of its kind, and the configuration does not mention it */
	const struct sources *all;	/* whose it is */
};

/* Of c, which must live as long; takes over the contracts (NULL: none), also where it fails; findings in d. NULL where d got
 * an error. With one reference. */
struct sources *sources_new(const struct conf *c, struct contracts *contracts, struct diags *d);
struct sources *sources_ref(struct sources *s);
void sources_unref(struct sources *s);	/* NULL is fine */
/* Does anybody hold a reference but its maker? */
bool sources_shared(const struct sources *s);
/* One of the configuration, or a kind's own; NULL: there is none. */
const struct bound_source *sources_find(const struct sources *s, struct str name);
/* What takes the events that people and scripts emit over the API, shaped as CloudEvents: the source SOURCES_EMITTED, which has no
 * address of its own and which sources_find does not find. */
const struct bound_source *sources_emitted(const struct sources *s);
#define SOURCES_EMITTED "emit"

/* The body of one request to b, as source.h has it; rq without its source. */
struct source_parse *sources_begin(const struct bound_source *b, struct arena *a, struct source_request rq);
/* The same of a body that is JSON already, in a; rq without its source. ERR_INPUT. */
int sources_read(const struct bound_source *b, struct arena *a, struct source_request rq, const struct json *body,
	struct source_batch *out, struct err *e);
/* Events of a body that was read: what the configuration says about this source is applied to them. All in a.
 * Called after source_finish or sources_read. Then events are held against their contracts: one that breaks its own is
 * ERR_INPUT; where its sender would send it for ever (source_kind's repeats), its `broken` says why instead. */
int sources_dress(const struct bound_source *b, struct arena *a, struct source_batch *batch, struct err *e);
/* Would the other one, of an equal configuration, do the same? Files that the configuration names may differ. */
bool sources_same(const struct sources *a, const struct sources *b);
/* An event that did not come from a source: contracts_check. s NULL: there are none. */
int sources_check(const struct sources *s, const struct event *ev, struct err *e);

#endif
