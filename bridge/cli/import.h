/* import.h: what the importers share: reading the other program's file, notes, and rules and runbooks put into words.
 *
 * An importer (import_am.c, import_webhook.c, import_krpn.c) walks the file's tree and hands over rules and runbooks;
 * here they become text, are read back by the very code that will load them, and are printed or written. All texts live
 * in the command's arena. Whatever has no equivalent is a note: on standard error with its place, and as a comment at
 * the thing that it is about.
 */
#ifndef RB_CLI_IMPORT_H
#define RB_CLI_IMPORT_H

#include "base/yaml.h"
#include "cli/cli.h"

#define IMPORT_FILE_LIMIT ((size_t)16 << 20)	/* bytes of the other program's file */
#define IMPORT_NAME_LIMIT 60			/* bytes of a name that is made */
#define IMPORT_SHORT_LIMIT 160			/* bytes of a command in a description */
#define IMPORT_TIMEOUT "24h"			/* those programs have none; this is the most that there is */

struct texts {			/* grows in the arena; {0} is empty */
	struct str *v;
	size_t n, cap;
};

struct import_step {
	struct str runbook;
	struct kv *with;	/* values are templates */
	size_t with_n;
};

struct import_rule {
	struct str name;
	struct str description;
	struct texts match;	/* matchers, all must hold */
	struct texts any;	/* matchers, one must hold; empty: none */
	struct texts by;	/* of the cooldown */
	struct str cooldown;	/* a duration; "" none */
	const char *when;	/* NULL: the default */
	const char *on_resolve;	/* NULL: the default */
	bool dry_run;		/* what it lost would have held it back: it must not run as it is */
	struct import_step *steps;
	size_t steps_n;
	struct texts notes;
};

struct import_runbook {
	struct str name;
	struct str summary;
	const char *interpreter;
	bool am_executor;	/* compat */
	const char *grace;	/* NULL: the default */
	struct texts params;	/* names; strings, not required */
	struct texts notes;
	struct buf body;	/* the script below the front matter; released by import_put_runbook */
};

struct import_file {
	struct str path;	/* below the folder */
	struct str text;
	bool executable;
};

struct import {
	struct cli *c;
	struct arena *a;	/* the command's */
	const char *path;	/* the other program's file */
	const char *program;	/* its name */
	const char *slug;	/* of our rules file */
	struct diags diags;
	struct texts names;	/* taken */
	struct texts notes;	/* about the whole */
	struct buf rules;
	size_t rules_n;
	struct import_file *files;
	size_t files_n, files_cap;
};

/* Reads the file (YAML, or JSON by its first byte) into *root. Always to be ended by import_end, whatever it returns;
 * -1: nothing to walk. */
int import_begin(struct import *im, struct cli *c, const char *path, const struct yaml **root);
/* Reads all back, then writes or prints. The command's exit status. */
int import_end(struct import *im);

/* A note about y (NULL: the whole), in `to`, too, unless that is NULL. */
void import_note(struct import *im, struct texts *to, const struct yaml *y, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The file is not what it should be: nothing is written. */
void import_error(struct import *im, const struct yaml *y, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Notes each key of the map y that is not in known (ended by NULL). */
void import_unknown_keys(struct import *im, struct texts *to, const struct yaml *y, const char *const *known);

/* A name of a-z, 0-9 and - that begins with prefix and that nothing else here has. */
struct str import_name(struct import *im, const char *prefix, struct str wish);
/* The last part of a path. */
struct str import_base_name(struct str path);
/* The note on the limits that hold back what ran before. */
void import_note_brakes(struct import *im);
void import_put_rule(struct import *im, const struct import_rule *r);
void import_put_runbook(struct import *im, struct import_runbook *r);
void import_put_file(struct import *im, struct str path, struct str text, bool executable);

/* A scalar's text; "" for NULL, null, lists and maps. */
struct str import_text(const struct yaml *y);
void texts_add(struct arena *a, struct texts *t, struct str s);
/* Joined and copied: texts_join(a, x, y, z, NULL-ended list of struct str is what C lacks). */
struct str import_cat(struct arena *a, struct str x, struct str y, struct str z);

/* ---- import_text.c: quoting ---- */
/* s for people: at most IMPORT_SHORT_LIMIT bytes of it, and "…" where there was more. */
struct str import_short(struct arena *a, struct str s);
/* As one word of sh. */
void import_sh(struct buf *out, struct str s);
/* As a YAML scalar on one line. */
void import_yaml(struct buf *out, struct str s);
/* As comment lines, each with `before`; nothing in text can end the comment. */
void import_comment(struct buf *out, const char *before, struct str text);
/* Matchers LEFT OP "value"; left is a field as written. */
struct str import_matcher(struct arena *a, struct str left, const char *op, struct str value);
/* The left side of a label, of an annotation or of data; "" where it cannot be written. */
struct str import_label(struct arena *a, struct str name);
struct str import_field(struct arena *a, const char *prefix, struct str path);
/* {{ ROOT.path FILTERS }}; each part of a dotted path is quoted where it needs to be. */
struct str import_template(struct arena *a, const char *root, struct str path, bool dotted, const char *filters);
/* A regex of Go's that may match anywhere, as one of ours, which matches the whole. */
struct str import_regex(struct arena *a, struct str go);
/* What of it means something else in PCRE2; NULL: nothing. */
const char *import_regex_differs(struct str go);
/* Does our engine take it; and does it match the empty text? */
bool import_regex_ok(struct arena *a, struct str ours);
bool import_regex_empty(struct arena *a, struct str ours);

#endif
