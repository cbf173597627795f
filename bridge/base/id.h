/* id.h: ULIDs: 26 characters, sortable by time.
 * Events, runs and incidents get theirs from Redis, out of (ms, seq); those made here (a worker's
 * start) are random after their time. */
#ifndef RB_BASE_ID_H
#define RB_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

#define ID_LEN 26

/* Random from getrandom(2); within one process and millisecond still increasing. */
void id_new(int64_t wall_ms, char out[ID_LEN + 1]);
/* A ULID out of two numbers, and back: 48 bits of ms, 80 bits of which the low 64 are seq.
 * An event's is its stream entry's id in this form (docs/redis.md). */
void id_from_ms_seq(int64_t ms, uint64_t seq, char out[ID_LEN + 1]);
bool id_to_ms_seq(struct str id, int64_t *ms, uint64_t *seq);
/* 26 characters of Crockford's alphabet, upper case, first at most '7'. */
bool id_valid(struct str id);

#endif
