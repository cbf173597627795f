/* The exposition format, the bound on series, and the table itself. */
#include "unit.h"
#include <ctype.h>
#include "base/metrics.h"

static struct buf out;

static int setup(void **state)
{
	(void)state;
	metrics_release();
	buf_init(&out, BUF_NO_LIMIT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_release(&out);
	metrics_release();
	return 0;
}

static struct str print(void)
{
	buf_clear(&out);
	metrics_print(&out);
	return buf_as_str(&out);
}

static void counters_and_gauges(void **state)
{
	(void)state;
	struct str firing[] = {STR("alertmanager"), STR("firing")};
	struct str resolved[] = {STR("alertmanager"), STR("resolved")};
	metric_add(METRIC_EVENTS, 1, firing);
	metric_add(METRIC_EVENTS, 2, resolved);
	metric_add(METRIC_EVENTS, 3, firing);
	metric_set(METRIC_REDIS_UP, 1, NULL);
	metric_set(METRIC_INCIDENTS_OPEN, 0.25, NULL);
	struct str s = print();
	assert_has(s, "# HELP runbookd_events_total Events taken in, duplicates included.\n"
		      "# TYPE runbookd_events_total counter\n"
		      "runbookd_events_total{source=\"alertmanager\",status=\"firing\"} 4\n"
		      "runbookd_events_total{source=\"alertmanager\",status=\"resolved\"} 2\n");
	assert_has(s, "# TYPE runbookd_redis_up gauge\nrunbookd_redis_up 1\n");
	assert_has(s, "runbookd_incidents_open 0.25\n");
}

static void histograms(void **state)
{
	(void)state;
	struct str rule = STR("disk");
	metric_observe(METRIC_EVENT_TO_START_SECONDS, 0.0001, &rule);
	metric_observe(METRIC_EVENT_TO_START_SECONDS, 0.3, &rule);
	metric_observe(METRIC_EVENT_TO_START_SECONDS, 99999, &rule);
	struct str s = print();
	assert_has(s, "runbookd_event_to_start_seconds_bucket{rule=\"disk\",le=\"0.0001\"} 1\n");
	assert_has(s, "runbookd_event_to_start_seconds_bucket{rule=\"disk\",le=\"0.25\"} 1\n");
	assert_has(s, "runbookd_event_to_start_seconds_bucket{rule=\"disk\",le=\"0.5\"} 2\n");
	assert_has(s, "runbookd_event_to_start_seconds_bucket{rule=\"disk\",le=\"1800\"} 2\n");
	assert_has(s, "runbookd_event_to_start_seconds_bucket{rule=\"disk\",le=\"+Inf\"} 3\n");
	assert_has(s, "runbookd_event_to_start_seconds_count{rule=\"disk\"} 3\n");
	assert_has(s, "runbookd_event_to_start_seconds_sum{rule=\"disk\"} 99999.3001\n");
	/* one without labels */
	metric_observe(METRIC_INGEST_SECONDS, 0.002, NULL);
	s = print();
	assert_has(s, "runbookd_ingest_seconds_bucket{le=\"0.0025\"} 1\n");
	assert_has(s, "runbookd_ingest_seconds_count 1\n");
}

static void histogram_counted_elsewhere(void **state)
{
	(void)state;
	struct str rb = STR("x");
	uint64_t counts[64] = {2, 3};
	assert_true(metric_buckets_n < 64);
	metric_set_histogram(METRIC_RUN_SECONDS, &rb, counts, 7, 1.5);
	metric_set_histogram(METRIC_RUN_SECONDS, &rb, counts, 7, 1.5);
	struct str s = print();
	assert_has(s, "runbookd_run_seconds_bucket{runbook=\"x\",le=\"0.0001\"} 2\n");
	assert_has(s, "runbookd_run_seconds_bucket{runbook=\"x\",le=\"0.00025\"} 5\n");
	assert_has(s, "runbookd_run_seconds_bucket{runbook=\"x\",le=\"+Inf\"} 7\n");
	assert_has(s, "runbookd_run_seconds_sum{runbook=\"x\"} 1.5\n");
}

static void label_values_are_escaped(void **state)
{
	(void)state;
	struct str pool = STR("a\"b\\c\nd\xFF");
	metric_set(METRIC_QUEUE_DEPTH, 1, &pool);
	assert_has(print(), "runbookd_queue_depth{pool=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD\"} 1\n");
}

static void values_do_not_run_together(void **state)
{
	(void)state;
	struct str one[] = {STR("ab"), STR("c")};
	struct str two[] = {STR("a"), STR("bc")};
	metric_add(METRIC_EVENTS, 1, one);
	metric_add(METRIC_EVENTS, 5, two);
	struct str s = print();
	assert_has(s, "{source=\"ab\",status=\"c\"} 1\n");
	assert_has(s, "{source=\"a\",status=\"bc\"} 5\n");
}

static void series_are_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < METRICS_SERIES_MAX + 100; i++) {
		char name[32];
		snprintf(name, sizeof(name), "pool%d", i);
		struct str pool = str_of(name);
		metric_add(METRIC_QUEUE_DEPTH, 1, &pool);
	}
	struct str first = STR("pool0");
	metric_add(METRIC_QUEUE_DEPTH, 1, &first);
	struct str s = print();
	assert_has(s, "runbookd_queue_depth{pool=\"pool0\"} 2\n");
	assert_has(s, "runbookd_queue_depth{pool=\"pool9999\"} 1\n");
	assert_has(s, "runbookd_queue_depth{pool=\"other\"} 100\n");
	assert_null(strstr(s.p, "pool10000"));
	metric_clear(METRIC_QUEUE_DEPTH);
	assert_null(strstr(print().p, "pool0"));
}

static const struct {
	const char *name, *labels, *help;
	enum metric_type type;
} table[] = {
#define METRIC(id, name, type, labels, help) {name, labels, help, type},
#include "base/metrics_table.h"
#undef METRIC
};

static void table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		size_t labels = table[i].labels[0] != '\0';
		assert_true(str_starts(str_of(table[i].name), STR("runbookd_")));
		for (const char *p = table[i].name; *p; p++)
			assert_true(islower(*p) || isdigit(*p) || *p == '_');
		for (const char *p = table[i].labels; *p; p++)
			labels += *p == ',';
		assert_true(labels <= METRICS_LABELS_MAX);
		size_t n = strlen(table[i].help);
		assert_true(n > 10 && table[i].help[n - 1] == '.' && !strchr(table[i].help, '\n'));
		n = strlen(table[i].name);
		bool total = n > 6 && strcmp(table[i].name + n - 6, "_total") == 0;
		assert_int_equal(total, table[i].type == METRIC_COUNTER);
		for (size_t k = i + 1; k < METRIC_COUNT; k++)
			assert_string_not_equal(table[i].name, table[k].name);
	}
	for (size_t i = 1; i < metric_buckets_n; i++)
		assert_true(metric_buckets[i] > metric_buckets[i - 1]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
TESTS_MAIN(T(counters_and_gauges), T(histograms), T(histogram_counted_elsewhere),
	T(label_values_are_escaped), T(values_do_not_run_together), T(series_are_bounded),
	T(table_is_sound))
