/* Any bytes as a stream of server-sent events: in one piece and byte by byte they are the same
 * events.
 */
#include "fuzz.h"

#include <string.h>
#include "cli/sse.h"

#define LIMIT 4096

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct buf *b = ctx;

	buf_str(b, ev->type);
	buf_putc(b, '\0');
	buf_str(b, ev->data);
	buf_putc(b, '\0');
}

static bool play(const char *p, size_t n, size_t step, struct buf *out, char id[SSE_ID_MAX + 1])
{
	struct sse s;

	buf_init(out, BUF_NO_LIMIT);
	sse_init(&s, LIMIT, on_event, out);
	for (size_t i = 0; i < n; i += step)
		sse_feed(&s, p + i, step < n - i ? step : n - i);
	memcpy(id, s.id, sizeof(s.id));
	bool good = !sse_failed(&s);
	sse_release(&s);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, bytes;
	char id[SSE_ID_MAX + 1], other[SSE_ID_MAX + 1];
	bool good = play((const char *)data, size, size ? size : 1, &whole, id);

	FUZZ_MUST(good == play((const char *)data, size, 1, &bytes, other));
	FUZZ_MUST(str_eq(buf_as_str(&whole), buf_as_str(&bytes)));
	FUZZ_MUST(strcmp(id, other) == 0);
	buf_release(&whole);
	buf_release(&bytes);
	return 0;
}
