/* Files whole; and who could change them, with the remedy in the message. */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"

static char *dir; /* a folder of this test's own, without symlinks */

/* dir/name; good for the next few calls. */
static const char *at(const char *name)
{
	static char paths[8][4096];
	static unsigned next;
	char *p = paths[next++ % 8];
	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	char name[] = "/tmp/rb-test-file.XXXXXX";
	umask(022);
	dir = mkdtemp(name) ? realpath(name, NULL) : NULL;
	return dir ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	int rc = nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
	return rc;
}

static void put(const char *name, const char *text, mode_t mode)
{
	struct err e;
	assert_int_equal(file_write_atomic(at(name), str_of(text), mode, &e), 0);
}

/* ---- whole files ---- */

static void write_and_read(void **state)
{
	(void)state;
	struct buf b;
	struct stat st;
	struct err e;
	buf_init(&b, 100);
	put("f", "first", 0600);
	put("f", "hello", 0640);
	assert_int_equal(file_read(at("f"), &b, &e), 0);
	assert_str(buf_as_str(&b), "hello");
	assert_int_equal(stat(at("f"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* appends */
	assert_int_equal(file_read(at("f"), &b, &e), 0);
	assert_str(buf_as_str(&b), "hellohello");
	buf_release(&b);
}

static void read_large(void **state)
{
	(void)state;
	struct buf in, out;
	struct err e;
	buf_init(&in, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	for (int i = 0; i < 300000; i++)
		buf_printf(&in, "%d ", i);
	assert_int_equal(file_write_atomic(at("f"), buf_as_str(&in), 0600, &e), 0);
	assert_int_equal(file_read(at("f"), &out, &e), 0);
	assert_true(str_eq(buf_as_str(&in), buf_as_str(&out)));
	buf_release(&in);
	buf_release(&out);
}

static void read_limit_is_exact(void **state)
{
	(void)state;
	struct buf b;
	struct err e;
	put("f", "12345", 0600);
	buf_init(&b, 5);
	assert_int_equal(file_read(at("f"), &b, &e), 0);
	assert_str(buf_as_str(&b), "12345");
	buf_release(&b);
	buf_init(&b, 4);
	assert_int_equal(file_read(at("f"), &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_has(str_of(e.text), "/f' is larger than 4 bytes");
	buf_release(&b);
}

static void io_errors_name_the_file(void **state)
{
	(void)state;
	struct buf b;
	struct err e;
	buf_init(&b, 5);
	assert_int_equal(file_read(at("none"), &b, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	assert_has(str_of(e.text), "/none': No such file or directory");
	assert_int_equal(file_read(dir, &b, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	assert_int_equal(file_write_atomic(at("none/f"), STR("x"), 0600, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	buf_release(&b);
}

static void failed_write_leaves_nothing(void **state)
{
	(void)state;
	struct err e;
	assert_int_equal(mkdir(at("d"), 0700), 0);
	assert_int_equal(mkdir(at("d/target"), 0700), 0);
	/* a file cannot be renamed over a folder */
	assert_int_equal(file_write_atomic(at("d/target"), STR("x"), 0600, &e), -1);
	assert_has(str_of(e.text), "cannot rename");
	assert_int_equal(rmdir(at("d/target")), 0);
	assert_int_equal(rmdir(at("d")), 0); /* fails where a temporary file was left */
}

static void folders(void **state)
{
	(void)state;
	struct err e;
	struct stat st;
	assert_int_equal(file_mkdirs(at("a/b//c/"), 0750, &e), 0);
	assert_int_equal(stat(at("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(file_mkdirs(at("a/b/c"), 0700, &e), 0);
	assert_int_equal(stat(at("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	put("a/file", "x", 0600);
	assert_int_equal(file_mkdirs(at("a/file/d"), 0700, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	assert_has(str_of(e.text), "a/file': Not a directory");
}

static void joins(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1 << 20);
	assert_str(file_join(&a, STR("/etc"), STR("x.yml")), "/etc/x.yml");
	assert_str(file_join(&a, STR("/etc/"), STR("x.yml")), "/etc/x.yml");
	assert_str(file_join(&a, STR("/"), STR("x")), "/x");
	assert_str(file_join(&a, STR("/etc"), STR("/abs")), "/abs");
	assert_str(file_join(&a, STR_NONE, STR("x")), "x");
	arena_release(&a);
}

/* ---- who could change it ---- */

static void refused(const char *path, uid_t owner, int needs_exec, const char *part)
{
	struct err e = {0};
	assert_int_equal(file_check_safe(path, owner, needs_exec, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_has(str_of(e.text), part);
}

static void taken(const char *path, int needs_exec)
{
	struct err e = {0};
	if (file_check_safe(path, getuid(), needs_exec, &e) != 0)
		fail_msg("%s", e.text);
}

static void safe_file(void **state)
{
	(void)state;
	put("x.sh", "#!/bin/sh\n", 0755);
	put("plain", "x", 0644);
	taken(at("x.sh"), 1);
	taken(at("plain"), 0);
	refused(at("plain"), getuid(), 1, "is not executable; chmod +x ");
	refused(dir, getuid(), 0, "it is no regular file");
	struct err e;
	assert_int_equal(file_check_safe(at("none"), getuid(), 0, &e), -1);
	assert_int_equal(e.code, ERR_IO);
}

static void writable_file(void **state)
{
	(void)state;
	char want[5000];
	put("x.sh", "#!/bin/sh\n", 0775);
	snprintf(want, sizeof(want), "refusing '%s': %s is group-writable (", at("x.sh"),
		at("x.sh"));
	refused(at("x.sh"), getuid(), 1, want);
	snprintf(want, sizeof(want), " 0775); chmod g-w %s", at("x.sh"));
	refused(at("x.sh"), getuid(), 1, want);
	assert_int_equal(chmod(at("x.sh"), 0757), 0);
	refused(at("x.sh"), getuid(), 1, "x.sh is world-writable (");
	refused(at("x.sh"), getuid(), 1, "; chmod o-w ");
	assert_int_equal(chmod(at("x.sh"), 0777), 0);
	refused(at("x.sh"), getuid(), 1, "x.sh is group- and world-writable (");
	refused(at("x.sh"), getuid(), 1, "; chmod go-w ");
}

static void writable_folder_above(void **state)
{
	(void)state;
	struct err e;
	assert_int_equal(file_mkdirs(at("opt/deep"), 0755, &e), 0);
	put("opt/deep/x", "x", 0755);
	taken(at("opt/deep/x"), 1);
	assert_int_equal(chmod(at("opt"), 02775), 0);
	refused(at("opt/deep/x"), getuid(), 1, "/opt is group-writable (");
	refused(at("opt/deep/x"), getuid(), 1, " 2775); chmod g-w ");
	/* sticky helps only a folder of root's: its owner may rename whatever is in it */
	assert_int_equal(chmod(at("opt"), 01777), 0);
	if (getuid() == 0)
		taken(at("opt/deep/x"), 1);
	else
		refused(at("opt/deep/x"), getuid(), 1, "/opt is group- and world-writable (");
}

static void foreign_owner(void **state)
{
	(void)state;
	put("x", "x", 0755);
	if (getuid() == 0)
		assert_int_equal(chown(at("x"), 54321, 0), 0);
	uid_t other = getuid() == 0 ? 54322 : getuid() + 1;
	refused(at("x"), other, 1, " belongs to ");
	refused(at("x"), other, 1, ", not to root or ");
	refused(at("x"), other, 1, "; chown ");
	refused(at("x"), 0, 1, ", not to root; chown root ");
	if (getuid() == 0)
		assert_int_equal(file_check_safe(at("x"), 54321, 1, NULL), 0);
}

static void symlinks(void **state)
{
	(void)state;
	struct err e;
	assert_int_equal(file_mkdirs(at("real"), 0755, &e), 0);
	assert_int_equal(file_mkdirs(at("links"), 0755, &e), 0);
	put("real/x", "x", 0755);
	assert_int_equal(symlink("../real/x", at("links/relative")), 0);
	assert_int_equal(symlink(at("real/x"), at("links/absolute")), 0);
	assert_int_equal(symlink("../real", at("links/folder")), 0);
	taken(at("links/relative"), 1);
	taken(at("links/absolute"), 1);
	taken(at("links/folder/../real/./x"), 1);
	/* the target's folder counts */
	assert_int_equal(chmod(at("real"), 0775), 0);
	refused(at("links/relative"), getuid(), 1, "/real is group-writable (");
	refused(at("links/absolute"), getuid(), 1, "/real is group-writable (");
	refused(at("links/folder/x"), getuid(), 1, "/real is group-writable (");
	assert_int_equal(chmod(at("real"), 0755), 0);
	/* and so does the link's */
	assert_int_equal(chmod(at("links"), 0777), 0);
	refused(at("links/relative"), getuid(), 1, "/links is group- and world-writable (");
}

static void link_loops_end(void **state)
{
	(void)state;
	struct err e;
	assert_int_equal(symlink("b", at("a")), 0);
	assert_int_equal(symlink("a", at("b")), 0);
	assert_int_equal(file_check_safe(at("a"), getuid(), 0, &e), -1);
	assert_has(str_of(e.text), "Too many levels of symbolic links");
}

static void relative_paths_start_here(void **state)
{
	(void)state;
	int here = open(".", O_RDONLY | O_DIRECTORY);
	put("x", "x", 0755);
	assert_int_equal(chdir(dir), 0);
	taken("x", 1);
	taken("./x", 1);
	assert_int_equal(chmod(".", 0775), 0);
	refused("x", getuid(), 1, "refusing 'x': /");
	assert_int_equal(fchdir(here), 0);
	close(here);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
TESTS_MAIN(T(write_and_read), T(read_large), T(read_limit_is_exact), T(io_errors_name_the_file),
	T(failed_write_leaves_nothing), T(folders), T(joins), T(safe_file), T(writable_file),
	T(writable_folder_above), T(foreign_owner), T(symlinks), T(link_loops_end),
	T(relative_paths_start_here))
