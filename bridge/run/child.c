/* child.c: the life of one program, as a small state machine on the loop.
 *
 *   RUNNING --timeout, child_stop--> TERMED --grace--> KILLED
 *      `--program ended, others left--> SWEEPING --1 s--> KILLED
 *   and from each of them, as soon as nothing of the tree is left: the result.
 *
 * Owns the pipes, the deadlines and the result. The result is given once, after the last process is
 * gone (or 10 s after KILL, for what hangs in the kernel), and after the pipes were drained.
 * Memory does not grow with the output: one read buffer for all children, at most one piece of a
 * line a stream, and past the limit bytes are only counted.
 *
 * It does not know what a run is; who may run what is checked before, in exec.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/units.h"
#include "run/child.h"

#define READ_SIZE 65536
#define READS_A_TURN 4	/* of one stream, then the loop's other work */
#define READS_AT_END 32 /* what a pipe can hold, twice: someone outside may still write to it */
#define LOOK_FIRST_MS 1 /* how soon to look whether all are gone; doubles up to LOOK_MAX_MS */
#define LOOK_MAX_MS 50

enum phase {
	RUNNING,
	TERMED,
	SWEEPING,
	KILLED,
	DONE,
};

struct stream {
	uv_poll_t poll;
	struct child *child;
	int fd; /* -1 once closed */
	bool is_stderr;
	char *part; /* a line without its end yet; CHILD_LINE_MAX bytes, or NULL */
	size_t part_n;
};

struct child {
	uv_loop_t *loop;
	struct contain *contain;
	struct cell cell;
	const struct child_calls *calls;
	void *ctx;
	enum phase phase;
	bool ended; /* the program itself */
	struct stream streams[2];
	int report;
	uv_poll_t watch;   /* cell.pidfd */
	uv_poll_t reports; /* report */
	uv_timer_t deadline;
	uv_timer_t look;
	int64_t look_ms;
	unsigned open_handles;
	int64_t output_limit, output_n, lines_n;
	int64_t grace_ms, timeout_ms;
	int64_t start_ms;
	char *path;
	char *dir;
	struct child_result result;
};

static char read_buffer[READ_SIZE];

/* ---- output ---- */

static void emit(struct stream *s, struct str text)
{
	struct child *c = s->child;

	if (c->lines_n >= CHILD_LINES_MAX(c->output_limit)) {
		c->result.dropped += (int64_t)text.n + 1;
		return;
	}
	c->lines_n++;
	c->calls->on_line(c->ctx, s->is_stderr, clock_wall_ms(), text);
}

static bool keep_part(struct stream *s, const char *p, size_t n)
{
	if (!s->part && !(s->part = malloc(CHILD_LINE_MAX)))
		return false;
	memcpy(s->part + s->part_n, p, n);
	s->part_n += n;
	return true;
}

/* Bytes of one stream, within the limit: whole lines and full pieces out, the rest kept. */
static void split(struct stream *s, const char *p, size_t n)
{
	while (n > 0) {
		size_t room = CHILD_LINE_MAX - s->part_n;
		const char *end = memchr(p, '\n', n <= room ? n : room + 1);
		size_t take = end ? (size_t)(end - p) : n <= room ? n : room;

		if (s->part_n || (!end && n <= room)) {
			if (!keep_part(s, p, take)) {
				s->child->result.dropped +=
					(int64_t)n; /* no memory: as past the limit */
				return;
			}
		}
		if (end || n > room) {
			emit(s, s->part_n ? (struct str){s->part, s->part_n}
					  : (struct str){p, take});
			s->part_n = 0;
		}
		p += take + (end ? 1 : 0);
		n -= take + (end ? 1 : 0);
	}
}

static void take_output(struct stream *s, const char *p, size_t n)
{
	struct child *c = s->child;
	int64_t room = c->output_limit - c->output_n;
	size_t take = room < (int64_t)n ? (size_t)room : n;

	c->output_n += (int64_t)take;
	c->result.dropped += (int64_t)(n - take);
	split(s, p, take);
}

/* The last handle takes the child along. */
static void handle_closed(uv_handle_t *h)
{
	struct child *c = h->data;

	if (--c->open_handles > 0)
		return;
	free(c->path);
	free(c->dir);
	free(c);
}

static void close_poll(uv_poll_t *p, int *fd)
{
	if (*fd < 0)
		return;
	uv_poll_stop(p);
	close(*fd);
	*fd = -1;
	uv_close((uv_handle_t *)p, handle_closed);
}

static void read_stream(struct stream *s, int reads)
{
	while (reads-- > 0 && s->fd >= 0) {
		ssize_t n = read(s->fd, read_buffer, sizeof(read_buffer));
		if (n > 0)
			take_output(s, read_buffer, (size_t)n);
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && errno == EAGAIN)
			return;
		else
			close_poll(&s->poll, &s->fd);
	}
}

static void on_readable(uv_poll_t *p, int status, int events)
{
	struct child *c = p->data;

	(void)status;
	(void)events;
	read_stream(p == &c->streams[0].poll ? &c->streams[0] : &c->streams[1], READS_A_TURN);
}

/* What is in the pipes still, the last line without a newline, and how much was dropped. */
static void finish_output(struct child *c)
{
	for (size_t i = 0; i < 2; i++) {
		struct stream *s = &c->streams[i];
		read_stream(s, READS_AT_END);
		if (s->part_n)
			emit(s, (struct str){s->part, s->part_n});
		s->part_n = 0;
		free(s->part);
		s->part = NULL;
		close_poll(&s->poll, &s->fd);
	}
	if (c->result.dropped > 0) {
		char limit[UNITS_TEXT_MAX], note[160];
		units_format_size(c->output_limit, limit);
		snprintf(note, sizeof(note),
			"[output limit of %s or %" PRId64 " lines reached: %" PRId64
			" more bytes were dropped]",
			limit, CHILD_LINES_MAX(c->output_limit), c->result.dropped);
		c->calls->on_line(c->ctx, true, clock_wall_ms(), str_of(note));
	}
}

/* ---- the end ---- */

static void finish(struct child *c)
{
	c->phase = DONE;
	uv_timer_stop(&c->deadline);
	uv_timer_stop(&c->look);
	finish_output(c);
	c->result.duration_ms = clock_mono_ms() - c->start_ms;
	c->calls->on_end(c->ctx, &c->result);

	uv_poll_stop(&c->watch);
	contain_release(c->contain, &c->cell);
	uv_close((uv_handle_t *)&c->watch, handle_closed);
	uv_close((uv_handle_t *)&c->deadline, handle_closed);
	uv_close((uv_handle_t *)&c->look, handle_closed);
	close_poll(&c->reports, &c->report);
}

static void on_deadline(uv_timer_t *t);
static void on_look(uv_timer_t *t);

static void set_deadline(struct child *c, int64_t ms)
{
	uv_update_time(c->loop);
	uv_timer_start(&c->deadline, on_deadline, (uint64_t)(ms > 0 ? ms : 0), 0);
}

static void enter(struct child *c, enum phase phase)
{
	if (phase <= c->phase)
		return;
	c->phase = phase;
	contain_signal(c->contain, &c->cell, phase == KILLED ? SIGKILL : SIGTERM);
	if (phase == KILLED)
		set_deadline(c, CHILD_STUCK_MS);
	else
		set_deadline(c, phase == SWEEPING && c->grace_ms > CHILD_SWEEP_MS ? CHILD_SWEEP_MS
										  : c->grace_ms);
}

/* Nothing tells when a cgroup is empty without a watch of its own, so it is looked at. Keepers do
 * tell. */
static void look(struct child *c)
{
	if (c->phase == DONE)
		return;
	if (contain_gone(c->contain, &c->cell)) {
		finish(c);
		return;
	}
	if (c->cell.kept)
		return;
	if (c->phase == KILLED)
		contain_signal(c->contain, &c->cell, SIGKILL);
	c->look_ms = c->look_ms ? c->look_ms * 2 : LOOK_FIRST_MS;
	if (c->look_ms > LOOK_MAX_MS)
		c->look_ms = LOOK_MAX_MS;
	uv_timer_start(&c->look, on_look, (uint64_t)c->look_ms, 0);
}

static void on_look(uv_timer_t *t)
{
	look(t->data);
}

/* The program is at its end; what it left behind has little time now. */
static void program_ended(struct child *c, int status)
{
	c->ended = true;
	if (WIFSIGNALED(status))
		c->result.signal = WTERMSIG(status);
	else
		c->result.exit_code = WEXITSTATUS(status);
}

static void sweep(struct child *c)
{
	if (c->phase == DONE || contain_gone(c->contain, &c->cell))
		return;
	if (c->phase == TERMED)
		set_deadline(c, c->grace_ms > CHILD_SWEEP_MS ? CHILD_SWEEP_MS : c->grace_ms);
	else
		enter(c, SWEEPING);
}

static void on_deadline(uv_timer_t *t)
{
	struct child *c = t->data;

	switch (c->phase) {
	case RUNNING:
		c->result.timed_out = true;
		enter(c, TERMED);
		break;
	case TERMED:
	case SWEEPING:
		enter(c, KILLED);
		break;
	case KILLED:
		c->result.stuck = true;
		c->result.unknown = !c->ended;
		finish(c);
		break;
	case DONE:
		break;
	}
}

/* The step that failed, as a sentence with what to do about it. */
static void say_why(struct child *c, const struct spawn_report *r)
{
	struct err *e = &c->result.why;

	errno = r->value;
	switch ((enum spawn_stage)r->stage) {
	case SPAWN_EXEC:
		if (r->value == ENOEXEC)
			err_set(e, ERR_INPUT,
				"cannot execute '%s': its first line is no "
				"'#!/path/to/interpreter'",
				c->path);
		else if (r->value == ENOENT)
			err_set(e, ERR_INPUT,
				"cannot execute '%s': it, or the interpreter that its first line "
				"names, does not exist",
				c->path);
		else if (r->value == EACCES)
			err_set(e, ERR_INPUT,
				"cannot execute '%s': the user it runs as may not; give that user "
				"r-x on it and x on the folders above",
				c->path);
		else
			err_sys(e, "cannot execute '%s'", c->path);
		return;
	case SPAWN_DIR:
		err_sys(e, "the user it runs as cannot enter '%s'; give it x on the folders above",
			c->dir);
		return;
	case SPAWN_USER:
	case SPAWN_GROUPS:
		err_sys(e, "cannot become the user it runs as; the worker needs CAP_SETUID and "
			   "CAP_SETGID");
		return;
	case SPAWN_FORK:
	case SPAWN_FDS:
	case SPAWN_PRIVS:
		break;
	}
	err_sys(e, "cannot start a process");
}

static void read_reports(struct child *c)
{
	struct spawn_report r;

	while (c->report >= 0) {
		ssize_t n = read(c->report, &r, sizeof(r));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n != (ssize_t)sizeof(r)) {
			close_poll(&c->reports, &c->report);
			return;
		}
		if (r.said == SPAWN_FAILED)
			say_why(c, &r);
		else
			program_ended(c, r.value);
	}
}

static void on_report(uv_poll_t *p, int status, int events)
{
	struct child *c = p->data;

	(void)status;
	(void)events;
	read_reports(c);
	if (c->ended)
		sweep(c);
}

/* The program, or its keeper, has ended. */
static void on_watch(uv_poll_t *p, int status, int events)
{
	struct child *c = p->data;
	int how;

	(void)status;
	(void)events;
	if (contain_reap(&c->cell, &how) < 0)
		return;
	uv_poll_stop(p);
	read_reports(c);
	if (!c->cell.kept)
		program_ended(c, how);
	else if (!c->ended)
		c->result.unknown = true;
	sweep(c);
	look(c);
}

/* ---- the start ---- */

/* Its whole input in memory: no pipe that could fill up while the program does not read. */
static int make_stdin(struct str bytes, struct err *e)
{
	int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(e, "cannot make the standard input");
	for (size_t done = 0; done < bytes.n;) {
		ssize_t n = write(fd, bytes.p + done, bytes.n - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err_sys(e, "cannot write the standard input");
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	lseek(fd, 0, SEEK_SET);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* ours: ours to read without waiting. theirs belongs to the program's user: it may open /dev/stdout
 * again by name. */
static int make_pipe(const struct child_spec *spec, int *ours, int *theirs, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	if (spec && spec->become && fchown(ends[1], spec->uid, spec->gid) < 0) {
		close_all(ends, 2);
		return err_sys(e, "cannot give a pipe to the program's user");
	}
	*ours = ends[0];
	*theirs = ends[1];
	return 0;
}

static int launch(struct child *c, const struct child_spec *spec, struct err *e)
{
	int fds[4] = {-1, -1, -1, -1}; /* theirs: in, out, err, report */
	int rc = -1;

	fds[0] = make_stdin(spec->stdin_bytes, e);
	if (fds[0] >= 0 && make_pipe(spec, &c->streams[0].fd, &fds[1], e) == 0 &&
		make_pipe(spec, &c->streams[1].fd, &fds[2], e) == 0 &&
		make_pipe(NULL, &c->report, &fds[3], e) == 0) {
		struct spawn_form form = {
			.path = spec->path,
			.argv = spec->argv,
			.envp = spec->envp,
			.dir = spec->dir,
			.become = spec->become,
			.uid = spec->uid,
			.gid = spec->gid,
			.groups = spec->groups,
			.groups_n = spec->groups_n,
			.no_new_privs = spec->no_new_privs,
			.in = fds[0],
			.out = fds[1],
			.err = fds[2],
			.report = fds[3],
		};
		rc = contain_start(c->contain, &c->cell, spec->name, &form, e);
	}
	close_all(fds, 4);
	if (rc < 0) {
		close_all(&c->streams[0].fd, 1);
		close_all(&c->streams[1].fd, 1);
		close_all(&c->report, 1);
	}
	return rc;
}

static bool watch_fd(struct child *c, uv_poll_t *p, int fd, uv_poll_cb cb)
{
	if (uv_poll_init(c->loop, p, fd) < 0)
		return false;
	p->data = c;
	c->open_handles++;
	return uv_poll_start(p, UV_READABLE | UV_DISCONNECT, cb) == 0;
}

static bool watch_all(struct child *c)
{
	uv_timer_init(c->loop, &c->deadline);
	uv_timer_init(c->loop, &c->look);
	c->deadline.data = c->look.data = c;
	c->open_handles += 2;
	for (size_t i = 0; i < 2; i++) {
		if (!watch_fd(c, &c->streams[i].poll, c->streams[i].fd, on_readable))
			return false;
	}
	if (!watch_fd(c, &c->watch, c->cell.pidfd, on_watch) ||
		!watch_fd(c, &c->reports, c->report, on_report))
		return false;
	if (c->timeout_ms > 0)
		set_deadline(c, c->timeout_ms);
	return true;
}

/* The loop cannot watch it (the system has no room for that): it must not run. */
static void abandon(struct child *c)
{
	uv_handle_t *const handles[] = {(uv_handle_t *)&c->deadline, (uv_handle_t *)&c->look,
		(uv_handle_t *)&c->streams[0].poll, (uv_handle_t *)&c->streams[1].poll,
		(uv_handle_t *)&c->watch, (uv_handle_t *)&c->reports};

	c->phase = DONE;
	contain_signal(c->contain, &c->cell, SIGKILL);
	for (size_t i = 0, n = c->open_handles; i < n; i++)
		uv_close(handles[i], handle_closed); /* in the order in which watch_all made them */
	contain_release(c->contain, &c->cell);
	close_all(&c->streams[0].fd, 1);
	close_all(&c->streams[1].fd, 1);
	close_all(&c->report, 1);
}

struct child *child_start(uv_loop_t *loop, struct contain *contain, const struct child_spec *spec,
	const struct child_calls *calls, void *ctx, struct err *e)
{
	struct child *c = calloc(1, sizeof(*c));

	if (!c || !(c->path = strdup(spec->path)) || !(c->dir = strdup(spec->dir))) {
		if (c)
			free(c->path);
		free(c);
		return err_set(e, ERR_NOMEM, "out of memory"), NULL;
	}
	c->loop = loop;
	c->contain = contain;
	c->calls = calls;
	c->ctx = ctx;
	c->output_limit = spec->output_limit;
	c->timeout_ms = spec->timeout_ms;
	c->grace_ms = spec->grace_ms;
	c->start_ms = clock_mono_ms();
	c->report = -1;
	for (size_t i = 0; i < 2; i++) {
		c->streams[i].child = c;
		c->streams[i].fd = -1;
		c->streams[i].is_stderr = i == 1;
	}
	if (launch(c, spec, e) < 0) {
		free(c->path);
		free(c->dir);
		free(c);
		return NULL;
	}
	if (!watch_all(c)) {
		abandon(c);
		return err_set(e, ERR_IO, "the system has no room to watch another process"), NULL;
	}
	return c;
}

void child_stop(struct child *c, enum child_stop_how how)
{
	if (c->phase == RUNNING)
		c->result.stopped = true;
	enter(c, how == CHILD_STOP_KILL ? KILLED : TERMED);
}
