/* stream.h: the bytes that one sender sends, plain or through TLS, without ever waiting.
 *
 * Where the certificates have a client_ca, a sender must show a certificate that it vouches for:
 * syslog has no other way to say who it is. Else anybody may send who gets here.
 */
#ifndef RB_SYSLOG_STREAM_H
#define RB_SYSLOG_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "auth/certs.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* What all TLS streams of a server share. */
struct stream_tls;

/* With a reference to certs. NULL with e. */
struct stream_tls *stream_tls_new(struct certs *certs, struct err *e);
/* Streams that begin from now on use these; others go on with theirs. */
void stream_tls_use(struct stream_tls *t, struct certs *certs);
void stream_tls_free(struct stream_tls *t); /* NULL is fine; after all its streams */

struct stream {
	int fd;			  /* -1: released */
	gnutls_session_t session; /* NULL: plain */
	struct certs *certs;
	bool ready; /* no handshake is under way */
};

#define STREAM_NAMES_MEMORY ((size_t)256 << 10) /* bytes, for the names of one certificate */
#define STREAM_RECORD                                                                              \
	16384 /* bytes: a read with room for so many leaves nothing in GnuTLS, so polling the      \
		 socket is enough */

enum stream_state {
	STREAM_GOT,    /* n bytes */
	STREAM_AGAIN,  /* nothing now: poll for stream_wants_write() or for bytes */
	STREAM_ENDED,  /* the sender sends no more */
	STREAM_BROKEN, /* e says why */
};

/* Takes fd over, a socket that does not block; t NULL: plain. -1 with e: fd is closed. */
int stream_init(struct stream *s, int fd, struct stream_tls *t, struct err *e);
/* At most size bytes (STREAM_RECORD at least) to p. Does the handshake, too. */
enum stream_state stream_read(struct stream *s, char *p, size_t size, size_t *n, struct err *e);
/* Is the handshake waiting until bytes can be sent? */
bool stream_wants_write(const struct stream *s);
/* Are there bytes that stream_read has not seen? A busy loop may not have come to them. */
bool stream_has_more(const struct stream *s);
/* Tells the sender that nobody listens any more; what is on its way can still be read. */
void stream_say_end(struct stream *s);
void stream_release(struct stream *s);
/* As certs_client_names, after the handshake. */
size_t stream_client_names(const struct stream *s, struct arena *a, struct str **names);

#endif
