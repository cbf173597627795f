/* flow/sns_gate.h: is a message of Amazon SNS one that may come in? Its topic, its age, its signature; and the answer to a
 * subscription that wants to be confirmed.
 *
 * Keeps the keys that it got (bridge/auth/sns.h says which may be, bridge/fetch gets them), and for a while that one could
 * not be had. On the loop's thread.
 */
#ifndef RB_FLOW_SNS_GATE_H
#define RB_FLOW_SNS_GATE_H

#include "auth/sns.h"
#include "conf/conf.h"
#include "fetch/fetch.h"

#define SNS_GATE_KEYS 16	/* kept at once */
#define SNS_GATE_KEEP_MS (INT64_C(24) * 3600000)	/* a key, before its certificate is got anew */
#define SNS_GATE_FAILED_MS INT64_C(30000)	/* what could not be had, before it is tried again */
#define SNS_GATE_WAITING 1000	/* messages that wait for keys */
#define SNS_GATE_CONFIRMED 64	/* confirmations that are remembered, so that each is answered once */

struct sns_gate;

/* Texts are copied. NULL with e. */
struct sns_gate *sns_gate_new(const struct fetch_options *o, struct err *e);

enum sns_verdict {
	SNS_PASSED,
	SNS_CONFIRMED,		/* passed, and its subscription was confirmed just now */
	SNS_REFUSED,		/* e: ERR_INPUT */
	SNS_UNKNOWN,		/* e: the certificate, or the confirmation, cannot be had now; to be sent again */
};

typedef void (*sns_gate_cb)(void *ctx, enum sns_verdict v, const struct err *e);

/* body lives until done was called, which may be at once or later. NULL: it was no JSON. topics: the ARNs that may send. */
void sns_gate_check(struct sns_gate *g, const struct json *body, const struct conf_list *topics, int64_t now_ms,
	sns_gate_cb done, void *ctx);

/* Those under way are told SNS_UNKNOWN before closed is called. Frees g. */
void sns_gate_close(struct sns_gate *g, void (*closed)(void *ctx), void *ctx);

#endif
