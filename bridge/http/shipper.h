/* shipper.h: what the endpoints of log shippers have in common. */
#ifndef RB_HTTP_SHIPPER_H
#define RB_HTTP_SHIPPER_H

#include "http/logs.h"
#include "line/decoder.h"

/* Begins a request that brings lines to the source of its path; it may be answered. more: labels of
 * all its lines, besides those in its headers; those without a value are none. */
void shipper_begin(
	struct request *r, struct logs_options *o, const struct line_label *more, size_t more_n);
/* The same to this source. */
void shipper_begin_at(struct request *r, const struct bound_source *bound, struct logs_options *o,
	const struct line_label *more, size_t more_n);
/* For the handlers' any_length: bodies are looked at as they come. */
bool shipper_any_length(struct request *r);

#endif
