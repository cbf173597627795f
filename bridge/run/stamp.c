/* stamp.c: a file is the same while device, inode, size and times are.
 *
 * A time less than STAMP_RACY_MS old proves nothing, since the file may change again within the
 * clock's step; such a stamp is like no other.
 */
#include <string.h>
#include "base/clock.h"
#include "run/stamp.h"

bool stamp_of(const char *path, struct stamp *out)
{
	struct stat st;

	*out = (struct stamp){.racy = false};
	if (stat(path, &st) < 0)
		return false;
	int64_t changed = (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
	*out = (struct stamp){st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim,
		clock_wall_ms() - changed < STAMP_RACY_MS};
	return true;
}

static bool time_same(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool stamp_same(const struct stamp *was, const struct stamp *now)
{
	return !was->racy && was->dev == now->dev && was->ino == now->ino &&
	       was->size == now->size && time_same(was->mtime, now->mtime) &&
	       time_same(was->ctime, now->ctime);
}
