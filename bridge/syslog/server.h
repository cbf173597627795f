/* server.h: syslog over TCP and TLS, beside HTTP.
 *
 * On the libuv loop: no thread, nothing that blocks. Everything is called, and calls back, on the
 * loop's thread. Syslog knows no answer, so nothing is promised to a sender but this: bytes are
 * only taken from a connection while what came before is with Redis.
 */
#ifndef RB_SYSLOG_SERVER_H
#define RB_SYSLOG_SERVER_H

#include <stdint.h>
#include <uv.h>
#include "auth/certs.h"
#include "base/err.h"
#include "flow/ingest.h"

#define SYSLOG_HANDSHAKE_MS 15000 /* that TLS may take to begin */
/* Of silence, after which nothing more is awaited when the bridge stops. */
#define SYSLOG_GOODBYE_MS 2000
#define SYSLOG_RETRY_MS 1000 /* until lines that Redis did not take are tried again */

struct syslog_server;

/* What the program gives it. ic is read at each piece: a reload is seen by the next one. */
struct syslog_app {
	const struct ingest_ctx *ic;
	struct certs *certs; /* of syslog.tls when it starts; NULL: plain */
};

/* Listens on all of syslog.listen, which may be none, and writes state_dir/syslog.addr. NULL with
 * e. conf gives what a reload does not change: addresses and limits. */
struct syslog_server *syslog_new(
	uv_loop_t *loop, const struct conf *conf, const struct syslog_app *app, struct err *e);
/* After a reload: connections that come use these. */
void syslog_use_certs(struct syslog_server *s, struct certs *now);
/* "127.0.0.1:6514" for the log, "" where nobody listens; valid as long as the server. */
const char *syslog_addresses(const struct syslog_server *s);
/* Takes no more connections and tells senders so, which may still send what is under way; done when
 * none is connected any more, or after within_ms. */
void syslog_drain(struct syslog_server *s, uint64_t within_ms, void (*done)(void *ctx), void *ctx);
/* After syslog_drain, and when no store call is under way any more: closes all, frees s; done may
 * be NULL. */
void syslog_close(struct syslog_server *s, void (*done)(void *ctx), void *ctx);

#endif
