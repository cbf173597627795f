/* diag.c: a growing list of findings. It owns copies of all texts. Past DIAGS_MAX findings are
 * only counted, so that a broken file of 16 MiB makes no message of 16 MiB; the counts `errors`
 * and `warnings` go on, so whoever decides by them decides right. */
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void diags_init(struct diags *d)
{
	*d = (struct diags){0};
}

void diags_release(struct diags *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].file);
		free(d->v[i].text);
	}
	free(d->v);
	diags_init(d);
}

static struct diag *new_diag(struct diags *d)
{
	if (d->n >= DIAGS_MAX)
		return NULL;
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 8;
		struct diag *v = realloc(d->v, cap * sizeof(*v));
		if (!v)
			return NULL;
		d->v = v;
		d->cap = cap;
	}
	return &d->v[d->n];
}

void diag_add(struct diags *d, enum diag_kind kind, const char *file, int line, int column,
	const char *fmt, ...)
{
	if (kind == DIAG_ERROR)
		d->errors++;
	else
		d->warnings++;

	struct diag *g = new_diag(d);
	if (!g)
		return;
	va_list ap;
	va_start(ap, fmt);
	char *text = NULL;
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	char *name = strdup(file ? file : "");
	if (n < 0 || !name) {
		if (n >= 0)
			free(text);
		free(name);
		return;
	}
	*g = (struct diag){kind, name, line, column, text};
	d->n++;
}

void diags_print(const struct diags *d, struct buf *out)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *g = &d->v[i];
		if (g->file[0])
			buf_printf(out, "%s:", g->file);
		if (g->line)
			buf_printf(out, "%d:%d:", g->line, g->column ? g->column : 1);
		if (g->file[0] || g->line)
			buf_putc(out, ' ');
		buf_printf(out, "%s%s\n", g->kind == DIAG_WARNING ? "warning: " : "", g->text);
	}
	size_t all = d->errors + d->warnings;
	if (all > d->n)
		buf_printf(out, "%zu more findings are not shown\n", all - d->n);
}
