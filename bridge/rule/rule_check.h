/* rule_check.h: the parts of ruleset_check. For this folder only. */
#ifndef RB_RULE_RULE_CHECK_H
#define RB_RULE_RULE_CHECK_H

#include "rule/matcher_impl.h"
#include "rule/ruleset.h"

#define RULE_CHECK_STEPS 100000		/* of a regex on one text, past which it takes very long */
#define RULE_CHECK_LENGTH 256		/* bytes of such a text */
#define RULE_CHECK_MEMORY ((size_t)256 << 20)

struct rule_check {
	const struct ruleset *rs;
	struct diags *diags;
	const char *what;		/* that is looked at, as warnings call it */
	struct arena arena;		/* for what all rules need at once */
	struct arena scratch;		/* reset for each regex */
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

/* A warning at the rule's matchers. */
void rule_check_warn(struct rule_check *c, const struct rule *r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* 1 matches, 0 not, -1 gave up. */
int rule_check_regex_on(struct rule_check *c, const pcre2_code *code, struct str value);

/* A text for which the regex gives up, the beginning of it: "" none is known. In c->arena. */
struct str rule_check_worst(struct rule_check *c, struct str regex, const pcre2_code *code);

/* Matchers that exclude each other, and values that are not what they look like. */
void rule_check_matchers(struct rule_check *c, const struct rule *r);
/* The same of a log pattern's source. */
void rule_check_source(struct rule_check *c, const struct pattern *p);
/* Regexes of all rules and of the runbooks' parameters. */
void rule_check_regexes(struct rule_check *c);
/* Rules that do what an earlier one does. */
void rule_check_twins(struct rule_check *c);
/* Log patterns: what makes them slow, and what never comes to anything. */
void rule_check_patterns(struct rule_check *c);

#endif
