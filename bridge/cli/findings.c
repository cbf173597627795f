/* findings.c: what --check says, printed by runbookctl: as lines, or as data by -o.
 *
 * Knows nothing of where the findings came from.
 */
#include "cli/cli.h"

/* Errors and warnings apart: what must be mended comes first. */
void cli_print_lines(struct cli *c, const struct diags *d)
{
	struct diag v[DIAGS_MAX];
	struct diags sorted = {.v = v, .errors = d->errors, .warnings = d->warnings};
	struct buf lines;

	for (int kind = DIAG_ERROR; kind <= DIAG_WARNING; kind++)
		for (size_t i = 0; i < d->n && sorted.n < DIAGS_MAX; i++)
			if ((int)d->v[i].kind == kind)
				v[sorted.n++] = d->v[i];
	buf_init(&lines, BUF_NO_LIMIT);
	diags_print(&sorted, &lines);
	term_escape_lines(&c->out, buf_as_str(&lines));
	buf_release(&lines);
}

static void write_finding(struct json_w *w, const struct diag *f)
{
	json_w_object(w);
	json_w_kstr(w, "kind", f->kind == DIAG_ERROR ? STR("error") : STR("warning"));
	json_w_kstr(w, "file", str_of(f->file));
	json_w_ki64(w, "line", f->line);
	json_w_ki64(w, "column", f->column);
	json_w_kstr(w, "message", str_of(f->text));
	json_w_end(w, '}');
}

void cli_write_findings(struct json_w *w, const struct diags *d)
{
	json_w_array(w);
	for (size_t i = 0; i < d->n; i++)
		write_finding(w, &d->v[i]);
	json_w_end(w, ']');
}

static void print_data(struct cli *c, const struct diags *d, bool good)
{
	const struct json *j;
	struct err e = {0};
	struct json_w w;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	json_w_kbool(&w, "good", good);
	json_w_ki64(&w, "errors", (int64_t)d->errors);
	json_w_ki64(&w, "warnings", (int64_t)d->warnings);
	json_w_key(&w, STR("findings"));
	cli_write_findings(&w, d);
	json_w_end(&w, '}');
	j = json_parse(&c->arena, buf_as_str(&b), &e);
	if (j)
		cli_print(c, j);
	buf_release(&b);
}

void cli_print_findings(struct cli *c, const struct diags *d, bool good)
{
	if (c->o.format == CLI_TABLE)
		cli_print_lines(c, d);
	else
		print_data(c, d, good);
}
