/* signature.h: is this body signed by somebody who has one of the secrets? HMAC over the bytes as they came.
 *
 *	signature_begin   the headers are there: what is shown, and when it was signed
 *	signature_feed    each piece of the body, before anything is done with it
 *	signature_end     the body is whole: the verdict
 *
 * Whether a signature is right or wrong, and in which byte it is wrong, it costs the same: each secret's HMAC is made, and
 * each is held against each signature that is shown, over its whole length. No clock, no log.
 */
#ifndef RB_AUTH_SIGNATURE_H
#define RB_AUTH_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"

#define AUTH_SIGNATURES_MAX 16	/* that one request may show */

enum auth_verdict {
	AUTH_GOOD,
	AUTH_NOTHING_SHOWN,
	AUTH_WRONG,	/* what is shown does not hold */
	AUTH_FORBIDDEN,	/* it holds, and does not belong here; or it is too old */
	AUTH_NO_MEMORY,
};

/* How a source's senders sign, and the secrets, keyed. Immutable. */
struct signing;

/* 0 with *out NULL where c is of a kind that does not sign; -1: no memory. */
int signing_new(const struct conf_auth *c, struct signing **out);
/* The secret number i of c->secrets. ERR_INPUT: it is none of its kind ("holds …"). */
int signing_key(struct signing *s, size_t i, struct str secret, struct err *e);
void signing_free(struct signing *s);	/* NULL is fine */

/* One request. It holds what it needs of its struct signing. */
struct signature;

/* header: of the request, by its name in any case, STR_NONE where there is none; what it gives must live until
 * signature_free. now_ms: the time of day. AUTH_GOOD: feed it; else *out is NULL, with e. */
enum auth_verdict signature_begin(const struct signing *s, struct str (*header)(void *ctx, const char *name), void *ctx,
	int64_t now_ms, struct signature **out, struct err *e);
void signature_feed(struct signature *g, struct str piece);
/* Once. AUTH_GOOD, AUTH_WRONG, or AUTH_FORBIDDEN where by now its time is too long ago. */
enum auth_verdict signature_end(struct signature *g, int64_t now_ms, struct err *e);
/* After that: what names this very message, where its time is signed, too, so that it cannot be taken twice within the
 * tolerance; else "". Lives as long as g. */
struct str signature_delivery(const struct signature *g);
/* Wipes it. NULL is fine. */
void signature_free(struct signature *g);

#endif
