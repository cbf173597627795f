/* table.c: a table is collected whole, measured, and then printed.
 *
 * Owns the rule which column gives way: first the extra ones, from the right, until those that may be cut
 * have COLUMN_GOOD each; then the widest one that may be cut, down to COLUMN_LEAST; where even that does
 * not fit, the line ends at the terminal's edge. So no line wraps.
 */
#include "cli/table.h"

#include <limits.h>
#include <string.h>

#define COLUMN_LEAST 8
#define COLUMN_GOOD 24
#define LEFT_OUT (-1)	/* in place of a column's width */
#define COLUMNS_MAX 16
#define GAP 2

void table_init(struct table *t, struct arena *a, const struct table_column *columns, size_t n)
{
	*t = (struct table){.a = a, .columns = columns, .columns_n = n < COLUMNS_MAX ? n : COLUMNS_MAX};
}

static struct table_cell *next_cell(struct table *t)
{
	if (t->at == 0) {
		if (t->rows == t->cap) {
			size_t cap = t->cap ? t->cap * 2 : 64;
			size_t row = t->columns_n * sizeof(struct table_cell);
			struct table_cell *v = arena_grow(t->a, t->cells, t->cap * row, cap * row);

			if (!v)
				return NULL;
			t->cells = v;
			t->cap = cap;
		}
		memset(&t->cells[t->rows * t->columns_n], 0, t->columns_n * sizeof(*t->cells));
		t->rows++;
	}
	return &t->cells[(t->rows - 1) * t->columns_n + t->at];
}

void table_cell(struct table *t, enum style style, struct str text)
{
	struct table_cell *cell = next_cell(t);
	struct buf b;

	if (!cell)
		return;
	buf_init(&b, BUF_NO_LIMIT);
	term_escape(&b, text);
	cell->text = arena_strdup(t->a, buf_as_str(&b));
	cell->style = style;
	cell->width = term_width(cell->text);
	buf_release(&b);
	t->at = (t->at + 1) % t->columns_n;
}

void table_cellz(struct table *t, enum style style, const char *text)
{
	table_cell(t, style, str_of(text));
}

static void spaces(struct buf *out, int n)
{
	for (int i = 0; i < n; i++)
		buf_putc(out, ' ');
}

static void measure(const struct table *t, int *widths)
{
	for (size_t c = 0; c < t->columns_n; c++) {
		const char *title = t->columns[c].title;

		widths[c] = title ? term_width(str_of(title)) : 0;
		for (size_t r = 0; r < t->rows; r++) {
			int w = t->cells[r * t->columns_n + c].width;

			if (w > widths[c])
				widths[c] = w;
		}
	}
}

static bool may_be_cut(const struct table_column *c)
{
	return c->kind == COLUMN_FLEXIBLE || c->kind == COLUMN_EXTRA;
}

/* Of a line; cut_to: what a column that may be cut counts for at most. */
static int line_width(const struct table *t, const int *widths, int cut_to)
{
	int sum = t->indent - GAP;

	for (size_t c = 0; c < t->columns_n; c++) {
		if (widths[c] != LEFT_OUT)
			sum += GAP + (may_be_cut(&t->columns[c]) && widths[c] > cut_to ? cut_to : widths[c]);
	}
	return sum;
}

static void leave_out(const struct table *t, int *widths, int room)
{
	for (size_t c = t->columns_n; c > 0 && line_width(t, widths, COLUMN_GOOD) > room; c--) {
		if (t->columns[c - 1].kind == COLUMN_EXTRA)
			widths[c - 1] = LEFT_OUT;
	}
}

static void shrink(const struct table *t, int *widths, int room)
{
	for (int sum = line_width(t, widths, INT_MAX); sum > room; sum--) {
		size_t widest = t->columns_n;

		for (size_t c = 0; c < t->columns_n; c++) {
			if (may_be_cut(&t->columns[c]) && widths[c] > COLUMN_LEAST &&
				(widest == t->columns_n || widths[c] > widths[widest]))
				widest = c;
		}
		if (widest == t->columns_n)
			return;
		widths[widest]--;
	}
}

/* One line under way. */
struct line {
	const struct term *term;
	struct buf *out;
	int left;	/* columns that are not written yet */
	int owed;	/* spaces before the next text; at a line's end there are none */
};

/* width: of text; room: of its column. */
static void put(struct line *l, struct str text, int width, enum style style, int room, bool right)
{
	int took = width, pad;
	bool cut;

	if (room > l->left - l->owed)
		room = l->left - l->owed;
	if (room <= 0)
		return;
	cut = width > room;
	if (cut)
		text = term_fit(text, room - 1, &took);
	pad = room - took - cut;
	if (right)
		l->owed += pad;
	if (text.n || cut) {
		spaces(l->out, l->owed);
		l->left -= l->owed + took + cut;
		l->owed = 0;
		term_style_on(l->term, l->out, style);
		buf_str(l->out, text);
		buf_puts(l->out, cut ? "…" : "");
		term_style_off(l->term, l->out, style);
	}
	if (!right)
		l->owed += pad;
}

static void print_row(const struct table *t, const struct term *term, const int *widths, size_t row,
	struct buf *out)
{
	struct line l = {.term = term, .out = out, .left = term->width ? term->width : INT_MAX / 2,
		.owed = t->indent};

	for (size_t c = 0; c < t->columns_n; c++) {
		bool right = t->columns[c].kind == COLUMN_NUMBER;

		if (widths[c] == LEFT_OUT)
			continue;
		if (c)
			l.owed += GAP;
		if (row == 0) {
			struct str title = str_of(t->columns[c].title);

			put(&l, title, term_width(title), STYLE_BOLD, widths[c], right);
		} else {
			const struct table_cell *cell = &t->cells[(row - 1) * t->columns_n + c];

			put(&l, cell->text, cell->width, cell->style, widths[c], right);
		}
	}
	buf_putc(out, '\n');
}

void table_print(const struct table *t, const struct term *term, struct buf *out)
{
	int widths[COLUMNS_MAX] = {0};

	measure(t, widths);
	if (term->width) {
		leave_out(t, widths, term->width);
		shrink(t, widths, term->width);
	}
	if (t->columns_n && t->columns[0].title)
		print_row(t, term, widths, 0, out);
	for (size_t row = 1; row <= t->rows; row++)
		print_row(t, term, widths, row, out);
}
