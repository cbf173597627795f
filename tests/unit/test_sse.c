/* Server-sent events: what the format means, in whatever pieces it comes. */
#include "unit.h"

#include "cli/sse.h"

#define LIMIT 64

static struct buf got; /* "TYPE|DATA|ID of the one before;" */
static struct sse sse;

static void on_event(void *ctx, const struct sse_event *ev)
{
	assert_ptr_equal(ctx, &sse);
	buf_str(&got, ev->type);
	buf_putc(&got, '|');
	buf_str(&got, ev->data);
	buf_putc(&got, ';');
}

static void begin(void)
{
	buf_init(&got, BUF_NO_LIMIT);
	sse_init(&sse, LIMIT, on_event, &sse);
}

static void end(void)
{
	buf_release(&got);
	sse_release(&sse);
}

/* The stream as a whole, and byte by byte. */
static void assert_events(const char *stream, size_t n, const char *want, const char *id)
{
	for (size_t step = 1; step <= n; step = step < n && step * 3 > n ? n : step * 3) {
		begin();
		for (size_t i = 0; i < n; i += step)
			sse_feed(&sse, stream + i, step < n - i ? step : n - i);
		buf_putc(&got, '\0');
		assert_string_equal(got.p, want);
		assert_string_equal(sse.id, id);
		assert_false(sse_failed(&sse));
		end();
	}
}

static void format(void **state)
{
	static const struct {
		const char *stream, *want, *id;
	} cases[] = {
		{"data: a\n\n", "message|a;", ""},
		{"data:a\ndata: b\ndata:  c\n\n", "message|a\nb\n c;", ""},
		{"data\n\n", "message|;", ""},
		{"data: a\r\ndata: b\r\n\r\n", "message|a\nb;", ""},
		{"data: a\rdata: b\r\rdata: c\r\r", "message|a\nb;message|c;", ""},
		{"id: 7\nevent: gone\ndata: {}\n\n", "gone|{};", "7"},
		{"event: gone\n\ndata: a\n\n", "message|a;", ""}, /* a type is one event's */
		{": a comment\nid: 8\n\n", "", "8"}, /* no event, and a place to go on */
		{"id: 8\n\nid\n\n", "", ""},
		{"id: 8\n\nid: 9\ndata: lost", "", "8"}, /* it has not ended */
		{"id: 8\n\nid: 9\ndata: lost\n", "", "8"},
		{"\xef\xbb\xbf"
		 "data: a\n\n",
			"message|a;", ""},
		{"data: a\n\n\xef\xbb\xbf"
		 "data: b\n\n",
			"message|a;", ""},
		{"retry: 10\nunknown: x\nDATA: x\n: data: x\n\n", "", ""},
		{"\n\n\n", "", ""},
		{"data: \xff\xfe\n\n", "message|\xff\xfe;", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_events(cases[i].stream, strlen(cases[i].stream), cases[i].want, cases[i].id);
	assert_events("id: a\0b\ndata: x\n\n", 18, "message|x;", "");
}

/* Where a stream breaks off within an event, one goes on behind the event before. */
static void broken_off(void **state)
{
	(void)state;
	begin();
	sse_feed(&sse, "id: 1\ndata: a\n\nid: 2\nevent: gone\ndata: b\nda", 42);
	assert_string_equal(sse.id, "1");
	sse_restart(&sse);
	sse_feed(&sse, "ta: c\n\ndata: d\n\n", 17);
	assert_string_equal(sse.id, "1");
	buf_putc(&got, '\0');
	assert_string_equal(got.p, "message|a;message|d;");
	end();
}

static void limits(void **state)
{
	char line[LIMIT + 8], id[SSE_ID_MAX + 16];

	(void)state;
	memset(line, 'x', sizeof(line));
	begin();
	sse_feed(&sse, line, LIMIT);
	assert_false(sse_failed(&sse));
	sse_feed(&sse, "\n", 1);
	for (int i = 0; i < 3; i++)
		sse_feed(&sse, "data: 0123456789012345678\n", 26);
	assert_false(sse_failed(&sse));
	sse_feed(&sse, "data: 0123456789012345678\n\n", 27);
	assert_true(sse_failed(&sse)); /* the data */
	assert_int_equal(got.n, 0);
	end();
	begin();
	sse_feed(&sse, line, LIMIT + 1);
	assert_true(sse_failed(&sse)); /* the line */
	end();
	/* An id that is too long is none. */
	begin();
	int n = snprintf(id, sizeof(id), "id: %0*d\n\n", SSE_ID_MAX - 10, 0);
	sse_feed(&sse, id, (size_t)n);
	assert_int_equal(strlen(sse.id), SSE_ID_MAX - 10);
	end();
	sse_init(&sse, BUF_NO_LIMIT, on_event, &sse);
	n = snprintf(id, sizeof(id), "id: %0*d\n\n", SSE_ID_MAX + 1, 0);
	sse_feed(&sse, id, (size_t)n);
	assert_string_equal(sse.id, "");
	sse_release(&sse);
}

TESTS_MAIN(cmocka_unit_test(format), cmocka_unit_test(broken_off), cmocka_unit_test(limits))
