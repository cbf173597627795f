/* maker.h: a line put together label by label. For the decoders.
 *
 * What is put is borrowed until line_maker_end or line_maker_base has returned.
 */
#ifndef RB_LINE_MAKER_H
#define RB_LINE_MAKER_H

#include "base/arena.h"
#include "base/json.h"
#include "line/decoder.h"

struct line_maker {
	struct line_sink sink;
	struct line_report *report;
	size_t line_limit;
	int64_t now_ns;
	struct arena arena; /* of the line: what is not in the body as it is; emptied at its end */
	struct arena base_arena; /* of labels that several lines have */
	struct line line;
	uint64_t fixed_offset; /* of all lines, where what is at hand is not the body; 0: none */
	size_t request_n,
		base_n; /* labels of the request, and of what holds several lines, in front */
	struct line_label labels[LINE_LABELS_LIMIT];
};

/* A decoder of n bytes, zeroed, which begins with its struct line_maker; that one is set up and has
 * copies of what it needs. NULL with e: no memory. */
void *line_maker_new(
	size_t n, const struct line_options *o, const struct line_sink *sink, struct err *e);
/* The decoder, with its maker. NULL is fine. */
void line_maker_free(void *decoder);
/* One that stands elsewhere. sink NULL: its line is looked at, not given. */
void line_maker_init(
	struct line_maker *m, const struct line_options *o, const struct line_sink *sink);
void line_maker_release(struct line_maker *m);
/* A new line, with the labels of the request and the base. */
void line_maker_begin(struct line_maker *m, uint64_t offset);
/* What was put since line_maker_begin stands on all lines from now on; gives what
 * line_maker_unbase takes to go back. Ends that line without giving it to the sink. */
size_t line_maker_base(struct line_maker *m);
void line_maker_unbase(struct line_maker *m, size_t before);
/* The name as the sender has it; known ones also give host, unit, program, pid, level, … An empty
 * value is no label. */
void line_maker_label(struct line_maker *m, struct str name, struct str value);
/* Exactly this name. */
void line_maker_set(struct line_maker *m, const char *name, struct str value);
bool line_maker_has(const struct line_maker *m, const char *name);
/* Without the line end; cut where it is too long. */
void line_maker_message(struct line_maker *m, struct str message);
/* A message from a file or a program's output: a JSON object is taken as one; a header of syslog
 * may stand in front of others. */
void line_maker_text(struct line_maker *m, struct str text);
/* A message of any JSON value: the text of a scalar, else the JSON. */
void line_maker_value(struct line_maker *m, const struct json *j);
/* Labels, message and time of an object. */
void line_maker_object(struct line_maker *m, const struct json *object);
/* Scalars in it as labels, names joined by "_" */
void line_maker_flatten(struct line_maker *m, const struct json *object);
/* Gives the line to the sink. -1 with e: what that said, or no memory. */
int line_maker_end(struct line_maker *m, struct err *e);

/* The level on the one scale, of a word or of a number of syslog (0 to 7) or of pino (10 to 60);
 * STR_NONE: unknown. */
struct str line_level(struct str word);
/* A severity of syslog, 0 to 7. */
struct str line_level_of_syslog(unsigned severity);

#endif
