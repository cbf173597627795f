/* stream.c: recv, or GnuTLS over the same socket.
 *
 * A session holds its own reference to the certificates that it began with, so a reload needs no
 * care for handshakes that are under way. No list of authorities is sent to senders: it could not
 * change with a reload, and those that keep to it would then send no certificate.
 */
#include "syslog/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream_tls {
	gnutls_certificate_credentials_t credentials;
	struct certs *certs;
};

/* ---- shared ---- */

static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
	gnutls_pcert_st **chain, unsigned *n, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_n,
	gnutls_privkey_t *key, unsigned *flags)
{
	(void)info;
	*ocsp = NULL;
	*ocsp_n = 0;
	*flags = 0;
	*n = certs_chain(gnutls_session_get_ptr(session), chain, key);
	return 0;
}

struct stream_tls *stream_tls_new(struct certs *certs, struct err *e)
{
	struct stream_tls *t = calloc(1, sizeof(*t));

	if (!t || gnutls_certificate_allocate_credentials(&t->credentials) != 0) {
		free(t);
		err_set(e, ERR_NOMEM, "no memory for TLS");
		return NULL;
	}
	gnutls_certificate_set_retrieve_function3(t->credentials, retrieve);
	t->certs = certs_ref(certs);
	return t;
}

void stream_tls_use(struct stream_tls *t, struct certs *certs)
{
	certs_ref(certs);
	certs_unref(t->certs);
	t->certs = certs;
}

void stream_tls_free(struct stream_tls *t)
{
	if (!t)
		return;
	gnutls_certificate_free_credentials(t->credentials);
	certs_unref(t->certs);
	free(t);
}

/* ---- one ---- */

size_t stream_client_names(const struct stream *s, struct arena *a, struct str **names)
{
	return s->session ? certs_client_names(s->certs, s->session, a, names) : 0;
}

/* Within the handshake: one that nobody vouches for ends it, and the sender is told. */
static int verify(gnutls_session_t session)
{
	const struct certs *certs = gnutls_session_get_ptr(session);
	struct str *names = NULL;
	struct arena a;
	size_t n;

	arena_init(&a, STREAM_NAMES_MEMORY);
	n = certs_client_names(certs, session, &a, &names);
	arena_release(&a);
	return n > 0 ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

static int begin_tls(struct stream *s, struct stream_tls *t, struct err *e)
{
	if (gnutls_init(&s->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
		s->session = NULL;
		return err_set(e, ERR_NOMEM, "no memory for TLS");
	}
	s->certs = certs_ref(t->certs);
	s->ready = false;
	gnutls_session_set_ptr(s->session, s->certs);
	gnutls_transport_set_int(s->session, s->fd);
	if (gnutls_priority_set_direct(s->session, CERTS_PRIORITIES, NULL) != 0 ||
		gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, t->credentials) != 0)
		return err_set(e, ERR_NOMEM, "no memory for TLS");
	if (certs_asks_clients(s->certs)) {
		gnutls_certificate_server_set_request(s->session, GNUTLS_CERT_REQUIRE);
		gnutls_certificate_send_x509_rdn_sequence(s->session, 1);
		gnutls_session_set_verify_function(s->session, verify);
	}
	return 0;
}

int stream_init(struct stream *s, int fd, struct stream_tls *t, struct err *e)
{
	*s = (struct stream){.fd = fd, .ready = true};
	if (!t || begin_tls(s, t, e) == 0)
		return 0;
	stream_release(s);
	return -1;
}

void stream_release(struct stream *s)
{
	if (s->fd < 0)
		return;
	if (s->session)
		gnutls_deinit(s->session);
	certs_unref(s->certs);
	close(s->fd);
	*s = (struct stream){.fd = -1};
}

bool stream_wants_write(const struct stream *s)
{
	return s->session && !s->ready && gnutls_record_get_direction(s->session) == 1;
}

bool stream_has_more(const struct stream *s)
{
	char c;

	return recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Without TLS's goodbye: rsyslog peeks at the socket for its end before it sends, never reads, and
 * would find those bytes in front of it. Nobody is misled, for we say nothing that could be cut. */
void stream_say_end(struct stream *s)
{
	shutdown(s->fd, SHUT_WR);
}

/* ---- reading ---- */

static enum stream_state read_plain(
	struct stream *s, char *p, size_t size, size_t *n, struct err *e)
{
	ssize_t r;

	do {
		r = recv(s->fd, p, size, 0);
	} while (r < 0 && errno == EINTR);
	if (r > 0) {
		*n = (size_t)r;
		return STREAM_GOT;
	}
	if (r == 0)
		return STREAM_ENDED;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return STREAM_AGAIN;
	err_sys(e, "cannot read");
	return STREAM_BROKEN;
}

static enum stream_state broken_tls(struct stream *s, int why, struct err *e)
{
	if (why == GNUTLS_E_CERTIFICATE_ERROR || why == GNUTLS_E_NO_CERTIFICATE_FOUND)
		err_set(e, ERR_INPUT,
			"the sender showed no certificate that syslog.tls.client_ca vouches for");
	else
		err_set(e, ERR_INPUT, "TLS failed: %s", gnutls_strerror(why));
	if (!s->ready)
		gnutls_alert_send_appropriate(s->session, why);
	return STREAM_BROKEN;
}

static bool may_go_on(int r)
{
	return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED || !gnutls_error_is_fatal(r);
}

static enum stream_state shake_hands(struct stream *s, struct err *e)
{
	int r;

	do {
		r = gnutls_handshake(s->session);
	} while (r < 0 && r != GNUTLS_E_AGAIN && may_go_on(r));
	if (r == GNUTLS_E_AGAIN)
		return STREAM_AGAIN;
	if (r != 0)
		return broken_tls(s, r, e);
	s->ready = true;
	return STREAM_GOT;
}

static enum stream_state read_tls(struct stream *s, char *p, size_t size, size_t *n, struct err *e)
{
	ssize_t r;

	if (!s->ready) {
		enum stream_state state = shake_hands(s, e);

		if (state != STREAM_GOT)
			return state;
	}
	do {
		r = gnutls_record_recv(s->session, p, size);
	} while (r < 0 && r != GNUTLS_E_AGAIN && may_go_on((int)r));
	if (r > 0) {
		*n = (size_t)r;
		return STREAM_GOT;
	}
	if (r == GNUTLS_E_AGAIN)
		return STREAM_AGAIN;
	/* Many senders close without TLS's goodbye; a message that this cut shows by its framing.
	 */
	if (r == 0 || r == GNUTLS_E_PREMATURE_TERMINATION)
		return STREAM_ENDED;
	return broken_tls(s, (int)r, e);
}

enum stream_state stream_read(struct stream *s, char *p, size_t size, size_t *n, struct err *e)
{
	*n = 0;
	return s->session ? read_tls(s, p, size, n, e) : read_plain(s, p, size, n, e);
}
