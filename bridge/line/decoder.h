/* decoder.h: the kinds of bodies that shippers send, and which of them a body is.
 *
 * A decoder's memory is bounded by LINE_ITEM_LIMIT, however long the body: it is never held whole.
 */
#ifndef RB_LINE_DECODER_H
#define RB_LINE_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "line/line.h"

#define LINE_LIMIT ((size_t)64 << 10) /* of line_options.line_limit, where nobody sets it */
/* Memory for one item of a body: an object, a stream. */
#define LINE_ITEM_LIMIT ((size_t)32 << 20)
/* Bytes of a line of _bulk, of an event of msgpack. */
#define LINE_DOCUMENT_LIMIT ((size_t)1 << 20)
#define LINE_ENTRY_LIMIT ((size_t)1 << 20)    /* bytes kept of one entry of the journal */
#define LINE_JSON_DEPTH 48		      /* nesting of one item */
#define LINE_JSON_NODES 300000		      /* values in one item */
#define LINE_NAME_LIMIT 256		      /* bytes of a label's name; what is longer is cut */
/* Objects in one another whose scalars become labels; deeper ones do not. */
#define LINE_PATH_DEPTH 4

#define LINE_TYPE_TRACE_ERROR "trace_error" /* label `type` of a span that failed */

/* Lines of text; one that is a JSON object is taken as such. */
extern const struct line_kind line_kind_text;
/* Objects with anything or nothing between them, or arrays of them. */
extern const struct line_kind line_kind_json;
/* What the first bytes look like: an array of objects is JSON, all else text. */
extern const struct line_kind line_kind_any;
extern const struct line_kind line_kind_msgpack;			 /* Fluent Bit's */
extern const struct line_kind line_kind_loki_json, line_kind_loki_proto; /* the latter inflated */
extern const struct line_kind line_kind_bulk;
extern const struct line_kind line_kind_splunk;
extern const struct line_kind line_kind_otlp_logs_json, line_kind_otlp_logs_proto;
extern const struct line_kind line_kind_otlp_traces_json, line_kind_otlp_traces_proto;
extern const struct line_kind line_kind_journal;
/* A connection of syslog, each message octet-counted or ended by LF. */
extern const struct line_kind line_kind_syslog;

/* The kind of a body that says no more than its Content-Type; NULL with e (ERR_INPUT): what to send
 * instead. */
const struct line_kind *line_kind_of(struct str content_type, struct err *e);
/* Is the Content-Type this one? Parameters behind a ';' and the case of letters do not count. */
bool line_type_is(struct str content_type, const char *type);

/* One item of a body whose sender is answered item by item. */
struct line_item {
	struct str action, index, id; /* of _bulk */
	const char *fault;	      /* NULL: taken */
};

enum line_hec { /* Splunk's codes for what may be wrong with an event */
	LINE_HEC_NONE,
	LINE_HEC_NO_DATA = 5,
	LINE_HEC_INVALID = 6,
	LINE_HEC_NO_EVENT = 12,
	LINE_HEC_BLANK_EVENT = 13,
};

/* What a shipper's own answer tells. Zeroed by whoever asks; the decoder adds. */
struct line_report {
	/* _bulk: of each item, in order; -1 with e: stop. NULL: not wanted. */
	int (*item)(void *ctx, const struct line_item *item, struct err *e);
	/* OTLP: of each span that failed, before it goes the way of a line; -1 with e: stop. NULL:
	 * not wanted. */
	int (*span)(void *ctx, const struct line *l, struct err *e);
	void *ctx;
	uint64_t items;	   /* seen, whatever became of them */
	uint64_t refused;  /* of them; the others were taken all the same */
	struct err first;  /* what was wrong with the first of them */
	enum line_hec hec; /* Splunk: why the body was refused at this item */
};

#endif
