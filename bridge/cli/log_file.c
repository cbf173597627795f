/* log_file.c: a log as a file, read by the decoders that take it over HTTP.
 *
 * The file is read whole, so that a line's number can be told from where it began.
 */
#include "cli/log_file.h"

#include <string.h>
#include "base/file.h"
#include "base/yaml.h"
#include "flow/load.h"
#include "line/decoder.h"
#include "line/syslog.h"

#define PIECE ((size_t)256 << 10)

/* ---- lines ---- */

struct numbering {
	struct str bytes;
	size_t at; /* where the line `number` begins */
	uint64_t number;
	const struct log_sink *sink;
};

static int take(void *ctx, const struct line *l, struct err *e)
{
	struct numbering *n = ctx;
	const char *end;

	while (n->at < l->offset &&
		(end = memchr(n->bytes.p + n->at, '\n', (size_t)(l->offset - n->at)))) {
		n->at = (size_t)(end - n->bytes.p) + 1;
		n->number++;
	}
	return n->sink->take(n->sink->ctx, n->number, l, e);
}

/* A journal begins with the fields whose names begin with two underscores. */
static bool looks_like_journal(struct str bytes)
{
	return str_starts(bytes, STR("__CURSOR=")) ||
	       str_starts(bytes, STR("__REALTIME_TIMESTAMP="));
}

static const struct line_kind *kind_of(const char *format, struct str bytes, struct err *e)
{
	if (!format)
		return looks_like_journal(bytes) ? &line_kind_journal : &line_kind_any;
	if (strcmp(format, "text") == 0)
		return &line_kind_text;
	if (strcmp(format, "json") == 0)
		return &line_kind_json;
	if (strcmp(format, "journal") == 0)
		return &line_kind_journal;
	err_set(e, ERR_INPUT, "'%s' is no format of a log; give text, json or journal", format);
	return NULL;
}

static int feed(const struct line_kind *kind, struct str bytes, const struct line_options *o,
	const struct line_sink *sink, struct err *e)
{
	struct line_decoder *d = kind->new (o, sink, e);
	int rc = d ? 0 : -1;

	for (size_t at = 0; rc == 0 && at < bytes.n; at += PIECE) {
		struct str piece = {bytes.p + at, bytes.n - at < PIECE ? bytes.n - at : PIECE};

		rc = kind->feed(d, piece, e);
	}
	if (rc == 0)
		rc = kind->finish(d, e);
	if (d)
		kind->free(d);
	return rc;
}

int log_file_read(const char *path, const char *format, int64_t now_ms, const struct log_sink *sink,
	struct err *e)
{
	const struct line_options o = {.line_limit = LINE_LIMIT, .now_ns = now_ms * 1000000};
	struct numbering n = {.number = 1, .sink = sink};
	const struct line_sink lines = {take, &n};
	const struct line_kind *kind;
	struct buf b;
	int rc;

	buf_init(&b, LOG_FILE_LIMIT);
	rc = cli_read_file(path, &b, e);
	n.bytes = buf_as_str(&b);
	kind = rc == 0 ? kind_of(format, n.bytes, e) : NULL;
	rc = kind ? feed(kind, n.bytes, &o, &lines, e) : -1;
	buf_release(&b);
	return rc;
}

int log_line_event(struct arena *a, const struct line *l, int64_t now_ms, struct event *out,
	struct str *message, struct err *e)
{
	struct line split;
	struct kv *v;
	size_t n = 0;

	if (l->raw && line_split(a, l, now_ms * 1000000, &split))
		l = &split;
	v = arena_array(a, l->labels_n ? l->labels_n : 1, sizeof(*v));
	for (size_t i = 0; v && i < l->labels_n; i++)
		v[n++] = (struct kv){l->labels[i].name, line_text(a, l->labels[i].value)};
	*message = line_text(a, l->message);
	if (!v || arena_failed(a))
		return err_set(e, ERR_LIMIT, "a line of the log has too many labels");
	event_sort_labels(v, &n, true);
	*out = (struct event){.source = STR("logs"),
		.type = STR("log"),
		.time_ns = l->time_ns,
		.labels = v,
		.labels_n = n};
	return 0;
}

/* ---- patterns ---- */

static struct ruleset *build(
	struct arena *a, int argc, char **argv, const struct conf *conf, struct diags *d)
{
	struct ruleset_file *files = arena_array(a, (size_t)argc, sizeof(*files));
	struct ruleset_input in = {.rules = files, .conf = conf};
	struct err e;

	for (int i = 0; files && i < argc; i++) {
		struct buf b;

		buf_init(&b, YAML_FILE_LIMIT);
		if (file_read(argv[i], &b, &e) < 0)
			diag_add(d, DIAG_ERROR, argv[i], 0, 0, "%s", e.text);
		files[i] = (struct ruleset_file){argv[i], arena_strdup(a, buf_as_str(&b))};
		in.rules_n++;
		buf_release(&b);
	}
	return files && d->errors == 0 ? ruleset_build(&in, d) : NULL;
}

static struct ruleset *patterns(struct cli *c, int argc, char **argv, struct diags *d)
{
	struct ruleset *rs = NULL;
	struct loaded *l;
	struct conf *conf;

	if (argc) {
		conf = conf_parse(STR(""), "", "/", d);
		rs = conf ? build(&c->arena, argc, argv, conf, d) : NULL;
		conf_free(conf);
		return rs;
	}
	l = load_all(c->o.config, d);
	rs = l ? ruleset_ref(l->rules) : NULL;
	loaded_free(l);
	return rs;
}

int log_patterns_run(struct cli *c, const char *command, int argc, char **argv,
	int (*use)(struct cli *c, const struct ruleset *rs))
{
	struct ruleset *rs;
	struct diags d;
	int rc = CLI_UNREADABLE;

	if (!c->o.log) {
		cli_error("'%s' needs a log: --log FILE", command);
		return CLI_USAGE;
	}
	diags_init(&d);
	rs = patterns(c, argc, argv, &d);
	if (rs)
		rc = use(c, rs);
	else
		cli_print_findings(c, &d, false);
	ruleset_unref(rs);
	diags_release(&d);
	return rc;
}
