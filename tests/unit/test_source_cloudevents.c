/* The kind cloudevents: golden requests, what the standard forbids, in both modes, and the events
 * of the API. */
#include "unit.h"
#include "source/cloudevents.h"
#define RIG_KIND "cloudevents"
#define RIG_SOURCE "ce"
#include "source_rig.h"

/* ---- golden files ---- */

static void compare(struct source_rig *r, const char *name, size_t piece)
{
	struct source_batch out =
		rig_taken_golden(r, name, rig_http(r, rig_golden(r, name, ".http")), piece);
	struct buf got;

	buf_init(&got, BUF_NO_LIMIT);
	for (size_t i = 0; i < out.n; i++) {
		buf_printf(&got, "%.*s\n", STR_ARG(out.events[i].delivery));
		rig_put_event(&got, &out.events[i]);
	}
	rig_is_golden(r, name, &got);
}

static void golden_files(void **state)
{
	(void)state;
	assert_true(rig_each_golden(&rig, ".http", compare) >= 12);
}

/* ---- what is refused ---- */

static void refused(const char *request, const char *want)
{
	rig_refused(&rig, rig_http(&rig, str_of(request)), ERR_INPUT, want);
}

#define STRUCTURED(body) "POST / HTTP/1.1\nContent-Type: application/cloudevents+json\n\n" body
#define BATCH(body) "POST / HTTP/1.1\nContent-Type: application/cloudevents-batch+json\n\n" body
#define GOOD "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\""

static void structured_events_that_are_none(void **state)
{
	(void)state;
	refused(STRUCTURED("[]"), "body: want an event, as an object, got an array");
	refused(STRUCTURED("{}"),
		"specversion: missing; an event has specversion, id, source and type");
	refused(STRUCTURED("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\"}"),
		"type: missing");
	refused(STRUCTURED("{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"s\",\"type\":\"t\"}"),
		"id: must not be empty");
	refused(STRUCTURED(
			"{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"}"),
		"specversion: only CloudEvents 1.0");
	refused(STRUCTURED("{" GOOD ",\"subject\":\"\"}"), "subject: must not be empty");
	refused(STRUCTURED("{" GOOD ",\"time\":\"today\"}"), "time: want a time as in RFC 3339");
	refused(STRUCTURED("{" GOOD ",\"subject\":7}"), "subject: want a string");
	refused(STRUCTURED("{" GOOD ",\"Bad\":1}"),
		"Bad: an attribute's name has small letters and digits only");
	refused(STRUCTURED("{" GOOD ",\"a_b\":1}"), "a_b: an attribute's name");
	refused(STRUCTURED("{" GOOD ",\"x\":{}}"),
		"x: an extension is a string, a boolean or a whole number of 32 bits");
	refused(STRUCTURED("{" GOOD ",\"x\":1.5}"), "x: an extension is");
	refused(STRUCTURED("{" GOOD ",\"x\":2147483648}"), "x: an extension is");
	refused(STRUCTURED("{" GOOD ",\"x\":\"a\\u0000b\"}"), "x: holds a NUL character");
	refused(STRUCTURED("{" GOOD ",\"data\":1,\"data_base64\":\"YQ==\"}"),
		"data_base64: stands beside data");
	refused(STRUCTURED("{" GOOD ",\"data_base64\":7}"), "data_base64: want a string of base64");
	refused(STRUCTURED("{" GOOD ",\"data_base64\":\"a\"}"), "data_base64: this is no base64");
	refused(STRUCTURED("{" GOOD ",\"datacontenttype\":\"text/json\",\"data_base64\":\"YQ==\"}"),
		"data_base64: it is not the JSON that datacontenttype says");
	refused(BATCH("{" GOOD "}"), "body: want an array of events");
	refused(BATCH("[{" GOOD "},{\"specversion\":\"1.0\"}]"), "events[1].id: missing");
	refused(BATCH("[1]"), "events[0]: want an event, as an object, got a number");
}

#define HEADERS "POST / HTTP/1.1\nce-specversion: 1.0\nce-id: 1\nce-source: s\nce-type: t\n"

static void binary_events_that_are_none(void **state)
{
	(void)state;
	refused("POST / HTTP/1.1\nContent-Type: text/plain\n\nhello", "this is no CloudEvent");
	refused("POST / HTTP/1.1\nce-specversion: 1.0\nce-id: 1\nce-source: s\n\n",
		"type: missing");
	refused("POST / HTTP/1.1\nce-specversion: 1.0\nce-id:\nce-source: s\nce-type: t\n\n",
		"id: must not be empty");
	refused(HEADERS "ce-datacontenttype: text/plain\n\n",
		"datacontenttype: must not be a header");
	refused(HEADERS "ce-data: x\n\n", "data: must not be a header");
	refused(HEADERS "ce-x: %ff\n\n", "x: the header's value is no UTF-8 text");
	refused(HEADERS "ce-x: \xc3\x28\n\n", "x: the header's value is no UTF-8 text");
	refused(HEADERS "ce-x: a%00b\n\n", "x: the header's value is no UTF-8 text");
	refused(HEADERS "ce-a_b: x\n\n", "a_b: an attribute's name");
	refused(HEADERS "ce-time: 12:00\n\n", "time: want a time");
	refused(HEADERS "Content-Type: application/json\n\n{", "the document is incomplete");
	/* The same as in the event itself: one that is not JSON at all. */
	refused("POST / HTTP/1.1\nContent-Type: application/cloudevents+xml\nce-specversion: "
		"1.0\nce-id: 1\nce-source: s\nce-type: t\n\n<x/>",
		"content type 'application/cloudevents+xml' is not read");
	refused("POST / HTTP/1.1\nContent-Type: application/cloudevents-batch+avro\n\n[]",
		"is not read");
}

static void so_many_extensions(void **state)
{
	struct source_batch out;
	struct err e;
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, STRUCTURED("{" GOOD));
	for (int i = 0; i <= SOURCE_LABELS_LIMIT; i++)
		buf_printf(&b, ",\"x%d\":1", i);
	buf_puts(&b, "}");
	assert_int_equal(rig_take(&rig, rig_http(&rig, buf_as_str(&b)), RIG_PIECE, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_true(e.offset > 0);
	buf_release(&b);
}

/* ---- delivery ---- */

static struct str delivery(const char *source, const char *id)
{
	return rig_one(
		&rig, rig_http(&rig, arena_printf(&rig.arena,
					     STRUCTURED("{\"specversion\":\"1.0\",\"type\":\"t\","
							"\"source\":\"%s\",\"id\":\"%s\"}"),
					     source, id)))
		->delivery;
}

static void source_and_id_tell_deliveries_apart(void **state)
{
	(void)state;
	assert_true(str_eq(delivery("a", "1"), delivery("a", "1")));
	assert_false(str_eq(delivery("a", "1"), delivery("a", "2")));
	assert_false(str_eq(delivery("a", "1"), delivery("b", "1")));
	assert_false(str_eq(delivery("a b", "c"), delivery("a", "b c")));
}

/* ---- of the API ---- */

static void emitted_events_need_a_type_only(void **state)
{
	struct source_request rq = {.source = STR("emit")};
	struct source_batch out;
	struct err e = {0};

	(void)state;
	const struct json *body = json_parse(&rig.arena,
		STR("[{\"type\":\"deployed\",\"env\":\"prod\",\"data\":[1]},{\"type\":\"x\",\"id\":"
		    "\"7\"}]"),
		&e);
	assert_int_equal(cloudevents_emitted(&rig.arena, &rq, body, &out, &e), 0);
	assert_int_equal(out.n, 2);
	assert_str(out.events[0].type, "deployed");
	assert_str(event_label(&out.events[0], STR("env")), "prod");
	assert_int_equal(out.events[0].delivery.n, 0);
	assert_int_equal(out.events[0].data->kind, JSON_ARRAY);
	assert_str(out.events[1].delivery, "7");
	body = json_parse(&rig.arena, STR("{\"data\":1}"), &e);
	assert_int_equal(cloudevents_emitted(&rig.arena, &rq, body, &out, &e), -1);
	assert_has(str_of(e.text), "type: missing");
}

TESTS_MAIN(TEST(golden_files), TEST(structured_events_that_are_none),
	TEST(binary_events_that_are_none), TEST(so_many_extensions),
	TEST(source_and_id_tell_deliveries_apart), TEST(emitted_events_need_a_type_only))
