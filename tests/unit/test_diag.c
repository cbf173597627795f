/* Findings keep their order and places; errors keep their words. */
#include "unit.h"
#include <errno.h>
#include "base/err.h"

static void prints_places(void **state)
{
	(void)state;
	struct diags d;
	diags_init(&d);
	diag_add(&d, DIAG_ERROR, "a.yml", 3, 5, "unknown key '%s'", "x");
	diag_add(&d, DIAG_WARNING, "b.yml", 1, 1, "loose");
	diag_add(&d, DIAG_ERROR, "c.yml", 0, 0, "not there");
	diag_add(&d, DIAG_ERROR, NULL, 0, 0, "nowhere");
	assert_int_equal(d.errors, 3);
	assert_int_equal(d.warnings, 1);
	assert_findings(&d, "a.yml:3:5: unknown key 'x'\n"
			    "b.yml:1:1: warning: loose\n"
			    "c.yml: not there\n"
			    "nowhere\n");
	diags_release(&d);
	assert_int_equal(d.n, 0);
}

static void keeps_a_bounded_number(void **state)
{
	(void)state;
	struct diags d;
	struct buf b;
	diags_init(&d);
	buf_init(&b, BUF_NO_LIMIT);
	for (int i = 0; i < DIAGS_MAX + 50; i++)
		diag_add(&d, DIAG_ERROR, "f", i + 1, 1, "e");
	assert_int_equal(d.n, DIAGS_MAX);
	assert_int_equal(d.errors, DIAGS_MAX + 50);
	diags_print(&d, &b);
	assert_has(buf_as_str(&b), "50 more findings are not shown\n");
	buf_release(&b);
	diags_release(&d);
}

static void errors(void **state)
{
	(void)state;
	struct err e = {.offset = 7};
	assert_int_equal(err_set(&e, ERR_FULL, "queue '%s' is full", "default"), -1);
	assert_int_equal(e.code, ERR_FULL);
	assert_int_equal(e.offset, 0);
	assert_string_equal(e.text, "queue 'default' is full");
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "cannot open '%s'", "x"), -1);
	assert_int_equal(e.code, ERR_IO);
	assert_string_equal(e.text, "cannot open 'x': No such file or directory");
	assert_int_equal(err_set(NULL, ERR_IO, "x"), -1);
	assert_int_equal(err_sys(NULL, "x"), -1);
	char lots[2000];
	memset(lots, 'a', sizeof(lots) - 1);
	lots[sizeof(lots) - 1] = '\0';
	errno = ENOENT;
	err_sys(&e, "%s", lots);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void every_code_has_a_name(void **state)
{
	(void)state;
	for (int a = ERR_NONE; a <= ERR_VERSION; a++) {
		assert_string_not_equal(err_name((enum err_code)a), "unknown");
		for (int b = a + 1; b <= ERR_VERSION; b++)
			assert_string_not_equal(
				err_name((enum err_code)a), err_name((enum err_code)b));
	}
}

TESTS_MAIN(cmocka_unit_test(prints_places), cmocka_unit_test(keeps_a_bounded_number),
	cmocka_unit_test(errors), cmocka_unit_test(every_code_has_a_name))
