/* otlp.h: resources, scopes, log records and spans of OpenTelemetry as JSON trees, for its two
 * decoders. Members are called as in OTLP's JSON. */
#ifndef RB_LINE_OTLP_H
#define RB_LINE_OTLP_H

#include "line/maker.h"

struct otlp_signal { /* logs or traces: what differs */
	const char *resources, *scopes, *records;
	/* -1 with e: stop. What is wrong with the record alone is told to the report. */
	int (*take)(struct line_maker *m, const struct json *record, struct err *e);
};

extern const struct otlp_signal otlp_logs, otlp_traces;

/* Attributes of a resource or scope become labels of all lines until line_maker_unbase. Gives what
 * that takes. */
size_t otlp_resource(struct line_maker *m, const struct json *resource);
size_t otlp_scope(struct line_maker *m, const struct json *scope);
/* The record could not even be read: counted as refused. */
void otlp_refused(struct line_maker *m, const struct err *fault);

#endif
