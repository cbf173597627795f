/* request.h: one HTTP request, from its headers to its last byte, as the handlers see it.
 *
 * How a handler is called: begin after the headers, feed for each piece of the (inflated) body,
 * finish when all of it is there. finish answers with one of the request_* calls below, at once or
 * later from a callback on the loop; until then the connection is suspended and the request cannot
 * go away. An answer given before finish (or a feed that returns -1) wins over the rest: what still
 * comes of the body is swallowed. drop is called once at the end.
 */
#ifndef RB_HTTP_REQUEST_H
#define RB_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "auth/signature.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/cidr.h"
#include "base/err.h"
#include "base/str.h"
#include "http/inflate.h"
#include "http/route.h"

#define REQUEST_TYPE_JSON "application/json"
#define REQUEST_TYPE_PROBLEM "application/problem+json"
#define REQUEST_TYPE_TEXT "text/plain; charset=utf-8"

#define REQUEST_ANY_LENGTH SIZE_MAX
#define REQUEST_SILENCE 86400 /* seconds */

struct request;
struct auth;
struct dialect;
struct server;
struct conn;
struct MHD_Connection;
struct MHD_Response;

/* Each may be NULL but finish. */
struct route_handler {
	void (*begin)(struct request *r);
	int (*feed)(struct request *r, struct str piece, struct err *e);
	void (*finish)(struct request *r);
	void (*drop)(struct request *r);
	size_t body_limit; /* bytes; 0: http.body_limit; REQUEST_ANY_LENGTH: none */
	/* May this request's body be of any length? NULL: none may. */
	bool (*any_length)(struct request *r);
};

enum request_state {
	REQUEST_BODY,  /* the body is coming */
	REQUEST_ASKED, /* finish was called; no answer yet */
	REQUEST_SENDING,
};

struct request {
	struct server *server;
	struct conn *conn;
	struct MHD_Connection *mhd;
	const struct route *route; /* NULL where none matched */
	struct route_args args;	   /* live as long as the request */
	struct arena arena;
	struct str who; /* for the audit: "token NAME", with a NUL behind it; "" where no token was asked for */
	struct {
		unsigned char address[CIDR_ADDRESS];
		bool known; /* false: a proxy hides it */
		bool here;  /* it is on this machine, and no proxy is between */
	} client;
	struct signature *signature; /* that its body is held against; NULL */
	bool unproven;		     /* the body is there, and its signature is wrong */
	void *data; /* the handler's */
	struct json_reader *json;    /* json_request.c's */
	enum request_state state;
	bool suspended;
	bool has_body;
	bool endless;	      /* its body may take as long as it likes */
	struct auth *auth;    /* a reference: that under which an endless one may go on; NULL */
	const struct dialect *dialect; /* whose endpoint its path is (dialect.h); NULL: ours */
	void *shipper;		       /* of the dialect's handler, besides data */
	bool as_alertmanager; /* its path is an Alertmanager's, and so are refusals */
	int64_t begun_ms; /* loop time */

	/* the body */
	uint64_t received;   /* bytes on the wire */
	uint64_t body_bytes; /* inflated */
	uint64_t swallowed;
	size_t limit;	    /* of body_bytes */
	bool whole;	    /* its last byte is there, and what it is signed with holds */
	int64_t put_off_ms; /* loop time since when it waits for a turn; 0: it does not */
	bool inflating;
	struct inflate inflate;
	size_t aside; /* bytes that the handler holds beside the arena */
	size_t held; /* bytes of both, counted in server->held */
	struct arena_mark before_body; /* of the arena */

	/* the answer */
	bool answered;
	unsigned status;
	const char *type;
	struct buf out;
	const char *challenge; /* 401: WWW-Authenticate; else NULL */
	struct str allow;    /* 405 */
	struct str location; /* 201 */
	struct str allowed_origin, allowed_rate; /* of a handshake */
	int64_t retry_after; /* 503: seconds; 0: SERVER_RETRY_AFTER */
	int fd;		     /* a file as the answer; -1 */
	uint64_t fd_size;
	void (*more)(struct request *r); /* a stream as the answer */
	size_t out_sent;
	bool stream_end, stream_broken;

	struct request *next; /* free list; those that wait for a turn */
};

/* ---- what it asks ---- */
struct str request_header(struct request *r, const char *name); /* STR_NONE where there is none */
/* The names of the client's certificate, where http.tls.client_ca vouches for it: its subject's CN and its
 * alternative names, in the arena. 0: there is no such certificate. */
size_t request_client_cert_names(struct request *r, struct str **names);
/* Each header, in order. */
void request_headers(struct request *r, void (*take)(void *arg, struct str name, struct str value), void *arg);
struct str request_param(struct request *r, const char *name);	/* of the query string */
/* All values of a parameter, with `between` between them, behind what is in out. */
void request_params_join(struct request *r, const char *name, struct buf *out, const char *between);
/* The same to v, in their order, at most max of them; how many there are. */
size_t request_params_list(struct request *r, const char *name, struct str *v, size_t max);
/* 0 where each parameter of the query is one of the names (ended by NULL); else -1 with e naming
 * it. */
int request_params_known(struct request *r, const char *const *names, struct err *e);

/* ---- answers: exactly one of these ---- */
/* The body is in r->out. */
void request_answer(struct request *r, unsigned status, const char *type);
/* RFC 9457, with e->offset where that is set; as an Alertmanager {"code", "message"}. */
void request_problem(struct request *r, unsigned status, const struct err *e);
/* The same with the status that belongs to e->code. */
void request_fail(struct request *r, const struct err *e);
/* The same for a fault of the body: an ERR_INPUT has its offset, be it 0. */
void request_fault(struct request *r, const struct err *e);
/* A store_text_cb, ctx the request: 200 with this JSON. */
void request_answer_json(void *ctx, const struct err *e, struct str json);
void request_problemf(struct request *r, unsigned status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* 503: it is not begun any more, as the bridge is stopping. */
void request_stopping(struct request *r);
/* An open file, which is closed at the end. */
void request_answer_file(struct request *r, int fd, uint64_t size);
/* What is in r->out now, and what comes: more is called when all of it was sent; it puts bytes into
 * r->out or sets r->stream_end, at once or later, and then calls request_wake. */
void request_answer_stream(struct request *r, const char *type, void (*more)(struct request *r));
void request_wake(struct request *r);
/* Before the body: it comes as long as the sender likes; at the latest a silence of REQUEST_SILENCE ends it. */
void request_endless(struct request *r);
/* An endless body is not read any more: the connection ends. */
void request_hang_up(struct request *r);
/* Has the client of a suspended stream hung up? */
bool request_client_gone(const struct request *r);

unsigned request_status_of(const struct err *e);
unsigned request_fault_status(const struct err *e); /* of request_fault */

/* ---- for server.c ---- */
struct request *request_new(struct server *s, struct conn *c, struct MHD_Connection *mhd);
void request_end(struct request *r);
void request_begin(struct request *r, const char *method, const char *path);
enum request_fed {
	REQUEST_TAKEN,
	REQUEST_LATER, /* the rest in a later turn of the loop, which resumes the connection; suspend it */
	REQUEST_CUT,   /* the connection is to be closed */
};
/* *n: the bytes at p, then how many of them are left (REQUEST_LATER). */
enum request_fed request_feed(struct request *r, const char *p, size_t *n);
/* Not REQUEST_CUT; after REQUEST_LATER once more. */
enum request_fed request_finish(struct request *r);
/* A request that was put off goes on now. */
void request_go_on(struct request *r);
/* May the answer go out before the body is read? Costs the connection. */
bool request_answers_early(const struct request *r);
/* gate.c: may whoever asks have this route? False: it is answered. */
bool request_may(struct request *r);
/* sender.c: who that is; before request_may. */
void request_find_client(struct request *r);
/* The address, for logs. */
const char *request_client_text(const struct request *r, char out[CIDR_TEXT_MAX]);
/* The body is there: is it signed as its source wants it? False: it is answered, whatever was answered before. */
bool request_signature_holds(struct request *r);
/* NULL: no memory. */
struct MHD_Response *request_response(struct request *r);
void request_free_pool(struct server *s);

#endif
