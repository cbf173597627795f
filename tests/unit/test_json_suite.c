/* Every document of tests/golden/json: its answer, the same however it is cut into pieces; and no kind of source does
 * anything with it but take or refuse it. */
#include "unit.h"
#include <dirent.h>
#include "base/file.h"
#include "base/json.h"
#include "source/source.h"

#define DOCUMENTS_LEAST 150

static struct arena arena;
static size_t seen;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 256 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static struct json *read_in_pieces(struct str text, size_t piece, struct err *e)
{
	struct json_reader *r = json_reader_new(&arena, NULL);

	for (size_t at = 0; at < text.n; at += piece)
		if (json_reader_feed(r, text.p + at, text.n - at < piece ? text.n - at : piece, e) < 0)
			break;
	struct json *j = json_reader_finish(r, e);
	json_reader_free(r);
	return j;
}

static struct str text_of(const struct json *j, struct buf *out)
{
	struct json_w w;

	buf_init(out, BUF_NO_LIMIT);
	json_w_init(&w, out);
	json_write(&w, j);
	assert_false(buf_failed(out));
	return buf_as_str(out);
}

static void written_and_read_again(const struct json *j, const char *name)
{
	struct buf once, twice;
	struct err e = {0};
	struct str text = text_of(j, &once);
	struct json *back = json_parse(&arena, text, &e);

	if (!back)
		fail_msg("%s: what was written cannot be read: %s", name, e.text);
	if (!str_eq(text_of(back, &twice), text))
		fail_msg("%s: '%.*s' is written otherwise the second time", name, STR_ARG(text));
	buf_release(&once);
	buf_release(&twice);
}

static void parsed(struct str text, const char *name, bool good)
{
	static const size_t pieces[] = {SIZE_MAX / 2, 1, 2, 3, 7};
	struct buf first = {0};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct err e = {0};
		struct json *j = read_in_pieces(text, pieces[i], &e);
		if ((j != NULL) != good)
			fail_msg("%s in pieces of %zu: %s", name, pieces[i], j ? "taken" : e.text);
		if (!j && (!e.text[0] || e.offset > text.n || (e.code != ERR_INPUT && e.code != ERR_LIMIT)))
			fail_msg("%s: refused badly: %d '%s' at %zu", name, e.code, e.text, e.offset);
		if (!j)
			continue;
		struct buf now;
		struct str written = text_of(j, &now);
		if (i == 0)
			first = now;
		else if (!str_eq(written, buf_as_str(&first)))
			fail_msg("%s reads otherwise in pieces of %zu", name, pieces[i]);
		if (i > 0)
			buf_release(&now);
		else
			written_and_read_again(j, name);
	}
	buf_release(&first);
}

/* good: JSON that a body may be. Which of these documents a kind takes is its own tests' matter. */
static void sent(struct str text, const char *name, bool good)
{
	struct source_request rq = {.source = STR("s"), .now_ms = 1700000000000};

	for (const struct source_kind *k = source_kinds; k->name; k++) {
		struct source_batch out;
		struct err e = {0};
		struct source_parse *p = source_begin(&arena, k, &rq);
		assert_non_null(p);
		source_feed(p, text.p, text.n, &e);
		int rc = source_finish(p, &out, &e);
		if (rc == 0 && !good)
			fail_msg("kind %s takes %s", k->name, name);
		if (rc != 0 && (!e.text[0] || e.offset > text.n || (e.code != ERR_INPUT && e.code != ERR_LIMIT)))
			fail_msg("kind %s refuses %s badly: %d '%s' at %zu", k->name, name, e.code, e.text, e.offset);
	}
}

static void document(const char *path, const char *name, bool good, bool deep)
{
	struct buf b;
	struct err e = {0};

	buf_init(&b, 1 << 20);
	if (file_read(path, &b, &e) < 0)
		fail_msg("%s", e.text);
	struct str text = {b.p ? b.p : "", b.n};
	parsed(text, name, good);
	sent(text, name, good && !deep);
	buf_release(&b);
	arena_release(&arena);
	arena_init(&arena, 256 << 20);
	seen++;
}

static void folder(const char *of, bool good)
{
	char path[600];
	snprintf(path, sizeof(path), GOLDEN_DIR "/json/%s", of);
	DIR *d = opendir(path);

	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d));) {
		if (!strstr(de->d_name, ".json"))
			continue;
		snprintf(path, sizeof(path), GOLDEN_DIR "/json/%s/%s", of, de->d_name);
		document(path, de->d_name, good, false);
	}
	closedir(d);
}

static void good_documents(void **state)
{
	(void)state;
	folder("accept", true);
}

static void bad_documents(void **state)
{
	(void)state;
	folder("reject", false);
}

static void documents_with_an_answer_of_our_own(void **state)
{
	(void)state;
	char name[200], answer[20], path[600];
	FILE *f = fopen(GOLDEN_DIR "/json/edge/EXPECTED", "r");

	assert_non_null(f);
	while (fscanf(f, "%199s %19s", name, answer) == 2) {
		snprintf(path, sizeof(path), GOLDEN_DIR "/json/edge/%s.json", name);
		document(path, name, strcmp(answer, "reject") != 0, strcmp(answer, "deep") == 0);
	}
	fclose(f);
}

static void there_are_enough(void **state)
{
	(void)state;
	assert_true(seen >= DOCUMENTS_LEAST);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

TESTS_MAIN(T(good_documents), T(bad_documents), T(documents_with_an_answer_of_our_own), T(there_are_enough))
