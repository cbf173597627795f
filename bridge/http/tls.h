/* tls.h: the certificates that handshakes use, changed while connections go on. */
#ifndef RB_HTTP_TLS_H
#define RB_HTTP_TLS_H

#include <stdbool.h>
#include <stdint.h>
#include "auth/certs.h"
#include "base/arena.h"
#include "base/str.h"

struct MHD_Connection;

/* Handshakes from now on use these (a reference is taken). Those before are let go once no handshake can use them any more:
 * tls_sweep, called now and then, with what a handshake may take at most. */
void tls_use(struct certs *c, int64_t now_ms);
void tls_sweep(int64_t now_ms, int64_t handshake_ms);
void tls_end(void);
bool tls_in_use(void);

/* libmicrohttpd's MHD_OPTION_HTTPS_CERT_CALLBACK2. */
extern gnutls_certificate_retrieve_function3 *tls_retrieve;
/* A connection began; before its handshake. */
void tls_begin(struct MHD_Connection *mhd);
/* As certs_client_names; 0 on a plain connection. */
size_t tls_client_names(struct MHD_Connection *mhd, struct arena *a, struct str **names);

#endif
