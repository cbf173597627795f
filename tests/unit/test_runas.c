/* Whom a runbook runs as: found, found again in the book, and found anew once the database's files differ. */
#include "unit.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "run/runas.h"

static struct arena a;
static struct err e;

static int setup(void **state)
{
	(void)state;
	arena_init(&a, 16 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&a);
	return 0;
}

static struct runas find(struct runas_book *b, const char *name)
{
	struct runas u;

	if (runas_find(b, &u, &a, str_of(name), STR("nobody"), &e) < 0)
		fail_msg("%s", e.text);
	return u;
}

static void test_not_root_is_itself(void **state)
{
	(void)state;
	if (geteuid() == 0 && seteuid(65534) < 0)
		fail_msg("cannot become nobody");
	struct runas u = find(NULL, "root");
	assert_false(u.become);
	assert_int_equal(u.uid, geteuid());
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

static void test_missing_user_is_refused(void **state)
{
	(void)state;
	struct runas_book *b = runas_book_new();
	struct runas u;
	bool root = geteuid() == 0; /* anyone else changes to nobody, and is not asked */

	for (int again = 0; again < 2; again++) {
		int rc = runas_find(b, &u, &a, STR("no-such-user"), STR("nobody"), &e);
		assert_int_equal(rc, root ? -1 : 0);
		if (root)
			assert_has(str_of(e.text), "adduser --system --group no-such-user");
	}
	runas_book_free(b);
}

/* /etc/passwd as this process alone sees it: the one of the machine with `line` before it. */
static void show_passwd(const char *path, const char *line)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_puts(&b, line);
	assert_int_equal(file_read("/etc/passwd", &b, &e), 0);
	assert_int_equal(file_write_atomic(path, buf_as_str(&b), 0644, &e), 0);
	buf_release(&b);
	assert_int_equal(mount(path, "/etc/passwd", NULL, MS_BIND, NULL), 0);
}

static void test_book_follows_the_files(void **state)
{
	(void)state;
	char dir[] = "/tmp/rb-test-runas.XXXXXX";
	struct runas_book *b = runas_book_new();

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		/* Nobody else may change what a user is; and then nothing is kept. */
		assert_int_equal(find(b, "nobody").uid, find(b, "nobody").uid);
		runas_book_free(b);
		return;
	}
	assert_non_null(mkdtemp(dir));
	struct str one = arena_printf(&a, "%s/one", dir), two = arena_printf(&a, "%s/two", dir);
	assert_int_equal(find(b, "nobody").uid, 65534);
	assert_int_equal(find(b, "nobody").uid, 65534);
	show_passwd(one.p, "nobody:x:4001:4001::/one:/bin/sh\n");
	for (int again = 0; again < 3; again++) {
		struct runas u = find(b, "nobody");
		assert_true(u.become);
		assert_int_equal(u.uid, 4001);
		assert_int_equal(u.groups_n, 1);
		assert_int_equal(u.groups[0], 4001);
		assert_str(u.name, "nobody");
		assert_str(u.home, "/one");
	}
	assert_int_equal(umount("/etc/passwd"), 0);
	show_passwd(two.p, "nobody:x:4002:4001::/two:/bin/sh\n");
	assert_int_equal(find(b, "nobody").uid, 4002);
	assert_int_equal(umount("/etc/passwd"), 0);
	assert_int_equal(find(b, "nobody").uid, 65534);
	unlink(one.p);
	unlink(two.p);
	rmdir(dir);
	runas_book_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_not_root_is_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_user_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_book_follows_the_files, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
