/* pattern.h: log patterns: which lines raise which alert.
 *
 * Part of a ruleset, immutable with it. A pattern's regex may match anywhere in a line's message;
 * its named groups and the line's labels become labels of the alert. Which patterns a line can
 * concern at all is found by one walk over its bytes (prefilter.h), so that a line which matches
 * nothing costs next to nothing. Counting is not done here: the store counts. Pure.
 */
#ifndef RB_RULE_PATTERN_H
#define RB_RULE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"
#include "rule/matcher.h"
#include "rule/template.h"

#define PATTERNS_LIMIT 10000	 /* of one ruleset */
#define PATTERN_NAME_LIMIT 100	 /* bytes */
#define PATTERN_BY_LIMIT 16	 /* labels of threshold.by */
#define PATTERN_COUNT_MAX 10000	 /* of threshold.count */
#define PATTERN_LINES_DEFAULT 20 /* lines kept with the alert */
#define PATTERN_LINES_MAX 200
#define PATTERN_SERIES_DEFAULT 10000 /* combinations of the `by` labels followed at once */
#define PATTERN_SERIES_MAX 1000000
/* threshold.within, resolve.after */
#define PATTERN_DURATION_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)
#define PATTERN_SUMMARY_LIMIT 4096	 /* bytes; a longer one is cut at a character */

struct regex; /* rule/regex.h */

struct pattern {
	struct str name; /* becomes the label alertname */
	struct str description;
	struct str file;
	int line;
	int match_line, match_column; /* of the text of `match` */
	struct str source_text;	      /* as written, joined by ", "; "" every line */
	struct matchers source;	      /* all must hold of the line's labels; n == 0: every line */
	struct str match_text, exclude_text, resolve_text; /* as written; "" none */
	struct regex *match, *exclude, *resolve;	   /* the last two may be NULL */
	int64_t count, within_ms; /* threshold; 1 and 0: every line that matches */
	struct str *by;		  /* labels that tell one alert from another */
	size_t by_n;
	bool by_given;		  /* else `by` is all named groups of match, and host */
	int64_t resolve_after_ms; /* quiet for so long; 0: not by that */
	enum event_severity severity;
	struct template *summary; /* NULL: the line itself */
	int64_t lines;		  /* kept with the alert */
	int64_t series;		  /* followed at once */
	size_t literal; /* bytes of the shortest text of which a line must hold one; 0: none is
			 * known, so each line is held against it */
};

struct patterns {
	struct pattern *v; /* in order of file name, then of the file */
	size_t n;
	struct prefilter *prefilter; /* NULL where n is 0 */
};

/* Which patterns a line can concern at all: their numbers, each once, in no order. text: the
 * message, or a text that holds it somewhere. *out lives until the next call. One thread. */
size_t patterns_candidates(const struct patterns *p, struct str text, const uint32_t **out);

enum pattern_verdict {
	PATTERN_NOT,	  /* does not match */
	PATTERN_EXCLUDED, /* matches, and `exclude`, too */
	PATTERN_MATCHED,
	PATTERN_RESOLVES, /* the counter-pattern matches, whatever `match` says */
	PATTERN_FAILED,	  /* a regex gave up: e says which and why */
};

/* One pattern on one line. line: an event with the line's labels, its source and time. groups: {0},
 * filled in where the line matches or resolves; they point into message. The regexes of one line
 * share a budget: matcher_scratch_begin. */
enum pattern_verdict pattern_try(const struct pattern *p, struct matcher_scratch *s,
	struct arena *a, const struct event *line, struct str message,
	struct matcher_groups *groups, struct err *e);

/* The alert that a line is about, in a: type alert, status by resolves. Its labels are alertname,
 * the groups, and the labels of the line, in case of doubt in this order; its fingerprint is made
 * of alertname and the `by` labels alone. message must be UTF-8. ERR_LIMIT: a is full. */
int pattern_event(const struct pattern *p, bool resolves, const struct matcher_groups *groups,
	struct arena *a, const struct event *line, struct str message, struct event *out,
	struct err *e);

#endif
