/* import.c: the frame of `runbookctl import`: the file in, rules and runbooks out.
 *
 * Guarantees: what is printed or written was read back by ruleset_build, so `runbookctl check` takes
 * it; no file that is there is ever written over, and where one of them is there nothing is written;
 * nothing of the other program's file is executed or opened. What has no equivalent is a note, on
 * standard error and as a comment.
 *
 * JSON is turned into the same tree as YAML, with lines from its byte offsets.
 */
#include "cli/import.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "rule/ruleset.h"

/* ---- small things ---- */

void texts_add(struct arena *a, struct texts *t, struct str s)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 8;
		struct str *v = arena_grow(a, t->v, t->cap * sizeof(*v), cap * sizeof(*v));
		if (!v)
			return;
		t->v = v;
		t->cap = cap;
	}
	t->v[t->n++] = s;
}

struct str import_cat(struct arena *a, struct str x, struct str y, struct str z)
{
	char *p = arena_alloc(a, x.n + y.n + z.n + 1);
	struct str parts[] = {x, y, z};
	size_t n = 0;

	for (size_t i = 0; p && i < 3; i++) {
		if (parts[i].n)
			memcpy(p + n, parts[i].p, parts[i].n);
		n += parts[i].n;
	}
	if (p)
		p[n] = '\0';
	return (struct str){p, p ? n : 0};
}

struct str import_text(const struct yaml *y)
{
	return y && y->kind == YAML_SCALAR ? y->text : STR_NONE;
}

/* ---- notes ---- */

static struct str vformat(struct import *im, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* On one line, whatever the file's texts hold. */
static struct str vformat(struct import *im, const char *fmt, va_list ap)
{
	char *text = NULL;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	if (vasprintf(&text, fmt, ap) >= 0)
		term_escape(&b, str_of(text));
	struct str s = arena_strdup(im->a, buf_as_str(&b));
	free(text);
	buf_release(&b);
	return s;
}

void import_note(struct import *im, struct texts *to, const struct yaml *y, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct str text = vformat(im, fmt, ap);
	va_end(ap);
	diag_add(&im->diags, DIAG_WARNING, im->path, y ? y->line : 0, y ? y->column : 0, "%s",
		text.p ? text.p : "");
	if (to)
		texts_add(im->a, to, text);
}

void import_error(struct import *im, const struct yaml *y, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct str text = vformat(im, fmt, ap);
	va_end(ap);
	diag_add(&im->diags, DIAG_ERROR, im->path, y ? y->line : 0, y ? y->column : 0, "%s",
		text.p ? text.p : "");
}

void import_unknown_keys(
	struct import *im, struct texts *to, const struct yaml *y, const char *const *known)
{
	for (const struct yaml *m = y ? y->child : NULL; m; m = m->next) {
		size_t i = 0;
		while (known[i] && !str_is(m->key, known[i]))
			i++;
		if (!known[i])
			import_note(im, to, m, "'%.*s' is no key that is known here; it is left out",
				STR_ARG(m->key));
	}
}

/* ---- reading ---- */

struct convert { /* byte offsets to lines, going forward as the tree does */
	struct arena *a;
	struct str text;
	size_t at, line_start;
	int line;
};

static void place(struct convert *c, size_t offset, struct yaml *y)
{
	if (offset < c->at) {
		c->at = c->line_start = 0;
		c->line = 1;
	}
	for (; c->at < offset && c->at < c->text.n; c->at++) {
		if (c->text.p[c->at] == '\n') {
			c->line++;
			c->line_start = c->at + 1;
		}
	}
	y->line = y->key_line = c->line;
	y->column = y->key_column = (int)(c->at - c->line_start) + 1;
}

static struct yaml *convert(struct convert *c, const struct json *j)
{
	static const enum yaml_kind kinds[] = {
		[JSON_NULL] = YAML_NULL,
		[JSON_BOOL] = YAML_SCALAR,
		[JSON_NUMBER] = YAML_SCALAR,
		[JSON_STRING] = YAML_SCALAR,
		[JSON_ARRAY] = YAML_SEQ,
		[JSON_OBJECT] = YAML_MAP,
	};
	struct yaml *y = arena_zalloc(c->a, sizeof(*y));
	struct yaml **last = y ? &y->child : NULL;

	if (!y)
		return NULL;
	y->kind = kinds[j->kind];
	y->plain = j->kind == JSON_BOOL || j->kind == JSON_NUMBER;
	y->text = j->kind == JSON_BOOL ? (j->boolean ? STR("true") : STR("false")) : j->text;
	y->key = j->key;
	y->count = j->count;
	place(c, j->offset, y);
	for (const struct json *m = j->child; m; m = m->next) {
		*last = convert(c, m);
		if (!*last)
			return NULL;
		last = &(*last)->next;
	}
	return y;
}

static const struct yaml *read_json(struct import *im, struct str bytes)
{
	struct convert c = {im->a, bytes, 0, 0, 1};
	struct yaml at = {0};
	struct err e = {0};
	const struct json *j = json_parse(im->a, bytes, &e);

	if (j)
		return convert(&c, j);
	place(&c, e.offset, &at);
	import_error(im, &at, "%s", e.text);
	return NULL;
}

int import_begin(struct import *im, struct cli *c, const char *path, const struct yaml **root)
{
	struct err e = {0};
	struct buf b;
	size_t i = 0;

	im->c = c;
	im->a = &c->arena;
	im->path = path;
	diags_init(&im->diags);
	buf_init(&im->rules, BUF_NO_LIMIT);
	buf_init(&b, IMPORT_FILE_LIMIT);
	*root = NULL;
	if (file_read(path, &b, &e) < 0) {
		import_error(im, NULL, "%s", e.text);
		buf_release(&b);
		return -1;
	}
	struct str bytes = arena_strdup(im->a, buf_as_str(&b));
	buf_release(&b);
	while (i < bytes.n && strchr(" \t\r\n", bytes.p[i]))
		i++;
	if (i < bytes.n && (bytes.p[i] == '{' || bytes.p[i] == '['))
		*root = read_json(im, bytes);
	else
		*root = yaml_parse(im->a, bytes, path, &im->diags);
	if (!*root && im->diags.errors == 0)
		import_error(im, NULL, "no memory");
	return *root ? 0 : -1;
}

void import_note_brakes(struct import *im)
{
	import_note(im, &im->notes, NULL,
		"runbookd has brakes that %s had not: limits.runs (100 in 1m) and limits.hosts (10 in 10m) over all rules; "
		"past them the decision is `limit`. Raise them in runbookd.yml where more is normal",
		im->program);
}

/* ---- names ---- */

struct str import_base_name(struct str path)
{
	for (size_t i = path.n; i-- > 0;)
		if (path.p[i] == '/' && i + 1 < path.n)
			return (struct str){path.p + i + 1, path.n - i - 1};
	return path;
}

static bool is_taken(const struct import *im, struct str name)
{
	for (size_t i = 0; i < im->names.n; i++)
		if (str_eq(im->names.v[i], name))
			return true;
	return false;
}

struct str import_name(struct import *im, const char *prefix, struct str wish)
{
	char s[IMPORT_NAME_LIMIT + 1];
	size_t n = 0;

	for (size_t i = 0; i < wish.n && n < IMPORT_NAME_LIMIT; i++) {
		unsigned char c = (unsigned char)wish.p[i];
		if (c < 0x80 && isalnum(c))
			s[n++] = (char)tolower(c);
		else if (n > 0 && s[n - 1] != '-')
			s[n++] = '-';
	}
	while (n > 0 && s[n - 1] == '-')
		n--;
	s[n] = '\0';
	struct str name = arena_printf(im->a, "%s%s", prefix, n ? s : "unnamed");
	for (int i = 2; is_taken(im, name); i++)
		name = arena_printf(im->a, "%s%s-%d", prefix, n ? s : "unnamed", i);
	texts_add(im->a, &im->names, name);
	return name;
}

/* ---- putting into words ---- */

static void put_notes(struct buf *out, const char *before, const struct texts *notes)
{
	char first[40], next[40];

	snprintf(first, sizeof(first), "%sNote: ", before);
	snprintf(next, sizeof(next), "%s", before);
	for (size_t i = 0; i < notes->n; i++) {
		struct buf b;
		buf_init(&b, BUF_NO_LIMIT);
		buf_puts(&b, "Note: ");
		buf_str(&b, notes->v[i]);
		import_comment(out, next, buf_as_str(&b));
		buf_release(&b);
	}
}

static void put_list(struct buf *out, const char *key, const struct texts *t)
{
	if (t->n == 0)
		return;
	buf_printf(out, "    %s:\n", key);
	for (size_t i = 0; i < t->n; i++) {
		buf_puts(out, "      - ");
		import_yaml(out, t->v[i]);
		buf_putc(out, '\n');
	}
}

static void put_step(struct buf *out, const struct import_step *s)
{
	buf_printf(out, "      - runbook: %.*s\n", STR_ARG(s->runbook));
	if (s->with_n)
		buf_puts(out, "        with:\n");
	for (size_t i = 0; i < s->with_n; i++) {
		buf_printf(out, "          %.*s: ", STR_ARG(s->with[i].name));
		import_yaml(out, s->with[i].value);
		buf_putc(out, '\n');
	}
}

static bool is_bare(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !strchr("._", s.p[i]))
			return false;
	return s.n > 0;
}

static void put_cooldown(struct buf *out, const struct import_rule *r)
{
	if (r->cooldown.n == 0)
		return;
	buf_printf(out, "    cooldown: {every: %.*s, by: [", STR_ARG(r->cooldown));
	for (size_t i = 0; i < r->by.n; i++) {
		buf_puts(out, i ? ", " : "");
		if (is_bare(r->by.v[i]))
			buf_str(out, r->by.v[i]);
		else
			import_yaml(out, r->by.v[i]);
	}
	buf_puts(out, "]}\n");
}

void import_put_rule(struct import *im, const struct import_rule *r)
{
	struct buf *out = &im->rules;

	if (im->rules_n++)
		buf_putc(out, '\n');
	put_notes(out, "  # ", &r->notes);
	buf_printf(out, "  - name: %.*s\n    description: ", STR_ARG(r->name));
	import_yaml(out, r->description);
	buf_putc(out, '\n');
	put_list(out, "match", &r->match);
	put_list(out, "any", &r->any);
	if (r->when)
		buf_printf(out, "    when: %s\n", r->when);
	put_cooldown(out, r);
	if (r->on_resolve)
		buf_printf(out, "    on_resolve: %s\n", r->on_resolve);
	if (r->dry_run)
		buf_puts(out, "    mode: dry_run   # see the notes above; take this off when they are settled\n");
	buf_puts(out, "    steps:\n");
	for (size_t i = 0; i < r->steps_n; i++)
		put_step(out, &r->steps[i]);
}

void import_put_file(struct import *im, struct str path, struct str text, bool executable)
{
	if (im->files_n == im->files_cap) {
		size_t cap = im->files_cap ? 2 * im->files_cap : 8;
		struct import_file *v = arena_grow(im->a, im->files, im->files_cap * sizeof(*v),
			cap * sizeof(*v));
		if (!v)
			return;
		im->files = v;
		im->files_cap = cap;
	}
	im->files[im->files_n++] = (struct import_file){path, arena_strdup(im->a, text), executable};
}

void import_put_runbook(struct import *im, struct import_runbook *r)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_printf(&b, "#!%s\n# ---\n# summary: ", r->interpreter);
	import_yaml(&b, r->summary);
	buf_puts(&b, "\n# timeout: " IMPORT_TIMEOUT "   # it had none; give it a shorter one\n");
	if (r->grace)
		buf_printf(&b, "# grace: %s\n", r->grace);
	if (r->am_executor)
		buf_puts(&b, "# compat: am-executor\n");
	if (r->params.n)
		buf_puts(&b, "# params:\n");
	for (size_t i = 0; i < r->params.n; i++)
		buf_printf(&b, "#   %.*s: {type: string}\n", STR_ARG(r->params.v[i]));
	buf_printf(&b, "# ---\n# Imported from %s. Its output is this runbook's.\n", im->program);
	put_notes(&b, "# ", &r->notes);
	buf_str(&b, buf_as_str(&r->body));
	buf_release(&r->body);
	import_put_file(im,
		arena_printf(im->a, "runbooks/%.*s.sh", STR_ARG(r->name)), buf_as_str(&b), true);
	buf_release(&b);
}

static void put_rules_file(struct import *im)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_printf(&b, "# Imported from %s by runbookctl import; docs/migrating.md says what became of what.\n",
		im->program);
	put_notes(&b, "# ", &im->notes);
	buf_puts(&b, im->rules_n ? "rules:\n" : "rules: []\n");
	buf_str(&b, buf_as_str(&im->rules));
	import_put_file(im, arena_printf(im->a, "rules/imported-%s.yml", im->slug), buf_as_str(&b), false);
	buf_release(&b);
}

/* ---- reading back ---- */

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct ruleset_file *)x)->name, ((const struct ruleset_file *)y)->name);
}

static bool starts(const struct import_file *f, const char *folder)
{
	return str_starts(f->path, str_of(folder));
}

/* What we made and could not load would be a bug of ours: it is said, and nothing is handed out. */
static bool check_made(struct import *im)
{
	struct ruleset_file *v = calloc(im->files_n + 1, sizeof(*v)), rules = {0};
	struct diags d;
	struct conf *conf;
	struct ruleset *rs = NULL;
	size_t n = 0;

	diags_init(&d);
	conf = conf_load(NULL, &d);
	for (size_t i = 0; v && i < im->files_n; i++) {
		struct ruleset_file file = {im->files[i].path.p, im->files[i].text};
		if (starts(&im->files[i], "runbooks/"))
			v[n++] = file;
		else if (starts(&im->files[i], "rules/"))
			rules = file;
	}
	if (v && n > 1)
		qsort(v, n, sizeof(*v), by_name);
	if (v && conf) {
		struct ruleset_input in = {&rules, 1, v, n, conf};
		rs = ruleset_build(&in, &d);
	}
	for (size_t i = 0; !rs && i < d.n; i++)
		if (d.v[i].kind == DIAG_ERROR)
			diag_add(&im->diags, DIAG_ERROR, im->path, 0, 0,
				"what was made of it is refused; this is a bug of import: %s:%d:%d: %s",
				d.v[i].file, d.v[i].line, d.v[i].column, d.v[i].text);
	bool good = rs != NULL;
	if (rs)
		ruleset_unref(rs);
	conf_free(conf);
	diags_release(&d);
	free(v);
	return good;
}

/* ---- out ---- */

static const char *full_path(struct import *im, const char *dir, struct str path)
{
	return import_cat(im->a, str_of(dir), STR("/"), path).p;
}

static int write_one(const char *path, const struct import_file *f, struct err *e)
{
	mode_t mode = f->executable ? 0755 : 0644;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	struct str left = f->text;

	if (fd < 0)
		return err_sys(e, "cannot write '%s'", path);
	while (left.n) {
		ssize_t n = write(fd, left.p, left.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		left = (struct str){left.p + n, left.n - (size_t)n};
	}
	/* The umask may have taken the x bit; a runbook has to have one. */
	if (left.n || fchmod(fd, mode) < 0 || fsync(fd) < 0) {
		err_sys(e, "cannot write '%s'", path);
		close(fd);
		return -1;
	}
	return close(fd) < 0 ? err_sys(e, "cannot write '%s'", path) : 0;
}

static bool none_there(struct import *im, const char *dir)
{
	bool none = true;
	struct stat st;

	for (size_t i = 0; i < im->files_n; i++) {
		const char *path = full_path(im, dir, im->files[i].path);
		if (path && lstat(path, &st) < 0 && errno == ENOENT)
			continue;
		cli_error("'%s' is there already; nothing was written; move it away, or give another folder",
			path ? path : "");
		none = false;
	}
	return none;
}

static int write_files(struct import *im, const char *dir)
{
	static const char *const folders[] = {"rules", "runbooks"};
	struct err e = {0};

	if (!none_there(im, dir))
		return CLI_FAILED;
	for (size_t i = 0; i < 2; i++) {
		const char *path = full_path(im, dir, str_of(folders[i]));
		if (!path || file_mkdirs(path, 0755, &e) < 0) {
			cli_error("%s", e.text);
			return CLI_FAILED;
		}
	}
	for (size_t i = 0; i < im->files_n; i++) {
		const char *path = full_path(im, dir, im->files[i].path);
		if (!path || write_one(path, &im->files[i], &e) < 0) {
			cli_error("%s; what was written before it is left there", e.text);
			return CLI_FAILED;
		}
		buf_printf(&im->c->out, "%s\n", path);
	}
	return CLI_GOOD;
}

static void print_files(struct import *im)
{
	struct buf *out = &im->c->out;

	for (size_t i = 0; i < im->files_n; i++) {
		const struct import_file *f = &im->files[i];
		buf_printf(out, "%s==> %.*s%s <==\n", i ? "\n" : "", STR_ARG(f->path),
			f->executable ? " (chmod 755)" : "");
		term_escape_lines(out, f->text);
	}
}

static void print_data(struct import *im)
{
	struct err e = {0};
	struct json_w w;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	json_w_key(&w, STR("files"));
	json_w_array(&w);
	for (size_t i = 0; i < im->files_n; i++) {
		json_w_object(&w);
		json_w_kstr(&w, "path", im->files[i].path);
		json_w_kbool(&w, "executable", im->files[i].executable);
		json_w_kstr(&w, "text", im->files[i].text);
		json_w_end(&w, '}');
	}
	json_w_end(&w, ']');
	json_w_end(&w, '}');
	const struct json *j = json_parse(im->a, buf_as_str(&b), &e);
	if (j)
		cli_print(im->c, j);
	buf_release(&b);
}

static void print_notes(const struct import *im)
{
	struct buf lines, out;

	buf_init(&lines, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	diags_print(&im->diags, &lines);
	term_escape_lines(&out, buf_as_str(&lines));
	fputs(out.p ? out.p : "", stderr);
	buf_release(&lines);
	buf_release(&out);
}

int import_end(struct import *im)
{
	int rc = CLI_FAILED;

	if (im->diags.errors == 0) {
		put_rules_file(im);
		if (arena_failed(im->a) || buf_failed(&im->rules))
			import_error(im, NULL, "no memory");
		else if (check_made(im))
			rc = CLI_GOOD;
	}
	print_notes(im);
	if (rc == CLI_GOOD && im->c->o.to)
		rc = write_files(im, im->c->o.to);
	else if (rc == CLI_GOOD && im->c->o.format == CLI_TABLE)
		print_files(im);
	else if (rc == CLI_GOOD)
		print_data(im);
	buf_release(&im->rules);
	diags_release(&im->diags);
	return rc;
}
