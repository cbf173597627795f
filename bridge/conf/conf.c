/* conf.c: where a configuration comes from and how long it lives: the file, its folder, its mode.
 *
 * A struct conf is one allocation with an arena; conf_free ends both. Relative paths start at the
 * folder of the file as it was named: a symlink to it is not followed for that.
 */
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/yaml.h"
#include "conf/conf_table.h"

struct conf *conf_parse(struct str bytes, const char *name, const char *dir, struct diags *d)
{
	return conf_build(bytes, name, name, dir, false, d);
}

/* A password that others may read is worth a word, no refusal. */
static void warn_loose(const struct conf *c, const char *path, struct diags *d)
{
	struct stat st;
	if (conf_redis_password(c->redis.text).n == 0 || stat(path, &st) != 0)
		return;
	if (st.st_mode & S_IROTH)
		diag_add(d, DIAG_WARNING, path, c->redis.line, c->redis.column,
			"'redis' has a password, and everyone may read this file; chmod o-r %s",
			path);
}

static char *absolute(const char *path)
{
	char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
	char *out = NULL;
	if (path[0] == '/')
		return strdup(path);
	if (!cwd || asprintf(&out, "%s/%s", cwd, path) < 0)
		out = NULL;
	free(cwd);
	return out;
}

static struct conf *load_path(const char *path, struct str bytes, bool some, struct diags *d)
{
	char *full = absolute(path);
	char *dir = full ? strdup(full) : NULL;
	struct conf *c = NULL;

	if (dir) {
		char *slash = strrchr(dir, '/');
		slash[slash == dir] = '\0';
		c = conf_build(bytes, path, full, dir, some, d);
		if (c)
			warn_loose(c, path, d);
	} else {
		diag_add(d, DIAG_ERROR, path, 0, 0, "no memory, or no current folder");
	}
	free(dir);
	free(full);
	return c;
}

static struct conf *load(const char *path, bool some, struct diags *d)
{
	struct buf bytes;
	struct err e;
	struct conf *c = NULL;

	if (!path || !*path)
		return conf_build(STR_NONE, "", "", RB_SYSCONFDIR, some, d);
	buf_init(&bytes, YAML_FILE_LIMIT);
	if (file_read(path, &bytes, &e) == 0)
		c = load_path(path, buf_as_str(&bytes), some, d);
	else
		diag_add(d, DIAG_ERROR, path, 0, 0, "%s", e.text);
	buf_release(&bytes);
	return c;
}

struct conf *conf_load(const char *path, struct diags *d)
{
	return load(path, false, d);
}

struct conf *conf_load_some(const char *path, struct diags *d)
{
	return load(path, true, d);
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	arena_release(&c->arena);
	free(c);
}
