/* The child runner, in each way of holding processes that this machine allows. */
#include "unit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "run/child.h"
#include "run/spawn.h"

#define DEADLINE_MS 30000
#define NOBODY 65534

struct room { /* of one test */
	enum contain_mode mode;
	struct contain *contain;
	uv_loop_t loop;
	uv_timer_t deadline;
	char dir[64];
	struct buf out, err; /* the lines, each with a '\n' */
	size_t lines, longest;
	struct child_result result;
	bool ended;
	struct child *child;
	bool stop_at_line;
};

/* ---- one run ---- */

static void on_line(void *ctx, bool is_stderr, int64_t time_ms, struct str text)
{
	struct room *r = ctx;
	struct buf *b = is_stderr ? &r->err : &r->out;

	assert_in_range(time_ms, clock_wall_ms() - 60000, clock_wall_ms() + 1000);
	buf_str(b, text);
	buf_putc(b, '\n');
	r->lines++;
	if (text.n > r->longest)
		r->longest = text.n;
	if (r->stop_at_line)
		child_stop(r->child, CHILD_STOP_TERM);
}

static void on_end(void *ctx, const struct child_result *result)
{
	struct room *r = ctx;

	assert_false(r->ended);
	r->ended = true;
	r->result = *result;
	uv_timer_stop(&r->deadline);
}

static const struct child_calls calls = {on_line, on_end};

static void too_late(uv_timer_t *t)
{
	(void)t;
	fail_msg("no end within %d ms", DEADLINE_MS);
}

static const char *at(struct room *r, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	return path;
}

static void write_script(struct room *r, const char *text)
{
	struct err e;

	assert_int_equal(file_write_atomic(at(r, "script"), str_of(text), 0755, &e), 0);
	assert_int_equal(chmod(at(r, "script"), 0755), 0); /* whatever the umask */
}

static struct child_spec spec_of(struct room *r)
{
	static char *argv[] = {NULL, NULL};
	static char search[] = "PATH=/usr/bin:/bin", *envp[] = {search, NULL};
	static char path[128];

	snprintf(path, sizeof(path), "%s", at(r, "script"));
	argv[0] = path;
	return (struct child_spec){
		.name = "run-1",
		.path = path,
		.argv = argv,
		.envp = envp,
		.dir = r->dir,
		.output_limit = 256 << 10,
		.timeout_ms = 20000,
		.grace_ms = 5000,
	};
}

static void run_spec(struct room *r, const struct child_spec *spec)
{
	struct err e;

	buf_clear(&r->out);
	buf_clear(&r->err);
	r->ended = false;
	r->lines = r->longest = 0;
	uv_update_time(&r->loop);
	uv_timer_start(&r->deadline, too_late, DEADLINE_MS, 0);
	r->child = child_start(&r->loop, r->contain, spec, &calls, r, &e);
	if (!r->child)
		fail_msg("not started: %s", e.text);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_true(r->ended);
}

static void run_script(struct room *r, const char *text)
{
	struct child_spec spec = spec_of(r);

	write_script(r, text);
	run_spec(r, &spec);
}

static void assert_exit(const struct room *r, int code)
{
	assert_string_equal(r->result.why.code ? r->result.why.text : "", "");
	assert_int_equal(r->result.signal, 0);
	assert_int_equal(r->result.exit_code, code);
	assert_false(
		r->result.timed_out || r->result.stopped || r->result.stuck || r->result.unknown);
}

/* ---- rooms ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static struct contain *contain_of(enum contain_mode mode, const char *dir, struct err *e)
{
	char instance[32];

	snprintf(instance, sizeof(instance), "%d", (int)getpid());
	return contain_new(mode, strrchr(dir, '/') + 1, instance, e);
}

static int setup(void **state)
{
	enum contain_mode mode = *(enum contain_mode *)*state;
	struct room *r = calloc(1, sizeof(*r));
	struct err e;

	umask(022);
	r->mode = mode;
	snprintf(r->dir, sizeof(r->dir), "/tmp/rb-test-child.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	assert_int_equal(chmod(r->dir, 0755), 0);
	r->contain = contain_of(mode, r->dir, &e);
	assert_non_null(r->contain);
	uv_loop_init(&r->loop);
	uv_timer_init(&r->loop, &r->deadline);
	buf_init(&r->out, BUF_NO_LIMIT);
	buf_init(&r->err, BUF_NO_LIMIT);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct room *r = *state;

	uv_close((uv_handle_t *)&r->deadline, NULL);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	contain_free(r->contain);
	buf_release(&r->out);
	buf_release(&r->err);
	int rc = nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(r);
	return rc;
}

/* A named pipe whose reader is this test: it is at its end when no process has it open for writing.
 */
static int make_sign_of_life(struct room *r)
{
	assert_int_equal(mkfifo(at(r, "alive"), 0666), 0);
	chmod(at(r, "alive"), 0666);
	int fd = open(at(r, "alive"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Somebody wrote to it, and all who could are dead. */
static void assert_dead(int fd, bool now)
{
	char text[8];
	int64_t end = clock_mono_ms() + (now ? 0 : DEADLINE_MS);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(read(fd, text, sizeof(text)), 2);
	while (read(fd, text, sizeof(text)) != 0) {
		if (clock_mono_ms() >= end)
			fail_msg("something of the run is still there");
		poll(&p, 1, 10);
	}
	close(fd);
}

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* ---- the tests ---- */

static void ends_as_the_program_does(void **state)
{
	struct room *r = *state;

	run_script(r, "#!/bin/sh\nexit 0\n");
	assert_exit(r, 0);
	run_script(r, "#!/bin/sh\nexit 75\n");
	assert_exit(r, 75);
	run_script(r, "#!/bin/sh\nkill -9 $$\n");
	assert_int_equal(r->result.signal, SIGKILL);
	assert_false(r->result.timed_out || r->result.stopped);
}

static void gives_lines_with_their_stream(void **state)
{
	struct room *r = *state;

	run_script(r, "#!/bin/sh\nprintf 'a\\0b\\r\\n\\n'\necho oops >&2\nprintf 'no newline'\n");
	assert_exit(r, 0);
	assert_int_equal(r->out.n, 17);
	assert_memory_equal(r->out.p, "a\0b\r\n\nno newline\n", 17);
	assert_str(buf_as_str(&r->err), "oops\n");
}

static void cuts_long_lines_in_pieces(void **state)
{
	struct room *r = *state;

	run_script(r, "#!/bin/sh\nhead -c 16384 /dev/zero; echo; head -c 40000 /dev/zero; echo; "
		      "echo end\n");
	assert_exit(r, 0);
	assert_int_equal(r->lines, 1 + 3 + 1);
	assert_int_equal(r->longest, CHILD_LINE_MAX);
	assert_int_equal(r->out.n, 16384 + 1 + 40000 + 3 + 4);
}

static void gives_the_whole_input(void **state)
{
	struct room *r = *state;
	struct child_spec spec = spec_of(r);
	size_t n = 1 << 20;
	char *big = malloc(n);

	memset(big, 'x', n);
	spec.stdin_bytes = (struct str){big, n};
	write_script(r, "#!/bin/sh\nwc -c\nwc -c < /dev/stdin\n");
	run_spec(r, &spec);
	assert_exit(r, 0);
	assert_str(buf_as_str(&r->out), "1048576\n1048576\n");
	write_script(r, "#!/bin/sh\nexec sleep 0\n"); /* one that never looks at it */
	run_spec(r, &spec);
	assert_exit(r, 0);
	free(big);
}

static void gives_nothing_but_the_form(void **state)
{
	struct room *r = *state;
	int leaked = open("/dev/null", O_RDONLY); /* no O_CLOEXEC */

	setenv("RB_TEST_SECRET", "x", 1);
	signal(SIGPIPE, SIG_IGN);
	spawn_signals_changed();
	run_script(r, "#!/bin/bash\n"
		      "echo /proc/self/fd/*\n"
		      "env -u PWD -u SHLVL -u _\n"
		      "umask; pwd\n"
		      "sed -n 's/^SigIgn:\\t//p; s/^SigBlk:\\t//p' /proc/self/status\n");
	signal(SIGPIPE, SIG_DFL);
	spawn_signals_changed();
	close(leaked);
	assert_exit(r, 0);
	/* 3 is the folder that the glob reads; 255 the script, by bash */
	struct buf want;
	buf_init(&want, BUF_NO_LIMIT);
	buf_printf(&want,
		"/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/255 "
		"/proc/self/fd/3\n"
		"PATH=/usr/bin:/bin\n0027\n%s\n0000000000000000\n0000000000000000\n",
		r->dir);
	assert_string_equal(r->out.p, want.p);
	buf_release(&want);
}

static void leaks_no_files(void **state)
{
	struct room *r = *state;

	run_script(r, "#!/bin/sh\necho a\n");
	size_t before = open_files();
	for (int i = 0; i < 20; i++)
		run_script(r, i % 2 ? "#!/bin/sh\necho a\n" : "#!/nowhere\n");
	assert_int_equal(open_files(), before);
}

static void is_ended_at_its_timeout(void **state)
{
	struct room *r = *state;
	struct child_spec spec = spec_of(r);

	spec.timeout_ms = 100;
	write_script(r, "#!/bin/sh\necho started\nexec sleep 600\n");
	run_spec(r, &spec);
	assert_true(r->result.timed_out);
	assert_false(r->result.stopped);
	assert_int_equal(r->result.signal, SIGTERM);
}

static void is_killed_when_it_ignores_term(void **state)
{
	struct room *r = *state;
	struct child_spec spec = spec_of(r);
	int alive = make_sign_of_life(r);

	spec.grace_ms = 100;
	r->stop_at_line = true;
	write_script(r, "#!/bin/sh\ntrap '' TERM\nexec 9> alive\necho x >&9\necho up\nsleep "
			"600\nsleep 600\n");
	run_spec(r, &spec);
	assert_true(r->result.stopped);
	assert_int_equal(r->result.signal, SIGKILL);
	assert_dead(alive, true);
}

static void may_clean_up_on_term(void **state)
{
	struct room *r = *state;

	r->stop_at_line = true;
	run_script(r, "#!/bin/sh\ntrap 'echo tidy; exit 3' TERM\necho up\nsleep 600 & wait\n");
	assert_int_equal(r->result.signal, 0);
	assert_int_equal(r->result.exit_code, 3);
	assert_str(buf_as_str(&r->out), "up\ntidy\n");
}

/* Forked twice, a session of its own, deaf to TERM, with children. */
#define DAEMON                                                                                     \
	"trap '' TERM\n( setsid sh -c 'trap \"\" TERM HUP; exec 9> alive; echo x >&9; : > up; "    \
	"echo up; "                                                                                \
	"(sleep 600; sleep 600) & sleep 600; sleep 600' & ) &\n"

static void leaves_no_daemon_behind(void **state)
{
	struct room *r = *state;
	int alive = make_sign_of_life(r);

	run_script(r, "#!/bin/sh\n" DAEMON "until [ -e up ]; do sleep 0.01; done\nexit 4\n");
	assert_exit(r, 4);
	assert_dead(alive, true);
}

static void kills_daemons_when_stopped(void **state)
{
	struct room *r = *state;
	struct child_spec spec = spec_of(r);
	int alive = make_sign_of_life(r);

	spec.grace_ms = 100;
	r->stop_at_line = true;
	write_script(r, "#!/bin/sh\n" DAEMON "sleep 600\nsleep 600\n");
	run_spec(r, &spec);
	assert_true(r->result.stopped);
	assert_dead(alive, true);
}

static void is_stopped_when_asked(void **state)
{
	struct room *r = *state;

	r->stop_at_line = true;
	run_script(r, "#!/bin/sh\necho up\nexec sleep 600\n");
	assert_true(r->result.stopped);
	assert_false(r->result.timed_out);
	assert_int_equal(r->result.signal, SIGTERM);
}

static size_t resident_kib(void)
{
	struct buf b;
	struct err e;
	buf_init(&b, BUF_NO_LIMIT);
	assert_int_equal(file_read("/proc/self/status", &b, &e), 0);
	size_t kib = strtoul(strstr(b.p, "VmRSS:") + 6, NULL, 10);
	buf_release(&b);
	return kib;
}

static void counts_and_drops_output_past_the_limit(void **state)
{
	struct room *r = *state;
	struct child_spec spec = spec_of(r);

	write_script(r, "#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' '\\n'\n");
	run_spec(r, &spec); /* warm */
	assert_int_equal(r->lines, CHILD_LINES_MAX(256 << 10) + 1);
	assert_int_equal(r->result.dropped, 1000000 - CHILD_LINES_MAX(256 << 10));
	size_t before = resident_kib();
	write_script(r, "#!/bin/sh\nyes 'a line of some length, to be printed again and again' | "
			"head -c 268435456\n");
	run_spec(r, &spec);
	assert_exit(r, 0);
	assert_int_equal(r->result.dropped, 268435456 - (256 << 10));
	assert_true(resident_kib() < before + 4096);
	assert_true(r->out.n <= (256 << 10) + 1);
	assert_str(buf_as_str(&r->err), "[output limit of 256KiB or 17384 lines reached: "
					"268173312 more bytes were dropped]\n");
}

static void says_why_it_did_not_start(void **state)
{
	struct room *r = *state;
	struct child_spec spec = spec_of(r);

	run_script(r, "#!/no/such/interpreter\n");
	assert_int_equal(r->result.why.code, ERR_INPUT);
	assert_has(str_of(r->result.why.text), "does not exist");
	run_script(r, "echo no shebang\n");
	assert_has(str_of(r->result.why.text), "'#!/path/to/interpreter'");
	assert_int_equal(chmod(at(r, "script"), 0644), 0);
	run_spec(r, &spec);
	assert_has(str_of(r->result.why.text), "give that user r-x");
	spec.dir = "/nowhere";
	run_spec(r, &spec);
	assert_has(str_of(r->result.why.text), "cannot enter '/nowhere'");
}

static void takes_the_user_of_the_form(void **state)
{
	struct room *r = *state;
	struct child_spec spec = spec_of(r);
	const gid_t groups[] = {NOBODY, 12345};
	struct buf want;

	spec.become = geteuid() == 0;
	spec.uid = spec.become ? NOBODY : geteuid();
	spec.gid = spec.become ? NOBODY : getegid();
	spec.groups = groups;
	spec.groups_n = 2;
	spec.no_new_privs = true;
	write_script(r, "#!/bin/sh\nsed -n 's/^[UG]id:\\t//p; s/^Groups:\\t//p; s/^CapEff:\\t//p; "
			"s/^NoNewPrivs:\\t//p' /proc/self/status\necho again > /dev/stdout\necho "
			"err > /dev/stderr\n");
	run_spec(r, &spec);
	assert_exit(r, 0);
	buf_init(&want, BUF_NO_LIMIT);
	buf_printf(&want, "%d\t%d\t%d\t%d\n%d\t%d\t%d\t%d\n", (int)spec.uid, (int)spec.uid,
		(int)spec.uid, (int)spec.uid, (int)spec.gid, (int)spec.gid, (int)spec.gid,
		(int)spec.gid);
	assert_has(buf_as_str(&r->out), want.p);
	if (spec.become)
		assert_has(buf_as_str(&r->out), "12345 65534");
	assert_has(buf_as_str(&r->out), "0000000000000000\n1\nagain\n");
	assert_str(buf_as_str(&r->err), "err\n");
	buf_release(&want);
}

/* What a worker would be, killed without warning while its run has a daemon. */
static _Noreturn void die_while_running(struct room *r, int ready)
{
	struct child_spec spec = spec_of(r);
	struct err e;
	struct contain *contain = contain_of(r->mode, r->dir, &e);
	uv_loop_t loop;

	uv_loop_init(&loop);
	if (!contain || !child_start(&loop, contain, &spec, &calls, r, &e))
		_exit(1);
	while (r->lines == 0)
		uv_run(&loop, UV_RUN_ONCE);
	if (write(ready, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void dies_with_its_worker(void **state)
{
	struct room *r = *state;
	int alive = make_sign_of_life(r), ready[2];
	char c;

	write_script(r, "#!/bin/sh\n" DAEMON "sleep 600\nsleep 600\n");
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		die_while_running(r, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_dead(alive, false);
}

#define TESTS(mode)                                                                                \
	{"ends_as_the_program_does", ends_as_the_program_does, setup, teardown, mode},             \
		{"gives_lines_with_their_stream", gives_lines_with_their_stream, setup, teardown,  \
			mode},                                                                     \
		{"cuts_long_lines_in_pieces", cuts_long_lines_in_pieces, setup, teardown, mode},   \
		{"gives_the_whole_input", gives_the_whole_input, setup, teardown, mode},           \
		{"gives_nothing_but_the_form", gives_nothing_but_the_form, setup, teardown, mode}, \
		{"leaks_no_files", leaks_no_files, setup, teardown, mode},                         \
		{"is_ended_at_its_timeout", is_ended_at_its_timeout, setup, teardown, mode},       \
		{"is_killed_when_it_ignores_term", is_killed_when_it_ignores_term, setup,          \
			teardown, mode},                                                           \
		{"may_clean_up_on_term", may_clean_up_on_term, setup, teardown, mode},             \
		{"leaves_no_daemon_behind", leaves_no_daemon_behind, setup, teardown, mode},       \
		{"kills_daemons_when_stopped", kills_daemons_when_stopped, setup, teardown, mode}, \
		{"is_stopped_when_asked", is_stopped_when_asked, setup, teardown, mode},           \
		{"counts_and_drops_output_past_the_limit", counts_and_drops_output_past_the_limit, \
			setup, teardown, mode},                                                    \
		{"says_why_it_did_not_start", says_why_it_did_not_start, setup, teardown, mode},   \
		{"takes_the_user_of_the_form", takes_the_user_of_the_form, setup, teardown, mode}, \
	{                                                                                          \
		"dies_with_its_worker", dies_with_its_worker, setup, teardown, mode                \
	}

/* The last way works everywhere, the others where the machine allows them; at least it is said
 * which. */
int main(void)
{
	static enum contain_mode modes[] = {CONTAIN_CGROUP, CONTAIN_PIDNS, CONTAIN_SUBREAPER};
	struct CMUnitTest tests[3][16] = {
		{TESTS(&modes[0])}, {TESTS(&modes[1])}, {TESTS(&modes[2])}};
	int failed = 0;

	for (size_t i = 0; i < 3; i++) {
		struct err e;
		struct contain *c = contain_new(modes[i], "rb-test-child", "probe", &e);
		if (!c && modes[i] != CONTAIN_SUBREAPER) {
			printf("this machine allows no %s: %s\n", contain_mode_name(modes[i]),
				e.text);
			continue;
		}
		contain_free(c);
		failed += _cmocka_run_group_tests(
			contain_mode_name(modes[i]), tests[i], 16, NULL, NULL);
	}
	return failed;
}
