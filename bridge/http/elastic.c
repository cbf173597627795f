/* elastic.c: as much of Elasticsearch as those need who send logs to it.
 *
 * _bulk is answered item by item: what cannot be read is refused alone, the others are taken. What
 * its clients ask before they send is answered so that they do: the greeting, the licence, and {}
 * where they look for or put up templates, pipelines and policies, of which there are none here.
 * The official clients go by one header, which all answers have, refusals too.
 */
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "http/dialect.h"
#include "http/handlers.h"
#include "http/shipper.h"
#include "http/state.h"

#define ITEMS_LIMIT 200000 /* of one _bulk */
#define VERSION "8.9.0"	   /* that clients of that age and older talk to */

/* ---- the form of answers ---- */

/* "application/vnd.elasticsearch+json; compatible-with=9" wants the same back. */
static const char *type_of(struct request *r)
{
	static const char vendor[] = "application/vnd.elasticsearch+json",
			  with[] = "compatible-with=";
	struct str accept = request_header(r, MHD_HTTP_HEADER_ACCEPT);
	const char *at = accept.n ? memmem(accept.p, accept.n, with, sizeof(with) - 1) : NULL;
	struct str type;

	if (!at || !str_starts(accept, str_of(vendor)) || at[sizeof(with) - 1] < '7' ||
		at[sizeof(with) - 1] > '9')
		return REQUEST_TYPE_JSON;
	type = arena_printf(&r->arena, "%s;compatible-with=%c", vendor, at[sizeof(with) - 1]);
	return type.p ? type.p : REQUEST_TYPE_JSON;
}

static const char *error_type(unsigned status)
{
	switch (status) {
	case MHD_HTTP_UNAUTHORIZED:
	case MHD_HTTP_FORBIDDEN:
		return "security_exception";
	case MHD_HTTP_NOT_FOUND:
		return "resource_not_found_exception";
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		return "es_rejected_execution_exception";
	default:
		return "illegal_argument_exception";
	}
}

static void refuse(struct request *r, unsigned status, const struct err *e)
{
	struct json_w w;

	json_w_init(&w, &r->out);
	json_w_object(&w);
	json_w_key(&w, STR("error"));
	json_w_object(&w);
	json_w_kstr(&w, "type", str_of(error_type(status)));
	json_w_kstr(&w, "reason", str_of(e->text));
	if (e->offset > 0)
		json_w_ki64(&w, "offset", (int64_t)e->offset);
	json_w_end(&w, '}');
	json_w_ki64(&w, "status", status);
	json_w_end(&w, '}');
	request_answer(r, status, type_of(r));
}

const struct dialect dialect_elastic = {"logs", refuse, "X-elastic-product", "Elasticsearch"};

/* ---- _bulk ---- */

struct bulk {
	struct line_report report;
	struct buf items; /* of the answer */
};

static int note_item(void *ctx, const struct line_item *item, struct err *e)
{
	struct bulk *b = ctx;
	struct json_w w;

	if (b->report.items > ITEMS_LIMIT)
		return err_set(e, ERR_LIMIT, "more than %d items in one _bulk; send fewer at once",
			ITEMS_LIMIT);
	if (b->items.n > 0)
		buf_putc(&b->items, ',');
	json_w_init(&w, &b->items);
	json_w_object(&w);
	json_w_key(&w, item->action);
	json_w_object(&w);
	if (item->index.n > 0)
		json_w_kstr(&w, "_index", item->index);
	if (item->id.n > 0)
		json_w_kstr(&w, "_id", item->id);
	json_w_ki64(&w, "status", item->fault ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_CREATED);
	if (item->fault) {
		json_w_key(&w, STR("error"));
		json_w_object(&w);
		json_w_kstr(&w, "type", STR("document_parsing_exception"));
		json_w_kstr(&w, "reason", str_of(item->fault));
		json_w_end(&w, '}');
	}
	json_w_end(&w, '}');
	json_w_end(&w, '}');
	return buf_failed(&b->items) ? err_set(e, ERR_NOMEM, "no memory for the answer") : 0;
}

/* Fluent Bit looks for "errors":false,"items":[ as it stands here. */
static void answer_bulk(struct request *r, const struct lines *l)
{
	const struct bulk *b = r->shipper;

	(void)l;
	buf_printf(&r->out, "{\"took\":%lld,\"errors\":%s,\"items\":[",
		(long long)((int64_t)uv_now(r->server->loop) - r->begun_ms),
		b->report.refused ? "true" : "false");
	buf_str(&r->out, buf_as_str(&b->items));
	buf_puts(&r->out, "]}");
	request_answer(r, MHD_HTTP_OK, type_of(r));
}

static void begin_bulk(struct request *r)
{
	struct bulk *b = arena_zalloc(&r->arena, sizeof(*b));
	struct line_label index = {STR("index"), r->args.id};
	struct logs_options o = {.kind = &line_kind_bulk, .answer = answer_bulk};

	if (!b) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
		return;
	}
	buf_init(&b->items, BUF_NO_LIMIT);
	b->report = (struct line_report){.item = note_item, .ctx = b};
	r->shipper = b;
	o.line.report = &b->report;
	shipper_begin(r, &o, &index, 1);
}

static void drop_bulk(struct request *r)
{
	struct bulk *b = r->shipper;

	logs_drop(r);
	if (b)
		buf_release(&b->items);
}

const struct route_handler handler_elastic_bulk = {
	begin_bulk, logs_feed, logs_finish, drop_bulk, 0, shipper_any_length};

/* ---- what clients ask before they send ---- */

static bool wants_page(struct request *r)
{
	struct str accept = request_header(r, MHD_HTTP_HEADER_ACCEPT);

	return accept.n > 0 && memmem(accept.p, accept.n, "text/html", 9);
}

static void greet(struct request *r)
{
	if (wants_page(r) && r->args.name.n == 0) {
		r->dialect = NULL;
		request_problemf(r, MHD_HTTP_NOT_FOUND,
			"there is no page here; runbookctl shows what there is");
		return;
	}
	buf_puts(&r->out, "{\"name\":\"runbookd\",\"cluster_name\":\"runbookd\",\"cluster_uuid\":"
			  "\"runbookd\",\"version\":{\"number\":\"" VERSION
			  "\",\"build_flavor\":\"default\",\"lucene_version\":\"9.7.0\"},"
			  "\"tagline\":\"You Know, for Search\"}");
	request_answer(r, MHD_HTTP_OK, type_of(r));
}

static void answer_api(struct request *r)
{
	/* Some Beats refuse "oss". */
	static const char licence[] =
		"{\"license\":{\"uid\":\"runbookd\",\"type\":\"basic\",\"status\":\"active\","
		"\"expiry_date_in_millis\":4000000000000}}";
	static const char *const known[] = {"_license", "_xpack", "_nodes", "_ilm",
		"_index_template", "_template", "_component_template", "_ingest", "_logstash",
		"_data_stream", "_cluster"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!str_is(r->args.id, known[i]))
			continue;
		buf_puts(&r->out, i == 0 ? licence : "{}");
		request_answer(r, MHD_HTTP_OK, type_of(r));
		return;
	}
	request_problemf(r, MHD_HTTP_NOT_FOUND,
		"'%.*s' is not served here; logs are taken at _bulk",
		(int)(r->args.id.n < 100 ? r->args.id.n : 100), r->args.id.p);
}

const struct route_handler handler_elastic_root = {.finish = greet};
const struct route_handler handler_elastic_api = {.finish = answer_api};
