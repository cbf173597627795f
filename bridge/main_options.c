/* main_options.c: getopt for three programs, which must not differ in what an option means, and what --check and
 * --dump-config do. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "main_options.h"

static int usage_error(const struct program *p)
{
	fputs(p->usage, stderr);
	return EXIT_USAGE;
}

static int read_fd(const struct program *p, const char *text, int *fd)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (*end || end == text || v < 0 || v > 1 << 20) {
		fprintf(stderr, "%s: --ready-fd wants a number, not '%s'\n", p->name, text);
		return EXIT_USAGE;
	}
	*fd = (int)v;
	return -1;
}

/* It becomes part of a file's name and of a name that others see. */
static int read_name(const struct program *p, const char *text, const char **name)
{
	static const char good[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	if (!*text || strlen(text) > 64 || text[strspn(text, good)]) {
		fprintf(stderr, "%s: --name wants up to 64 letters, digits, - and _, not '%s'\n",
			p->name, text);
		return EXIT_USAGE;
	}
	*name = text;
	return -1;
}

static int read_one(const struct program *p, int c, struct options *o)
{
	switch (c) {
	case 'c':
		o->conf_path = optarg;
		return -1;
	case 'C':
		o->check = true;
		return -1;
	case 'D':
		o->dump = true;
		return -1;
	case 'R':
		return p->ready_fd ? read_fd(p, optarg, &o->ready_fd) : usage_error(p);
	case 'N':
		return p->has_name ? read_name(p, optarg, &o->name) : usage_error(p);
	case 'V':
		printf("%s " PACKAGE_VERSION "\n", p->name);
		return 0;
	case 'h':
		fputs(p->usage, stdout);
		return 0;
	default:
		return usage_error(p);
	}
}

int options_read(const struct program *p, int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'C'},
		{"dump-config", no_argument, NULL, 'D'},
		{"ready-fd", required_argument, NULL, 'R'},
		{"name", required_argument, NULL, 'N'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c, status;

	*o = (struct options){.ready_fd = -1};
	while ((c = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
		status = read_one(p, c, o);
		if (status >= 0)
			return status;
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "%s: unexpected argument '%s'\n", p->name, argv[optind]);
	return usage_error(p);
}

static void print_conf(const struct conf *c)
{
	struct buf text;

	buf_init(&text, BUF_NO_LIMIT);
	conf_dump(c, &text);
	fputs(text.p ? text.p : "", stdout);
	buf_release(&text);
}

static void print_findings(const struct diags *d)
{
	struct buf lines;

	buf_init(&lines, BUF_NO_LIMIT);
	diags_print(d, &lines);
	fputs(lines.p ? lines.p : "", stderr);
	buf_release(&lines);
}

struct loaded *options_load_all(const struct options *o, struct diags *d, int *status)
{
	struct loaded *l = (o->check ? load_checked : load_all)(o->conf_path, d);

	*status = l ? 0 : EXIT_CONFIG;
	if (l && !o->dump && !o->check)
		return l;
	print_findings(d);
	if (l && o->dump)
		print_conf(l->conf);
	loaded_free(l);
	return NULL;
}

struct conf *options_load(const struct options *o, bool all, int *status)
{
	struct conf *c = NULL;
	struct diags d;

	diags_init(&d);
	if (all || o->check || o->dump) {
		struct loaded *l = options_load_all(o, &d, status);
		if (l) { /* what is kept is the configuration; the rules were only looked at */
			c = l->conf;
			l->conf = NULL;
			loaded_free(l);
		}
	} else {
		c = load_conf(o->conf_path, &d);
		*status = c ? 0 : EXIT_CONFIG;
		if (!c)
			print_findings(&d);
	}
	if (c)
		print_findings(&d);
	diags_release(&d);
	return c;
}
