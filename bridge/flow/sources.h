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

struct sources;

/* One of them; lives as long as its sources. */
struct bound_source {
	struct str name;
	const struct source_kind *kind;
	const struct relabel *relabel;	/* NULL: labels stay as they came */
	const struct conf_source *conf;	/* NULL: it has the name of its kind, and the configuration does not mention it */
};

/* Of c, which must live as long; findings in d. NULL where d got an error. With one reference. */
struct sources *sources_new(const struct conf *c, struct diags *d);
struct sources *sources_ref(struct sources *s);
void sources_unref(struct sources *s);	/* NULL is fine */
/* Does anybody hold a reference but its maker? */
bool sources_shared(const struct sources *s);
/* One of the configuration, or a kind's own; NULL: there is none. */
const struct bound_source *sources_find(const struct sources *s, struct str name);

/* The body of one request to b, as source.h has it; rq without its source. */
struct source_parse *sources_begin(const struct bound_source *b, struct arena *a, struct source_request rq);
/* Events of a body that was read: what the configuration says about this source is applied to them. All in a.
 * Called after source_finish or a kind's read. ERR_INPUT. */
int sources_dress(const struct bound_source *b, struct arena *a, struct source_batch *batch, struct err *e);

#endif
