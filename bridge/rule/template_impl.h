/* template_impl.h: a parsed template, for template.c and template_render.c only. */
#ifndef RB_RULE_TEMPLATE_IMPL_H
#define RB_RULE_TEMPLATE_IMPL_H

#include "rule/template.h"

enum filter_kind {
	FILTER_DEFAULT,
	FILTER_LOWER,
	FILTER_HOST,
	FILTER_JSON,
};

struct filter {
	enum filter_kind kind;
	struct str argument;
};

enum event_member {
	MEMBER_ID,
	MEMBER_SOURCE,
	MEMBER_TYPE,
	MEMBER_STATUS,
	MEMBER_SEVERITY,
	MEMBER_SUMMARY,
	MEMBER_FINGERPRINT,
	MEMBER_TIME,
	MEMBER_RECEIVED,
	MEMBER_STARTS_AT,
	MEMBER_ENDS_AT,
};

struct expr {
	enum template_root root;
	enum event_member member; /* where root is TEMPLATE_EVENT */
	struct str constant;
	struct str *path;
	size_t path_n;
	struct str path_text; /* as written */
	struct filter *filters;
	size_t filters_n;
	bool late;
};

struct part {
	struct str text; /* as written, with the braces where it is an expression */
	struct expr *expr;
	size_t offset;
};

struct template {
	struct str text;
	struct part *parts;
	size_t n;
	bool late;
	bool constant;
};

#endif
