/* part.h: one program that runbookd keeps running: Redis, the bridge, the worker. */
#ifndef RB_RUN_PART_H
#define RB_RUN_PART_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>
#include "base/err.h"
#include "base/str.h"

#define PART_DELAY_FIRST_MS 100		/* before it is started again; doubles */
#define PART_DELAY_MAX_MS 10000
#define PART_STEADY_MS 30000		/* after so long its ends are not counted together any more */
#define PART_ARGS 64

enum part_state {
	PART_OFF,
	PART_STARTING,
	PART_READY,
	PART_STOPPING,
	PART_WAITING,		/* to be started again */
};

struct part;

struct part_calls {
	/* It can be used now. */
	void (*on_ready)(struct part *p);
	/* It has ended; status as from waitpid. The callee decides: part_start_later, or not. */
	void (*on_end)(struct part *p, int status);
	/* The time has come. */
	void (*on_due)(struct part *p);
	/* One line of its output, where relay is set. */
	void (*on_line)(struct part *p, struct str line);
};

struct part {
	uv_loop_t *loop;
	const char *name;		/* for logs */
	const struct part_calls *calls;
	void *ctx;
	/* What to start; set before part_start. */
	char *path;			/* absolute */
	char *argv[PART_ARGS];		/* ended by NULL; strings are the owner's */
	const char *dir;		/* NULL: ours */
	int keep_fd;			/* stays open in it, whatever its number; -1 none */
	bool tells_ready;		/* by a byte on descriptor 3, its --ready-fd */
	bool relay;			/* its output comes by on_line, not to our standard error */

	enum part_state state;
	bool was_ready;			/* since the first start */
	pid_t pid;			/* 0: not running */
	int64_t started_ms;
	int64_t delay_ms;
	struct part_pipe *ready, *output;
	uv_timer_t timer;
};

void part_init(struct part *p, uv_loop_t *loop, const char *name, const struct part_calls *calls, void *ctx);
/* Closes its handles; it must not be running. */
void part_release(struct part *p);
/* Starts it: a process that dies with this one. -1 with e. */
int part_start(struct part *p, struct err *e);
/* on_due after the back-off. */
void part_start_later(struct part *p);
/* For a part that does not tell it by itself. */
void part_is_ready(struct part *p);
void part_signal(struct part *p, int sig);
/* SIGTERM; and KILL after ms. on_end tells when it is over. */
void part_stop(struct part *p, int64_t ms);
/* From waitpid: true where pid was this part; then on_end was called. */
bool part_reaped(struct part *p, pid_t pid, int status);
const char *part_state_name(enum part_state s);

#endif
