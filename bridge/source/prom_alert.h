/* prom_alert.h: what alerts of Prometheus have in common, whoever posts them. Not for others. */
#ifndef RB_SOURCE_PROM_ALERT_H
#define RB_SOURCE_PROM_ALERT_H

#include "source/fields.h"

/* labels and annotations of alert `index` of list ("alerts") -> ev, sorted; empty labels are
 * dropped. ERR_INPUT, ERR_LIMIT. */
int prom_alert_pairs(struct arena *a, const struct json *labels, const struct json *annotations,
	const char *list, size_t index, struct event *ev, struct err *e);
/* The annotation summary, message or description, the first that there is, else the label
 * alertname. */
struct str prom_alert_summary(const struct event *ev);

#endif
