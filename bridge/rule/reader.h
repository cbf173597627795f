/* reader.h: reading a YAML tree into a struct, with findings that point at the byte. For this folder and trial/.
 *
 * Each function reads one value; where it is not what is wanted, it adds a finding and returns false, and the
 * caller goes on with the next one, so that all findings come at once. Keys are tables: name, how it is read.
 */
#ifndef RB_RULE_READER_H
#define RB_RULE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/yaml.h"

struct reader {
	struct arena *arena;
	const char *file;	/* name for findings */
	struct str bytes;	/* the file, for places inside a quoted text */
	struct diags *diags;
};

/* One key of a map. `later`: documented, but this version does not act on it. */
struct reader_key {
	const char *name;
	void (*read)(struct reader *r, const struct yaml *y, void *into);
	bool later;
};

void reader_error(struct reader *r, const struct yaml *y, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* At the key of y, not its value. */
void reader_error_key(struct reader *r, const struct yaml *y, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* e is about byte e->offset of the scalar y. prefix goes before it ("match: "). */
void reader_error_in(struct reader *r, const struct yaml *y, const char *prefix, const struct err *e);

/* Calls the reader of each key in the map y. Unknown keys are findings with the nearest name; what: "a rule". Keys
 * without a value (YAML_NULL) are findings, too. False: y is no map. */
bool reader_map(struct reader *r, const struct yaml *y, const char *what, const struct reader_key *keys, void *into);

/* A scalar, not empty. */
bool reader_text(struct reader *r, const struct yaml *y, struct str *out);
/* A name of what ("rule"): a-z, 0-9 and -, not first, at most so many. */
bool reader_name(struct reader *r, const struct yaml *y, const char *what, size_t most,
	struct str *out);
bool reader_bool(struct reader *r, const struct yaml *y, bool *out);
bool reader_int(struct reader *r, const struct yaml *y, int64_t least, int64_t most, int64_t *out);
bool reader_duration(struct reader *r, const struct yaml *y, int64_t least_ms, int64_t most_ms, int64_t *out);
bool reader_size(struct reader *r, const struct yaml *y, int64_t least, int64_t most, int64_t *out);
/* One of names (ended by NULL): its index. */
bool reader_choice(struct reader *r, const struct yaml *y, const char *const *names, int *out);
/* A list of scalars; one scalar alone is a list of one where single is true. *out are the nodes, in the arena. */
bool reader_list(struct reader *r, const struct yaml *y, bool single, const struct yaml ***out, size_t *n);

#endif
