/* options.c: getopt for two programs, which must not differ in what an option means. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/diag.h"
#include "flow/load.h"
#include "run/options.h"

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

/* What is kept is the configuration; the rules were only looked at. */
static struct conf *load_checked(const struct options *o, struct diags *d)
{
	struct loaded *l = load_all(o->conf_path, d);
	struct conf *c = l ? l->conf : NULL;

	if (l)
		l->conf = NULL;
	loaded_free(l);
	return c;
}

struct conf *options_load(const struct options *o, bool all, int *status)
{
	struct conf *c;
	struct diags d;
	struct buf lines;

	diags_init(&d);
	buf_init(&lines, BUF_NO_LIMIT);
	c = all || o->check || o->dump ? load_checked(o, &d) : load_conf(o->conf_path, &d);
	diags_print(&d, &lines);
	fputs(lines.p ? lines.p : "", stderr);
	buf_release(&lines);
	diags_release(&d);
	*status = c ? 0 : EXIT_CONFIG;
	if (c && o->dump)
		print_conf(c);
	if (c && (o->dump || o->check)) {
		conf_free(c);
		c = NULL;
	}
	return c;
}
