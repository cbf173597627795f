/* Every kind of body with every message of tests/golden/line, wherever it is cut. NAME.body gives
 * exactly the lines in NAME.lines. */
#include "unit.h"
#include "line_rig.h"

#include <dirent.h>
#include <unistd.h>

static const struct {
	const char *folder;
	const struct line_kind *kind;
} kinds[] = {
	{"text", &line_kind_text},
	{"json", &line_kind_json},
	{"any", &line_kind_any},
	{"msgpack", &line_kind_msgpack},
	{"loki", &line_kind_loki_json},
	{"loki_proto", &line_kind_loki_proto},
	{"bulk", &line_kind_bulk},
	{"splunk", &line_kind_splunk},
	{"otlp_logs", &line_kind_otlp_logs_json},
	{"otlp_logs_proto", &line_kind_otlp_logs_proto},
	{"otlp_traces", &line_kind_otlp_traces_json},
	{"otlp_traces_proto", &line_kind_otlp_traces_proto},
	{"journal", &line_kind_journal},
	{"syslog", &line_kind_syslog},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void read_golden(
	const char *folder, const char *name, const char *extension, struct buf *out)
{
	char path[1024];
	struct err e;

	snprintf(path, sizeof(path), "%s/line/%s/%s%s", GOLDEN_DIR, folder, name, extension);
	buf_init(out, BUF_NO_LIMIT);
	if (file_read(path, out, &e) < 0)
		fail_msg("%s", e.text);
}

static void check_file(size_t kind, const char *name)
{
	struct line_rig rig;
	struct buf body, want;
	struct str got;

	rig_begin(&rig);
	read_golden(kinds[kind].folder, name, ".body", &body);
	read_golden(kinds[kind].folder, name, ".lines", &want);
	got = rig_taken(&rig, kinds[kind].kind, buf_as_str(&body));
	if (!str_eq(got, buf_as_str(&want)))
		fail_msg("%s/%s:\ngot  %.*s\nwant %.*s", kinds[kind].folder, name, STR_ARG(got),
			STR_ARG(buf_as_str(&want)));
	rig_every_cut(&rig, kinds[kind].kind, buf_as_str(&body));
	buf_release(&body);
	buf_release(&want);
	rig_end(&rig);
}

static void golden_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		char path[1024];
		DIR *d;
		unsigned seen = 0;

		snprintf(path, sizeof(path), "%s/line/%s", GOLDEN_DIR, kinds[i].folder);
		d = opendir(path);
		assert_non_null(d);
		for (struct dirent *f = readdir(d); f; f = readdir(d)) {
			char *dot = strrchr(f->d_name, '.');

			if (!dot || strcmp(dot, ".body") != 0)
				continue;
			*dot = '\0';
			check_file(i, f->d_name);
			seen++;
		}
		closedir(d);
		assert_true(seen > 0);
	}
}

/* Bodies of other people's, where they are at hand: the golden files have their shapes. */
static void real_samples(void **state)
{
	static const struct {
		const char *file;
		const struct line_kind *kind;
		size_t lines;
		const char *has;
	} files[] = {
		{"fluent-bit/http-json.json", &line_kind_json, 2,
			"\"kubernetes_pod_name\":\"api-1\""},
		{"fluent-bit/http-json_lines.ndjson", &line_kind_json, 2,
			"\"time\":\"2026-11-22T19:16:40.123456Z\""},
		{"fluent-bit/http-json_stream.txt", &line_kind_json, 2,
			"\"message\":\"line \\\"two\\\"\""},
		{"fluent-bit/es-bulk.ndjson", &line_kind_bulk, 1,
			"\"message\":\"oom\",\"time\":\"2026-11-22T19:16:40.123Z\""},
		{"fluent-bit/loki.json", &line_kind_loki_json, 1, "\"message\":\"oom\""},
		{"rsyslog-omhttp/jsonarray.json", &line_kind_json, 2, "\"message\":\"message 2\""},
		{"rsyslog-omhttp/kafkarest.json", &line_kind_json, 2, "\"message\":\"message 2\""},
		{"rsyslog-omhttp/lokirest.json", &line_kind_json, 2,
			"\"labels\":{\"tag2\":\"value2\"}"},
		{"rsyslog-omhttp/newline.txt", &line_kind_text, 2, "\"message\":\"message 2\""},
		{"splunk-hec/event-array-and-concat.txt", &line_kind_splunk, 3,
			"\"sourcetype\":\"app\""},
		{"vector/http-json.json", &line_kind_any, 1, "\"host\":\"web-1\""},
		{"vector/http-ndjson.ndjson", &line_kind_json, 2,
			"\"time\":\"2026-11-22T19:16:41.000Z\""},
		{"vector/http-text.txt", &line_kind_text, 2, "\"message\":\"two\""},
		{"syslog/rfc5424-examples.txt", &line_kind_syslog, 5,
			"\"examplePriority_32473_class\":\"high\""},
		{"logs/OpenSSH_2k.log", &line_kind_text, 2000,
			"Failed password for invalid user webmaster"},
	};
	struct line_rig rig;

	(void)state;
	if (access(SHARED_DIR "/payloads/fluent-bit", R_OK) != 0)
		return; /* the golden files have their shapes */
	rig_begin(&rig);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[1024];
		struct buf body;
		struct err e;
		struct str out;

		snprintf(path, sizeof(path), SHARED_DIR "/payloads/%s", files[i].file);
		buf_init(&body, BUF_NO_LIMIT);
		if (file_read(path, &body, &e) < 0)
			fail_msg("%s", e.text);
		out = rig_taken(&rig, files[i].kind, buf_as_str(&body));
		assert_int_equal(rig.lines, files[i].lines);
		assert_has(out, files[i].has);
		if (body.n < 10000)
			rig_every_cut(&rig, files[i].kind, buf_as_str(&body));
		buf_release(&body);
	}
	rig_end(&rig);
}

/* What a body breaks off in is an error, or fewer lines; never more, and never none of its end. */
static void every_beginning(void **state)
{
	static const char body[] = "{\"message\":\"one\"}\n{\"message\":\"two\"}";
	struct line_rig rig;

	(void)state;
	rig_begin(&rig);
	for (size_t n = 0; n < sizeof(body) - 1; n++) {
		int rc = rig_take(&rig, &line_kind_json, (struct str){body, n});

		assert_int_equal(rc, n <= 1 ? -(n == 1) : n == 17 || n == 18 ? 0 : -1);
		assert_int_equal(rig.lines, n >= 17);
	}
	rig_end(&rig);
}

TESTS_MAIN(cmocka_unit_test(golden_files), cmocka_unit_test(real_samples),
	cmocka_unit_test(every_beginning))
