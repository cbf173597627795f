/* dialect.h: whose endpoint a path is, and so in which words it refuses.
 *
 * Shippers of logs post to paths of the server that they know. What such a server would answer they
 * get here, refusals of the dispatcher included: that is why the path decides, whether there is
 * such a route or not.
 */
#ifndef RB_HTTP_DIALECT_H
#define RB_HTTP_DIALECT_H

#include "base/err.h"

struct request;

struct dialect {
	const char *source; /* that its requests belong to, where the path names none */
	/* Answers; r->out is empty. NULL: as we do it. */
	void (*refuse)(struct request *r, unsigned status, const struct err *e);
	const char *header, *value; /* of every answer; NULL: none */
};

/* NULL: the path is one of our own. */
const struct dialect *dialect_of(const char *path);

extern const struct dialect dialect_elastic, dialect_splunk, dialect_otlp, dialect_loki,
	dialect_journal;

#endif
