/* table.h: rows under titles, as wide as the terminal lets them be.
 *
 * Cells are escaped on their way in. Without a terminal every cell is whole; on one, columns that can
 * be spared are left out and flexible ones cut with "…" until each line fits.
 */
#ifndef RB_CLI_TABLE_H
#define RB_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "cli/term.h"

enum table_kind {
	COLUMN_FIXED,		/* always whole: ids, words, times */
	COLUMN_NUMBER,		/* the same, to the right */
	COLUMN_FLEXIBLE,	/* may be cut */
	COLUMN_EXTRA,		/* left out where the others have no room, from the right; and may be cut */
};

struct table_column {
	const char *title;	/* NULL: a table without a title line, where it is the first one */
	enum table_kind kind;
};

struct table_cell {
	struct str text;	/* escaped */
	enum style style;
	int width;
};

struct table {
	struct arena *a;
	const struct table_column *columns;
	size_t columns_n;
	struct table_cell *cells;	/* row by row */
	size_t rows, cap;
	size_t at;			/* column of the next cell */
	int indent;			/* spaces before each line */
};

/* a owns the cells; columns are kept, not copied. */
void table_init(struct table *t, struct arena *a, const struct table_column *columns, size_t n);
/* Cells are added from left to right; the row ends by itself with its last column. */
void table_cell(struct table *t, enum style style, struct str text);
void table_cellz(struct table *t, enum style style, const char *text);
void table_print(const struct table *t, const struct term *term, struct buf *out);

#endif
