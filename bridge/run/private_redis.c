/* private_redis.c: start, wait for the first PONG, and end without a trace.
 *
 * Owns one process and one folder. The server dies with this process by the parent-death signal
 * that spawn_exec sets. A signal that ends this process removes the folder first; a KILL leaves it,
 * empty but for a socket that nobody listens on. It knows nothing of what is said to the server.
 */
#include "run/private_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "run/redis_program.h"
#include "run/spawn.h"

#define FOLDER_MAX 80 /* a socket's path has 107 bytes */
#define LOOK_EVERY_NS 1000000
#define LOG_LIMIT ((size_t)64 << 10)

static char folder[FOLDER_MAX], address_text[FOLDER_MAX + 16], socket_path[FOLDER_MAX + 8],
	log_path[FOLDER_MAX + 8];
static pid_t server;
static int server_pidfd = -1;
static struct sigaction before[NSIG];

static const int ending_signals[] = {SIGHUP, SIGINT, SIGTERM};

/* ---- the folder ---- */

static void remove_folder(void)
{
	unlink(socket_path);
	unlink(log_path);
	rmdir(folder);
}

static void kill_server(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		while (waitpid(server, NULL, 0) < 0 && errno == EINTR)
			;
	}
	server = 0;
}

/* Only calls that a handler may make. */
static void on_signal(int sig)
{
	kill_server();
	remove_folder();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_signals(void)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

	/* A server that is gone is an error of ours, not our end; and so it is with who reads what we print. */
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(ending_signals) / sizeof(ending_signals[0]); i++) {
		int sig = ending_signals[i];
		sigaction(sig, NULL, &before[sig]);
		if (before[sig].sa_handler == SIG_DFL)
			sigaction(sig, &a, NULL);
	}
	spawn_signals_changed();
}

static void release_signals(void)
{
	for (size_t i = 0; i < sizeof(ending_signals) / sizeof(ending_signals[0]); i++)
		sigaction(ending_signals[i], &before[ending_signals[i]], NULL);
}

static int make_folder(struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || tmp[0] != '/' || strlen(tmp) + sizeof("/runbookctl-XXXXXX") > FOLDER_MAX)
		tmp = "/tmp";
	snprintf(folder, sizeof(folder), "%s/runbookctl-XXXXXX", tmp);
	if (!mkdtemp(folder))
		return err_sys(e, "cannot make a folder in '%s' for a private redis-server", tmp);
	snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
	snprintf(address_text, sizeof(address_text), "unix:%s", socket_path);
	return 0;
}

/* ---- the process ---- */

static int spawn(const char *path, int null, int report, struct err *e)
{
	char *argv[] = {(char *)REDIS_PROGRAM, (char *)"--port", (char *)"0",
		(char *)"--unixsocket", socket_path, (char *)"--unixsocketperm", (char *)"700",
		(char *)"--daemonize", (char *)"no", (char *)"--supervised", (char *)"no",
		(char *)"--save", (char *)"", (char *)"--appendonly", (char *)"no",
		(char *)"--databases", (char *)"1", (char *)"--dir", folder, (char *)"--logfile",
		log_path, (char *)"--loglevel", (char *)"warning", NULL};
	char *envp[] = {(char *)"LC_ALL=C", NULL};
	struct spawn_form f = {
		.path = path,
		.argv = argv,
		.envp = envp,
		.dir = folder,
		.in = null,
		.out = null,
		.err = null,
		.report = report,
	};
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	server = spawn_program(&f, -1, &server_pidfd);
	int error = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (server > 0)
		return 0;
	server = 0;
	errno = error;
	return err_sys(e, "cannot start '%s'", path);
}

/* Did it come to its exec? The pipe is closed by that. */
static int read_report(int fd, const char *path, struct err *e)
{
	struct spawn_report r;
	ssize_t n;

	do
		n = read(fd, &r, sizeof(r));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(r))
		return 0;
	errno = r.value;
	return err_sys(e, "cannot start '%s'", path);
}

static int start_process(const char *path, struct err *e)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), report[2] = {-1, -1}, rc;

	if (null < 0 || pipe2(report, O_CLOEXEC) < 0) {
		rc = err_sys(e, "cannot start '%s'", path);
	} else {
		rc = spawn(path, null, report[1], e);
		close(report[1]);
		report[1] = -1;
		if (rc == 0)
			rc = read_report(report[0], path, e);
	}
	if (null >= 0)
		close(null);
	if (report[0] >= 0)
		close(report[0]);
	if (report[1] >= 0)
		close(report[1]);
	return rc;
}

/* ---- does it answer? ---- */

static bool answers(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char text[16];
	ssize_t n = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	memcpy(to.sun_path, socket_path, strlen(socket_path));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
		send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, 1000) == 1)
			n = read(fd, text, sizeof(text));
	}
	close(fd);
	return n >= 5 && memcmp(text, "+PONG", 5) == 0;
}

/* What it printed last, which says why it ended. */
static int ended(struct err *e)
{
	struct buf log;
	struct err ignored;

	buf_init(&log, LOG_LIMIT);
	if (file_read(log_path, &log, &ignored) < 0)
		buf_clear(&log);
	while (log.n && log.p[log.n - 1] == '\n')
		log.p[--log.n] = '\0';
	const char *line = log.n ? strrchr(log.p, '\n') : NULL;
	err_set(e, ERR_IO, "the private redis-server ended at once%s%.300s", log.n ? ": " : "",
		line	? line + 1
		: log.n ? log.p
			: "");
	buf_release(&log);
	return -1;
}

static int wait_for_it(struct err *e)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};
	int64_t deadline = clock_mono_ms() + PRIVATE_REDIS_WAIT_MS;

	while (!answers()) {
		if (waitpid(server, NULL, WNOHANG) == server) {
			server = 0;
			return ended(e);
		}
		if (clock_mono_ms() > deadline)
			return err_set(e, ERR_AWAY,
				"the private redis-server did not answer within %d s",
				PRIVATE_REDIS_WAIT_MS / 1000);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int private_redis_start(struct str *address, struct err *e)
{
	struct arena a;
	int rc = -1;

	arena_init(&a, 1 << 16);
	struct str path = redis_program_find(&a);
	if (!path.p) {
		err_set(e, ERR_INPUT,
			"rules are tried out on a private " REDIS_PROGRAM
			", and that program is not in PATH; "
			"install it (Debian: apt install redis-server)");
	} else if (make_folder(e) == 0) {
		catch_signals();
		rc = start_process(path.p, e) < 0 || wait_for_it(e) < 0 ? -1 : 0;
		if (rc < 0)
			private_redis_stop();
	}
	arena_release(&a);
	*address = str_of(address_text);
	return rc;
}

void private_redis_stop(void)
{
	if (!folder[0])
		return;
	kill_server();
	if (server_pidfd >= 0)
		close(server_pidfd);
	server_pidfd = -1;
	remove_folder();
	release_signals();
	folder[0] = '\0';
}
