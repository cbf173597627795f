/* Every kind of body with every message of tests/golden/line, wherever it is cut. NAME.body gives exactly the lines in
 * NAME.lines. */
#include "unit.h"
#include "line_rig.h"

#include <dirent.h>

static const struct {
	const char *folder;
	const struct line_kind *kind;
} kinds[] = {
	{"text", &line_kind_text},
	{"json", &line_kind_json},
	{"any", &line_kind_any},
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

static void read_golden(const char *folder, const char *name, const char *extension, struct buf *out)
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
		fail_msg("%s/%s:\ngot  %.*s\nwant %.*s", kinds[kind].folder, name, STR_ARG(got), STR_ARG(buf_as_str(&want)));
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

TESTS_MAIN(cmocka_unit_test(golden_files), cmocka_unit_test(every_beginning))
