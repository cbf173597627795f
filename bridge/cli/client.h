/* client.h: HTTP to the bridge, over TCP or a unix socket.
 *
 * One connection at a time, no redirects, answers bounded. Nothing is printed here.
 */
#ifndef RB_CLI_CLIENT_H
#define RB_CLI_CLIENT_H

#include <stddef.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#define CLIENT_URL_DEFAULT "http://127.0.0.1:9911"
#define CLIENT_BODY_LIMIT ((size_t)256 << 20)	/* bytes of one answer */
#define CLIENT_CONNECT_TIMEOUT_MS 5000
#define CLIENT_TIMEOUT_MS 60000			/* of an answer that is no stream */

struct client {
	void *curl;
	char *base;		/* "http://host:port", without a slash at its end */
	char *socket;		/* NULL, or the unix socket's path */
	char *token;		/* NULL, or the bearer token */
	const char *ca_file;	/* NULL: the system's certificates */
	const char *shown;	/* the address as the user gave it */
};

struct request {
	const char *method;
	const char *path;	/* "/api/v1/…" with its query */
	struct str body;	/* sent as JSON where method is POST */
	const char *idempotency_key;	/* NULL none */
	/* Where set, a good answer's body goes here piece by piece and there is no time limit. Not 0: stop. */
	int (*on_data)(void *ctx, const char *p, size_t n);
	void *ctx;
	long silence_s;	/* of such an answer: without a byte for so long it has broken off; 0: it may be silent */
};

struct reply {
	long status;
	struct buf body;	/* empty where on_data took it */
};

/* url: http://…, https://… or unix:/path; kept, not copied. ERR_INPUT. client_release in any case. */
int client_init(struct client *c, const char *url, const char *token_file, struct err *e);
void client_release(struct client *c);
/* 0: there was an answer, of any status. -1: ERR_AWAY (none, or it broke off), ERR_LIMIT. reply_release in any case. */
int client_call(struct client *c, const struct request *q, struct reply *r, struct err *e);
void reply_release(struct reply *r);

#endif
