/* metrics.h: counters, gauges and histograms in Prometheus's text format.
 *
 * Declared once, in metrics_table.h (name, type, labels, sentence): HELP and
 * TYPE lines and docs/metrics.md come from there. One process, one thread.
 * A series is made at its first use; at most METRICS_SERIES_MAX a metric, then
 * further label values count under "other".
 */
#ifndef RB_BASE_METRICS_H
#define RB_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/str.h"

#define METRICS_SERIES_MAX 10000
#define METRICS_LABELS_MAX 3

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM,	/* seconds */
};

enum metric {
#define METRIC(id, name, type, labels, help) METRIC_##id,
#include "base/metrics_table.h"
#undef METRIC
	METRIC_COUNT
};

/* values: as many as the metric has labels, in the table's order. */
void metric_add(enum metric m, double by, const struct str *values);
void metric_set(enum metric m, double v, const struct str *values);
void metric_observe(enum metric m, double seconds, const struct str *values);
/* A histogram whose buckets were counted elsewhere (in Redis): replaces the series. */
void metric_set_histogram(enum metric m, const struct str *values, const uint64_t *bucket_counts,
	uint64_t count, double sum);
/* Upper bounds in seconds, without +Inf; the same for all histograms. */
extern const double metric_buckets[];
extern const size_t metric_buckets_n;
/* All series, exposition format 0.0.4, sorted by the table. */
void metrics_print(struct buf *out);
/* Drops the series of one metric, where it mirrors something that may shrink (queue_depth by pool). */
void metric_clear(enum metric m);
void metrics_release(void);

#endif
