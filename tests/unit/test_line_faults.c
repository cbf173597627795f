/* What is wrong in a body of lines, and what is too much of it. */
#include "unit.h"
#include "line/syslog.h"
#include "line_rig.h"

static struct line_rig rig;

static int begin(void **state)
{
	(void)state;
	rig_begin(&rig);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_end(&rig);
	return 0;
}

/* ---- JSON ---- */

static void broken_json(void **state)
{
	(void)state;
	rig_refused(&rig, &line_kind_json, STR("{\"a\":1}\n{\"a\":}"), ERR_INPUT, 14,
		"unallowed token");
	assert_int_equal(rig.lines, 1);
	rig_refused(&rig, &line_kind_json, STR("{\"a\":1} 7"), ERR_INPUT, 9,
		"want an object a line, or an array of objects; got a number");
	rig_refused(&rig, &line_kind_json, STR("[{\"a\":1},[2]]"), ERR_INPUT, 9, "got an array");
	rig_refused(&rig, &line_kind_json, STR("[{\"a\":1}"), ERR_INPUT, 8, "incomplete");
	rig_refused(&rig, &line_kind_json, STR("{\"a\":1}]"), ERR_INPUT, 8, "unallowed token");
	rig_refused(&rig, &line_kind_json, STR("{\"a\":\"\xff\"}"), ERR_INPUT, 7, "UTF8");
	rig_refused(&rig, &line_kind_json, STR("{\"records\":[{\"value\":1},{}]}"), ERR_INPUT, 22,
		"got a number");
	rig_refused(&rig, &line_kind_json, STR("{\"records\":[{\"value\":{}},{}]}"), ERR_INPUT, 25,
		"got an object");
	assert_int_equal(rig_taken(&rig, &line_kind_json, STR(" \r\n\t")).n, 0);
	assert_int_equal(rig_taken(&rig, &line_kind_json, STR("[] []")).n, 0);
}

static struct str repeated(const char *unit, size_t n)
{
	struct buf b;
	struct str s;

	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, unit);
	s.n = b.n;
	s.p = buf_steal(&b);
	assert_non_null(s.p);
	return s;
}

static void free_text(struct str s)
{
	free((char *)(uintptr_t)s.p);
}

/* A string without an end: its memory does not grow with it. */
static void endless_token(void **state)
{
	struct line_sink sink = {rig_line, &rig};
	struct str piece = repeated("aaaaaaaaaaaaaaaa", 64 * 1024);
	struct line_decoder *d = line_kind_json.new(&rig.options, &sink, &rig.e);
	size_t fed = 0;

	(void)state;
	assert_int_equal(line_kind_json.feed(d, STR("{\"a\":\""), &rig.e), 0);
	while (line_kind_json.feed(d, piece, &rig.e) == 0) {
		fed += piece.n;
		assert_true(fed <= 2 * LINE_ITEM_LIMIT);
	}
	assert_int_equal(rig.e.code, ERR_LIMIT);
	assert_has(str_of(rig.e.text),
		"one item of the body needs more than 33554432 bytes; send smaller items");
	assert_true(rig.e.offset > 0);
	line_kind_json.free(d);
	free_text(piece);
}

static void deep_and_many(void **state)
{
	struct str open = repeated("{\"a\":", LINE_JSON_DEPTH + 1),
		   many = repeated("1,", LINE_JSON_NODES + 1);
	struct buf b;

	(void)state;
	assert_int_equal(rig_take(&rig, &line_kind_json, open), -1);
	assert_int_equal(rig.e.code, ERR_LIMIT);
	assert_has(str_of(rig.e.text), "nested too deep");
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"a\":[");
	buf_str(&b, many);
	assert_int_equal(rig_take(&rig, &line_kind_json, buf_as_str(&b)), -1);
	assert_int_equal(rig.e.code, ERR_LIMIT);
	assert_has(str_of(rig.e.text), "too many values");
	buf_release(&b);
	free_text(open);
	free_text(many);
}

/* ---- length and number ---- */

static void long_lines_are_cut(void **state)
{
	static const struct line_kind *const kinds[] = {&line_kind_text, &line_kind_syslog};

	(void)state;
	rig.options.line_limit = 10;
	for (size_t i = 0; i < 2; i++) {
		struct str out = rig_taken(
			&rig, kinds[i], STR("0123456789\n0123456789\r\n01234567890\nx\n"));

		assert_int_equal(rig.lines, 4);
		assert_has(out, "{\"message\":\"0123456789\",\"offset\":0,");
		assert_has(out, "{\"message\":\"0123456789\",\"offset\":11,");
		assert_has(out, "{\"message\":\"0123456789\",\"offset\":23,");
		assert_has(out, "\"offset\":35,");
		assert_non_null(memmem(out.p, out.n, "\"cut\":true", 10));
	}
	rig_every_cut(&rig, &line_kind_text, STR("0123456789\n0123456789\r\n01234567890\nx\n"));
	/* No half of a character, and values are cut as well. */
	assert_has(rig_taken(&rig, &line_kind_text, STR("012345678\xc3\xa4z")),
		"{\"message\":\"012345678\",\"offset\":0,\"raw\":true,\"cut\":true");
	assert_has(rig_taken(&rig, &line_kind_json, STR("{\"msg\":\"m\",\"v\":\"abcdefghijk\"}")),
		"{\"v\":\"abcdefghij\"}");
	assert_has(rig_taken(&rig, &line_kind_journal,
			   STR("MESSAGE=0123456789ab\nK=0123456789ab\n\n")),
		"{\"message\":\"0123456789\",\"offset\":0,\"cut\":true,\"labels\":{\"K\":"
		"\"0123456789\"}}");
}

static void many_labels(void **state)
{
	struct buf b;
	struct str out;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"msg\":\"m\"");
	for (int i = 0; i < LINE_LABELS_LIMIT + 10; i++)
		buf_printf(&b, ",\"k%d\":1", i);
	buf_putc(&b, '}');
	out = rig_taken(&rig, &line_kind_json, buf_as_str(&b));
	assert_has(out, "\"k255\":\"1\"}");
	assert_null(memmem(out.p, out.n, "k256", 4));
	buf_clear(&b);
	for (int i = 0; i < LINE_LABELS_LIMIT + 10; i++)
		buf_printf(&b, "K%d=1\n", i);
	buf_puts(&b, "MESSAGE=late\n\nMESSAGE=next\n");
	out = rig_taken(&rig, &line_kind_journal, buf_as_str(&b));
	assert_int_equal(rig.lines, 2);
	assert_has(out, "\"K255\":\"1\"}");
	assert_null(memmem(out.p, out.n, "K256", 4));
	buf_release(&b);
}

static void long_names(void **state)
{
	struct str name = repeated("n", 2 * LINE_NAME_LIMIT), out;
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	buf_printf(&b, "{\"%s\":\"v\",\"msg\":\"m\"}", name.p);
	out = rig_taken(&rig, &line_kind_json, buf_as_str(&b));
	assert_true(out.n < LINE_NAME_LIMIT + 100);
	assert_has(out, "\"labels\":{\"nnn");
	buf_release(&b);
	rig_refused(&rig, &line_kind_journal, name, ERR_INPUT, 0, "a field's name is too long");
	free_text(name);
}

/* ---- the journal ---- */

static void broken_journal(void **state)
{
	(void)state;
	rig_refused(&rig, &line_kind_journal, STR("=x\n"), ERR_INPUT, 0, "a field has no name");
	rig_refused(&rig, &line_kind_journal, STR("A\n\1\0\0\0\0\0\0\0xy\n"), ERR_INPUT, 11,
		"bytes behind the end of a binary field");
	rig_refused(&rig, &line_kind_journal, STR("A=1\nA\n\1"), ERR_INPUT, 7,
		"it breaks off inside a field");
	rig_refused(&rig, &line_kind_journal, STR("A=1\nA"), ERR_INPUT, 5,
		"it breaks off inside a field");
	assert_int_equal(rig_taken(&rig, &line_kind_journal, STR("\n\n")).n, 0);
}

/* A core dump in an entry, more than is kept of one: the entry is taken without it. */
static void large_entry(void **state)
{
	struct buf b;
	char size[8] = {0};
	struct str dump = repeated("0123456789abcdef", 256 * 1024), out;

	(void)state;
	for (int i = 0; i < 8; i++)
		size[i] = (char)(dump.n >> (8 * i));
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "MESSAGE=it dumped core\n");
	for (int i = 0; i < 20; i++) {
		buf_printf(&b, "COREDUMP%d\n", i);
		buf_add(&b, size, 8);
		buf_str(&b, dump);
		buf_putc(&b, '\n');
	}
	buf_puts(&b, "PRIORITY=2\n\nMESSAGE=next\n\n");
	out = rig_taken(&rig, &line_kind_journal, buf_as_str(&b));
	assert_int_equal(rig.lines, 2);
	assert_true(out.n < LINE_ENTRY_LIMIT + 4096);
	assert_has(out, "it dumped core");
	assert_has(out, "{\"message\":\"next\"");
	buf_release(&b);
	free_text(dump);
}

/* ---- msgpack ---- */

static void broken_msgpack(void **state)
{
	struct str deep = repeated("\x91", 33),
		   half = repeated("0123456789abcdef", LINE_DOCUMENT_LIMIT / 16);
	struct buf b;

	(void)state;
	rig_refused(&rig, &line_kind_msgpack,
		STR("\x81\xa1"
		    "a\x01\xc1"),
		ERR_INPUT, 4, "no event begins here");
	rig_refused(&rig, &line_kind_msgpack, STR("\x92\x01\x02"), ERR_INPUT, 0,
		"want events, [TIME, {…}] each");
	rig_refused(&rig, &line_kind_msgpack, STR("\x07"), ERR_INPUT, 0, "want events");
	rig_refused(&rig, &line_kind_msgpack,
		STR("\x80\x81\xa1"
		    "a"),
		ERR_INPUT, 1, "it breaks off");
	rig_refused(&rig, &line_kind_msgpack, STR("\xdf\xff\xff\xff\xff"), ERR_INPUT, 0,
		"it breaks off");
	rig_refused(&rig, &line_kind_msgpack, deep, ERR_INPUT, 0, "nested too deep");
	buf_init(&b, BUF_NO_LIMIT);
	buf_add(&b,
		"\x81\xa1"
		"a\xdb\x00\x20\x00\x00",
		8);
	buf_str(&b, half);
	buf_str(&b, half);
	rig_refused(&rig, &line_kind_msgpack, buf_as_str(&b), ERR_INPUT, 0,
		"an event has more than 1 MiB");
	buf_release(&b);
	free_text(deep);
	free_text(half);
}

/* ---- protobuf ---- */

static void broken_protobuf(void **state)
{
	(void)state;
	rig_refused(&rig, &line_kind_loki_proto, STR("\x0a\x05{a="), ERR_INPUT, 0, "it breaks off");
	rig_refused(
		&rig, &line_kind_loki_proto, STR("\x00\x01"), ERR_INPUT, 0, "no field begins here");
	rig_refused(
		&rig, &line_kind_loki_proto, STR("\x0b\x01"), ERR_INPUT, 0, "no field begins here");
	rig_refused(&rig, &line_kind_loki_proto, STR("\x0a\x03\x0a\x7fx"), ERR_INPUT, 2,
		"a field is longer than its message");
	rig_refused(&rig, &line_kind_loki_proto, STR("\x0a\x05\x0a\x03{a}"), ERR_INPUT, 7,
		"the stream's labels read wrong");
	rig_refused(&rig, &line_kind_loki_proto, STR("\x0a\xff\xff\xff\xff\x7f"), ERR_LIMIT, 0,
		"one item of the body needs more than");
	rig_refused(&rig, &line_kind_loki_proto, STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
		ERR_INPUT, 0, "no field begins here");
	/* Of another type than the field has. */
	rig_refused(&rig, &line_kind_loki_proto, STR("\x0a\x04\x12\x02\x10\x01"), ERR_INPUT, 6,
		"'line' is of another type");
}

/* A record that cannot be read is refused alone. */
static void otlp_one_bad(void **state)
{
	static const char body[] =
		"\x0a\x16\x12\x14\x12\x06\x1a\x04WARN\x12\x02\x1a\x7f\x12\x06\x1a\x04INFO";
	struct line_report report = {0};

	(void)state;
	rig.options.report = &report;
	rig_taken(&rig, &line_kind_otlp_logs_proto, (struct str){body, sizeof(body) - 1});
	assert_int_equal(rig.lines, 2);
	assert_int_equal(report.items, 3);
	assert_int_equal(report.refused, 1);
	assert_has(str_of(report.first.text), "a field is longer than its message");

	report = (struct line_report){0};
	rig_taken(&rig, &line_kind_otlp_logs_json,
		STR("{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"logRecords\":[{\"body\":"
		    "{\"stringValue\":\"a\"}},"
		    "{\"body\":\"b\"},7,{\"traceId\":1},{\"severityNumber\":\"SEVERITY_NUMBER_"
		    "WARN\"}]}]}]}"));
	assert_int_equal(rig.lines, 2);
	assert_int_equal(report.items, 5);
	assert_int_equal(report.refused, 3);
	assert_has(str_of(report.first.text),
		"body: want an object, as {\"stringValue\": …}, got a string");
}

static void otlp_shape(void **state)
{
	(void)state;
	rig_refused(&rig, &line_kind_otlp_logs_json, STR("[]"), ERR_INPUT, 0,
		"body: want an object, got an array");
	rig_refused(&rig, &line_kind_otlp_logs_json, STR("{\"resourceLogs\":{}}"), ERR_INPUT, 16,
		"resourceLogs: want an array, got an object");
	rig_refused(&rig, &line_kind_otlp_logs_json, STR("{\"resourceLogs\":[7]}"), ERR_INPUT, 18,
		"resourceLogs: want objects, got a number");
	rig_refused(&rig, &line_kind_otlp_traces_json,
		STR("{\"resourceSpans\":[{\"scopeSpans\":1}]}"), ERR_INPUT, 33,
		"scopeSpans: want an array");
	rig_refused(&rig, &line_kind_otlp_traces_json,
		STR("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[1]}]}"), ERR_INPUT, 48,
		"scopeSpans: want objects");
	rig_refused(&rig, &line_kind_otlp_traces_json,
		STR("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"spans\":1}]}]}"),
		ERR_INPUT, 57, "spans: want an array");
	assert_int_equal(rig_taken(&rig, &line_kind_otlp_logs_json, STR("{}")).n, 0);
}

/* What stands before that which it belongs to is kept as text, which may be longer than its
 * tree. */
static void too_much_that_came_too_early(void **state)
{
	struct str one = repeated("\\u0001", 100000);
	struct buf body;

	(void)state;
	buf_init(&body, BUF_NO_LIMIT);
	buf_puts(&body, "{\"streams\":[{\"values\":[");
	for (size_t n = 0; n <= LINE_ITEM_LIMIT; n += one.n)
		buf_printf(&body, "%s[\"1\",\"%s\"]", n ? "," : "", one.p);
	buf_puts(&body, "],\"stream\":{}}]}");
	assert_false(buf_failed(&body));
	rig_refused(&rig, &line_kind_loki_json, buf_as_str(&body), ERR_LIMIT, 0,
		"'values' before 'stream' needs more than 33554432 bytes; put 'stream' first");
	assert_int_equal(rig.lines, 0);
	buf_release(&body);
	free_text(one);
}

/* ---- Loki ---- */

static void loki_shape(void **state)
{
	(void)state;
	rig_refused(&rig, &line_kind_loki_json, STR("[]"), ERR_INPUT, 0,
		"want an object with 'streams', got an array");
	rig_refused(&rig, &line_kind_loki_json, STR("{\"streams\":{}}"), ERR_INPUT, 11,
		"streams: want an array");
	rig_refused(&rig, &line_kind_loki_json, STR("{\"streams\":[7]}"), ERR_INPUT, 13,
		"streams: want objects, got a number");
	rig_refused(&rig, &line_kind_loki_json, STR("{\"streams\":[{\"stream\":[]}]}"), ERR_INPUT,
		22, "stream: want an object of labels");
	rig_refused(&rig, &line_kind_loki_json,
		STR("{\"streams\":[{\"stream\":{},\"values\":[[\"1\"]]}]}"), ERR_INPUT, 35,
		"values: want [\"NANOSECONDS\", \"LINE\"]");
	rig_refused(&rig, &line_kind_loki_json,
		STR("{\"streams\":[{\"stream\":{},\"values\":[[\"soon\",\"x\"]]}]}"), ERR_INPUT, 42,
		"values: want the time in nanoseconds as a string");
	rig_refused(&rig, &line_kind_loki_json,
		STR("{\"streams\":[{\"values\":[[\"1795375000000000000\",7]],\"stream\":{}}]}"),
		ERR_INPUT, 22, "values: want the line as a string, got a number");
}

/* ---- Splunk ---- */

static void splunk_refused(struct str body, enum line_hec hec, uint64_t items, const char *want)
{
	struct line_report report = {0};

	rig.options.report = &report;
	assert_int_equal(rig_take(&rig, &line_kind_splunk, body), -1);
	assert_int_equal(report.hec, hec);
	assert_int_equal(report.items, items);
	assert_has(str_of(rig.e.text), want);
	rig.options.report = NULL;
	assert_int_equal(rig_take(&rig, &line_kind_splunk, body), -1);
}

static void splunk_codes(void **state)
{
	(void)state;
	splunk_refused(STR(""), LINE_HEC_NO_DATA, 0, "no data");
	splunk_refused(STR("{\"event\":\"a\"}{\"event\":"), LINE_HEC_INVALID, 1, "incomplete");
	splunk_refused(STR("{\"event\":\"a\"}nonsense"), LINE_HEC_INVALID, 1, "lexical error");
	splunk_refused(STR("[[]]"), LINE_HEC_INVALID, 0, "event 0: want an object");
	splunk_refused(STR("{\"event\":\"a\"}{\"time\":1}"), LINE_HEC_NO_EVENT, 1,
		"event 1: it has no 'event'");
	splunk_refused(STR("{\"event\":null}"), LINE_HEC_NO_EVENT, 0, "event 0");
	splunk_refused(
		STR("{\"event\":\" \"}"), LINE_HEC_BLANK_EVENT, 0, "event 0: 'event' is blank");
}

/* ---- _bulk ---- */

struct items {
	struct buf out;
	size_t stop_at;
	size_t n;
};

static int note(void *ctx, const struct line_item *item, struct err *e)
{
	struct items *items = ctx;

	if (items->n++ == items->stop_at)
		return err_set(e, ERR_FULL, "enough");
	buf_printf(&items->out, "%.*s %.*s %.*s: %s\n", STR_ARG(item->action), STR_ARG(item->index),
		STR_ARG(item->id), item->fault ? item->fault : "taken");
	return 0;
}

static void bulk_items(void **state)
{
	struct items items = {.stop_at = 100};
	struct line_report report = {.item = note, .ctx = &items};
	static const char body[] = "{\"create\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{\"m\":1}\n{"
				   "\"index\":{}}\n[1]\n{\"delete\":{\"_id\":\"2\"}}\n"
				   "{\"update\":{}}\n{\"doc\":{}}\n{\"create\":{}}\n{\"a\":\n";

	(void)state;
	buf_init(&items.out, BUF_NO_LIMIT);
	rig.options.report = &report;
	rig_taken(&rig, &line_kind_bulk, (struct str){body, sizeof(body) - 1});
	assert_int_equal(rig.lines, 1);
	assert_int_equal(report.items, 5);
	assert_int_equal(report.refused, 4);
	assert_str(buf_as_str(&items.out),
		"create i 1: taken\n"
		"index  : want an object, got an array\n"
		"delete  2: 'delete' is not taken here, only 'create' and 'index'\n"
		"update  : 'update' is not taken here, only 'create' and 'index'\n"
		"create  : the document is incomplete\n");
	items.n = 0;
	items.stop_at = 1;
	assert_int_equal(rig_take(&rig, &line_kind_bulk, (struct str){body, sizeof(body) - 1}), -1);
	assert_int_equal(rig.e.code, ERR_FULL);
	buf_release(&items.out);
}

static void bulk_shape(void **state)
{
	struct str large = repeated("0123456789abcdef", LINE_DOCUMENT_LIMIT / 16);
	struct line_report report = {0};
	struct buf b;

	(void)state;
	rig_refused(&rig, &line_kind_bulk, STR("\n{\"message\":\"no action\"}\n"), ERR_INPUT, 1,
		"malformed action line: it is no action of _bulk");
	rig_refused(&rig, &line_kind_bulk, STR("{}\n"), ERR_INPUT, 0,
		"malformed action line: it is empty");
	rig_refused(&rig, &line_kind_bulk, STR("{\"create\":{}}\n{}\nplain\n"), ERR_INPUT, 17,
		"malformed action line: lexical error");
	rig_refused(&rig, &line_kind_bulk, STR("{\"create\":{}}\n"), ERR_INPUT, 14,
		"the last action has no document");
	buf_init(&b, BUF_NO_LIMIT);
	buf_printf(&b, "{\"create\":{}}\n{\"m\":\"%s\"}\n{\"create\":{}}\n{\"m\":1}\n", large.p);
	rig.options.report = &report;
	rig_taken(&rig, &line_kind_bulk, buf_as_str(&b));
	assert_int_equal(rig.lines, 1);
	assert_int_equal(report.refused, 1);
	assert_has(str_of(report.first.text), "a document is over 1048576 bytes");
	buf_release(&b);
	free_text(large);
}

/* ---- syslog, and what the request says ---- */

static void counted_breaks_off(void **state)
{
	(void)state;
	rig_refused(&rig, &line_kind_syslog, STR("9 <13>abc"), ERR_INPUT, 9,
		"the connection ended 2 bytes before its message did");
}

static void length_is_absurd(void **state)
{
	struct str text = STR("<13>a\n1048577 <13>b");

	(void)state;
	rig_refused(&rig, &line_kind_syslog, text, ERR_INPUT, 6,
		"a message of 1048577 bytes is announced; it may have 1048576");
	assert_int_equal(rig.lines, 1); /* what came before is a line */
	for (size_t first = 1; first < text.n; first++)
		assert_int_equal(rig_cut(&rig, &line_kind_syslog, text, first, 1), -1);
	/* The longest is read, and a number that is no length is text, however long. */
	rig_refused(&rig, &line_kind_syslog, STR("1048576 <13>b"), ERR_INPUT, 13,
		"the connection ended 1048571 bytes before");
	rig_taken(&rig, &line_kind_syslog, STR("1048577 b\n99999999999999999999 <13>b\n"));
	assert_int_equal(rig.lines, 2);
}

/* A connection goes on for months: what "Jan  1" means changes meanwhile. */
static void clock_goes_on(void **state)
{
	struct line_sink sink = {rig_line, &rig};
	struct str text = STR("<13>Dec 31 23:59:59 h p: m\n");
	struct line_decoder *d;
	struct err e = {0};

	(void)state;
	d = line_kind_syslog.new(&rig.options, &sink, &e);
	assert_non_null(d);
	buf_clear(&rig.out);
	assert_int_equal(line_kind_syslog.feed(d, text, &e), 0);
	assert_has(buf_as_str(&rig.out), "\"time\":\"2025-12-31T23:59:59");
	line_syslog_now(d, RIG_NOW_NS + INT64_C(60) * 24 * 3600 * 1000000000);
	assert_int_equal(line_kind_syslog.feed(d, text, &e), 0);
	assert_has(buf_as_str(&rig.out), "\"time\":\"2026-12-31T23:59:59");
	line_kind_syslog.free(d);
}

static void labels_of_the_request(void **state)
{
	static const struct line_label labels[] = {
		{{"tenant", 6}, {"blue", 4}}, {{"host", 4}, {"edge", 4}}};
	static const struct {
		const struct line_kind *kind;
		struct str body;
	} bodies[] = {
		{&line_kind_text, STR("a\n")},
		{&line_kind_json, STR("{\"msg\":\"a\"}")},
		{&line_kind_loki_json, STR("{\"streams\":[{\"stream\":{\"x\":\"y\"},\"values\":[["
					   "\"1795375000000000000\",\"a\"]]}]}")},
		{&line_kind_journal, STR("MESSAGE=a\n\n")},
		{&line_kind_any, STR("[{\"msg\":\"a\"}]")},
	};

	(void)state;
	rig.options.labels = labels;
	rig.options.labels_n = 2;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		assert_has(rig_taken(&rig, bodies[i].kind, bodies[i].body),
			"\"labels\":{\"tenant\":\"blue\",\"host\":\"edge\"");
	/* What the line says itself stands behind it, and counts; what we make of its words does
	 * not. */
	assert_has(rig_taken(&rig, &line_kind_json, STR("{\"host\":\"web\",\"hostname\":\"x\"}")),
		"{\"tenant\":\"blue\",\"host\":\"edge\",\"host\":\"web\",\"hostname\":\"x\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(broken_json),
		TEST(endless_token),
		TEST(deep_and_many),
		TEST(long_lines_are_cut),
		TEST(many_labels),
		TEST(long_names),
		TEST(length_is_absurd),
		TEST(clock_goes_on),
		TEST(broken_journal),
		TEST(large_entry),
		TEST(broken_msgpack),
		TEST(broken_protobuf),
		TEST(otlp_one_bad),
		TEST(otlp_shape),
		TEST(too_much_that_came_too_early),
		TEST(loki_shape),
		TEST(splunk_codes),
		TEST(bulk_items),
		TEST(bulk_shape),
		TEST(counted_breaks_off),
		TEST(labels_of_the_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
