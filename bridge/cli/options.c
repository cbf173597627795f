/* options.c: the table of options, and argv sorted into options and words.
 *
 * Options may stand anywhere; "--" ends them. Whether a command takes an option is decided after the
 * command is known (by scope), so that "runbookctl --limit 3 runs" works. An unknown option or command
 * is answered with the nearest known one. Nothing here is read from the network.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"

enum option_id {
	OPTION_URL = 256,
	OPTION_TOKEN_FILE,
	OPTION_CA_FILE,
	OPTION_OUTPUT,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_STATUS,
	OPTION_FILTER,
	OPTION_SINCE,
	OPTION_UNTIL,
	OPTION_LIMIT,
	OPTION_FOLLOW,
	OPTION_PARAM,
	OPTION_WAIT,
	OPTION_CONFIG,
	OPTION_SOURCE,
	OPTION_HEADER,
	OPTION_RULE,
	OPTION_RULES,
	OPTION_RUNBOOKS,
	OPTION_EXIT_CODE,
	OPTION_TO,
	OPTION_NAME,
	OPTION_SCOPE,
	OPTION_TYPE,
	OPTION_SUBJECT,
	OPTION_DATA,
	OPTION_LABEL,
	OPTION_LOG,
	OPTION_FORMAT,
	OPTION_VERBOSE,
};

const struct cli_option cli_options[] = {
	{OPTION_URL, 0, "url", "URL", SCOPE_GLOBAL,
		"where the bridge listens: http://HOST:PORT, https://HOST:PORT or unix:/path (default: "
		"RUNBOOKD_URL, or " CLIENT_URL_DEFAULT ")"},
	{OPTION_TOKEN_FILE, 0, "token-file", "FILE", SCOPE_GLOBAL,
		"a file that holds the token to show (default: RUNBOOKD_TOKEN_FILE, or none)"},
	{OPTION_CA_FILE, 0, "ca-file", "FILE", SCOPE_GLOBAL,
		"a file of certificates, in PEM, that an https address is held against (default: RUNBOOKD_CA_FILE, or "
		"those of the system)"},
	{OPTION_OUTPUT, 'o', "output", "FORMAT", SCOPE_GLOBAL, "table, json or yaml (default: table)"},
	{OPTION_HELP, 'h', "help", NULL, SCOPE_GLOBAL, "what there is, or what the command takes"},
	{OPTION_VERSION, 'V', "version", NULL, SCOPE_GLOBAL, "the version"},
	{OPTION_STATUS, 0, "status", "STATUS", SCOPE_STATUS,
		"only those that are open, resolved, firing, running, failed and so on"},
	{OPTION_FILTER, 0, "filter", "MATCHERS", SCOPE_FILTER,
		"only those that match, in the syntax of rules: 'instance=~\"web-.*\"'"},
	{OPTION_SINCE, 0, "since", "TIME", SCOPE_TIME | SCOPE_SINCE,
		"only those from then on: a duration (2h ago is 2h) or an RFC 3339 time"},
	{OPTION_UNTIL, 0, "until", "TIME", SCOPE_TIME, "only those before then"},
	{OPTION_LIMIT, 0, "limit", "N", SCOPE_LIMIT, "at most so many (default: 50)"},
	{OPTION_FOLLOW, 'f', "follow", NULL, SCOPE_FOLLOW, "go on until the run ended"},
	{OPTION_PARAM, 'p', "param", "NAME=VALUE", SCOPE_RUN, "a parameter of the runbook; may be repeated"},
	{OPTION_WAIT, 0, "wait", NULL, SCOPE_RUN,
		"print the output as it comes; exit 0 where the run succeeded, else 1"},
	{OPTION_CONFIG, 'c', "config", "FILE", SCOPE_CONFIG,
		"the configuration that names the runbooks' folders"},
	{OPTION_SOURCE, 0, "source", "NAME", SCOPE_EXPLAIN,
		"the source that the payload is from, as in /ingest/NAME"},
	{OPTION_HEADER, 0, "header", "'NAME: VALUE'", SCOPE_EXPLAIN,
		"a header that the payload came with, as X-GitHub-Event; may be repeated"},
	{OPTION_RULE, 0, "rule", "NAME", SCOPE_EXPLAIN, "only this rule"},
	{OPTION_RULES, 0, "rules", "FOLDER", SCOPE_REPLAY,
		"the rules to try: *.yml there and in its rules/ (default: those of -c)"},
	{OPTION_RUNBOOKS, 0, "runbooks", "FOLDER", SCOPE_REPLAY,
		"the runbooks that they name (default: those of -c, or runbooks/ in or beside the rules)"},
	{OPTION_EXIT_CODE, 0, "exit-code", NULL, SCOPE_REPLAY, "exit 1 where something differs"},
	{OPTION_TO, 0, "to", "FOLDER", SCOPE_IMPORT,
		"write the files there, into rules/ and runbooks/, and never over one that is there"},
	{OPTION_NAME, 0, "name", "NAME", SCOPE_TOKEN, "what the audit calls it (default: new)"},
	{OPTION_SCOPE, 0, "scope", "SCOPE", SCOPE_TOKEN,
		"read, operate, admin, ingest or ingest:SOURCE; may be repeated (default: read)"},
	{OPTION_TYPE, 0, "type", "TYPE", SCOPE_EMIT, "the event's type, as deployed"},
	{OPTION_SUBJECT, 0, "subject", "TEXT", SCOPE_EMIT, "what it is about: its label subject, and its summary"},
	{OPTION_DATA, 0, "data", "JSON", SCOPE_EMIT, "its data: JSON, @FILE, or - for standard input"},
	{OPTION_LABEL, 'l', "label", "NAME=VALUE", SCOPE_LABEL,
		"a label (of events emit: small letters, digits and _); may be repeated"},
	{OPTION_LOG, 0, "log", "FILE", SCOPE_LOG, "the log: lines of text, JSON, or a journal's export; - for standard input"},
	{OPTION_FORMAT, 0, "format", "FORMAT", SCOPE_LOG, "text, json or journal (default: as its first bytes look)"},
	{OPTION_VERBOSE, 'v', "verbose", NULL, SCOPE_LOG, "all, not only the first ones or the worst"},
	{0, 0, NULL, NULL, 0, NULL},
};

static const struct cli_option *option_by_id(int id)
{
	for (const struct cli_option *o = cli_options; o->name; o++) {
		if (o->id == id || (o->letter && o->letter == id))
			return o;
	}
	return NULL;
}

static int set_limit(struct cli_options *o, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text == '\0' || *end || n < 1 || n > CLI_LIMIT_MAX) {
		cli_error("'%s' is no limit; give a number from 1 to %d", text, CLI_LIMIT_MAX);
		return CLI_USAGE;
	}
	o->limit = n;
	return 0;
}

static int set_format(struct cli_options *o, const char *text)
{
	static const char *const names[] = {"table", "json", "yaml"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(text, names[i]) == 0) {
			o->format = (enum cli_format)i;
			return 0;
		}
	}
	cli_error("'%s' is no output format; give table, json or yaml", text);
	return CLI_USAGE;
}

static int set_param(struct cli_options *o, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		cli_error("'%s' is no parameter; give NAME=VALUE", text);
		return CLI_USAGE;
	}
	if (o->params_n == CLI_PARAMS_MAX) {
		cli_error("more than %d parameters", CLI_PARAMS_MAX);
		return CLI_USAGE;
	}
	o->params[o->params_n++] = text;
	return 0;
}

static int set_header(struct cli_options *o, const char *text)
{
	const char *colon = strchr(text, ':');

	if (!colon || colon == text) {
		cli_error("'%s' is no header; give 'NAME: VALUE'", text);
		return CLI_USAGE;
	}
	if (o->headers_n == CLI_HEADERS_MAX) {
		cli_error("more than %d headers", CLI_HEADERS_MAX);
		return CLI_USAGE;
	}
	o->headers[o->headers_n++] = text;
	return 0;
}

static int set_scope(struct cli_options *o, const char *text)
{
	if (o->scopes_n == CLI_SCOPES_MAX) {
		cli_error("more than %d scopes", CLI_SCOPES_MAX);
		return CLI_USAGE;
	}
	o->scopes[o->scopes_n++] = text;
	return 0;
}

static int set_label(struct cli_options *o, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		cli_error("'%s' is no label; give NAME=VALUE", text);
		return CLI_USAGE;
	}
	if (o->labels_n == CLI_LABELS_MAX) {
		cli_error("more than %d labels", CLI_LABELS_MAX);
		return CLI_USAGE;
	}
	o->labels[o->labels_n++] = text;
	return 0;
}

static int set_option(struct cli_options *o, const struct cli_option *which, const char *value)
{
	if (o->given_n < CLI_OPTIONS_MAX)
		o->given[o->given_n++] = which;
	switch ((enum option_id)which->id) {
	case OPTION_URL:
		o->url = value;
		break;
	case OPTION_TOKEN_FILE:
		o->token_file = value;
		break;
	case OPTION_CA_FILE:
		o->ca_file = value;
		break;
	case OPTION_OUTPUT:
		return set_format(o, value);
	case OPTION_HELP:
		o->help = true;
		break;
	case OPTION_VERSION:
		o->version = true;
		break;
	case OPTION_STATUS:
		o->status = value;
		break;
	case OPTION_FILTER:
		o->filter = value;
		break;
	case OPTION_SINCE:
		o->since = value;
		break;
	case OPTION_UNTIL:
		o->until = value;
		break;
	case OPTION_LIMIT:
		return set_limit(o, value);
	case OPTION_FOLLOW:
		o->follow = true;
		break;
	case OPTION_PARAM:
		return set_param(o, value);
	case OPTION_WAIT:
		o->wait = true;
		break;
	case OPTION_TO:
		o->to = value;
		break;
	case OPTION_NAME:
		o->name = value;
		break;
	case OPTION_SCOPE:
		return set_scope(o, value);
	case OPTION_CONFIG:
		o->config = value;
		break;
	case OPTION_SOURCE:
		o->source = value;
		break;
	case OPTION_HEADER:
		return set_header(o, value);
	case OPTION_RULE:
		o->rule = value;
		break;
	case OPTION_RULES:
		o->rules = value;
		break;
	case OPTION_RUNBOOKS:
		o->runbooks = value;
		break;
	case OPTION_EXIT_CODE:
		o->exit_code = true;
		break;
	case OPTION_TYPE:
		o->type = value;
		break;
	case OPTION_SUBJECT:
		o->subject = value;
		break;
	case OPTION_DATA:
		o->data = value;
		break;
	case OPTION_LABEL:
		return set_label(o, value);
	case OPTION_LOG:
		o->log = value;
		break;
	case OPTION_FORMAT:
		o->log_format = value;
		break;
	case OPTION_VERBOSE:
		o->verbose = true;
		break;
	}
	return 0;
}

static void complain(int c, char **argv)
{
	const char *names[CLI_OPTIONS_MAX];
	const char *given = argv[optind - 1];
	const struct cli_option *o = optopt ? option_by_id(optopt) : NULL;
	const char *near;
	size_t n = 0;

	if (c == ':' && o) {
		cli_error("the option '%s' needs a value: --%s %s", given, o->name, o->argument);
		return;
	}
	if (o) {
		cli_error("the option '--%s' takes no value", o->name);
		return;
	}
	if (optopt) {
		cli_error("unknown option '-%c'; see runbookctl --help", optopt);
		return;
	}
	for (o = cli_options; o->name; o++)
		names[n++] = o->name;
	near = nearest(str_of(given + strspn(given, "-")), names, n);
	cli_error("unknown option '%s'%s%s; see runbookctl --help", given,
		near ? "; did you mean --" : "", near ? near : "");
}

/* getopt's two tables, made from ours. */
static void build_getopt(struct option *longs, char *shorts)
{
	size_t n = 0;

	*shorts++ = ':';
	for (const struct cli_option *o = cli_options; o->name && n + 1 < CLI_OPTIONS_MAX; o++) {
		longs[n++] = (struct option){.name = o->name,
			.has_arg = o->argument ? required_argument : no_argument, .val = o->id};
		if (!o->letter)
			continue;
		*shorts++ = o->letter;
		if (o->argument)
			*shorts++ = ':';
	}
	longs[n] = (struct option){0};
	*shorts = '\0';
}

int options_parse(struct cli_options *o, int argc, char **argv, char ***words, int *words_n)
{
	struct option longs[CLI_OPTIONS_MAX];
	char shorts[2 * CLI_OPTIONS_MAX + 2];
	int c;

	*o = (struct cli_options){0};
	o->url = getenv("RUNBOOKD_URL");
	if (!o->url || !*o->url)
		o->url = CLIENT_URL_DEFAULT;
	o->ca_file = getenv("RUNBOOKD_CA_FILE");
	if (o->ca_file && !*o->ca_file)
		o->ca_file = NULL;
	o->token_file = getenv("RUNBOOKD_TOKEN_FILE");
	if (o->token_file && !*o->token_file)
		o->token_file = NULL;
	build_getopt(longs, shorts);
	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		int rc;

		if (c == '?' || c == ':') {
			complain(c, argv);
			return CLI_USAGE;
		}
		rc = set_option(o, option_by_id(c), optarg);
		if (rc)
			return rc;
	}
	*words = argv + optind;
	*words_n = argc - optind;
	return 0;
}

#define COMMANDS_MAX 64
#define WORD_MAX 32

/* Does the name begin with this word, and what follows it? NULL: it does not. */
static const char *after_word(const char *name, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(name, word, n) != 0 || (name[n] != '\0' && name[n] != ' '))
		return NULL;
	return name[n] ? name + n + 1 : name + n;
}

static void complain_about(char **words, bool noun_known)
{
	char first[COMMANDS_MAX][WORD_MAX];
	const char *names[COMMANDS_MAX];
	const char *near, *typed = words[noun_known ? 1 : 0];
	size_t count = 0;

	for (const struct command *const *c = commands; *c && count < COMMANDS_MAX; c++) {
		const char *rest = noun_known ? after_word((*c)->name, words[0]) : (*c)->name;
		size_t len = rest ? strcspn(rest, " ") : 0;

		if (len == 0 || len >= WORD_MAX)
			continue;
		memcpy(first[count], rest, len);
		first[count][len] = '\0';
		names[count] = first[count];
		count++;
	}
	near = nearest(str_of(typed), names, count);
	if (noun_known)
		cli_error("unknown command '%s %s'%s%s%s%s%s; see runbookctl --help", words[0], typed,
			near ? "; did you mean '" : "", near ? words[0] : "", near ? " " : "",
			near ? near : "", near ? "'" : "");
	else
		cli_error("unknown command '%s'%s%s%s; see runbookctl --help", typed,
			near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
}

/* A noun that has no list and stands alone, with its first verb. */
static void complain_alone(const char *noun)
{
	for (const struct command *const *c = commands; *c; c++) {
		if (!after_word((*c)->name, noun))
			continue;
		cli_error("'%s' is not a command alone, as '%s' is one; see runbookctl --help", noun, (*c)->name);
		return;
	}
}

const struct command *command_find(char **words, int n, int *used)
{
	const struct command *list = NULL;
	bool noun_known = false;

	for (const struct command *const *c = commands; *c; c++) {
		const char *rest = after_word((*c)->name, words[0]);

		if (!rest)
			continue;
		if (*rest == '\0') {
			*used = 1;
			return *c;
		}
		noun_known = true;
		if (strcmp(rest, "list") == 0)
			list = *c;
		if (n > 1 && strcmp(rest, words[1]) == 0) {
			*used = 2;
			return *c;
		}
	}
	if (n == 1 && list) {
		*used = 1;
		return list;
	}
	if (noun_known && n == 1)
		complain_alone(words[0]);
	else
		complain_about(words, noun_known);
	return NULL;
}
