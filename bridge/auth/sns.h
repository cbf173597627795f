/* auth/sns.h: is this message of Amazon SNS signed by Amazon, and may its URLs be asked?
 *
 * Pure: no sockets, no clock, no log. Whoever calls it gets the certificate, which is never asked for before sns_url_check
 * took its URL: the URL stands in the message, so a stranger chose it.
 *
 *	sns_signed_read    the members that count, of the parsed body
 *	sns_url_check      may this URL be asked?
 *	sns_key_new        the certificate that was got from there -> a key
 *	sns_verify         the signature
 */
#ifndef RB_AUTH_SNS_H
#define RB_AUTH_SNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define SNS_URL_LIMIT 2048		/* bytes of a URL */
#define SNS_SIGNATURE_LIMIT 4096	/* bytes of a signature, in base64 */
#define SNS_CERT_LIMIT ((size_t)64 << 10)	/* bytes of a certificate's file */
#define SNS_KEY_BITS_MIN 2048		/* of its RSA key */
#define SNS_AGE_MAX_MS (INT64_C(65) * 60000)	/* SNS tries for an hour at most; and its clock or ours may differ */
#define SNS_AHEAD_MAX_MS (INT64_C(5) * 60000)

enum sns_type {
	SNS_NOTIFICATION,
	SNS_SUBSCRIPTION,	/* SubscriptionConfirmation */
	SNS_UNSUBSCRIPTION,	/* UnsubscribeConfirmation */
};

/* What the signature covers, and how it is found. Points into the parsed body. */
struct sns_signed {
	enum sns_type type;
	struct str type_name;
	struct str message, message_id, subject, timestamp, topic_arn;
	bool has_subject;
	struct str subscribe_url, token;	/* of the confirmations */
	int version;	/* 1: SHA-1, 2: SHA-256 */
	struct str signature, cert_url;
	int64_t time_ns;
};

/* ERR_INPUT names the member that is missing or wrong. */
int sns_signed_read(const struct json *body, struct sns_signed *out, struct err *e);
/* The bytes that are signed. */
void sns_string_to_sign(const struct sns_signed *m, struct buf *out);

enum sns_url {
	SNS_URL_CERT,		/* SigningCertURL */
	SNS_URL_SUBSCRIBE,	/* SubscribeURL */
};

/* https, a host of SNS, neither user nor port; a .pem file without a query, or a ConfirmSubscription. ERR_INPUT says which
 * rule it breaks. */
int sns_url_check(struct str url, enum sns_url which, struct err *e);

/* A certificate's key. */
struct sns_key;
/* PEM, one certificate (what follows is not looked at): valid at now_ms, its name one of SNS, its key RSA. Who signed the
 * certificate is not looked at: Amazon's file lacks the one between it and a root, so that it came by TLS from a host of
 * SNS is what it is trusted for. NULL with e (ERR_INPUT). */
struct sns_key *sns_key_new(struct str pem, int64_t now_ms, struct err *e);
void sns_key_free(struct sns_key *k);	/* NULL is fine */
/* When its certificate ends. */
int64_t sns_key_ends_ms(const struct sns_key *k);

/* 0, or -1 with e (ERR_INPUT): the signature is not that of m under k. */
int sns_verify(const struct sns_signed *m, const struct sns_key *k, struct err *e);
/* Was it signed lately? One that was caught and is sent again later is not. ERR_INPUT. */
int sns_check_age(const struct sns_signed *m, int64_t now_ms, struct err *e);

#endif
