/* tls.c: which certificate a handshake gets.
 *
 * libmicrohttpd asks for it at each handshake, with nothing but the session; so the one in use is
 * the program's, like the metrics. A reload changes it for handshakes that come; connections that
 * are there go on with what they negotiated. A handshake that is under way still points into the
 * certificate that it was given: that one is freed after the longest time that a handshake may
 * take.
 *
 * Clients are asked for a certificate where there is a client_ca, and may come without. Whether one
 * is needed, and which name it must have, is the source's to say; whether it is good is looked at
 * when its names are asked for, against the client_ca of now. No list of authorities is sent: it
 * could not change with a reload, and clients that keep to it would then send nothing.
 */
#include "http/tls.h"

#include <microhttpd.h>
#include <stdlib.h>

struct retired {
	struct retired *next;
	struct certs *certs;
	int64_t since_ms;
};

static struct certs *current;
static struct retired *retired;

void tls_use(struct certs *c, int64_t now_ms)
{
	struct retired *old = current ? malloc(sizeof(*old)) : NULL;

	if (old) { /* without memory for it, it stays for ever */
		*old = (struct retired){retired, current, now_ms};
		retired = old;
	}
	current = certs_ref(c);
}

void tls_sweep(int64_t now_ms, int64_t handshake_ms)
{
	struct retired **at = &retired;

	while (*at) {
		struct retired *r = *at;

		if (now_ms - r->since_ms <= handshake_ms) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		certs_unref(r->certs);
		free(r);
	}
}

void tls_end(void)
{
	tls_sweep(INT64_MAX, 0);
	certs_unref(current);
	current = NULL;
}

bool tls_in_use(void)
{
	return current != NULL;
}

static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
	gnutls_pcert_st **chain, unsigned *n, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_n,
	gnutls_privkey_t *key, unsigned *flags)
{
	(void)session;
	(void)info;
	*ocsp = NULL;
	*ocsp_n = 0;
	*flags = 0;
	*n = certs_chain(current, chain, key);
	return 0;
}

gnutls_certificate_retrieve_function3 *tls_retrieve = retrieve;

static gnutls_session_t session_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return i ? i->tls_session : NULL;
}

void tls_begin(struct MHD_Connection *mhd)
{
	gnutls_session_t session = session_of(mhd);

	if (!session || !certs_asks_clients(current))
		return;
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_certificate_send_x509_rdn_sequence(session, 1);
}

size_t tls_client_names(struct MHD_Connection *mhd, struct arena *a, struct str **names)
{
	gnutls_session_t session = session_of(mhd);

	return session && current ? certs_client_names(current, session, a, names) : 0;
}
