/* yaml.h: a YAML file as a tree that knows where each value stands.
 *
 * Read whole, owned by an arena; the parser is a library (docs/design/ says
 * which and why). Aliases, tags other than the core ones, several documents in
 * a file and doubled keys are errors with a place.
 */
#ifndef RB_BASE_YAML_H
#define RB_BASE_YAML_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/diag.h"
#include "base/str.h"

#define YAML_FILE_LIMIT ((size_t)16 << 20)
#define YAML_DEPTH_LIMIT 32

enum yaml_kind {
	YAML_NULL,	/* nothing, ~, null (plain) */
	YAML_SCALAR,
	YAML_SEQ,
	YAML_MAP,
};

struct yaml {
	enum yaml_kind kind;
	bool plain;		/* scalar without quotes: may be read as number or bool */
	struct str text;	/* scalar, NUL-terminated */
	struct str key;		/* where it is a map's value */
	int line, column;	/* of the value, from 1 */
	int key_line, key_column;
	struct yaml *child;	/* in order */
	struct yaml *next;
	size_t count;
};

/* NULL with a finding in d. An empty file is a YAML_NULL. name: the file's name for findings. */
struct yaml *yaml_parse(struct arena *a, struct str bytes, const char *name, struct diags *d);
/* As yaml_parse; line_base/column_base are added, for a front matter inside a script. */
struct yaml *yaml_parse_at(struct arena *a, struct str bytes, const char *name, int line_base,
	int column_base, struct diags *d);
const struct yaml *yaml_get(const struct yaml *y, const char *key);
/* A scalar as a C type; false where it is none. */
bool yaml_bool(const struct yaml *y, bool *v);	/* plain true / false */
bool yaml_i64(const struct yaml *y, int64_t *v);

#endif
