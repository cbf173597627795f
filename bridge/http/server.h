/* server.h: the HTTP side of the bridge.
 *
 * libmicrohttpd on the libuv loop: no thread, nothing that blocks. One daemon an address that it
 * listens on, all in one struct server. Everything is called, and calls back, on the loop's thread.
 */
#ifndef RB_HTTP_SERVER_H
#define RB_HTTP_SERVER_H

#include <stdbool.h>
#include <uv.h>
#include "base/diag.h"
#include "base/err.h"
#include "flow/ingest.h"
#include "flow/sns_gate.h"

struct server;
struct certs;

/* What the program gives it. ic is read at each request: a reload is seen by the next one. */
struct server_app {
	const struct ingest_ctx *ic;
	/* POST /-/reload, by who: calls done later, on the loop; d has the findings either way, NULL: it stopped first. -1: it
	 * does not. */
	int (*reload)(void *ctx, const char *who, void (*done)(void *asked, bool taken, const struct diags *d), void *asked);
	/* Made when it is asked for first. NULL with e. */
	struct sns_gate *(*sns)(void *ctx, struct err *e);
	void *ctx;
	struct certs *certs; /* of http.tls when it starts; NULL: plain */
};

/* Listens on all of http.listen and writes state_dir/http.addr. NULL with e. conf gives what a
 * reload does not change: addresses, http.connection_limit (an address), http.request_timeout,
 * state_dir. */
struct server *server_new(
	uv_loop_t *loop, const struct conf *conf, const struct server_app *app, struct err *e);
/* After a reload: handshakes use these from now on. */
void server_use_certs(struct server *s, struct certs *now);
/* "127.0.0.1:9911, unix:/run/x" for the log; valid as long as the server. */
const char *server_addresses(const struct server *s);
/* Takes no more connections; done when no request is under way any more, or after within_ms. Whose body is not there by
 * then, and who asks after that, is answered 503: only what waits for an answer of the store or of SNS goes on. */
void server_drain(struct server *s, uint64_t within_ms, void (*done)(void *ctx), void *ctx);
/* After server_drain, and when no store call is under way any more: sends what is answered, closes
 * all, frees s; done may be NULL. */
void server_close(struct server *s, void (*done)(void *ctx), void *ctx);

#endif
