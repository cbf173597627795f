/* test_play.h: one test of a test file, played and judged. */
#ifndef RB_TRIAL_TEST_PLAY_H
#define RB_TRIAL_TEST_PLAY_H

#include "flow/load.h"
#include "trial/test_file.h"
#include "trial/trial.h"

#define TEST_WHY_MAX 8 /* lines that say why, of one failure */

/* Texts without a line feed at the end. */
struct test_failure {
	struct test_place place; /* of the expectation, or of the entry that is wrong */
	struct str expected, got;
	struct str why[TEST_WHY_MAX];
	size_t why_n;
};

struct test_result {
	const struct test_failure *failures;
	size_t failures_n;
	struct trial_log log; /* valid until the trial begins again */
};

/* All of out in a. -1 with e: it could not be played to its end (see trial.h), which is a failure
 * of the test. */
int test_play(struct trial *t, const struct loaded *l, const struct rule_test *test,
	struct arena *a, struct test_result *out, struct err *e);

#endif
