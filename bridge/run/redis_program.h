/* redis_program.h: where redis-server is. */
#ifndef RB_RUN_REDIS_PROGRAM_H
#define RB_RUN_REDIS_PROGRAM_H

#include "base/arena.h"
#include "base/str.h"

#define REDIS_PROGRAM "redis-server"

/* Its absolute path, in a: from PATH, as execvp would look, then the usual places. STR_NONE: it is nowhere. */
struct str redis_program_find(struct arena *a);

#endif
