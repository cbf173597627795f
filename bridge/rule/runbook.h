/* runbook.h: a runbook's front matter, as a value.
 *
 * Pure: bytes in, struct out. Who may change the file is for file_check_safe; that the file is the one
 * named is for those who read it (flow/load.h for the bridge, run/ for the worker).
 */
#ifndef RB_RULE_RUNBOOK_H
#define RB_RULE_RUNBOOK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"

#define RUNBOOK_FRONT_MATTER_LIMIT (64 << 10)	/* bytes from the file's start within which it must end */
#define RUNBOOK_TIMEOUT_DEFAULT_MS 60000
#define RUNBOOK_GRACE_DEFAULT_MS 10000
#define RUNBOOK_OUTPUT_DEFAULT (256 << 10)
#define RUNBOOK_OUTPUT_MAX (16 << 20)
#define RUNBOOK_PARAM_LIMIT (64 << 10)		/* bytes of one parameter's value */
#define RUNBOOK_PARAMS_LIMIT 64
#define RUNBOOK_NAME_LIMIT 100			/* bytes */
#define RUNBOOK_TIMEOUT_MAX_MS (24 * 3600 * 1000)
#define RUNBOOK_GRACE_MAX_MS (10 * 60 * 1000)
#define RUNBOOK_RETRIES_MAX 100
#define RUNBOOK_PATTERN_MATCH_LIMIT 1000000	/* PCRE2's match limit for a parameter's pattern */

enum param_type {
	PARAM_STRING,
	PARAM_INT,
	PARAM_FLOAT,
	PARAM_BOOL,
	PARAM_ENUM,
	PARAM_DURATION,
};

enum runbook_kind {
	RUNBOOK_DIAGNOSE,
	RUNBOOK_REMEDIATE,
	RUNBOOK_NOTIFY,
};

struct param {
	struct str name;	/* [a-z_][a-z0-9_]* in any case: becomes PARAM_<name> */
	enum param_type type;
	bool required;
	bool has_default;
	struct str default_;
	struct str pattern;	/* unanchored PCRE2, where $ is the very end; "" none */
	void *code;		/* pcre2_code of pattern */
	struct str *values;	/* enum */
	size_t values_n;
	struct str summary;
};

enum runbook_compat {
	RUNBOOK_COMPAT_NONE,
	RUNBOOK_COMPAT_AM_EXECUTOR,	/* gets prometheus-am-executor's AMX_* too */
};

struct runbook {
	struct str name;	/* file name without extension */
	struct str path;	/* as found */
	struct str summary;
	enum runbook_kind kind;
	struct param *params;
	size_t params_n;
	int64_t timeout_ms;
	int64_t grace_ms;
	bool idempotent;
	int64_t retries_max;		/* 0 none */
	int64_t retries_backoff_ms;
	struct str user;		/* "" the worker's default */
	int64_t output_limit;
	struct str *env;
	size_t env_n;
	enum runbook_compat compat;
	char sha256[HASH_SHA256_HEX];	/* of the whole file */
};

/* Reads the front matter of a whole file's bytes: the first comment block whose line is only "---" after the comment
 * sign (#, //, --, ;, or %), up to the next such line. All errors into d with their place in the file. NULL on error;
 * a file without front matter is an error that shows the smallest one. Keys of the documented front matter that this
 * version does not act on yet (sandbox, secrets, concurrency, undo) are errors that say so: a promise that is
 * not kept is worse than none. */
struct runbook *runbook_parse(struct arena *a, struct str bytes, const char *path, struct diags *d);
void runbook_release(struct runbook *r);	/* the compiled patterns */
/* The file's name without folder and extension; borrowed from path. */
struct str runbook_name(const char *path);
const char *runbook_kind_name(enum runbook_kind k);
const char *param_type_name(enum param_type t);
const struct param *runbook_param(const struct runbook *r, struct str name);
/* One value against one parameter, as runbook_check_params does. */
int param_check(const struct param *p, struct str value, struct err *e);

/* The parameters as given (an object of strings, numbers, bools; NULL: none) checked against the front matter: unknown
 * name, missing, type, pattern, enum, length, NUL byte. *out: an object with each parameter's text, defaults filled in,
 * in the front matter's order, in arena a. ERR_INPUT names parameter, what was given (cut to 80 bytes) and what is wanted. */
int runbook_check_params(const struct runbook *r, struct arena *a, const struct json *given,
	struct kv **out, size_t *n, struct err *e);

#endif
