/* stamp.h: how a file looked, to tell later whether it is still the same. */
#ifndef RB_RUN_STAMP_H
#define RB_RUN_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#define STAMP_RACY_MS 2000

struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	bool racy;	/* changed less than STAMP_RACY_MS before: too young to tell another change by */
};

/* Follows symlinks. False: it cannot be looked at; *out is all zero then. */
bool stamp_of(const char *path, struct stamp *out);
/* was is no racy one, and nothing has changed since. */
bool stamp_same(const struct stamp *was, const struct stamp *now);

#endif
