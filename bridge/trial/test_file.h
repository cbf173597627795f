/* test_file.h: a *.test.yml, read.
 *
 * Pure: bytes in, structs out. What the names in it stand for (rules, runbooks, parameters) is
 * checked against a ruleset by test_file_check. Times are ms since the test's start. Format:
 * docs/testing-rules.md.
 */
#ifndef RB_TRIAL_TEST_FILE_H
#define RB_TRIAL_TEST_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/diag.h"
#include "base/json.h"
#include "event/event.h"
#include "flow/run_state.h"
#include "rule/ruleset.h"

#define TEST_FILE_MEMORY ((size_t)256 << 20)
#define TEST_EVENTS_LIMIT 1000 /* of one test; as many expectations */
#define TEST_AT_MAX_MS (INT64_C(3660) * 24 * 3600 * 1000)
#define TEST_EMITS_LIMIT 100 /* events that one run emits, as many as a worker takes */
#define TEST_DATA_LIMIT ((size_t)1 << 20) /* bytes of an event's data as JSON */

enum test_event_kind {
	TEST_ALERT,
	TEST_RESOLVE,
	TEST_EVENT,
	TEST_RUN,
	TEST_LOG,
	TEST_PAUSE,
	TEST_RESUME,
};

struct test_place {
	int line, column;
};

struct test_pairs { /* sorted by name, no name twice */
	struct kv *v;
	size_t n;
};

/* How a run ends, at the time of its entry. */
struct test_run {
	struct str rule, runbook;
	struct test_place rule_place, runbook_place;
	enum run_state state;
	bool retry; /* outcome: retry, exit status 75 */
	struct str output;
	struct str *emits; /* events, JSON each */
	size_t emits_n;
	bool has_started; /* only the run that started then */
	int64_t started_ms;
};

/* What is paused, or not any more. */
struct test_pause {
	enum {
		TEST_PAUSE_NONE,
		TEST_PAUSE_RULE,
		TEST_PAUSE_RUNBOOK,
		TEST_PAUSE_MATCHERS,
		TEST_PAUSE_ALL,
	} kind;
	struct str name; /* of the rule or runbook; of matchers their text in one form */
	struct str tests; /* of matchers: rule/matcher_plain.h */
	struct test_place name_place;
	int64_t for_ms;
	struct str reason; /* "" */
};

struct test_event {
	int64_t at_ms;
	bool has_at;
	struct test_place place;
	enum test_event_kind kind;
	struct test_pairs labels, annotations;
	struct str source;
	bool has_starts; /* an alert's starts_at */
	int64_t starts_ms;
	struct str type, summary, severity; /* of an event */
	const struct json *data;	    /* NULL: none */
	struct str line;		    /* of a log */
	struct test_run run;
	struct test_pause pause;
};

struct test_expect {
	struct test_place place;
	bool has_at;
	int64_t at_ms;
	struct str rule, runbook; /* runbook "": any */
	struct test_place rule_place, runbook_place;
	struct test_pairs alert; /* labels of an alert that is expected to fire, not a run; n 0: none */
	bool resolved;		 /* to resolve */
	bool has_decision; /* a decision is expected, not a run */
	enum decision decision;
	struct test_pairs with;
	struct test_place with_place;
};

struct test_name {
	struct str text;
	struct test_place place;
};

struct rule_test {
	struct str name;
	struct test_place place;
	struct test_event *events; /* as written */
	size_t events_n;
	struct test_expect *expect;
	size_t expect_n;
	struct test_name *expect_none;
	size_t expect_none_n;
	bool exact;
	bool has_exact;
};

struct test_file {
	const char *name;
	struct rule_test *tests;
	size_t tests_n;
};

/* In a, as the bytes and the name must be. NULL where d got an error: all findings at once. */
struct test_file *test_file_parse(
	struct arena *a, struct str bytes, const char *name, struct diags *d);
/* Are there rules and runbooks of these names, and parameters? False where d got an error. */
bool test_file_check(const struct test_file *f, const struct ruleset *rs, struct diags *d);

const char *test_event_kind_name(enum test_event_kind k);

#endif
