/* logs.c: the kind of sources whose bodies are lines of logs.
 *
 * Lines are no events: they are held against the log patterns as they come (flow/lines.h), and only
 * what these want is kept. So nothing is read here; who hands a whole body to this kind is told
 * where lines go.
 */
#include "source/kinds.h"

int logs_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e)
{
	(void)a;
	(void)body;
	(void)out;
	return err_set(e, ERR_INPUT,
		"the source '%.*s' takes lines of logs, which log patterns look at, not rules; "
		"send them to /ingest/%.*s",
		STR_ARG(rq->source), STR_ARG(rq->source));
}
