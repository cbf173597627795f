/* Any bytes to the kind generic: by no map, and by one whose first path is the first line of them; as JSON and as a form. */
#include "fuzz_source.h"
#include "source/map.h"

static struct str header(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "Content-Type") == 0 ? STR("application/x-www-form-urlencoded") : STR_NONE;
}

static int render(const void *template, struct arena *a, const struct event *ev, struct str *out, struct err *e)
{
	(void)template;
	(void)a;
	(void)e;
	*out = event_label(ev, STR("a"));
	return 0;
}

static struct source_value path(struct arena *a, const char *text)
{
	struct source_value v;
	struct err e;

	FUZZ_MUST(source_value_parse(a, str_of(text), &v, &e) == 0);
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t n = end ? (size_t)(end - data) : 0;
	struct source_named labels[3];
	struct source_map map = {.render = render, .labels = labels, .labels_n = 3};
	struct source_request rq = {.source = STR("generic"), .map = &map};
	struct err e = {0};
	struct arena a;

	fuzz_source("generic", NULL, NULL, data, size);
	arena_init(&a, FUZZ_MEMORY);
	labels[0].name = STR("a");
	if (source_value_parse(&a, (struct str){(const char *)data, n}, &labels[0].value, &e) == 0) {
		labels[1] = (struct source_named){STR("b"), path(&a, "root.b.0")};
		labels[2] = (struct source_named){STR("c"), path(&a, "{{ c }}")};
		map.status = path(&a, "status");
		map.severity = path(&a, "severity");
		map.type = path(&a, "type");
		map.summary = path(&a, "summary");
		map.starts_at = path(&a, "time");
		fuzz_request(rq, data + n, size - n);
		map.each = path(&a, "each");
		fuzz_request(rq, data + n, size - n);
		rq.header = header;
		fuzz_request(rq, data + n, size - n);
	} else {
		FUZZ_MUST(e.text[0] && e.offset <= n);
	}
	arena_release(&a);
	return 0;
}
