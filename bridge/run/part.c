/* part.c: start a program, notice that it is ready, notice that it ended.
 *
 * Guarantee: it does not outlive this process, however this process ends: the kernel sends it KILL
 * (PR_SET_PDEATHSIG, with a look for the race). It runs in a session of its own, so that a Ctrl-C
 * reaches only runbookd, which then ends its parts in order.
 *
 * Deciding whether an end is a fault, and when to start again, is left to the owner; here are only
 * the back-off's numbers. Processes are reaped by the owner in one place, since runbookd may be
 * process 1 of a container and then has to reap strangers as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/clock.h"
#include "run/part.h"
#include "run/spawn.h"

#define LINE_MAX_BYTES 4096 /* of relayed output */
#define LAST_READS 32
#define READY_FD 3

/* The reading end of a pipe from the program. */
struct part_pipe {
	uv_poll_t poll;
	struct part *part; /* NULL once let go */
	int fd;
	char line[LINE_MAX_BYTES];
	size_t n;
};

void part_init(struct part *p, uv_loop_t *loop, const char *name, const struct part_calls *calls,
	void *ctx)
{
	*p = (struct part){.loop = loop, .name = name, .calls = calls, .ctx = ctx, .keep_fd = -1};
	uv_timer_init(loop, &p->timer);
	p->timer.data = p;
}

const char *part_state_name(enum part_state s)
{
	switch (s) {
	case PART_OFF:
		return "off";
	case PART_STARTING:
		return "starting";
	case PART_READY:
		return "ready";
	case PART_STOPPING:
		return "stopping";
	case PART_WAITING:
		return "down";
	}
	return "?";
}

/* ---- pipes ---- */

static void on_pipe_closed(uv_handle_t *h)
{
	free(h->data);
}

static void let_go(struct part_pipe **at)
{
	struct part_pipe *t = *at;

	*at = NULL;
	if (!t)
		return;
	t->part = NULL;
	uv_poll_stop(&t->poll);
	close(t->fd);
	uv_close((uv_handle_t *)&t->poll, on_pipe_closed);
}

static struct part_pipe *watch_pipe(struct part *p, int fd, uv_poll_cb cb)
{
	struct part_pipe *t = calloc(1, sizeof(*t));

	if (!t) {
		close(fd);
		return NULL;
	}
	t->part = p;
	t->fd = fd;
	uv_poll_init(p->loop, &t->poll, fd);
	t->poll.data = t;
	uv_poll_start(&t->poll, UV_READABLE | UV_DISCONNECT, cb);
	return t;
}

static void on_ready_pipe(uv_poll_t *h, int status, int events)
{
	struct part_pipe *t = h->data;
	struct part *p = t->part;
	char c;

	(void)status;
	(void)events;
	ssize_t n = read(t->fd, &c, 1);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	let_go(&p->ready);
	if (n == 1)
		part_is_ready(p);
}

static void give_line(struct part_pipe *t)
{
	if (t->n)
		t->part->calls->on_line(t->part, (struct str){t->line, t->n});
	t->n = 0;
}

static void on_output_pipe(uv_poll_t *h, int status, int events)
{
	struct part_pipe *t = h->data;
	char bytes[LINE_MAX_BYTES];

	(void)status;
	(void)events;
	ssize_t n = read(t->fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == '\n' || t->n == sizeof(t->line))
			give_line(t);
		if (bytes[i] != '\n')
			t->line[t->n++] = bytes[i];
	}
	if (n > 0)
		return;
	give_line(t);
	let_go(&t->part->output);
}

/* ---- the process ---- */

/* In the child. keep stays open; everything else above 2, and 3 where it is the ready pipe, is
 * closed. */
static _Noreturn void become(const struct part *p, int ready, int output, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY), first = 3;
	sigset_t none;

	setsid();
	spawn_reset_signals();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(126);
	if (null < 0 || dup2(null, 0) < 0 ||
		(output >= 0 && (dup2(output, 1) < 0 || dup2(output, 2) < 0)))
		_exit(126);
	if (ready >= 0) {
		if (ready == READY_FD ? fcntl(ready, F_SETFD, 0) < 0 : dup2(ready, READY_FD) < 0)
			_exit(126);
		first = READY_FD + 1;
	} else if (p->keep_fd >= 0) {
		if (p->keep_fd == 3 ? fcntl(3, F_SETFD, 0) < 0 : dup2(p->keep_fd, 3) < 0)
			_exit(126);
		first = 4;
	}
	spawn_close_from(first);
	if (p->dir && chdir(p->dir) < 0)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(p->path, p->argv);
	_exit(127);
}

static int make_pipe(bool wanted, int ends[2], struct err *e)
{
	ends[0] = ends[1] = -1;
	if (!wanted)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static void close_end(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int fork_part(struct part *p, int ready, int output, struct err *e)
{
	sigset_t all, old;
	int pidfd = -1;
	pid_t me = getpid();

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t pid = spawn_fork(0, -1, &pidfd);
	if (pid == 0)
		become(p, ready, output, me);
	int error = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = error;
	if (pid < 0)
		return err_sys(e, "cannot fork");
	close(pidfd);
	p->pid = pid;
	return 0;
}

int part_start(struct part *p, struct err *e)
{
	int ready[2] = {-1, -1}, output[2] = {-1, -1};
	int rc;

	uv_timer_stop(&p->timer);
	rc = make_pipe(p->tells_ready, ready, e);
	if (rc == 0)
		rc = make_pipe(p->relay, output, e);
	if (rc == 0)
		rc = fork_part(p, ready[1], output[1], e);
	close_end(ready[1]);
	close_end(output[1]);
	if (rc < 0) {
		close_end(ready[0]);
		close_end(output[0]);
		return -1;
	}
	p->state = PART_STARTING;
	p->started_ms = clock_mono_ms();
	if (p->tells_ready)
		p->ready = watch_pipe(p, ready[0], on_ready_pipe);
	if (p->relay)
		p->output = watch_pipe(p, output[0], on_output_pipe);
	return 0;
}

void part_is_ready(struct part *p)
{
	if (p->state != PART_STARTING)
		return;
	p->state = PART_READY;
	p->was_ready = true;
	p->calls->on_ready(p);
}

static void on_timer(uv_timer_t *t)
{
	struct part *p = t->data;

	if (p->state == PART_STOPPING)
		part_signal(p, SIGKILL);
	else if (p->state == PART_WAITING)
		p->calls->on_due(p);
}

void part_start_later(struct part *p)
{
	int64_t ran = clock_mono_ms() - p->started_ms;

	if (!p->delay_ms || ran >= PART_STEADY_MS)
		p->delay_ms = PART_DELAY_FIRST_MS;
	else if (p->delay_ms < PART_DELAY_MAX_MS)
		p->delay_ms =
			p->delay_ms * 2 < PART_DELAY_MAX_MS ? p->delay_ms * 2 : PART_DELAY_MAX_MS;
	p->state = PART_WAITING;
	uv_timer_start(&p->timer, on_timer, (uint64_t)p->delay_ms, 0);
}

void part_signal(struct part *p, int sig)
{
	if (p->pid)
		kill(p->pid, sig);
}

void part_stop(struct part *p, int64_t ms)
{
	if (!p->pid) {
		uv_timer_stop(&p->timer);
		p->state = PART_OFF;
		return;
	}
	p->state = PART_STOPPING;
	part_signal(p, SIGTERM);
	uv_timer_start(&p->timer, on_timer, (uint64_t)ms, 0);
}

bool part_reaped(struct part *p, pid_t pid, int status)
{
	if (!p->pid || p->pid != pid)
		return false;
	p->pid = 0;
	uv_timer_stop(&p->timer);
	for (int i = 0; i < LAST_READS && p->output; i++)
		on_output_pipe(&p->output->poll, 0, 0); /* its last words */
	let_go(&p->ready);
	let_go(&p->output);
	p->state = PART_OFF;
	p->calls->on_end(p, status);
	return true;
}

void part_release(struct part *p)
{
	let_go(&p->ready);
	let_go(&p->output);
	uv_close((uv_handle_t *)&p->timer, NULL);
}
