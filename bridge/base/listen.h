/* listen.h: from "host:port" or "unix:/path" to a socket that listens, and who connected to it.
 *
 * For the edges that take connections. Whoever does not listen does not link it.
 */
#ifndef RB_BASE_LISTEN_H
#define RB_BASE_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include "base/err.h"
#include "base/str.h"

#define LISTEN_TEXT_MAX 160
#define LISTEN_ADDRESS 16 /* bytes */

struct listen_socket {
	int fd;
	bool is_unix;
	bool is_loopback;	    /* reached from this machine only: bound to loopback, or unix */
	char text[LISTEN_TEXT_MAX]; /* as in http.addr: "[::1]:9911", "unix:/path" */
};

/* Opens one socket for each address that `text` stands for (a name may have several); at most max,
 * into out. Non-blocking, close on exec. The number, or -1 with e. */
int listen_open(struct str text, struct listen_socket *out, size_t max, struct err *e);
/* Closes it and removes a unix socket's file; nothing where fd is -1. */
void listen_close(struct listen_socket *l);
/* The host part of "host:port"; STR_NONE of a unix address. */
struct str listen_host(struct str text);

/* 127.0.0.0/8, ::1, the same mapped into IPv6, or a unix socket. */
bool listen_is_local(const struct sockaddr *sa);
/* An IPv6 address, or an IPv4 one as IPv6 maps it. False, and zeroes: none, as a unix socket has. */
bool listen_address(const struct sockaddr *sa, unsigned char out[LISTEN_ADDRESS]);

#endif
