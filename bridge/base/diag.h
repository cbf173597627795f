/* diag.h: findings about files, all of them at once, as file:line:column.
 *
 * What --check prints, what a refused reload answers, what runbookctl check
 * shows. Errors and warnings apart; the order is the order of finding.
 */
#ifndef RB_BASE_DIAG_H
#define RB_BASE_DIAG_H

#include <stddef.h>
#include "base/buf.h"

enum diag_kind {
	DIAG_ERROR,
	DIAG_WARNING,
};

struct diag {
	enum diag_kind kind;
	char *file;	/* as the user named it; "" where there is none */
	int line;	/* from 1; 0 where there is none */
	int column;	/* from 1 */
	char *text;
};

struct diags {
	struct diag *v;
	size_t n;
	size_t cap;
	size_t errors;
	size_t warnings;
};

#define DIAGS_MAX 200	/* findings kept; one more line says that there are others */

void diags_init(struct diags *d);
void diags_release(struct diags *d);
void diag_add(struct diags *d, enum diag_kind kind, const char *file, int line, int column,
	const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Appends "file:line:column: message\n" (warnings: "file:line:column: warning: message\n"). */
void diags_print(const struct diags *d, struct buf *out);

#endif
