/* test_impl.h: what playing and judging a test share. For this folder only. */
#ifndef RB_TRIAL_TEST_IMPL_H
#define RB_TRIAL_TEST_IMPL_H

#include "trial/test_play.h"

/* An event as it was fed. */
struct test_fed {
	const struct test_event *entry;
	int64_t at_ms; /* since the start */
	struct event event;
	struct str id; /* "": no rule matched it, or it is a duplicate */
};

struct test_game {
	struct trial *trial;
	const struct loaded *loaded;
	const struct rule_test *test;
	struct arena *a;
	struct test_fed *fed;
	size_t fed_n, fed_cap;
	bool *run_used; /* one of each entry of the test */
	struct test_failure *failures;
	size_t failures_n, failures_cap;
};

/* A new failure, cleared; NULL: the arena is full. */
struct test_failure *test_fail(struct test_game *g, struct test_place place);
/* "2m" */
struct str test_time(struct arena *a, int64_t ms);

/* test_judge.c: what was expected against what came. */
void test_judge(struct test_game *g, const struct trial_log *log);
/* test_why.c: lines that say what became of a rule, into f. */
void test_say_why(
	struct test_game *g, const struct trial_log *log, struct str rule, struct test_failure *f);

#endif
