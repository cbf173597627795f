/* unit.h: what every unit test includes: cmocka with the headers it asks for, and checks of
 * struct str, which cmocka does not know. Included once a program; each has its own main(). */
#ifndef RB_TESTS_UNIT_H
#define RB_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/diag.h"
#include "base/str.h"

/* The text of s is exactly the C string `want`. */
#define assert_str(s, want) \
	do { \
		struct str got_ = (s); \
		if (!str_is(got_, (want))) \
			fail_msg("got '%.*s', not '%s'", STR_ARG(got_), (want)); \
	} while (0)

/* The text of s holds the C string `part`. */
#define assert_has(s, part) \
	do { \
		struct str got_ = (s); \
		if (!memmem(got_.p ? got_.p : "", got_.n, (part), strlen(part))) \
			fail_msg("no '%s' in '%.*s'", (part), STR_ARG(got_)); \
	} while (0)

/* All findings, as --check prints them, are exactly `want`. */
static inline void assert_findings(const struct diags *d, const char *want)
{
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	diags_print(d, &b);
	assert_string_equal(b.p ? b.p : "", want);
	buf_release(&b);
}

#define TESTS_MAIN(...) \
	int main(void) \
	{ \
		const struct CMUnitTest tests[] = {__VA_ARGS__}; \
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}

#endif
