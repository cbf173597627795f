/* cli.h: what the commands of runbookctl share: options, output, exit status.
 *
 * A command is a descriptor in a table (commands.c): the parser, --help and the manual page's list come
 * from there. Commands get a struct cli with everything parsed, append what they print to cli->out, and
 * return an exit status; findings and errors go to standard error through cli_error.
 */
#ifndef RB_CLI_CLI_H
#define RB_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/table.h"
#include "cli/term.h"

enum cli_exit {
	CLI_GOOD = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_UNREADABLE = 3,	/* test: a file of tests, or the rules that it is about */
	CLI_NOT_FOUND = 4,
	CLI_AWAY = 5,
};

enum cli_format {
	CLI_TABLE,
	CLI_JSON,
	CLI_YAML,
};

/* Which options a command takes beside the global ones. */
enum cli_scope {
	SCOPE_GLOBAL = 1 << 0,
	SCOPE_FILTER = 1 << 1,	/* --filter */
	SCOPE_STATUS = 1 << 2,
	SCOPE_TIME = 1 << 3,	/* --since --until */
	SCOPE_LIMIT = 1 << 4,
	SCOPE_FOLLOW = 1 << 5,
	SCOPE_RUN = 1 << 6,	/* -p --wait */
	SCOPE_CONFIG = 1 << 7,	/* -c */
	SCOPE_EXPLAIN = 1 << 8,	/* --source --header --rule */
	SCOPE_SINCE = 1 << 11,	/* --since alone */
	SCOPE_REPLAY = 1 << 9,	/* --rules --runbooks --exit-code */
	SCOPE_IMPORT = 1 << 12,	/* --to */
	SCOPE_TOKEN = 1 << 13,	/* --name --scope */
	SCOPE_EMIT = 1 << 14,	/* --type --subject --data */
	SCOPE_LOG = 1 << 15,	/* --log --format -v */
	SCOPE_LABEL = 1 << 16,	/* -l */
};

#define CLI_PARAMS_MAX 100
#define CLI_HEADERS_MAX 100
#define CLI_SCOPES_MAX 64
#define CLI_LABELS_MAX 100
#define CLI_OPTIONS_MAX 48		/* in the table */
#define CLI_LIMIT_DEFAULT 50
#define CLI_LIMIT_MAX 100000
#define CLI_ARENA_LIMIT ((size_t)1 << 30)
#define CLI_NODES_MAX 10000000		/* JSON values of an answer */

struct cli_option;

struct cli_options {		/* texts point into argv or the environment; NULL: not given */
	const char *url;
	const char *token_file;
	const char *ca_file; /* NULL: the system's */
	enum cli_format format;
	const char *status, *filter;
	const char *since, *until;
	int64_t limit;		/* 0: not given */
	bool follow;
	bool wait;
	const char *params[CLI_PARAMS_MAX];	/* name=value */
	size_t params_n;
	const char *config;
	const char *to;
	const char *source, *rule;
	const char *headers[CLI_HEADERS_MAX];	/* name: value */
	size_t headers_n;
	const char *rules, *runbooks;
	const char *name;
	const char *scopes[CLI_SCOPES_MAX];
	size_t scopes_n;
	const char *type, *subject, *data;
	const char *labels[CLI_LABELS_MAX];	/* name=value */
	size_t labels_n;
	const char *log, *log_format;
	bool verbose;
	bool exit_code;
	bool help;
	bool version;
	const struct cli_option *given[CLI_OPTIONS_MAX];
	size_t given_n;
};

struct cli_services;

struct cli {
	struct cli_options o;
	struct term term;	/* of standard output */
	struct client client;
	struct arena arena;	/* lives as long as the command */
	struct buf out;		/* written to standard output at the end, and by cli_flush */
	int64_t now_ms;		/* one "now" for all ages of a page */
	const struct cli_services *services;
};

/* What a command needs and this layer may not do; wired by main_ctl.c. */
struct cli_services {
	/* A redis-server to throw away; *address until the stop. -1 with e. */
	int (*redis_start)(struct str *address, struct err *e);
	void (*redis_stop)(void);
};

struct command {
	const char *name;	/* one word or two: "incidents show" */
	const char *synopsis;	/* what follows it */
	const char *sentence;	/* for --help and the manual */
	unsigned scopes;	/* enum cli_scope */
	int args_min, args_max;	/* -1: any number */
	int (*run)(struct cli *c, int argc, char **argv);	/* args without the name */
};

/* Ended by NULL; in the order of the manual. */
extern const struct command *const commands[];

/* One option, for parser, --help and manual. */
struct cli_option {
	int id;
	char letter;		/* 0 none */
	const char *name;
	const char *argument;	/* NULL none */
	unsigned scope;
	const char *sentence;
};
extern const struct cli_option cli_options[];	/* ended by name == NULL */

/* The program: parse, run, exit status. */
int cli_main(int argc, char **argv, const struct cli_services *services);

/* "runbookctl: …" on standard error; control characters are escaped. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The file's bytes, appended; "-" is standard input, for which it waits. */
int cli_read_file(const char *path, struct buf *out, struct err *e);
/* Writes and empties c->out; false where standard output takes no more. */
bool cli_flush(struct cli *c);

/* ---- help.c ---- */
void help_print_all(struct buf *out);
void help_print_command(const struct command *cmd, struct buf *out);

/* ---- options.c ---- */
/* Sorts argv into o and the words left over (*words, *words_n: inside argv). 0, or CLI_USAGE (said why). */
int options_parse(struct cli_options *o, int argc, char **argv, char ***words, int *words_n);
/* Finds the command that words begin with; *used: how many words its name took. NULL: said why. */
const struct command *command_find(char **words, int n, int *used);

/* ---- request.c: calls to the API; errors are said and turned into an exit status ---- */
/* GET; *out in c->arena. 0 or an exit status. */
int cli_get(struct cli *c, const char *path, const struct json **out);
/* The same where "not there" is no error to speak of: *out NULL and 0. */
int cli_get_maybe(struct cli *c, const char *path, const struct json **out);
/* POST; idempotency_key may be NULL; *out NULL where the answer has no body. */
int cli_post(struct cli *c, const char *path, struct str body, const char *idempotency_key,
	const struct json **out);
/* Problem details as "title: detail"; the exit status that fits. */
int cli_problem(struct cli *c, const struct reply *r);
int cli_away(struct cli *c, const struct err *e);
/* json_parse, for what the bridge answers: a page or an explanation has more values than a request may. */
const struct json *cli_parse(struct arena *a, struct str text, struct err *e);
/* Says that it could not; CLI_FAILED. */
int cli_unread(struct cli *c, const struct err *e);

/* Appends --since and --until to the query; 0, or CLI_USAGE (said why). */
int cli_add_times(struct cli *c, struct buf *path);

/* A list, all pages up to --limit, else limit. path: without a query, or with one. */
struct cli_list {
	const struct json **v;
	size_t n;
	struct str next;	/* cursor; "" at the end */
	const struct json *page;	/* the last one, for members beside items and next */
};
int cli_list(struct cli *c, const char *path, size_t limit, struct cli_list *out);
/* The same without regard to the options. */
int cli_list_path(struct cli *c, const char *path, size_t limit, struct cli_list *out);
void cli_print_list(struct cli *c, const struct cli_list *list);
/* How a list looks as a table. */
struct list_view {
	const char *plural;	/* "incidents" */
	const struct table_column *columns;
	size_t columns_n;
	void (*row)(struct cli *c, struct table *t, const struct json *item);
	bool whole;		/* all of it where no --limit is given */
};
int cli_show_list(struct cli *c, const char *path, const struct list_view *view);
/* As JSON or YAML, by -o. */
void cli_print(struct cli *c, const struct json *j);
/* The same of a document as text. What has too many values to be printed in one is said, with what to do instead;
 * CLI_FAILED. */
int cli_print_text(struct cli *c, struct str document, const char *instead);

/* "?name=value" or "&name=value", percent-encoded; value NULL: nothing. */
void url_query(struct buf *path, const char *name, const char *value);
/* One path segment, percent-encoded. */
void url_segment(struct buf *path, const char *text);
/* "2h" (ago), or RFC 3339, to RFC 3339 in UTC. False where it is neither. */
bool cli_time_arg(struct cli *c, const char *text, char out[CLOCK_RFC3339_MAX]);

/* ---- findings.c ---- */
/* As lines; by -o as {"good":…,"errors":n,"warnings":n,"findings":[…]}. */
void cli_print_findings(struct cli *c, const struct diags *d, bool good);
/* The same in parts: the lines; the list of findings. */
void cli_print_lines(struct cli *c, const struct diags *d);
void cli_write_findings(struct json_w *w, const struct diags *d);

/* ---- follow.c ---- */
/* Prints the output of a run as it comes, until it ended where follow. */
int cli_follow_output(struct cli *c, const char *run, bool follow);
/* Waits until the run ended; *out: the run. */
int cli_wait_run(struct cli *c, const char *run, const struct json **out);

#endif
