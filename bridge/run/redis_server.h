/* redis_server.h: the private redis-server of `redis: embedded`.
 *
 * A unix socket in state_dir and no port; every write in the append-only file, fsynced as redis_fsync says.
 */
#ifndef RB_RUN_REDIS_SERVER_H
#define RB_RUN_REDIS_SERVER_H

#include <uv.h>
#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "run/part.h"

struct redis_server {
	struct part *part;
	struct arena arena;	/* of the arguments */
	struct str socket;	/* state_dir/redis.sock */
	struct str lock_path;	/* state_dir/redis.lock: held by the server itself, too */
	int lock;
	int ping;		/* a connection that was asked; -1 none */
	bool said_waiting;
	uv_timer_t timer;
	int64_t since_ms;
};

/* Finds the program, makes the folders, fills in p's command line. -1 with e, the remedy in it. */
int redis_server_init(struct redis_server *r, struct part *p, const struct conf *c, struct err *e);
/* As soon as no other server has the files: starts it, and calls part_is_ready when it answers. */
void redis_server_start(struct redis_server *r);
/* It ended, or is about to: no more looking. */
void redis_server_ended(struct redis_server *r);
/* Closes what it holds. */
void redis_server_release(struct redis_server *r);
/* One line of its output, into our log. started: it has been ready. */
void redis_server_log(struct str line, bool started);

#endif
