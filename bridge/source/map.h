/* map.h: how a message that no kind knows is read: which of its places becomes which part of an
 * event. The kind `generic` goes by it. Made once, when the configuration is read
 * (flow/bind_map.h); never changed.
 */
#ifndef RB_SOURCE_MAP_H
#define RB_SOURCE_MAP_H

#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"

enum source_value_kind {
	SOURCE_UNSET,
	SOURCE_PATH,	 /* from the element, or with root set from the whole body */
	SOURCE_LITERAL,
	SOURCE_TEMPLATE, /* over the event as it is so far */
};

struct source_value {
	enum source_value_kind kind;
	struct str text;	/* as it is written, NUL-terminated */
	struct str *path;	/* its parts; path_n == 0: the element, or the body, itself */
	size_t path_n;
	bool root;
	struct str literal;
	const void *template;	/* the maker's, for render */
};

struct source_named {
	struct str name;
	struct source_value value;
};

struct source_map {
	struct source_value each; /* UNSET: the body is the element, or holds the elements where it
				     is an array */
	struct source_value type, status, summary, severity, starts_at, ends_at;
	const struct str *firing,
		*resolved; /* words of status, in any case; both NULL: source_status_of */
	size_t firing_n, resolved_n;
	struct source_value *fingerprint;
	size_t fingerprint_n;
	struct source_named *labels, *annotations;
	size_t labels_n, annotations_n;
	/* Templates belong to a layer that stands beside this one: who makes the map says how they
	 * are filled in. *out is "" where the event lacks what is asked for. */
	int (*render)(const void *template, struct arena *a, const struct event *ev,
		struct str *out, struct err *e);
};

#define SOURCE_PATH_LIMIT 32 /* parts of a path */

/* A text of the configuration: {{ in it is a template (whose `template` the caller sets), "…" in
 * double quotes a literal, all else a path: names with dots between, numbers index arrays, a name
 * with a dot or blank in double quotes; "root" in front begins at the whole body, "." is the
 * element itself. In a. ERR_INPUT. */
int source_value_parse(struct arena *a, struct str text, struct source_value *out, struct err *e);
/* What is there; NULL: nothing, or null. Only of a path. */
const struct json *source_value_find(
	const struct source_value *v, const struct json *root, const struct json *item);
/* A word that most senders mean so, in any case; else EVENT_INFO. */
enum event_status source_status_of(struct str word);

#endif
