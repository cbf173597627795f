/* certs.c: PEM files to what GnuTLS wants, and back to names.
 *
 * What can be wrong with the files is found here, when they are read, so that --check and a reload
 * tell of it and no handshake does: no certificate in it, a key of another certificate, one that
 * has ended. It does not listen and does not know HTTP.
 */
#include "auth/certs.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/hash.h"

#define DAY_MS INT64_C(86400000)
#define KEY_ID_MAX 64

struct certs {
	unsigned refs;
	gnutls_pcert_st chain[CERTS_CHAIN_MAX];
	unsigned chain_n;
	gnutls_privkey_t key;
	gnutls_x509_trust_list_t clients; /* NULL: they are not asked */
	uint64_t hash;			  /* of the files */
};

struct reading {
	struct certs *certs;
	const struct conf *conf;
	const struct conf_tls *tls;
	const char *section; /* "http.tls" */
	struct diags *d;
};

static void say(
	struct reading *r, enum diag_kind kind, const char *key, struct str path, const char *what)
{
	diag_add(r->d, kind, r->conf->path.p, r->tls->line, r->tls->column, "%s.%s: '%.*s' %s",
		r->section, key, STR_ARG(path), what);
}

/* The file's bytes; false with a finding. */
static bool take_file(struct reading *r, const char *key, struct str path, struct buf *out)
{
	struct err e = {0};

	buf_init(out, CERTS_FILE_MAX);
	if (file_read(path.p, out, &e) == 0) {
		r->certs->hash = hash_fnv1a(r->certs->hash, out->p, out->n);
		return true;
	}
	diag_add(r->d, DIAG_ERROR, r->conf->path.p, r->tls->line, r->tls->column, "%s.%s: %s",
		r->section, key, e.text);
	return false;
}

static gnutls_datum_t datum(const struct buf *b)
{
	return (gnutls_datum_t){(unsigned char *)b->p, (unsigned)b->n};
}

static void check_times(struct reading *r, const gnutls_datum_t *pem, int64_t now_ms)
{
	struct str path = r->tls->cert;
	gnutls_x509_crt_t *list = NULL;
	unsigned n = 0;
	int64_t ends, begins;

	if (gnutls_x509_crt_list_import2(&list, &n, pem, GNUTLS_X509_FMT_PEM, 0) < 0)
		return;
	ends = (int64_t)gnutls_x509_crt_get_expiration_time(list[0]) * 1000;
	begins = (int64_t)gnutls_x509_crt_get_activation_time(list[0]) * 1000;
	if (ends < now_ms)
		say(r, DIAG_WARNING, "cert", path,
			"has ended: no sender trusts it; put a new one there and reload");
	else if (ends < now_ms + CERTS_WARN_DAYS * DAY_MS)
		say(r, DIAG_WARNING, "cert", path,
			"ends within 14 days; put a new one there and reload");
	if (begins > now_ms)
		say(r, DIAG_WARNING, "cert", path, "is not valid yet; look at the clock");
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
}

static void take_cert(struct reading *r, int64_t now_ms)
{
	struct certs *c = r->certs;
	struct str path = r->tls->cert;
	unsigned n = CERTS_CHAIN_MAX;
	struct buf b;

	if (take_file(r, "cert", path, &b)) {
		gnutls_datum_t pem = datum(&b);

		if (gnutls_pcert_list_import_x509_raw(c->chain, &n, &pem, GNUTLS_X509_FMT_PEM, 0) <
			0)
			say(r, DIAG_ERROR, "cert", path,
				"holds no certificate, or more than 16; it must be PEM, the "
				"server's "
				"certificate first, then those that signed it");
		else
			c->chain_n = n;
		if (c->chain_n)
			check_times(r, &pem, now_ms);
	}
	buf_release(&b);
}

static void take_key(struct reading *r)
{
	struct str path = r->tls->key;
	gnutls_privkey_t key;
	struct buf b;

	if (take_file(r, "key", path, &b) && gnutls_privkey_init(&key) == 0) {
		gnutls_datum_t pem = datum(&b);

		if (gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) == 0) {
			r->certs->key = key;
		} else {
			say(r, DIAG_ERROR, "key", path,
				"holds no private key; it must be PEM, without a passphrase");
			gnutls_privkey_deinit(key);
		}
	}
	gnutls_memset(b.p, 0, b.n);
	buf_release(&b);
}

static bool id_of(gnutls_pubkey_t key, unsigned char *id, size_t *n)
{
	return gnutls_pubkey_get_key_id(key, 0, id, n) == 0;
}

static void check_pair(struct reading *r)
{
	unsigned char one[KEY_ID_MAX], two[KEY_ID_MAX];
	size_t one_n = sizeof(one), two_n = sizeof(two);
	gnutls_pubkey_t key;

	if (!r->certs->chain_n || !r->certs->key || gnutls_pubkey_init(&key) != 0)
		return;
	if (gnutls_pubkey_import_privkey(key, r->certs->key, 0, 0) != 0 ||
		!id_of(key, one, &one_n) || !id_of(r->certs->chain[0].pubkey, two, &two_n) ||
		one_n != two_n || memcmp(one, two, one_n) != 0)
		say(r, DIAG_ERROR, "key", r->tls->key,
			"is not the key of the first certificate in cert; name the two that "
			"belong together");
	gnutls_pubkey_deinit(key);
}

static void take_clients(struct reading *r)
{
	struct str path = r->tls->client_ca;
	struct buf b;

	if (take_file(r, "client_ca", path, &b)) {
		gnutls_datum_t pem = datum(&b);

		if (gnutls_x509_trust_list_init(&r->certs->clients, 0) == 0 &&
			gnutls_x509_trust_list_add_trust_mem(
				r->certs->clients, &pem, NULL, GNUTLS_X509_FMT_PEM, 0, 0) < 1)
			say(r, DIAG_ERROR, "client_ca", path,
				"holds no certificate; it must be PEM, of those who sign clients' "
				"certificates");
	}
	buf_release(&b);
}

struct certs *certs_new(const struct conf *conf, const struct conf_tls *tls, const char *section,
	int64_t now_ms, struct diags *d)
{
	size_t errors = d->errors;
	struct reading r = {.conf = conf, .tls = tls, .section = section, .d = d};

	if (!tls->cert.n || !tls->key.n) /* conf has said so */
		return NULL;
	r.certs = calloc(1, sizeof(*r.certs));
	if (!r.certs) {
		diag_add(d, DIAG_ERROR, conf->path.p, 0, 0, "no memory");
		return NULL;
	}
	r.certs->refs = 1;
	r.certs->hash = HASH_FNV1A_START;
	take_cert(&r, now_ms);
	take_key(&r);
	check_pair(&r);
	if (tls->client_ca.n)
		take_clients(&r);
	if (d->errors == errors)
		return r.certs;
	certs_unref(r.certs);
	return NULL;
}

struct certs *certs_ref(struct certs *c)
{
	c->refs++;
	return c;
}

void certs_unref(struct certs *c)
{
	if (!c || --c->refs)
		return;
	for (unsigned i = 0; i < c->chain_n; i++)
		gnutls_pcert_deinit(&c->chain[i]);
	if (c->key)
		gnutls_privkey_deinit(c->key);
	if (c->clients)
		gnutls_x509_trust_list_deinit(c->clients, 1);
	free(c);
}

bool certs_same(const struct certs *a, const struct certs *b)
{
	return a && b ? a->hash == b->hash : a == b;
}

unsigned certs_chain(const struct certs *c, gnutls_pcert_st **chain, gnutls_privkey_t *key)
{
	*chain = (gnutls_pcert_st *)(uintptr_t)c->chain;
	*key = c->key;
	return c->chain_n;
}

bool certs_asks_clients(const struct certs *c)
{
	return c->clients != NULL;
}

/* ---- clients ---- */

struct peer {
	gnutls_x509_crt_t v[CERTS_CHAIN_MAX];
	unsigned n;
};

static void peer_read(struct peer *p, gnutls_session_t session)
{
	unsigned n = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &n);

	for (; list && p->n < n && p->n < CERTS_CHAIN_MAX; p->n++) {
		if (gnutls_x509_crt_init(&p->v[p->n]) != 0)
			return;
		if (gnutls_x509_crt_import(p->v[p->n], &list[p->n], GNUTLS_X509_FMT_DER) != 0) {
			gnutls_x509_crt_deinit(p->v[p->n]);
			return;
		}
	}
}

static bool is_vouched_for(const struct certs *c, struct peer *p)
{
	gnutls_typed_vdata_st purpose = {
		GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0};
	unsigned status = 1;

	return p->n &&
	       gnutls_x509_trust_list_verify_crt2(
		       c->clients, p->v, p->n, &purpose, 1, 0, &status, NULL) == 0 &&
	       status == 0;
}

static void add_name(struct arena *a, struct str *names, size_t *n, const char *p, size_t len)
{
	struct str s = arena_strdup(a, (struct str){p, len});

	if (s.p && len && *n < CERTS_NAMES_MAX && !memchr(p, '\0', len))
		names[(*n)++] = s;
}

static void add_alternative(
	struct arena *a, struct str *names, size_t *n, int type, const char *p, size_t len)
{
	char text[INET6_ADDRSTRLEN];

	if (type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_RFC822NAME || type == GNUTLS_SAN_URI)
		add_name(a, names, n, p, len);
	else if (type == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16) &&
		 inet_ntop(len == 4 ? AF_INET : AF_INET6, p, text, sizeof(text)))
		add_name(a, names, n, text, strlen(text));
}

size_t certs_client_names(
	const struct certs *c, gnutls_session_t session, struct arena *a, struct str **names)
{
	struct peer p = {.n = 0};
	char text[1024];
	size_t n = 0, len = sizeof(text);

	if (!c->clients)
		return 0;
	peer_read(&p, session);
	*names = arena_array(a, CERTS_NAMES_MAX, sizeof(**names));
	if (*names && is_vouched_for(c, &p)) {
		if (gnutls_x509_crt_get_dn_by_oid(
			    p.v[0], GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &len) == 0)
			add_name(a, *names, &n, text, len);
		for (unsigned i = 0; i < CERTS_NAMES_MAX; i++) {
			int type;

			len = sizeof(text);
			type = gnutls_x509_crt_get_subject_alt_name(p.v[0], i, text, &len, NULL);
			if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
				break;
			if (type >= 0)
				add_alternative(a, *names, &n, type, text, len);
		}
	}
	for (unsigned i = 0; i < p.n; i++)
		gnutls_x509_crt_deinit(p.v[i]);
	return n;
}
