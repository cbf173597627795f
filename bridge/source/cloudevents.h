/* cloudevents.h: CloudEvents 1.0 in JSON, for those who take them elsewhere than at the kind's own
 * source. Not for others. */
#ifndef RB_SOURCE_CLOUDEVENTS_H
#define RB_SOURCE_CLOUDEVENTS_H

#include "source/source.h"

/* An event of the program's own API: id, source and specversion may be missing, "_" may be in
 * names, all else is as in the kind `cloudevents`. An array gives an event an element. ERR_INPUT.
 */
int cloudevents_emitted(struct arena *a, const struct source_request *rq, const struct json *body,
	struct source_batch *out, struct err *e);

#endif
