/* fetch.h: gets a file over HTTPS, beside the loop.
 *
 * For the few things that the bridge asks of others, as the certificate that Amazon SNS signs with: small, seldom, each with
 * an end. One at a time, on a thread of libuv's pool; the others wait in order. HTTPS only, the server's certificate
 * checked, no redirect followed, nothing sent but a GET. Which URL may be asked is for the caller to decide, before.
 *
 * All is called, and calls back, on the loop's thread.
 */
#ifndef RB_FETCH_FETCH_H
#define RB_FETCH_FETCH_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "base/err.h"
#include "base/str.h"

#define FETCH_TIME_MS 10000		/* of one, all in all */
#define FETCH_BYTES ((size_t)64 << 10)	/* of a body */
#define FETCH_QUEUE_LIMIT 64		/* that wait */

struct fetch_options {
	uv_loop_t *loop;
	const char *ca_file;	/* who may vouch for a server; NULL: whom the system trusts */
	const char *connect_to;	/* host:port that is connected to in place of each URL's, whose name the server must show all
				 * the same; NULL: the URL's own */
	int64_t time_ms;	/* 0: FETCH_TIME_MS */
};

struct fetch;

/* Texts of o are copied. NULL with e. */
struct fetch *fetch_new(const struct fetch_options *o, struct err *e);

/* e NULL: 200, and the whole body, which lives until the callback returns. Else ERR_AWAY: it could not be had, with why;
 * ERR_LIMIT: the body is larger than FETCH_BYTES. */
typedef void (*fetch_cb)(void *ctx, const struct err *e, struct str body);

/* done is called once, later. -1 with e (ERR_FULL, ERR_NOMEM, ERR_AWAY after fetch_close) where it is not; it is not called then. */
int fetch_get(struct fetch *f, struct str url, fetch_cb done, void *ctx, struct err *e);

/* Those under way are given up: their callbacks are called with ERR_AWAY before closed is. Frees f. */
void fetch_close(struct fetch *f, void (*closed)(void *ctx), void *ctx);

#endif
