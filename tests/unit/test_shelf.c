/* The worker finds runbooks itself, in its own folders, and looks at them before each run. */
#include "unit.h"
#include <ftw.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/file.h"
#include "run/shelf.h"

#define SCRIPT(summary)                                                                            \
	"#!/bin/sh\n# ---\n# summary: " summary "\n# kind: diagnose\n# ---\nexit 0\n"

static char *dir;
static struct arena a;
static struct conf *conf;
static struct shelf *shelf;
static struct err e;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static const char *at(const char *name)
{
	return arena_printf(&a, "%s/%s", dir, name).p;
}

/* Old enough for its times to be believed. */
static void age(const char *path)
{
	struct timeval t[2] = {{1700000000, 0}, {1700000000, 0}};

	assert_int_equal(utimes(path, t), 0);
}

static void put(const char *name, const char *text, mode_t mode)
{
	assert_int_equal(file_write_atomic(at(name), str_of(text), mode, &e), 0);
	assert_int_equal(chmod(at(name), mode), 0);
	age(at(name));
	age(at("runbooks"));
}

static int setup(void **state)
{
	(void)state;
	char name[] = "/tmp/rb-test-shelf.XXXXXX";
	struct diags d;

	umask(022);
	dir = mkdtemp(name) ? strdup(name) : NULL;
	arena_init(&a, 1 << 20);
	chmod(dir, 0755);
	mkdir(at("runbooks"), 0755);
	diags_init(&d);
	conf = conf_parse(STR(""), "runbookd.yml", dir, &d);
	diags_release(&d);
	shelf = shelf_new();
	return conf && shelf ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	shelf_free(shelf);
	conf_free(conf);
	arena_release(&a);
	int rc = nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
	return rc;
}

static void finds_by_name_only(void **state)
{
	(void)state;
	put("runbooks/disk.sh", SCRIPT("one"), 0755);
	put("outside.sh", SCRIPT("out"), 0755);
	const struct runbook *r = shelf_get(shelf, conf, STR("disk"), &e);
	assert_non_null(r);
	assert_str(r->summary, "one");
	assert_str(r->path, at("runbooks/disk.sh"));
	const char *bad[] = {"disk.sh", "../outside", "outside", "/bin/sh", "", "runbooks/disk"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(shelf_get(shelf, conf, str_of(bad[i]), &e));
		assert_has(str_of(e.text), "has no runbook");
	}
}

static void sees_each_change(void **state)
{
	(void)state;
	put("runbooks/disk.sh", SCRIPT("one"), 0755);
	assert_str(shelf_get(shelf, conf, STR("disk"), &e)->summary, "one");
	assert_str(shelf_get(shelf, conf, STR("disk"), &e)->summary, "one");
	put("runbooks/disk.sh", SCRIPT("two"), 0755);
	assert_str(shelf_get(shelf, conf, STR("disk"), &e)->summary, "two");
	put("runbooks/disk.py", SCRIPT("another"), 0755);
	assert_null(shelf_get(shelf, conf, STR("disk"), &e));
	assert_has(str_of(e.text), "two of that name");
	assert_int_equal(unlink(at("runbooks/disk.sh")), 0);
	assert_str(shelf_get(shelf, conf, STR("disk"), &e)->summary, "another");
	assert_int_equal(unlink(at("runbooks/disk.py")), 0);
	assert_null(shelf_get(shelf, conf, STR("disk"), &e));
}

static void refuses_what_others_may_change(void **state)
{
	(void)state;
	put("runbooks/disk.sh", SCRIPT("one"), 0755);
	assert_non_null(shelf_get(shelf, conf, STR("disk"), &e));
	chmod(at("runbooks"), 0775);
	assert_null(shelf_get(shelf, conf, STR("disk"), &e));
	assert_has(str_of(e.text), "group-writable");
	assert_has(str_of(e.text), "chmod g-w");
	chmod(at("runbooks"), 0755);
	chmod(at("runbooks/disk.sh"), 0757);
	assert_null(shelf_get(shelf, conf, STR("disk"), &e));
	assert_has(str_of(e.text), "chmod o-w");
	chmod(at("runbooks/disk.sh"), 0755);
	assert_non_null(shelf_get(shelf, conf, STR("disk"), &e));
	chmod(at("runbooks/disk.sh"), 0644);
	assert_null(shelf_get(shelf, conf, STR("disk"), &e));
}

static void names_the_place_of_a_fault(void **state)
{
	(void)state;
	put("runbooks/disk.sh", "#!/bin/sh\n# ---\n# summary: one\n# kind: nonsense\n# ---\n",
		0755);
	assert_null(shelf_get(shelf, conf, STR("disk"), &e));
	assert_has(str_of(e.text), "runbooks/disk.sh:4:");
}

#define ROOM(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
TESTS_MAIN(ROOM(finds_by_name_only), ROOM(sees_each_change), ROOM(refuses_what_others_may_change),
	ROOM(names_the_place_of_a_fault))
