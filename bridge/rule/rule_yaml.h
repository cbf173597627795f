/* rule_yaml.h: rules files -> struct rule. For this folder only. */
#ifndef RB_RULE_RULE_YAML_H
#define RB_RULE_RULE_YAML_H

#include "rule/reader.h"
#include "rule/ruleset.h"

struct rules_place {
	int line, column;
};

/* A ruleset under construction. */
struct rules_build {
	struct ruleset *rs;		/* its runbooks are complete and sorted */
	size_t rules_cap;
	struct rules_place *name_places;	/* of each rule's name */
	size_t patterns_cap;
	struct rules_place *pattern_places;	/* of each pattern's name */
	struct str *broken;		/* runbooks that were found and refused: no finding that they are unknown */
	size_t broken_n;
	struct regex_pool *regexes;	/* of all rules */
	struct diags *diags;
};

/* The lists of steps of a rule, in the order in which they are read and named. */
enum rule_list {
	STEPS_MAIN,	/* steps */
	STEPS_RESOLVE,	/* on_resolve */
	STEPS_FAILURE,	/* on_failure: may use the results of STEPS_MAIN */
	STEPS_TIMEOUT,	/* on_timeout */
	STEPS_LISTS,
};

/* One rule while its map is read; its steps come last, since they look at its matchers. */
struct rule_build {
	struct rules_build *all;
	struct rule *rule;
	const struct yaml *lists[STEPS_LISTS];	/* NULL: none, or not to be read */
	bool match_bad; /* then what depends on its groups is not looked at */
};

/* Reads of->lists[which] into the rule: a list of steps, or one step. */
void rule_read_list(struct reader *r, struct rule_build *of, enum rule_list which);

/* Readers of single keys (rule_guards.c); into: a struct rule_build. */
void rule_read_for(struct reader *r, const struct yaml *y, void *into);
void rule_read_cooldown(struct reader *r, const struct yaml *y, void *into);
void rule_read_limits(struct reader *r, const struct yaml *y, void *into);
void rule_read_on_flapping(struct reader *r, const struct yaml *y, void *into);
void rule_read_approval(struct reader *r, const struct yaml *y, void *into);
void rule_read_only(struct reader *r, const struct yaml *y, void *into);
void rule_read_slo(struct reader *r, const struct yaml *y, void *into);
/* The same of rules over several events (rule_gates.c). */
void rule_read_threshold(struct reader *r, const struct yaml *y, void *into);
void rule_read_all_of(struct reader *r, const struct yaml *y, void *into);
void rule_read_sequence(struct reader *r, const struct yaml *y, void *into);
void rule_read_absent(struct reader *r, const struct yaml *y, void *into);
void rule_read_by(struct reader *r, const struct yaml *y, void *into);
void rule_read_within(struct reader *r, const struct yaml *y, void *into);
void rule_read_gate_every(struct reader *r, const struct yaml *y, void *into);
void rule_check_gate(struct reader *r, const struct yaml *y, const struct rule *rule);
/* A list of fields, as `by` has it. */
void rule_read_fields(struct reader *r, const struct yaml *y, struct field **out, size_t *out_n);
/* Where its matchers stand: the first place counts. */
void rule_note_place(struct rule *rule, const struct yaml *y);
/* rule_yaml.c: `match`, and n matchers of which one must hold, shown as NAME(a; b). */
void rule_read_match(struct reader *r, const struct yaml *y, struct rule_build *b);
void rule_read_any_list(struct reader *r, struct rule_build *b, const struct yaml **v, size_t n, const char *name);
/* After all keys: those that do not go together. */
void rule_check_together(struct reader *r, const struct yaml *y, const struct rule *rule);

/* Appends the file's rules to rs->rules; findings go to diags. Rules with findings may be incomplete. */
void rules_read_file(struct rules_build *b, const struct ruleset_file *f);
/* After the last file: names that stand twice. */
void rules_check_names(struct rules_build *b);
/* Is this a pool's name? */
bool rule_pool_ok(struct str pool);

#endif
