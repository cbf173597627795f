/* loki.c: Loki's push API, and the journal's upload, whose one request never ends.
 *
 * Protobuf comes as one block of snappy, and no header says so.
 */
#include "http/dialect.h"
#include "http/handlers.h"
#include "http/shipper.h"
#include "http/state.h"

const struct dialect dialect_loki = {"logs", NULL, NULL, NULL};
const struct dialect dialect_journal = {"logs", NULL, NULL, NULL};

static void answer_push(struct request *r, const struct lines *l)
{
	(void)l;
	request_answer(r, MHD_HTTP_NO_CONTENT, REQUEST_TYPE_TEXT);
}

static void begin_push(struct request *r)
{
	struct str type = request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE);
	bool proto = line_type_is(type, "application/x-protobuf");
	struct logs_options o = {.kind = proto ? &line_kind_loki_proto : &line_kind_loki_json,
		.answer = answer_push};

	if (!proto && !line_type_is(type, "application/json")) {
		request_problemf(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
			"send application/json or application/x-protobuf");
		return;
	}
	if (proto && r->inflating && r->inflate.kind != INFLATE_SNAPPY) {
		request_problemf(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
			"send protobuf in snappy's block format");
		return;
	}
	if (proto && !r->inflating) {
		inflate_init(&r->inflate, INFLATE_SNAPPY, r->limit);
		r->inflating = true;
	}
	shipper_begin(r, &o, NULL, 0);
}

const struct route_handler handler_loki_push = {
	begin_push, logs_feed, logs_finish, logs_drop, 0, shipper_any_length};

/* ---- the journal ---- */

static void answer_upload(struct request *r, const struct lines *l)
{
	(void)l;
	buf_puts(&r->out, "OK.\n");
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_TEXT);
}

static void begin_upload(struct request *r)
{
	/* What is signed is proven only by its end, and an upload that is has one. */
	struct logs_options o = {
		.kind = &line_kind_journal, .answer = answer_upload, .as_it_comes = !r->signature};

	if (!line_type_is(request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE),
		    "application/vnd.fdo.journal")) {
		request_problemf(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
			"send application/vnd.fdo.journal, as systemd-journal-upload does");
		return;
	}
	if (o.as_it_comes)
		request_endless(r);
	shipper_begin(r, &o, NULL, 0);
}

const struct route_handler handler_journal_upload = {
	begin_upload, logs_feed, logs_finish, logs_drop, 0, shipper_any_length};
