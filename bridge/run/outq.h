/* outq.h: lines of output on their way to Redis: appended one by one, taken in batches.
 *
 * As large as the run's output_limit lets it get while Redis is away, and small while it is there.
 */
#ifndef RB_RUN_OUTQ_H
#define RB_RUN_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "store/store.h"

struct outq_line {
	int64_t time_ms;
	size_t n;		/* bytes of text */
	bool is_stderr;
};

struct outq {
	struct buf text;
	struct outq_line *lines;
	size_t n, cap;
	size_t taken;		/* lines of the last batch, which are still the first ones here */
};

void outq_init(struct outq *q);
void outq_release(struct outq *q);
/* False: no memory; the line is dropped. */
bool outq_add(struct outq *q, bool is_stderr, int64_t time_ms, struct str text);
/* The first lines, at most max of them and about max_bytes; they stay until outq_drop. Texts point into q. */
size_t outq_batch(struct outq *q, struct store_line *out, size_t max, size_t max_bytes);
/* The last batch is where it should be. */
void outq_drop(struct outq *q);

#endif
