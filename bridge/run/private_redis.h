/* private_redis.h: a redis-server to throw away: for trials of rules, without a runbookd.
 *
 * On a unix socket in a folder of its own that only this user may enter, without a port, without a file of data. It ends
 * with private_redis_stop, and with this process, also where that is killed; then only its empty folder may stay.
 */
#ifndef RB_RUN_PRIVATE_REDIS_H
#define RB_RUN_PRIVATE_REDIS_H

#include "base/err.h"
#include "base/str.h"

#define PRIVATE_REDIS_WAIT_MS 20000	/* it must answer within */

/* Starts it and waits until it answers. *address: "unix:/…", valid until the stop. One at a time. -1 with e, the remedy
 * in it. */
int private_redis_start(struct str *address, struct err *e);
/* Ends it and removes its folder; nothing where there is none. */
void private_redis_stop(void);

#endif
