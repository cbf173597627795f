/* runbook.c: the front matter of a runbook, from the bytes of its file.
 *
 * The block is found by its first fence, a comment line of only "---", within
 * RUNBOOK_FRONT_MATTER_LIMIT bytes; each line up to the closing fence begins with the same comment
 * sign. The signs are replaced by blanks and the rest is read as YAML, so lines and columns of
 * findings are those of the script itself.
 *
 * Guarantee: a struct runbook that is returned is complete, within the limits of runbook.h, its
 * defaults pass its own checks, and its sha256 is that of the very bytes it was read from. All
 * findings at once. Parameters are runbook_params.c's. Does not look at the file system.
 */
#include "rule/runbook.h"

#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "rule/params.h"
#include "rule/reader.h"

#define BLANKS " \t\r"

static const char *const kind_names[] = {
	[RUNBOOK_DIAGNOSE] = "diagnose",
	[RUNBOOK_REMEDIATE] = "remediate",
	[RUNBOOK_NOTIFY] = "notify",
	NULL,
};

const char *runbook_kind_name(enum runbook_kind k)
{
	return kind_names[k];
}

struct str runbook_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct str name = str_of(slash ? slash + 1 : path);

	for (size_t i = name.n; i-- > 1;)
		if (name.p[i] == '.')
			return (struct str){name.p, i};
	return name;
}

/* ---- finding the block ---- */

struct block {
	struct str sign;
	size_t from, to; /* bytes between the fences */
	int line;	 /* of the first byte, from 1 */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The line without its end; *at moves behind that. */
static struct str next_line(struct str s, size_t *at)
{
	const char *end = memchr(s.p + *at, '\n', s.n - *at);
	struct str line = {s.p + *at, end ? (size_t)(end - s.p) - *at : s.n - *at};

	*at += line.n + (end ? 1 : 0);
	return line;
}

static bool after_sign(struct str line, struct str sign, struct str *rest)
{
	while (line.n > 0 && is_blank(line.p[0])) {
		line.p++;
		line.n--;
	}
	if (!str_starts(line, sign))
		return false;
	*rest = (struct str){line.p + sign.n, line.n - sign.n};
	return true;
}

static bool is_fence(struct str line, struct str sign)
{
	struct str rest;

	if (!after_sign(line, sign, &rest) || !str_is(str_trim(rest, BLANKS), "---"))
		return false;
	/* "-----" is a line that somebody drew. */
	return sign.p[0] != '-' || is_blank(rest.p[0]);
}

static bool find_open(struct str s, struct block *b, size_t *at)
{
	static const char *const signs[] = {"#", "//", "--", ";", "%"};

	b->line = 1;
	for (*at = 0; *at < s.n; b->line++) {
		struct str line = next_line(s, at);
		for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
			b->sign = str_of(signs[i]);
			if (!is_fence(line, b->sign))
				continue;
			b->line++;
			b->from = *at;
			return true;
		}
	}
	return false;
}

static bool find_block(struct str s, const char *path, struct block *b, struct diags *d)
{
	size_t at;
	struct str head = {
		s.p, s.n < RUNBOOK_FRONT_MATTER_LIMIT ? s.n : RUNBOOK_FRONT_MATTER_LIMIT};

	if (head.n == 0 || !find_open(head, b, &at)) {
		diag_add(d, DIAG_ERROR, path, 1, 1,
			"no front matter in the first %d bytes; the smallest one is three comment "
			"lines: '# ---', '# summary: what it does', '# ---'",
			RUNBOOK_FRONT_MATTER_LIMIT);
		return false;
	}
	for (int line_no = b->line; at < head.n; line_no++) {
		size_t start = at;
		struct str rest, line = next_line(head, &at);
		if (is_fence(line, b->sign)) {
			b->to = start;
			return true;
		}
		if (after_sign(line, b->sign, &rest))
			continue;
		diag_add(d, DIAG_ERROR, path, line_no, 1,
			"the front matter is not closed: this line does not begin with '%.*s', and "
			"none before it is '%.*s ---'",
			STR_ARG(b->sign), STR_ARG(b->sign));
		return false;
	}
	diag_add(d, DIAG_ERROR, path, b->line - 1, 1,
		"the front matter that begins here is not closed; end it with a line '%.*s ---' "
		"within the first %d bytes",
		STR_ARG(b->sign), RUNBOOK_FRONT_MATTER_LIMIT);
	return false;
}

/* The block with the comment signs and what is before them made blank. NULL: no memory. */
static char *blanked(struct arena *a, struct str s, const struct block *b)
{
	struct str copy = arena_strdup(a, (struct str){s.p + b->from, b->to - b->from});
	char *p = (char *)(uintptr_t)copy.p;
	size_t at = 0;

	while (p && at < copy.n) {
		char *line = p + at;
		struct str text = next_line(copy, &at), rest = STR_NONE;
		if (after_sign(text, b->sign, &rest))
			memset(line, ' ', (size_t)(rest.p - line));
		if (rest.n > 0 && text.p[text.n - 1] == '\r')
			line[text.n - 1] = ' ';
	}
	return p;
}

/* ---- reading it ---- */

static void read_summary(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct runbook *)into)->summary);
}

static void read_kind(struct reader *r, const struct yaml *y, void *into)
{
	int i;

	if (reader_choice(r, y, kind_names, &i))
		((struct runbook *)into)->kind = (enum runbook_kind)i;
}

static void read_timeout(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1, RUNBOOK_TIMEOUT_MAX_MS, &((struct runbook *)into)->timeout_ms);
}

static void read_grace(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 0, RUNBOOK_GRACE_MAX_MS, &((struct runbook *)into)->grace_ms);
}

static void read_idempotent(struct reader *r, const struct yaml *y, void *into)
{
	reader_bool(r, y, &((struct runbook *)into)->idempotent);
}

static void read_retries_max(struct reader *r, const struct yaml *y, void *into)
{
	reader_int(r, y, 0, RUNBOOK_RETRIES_MAX, &((struct runbook *)into)->retries_max);
}

static void read_retries_backoff(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(
		r, y, 0, RUNBOOK_TIMEOUT_MAX_MS, &((struct runbook *)into)->retries_backoff_ms);
}

static void read_retries(struct reader *r, const struct yaml *y, void *into)
{
	static const struct reader_key keys[] = {
		{"max", read_retries_max, false},
		{"backoff", read_retries_backoff, false},
		{NULL, NULL, false},
	};

	reader_map(r, y, "'retries'", keys, into);
}

static void read_user(struct reader *r, const struct yaml *y, void *into)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
	struct str s;

	if (!reader_text(r, y, &s))
		return;
	if (s.n > 32 || strspn(s.p, allowed) != s.n || s.p[0] == '-' ||
		(s.p[0] >= '0' && s.p[0] <= '9'))
		reader_error(r, y, "want the name of a user, got '%.*s'", STR_ARG(s));
	else
		((struct runbook *)into)->user = s;
}

static void read_output_limit(struct reader *r, const struct yaml *y, void *into)
{
	reader_size(r, y, 1, RUNBOOK_OUTPUT_MAX, &((struct runbook *)into)->output_limit);
}

/* What runbookd sets itself cannot come from the worker. */
static bool is_ours(struct str name)
{
	return str_is(name, "PATH") || str_is(name, "HOME") || str_starts(name, STR("RUNBOOK_")) ||
	       str_starts(name, STR("PARAM_")) || str_starts(name, STR("LABEL_")) ||
	       str_starts(name, STR("ANNOTATION_"));
}

static void read_env(struct reader *r, const struct yaml *y, void *into)
{
	struct runbook *b = into;
	const struct yaml **v;
	size_t n;

	if (!reader_list(r, y, false, &v, &n))
		return;
	b->env = arena_array(r->arena, n, sizeof(*b->env));
	for (size_t i = 0; b->env && i < n; i++) {
		if (!params_name_ok(v[i]->text))
			reader_error(r, v[i],
				"want the name of an environment variable, got '%.*s'",
				STR_ARG(v[i]->text));
		else if (is_ours(v[i]->text))
			reader_error(r, v[i],
				"'%.*s' is set by runbookd and cannot be passed through",
				STR_ARG(v[i]->text));
		else
			b->env[b->env_n++] = v[i]->text;
	}
}

static void read_compat(struct reader *r, const struct yaml *y, void *into)
{
	static const char *const names[] = {"am-executor", NULL};
	int i;

	if (reader_choice(r, y, names, &i))
		((struct runbook *)into)->compat = RUNBOOK_COMPAT_AM_EXECUTOR;
}

static const struct reader_key keys[] = {
	{"summary", read_summary, false},
	{"kind", read_kind, false},
	{"params", params_read, false},
	{"timeout", read_timeout, false},
	{"grace", read_grace, false},
	{"idempotent", read_idempotent, false},
	{"retries", read_retries, false},
	{"user", read_user, false},
	{"output_limit", read_output_limit, false},
	{"env", read_env, false},
	{"concurrency", NULL, true},
	{"sandbox", NULL, true},
	{"secrets", NULL, true},
	{"undo", NULL, true},
	{"compat", read_compat, false},
	{NULL, NULL, false},
};

static bool name_ok(struct str name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	if (name.n == 0 || name.n > RUNBOOK_NAME_LIMIT)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!strchr(allowed, name.p[i]))
			return false;
	return name.p[0] != '-';
}

static void read_front_matter(struct reader *r, struct runbook *b)
{
	struct block block = {0};

	if (!find_block(r->bytes, r->file, &block, r->diags))
		return;
	char *text = blanked(r->arena, r->bytes, &block);
	if (!text) {
		diag_add(r->diags, DIAG_ERROR, r->file, 0, 0, "no memory");
		return;
	}
	struct yaml *y = yaml_parse_at(r->arena, (struct str){text, block.to - block.from}, r->file,
		block.line - 1, 0, r->diags);
	if (!y)
		return;
	if (y->kind == YAML_NULL) {
		diag_add(r->diags, DIAG_ERROR, r->file, block.line, 1,
			"the front matter is empty; it needs a summary");
		return;
	}
	if (reader_map(r, y, "the front matter", keys, b) && !yaml_get(y, "summary"))
		reader_error(r, y,
			"the front matter has no 'summary'; say in one line what the runbook does");
}

struct runbook *runbook_parse(struct arena *a, struct str bytes, const char *path, struct diags *d)
{
	size_t errors = d->errors;
	struct runbook *b = arena_zalloc(a, sizeof(*b));
	struct reader r = {a, path, bytes, d};

	if (!b) {
		diag_add(d, DIAG_ERROR, path, 0, 0, "no memory");
		return NULL;
	}
	b->path = arena_strdup(a, str_of(path));
	b->name = arena_strdup(a, runbook_name(path));
	/* One that does not say is taken for one that changes things. */
	b->kind = RUNBOOK_REMEDIATE;
	b->timeout_ms = RUNBOOK_TIMEOUT_DEFAULT_MS;
	b->grace_ms = RUNBOOK_GRACE_DEFAULT_MS;
	b->output_limit = RUNBOOK_OUTPUT_DEFAULT;
	hash_sha256_hex(bytes, b->sha256);
	if (!name_ok(b->name))
		diag_add(d, DIAG_ERROR, path, 0, 0,
			"'%.*s' cannot be a runbook's name: rename the file to letters, digits, _ "
			"and -, at most %d of them",
			STR_ARG(b->name), RUNBOOK_NAME_LIMIT);
	read_front_matter(&r, b);
	if (arena_failed(a) && d->errors == errors)
		diag_add(d, DIAG_ERROR, path, 0, 0, "no memory");
	if (d->errors == errors)
		return b;
	runbook_release(b);
	return NULL;
}
