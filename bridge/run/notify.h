/* notify.h: systemd's notification protocol (sd_notify(3)), by hand: one datagram a message. */
#ifndef RB_RUN_NOTIFY_H
#define RB_RUN_NOTIFY_H

#include <stdint.h>
#include "base/err.h"

struct notify {
	int fd;			/* -1: nobody listens; then all calls do nothing */
	int64_t watchdog_ms;	/* send notify_watchdog this often; 0: not wanted */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and takes them out of the environment, so that children do not
 * speak for us. -1 with e: there is a socket but it cannot be used. */
int notify_open(struct notify *n, struct err *e);
void notify_close(struct notify *n);

void notify_ready(const struct notify *n, const char *status);
/* A reload began; notify_ready ends it. */
void notify_reloading(const struct notify *n);
void notify_stopping(const struct notify *n);
void notify_status(const struct notify *n, const char *status);
void notify_watchdog(const struct notify *n);
/* Still starting or stopping: another ms from now. */
void notify_extend(const struct notify *n, int64_t ms);

#endif
