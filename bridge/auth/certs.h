/* certs.h: what http.tls or syslog.tls names, read and checked: the certificate with its chain, its key, and who may sign clients'.
 *
 * Immutable and counted: a handshake that began with one ends with it, whatever a reload brings.
 */
#ifndef RB_AUTH_CERTS_H
#define RB_AUTH_CERTS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/diag.h"
#include "conf/conf.h"

#define CERTS_CHAIN_MAX 16
#define CERTS_NAMES_MAX 64	       /* that are read of a client's certificate */
#define CERTS_FILE_MAX ((size_t)1 << 20) /* bytes */
#define CERTS_WARN_DAYS 14	       /* before the certificate ends */

/* TLS 1.2 and 1.3 only: GnuTLS's priorities of all sessions that use them. */
#define CERTS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct certs;

/* Reads the files of tls, a member of c; section is its name in findings, and lives as long as the call. Findings in d, with
 * file and remedy: errors, and warnings about what ends soon. NULL where d got an error, or where no certificate is
 * configured. With one reference. */
struct certs *certs_new(const struct conf *c, const struct conf_tls *tls, const char *section,
	int64_t now_ms, struct diags *d);
struct certs *certs_ref(struct certs *c);
void certs_unref(struct certs *c); /* NULL is fine */
/* The same files' bytes? NULL is one, too. */
bool certs_same(const struct certs *a, const struct certs *b);

/* For the handshake; live as long as c. */
unsigned certs_chain(const struct certs *c, gnutls_pcert_st **chain, gnutls_privkey_t *key);
/* Is there a client_ca? */
bool certs_asks_clients(const struct certs *c);
/* The subject's CN and the DNS, e-mail, URI and IP names of the certificate that the peer of a session showed, where
 * client_ca vouches for it now, in a; 0: none, or nobody vouches for it. */
size_t certs_client_names(
	const struct certs *c, gnutls_session_t session, struct arena *a, struct str **names);

#endif
