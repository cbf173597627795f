/* log_file.h: a file of log lines, and the patterns that are tried on it. For patterns test and
 * patterns suggest. */
#ifndef RB_CLI_LOG_FILE_H
#define RB_CLI_LOG_FILE_H

#include "cli/cli.h"
#include "line/line.h"
#include "rule/ruleset.h"

#define LOG_FILE_LIMIT ((size_t)2 << 30) /* bytes of a log that is read */

/* A line of the file: its number from 1; of a journal, that of the line where the entry begins. -1
 * with e: stop. */
struct log_sink {
	int (*take)(void *ctx, uint64_t number, const struct line *l, struct err *e);
	void *ctx;
};

/* path "-": standard input. format: text, json or journal; NULL: by the first bytes. What was read
 * before a fault was taken. */
int log_file_read(const char *path, const char *format, int64_t now_ms, const struct log_sink *sink,
	struct err *e);

/* The line as patterns see it: an event with its labels, a header of syslog split off, and the
 * message in UTF-8. In a. */
int log_line_event(struct arena *a, const struct line *l, int64_t now_ms, struct event *out,
	struct str *message, struct err *e);

/* What patterns test and patterns suggest do: use gets the patterns of the files named, or of -c,
 * or of the installed configuration, and its exit status is the command's. Without --log, or where
 * there are no such patterns, that is said, and use is not called. */
int log_patterns_run(struct cli *c, const char *command, int argc, char **argv,
	int (*use)(struct cli *c, const struct ruleset *rs));

#endif
