/* replay.c: a target's corpus without libFuzzer: each file of tests/fuzz/corpus/NAME once, as part of
 * `make check`. The name is the program's own, after "fuzz_"; files named on the command line are replayed
 * instead. A finding of a fuzzer becomes a file of the corpus first, and is mended then. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "base/file.h"

static int replay(const char *path)
{
	struct buf b;
	struct err e;

	buf_init(&b, BUF_NO_LIMIT);
	if (file_read(path, &b, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	/* Exactly as long as the input, so that a sanitizer sees a read past its end. */
	uint8_t *exact = malloc(b.n ? b.n : 1);
	if (!exact)
		return -1;
	if (b.n > 0)
		memcpy(exact, b.p, b.n);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(exact, b.n);
	free(exact);
	buf_release(&b);
	return 0;
}

static int replay_folder(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *f;
	struct arena paths;
	unsigned n = 0;
	int rc = 0;

	if (!d) {
		perror(folder);
		return -1;
	}
	arena_init(&paths, FUZZ_MEMORY);
	while (rc == 0 && (f = readdir(d))) {
		if (f->d_name[0] == '.')
			continue;
		struct str path = arena_printf(&paths, "%s/%s", folder, f->d_name);
		rc = path.p ? replay(path.p) : -1;
		n++;
	}
	arena_release(&paths);
	closedir(d);
	fprintf(stderr, "%u inputs\n", n);
	return n > 0 ? rc : -1;
}

int main(int argc, char **argv)
{
	struct arena paths;
	int rc = 0;
	const char *name = strstr(argv[0], "fuzz_");

	for (const char *p = name; p; p = strstr(p + 1, "fuzz_"))
		name = p;
	if (!name)
		return 1;
	arena_init(&paths, FUZZ_MEMORY);
	struct str folder = arena_printf(&paths, "%s/%s", CORPUS_DIR, name + strlen("fuzz_"));
	if (argc == 1)
		rc = folder.p ? replay_folder(folder.p) : -1;
	for (int i = 1; i < argc && rc == 0; i++)
		rc = replay(argv[i]);
	arena_release(&paths);
	return rc < 0;
}
