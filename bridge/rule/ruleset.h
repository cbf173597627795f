/* ruleset.h: all rules and log patterns of one configuration: immutable, counted, named by a hash.
 *
 * Built whole from bytes (ruleset_build is also what --check does), swapped by one pointer, freed with its
 * last reference. Matching costs no allocation but in the caller's arena. Pure.
 */
#ifndef RB_RULE_RULESET_H
#define RB_RULE_RULESET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/diag.h"
#include "base/hash.h"
#include "base/pace.h"
#include "conf/conf.h"
#include "event/event.h"
#include "rule/matcher.h"
#include "rule/pattern.h"
#include "rule/runbook.h"
#include "rule/template.h"

#define RULE_NAME_LIMIT 100
#define RULE_STEPS_LIMIT 32
#define RULE_BY_LIMIT 16	/* fields of one `by` list */
#define RULE_POOL_LIMIT 200	/* bytes of a pool's name */
#define RULE_DURATION_MAX_MS (INT64_C(366) * 24 * 3600 * 1000)	/* for, cooldown, limits, approval */
#define RULE_LIMIT_COUNT_MAX 100000	/* of limits.runs and limits.hosts */
#define RULE_PARTS_LIMIT 16	/* of all_of and sequence */
#define RULE_PART_SHOWN 100	/* bytes of a part's text in a reason */
#define RULE_THRESHOLD_COUNT_MAX 1000
#define RULE_GATE_WITHIN_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)	/* threshold, all_of, sequence; every of absent */
#define RULE_ABSENT_EVERY_MIN_MS INT64_C(1000)	/* it is looked at each second */
#define RULE_SLO_WINDOW_DEFAULT_MS (INT64_C(30) * 24 * 3600 * 1000)
#define RULE_SLO_WINDOW_MIN_MS (INT64_C(3600) * 1000)	/* it is counted by the hour */
#define RULE_SLO_WINDOW_MAX_MS (INT64_C(90) * 24 * 3600 * 1000)
#define TOPOLOGY_NODES_MAX 256		/* of all files */
#define TOPOLOGY_DEPENDS_MAX 32		/* others that a node depends on, by way of others included */
#define TOPOLOGY_SAMES_MAX 16		/* different lists `same` of those who depend on one node */
#define TOPOLOGY_KEYS_MAX 128		/* that one alert has: of the nodes that it belongs to, in their order */
#define RULESET_MEMORY_LIMIT ((size_t)512 << 20)

enum rule_when {
	WHEN_FIRING,		/* firing and info: the default */
	WHEN_RESOLVED,
	WHEN_ANY,
};

struct rule_param {
	struct str name;
	struct template *value;
};

struct rule_step {
	struct str name;		/* the runbook's name; with "-2", "-3" where a rule has it again */
	const struct runbook *runbook;
	struct rule_param *with;
	size_t with_n;
	struct template *pool;		/* NULL: "default" */
	int64_t timeout_ms;		/* 0: the runbook's own; may only shorten it */
	bool always;
};

/* At most `count` within any `per_ms`; count 0: no limit. */
struct rule_limit {
	int64_t count;
	int64_t per_ms;
};

enum rule_on_resolve {
	ON_RESOLVE_IGNORE,
	ON_RESOLVE_CANCEL,	/* the runs of this rule for this occurrence */
	ON_RESOLVE_STEP,	/* resolve_steps run, where the rule has run for this occurrence */
};

struct rule_slo {
	double objective;	/* percent, 0 < objective < 100; 0: none */
	int64_t within_ms;	/* from event to the end of a run that succeeded */
	int64_t window_ms;
};

/* A rule over several events. */
enum rule_gate_kind {
	RULE_GATE_NONE,
	RULE_GATE_THRESHOLD,	/* `count` events within `within_ms` */
	RULE_GATE_ALL_OF,	/* `count` parts, in any order */
	RULE_GATE_SEQUENCE,	/* in this one */
	RULE_GATE_ABSENT,	/* none for `within_ms` */
};
const char *rule_gate_name(enum rule_gate_kind k);

struct rule_gate {
	enum rule_gate_kind kind;
	int64_t count;
	int64_t within_ms;		/* of absent: its `every` */
	struct field *by;		/* n == 0: one for all events */
	size_t by_n;
	struct str parts;		/* their texts for people, a line each, cut */
	struct rule_step *timeout_steps;	/* on_timeout */
	size_t timeout_steps_n;
};

struct rule {
	/* What matching looks at: side by side, since of many rules most are not in the processor's cache. */
	struct matchers match;		/* all must hold */
	struct matchers *any;		/* one must hold; n == 0: no condition */
	size_t any_n;
	enum rule_when when;
	bool sees_own_events;		/* names event.type or event.source */
	bool by_parts;			/* all_of, sequence: `any` are its parts, and which of them hold is told */

	struct str name;
	struct str description;
	struct str file;
	int line;
	struct str text;		/* as it stands in its file, from its first key, or the brace before it, on: for people; ""
					 * where something else stands before it in its line */
	int text_column;		/* where that begins, from 1; at least 3 */
	int match_line, match_column;	/* of the text of `match`, else of `any` */
	struct str source_yaml;		/* the texts of `match` as written, joined by ", ", and those of `any` as
					 * "any(a; b)": for GET /rules */
	int64_t cooldown_ms;		/* 0 none */
	struct field *cooldown_by;	/* n == 0: by the incident's correlation key */
	size_t cooldown_by_n;
	int64_t for_ms;			/* still firing after; 0: at once */
	struct rule_limit limit_runs;
	struct rule_limit limit_hosts;	/* distinct hosts: label instance without its port, else host */
	enum rule_on_resolve on_resolve;
	struct rule_step *resolve_steps;
	size_t resolve_steps_n;
	struct rule_step *failure_steps;	/* on_failure */
	size_t failure_steps_n;
	bool skip_flapping;		/* on_flapping: skip */
	bool approval;			/* a person has to say yes */
	int64_t approval_expires_ms;	/* 0: never */
	struct rule_slo slo;
	struct rule_gate gate;
	bool only_root;			/* only: root */
	bool dry_run;			/* mode: dry_run */
	struct rule_step *steps;
	size_t steps_n;
	bool parallel;			/* they start at once */
};

struct runbooks {			/* sorted by name; owned by the ruleset once built */
	struct runbook **v;
	size_t n;
};

struct ruleset {
	struct arena arena;
	unsigned refs;			/* one thread */
	struct rule *rules;		/* in order of file name, then of the file */
	size_t rules_n;
	struct patterns patterns;
	struct runbooks runbooks;
	struct conf_correlation *correlation_conf;	/* a copy, as written: for people */
	struct correlation *correlation;
	size_t correlation_n;
	struct planned *planned;	/* maintenance and inhibit; NULL: there is none */
	struct matchers *changes;	/* one must hold */
	struct str *changes_text;
	size_t changes_n;
	struct topology_node *nodes;
	size_t nodes_n;
	struct matcher_scratch *scratch;
	struct index *index;		/* over the rules */
	char hash[HASH_SHA256_HEX];	/* of the rules' and runbooks' bytes, the correlation, changes and topology */
};

struct ruleset_file {
	const char *name;
	struct str bytes;
};

struct ruleset_input {
	const struct ruleset_file *rules;	/* rules, patterns and topology, sorted by name */
	size_t rules_n;
	const struct ruleset_file *runbooks;	/* whole files, sorted by path */
	size_t runbooks_n;
	const struct conf *conf;		/* correlation, changes, limits.match_*; used only during the call */
};

/* NULL where d got an error. One reference for the caller. */
struct ruleset *ruleset_build(const struct ruleset_input *in, struct diags *d);

/* As ruleset_build; pace NULL: the same. */
struct ruleset *ruleset_build_paced(const struct ruleset_input *in, const struct pace *pace, struct diags *d);
/* What is allowed and hardly meant, as warnings: rules that can never match, that do what another one does, regexes
 * that can take very long. Costs more than building; not for a reload. */
void ruleset_check(const struct ruleset *rs, struct diags *d);
struct ruleset *ruleset_ref(struct ruleset *rs);
void ruleset_unref(struct ruleset *rs);
const struct runbook *ruleset_runbook(const struct ruleset *rs, struct str name);
/* By name for whoever typed it. NULL: ERR_NOT_FOUND, with the nearest name; a: for finding that. */
const struct rule *ruleset_find_rule(
	const struct ruleset *rs, struct str name, struct arena *a, struct err *e);
const struct runbook *ruleset_find_runbook(
	const struct ruleset *rs, struct str name, struct arena *a, struct err *e);

/* One rule that wants the event (or could not tell: failed). */
struct rule_match {
	const struct rule *rule;
	struct matcher_groups groups;
	uint32_t parts;		/* of a rule by parts: bit i, part i holds */
	bool failed;		/* a regex gave up: decision `error` */
	struct str reason;	/* where failed */
};

/* The rules that match, in order, in a. `when` is looked at, too. -1: the arena is full. */
int ruleset_match(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_match **out, size_t *n);
/* The same by looking at each rule: what tests and the benchmark hold the index against. */
int ruleset_match_scan(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_match **out, size_t *n);

/* One step with everything filled in that is known at decision time. */
struct rule_rendered_step {
	const struct rule_step *step;
	struct str pool;
	struct str params_json;	/* checked, defaults filled in; or where late: templates in which what is known by now is
				 * filled in as constants, defaults not filled in */
	bool late;		/* rendered and checked again at the claim */
};
/* The rule's `steps`. ERR_INPUT: the decision is `error` with this text. Steps in a. */
int rule_render(const struct rule_match *m, struct arena *a, const struct event *ev,
	struct rule_rendered_step **out, size_t *n, struct err *e);
/* The same for a list of the rule: its steps, resolve_steps, failure_steps or gate.timeout_steps; *out has n elements. What a step on
 * failure asks of `steps.NAME.x` stays late, as everywhere. */
int rule_render_steps(const struct rule_match *m, const struct rule_step *steps, size_t n, struct arena *a,
	const struct event *ev, struct rule_rendered_step **out, struct err *e);
/* At the claim: params_json with templates -> texts, which runbook_check_params must see next. For the worker. */
int rule_render_late(struct arena *a, const struct json *params, const struct template_ctx *ctx,
	struct kv **out, size_t *n, struct err *e);

/* May this name a pool? Letters, digits and - _ . :, at most RULE_POOL_LIMIT bytes. */
bool rule_pool_ok(struct str pool);

/* Names and values of `by` as one text, "name=length:value;…", so that no two lists collide; a long one as its
 * SHA-256, with # in front. */
struct str rule_by_key(struct arena *a, const struct field *by, size_t n, const struct event *ev);

/* The maintenance windows and inhibit rules that the event belongs to, whenever that counts: lines as
 * store/library/37-planned.lua has them, in a; "" none. -1: the arena is full. */
int ruleset_facts(const struct ruleset *rs, struct arena *a, const struct event *ev, struct str *out);
bool ruleset_inhibits(const struct ruleset *rs);

/* Which incident the event belongs to: the first policy whose matchers hold and of whose `by` fields the event has at
 * least one; else the event's own source and fingerprint; "" for an event without either. -1: the arena is full. */
struct rule_correlation {
	struct str key;		/* opaque, unique by policy and values, at most 300 bytes */
	struct str key_json;	/* {"instance":"web-1:9100"}; long values are cut */
	int64_t window_ms;
};
int ruleset_correlate(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_correlation *out);

/* What limits of hosts count, and `host` in `same` of a topology means: label instance without its port, else host; "". */
struct str rule_host(const struct event *ev);

/* Where a firing alert stands among what depends on what. Two alerts belong together where one has "uKEY" (what is
 * depended on) and the other "dKEY" (what depends); KEY is NODE:HASH, of the node that is depended on. -1: the arena is
 * full. */
struct rule_topology {
	struct str *keys;
	size_t n;
};
int ruleset_topology(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_topology *out);

/* Does `changes` name it? Only what has the status info. */
bool ruleset_is_change(const struct ruleset *rs, struct arena *a, const struct event *ev);

#endif
