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
	struct str *broken;		/* runbooks that were found and refused: no finding that they are unknown */
	size_t broken_n;
	struct diags *diags;
};

/* One rule while its map is read; its steps come last, since they look at its matchers. */
struct rule_build {
	struct rules_build *all;
	struct rule *rule;
	const struct yaml *steps;
	bool match_bad; /* then what depends on its groups is not looked at */
};

/* Appends the step y to the rule, which has room for it. */
void rule_read_step(struct reader *r, const struct yaml *y, struct rule_build *of);
/* Appends the file's rules to rs->rules; findings go to diags. Rules with findings may be incomplete. */
void rules_read_file(struct rules_build *b, const struct ruleset_file *f);
/* After the last file: names that stand twice. */
void rules_check_names(struct rules_build *b);
/* Is this a pool's name? */
bool rule_pool_ok(struct str pool);

#endif
