/* watch.c: inotify by way of libuv, and a timer that waits for calm.
 *
 * A list of paths is watched by one handle each. watch_set closes all and opens new ones, which
 * also follows a file that was replaced by rename (the old handle has the old inode). To lose no
 * change the callee calls watch_set before it reads.
 *
 * libuv frees handles a turn later: each is its own allocation, and the struct watch goes with the
 * last of them.
 */
#include "flow/watch.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

struct watch {
	uv_loop_t *loop;
	uv_timer_t timer;
	struct watched *list;
	struct buf asked; /* the paths, each with a NUL behind it; those that cannot be watched, too */
	uint64_t first_ms; /* loop time of the first change that was not told yet; 0 none */
	uint64_t changes;  /* seen so far */
	void (*on_change)(void *ctx);
	void *ctx;
};

struct watched {
	uv_fs_event_t handle;
	struct watched *next;
};

static void on_watched_closed(uv_handle_t *h)
{
	free(h->data);
}

static void drop_all(struct watch *w)
{
	while (w->list) {
		struct watched *f = w->list;

		w->list = f->next;
		f->handle.data = f;
		uv_close((uv_handle_t *)&f->handle, on_watched_closed);
	}
}

static void on_calm(uv_timer_t *timer)
{
	struct watch *w = timer->data;

	w->first_ms = 0;
	w->on_change(w->ctx);
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
	struct watch *w = handle->data;
	uint64_t now = uv_now(w->loop), wait = WATCH_CALM_MS;

	(void)name;
	(void)events;
	(void)status;
	w->changes++;
	if (!w->first_ms)
		w->first_ms = now;
	if (now + wait > w->first_ms + WATCH_LATEST_MS)
		wait = now < w->first_ms + WATCH_LATEST_MS ? w->first_ms + WATCH_LATEST_MS - now
							   : 0;
	uv_timer_start(&w->timer, on_calm, wait, 0);
}

struct watch *watch_new(uv_loop_t *loop, void (*on_change)(void *ctx), void *ctx)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	buf_init(&w->asked, BUF_NO_LIMIT);
	w->loop = loop;
	w->on_change = on_change;
	w->ctx = ctx;
	uv_timer_init(loop, &w->timer);
	w->timer.data = w;
	return w;
}

static void add(struct watch *w, struct str path)
{
	struct watched *f = calloc(1, sizeof(*f));
	char *z = strndup(path.p, path.n);

	if (!f || !z) {
		free(f);
		free(z);
		return;
	}
	uv_fs_event_init(w->loop, &f->handle);
	f->handle.data = w;
	if (uv_fs_event_start(&f->handle, on_event, z, 0) == 0) {
		f->next = w->list;
		w->list = f;
	} else {
		f->handle.data = f;
		uv_close((uv_handle_t *)&f->handle, on_watched_closed);
	}
	free(z);
}

void watch_set(struct watch *w, const struct str *paths, size_t n)
{
	drop_all(w);
	buf_clear(&w->asked);
	for (size_t i = 0; i < n; i++) {
		buf_str(&w->asked, paths[i]);
		buf_putc(&w->asked, '\0');
		add(w, paths[i]);
	}
}

bool watch_has(const struct watch *w, const struct str *paths, size_t n)
{
	struct str rest = buf_as_str(&w->asked);

	for (size_t i = 0; i < n; i++) {
		if (rest.n <= paths[i].n || !str_starts(rest, paths[i]) || rest.p[paths[i].n] != '\0')
			return false;
		rest = (struct str){rest.p + paths[i].n + 1, rest.n - paths[i].n - 1};
	}
	return rest.n == 0;
}

uint64_t watch_changes(const struct watch *w)
{
	return w->changes;
}

static void on_timer_closed(uv_handle_t *h)
{
	struct watch *w = h->data;

	buf_release(&w->asked);
	free(w);
}

void watch_close(struct watch *w)
{
	drop_all(w);
	uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}
