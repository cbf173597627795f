/* Any bytes as another program's configuration: findings, or rules and runbooks that our own reader takes; import
 * itself looks, and says where it does not. The first byte chooses the program. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/file.h"
#include "cli/commands.h"

#define REFUSED ": what was made of it is refused; this is a bug of import: "

static int file_of(const void *p, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_MUST(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	return fd;
}

/* What the command says on standard error while it runs. */
static int run(const struct command *cmd, struct cli *c, char *path, struct buf *said)
{
	int here = file_of("", 0), before = dup(STDERR_FILENO), rc;
	char name[32];
	struct err e;

	fflush(stderr);
	FUZZ_MUST(before >= 0 && dup2(here, STDERR_FILENO) >= 0);
	rc = cmd->run(c, 1, &path);
	fflush(stderr);
	FUZZ_MUST(dup2(before, STDERR_FILENO) >= 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", here);
	FUZZ_MUST(file_read(name, said, &e) == 0);
	close(before);
	close(here);
	return rc;
}

/* A line of import itself: those about the input have a place, or say that they are a warning. */
static bool is_refused(const char *said, const char *path)
{
	for (const char *line = said; line; line = strchr(line, '\n')) {
		line += line != said;
		if (strncmp(line, path, strlen(path)) == 0 &&
			strncmp(line + strlen(path), REFUSED, sizeof(REFUSED) - 1) == 0)
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct command *const kinds[] = {
		&command_import_am, &command_import_webhook, &command_import_krpn};
	struct cli c = {.o.format = CLI_JSON};
	struct buf said;
	char path[32];

	if (size == 0)
		return 0;
	int fd = file_of(data + 1, size - 1);
	arena_init(&c.arena, FUZZ_MEMORY);
	buf_init(&c.out, BUF_NO_LIMIT);
	buf_init(&said, BUF_NO_LIMIT);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int rc = run(kinds[data[0] % 3], &c, path, &said);
	FUZZ_MUST(rc == CLI_GOOD ? c.out.n > 0 : said.n > 0);
	FUZZ_MUST(!is_refused(said.p ? said.p : "", path));
	buf_release(&said);
	buf_release(&c.out);
	arena_release(&c.arena);
	close(fd);
	return 0;
}
