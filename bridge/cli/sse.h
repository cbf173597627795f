/* sse.h: server-sent events: pieces of a stream in, events out.
 *
 * The format is that of the HTML standard, "Server-sent events", 9.2.6 (html.spec.whatwg.org), but
 * for `retry`, which is passed over. Owns the line and the event that have not ended; pure.
 */
#ifndef RB_CLI_SSE_H
#define RB_CLI_SSE_H

#include "base/buf.h"

#define SSE_TYPE_MAX 64 /* bytes of a type; of a longer one the rest is cut off */
#define SSE_ID_MAX 64	/* bytes of an id; a longer one is passed over */

/* Texts live until the callback returns. */
struct sse_event {
	struct str type; /* "message" where the stream names none */
	struct str data; /* its lines with a line feed between */
};

typedef void (*sse_cb)(void *ctx, const struct sse_event *ev);

struct sse {
	sse_cb cb;
	void *ctx;
	struct buf line, data;
	char type[SSE_TYPE_MAX + 1];
	char next_id[SSE_ID_MAX + 1]; /* of the event that has not ended */
	char id[SSE_ID_MAX + 1];      /* of the last one that has: where to go on; "" none yet */
	bool begun;		      /* a line was seen since sse_restart */
	bool has_data;
	bool cr; /* the last byte ended a line, and a line feed behind it is no other end */
};

/* limit: bytes of a line, and of an event's data; see sse_failed. */
void sse_init(struct sse *s, size_t limit, sse_cb cb, void *ctx);
void sse_release(struct sse *s);
/* The stream broke off and another one begins: what had not ended is dropped; id stays. */
void sse_restart(struct sse *s);
void sse_feed(struct sse *s, const char *p, size_t n);
/* A line or an event was over the limit, or there was no memory; what came since was dropped. */
bool sse_failed(const struct sse *s);

#endif
