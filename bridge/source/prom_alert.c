/* prom_alert.c: labels, annotations and summary of an alert of Prometheus, for the kinds that read
 * one.
 *
 * An empty label is none, as Prometheus has it: whether it is sent or not, the alert is the same.
 */
#include "source/prom_alert.h"

int prom_alert_pairs(struct arena *a, const struct json *labels, const struct json *annotations,
	const char *list, size_t index, struct event *ev, struct err *e)
{
	if (fields_map(a, labels, (struct source_place){list, index, "labels"}, &ev->labels,
		    &ev->labels_n, e) < 0 ||
		fields_map(a, annotations, (struct source_place){list, index, "annotations"},
			&ev->annotations, &ev->annotations_n, e) < 0)
		return -1;
	event_sort_labels(ev->labels, &ev->labels_n, true);
	event_sort_labels(ev->annotations, &ev->annotations_n, false);
	return 0;
}

struct str prom_alert_summary(const struct event *ev)
{
	static const char *const names[] = {"summary", "message", "description"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct str s = event_annotation(ev, str_of(names[i]));
		if (s.n > 0)
			return fields_cut(s, SOURCE_SUMMARY_LIMIT);
	}
	return fields_cut(event_label(ev, STR("alertname")), SOURCE_SUMMARY_LIMIT);
}
