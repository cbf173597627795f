/* sns.c: the signature of Amazon SNS, and which of its URLs may be asked.
 *
 * Guarantees: a URL is taken by a rule that lists what may stand in it, never by one that lists
 * what may not. The signed text is one message only: no member but Message may hold a line feed, so
 * that no part of it can be read as another member. What is not signed (attributes, UnsubscribeURL)
 * is not looked at.
 *
 * It does not decide which topics may send, nor remembers messages that were seen: MessageId is
 * signed, and the store knows those that it took.
 */
#include "auth/sns.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"

struct sns_key {
	gnutls_pubkey_t key;
	int64_t ends_ms;
};

/* ---- the message ---- */

static const char *const type_names[] = {
	[SNS_NOTIFICATION] = "Notification",
	[SNS_SUBSCRIPTION] = "SubscriptionConfirmation",
	[SNS_UNSUBSCRIPTION] = "UnsubscribeConfirmation",
};

static int bad(struct err *e, const struct json *j, const char *name, const char *what)
{
	err_set(e, ERR_INPUT, "%s: %s", name, what);
	e->offset = j ? j->offset : 0;
	return -1;
}

/* A member that must be there; a line feed may stand in Message alone. */
static int read_text(const struct json *body, const char *name, struct str *out, struct err *e)
{
	const struct json *j = json_get(body, name);

	if (!j || j->kind != JSON_STRING)
		return bad(e, j, name, "a signed message has this text");
	*out = j->text;
	if (strcmp(name, "Message") != 0 && j->text.n > 0 && memchr(j->text.p, '\n', j->text.n))
		return bad(e, j, name, "a line feed does not belong here");
	return 0;
}

static int read_type(const struct json *body, struct sns_signed *m, struct err *e)
{
	if (read_text(body, "Type", &m->type_name, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (!str_is(m->type_name, type_names[i]))
			continue;
		m->type = (enum sns_type)i;
		return 0;
	}
	return bad(e, json_get(body, "Type"), "Type",
		"it is not known what of such a message is signed");
}

static int read_version(const struct json *body, struct sns_signed *m, struct err *e)
{
	struct str version;

	if (read_text(body, "SignatureVersion", &version, e) < 0)
		return -1;
	m->version = str_is(version, "1") ? 1 : str_is(version, "2") ? 2 : 0;
	return m->version ? 0
			  : bad(e, json_get(body, "SignatureVersion"), "SignatureVersion",
				    "known are '1' and '2'");
}

static int read_subject(const struct json *body, struct sns_signed *m, struct err *e)
{
	const struct json *j = json_get(body, "Subject");

	m->has_subject = m->type == SNS_NOTIFICATION && j && j->kind != JSON_NULL;
	return m->has_subject ? read_text(body, "Subject", &m->subject, e) : 0;
}

static int read_time(const struct json *body, struct sns_signed *m, struct err *e)
{
	if (read_text(body, "Timestamp", &m->timestamp, e) < 0)
		return -1;
	if (clock_parse_rfc3339(m->timestamp, &m->time_ns) && m->time_ns)
		return 0;
	return bad(e, json_get(body, "Timestamp"), "Timestamp", "want a time as in RFC 3339");
}

int sns_signed_read(const struct json *body, struct sns_signed *out, struct err *e)
{
	*out = (struct sns_signed){0};
	if (!body || body->kind != JSON_OBJECT)
		return bad(e, body, "body", "want an object with 'Type'");
	if (read_type(body, out, e) < 0 || read_text(body, "Message", &out->message, e) < 0 ||
		read_text(body, "MessageId", &out->message_id, e) < 0 ||
		read_subject(body, out, e) < 0 || read_time(body, out, e) < 0 ||
		read_text(body, "TopicArn", &out->topic_arn, e) < 0 ||
		read_version(body, out, e) < 0 ||
		read_text(body, "Signature", &out->signature, e) < 0 ||
		read_text(body, "SigningCertURL", &out->cert_url, e) < 0)
		return -1;
	if (out->type == SNS_NOTIFICATION)
		return 0;
	return read_text(body, "SubscribeURL", &out->subscribe_url, e) < 0
		       ? -1
		       : read_text(body, "Token", &out->token, e);
}

static void put_pair(struct buf *out, const char *name, struct str value)
{
	buf_puts(out, name);
	buf_putc(out, '\n');
	buf_str(out, value);
	buf_putc(out, '\n');
}

void sns_string_to_sign(const struct sns_signed *m, struct buf *out)
{
	bool confirms = m->type != SNS_NOTIFICATION;

	put_pair(out, "Message", m->message);
	put_pair(out, "MessageId", m->message_id);
	if (m->has_subject)
		put_pair(out, "Subject", m->subject);
	if (confirms)
		put_pair(out, "SubscribeURL", m->subscribe_url);
	put_pair(out, "Timestamp", m->timestamp);
	if (confirms)
		put_pair(out, "Token", m->token);
	put_pair(out, "TopicArn", m->topic_arn);
	put_pair(out, "Type", m->type_name);
}

int sns_check_age(const struct sns_signed *m, int64_t now_ms, struct err *e)
{
	int64_t at_ms = m->time_ns / 1000000;

	if (at_ms - now_ms <= SNS_AHEAD_MAX_MS && now_ms - at_ms <= SNS_AGE_MAX_MS)
		return 0;
	return err_set(e, ERR_INPUT,
		"Timestamp: %.*s is %s; SNS sends a message for an hour, so is it sent again by "
		"somebody else, or is the clock of this machine wrong?",
		(int)(m->timestamp.n < 40 ? m->timestamp.n : 40), m->timestamp.p,
		at_ms > now_ms ? "in the future" : "long ago");
}

/* ---- URLs ---- */

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool only(struct str s, const char *more)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_letter_or_digit(s.p[i]) && (s.p[i] == '\0' || !strchr(more, s.p[i])))
			return false;
	}
	return true;
}

static bool cut_end(struct str *s, struct str end)
{
	if (s->n < end.n || memcmp(s->p + s->n - end.n, end.p, end.n) != 0)
		return false;
	s->n -= end.n;
	return true;
}

static bool cut_start(struct str *s, struct str start)
{
	if (!str_starts(*s, start))
		return false;
	s->p += start.n;
	s->n -= start.n;
	return true;
}

/* sns.REGION.amazonaws.com, sns.REGION.amazonaws.com.cn */
static bool is_host(struct str host)
{
	cut_end(&host, STR(".cn"));
	return cut_start(&host, STR("sns.")) && cut_end(&host, STR(".amazonaws.com")) &&
	       host.n >= 3 && only(host, "-");
}

static const char *check_path(struct str path, enum sns_url which)
{
	if (which == SNS_URL_CERT) {
		if (!only(path, "/-_.") || memmem(path.p, path.n, "..", 2))
			return "its path has letters, digits, '-', '_', '.' and no query";
		return cut_end(&path, STR(".pem")) && path.n > 1 ? NULL
								 : "its path must end with '.pem'";
	}
	if (!only(path, "/?&=-_.~:%+"))
		return "it has characters that no such URL has";
	return str_starts(path, STR("/?Action=ConfirmSubscription&"))
		       ? NULL
		       : "it must begin with '/?Action=ConfirmSubscription&' behind the host";
}

static const char *check_url(struct str url, enum sns_url which)
{
	const char *slash;

	if (url.n > SNS_URL_LIMIT)
		return "it is longer than 2048 bytes";
	if (!cut_start(&url, STR("https://")))
		return "it must begin with 'https://'";
	slash = url.n ? memchr(url.p, '/', url.n) : NULL;
	struct str host = {url.p, slash ? (size_t)(slash - url.p) : url.n};
	if (!is_host(host))
		return "its host must be sns.REGION.amazonaws.com or sns.REGION.amazonaws.com.cn, "
		       "without user and port";
	if (!slash)
		return "it has no path";
	return check_path((struct str){slash, url.n - host.n}, which);
}

int sns_url_check(struct str url, enum sns_url which, struct err *e)
{
	const char *why = check_url(url, which);

	if (!why)
		return 0;
	return err_set(e, ERR_INPUT, "%s: '%.*s' is not asked: %s",
		which == SNS_URL_CERT ? "SigningCertURL" : "SubscribeURL",
		(int)(url.n < 120 ? url.n : 120), url.p ? url.p : "", why);
}

/* ---- the certificate ---- */

/* sns.amazonaws.com; in regions that have one of their own sns-REGION, sns-signing.REGION or
 * sns.REGION before it. */
static bool is_signer(struct str name)
{
	cut_end(&name, STR(".cn"));
	if (!cut_end(&name, STR(".amazonaws.com")))
		return false;
	if (str_is(name, "sns"))
		return true;
	return (cut_start(&name, STR("sns-signing.")) || cut_start(&name, STR("sns.")) ||
		       cut_start(&name, STR("sns-"))) &&
	       name.n >= 3 && only(name, "-");
}

static int check_name(gnutls_x509_crt_t cert, struct err *e)
{
	char name[256];
	size_t n = sizeof(name);

	if (gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &n) != 0)
		n = 0;
	if (n > 0 && is_signer((struct str){name, n}))
		return 0;
	return err_set(e, ERR_INPUT, "the certificate is that of '%.*s', not of sns.amazonaws.com",
		(int)(n < 100 ? n : 100), name);
}

static int64_t time_ms(time_t t)
{
	return t == (time_t)-1 ? -1 : (int64_t)t * 1000;
}

static int check_times(gnutls_x509_crt_t cert, int64_t now_ms, int64_t *ends_ms, struct err *e)
{
	int64_t begins_ms = time_ms(gnutls_x509_crt_get_activation_time(cert));
	char text[CLOCK_RFC3339_MAX];

	*ends_ms = time_ms(gnutls_x509_crt_get_expiration_time(cert));
	if (begins_ms < 0 || *ends_ms < 0)
		return err_set(e, ERR_INPUT, "the certificate does not say when it is valid");
	if (now_ms >= begins_ms && now_ms <= *ends_ms)
		return 0;
	clock_format_ms(now_ms < begins_ms ? begins_ms : *ends_ms, text);
	return err_set(e, ERR_INPUT, "the certificate is valid %s %s",
		now_ms < begins_ms ? "only from" : "only until", text);
}

static int take_key(gnutls_x509_crt_t cert, gnutls_pubkey_t key, struct err *e)
{
	unsigned bits = 0;

	if (gnutls_pubkey_import_x509(key, cert, 0) != 0 ||
		gnutls_pubkey_get_pk_algorithm(key, &bits) != GNUTLS_PK_RSA)
		return err_set(e, ERR_INPUT, "the certificate's key is none of RSA");
	if (bits < SNS_KEY_BITS_MIN)
		return err_set(e, ERR_INPUT, "the certificate's key has %u bits, fewer than %d",
			bits, SNS_KEY_BITS_MIN);
	return 0;
}

static int load(
	struct sns_key *k, gnutls_x509_crt_t cert, struct str pem, int64_t now_ms, struct err *e)
{
	gnutls_datum_t bytes = {(unsigned char *)(uintptr_t)pem.p, (unsigned)pem.n};

	if (pem.n > SNS_CERT_LIMIT)
		return err_set(e, ERR_INPUT, "the certificate is larger than 64 KiB");
	if (pem.n == 0 || gnutls_x509_crt_import(cert, &bytes, GNUTLS_X509_FMT_PEM) != 0)
		return err_set(e, ERR_INPUT, "what should be a certificate is none (PEM)");
	if (check_name(cert, e) < 0 || check_times(cert, now_ms, &k->ends_ms, e) < 0)
		return -1;
	return take_key(cert, k->key, e);
}

struct sns_key *sns_key_new(struct str pem, int64_t now_ms, struct err *e)
{
	struct sns_key *k = calloc(1, sizeof(*k));
	gnutls_x509_crt_t cert = NULL;
	int rc = -1;

	if (!k || gnutls_pubkey_init(&k->key) != 0 || gnutls_x509_crt_init(&cert) != 0)
		err_set(e, ERR_NOMEM, "no memory for a certificate");
	else
		rc = load(k, cert, pem, now_ms, e);
	if (cert)
		gnutls_x509_crt_deinit(cert);
	if (rc == 0)
		return k;
	sns_key_free(k);
	return NULL;
}

void sns_key_free(struct sns_key *k)
{
	if (!k)
		return;
	if (k->key)
		gnutls_pubkey_deinit(k->key);
	free(k);
}

int64_t sns_key_ends_ms(const struct sns_key *k)
{
	return k->ends_ms;
}

/* ---- the signature ---- */

static int verify_bytes(const struct sns_signed *m, const struct sns_key *k, struct str text,
	const gnutls_datum_t *signature)
{
	gnutls_datum_t data = {(unsigned char *)(uintptr_t)text.p, (unsigned)text.n};

	/* SHA-1 is broken for those who may choose both texts; topics use it unless they are set to
	 * version 2. */
	return m->version == 2 ? gnutls_pubkey_verify_data2(
					 k->key, GNUTLS_SIGN_RSA_SHA256, 0, &data, signature)
			       : gnutls_pubkey_verify_data2(k->key, GNUTLS_SIGN_RSA_SHA1,
					 GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1, &data, signature);
}

int sns_verify(const struct sns_signed *m, const struct sns_key *k, struct err *e)
{
	gnutls_datum_t base64 = {
		(unsigned char *)(uintptr_t)m->signature.p, (unsigned)m->signature.n};
	gnutls_datum_t signature = {NULL, 0};
	struct buf text;
	int rc;

	if (m->signature.n == 0 || m->signature.n > SNS_SIGNATURE_LIMIT ||
		gnutls_base64_decode2(&base64, &signature) != 0)
		return err_set(e, ERR_INPUT, "Signature: it is no base64 of a signature");
	buf_init(&text, UINT32_MAX);
	sns_string_to_sign(m, &text);
	if (buf_failed(&text))
		rc = err_set(e, ERR_NOMEM, "no memory to check a signature");
	else if (verify_bytes(m, k, buf_as_str(&text), &signature) < 0)
		rc = err_set(e, ERR_INPUT,
			"Signature: it is not Amazon's of this message (version %d)", m->version);
	else
		rc = 0;
	buf_release(&text);
	gnutls_free(signature.data);
	return rc;
}
