/* state.h: what the files of syslog/ share; others include server.h. */
#ifndef RB_SYSLOG_STATE_H
#define RB_SYSLOG_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "base/listen.h"
#include "flow/lines.h"
#include "line/line.h"
#include "syslog/server.h"
#include "syslog/stream.h"

#define SYSLOG_READ ((size_t)64 << 10) /* bytes that are taken from a connection at once */
#define SYSLOG_PEER_MAX 80

struct syslog_listener {
	struct syslog_server *server;
	struct listen_socket socket;
	uv_poll_t poll;
	bool open; /* poll is a handle of the loop */
	size_t conns_n;
};

/* A warning that could come often, said once in a while. */
struct syslog_complaint {
	int64_t last_ms; /* loop time; 0: never */
	unsigned more;	 /* since then */
};

enum conn_state {
	CONN_READING, /* bytes are awaited */
	CONN_STORING, /* a store call is under way: nothing is read */
	CONN_HELD,    /* Redis did not take what waits: nothing is read, and it is tried again */
	CONN_CLOSED,  /* waits for the loop to let its handle go */
};

struct conn {
	struct conn *prev, *next;
	struct syslog_server *server;
	struct syslog_listener *listener;
	enum conn_state state;
	bool ended;   /* nothing more comes: closed once what came is stored */
	bool dropped; /* closed whatever waits */
	bool leaving; /* the sender was told that nobody listens any more */
	struct stream stream;
	uv_poll_t poll;
	int watched;			       /* the events that poll waits for; 0: none */
	unsigned char address[LISTEN_ADDRESS]; /* zeroes for a unix socket */
	char peer[SYSLOG_PEER_MAX];
	int64_t begun_ms, heard_ms; /* loop time */
	int64_t since_ns;	    /* of the day */
	struct line_decoder *decoder;
	struct sources *sources;     /* a reference; those of lines */
	const struct ruleset *rules; /* those of lines, which has the reference */
	struct lines *lines;
};

struct syslog_server {
	uv_loop_t *loop;
	struct syslog_app app;
	struct stream_tls *tls;
	struct syslog_listener *listeners;
	size_t listeners_n;
	struct conn *conns;
	size_t conns_n; /* on all addresses */
	size_t conns_max, per_address;
	int64_t idle_ms;
	char *addresses;
	char *addr_path;
	struct syslog_complaint refused, broken, held, told;
	bool short_of_files; /* nothing is accepted until the next look */
	uv_timer_t timer;
	uv_timer_t drain_timer;
	unsigned handles_open;
	uint64_t drain_until, goodbye_until; /* loop time */
	void (*done)(void *ctx);
	void *done_ctx;
	char bytes[SYSLOG_READ]; /* of the read under way */
};

/* Is it time to say it again? Then `more` says how many there were since; NULL: none. */
bool syslog_may_complain(
	const struct syslog_server *s, struct syslog_complaint *c, const char **more);

/* Takes fd over. */
void conn_begin(struct syslog_listener *l, int fd, const struct sockaddr *sa, socklen_t sa_n);
/* Every second: deadlines, and what is tried again. */
void conn_look(struct conn *c);
/* Did nothing come for so long, and is nothing there now? */
bool conn_is_silent(const struct conn *c, int64_t ms);
/* No more is wanted: the sender is told, and what it sent is still taken. */
void conn_say_end(struct conn *c);
/* Closes it now; while a store call is under way, when its answer comes. */
void conn_end(struct conn *c);

#endif
