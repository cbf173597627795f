/* The pages about routes and metrics say what the tables say. */
#include "unit.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/metrics.h"
#include "http/state.h"

static struct str page(struct buf *b, const char *name)
{
	struct buf path;
	struct err e;

	buf_init(&path, BUF_NO_LIMIT);
	buf_printf(&path, "%s/%s", DOCS_DIR, name);
	buf_init(b, (size_t)1 << 20);
	if (file_read(path.p, b, &e) != 0)
		fail_msg("%s", e.text);
	buf_release(&path);
	return buf_as_str(b);
}

static size_t count_lines(struct str text, const char *start)
{
	size_t n = 0;

	for (const char *p = text.p;
		(p = memmem(p, (size_t)(text.p + text.n - p), start, strlen(start))); p++)
		n += p == text.p || p[-1] == '\n';
	return n;
}

static void every_route_is_described(void **state)
{
	struct buf b, row;
	struct str text = page(&b, "http-api.md");
	size_t n = 0;

	(void)state;
	buf_init(&row, BUF_NO_LIMIT);
	for (const struct route *r = server_routes; r->pattern; r++, n++) {
		buf_clear(&row);
		buf_printf(&row, "\n| `%s %s` | %s | ", route_method_name(r->method),
			r->pattern, route_permission_name(r->permission));
		assert_has(text, row.p);
	}
	assert_int_equal(count_lines(text, "| `GET ") + count_lines(text, "| `POST ") +
				 count_lines(text, "| `PUT ") + count_lines(text, "| `OPTIONS "),
		n);
	buf_release(&row);
	buf_release(&b);
}

static const char *type_name(enum metric_type t)
{
	return t == METRIC_COUNTER ? "counter" : t == METRIC_GAUGE ? "gauge" : "histogram";
}

static void check_metric(struct str text, const char *name, enum metric_type type,
	const char *labels, const char *help)
{
	struct buf row;

	buf_init(&row, BUF_NO_LIMIT);
	buf_printf(&row, "\n| `%s` | %s", name, type_name(type));
	assert_has(text, row.p);
	buf_clear(&row);
	buf_puts(&row, " | ");
	for (const char *p = labels; *p; p++) {
		buf_putc(&row, *p);
		buf_puts(&row, *p == ',' ? " " : "");
	}
	buf_printf(&row, "%s %s |\n", labels[0] ? " |" : "|", help);
	assert_has(text, row.p);
	buf_release(&row);
}

static void every_metric_is_described(void **state)
{
	struct buf b;
	struct str text = page(&b, "metrics.md");

	(void)state;
#define METRIC(id, name, type, labels, help) check_metric(text, name, type, labels, help);
#include "base/metrics_table.h"
#undef METRIC
	assert_int_equal(count_lines(text, "| `runbookd_"), METRIC_COUNT);
	buf_release(&b);
}

TESTS_MAIN(cmocka_unit_test(every_route_is_described), cmocka_unit_test(every_metric_is_described))
