/* What a run leaves: taken over, listed within limits, nothing followed. */
#include "unit.h"
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "run/artifacts.h"
#include "run/state_dir.h"

#define RUN "01JD0000000000000000000000"

static char *state_dir;
static struct arena a;
static struct artifacts f;
static struct artifacts_ahead *ahead;
static struct err e;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void make(struct artifacts *out, const char *run)
{
	const struct runas user = {
		.become = geteuid() == 0, .uid = 65534, .gid = 65534, .name = STR("nobody")};

	assert_int_equal(
		artifacts_make(out, &a, str_of(state_dir), ahead, str_of(run), &user, &e), 0);
}

static uid_t user_id(void)
{
	return geteuid() == 0 ? 65534 : geteuid();
}

static int setup(void **state)
{
	(void)state;
	char name[] = "/tmp/rb-test-artifacts.XXXXXX";
	umask(022);
	state_dir = mkdtemp(name) ? strdup(name) : NULL;
	arena_init(&a, 64 << 20);
	assert_int_equal(state_dir_make(str_of(state_dir), &e), 0);
	make(&f, RUN);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	artifacts_ahead_free(ahead);
	ahead = NULL;
	arena_release(&a);
	int rc = nftw(state_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(state_dir);
	return rc;
}

static const char *at(const char *name)
{
	return arena_printf(&a, "%s/%s", f.dir.p, name).p;
}

static void put(const char *path, const char *text)
{
	assert_int_equal(file_write_atomic(path, str_of(text), 0600, &e), 0);
}

static void belongs_to_the_user_and_then_to_us(void **state)
{
	(void)state;
	struct artifacts_found found;
	struct stat st;
	uid_t user = user_id();

	assert_int_equal(stat(f.dir.p, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, user);
	assert_int_equal(stat(f.events.p, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, user);
	put(at("b.txt"), "four");
	put(at("a.txt"), "");
	assert_int_equal(artifacts_collect(&f, &a, &found, &e), 0);
	assert_str(found.json, "[{\"name\":\"a.txt\",\"size\":0},{\"name\":\"b.txt\",\"size\":4}]");
	assert_int_equal(found.left_out, 0);
	assert_int_equal(stat(f.dir.p, &st), 0);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(stat(at("b.txt"), &st), 0);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(access(f.events.p, F_OK), -1);
}

static ino_t inode(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_ino;
}

#define NAME "01JD0000000000000000000009"

/* Where it is while it has no name of a run. */
static const char *ahead_at(const char *kind)
{
	return arena_printf(&a, "%s/%s/" NAME, state_dir, kind).p;
}

static void is_made(const struct artifacts *of)
{
	struct stat st;

	assert_int_equal(lstat(of->dir.p, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, user_id());
	assert_int_equal(rmdir(of->dir.p), 0); /* nothing is in it */
	assert_int_equal(lstat(of->events.p, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, user_id());
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_nlink, 1);
}

/* It gets the name, with owner and mode as ever; it is for one run, and made once. */
static void takes_what_was_made_ahead(void **state)
{
	(void)state;
	struct artifacts next;
	struct stat st;

	ahead = artifacts_ahead_new(str_of(state_dir), STR(NAME));
	artifacts_ahead_make(ahead);
	ino_t d = inode(ahead_at("artifacts")), ev = inode(ahead_at("events"));
	artifacts_ahead_make(ahead);
	assert_int_equal(inode(ahead_at("artifacts")), d);
	make(&next, "01JD0000000000000000000001");
	assert_int_equal(access(ahead_at("artifacts"), F_OK), -1);
	assert_int_equal(access(ahead_at("events"), F_OK), -1);
	assert_int_equal(inode(next.dir.p), d);
	assert_int_equal(inode(next.events.p), ev);
	is_made(&next);
	make(&next, "01JD0000000000000000000002"); /* without */
	is_made(&next);
	artifacts_ahead_make(ahead);
	assert_int_equal(stat(ahead_at("artifacts"), &st), 0);
}

/* What lies there by somebody else's hand is not ours to give. */
static void takes_nothing_that_it_did_not_make(void **state)
{
	(void)state;
	struct artifacts next;

	assert_int_equal(mkdir(ahead_at("artifacts"), 0777), 0);
	assert_int_equal(mkfifo(ahead_at("events"), 0666), 0);
	ahead = artifacts_ahead_new(str_of(state_dir), STR(NAME));
	artifacts_ahead_make(ahead);
	make(&next, "01JD0000000000000000000001");
	is_made(&next);
	assert_int_equal(access(ahead_at("artifacts"), F_OK), 0);
	assert_int_equal(access(ahead_at("events"), F_OK), 0);
}

/* Its earlier attempt's files, not its events; what was made ahead is for another run. */
static void a_retry_keeps_its_folder(void **state)
{
	(void)state;
	struct stat st;

	put(at("core.txt"), "kept");
	put(f.events.p, "{\"type\":\"old\"}\n");
	ahead = artifacts_ahead_new(str_of(state_dir), STR(NAME));
	artifacts_ahead_make(ahead);
	make(&f, RUN);
	assert_int_equal(stat(at("core.txt"), &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(stat(f.events.p, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_uid, user_id());
	assert_int_equal(access(ahead_at("artifacts"), F_OK), 0);
}

/* An end removes it, a sweep what a killed worker left; who counts on that makes it anew. */
static void leaves_nothing_that_was_made_ahead(void **state)
{
	(void)state;
	struct artifacts next;

	ahead = artifacts_ahead_new(str_of(state_dir), STR(NAME));
	artifacts_ahead_make(ahead);
	assert_int_equal(artifacts_sweep(str_of(state_dir), INT64_MAX, 100), 4);
	assert_int_equal(access(ahead_at("artifacts"), F_OK), -1);
	make(&next, "01JD0000000000000000000001");
	is_made(&next);
	artifacts_ahead_make(ahead);
	make(&next, "01JD0000000000000000000002");
	is_made(&next);
	artifacts_ahead_make(ahead);
	artifacts_ahead_free(ahead);
	ahead = NULL;
	assert_int_equal(access(ahead_at("artifacts"), F_OK), -1);
	assert_int_equal(access(ahead_at("events"), F_OK), -1);
}

static void removes_a_folder_with_nothing_in_it(void **state)
{
	(void)state;
	struct artifacts_found found;

	assert_int_equal(artifacts_collect(&f, &a, &found, &e), 0);
	assert_str(found.json, "[]");
	assert_int_equal(access(f.dir.p, F_OK), -1);
}

static void follows_nothing(void **state)
{
	(void)state;
	struct artifacts_found found;
	const char *outside = arena_printf(&a, "%s/secret", state_dir).p;
	struct stat st;

	put(outside, "secret");
	assert_int_equal(symlink("/etc/passwd", at("link")), 0);
	assert_int_equal(link(outside, at("hard")), 0);
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_int_equal(mkdir(at("folder"), 0700), 0);
	put(at("bad\nname"), "x");
	put(at("bad\xff"), "x");
	put(at("good"), "x");
	assert_int_equal(artifacts_collect(&f, &a, &found, &e), 0);
	assert_str(found.json, "[{\"name\":\"good\",\"size\":1}]");
	assert_int_equal(found.left_out, 6);
	assert_int_equal(stat(outside, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600); /* untouched */
}

static void lists_no_more_than_the_limit(void **state)
{
	(void)state;
	struct artifacts_found found;

	for (int i = 0; i < ARTIFACTS_MAX + 5; i++)
		put(arena_printf(&a, "%s/f%03d", f.dir.p, i).p, "");
	assert_int_equal(artifacts_collect(&f, &a, &found, &e), 0);
	assert_int_equal(found.n, ARTIFACTS_MAX);
	assert_int_equal(found.left_out, 5);
}

static void refuses_sizes_over_the_limit(void **state)
{
	(void)state;
	struct artifacts_found found;

	put(at("huge"), "");
	assert_int_equal(truncate(at("huge"), ARTIFACTS_BYTES_MAX + 1), 0);
	assert_int_equal(artifacts_collect(&f, &a, &found, &e), 0);
	assert_str(found.json, "[]");
	assert_int_equal(found.left_out, 1);
}

static void takes_events_line_by_line(void **state)
{
	(void)state;
	struct artifacts_found found;

	put(f.events.p, "{\"type\":\"deployed\",\"data\":{\"a\":[1]}}\r\n\n[1]\n{\"data\":1}"
			"\nnonsense\n{\"type\":\"b\"}");
	assert_int_equal(artifacts_collect(&f, &a, &found, &e), 0);
	assert_int_equal(found.events_n, 2);
	assert_str(found.events[0], "{\"type\":\"deployed\",\"data\":{\"a\":[1]}}");
	assert_str(found.events[1], "{\"type\":\"b\"}");
	assert_int_equal(found.events_bad, 3);
	assert_str(found.events_why, "want an object with a \"type\"");
}

static void bounds_events(void **state)
{
	(void)state;
	struct artifacts_found found;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"type\":\"");
	for (size_t i = 0; i < EVENTS_LINE_MAX; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\"}\n");
	for (int i = 0; i < EVENTS_MAX + 3; i++)
		buf_puts(&b, "{\"type\":\"a\"}\n");
	put(f.events.p, b.p);
	buf_release(&b);
	assert_int_equal(artifacts_collect(&f, &a, &found, &e), 0);
	assert_int_equal(found.events_n, EVENTS_MAX);
	assert_int_equal(found.events_bad, 1 + 3);
}

static void reads_no_endless_file(void **state)
{
	(void)state;
	struct artifacts_found found;

	put(f.events.p, "");
	assert_int_equal(truncate(f.events.p, (off_t)1 << 36), 0);
	assert_int_equal(artifacts_collect(&f, &a, &found, &e), 0);
	assert_int_equal(found.events_n, 0);
	assert_true(found.events_bad >= 1);
}

static void sweeps_what_is_old(void **state)
{
	(void)state;
	char old[ID_LEN + 1], young[ID_LEN + 1];
	struct arena *m = &a;

	id_from_ms_seq(1000000, 1, old);
	id_from_ms_seq(9000000, 1, young);
	assert_int_equal(mkdir(arena_printf(m, "%s/artifacts/%s", state_dir, old).p, 0700), 0);
	assert_int_equal(mkdir(arena_printf(m, "%s/artifacts/%s/sub", state_dir, old).p, 0700), 0);
	assert_int_equal(
		symlink("/tmp", arena_printf(m, "%s/artifacts/%s/sub/link", state_dir, old).p), 0);
	assert_int_equal(mkdir(arena_printf(m, "%s/artifacts/%s", state_dir, young).p, 0700), 0);
	assert_int_equal(mkdir(arena_printf(m, "%s/artifacts/other", state_dir).p, 0700), 0);
	assert_int_equal(artifacts_sweep(str_of(state_dir), 5000000, 10), 1);
	assert_int_equal(access(arena_printf(m, "%s/artifacts/%s", state_dir, old).p, F_OK), -1);
	assert_int_equal(access(arena_printf(m, "%s/artifacts/%s", state_dir, young).p, F_OK), 0);
	assert_int_equal(access(arena_printf(m, "%s/artifacts/other", state_dir).p, F_OK), 0);
	assert_int_equal(access("/tmp", F_OK), 0);
}

static void lets_one_hold_a_lock(void **state)
{
	(void)state;
	int fd = state_dir_lock(str_of(state_dir), "worker", 0, &e);

	assert_true(fd >= 0);
	assert_int_equal(state_dir_lock(str_of(state_dir), "worker", 30, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_has(str_of(e.text), arena_printf(&a, "process %d holds", (int)getpid()).p);
	close(fd);
	fd = state_dir_lock(str_of(state_dir), "worker", 0, &e);
	assert_true(fd >= 0);
	close(fd);
}

#define ROOM(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
TESTS_MAIN(ROOM(belongs_to_the_user_and_then_to_us), ROOM(takes_what_was_made_ahead),
	ROOM(takes_nothing_that_it_did_not_make), ROOM(a_retry_keeps_its_folder),
	ROOM(leaves_nothing_that_was_made_ahead),
	ROOM(removes_a_folder_with_nothing_in_it),
	ROOM(follows_nothing), ROOM(lists_no_more_than_the_limit),
	ROOM(refuses_sizes_over_the_limit), ROOM(takes_events_line_by_line), ROOM(bounds_events),
	ROOM(reads_no_endless_file), ROOM(sweeps_what_is_old), ROOM(lets_one_hold_a_lock))
