/* A log line is one line, whatever a label holds. */
#include "unit.h"
#include <unistd.h>
#include "base/json.h"
#include "base/log.h"

/* Runs fn with standard error in a file; what it wrote goes to `out`. */
static void capture(void (*fn)(void), struct buf *out)
{
	FILE *f = tmpfile();
	assert_non_null(f);
	int saved = dup(STDERR_FILENO);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	fn();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(f);
	buf_init(out, BUF_NO_LIMIT);
	char *to = buf_room(out, 100000);
	buf_added(out, fread(to, 1, 100000, f));
	fclose(f);
}

static void forge(void)
{
	log_kv(LOG_INFO, "got it", "label", "x\ntime=2026 level=error \"quoted\" a=b", "plain",
		"word", "empty", "", "none", NULL, "bytes", "\xFF\x01", "n", log_i64(-5),
		(char *)NULL);
}

static void logfmt_cannot_be_forged(void **state)
{
	(void)state;
	struct buf b;
	log_init("test", LOG_LOGFMT, LOG_INFO);
	capture(forge, &b);
	assert_has(buf_as_str(&b),
		" level=info program=test msg=\"got it\" "
		"label=\"x\\ntime=2026 level=error \\\"quoted\\\" a=b\" plain=word "
		"empty=\"\" bytes=\"\xEF\xBF\xBD\\u0001\" n=-5\n");
	assert_true(str_starts(buf_as_str(&b), STR("time=2")));
	assert_ptr_equal(strchr(b.p, '\n'), b.p + b.n - 1);
	buf_release(&b);
}

static void json_is_json(void **state)
{
	(void)state;
	struct buf b;
	struct arena a;
	struct err e;
	arena_init(&a, 1 << 20);
	log_init("test", LOG_JSON, LOG_INFO);
	capture(forge, &b);
	const struct json *j = json_parse(&a, buf_as_str(&b), &e);
	assert_non_null(j);
	assert_int_equal(j->count, 9);
	assert_str(json_str(json_get(j, "level")), "info");
	assert_str(json_str(json_get(j, "label")), "x\ntime=2026 level=error \"quoted\" a=b");
	assert_ptr_equal(strchr(b.p, '\n'), b.p + b.n - 1);
	arena_release(&a);
	buf_release(&b);
}

static void long_value(void)
{
	static char lots[10000];
	memset(lots, 'a', sizeof(lots) - 1);
	log_kv(LOG_ERROR, "long", "v", lots, "after", "x", (char *)NULL);
}

static void long_values_are_cut(void **state)
{
	(void)state;
	struct buf b;
	log_init("test", LOG_LOGFMT, LOG_INFO);
	capture(long_value, &b);
	assert_has(buf_as_str(&b), "aaa... (9999 bytes)\" after=x\n");
	assert_true(b.n < 3000);
	buf_release(&b);
}

static void two_levels(void)
{
	log_kv(LOG_INFO, "quiet", (char *)NULL);
	log_kv(LOG_WARN, "loud", (char *)NULL);
}

static void levels(void **state)
{
	(void)state;
	struct buf b;
	log_init("test", LOG_LOGFMT, LOG_WARN);
	assert_false(log_on(LOG_INFO));
	assert_true(log_on(LOG_ERROR));
	capture(two_levels, &b);
	assert_null(strstr(b.p, "quiet"));
	assert_has(buf_as_str(&b), "level=warn program=test msg=loud\n");
	buf_release(&b);
}

static void number_ring(void **state)
{
	(void)state;
	const char *v[8];
	for (int i = 0; i < 8; i++)
		v[i] = log_i64(i);
	for (int i = 0; i < 8; i++)
		assert_int_equal(v[i][0], '0' + i);
	assert_string_equal(log_i64(INT64_MIN), "-9223372036854775808");
}

TESTS_MAIN(cmocka_unit_test(logfmt_cannot_be_forged), cmocka_unit_test(json_is_json),
	cmocka_unit_test(long_values_are_cut), cmocka_unit_test(levels),
	cmocka_unit_test(number_ring))
