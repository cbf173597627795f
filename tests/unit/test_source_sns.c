/* The SNS source: golden files, raw delivery, the type of each field, the limits; and real samples
 * where they are at hand. */
#include "unit.h"
#include <unistd.h>
#define RIG_KIND "sns"
#include "source_rig.h"

static void golden_files(void **state)
{
	(void)state;
	assert_int_equal(rig_golden_files(&rig), 16);
}

/* ---- raw delivery ---- */

static const struct kv raw[] = {{STR("X-Amz-Sns-Rawdelivery"), STR("true")},
	{STR("x-amz-sns-message-id"), STR("id-1")},
	{STR("x-amz-sns-topic-arn"), STR("arn:aws:sns:eu-west-1:210987654321:oncall")},
	{STR(""), STR("")}};

#define ALARM                                                                                      \
	"\"AlarmName\":\"a\",\"NewStateValue\":\"ALARM\",\"AlarmArn\":\"arn:aws:cloudwatch:eu-"    \
	"west-1:1:alarm:a\""

static void raw_delivery(void **state)
{
	(void)state;
	rig.headers = raw;
	struct source_batch out = rig_taken(
		&rig, STR("{" ALARM ",\"StateChangeTime\":\"2026-11-20T09:15:27.123-0130\"}"));
	const struct event *ev = &out.events[0];
	assert_int_equal(out.n, 1);
	assert_str(ev->type, "alert");
	assert_int_equal(ev->status, EVENT_FIRING);
	assert_true(ev->starts_ns == INT64_C(1795171527123000000));
	assert_str(ev->delivery, "id-1");
	assert_str(event_label(ev, STR("topic_arn")), "arn:aws:sns:eu-west-1:210987654321:oncall");
	assert_str(json_str(json_get(ev->data, "AlarmName")), "a");
	/* What would be an envelope is a message like any other. */
	out = rig_taken(&rig, STR("{\"Type\":\"Notification\",\"Message\":\"x\"}"));
	assert_str(out.events[0].type, "sns_notification");
	assert_str(json_str(json_get(out.events[0].data, "Message")), "x");
	out = rig_taken(&rig, STR("disk full\non db-1"));
	assert_str(out.events[0].summary, "disk full");
	assert_str(event_annotation(&out.events[0], STR("message")), "disk full\non db-1");
	assert_null(out.events[0].data);
	assert_str(event_label(&out.events[0], STR("region")), "eu-west-1");
	assert_str(event_label(&out.events[0], STR("account")), "210987654321");
	out = rig_taken(&rig, STR(""));
	assert_int_equal(out.n, 1);
	rig_refused(&rig, STR("ab\xff"), ERR_INPUT, "the message is not UTF-8");
	rig_refused(&rig, STR("{" ALARM ",\"Region\":1}"), ERR_INPUT,
		"Message.Region: want a string, got a number");
}

/* An envelope, or a bare message, by what the header says and not by what the body looks like. */
static void raw_by_header_alone(void **state)
{
	static const struct kv not_raw[] = {
		{STR("x-amz-sns-rawdelivery"), STR("false")}, {STR(""), STR("")}};

	(void)state;
	rig.headers = not_raw;
	rig_refused(&rig, STR("{" ALARM "}"), ERR_INPUT,
		"Type: missing, want 'Notification' (of raw message delivery:");
	rig_refused(&rig, STR("disk full"), ERR_INPUT, "");
}

/* ---- identity ---- */

static struct str fingerprint_of(const char *body)
{
	struct source_batch out = rig_taken(&rig, str_of(body));

	assert_int_equal(out.events[0].fingerprint.n, 16);
	return out.events[0].fingerprint;
}

static void identity(void **state)
{
	(void)state;
	rig.headers = raw;
	struct str one = fingerprint_of("{" ALARM "}");
	assert_str(
		fingerprint_of("{\"AlarmName\":\"renamed\",\"NewStateValue\":\"OK\",\"AlarmArn\":"
			       "\"arn:aws:cloudwatch:eu-west-1:1:alarm:a\",\"Trigger\":{"
			       "\"Namespace\":\"x\"}}"),
		one.p);
	assert_false(str_eq(
		one, fingerprint_of("{\"AlarmName\":\"a\",\"NewStateValue\":\"ALARM\",\"AlarmArn\":"
				    "\"arn:aws:cloudwatch:eu-west-2:1:alarm:a\"}")));
	struct str bare = fingerprint_of(
		"{\"AlarmName\":\"a\",\"NewStateValue\":\"ALARM\",\"Region\":\"r\"}");
	assert_str(
		fingerprint_of("{\"AlarmName\":\"a\",\"NewStateValue\":\"OK\",\"Region\":\"r\"}"),
		bare.p);
	assert_false(str_eq(bare,
		fingerprint_of("{\"AlarmName\":\"a\",\"NewStateValue\":\"OK\",\"Region\":\"q\"}")));
}

/* ---- types ---- */

#define ENVELOPE(members) "{\"Type\":\"Notification\"," members "}"
#define INSIDE(members)                                                                            \
	"{\\\"AlarmName\\\":\\\"a\\\",\\\"NewStateValue\\\":\\\"ALARM\\\"," members "}"
#define WITH_ALARM(members) "{\"Type\":\"Notification\",\"Message\":\"" INSIDE(members) "\"}"

static void wrong_types(void **state)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
		{"[]", "body: want an object with 'Type', got an array"},
		{"\"x\"", "body: want an object"},
		{"{}", "Type: missing"},
		{"{\"Type\":null}", "Type: want 'Notification'"},
		{"{\"Type\":1}", "Type: want a string, got a number"},
		{"{\"Type\":\"Notification\"}", "Message: missing, want a string"},
		{ENVELOPE("\"Message\":null"), "Message: missing"},
		{ENVELOPE("\"Message\":{}"), "Message: want a string, got an object"},
		{ENVELOPE("\"Message\":\"\",\"MessageId\":1"), "MessageId: want a string"},
		{ENVELOPE("\"Message\":\"\",\"TopicArn\":[]"), "TopicArn: want a string"},
		{ENVELOPE("\"Message\":\"\",\"Subject\":false"), "Subject: want a string"},
		{ENVELOPE("\"Message\":\"\",\"Timestamp\":5"), "Timestamp: want a string"},
		{ENVELOPE("\"Message\":\"\",\"Timestamp\":\"now\""), "Timestamp: 'now' is no time"},
		{ENVELOPE("\"Message\":\"\",\"Signature\":5"), "Signature: want a string"},
		{ENVELOPE("\"Message\":\"\",\"SignatureVersion\":1"),
			"SignatureVersion: want a string"},
		{ENVELOPE("\"Message\":\"\",\"SigningCertURL\":1"),
			"SigningCertURL: want a string"},
		{ENVELOPE("\"Message\":\"\",\"SubscribeURL\":1"), "SubscribeURL: want a string"},
		{ENVELOPE("\"Message\":\"\",\"Token\":1"), "Token: want a string"},
		{WITH_ALARM("\\\"AlarmName\\\":1"),
			"Message.AlarmName: want a string, got a number"},
		{WITH_ALARM("\\\"AlarmName\\\":\\\"\\\""), "Message.AlarmName: want a name"},
		{WITH_ALARM("\\\"NewStateValue\\\":1"), "Message.NewStateValue: want a string"},
		{WITH_ALARM("\\\"NewStateReason\\\":1"), "Message.NewStateReason: want a string"},
		{WITH_ALARM("\\\"AlarmDescription\\\":[]"),
			"Message.AlarmDescription: want a string"},
		{WITH_ALARM("\\\"AWSAccountId\\\":[]"), "Message.AWSAccountId: want a string"},
		{WITH_ALARM("\\\"StateChangeTime\\\":1"), "Message.StateChangeTime: want a string"},
		{WITH_ALARM("\\\"StateChangeTime\\\":\\\"2026-11-20T09:15:27.123+00\\\""),
			"Message.StateChangeTime: '2026-11-20T09:15:27.123+00' is no time"},
		{WITH_ALARM("\\\"StateChangeTime\\\":\\\"2026-11-20T09:15:27.123+9999\\\""),
			"Message.StateChangeTime: "},
		{WITH_ALARM("\\\"AlarmArn\\\":{}"), "Message.AlarmArn: want a string"},
		{WITH_ALARM("\\\"Trigger\\\":[]"), "Message.Trigger: want an object, got an array"},
		{WITH_ALARM("\\\"Trigger\\\":{\\\"Namespace\\\":1}"),
			"Message.Trigger.Namespace: want a string"},
		{WITH_ALARM("\\\"Trigger\\\":{\\\"MetricName\\\":1}"),
			"Message.Trigger.MetricName: want a string"},
		{WITH_ALARM("\\\"Trigger\\\":{\\\"Metrics\\\":1}"),
			"Message.Trigger.Metrics: want an array"},
		{WITH_ALARM("\\\"Trigger\\\":{\\\"Dimensions\\\":{}}"),
			"Message.Trigger.Dimensions: want an array"},
		{WITH_ALARM("\\\"Trigger\\\":{\\\"Dimensions\\\":[1]}"),
			"Message.Trigger.Dimensions[0]: want an object"},
		{WITH_ALARM("\\\"Trigger\\\":{\\\"Dimensions\\\":[{}]}"),
			"Message.Trigger.Dimensions[0].name: missing"},
		{WITH_ALARM("\\\"Trigger\\\":{\\\"Dimensions\\\":[{\\\"name\\\":\\\"a\\\","
			    "\\\"value\\\":1}]}"),
			"Message.Trigger.Dimensions[0].value: want a string, got a number"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		rig_refused(&rig, str_of(cases[i].body), ERR_INPUT, cases[i].want);
}

static void says_the_byte(void **state)
{
	static const char body[] = "{\"Message\":\"{\\\"AlarmName\\\":1,\\\"NewStateValue\\\":"
				   "\\\"\\\"}\",\"Type\":\"Notification\"}";
	struct source_batch out;
	struct err e;

	(void)state;
	assert_int_equal(rig_take(&rig, str_of(body), 7, &out, &e), -1);
	assert_int_equal(e.offset, strstr(body, ",\"Type\"") - body);
	rig.headers = raw;
	assert_int_equal(
		rig_take(&rig, STR("{\"AlarmName\":1,\"NewStateValue\":\"\"}"), 7, &out, &e), -1);
	assert_int_equal(e.offset, strlen("{\"AlarmName\":1"));
}

/* ---- limits ---- */

static struct str with_dimensions(size_t n, size_t name, size_t value)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{" ALARM ",\"Trigger\":{\"Dimensions\":[");
	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, "%s{\"name\":\"d%06zu", i ? "," : "", i);
		for (size_t k = 7; k < name; k++)
			buf_putc(&b, 'n');
		buf_puts(&b, "\",\"value\":\"");
		for (size_t k = 0; k < value; k++)
			buf_putc(&b, 'v');
		buf_puts(&b, "\"}");
	}
	buf_puts(&b, "]}}");
	struct str s = arena_strdup(&rig.arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static void limits(void **state)
{
	struct buf b;

	(void)state;
	rig.headers = raw;
	struct source_batch out = rig_taken(&rig, with_dimensions(SOURCE_LABELS_LIMIT, 7, 1));
	assert_int_equal(out.events[0].labels_n, SOURCE_LABELS_LIMIT + 4);
	rig_refused(&rig, with_dimensions(SOURCE_LABELS_LIMIT + 1, 7, 1), ERR_LIMIT,
		"Dimensions: 257 elements, at most 256");
	rig_taken(&rig, with_dimensions(1, SOURCE_NAME_LIMIT, SOURCE_VALUE_LIMIT));
	rig_refused(
		&rig, with_dimensions(1, SOURCE_NAME_LIMIT + 1, 1), ERR_LIMIT, "a name of 1025");
	rig_refused(&rig, with_dimensions(1, 7, SOURCE_VALUE_LIMIT + 1), ERR_LIMIT,
		"at most 1024 and 1048576");
	/* Nesting counts inside Message, too: it becomes `data`. */
	buf_init(&b, BUF_NO_LIMIT);
	for (unsigned i = 0; i < SOURCE_DEPTH_LIMIT; i++)
		buf_putc(&b, '[');
	for (unsigned i = 0; i < SOURCE_DEPTH_LIMIT; i++)
		buf_putc(&b, ']');
	rig_taken(&rig, buf_as_str(&b));
	buf_clear(&b);
	for (unsigned i = 0; i < 100000; i++)
		buf_putc(&b, '[');
	rig_refused(&rig, buf_as_str(&b), ERR_LIMIT, "Message: nested too deep");
	buf_release(&b);
}

static void many_metrics(void **state)
{
	struct buf b;

	(void)state;
	rig.headers = raw;
	for (unsigned n = SOURCE_LABELS_LIMIT; n <= SOURCE_LABELS_LIMIT + 1; n++) {
		buf_init(&b, BUF_NO_LIMIT);
		buf_puts(&b, "{" ALARM ",\"Trigger\":{\"Metrics\":[");
		for (unsigned i = 0; i < n; i++)
			buf_printf(&b,
				"%s{\"MetricStat\":{\"Metric\":{\"Namespace\":\"N\",\"MetricName\":"
				"\"M%u\"}}}",
				i ? "," : "", i);
		buf_puts(&b, "]}}");
		if (n == SOURCE_LABELS_LIMIT) {
			struct source_batch out = rig_taken(&rig, buf_as_str(&b));
			assert_str(event_label(&out.events[0], STR("namespace")), "N");
			assert_str(event_label(&out.events[0], STR("metric")), "");
		} else {
			rig_refused(&rig, buf_as_str(&b), ERR_LIMIT,
				"Message.Trigger.Metrics: 257 elements");
		}
		buf_release(&b);
	}
}

static void a_full_arena(void **state)
{
	struct str body = with_dimensions(100, 50, 50);
	struct arena whole = rig.arena;
	struct source_batch out;
	struct err e;
	unsigned refused = 0, taken = 0;

	(void)state;
	rig.headers = raw;
	for (size_t limit = 1 << 10; limit < 160 << 10; limit += 128) {
		arena_init(&rig.arena, limit);
		if (rig_take(&rig, body, 4096, &out, &e) < 0) {
			assert_int_equal(e.code, ERR_LIMIT);
			refused++;
		} else {
			assert_int_equal(out.events[0].labels_n, 104);
			taken++;
		}
		arena_release(&rig.arena);
	}
	rig.arena = whole;
	assert_true(refused > 0 && taken > 0);
}

static void cuts_summaries(void **state)
{
	struct buf b;

	(void)state;
	rig.headers = raw;
	buf_init(&b, BUF_NO_LIMIT);
	for (unsigned i = 0; i < SOURCE_VALUE_LIMIT + 10; i++)
		buf_putc(&b, 'x');
	struct source_batch out = rig_taken(&rig, buf_as_str(&b));
	assert_int_equal(out.events[0].summary.n, SOURCE_SUMMARY_LIMIT);
	assert_int_equal(out.events[0].annotations[0].value.n, SOURCE_VALUE_LIMIT);
	buf_release(&b);
}

/* ---- messages as published, where they lie beside the project ---- */

static void published_messages(void **state)
{
	static const struct {
		const char *name, *type;
		enum event_status status;
	} files[] = {
		{"notification-alarm-v1.json", "alert", EVENT_FIRING},
		{"notification-alarm-v2.json", "alert", EVENT_FIRING},
		{"notification-ok-v2.json", "alert", EVENT_RESOLVED},
		{"subscription-confirmation-v1.json", "sns_subscription_confirmation", EVENT_INFO},
	};
	struct str fingerprint = STR_NONE;

	(void)state;
	if (access(SHARED_DIR "/payloads/aws-sns", R_OK) != 0)
		return; /* the golden files have their shapes */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct str path =
			arena_printf(&rig.arena, SHARED_DIR "/payloads/aws-sns/%s", files[i].name);
		struct source_batch out = rig_taken(&rig, rig_file(&rig, path.p));
		const struct event *ev = &out.events[0];

		assert_int_equal(out.n, 1);
		assert_str(ev->type, files[i].type);
		assert_int_equal(ev->status, files[i].status);
		assert_int_equal(ev->delivery.n, 36);
		if (ev->status == EVENT_INFO)
			continue;
		assert_true(i == 0 || str_eq(fingerprint, ev->fingerprint));
		fingerprint = ev->fingerprint;
		assert_str(event_label(ev, STR("alertname")), "EXAMPLE");
		assert_str(event_label(ev, STR("instance_id")), "TestInstance");
		assert_true(ev->time_ns ==
			    (i < 2 ? INT64_C(1795374000) : INT64_C(1795374600)) * 1000000000);
	}
}

TESTS_MAIN(TEST(golden_files), TEST(raw_delivery), TEST(raw_by_header_alone), TEST(identity),
	TEST(wrong_types), TEST(says_the_byte), TEST(limits), TEST(many_metrics),
	TEST(a_full_arena), TEST(cuts_summaries), TEST(published_messages))
