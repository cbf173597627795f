/* state.h: what the files of http/ share about the server; others include server.h. */
#ifndef RB_HTTP_STATE_H
#define RB_HTTP_STATE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/listen.h"
#include "http/request.h"
#include "http/server.h"
#include "http/turns.h"

/* All requests together may hold so many times http.body_limit, and so many bytes more. */
#define SERVER_MEMORY_FACTOR 12
#define SERVER_MEMORY_BASE ((size_t)16 << 20)
#define SERVER_STREAMS_LIMIT 256 /* outputs and events that are followed at once */
#define SERVER_POOL_LIMIT 256	 /* finished requests kept for the next ones */
#define SERVER_RETRY_AFTER "5"	 /* seconds */
/* Bytes of bodies, inflated, that one turn of the loop reads; the first so many of each body do not wait for a turn. */
#define SERVER_TURN_BYTES ((size_t)32 << 10)
#define SERVER_TURN_FREES ((size_t)1 << 20) /* bytes of memory that one turn gives back; more is done bit by bit */

struct listener {
	struct server *server;
	struct listen_socket socket;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	size_t conns_n;
	size_t conns_max, per_address;
	int64_t complained_ms; /* last warning about a refused connection, and how many since */
	unsigned complaints;
	bool run_due; /* libmicrohttpd has something to do that no socket will tell */
};

/* A connection, for the deadlines that libmicrohttpd does not have. */
struct conn {
	struct conn *prev, *next;
	struct listener *listener;
	int fd;
	unsigned char address[16]; /* IPv4 mapped; zeroes for a unix socket */
	int64_t since_ms; /* loop time of its start, or of the end of its last request */
	struct request *request;
	struct kept *kept; /* the list that it is in; NULL: none */
	struct conn *older, *newer;
};

/* Connections whose sender has the next word and that hold memory for it. */
enum kept_why {
	KEPT_RESTING, /* after a request */
	KEPT_SENDING, /* in the middle of one */
	KEPT_WHYS,
};

struct kept {
	struct conn *oldest, *newest; /* by when that began */
	size_t n;
};

struct server {
	uv_loop_t *loop;
	struct server_app app;
	struct listener *listeners;
	size_t listeners_n;
	struct conn *conns;
	size_t conns_n, conns_top; /* the most since memory was given back */
	struct kept kept[KEPT_WHYS];
	struct request *pool;
	size_t pool_n;
	size_t requests; /* under way */
	size_t streams;
	struct feed *feed; /* NULL: nobody has asked for events yet */
	struct turns *turns;
	size_t held; /* bytes of requests' arenas */
	struct arena waste; /* of requests that do not need it any more: freed bit by bit */
	size_t turn_bytes; /* of bodies, inflated, that this turn of the loop has read */
	struct request *put_off, *put_off_last; /* that wait for another turn, in their order */
	int64_t timeout_ms;
	int64_t started_ms; /* of the day */
	struct str state_dir;	/* malloc'ed */
	struct str *host_names; /* of http.listen, for the Host check; malloc'ed */
	size_t host_names_n;
	char *addresses; /* for the log */
	char *addr_path; /* state_dir/http.addr */
	bool stopping;
	bool drained; /* server_drain is through: nothing is begun any more */
	uv_check_t check;
	uv_idle_t idle;
	uv_timer_t timer; /* every second: timeouts */
	uv_timer_t drain_timer;
	unsigned handles_open;
	int64_t complained_ms; /* last warning about a refused body, and how many since */
	unsigned complaints;
	int64_t lines_told_ms; /* when the operator was told of lines of logs last */
	int64_t subscription_ms; /* when a subscription that nobody confirms was told last */
	uint64_t drain_until;	 /* loop time */
	void (*done)(void *ctx); /* of the waiting under way */
	void *done_ctx;
	void (*closed)(void *ctx); /* of server_close */
	void *closed_ctx;
};

/* It waits for its sender, from now on; where too many do, one is cut off: the oldest of those of which there are more. */
void server_keep(struct conn *c, enum kept_why why);
/* It waits for us. */
void server_keep_not(struct conn *c);
/* libmicrohttpd has work that came from us: run it before the loop waits again. */
void server_run_soon(struct listener *l);
extern const struct route server_routes[];

#endif
