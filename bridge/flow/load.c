/* load.c: from the path of a configuration to a ruleset that is ready to match.
 *
 * Owns the way files are found: globs of rules files start at the configuration's folder, files are taken
 * in byte order of their paths, *.test.yml are left out; a runbook is an executable regular file of one of
 * the runbook folders, its name is the file's name without extension. Guarantees that a struct loaded is
 * whole: with one error anywhere there is none, and all errors that could be found were found. Who may
 * change a runbook is checked here as the user that runs this program; the worker checks again, as itself,
 * right before it executes.
 * Does not know what stands in the files (conf/, rule/), does not watch them, does not keep their bytes.
 */
#include "flow/load.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/yaml.h"
#include "conf/conf_table.h"
#include "contract/contract.h"
#include "flow/contracts.h"

#define LOAD_PATHS_LIMIT ((size_t)16 << 20)	/* bytes of all paths together */
#define LOAD_FILES_LIMIT 10000			/* rules files, and runbooks, each */
#define LOAD_BYTES_LIMIT ((size_t)256 << 20)	/* bytes of all files together */
#define LOAD_RUNBOOK_LIMIT ((size_t)4 << 20)	/* bytes of one runbook */

/* Paths in byte order, no path twice; the texts are NUL-terminated and live in the arena. */
struct paths {
	struct arena *a;
	struct str *v;
	size_t n, cap;
};

/* Files read whole; bytes are malloc'ed, names belong to an arena. */
struct files {
	struct ruleset_file *v;
	size_t n, cap;
	size_t bytes;
};

/* ---- paths ---- */

static bool paths_add(struct paths *p, struct str path)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;

		struct str *v = arena_grow(p->a, p->v, p->cap * sizeof(*v), cap * sizeof(*v));
		if (!v)
			return false;
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n] = arena_strdup(p->a, path);
	if (arena_failed(p->a))
		return false;
	p->n++;
	return true;
}

static int path_cmp(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void paths_sort_unique(struct paths *p)
{
	size_t kept = 0;

	if (p->n > 1)
		qsort(p->v, p->n, sizeof(p->v[0]), path_cmp);
	for (size_t i = 0; i < p->n; i++) {
		if (kept == 0 || !str_eq(p->v[kept - 1], p->v[i]))
			p->v[kept++] = p->v[i];
	}
	p->n = kept;
}

static bool str_ends(struct str s, const char *z)
{
	size_t n = strlen(z);

	return s.n >= n && memcmp(s.p + s.n - n, z, n) == 0;
}

static struct str base_name(struct str path)
{
	for (size_t i = path.n; i > 0; i--) {
		if (path.p[i - 1] == '/')
			return (struct str){path.p + i, path.n - i};
	}
	return path;
}

/* A runbook's name: the file's name up to its last dot; a dot at its start is no extension. */
static struct str stem(struct str path)
{
	struct str name = base_name(path);

	for (size_t i = name.n; i > 1; i--) {
		if (name.p[i - 1] == '.')
			return (struct str){name.p, i - 1};
	}
	return name;
}

/* ---- globs ---- */

/* The folder's part of a pattern must match itself, whatever characters it has. */
static struct str glob_pattern(struct arena *a, struct str dir, struct str text)
{
	struct str out, joined;
	char *p;

	if (text.n && text.p[0] == '/')
		return arena_strdup(a, text);
	p = arena_alloc(a, dir.n * 2 + 1);
	if (!p)
		return STR_NONE;
	out = (struct str){p, 0};
	for (size_t i = 0; i < dir.n; i++) {
		if (strchr("*?[\\", dir.p[i]))
			p[out.n++] = '\\';
		p[out.n++] = dir.p[i];
	}
	p[out.n] = '\0';
	joined = file_join(a, out, text);
	return joined;
}

struct glob_fault {
	char *path;
	int error;
};

/* glob(3) has no argument for its callback. */
static struct glob_fault glob_fault;

static int glob_failed(const char *path, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return 0;
	free(glob_fault.path);
	glob_fault.path = strdup(path);
	glob_fault.error = error;
	return 1;
}

static void glob_error(const struct conf *c, const struct conf_text *t, int rc, struct diags *d)
{
	const char *why = rc == GLOB_NOSPACE ? "not enough memory" : strerror(glob_fault.error);
	const char *where = rc == GLOB_ABORTED && glob_fault.path ? glob_fault.path : t->text.p;

	diag_add(d, DIAG_ERROR, c->path.p, t->line, t->column, "cannot read '%s': %s", where, why);
	free(glob_fault.path);
	glob_fault.path = NULL;
}

/* Adds what the pattern names; false where nothing was there. */
static bool expand(const struct conf *c, const struct conf_text *t, struct paths *out, struct diags *d)
{
	struct str pattern = glob_pattern(out->a, c->dir, t->text);
	bool found = false;
	glob_t g;
	int rc;

	if (!pattern.p)
		return true;
	rc = glob(pattern.p, GLOB_NOSORT, glob_failed, &g);
	if (rc == GLOB_NOMATCH)
		return false;
	if (rc != 0) {
		glob_error(c, t, rc, d);
		return true;
	}
	for (size_t i = 0; i < g.gl_pathc; i++) {
		if (str_ends(str_of(g.gl_pathv[i]), ".test.yml"))
			continue;
		found = true;
		if (!paths_add(out, str_of(g.gl_pathv[i])))
			break;
	}
	globfree(&g);
	return found;
}

/* ---- reading ---- */

static void files_release(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free((char *)f->v[i].bytes.p);
	free(f->v);
}

/* Takes over the bytes of b. */
static void files_add(struct files *f, const char *name, struct buf *b, struct diags *d)
{
	size_t n = b->n;
	char *bytes;

	if (f->n == LOAD_FILES_LIMIT || f->bytes + n > LOAD_BYTES_LIMIT) {
		diag_add(d, DIAG_ERROR, name, 0, 0,
			"too many files: at most %d, and %zu MiB together, are read", LOAD_FILES_LIMIT,
			LOAD_BYTES_LIMIT >> 20);
		return;
	}
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 64;
		struct ruleset_file *v = reallocarray(f->v, cap, sizeof(*v));

		if (!v) {
			diag_add(d, DIAG_ERROR, name, 0, 0, "not enough memory");
			return;
		}
		f->v = v;
		f->cap = cap;
	}
	bytes = n ? buf_steal(b) : calloc(1, 1);
	if (!bytes) {
		diag_add(d, DIAG_ERROR, name, 0, 0, "not enough memory");
		return;
	}
	f->v[f->n++] = (struct ruleset_file){.name = name, .bytes = {bytes, n}};
	f->bytes += n;
}

static void read_into(struct files *f, const char *path, size_t limit, struct diags *d)
{
	struct err e = {0};
	struct buf b;

	buf_init(&b, limit);
	if (file_read(path, &b, &e) < 0)
		diag_add(d, DIAG_ERROR, path, 0, 0, "%s", e.text);
	else
		files_add(f, path, &b, d);
	buf_release(&b);
}

/* "refusing 'PATH': COMPONENT is …": what is wrong, whatever path led to it. */
static const char *without_path(const char *text)
{
	const char *colon = strstr(text, "': ");

	return colon ? colon + 3 : text;
}

/* One unsafe folder above fifty files is one finding, not fifty. */
static void add_unsafe(struct diags *d, enum diag_kind kind, const char *file, const char *text)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->v[i].kind == kind && strcmp(without_path(d->v[i].text), without_path(text)) == 0)
			return;
	}
	diag_add(d, kind, file, 0, 0, "%s", text);
}

/* ---- rules ---- */

static bool is_regular(const char *path, struct diags *d)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		diag_add(d, DIAG_ERROR, path, 0, 0, "cannot read it: %s", strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode))
		diag_add(d, DIAG_WARNING, path, 0, 0, "is no regular file and is left out");
	return S_ISREG(st.st_mode);
}

static void find_files(const struct conf *c, const struct conf_list *globs, struct paths *out, struct diags *d)
{
	for (size_t i = 0; i < globs->n; i++) {
		const struct conf_text *t = &globs->v[i];

		if (!expand(c, t, out, d) && t->line > 0)
			diag_add(d, DIAG_WARNING, c->path.p, t->line, t->column,
				"no file matches '%.*s'", STR_ARG(t->text));
	}
	paths_sort_unique(out);
}

static void read_rules(const struct conf *c, struct paths *found, struct files *out, struct diags *d)
{
	find_files(c, &c->rules, found, d);
	find_files(c, &c->patterns, found, d);
	find_files(c, &c->topology, found, d);
	for (size_t i = 0; i < found->n; i++) {
		const char *path = found->v[i].p;
		struct err e = {0};

		if (!is_regular(path, d))
			continue;
		if (file_check_safe(path, geteuid(), 0, &e) < 0)
			add_unsafe(d, DIAG_WARNING, path, e.text);
		read_into(out, path, YAML_FILE_LIMIT, d);
	}
}

/* ---- runbooks ---- */

/* What editors and package managers leave beside a file is never meant to run. */
static bool is_leftover(struct str name)
{
	static const char *const ends[] = {"~", ".bak", ".orig", ".rej", ".swp", ".tmp", ".dpkg-old",
		".dpkg-new", ".dpkg-dist", ".dpkg-tmp", ".ucf-old", ".ucf-new", ".ucf-dist", ".rpmsave",
		".rpmnew", ".rpmorig"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (str_ends(name, ends[i]))
			return true;
	}
	return false;
}

/* The regular files of one folder; -1 with errno. */
static int list_folder(const char *folder, struct paths *out)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		struct str name = str_of(entry->d_name);
		struct stat st;

		if (name.p[0] == '.' || is_leftover(name))
			continue;
		if (fstatat(dirfd(dir), name.p, &st, 0) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (!paths_add(out, file_join(out->a, str_of(folder), name)))
			break;
	}
	closedir(dir);
	return 0;
}

static bool is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & 0111);
}

/* A line that is a comment sign and "---"? */
static bool is_fence(struct str line)
{
	static const char *const signs[] = {"#", "//", "--", ";", "%"};

	while (line.n && strchr(" \t\r", line.p[line.n - 1]))
		line.n--;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		struct str rest = line;

		if (!str_starts(line, str_of(signs[i])))
			continue;
		rest.p += strlen(signs[i]);
		rest.n -= strlen(signs[i]);
		while (rest.n && strchr(" \t", rest.p[0]))
			rest = (struct str){rest.p + 1, rest.n - 1};
		if (str_is(rest, "---"))
			return true;
	}
	return false;
}

static bool has_front_matter(struct str bytes)
{
	struct str rest = bytes;

	if (rest.n > RUNBOOK_FRONT_MATTER_LIMIT)
		rest.n = RUNBOOK_FRONT_MATTER_LIMIT;
	while (rest.n) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;

		if (is_fence((struct str){rest.p, n}))
			return true;
		if (!end)
			return false;
		rest = (struct str){rest.p + n + 1, rest.n - n - 1};
	}
	return false;
}

/* A file that nobody can execute is a README, a library, or a runbook whose mode was forgotten. */
static bool is_meant_as_runbook(const char *path)
{
	struct err e = {0};
	struct buf b;
	bool meant;

	if (is_executable(path))
		return true;
	buf_init(&b, LOAD_RUNBOOK_LIMIT);
	meant = file_read(path, &b, &e) == 0 && has_front_matter(buf_as_str(&b));
	buf_release(&b);
	return meant;
}

static void find_runbooks(const struct conf *c, struct paths *out, struct diags *d)
{
	for (size_t i = 0; i < c->runbooks.n; i++) {
		const struct conf_text *t = &c->runbooks.v[i];
		struct str folder = file_join(out->a, c->dir, t->text);
		size_t before = out->n;
		bool written = t->line > 0;

		if (!folder.p)
			return;
		if (list_folder(folder.p, out) < 0) {
			if (errno != ENOENT || written)
				diag_add(d, errno == ENOENT ? DIAG_WARNING : DIAG_ERROR, c->path.p,
					t->line, t->column, "cannot read the folder '%s': %s", folder.p,
					strerror(errno));
		} else if (out->n == before && written) {
			diag_add(d, DIAG_WARNING, c->path.p, t->line, t->column,
				"the folder '%s' holds no runbook", folder.p);
		}
	}
	paths_sort_unique(out);
}

static int by_stem(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int c = str_cmp(stem(*x), stem(*y));

	return c ? c : str_cmp(*x, *y);
}

static void refuse_same_names(struct arena *a, const struct files *f, struct diags *d)
{
	struct str *v = arena_array(a, f->n ? f->n : 1, sizeof(*v));

	if (!v)
		return;
	for (size_t i = 0; i < f->n; i++)
		v[i] = str_of(f->v[i].name);
	if (f->n > 1)
		qsort(v, f->n, sizeof(v[0]), by_stem);
	for (size_t i = 1; i < f->n; i++) {
		struct str name = stem(v[i]);

		if (str_eq(name, stem(v[i - 1])))
			diag_add(d, DIAG_ERROR, v[i].p, 0, 0,
				"the runbook '%.*s' is also '%s'; a runbook's name is its file's name "
				"without extension: rename one of them", STR_ARG(name), v[i - 1].p);
	}
}

static void read_runbooks(const struct conf *c, bool safe, struct paths *found, struct files *out, struct diags *d)
{
	find_runbooks(c, found, d);
	for (size_t i = 0; i < found->n; i++) {
		const char *path = found->v[i].p;
		struct err e = {0};

		if (!is_meant_as_runbook(path))
			continue;
		if (!is_executable(path)) {
			diag_add(d, DIAG_WARNING, path, 0, 0,
				"has a front matter but is not executable, so it is no runbook; chmod +x it");
			continue;
		}
		if (safe && file_check_safe(path, geteuid(), 1, &e) < 0)
			add_unsafe(d, DIAG_ERROR, path, e.text);
		read_into(out, path, LOAD_RUNBOOK_LIMIT, d);
	}
	refuse_same_names(found->a, out, d);
}

/* ---- the whole ---- */

static struct conf *load_any_conf(const char *path, bool some, struct diags *d)
{
	static const char fallback[] = RB_SYSCONFDIR "/runbookd.yml";

	if (!path || !*path)
		path = fallback;
	if (path != fallback || access(fallback, F_OK) == 0 || errno != ENOENT)
		return some ? conf_load_some(path, d) : conf_load(path, d);
	diag_add(d, DIAG_WARNING, fallback, 0, 0, "is not there; going on with the defaults");
	return conf_parse(STR(""), fallback, RB_SYSCONFDIR, d);
}

/* safe: nobody else may change the runbooks. */
struct conf *load_conf(const char *path, struct diags *d)
{
	return load_any_conf(path, false, d);
}

static struct ruleset *load_rules(
	const struct conf *c, bool safe, const struct pace *pace, struct diags *d)
{
	struct files rules = {0}, runbooks = {0};
	struct ruleset *rs = NULL;
	struct arena a;

	arena_init(&a, LOAD_PATHS_LIMIT);
	struct paths rule_paths = {.a = &a}, runbook_paths = {.a = &a};
	read_rules(c, &rule_paths, &rules, d);
	read_runbooks(c, safe, &runbook_paths, &runbooks, d);
	if (arena_failed(&a)) {
		diag_add(d, DIAG_ERROR, c->path.p, 0, 0,
			"the names of rules files and runbooks are over %zu MiB", LOAD_PATHS_LIMIT >> 20);
	} else {
		struct ruleset_input in = {.rules = rules.v, .rules_n = rules.n, .runbooks = runbooks.v,
			.runbooks_n = runbooks.n, .conf = c};
		rs = ruleset_build_paced(&in, pace, d);
	}
	files_release(&rules);
	files_release(&runbooks);
	arena_release(&a);
	return rs;
}

/* Also none is a set of contracts. */
static struct contracts *load_contracts(const struct conf *c, struct diags *d)
{
	struct files files = {0};
	struct contract_file *v;
	struct contracts *out = NULL;
	struct arena a;

	arena_init(&a, LOAD_PATHS_LIMIT);
	struct paths found = {.a = &a};
	find_files(c, &c->contracts, &found, d);
	for (size_t i = 0; i < found.n; i++) {
		if (is_regular(found.v[i].p, d))
			read_into(&files, found.v[i].p, CONTRACT_FILE_LIMIT, d);
	}
	v = arena_array(&a, files.n ? files.n : 1, sizeof(*v));
	for (size_t i = 0; v && i < files.n; i++)
		v[i] = (struct contract_file){files.v[i].name, files.v[i].bytes};
	if (v)
		out = contracts_new(v, files.n, d);
	else
		diag_add(d, DIAG_ERROR, c->path.p, 0, 0, "not enough memory");
	files_release(&files);
	arena_release(&a);
	return out;
}

/* A token for a source that is not there yet does no harm, and may be a slip. */
static void check_tokens(const struct conf *c, const struct sources *sources, struct diags *d)
{
	for (size_t i = 0; i < c->tokens_n; i++) {
		const struct conf_list *names = &c->tokens[i].ingest;

		for (size_t k = 0; k < names->n; k++) {
			if (!sources_find(sources, names->v[k].text))
				diag_add(d, DIAG_WARNING, c->path.p, names->v[k].line, names->v[k].column,
					"the token '%.*s' may send to the source '%.*s', which does not exist; add it "
					"under 'sources'",
					STR_ARG(c->tokens[i].name), STR_ARG(names->v[k].text));
		}
	}
}

/* One that is over does nothing any more: the next one may be meant, and have a slip in it. */
static void check_maintenance(const struct conf *c, struct diags *d)
{
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < c->maintenance_n; i++) {
		const struct conf_window *w = &c->maintenance[i];

		if (w->until_ms && w->until_ms <= now_ms)
			diag_add(d, DIAG_WARNING, c->path.p, w->line, w->column,
				"the maintenance window '%.*s' is over; remove it", STR_ARG(w->name));
	}
}

/* Where syslog shows nothing but where it comes from, or a certificate. */
static void check_syslog_auth(const struct conf *c, const struct conf_source *s, struct diags *d)
{
	enum conf_auth_kind kind = s->auth.kind;

	if (kind == CONF_AUTH_CLIENT_CERT && c->syslog.tls.client_ca.n == 0)
		diag_add(d, DIAG_ERROR, c->path.p, s->auth.line, s->auth.column,
			"client_cert of the source '%.*s', which is syslog.source, needs syslog.tls with client_ca, "
			"which says who signs senders' certificates",
			STR_ARG(s->name));
	else if (kind != CONF_AUTH_CLIENT_CERT && kind != CONF_AUTH_NONE)
		diag_add(d, DIAG_ERROR, c->path.p, s->auth.line, s->auth.column,
			"'auth' of the source '%.*s', which is syslog.source, asks for what syslog cannot show; it may "
			"have client_cert and allow, or name another source for HTTP",
			STR_ARG(s->name));
}

/* Whoever can reach an address may send there: where nothing says who it is, that is to be this machine only. */
static void check_syslog_open(const struct conf *c, const struct conf_source *s, struct diags *d)
{
	const struct conf_list *listen = &c->syslog.listen;

	if (c->syslog.tls.client_ca.n || (s && s->auth.allow.n))
		return;
	for (size_t i = 0; i < listen->n; i++) {
		if (!conf_listen_is_local(listen->v[i].text))
			diag_add(d, DIAG_ERROR, c->path.p, listen->v[i].line, listen->v[i].column,
				"'syslog.listen' is '%.*s', where anybody could send; set syslog.tls with client_ca, or auth "
				"with allow for the source '%.*s', or listen on loopback or unix:/path",
				STR_ARG(listen->v[i].text), STR_ARG(c->syslog.source));
	}
}

static void check_syslog(const struct conf *c, const struct sources *sources, struct diags *d)
{
	const struct bound_source *b = sources_find(sources, c->syslog.source);
	const struct conf_text *at = c->syslog.listen.v;

	if (c->syslog.listen.n == 0)
		return;
	if (!b)
		diag_add(d, DIAG_ERROR, c->path.p, at->line, at->column,
			"'syslog.source' is '%.*s', which is no source; add it under 'sources', of kind logs",
			STR_ARG(c->syslog.source));
	else if (b->kind && !b->kind->lines)
		diag_add(d, DIAG_ERROR, c->path.p, at->line, at->column,
			"'syslog.source' is '%.*s', which is of kind %s; syslog needs one of kind logs",
			STR_ARG(c->syslog.source), b->kind->name);
	if (b && b->conf)
		check_syslog_auth(c, b->conf, d);
	check_syslog_open(c, b ? b->conf : NULL, d);
}

enum load_how {
	LOAD_TRIAL,	/* who may change a runbook does not matter, nor who may send */
	LOAD_SAFE,
	LOAD_CHECK,	/* and look closer at rules that are good */
};

static void load_certs(struct loaded *l, struct diags *d)
{
	const struct conf *c = l->conf;
	int64_t now_ms = clock_wall_ms();

	l->certs = certs_new(c, &c->http.tls, "http.tls", now_ms, d);
	l->syslog_certs = certs_new(c, &c->syslog.tls, "syslog.tls", now_ms, d);
}

/* Takes conf over; where it has errors, the rules are still read, so that all findings come at once. before: errors in d
 * when it began. */
static struct loaded *load_with(
	struct conf *conf, enum load_how how, const struct pace *pace, size_t before, struct diags *d)
{
	struct loaded *l = calloc(1, sizeof(*l));

	if (!l) {
		diag_add(d, DIAG_ERROR, "", 0, 0, "not enough memory");
		conf_free(conf);
		return NULL;
	}
	l->conf = conf;
	if (l->conf) {
		l->sources = sources_new(l->conf, load_contracts(l->conf, d), d);
		l->rules = load_rules(l->conf, how != LOAD_TRIAL, pace, d);
		if (how != LOAD_TRIAL) {
			load_certs(l, d);
			l->auth = auth_new(l->conf, d);
		}
	}
	if (l->rules && how == LOAD_CHECK)
		ruleset_check(l->rules, d);
	if (l->conf && how == LOAD_CHECK)
		check_maintenance(l->conf, d);
	if (l->sources) {
		check_tokens(l->conf, l->sources, d);
		check_syslog(l->conf, l->sources, d);
	}
	if (!l->rules || !l->sources || (how != LOAD_TRIAL && !l->auth) || d->errors > before) {
		loaded_free(l);
		return NULL;
	}
	return l;
}

struct loaded *load_all(const char *conf_path, struct diags *d)
{
	return load_paced(conf_path, NULL, d);
}

struct loaded *load_paced(const char *conf_path, const struct pace *pace, struct diags *d)
{
	size_t before = d->errors;

	return load_with(load_any_conf(conf_path, true, d), LOAD_SAFE, pace, before, d);
}

struct loaded *load_checked(const char *conf_path, struct diags *d)
{
	size_t before = d->errors;

	return load_with(load_any_conf(conf_path, true, d), LOAD_CHECK, NULL, before, d);
}

static void forget_places(struct conf_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->v[i].line = 0; /* nobody wrote it: what is not there is no finding */
}

static struct conf *conf_beside(const char *folder, struct diags *d)
{
	static const char defaults[] =
		"rules: ['*.yml', 'rules/*.yml']\npatterns: ['patterns/*.yml']\n"
		"runbooks: [runbooks, ../runbooks]\ntopology: ['topology/*.yml', '../topology/*.yml']\n";
	struct conf *conf;
	struct arena a;

	arena_init(&a, LOAD_PATHS_LIMIT);
	struct str own = file_join(&a, str_of(folder), STR("runbookd.yml"));
	if (own.p && access(own.p, F_OK) == 0) {
		conf = conf_load(own.p, d);
	} else {
		conf = conf_parse(str_of(defaults), folder, folder, d);
		if (conf) {
			forget_places(&conf->rules);
			forget_places(&conf->patterns);
			forget_places(&conf->runbooks);
			forget_places(&conf->topology);
		}
	}
	arena_release(&a);
	return conf;
}

struct loaded *load_beside(const char *folder, struct diags *d)
{
	size_t before = d->errors;
	struct conf *conf = conf_beside(folder, d);

	return conf ? load_with(conf, LOAD_TRIAL, NULL, before, d) : NULL;
}

/* The globs from this folder on, or without globs (n: 1) the folder itself, in place of what the configuration has. */
static bool set_paths(struct conf *c, struct conf_list *out, struct str folder, const struct str *globs, size_t n)
{
	struct conf_text *v = arena_array(&c->arena, n, sizeof(*v));

	for (size_t i = 0; v && i < n; i++)
		v[i].text = globs ? glob_pattern(&c->arena, folder, globs[i]) : arena_strdup(&c->arena, folder);
	*out = (struct conf_list){v, v ? n : 0};
	return !arena_failed(&c->arena);
}

struct loaded *load_tried(const char *conf_path, const char *rules, const char *runbooks, struct diags *d)
{
	static const struct str in_folder[] = {{"*.yml", 5}, {"rules/*.yml", 11}};
	size_t before = d->errors;
	struct conf *c = conf_path ? load_any_conf(conf_path, true, d) : conf_beside(rules, d);

	if (!c)
		return NULL;
	if ((conf_path && rules && !set_paths(c, &c->rules, str_of(rules), in_folder, 2)) ||
		(runbooks && !set_paths(c, &c->runbooks, str_of(runbooks), NULL, 1))) {
		diag_add(d, DIAG_ERROR, conf_path ? conf_path : rules, 0, 0, "not enough memory");
		conf_free(c);
		return NULL;
	}
	return load_with(c, LOAD_TRIAL, NULL, before, d);
}

void loaded_free(struct loaded *l)
{
	if (!l)
		return;
	if (l->rules)
		ruleset_unref(l->rules);
	sources_unref(l->sources);
	auth_unref(l->auth);
	certs_unref(l->certs);
	certs_unref(l->syslog_certs);
	conf_free(l->conf);
	free(l);
}

/* ---- for the worker, lint, and those who watch ---- */

size_t load_list_runbooks(struct arena *a, const struct conf *c, struct str **out, struct diags *d)
{
	struct paths p = {.a = a};
	size_t kept = 0;

	find_runbooks(c, &p, d);
	for (size_t i = 0; i < p.n; i++) {
		if (is_meant_as_runbook(p.v[i].p))
			p.v[kept++] = p.v[i];
	}
	*out = p.v;
	return kept;
}

struct str load_find_runbook(struct arena *a, const struct conf *c, struct str name)
{
	struct paths all = {.a = a};
	struct str found = STR("");

	for (size_t i = 0; i < c->runbooks.n; i++) {
		struct str folder = file_join(a, c->dir, c->runbooks.v[i].text);

		if (folder.p)
			list_folder(folder.p, &all);
	}
	paths_sort_unique(&all);
	for (size_t i = 0; i < all.n; i++) {
		if (!str_eq(stem(all.v[i]), name) || !is_executable(all.v[i].p))
			continue;
		if (found.n)
			return STR("");	/* two of one name: neither is the one that was meant */
		found = all.v[i];
	}
	return arena_failed(a) ? STR("") : found;
}

/* Adds the folders that a pattern's files would stand in. */
static void watch_pattern(const struct conf *c, const struct conf_text *t, struct paths *out)
{
	struct str pattern = glob_pattern(out->a, c->dir, t->text);
	struct str name = base_name(pattern);
	struct str folder;
	glob_t g;

	if (!pattern.p || name.n == pattern.n)
		return;
	folder = arena_strdup(out->a, (struct str){pattern.p, pattern.n - name.n});
	if (!folder.p || glob(folder.p, GLOB_NOSORT | GLOB_ONLYDIR, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct str path = str_of(g.gl_pathv[i]);

		while (path.n > 1 && path.p[path.n - 1] == '/')
			path.n--;
		paths_add(out, path);
	}
	globfree(&g);
}

static void watch_tls(const struct conf_tls *tls, struct paths *out)
{
	if (tls->cert.n) {
		paths_add(out, tls->cert);
		paths_add(out, tls->key);
	}
	if (tls->client_ca.n)
		paths_add(out, tls->client_ca);
}

size_t load_watch_paths(struct arena *a, const struct conf *c, struct str **out)
{
	struct paths p = {.a = a};

	if (c->path.n)
		paths_add(&p, c->path);
	watch_tls(&c->http.tls, &p);
	watch_tls(&c->syslog.tls, &p);
	for (size_t i = 0; i < c->sources_n; i++) {
		for (size_t k = 0; k < c->sources[i].auth.secrets.n; k++)
			paths_add(&p, c->sources[i].auth.secrets.v[k].text);
	}
	for (size_t i = 0; i < c->rules.n; i++)
		watch_pattern(c, &c->rules.v[i], &p);
	for (size_t i = 0; i < c->patterns.n; i++)
		watch_pattern(c, &c->patterns.v[i], &p);
	for (size_t i = 0; i < c->contracts.n; i++)
		watch_pattern(c, &c->contracts.v[i], &p);
	for (size_t i = 0; i < c->topology.n; i++)
		watch_pattern(c, &c->topology.v[i], &p);
	for (size_t i = 0; i < c->runbooks.n; i++) {
		struct str folder = file_join(a, c->dir, c->runbooks.v[i].text);
		struct stat st;

		if (folder.p && stat(folder.p, &st) == 0 && S_ISDIR(st.st_mode))
			paths_add(&p, folder);
	}
	paths_sort_unique(&p);
	*out = p.v;
	return p.n;
}
