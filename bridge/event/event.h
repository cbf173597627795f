/* event.h: what every input becomes.
 *
 * A struct event borrows all its text from the arena of the request (or of the reader) that made it.
 * Its JSON, written here and nowhere else, is what the API, the bus and a runbook's stdin show
 * (docs/event.md).
 */
#ifndef RB_EVENT_EVENT_H
#define RB_EVENT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"

enum event_status {
	EVENT_FIRING,
	EVENT_RESOLVED,
	EVENT_INFO,
};

enum event_severity {
	SEVERITY_UNKNOWN,	/* in this order: worse is greater */
	SEVERITY_INFO,
	SEVERITY_WARNING,
	SEVERITY_ERROR,
	SEVERITY_CRITICAL,
};

/* The sender's whole message, where it groups alerts: shared by the events of one request. Few need it, so it is only
 * pointed at; whoever wants it kept sets id and json (flow/decide.c does, for runbooks with `compat: am-executor`). */
struct event_message {
	const struct json *body;	/* as parsed; NULL in an event that was read back */
	struct str json;		/* as it is kept; "" until then */
	char id[HASH_SHA256_HEX];	/* SHA-256 of json, the name it is kept under; "" not kept */
};

struct event {
	struct str id;		/* "" until the store gave one */
	struct str source;	/* the source's name, not its kind */
	struct str type;	/* "alert", or the event's own */
	enum event_status status;
	enum event_severity severity;
	int64_t time_ns;	/* when it happened, by the sender; 0 where unknown */
	int64_t received_ms;	/* by Redis's clock; 0 until the store took it */
	struct str fingerprint;	/* 16 hex digits; "" for what is no alert */
	int64_t starts_ns;	/* 0 where the sender gave none: for a firing alert, its arrival counts */
	int64_t ends_ns;	/* 0 where there is none: still firing */
	int64_t expires_ns;	/* of a firing alert: resolved then, unless it is reported again; 0: by incidents.stale_after */
	struct str delivery;	/* the sender's id of this very message, the same when it is sent again; "" it has none */
	struct str summary;
	struct kv *labels;	/* sorted by name, no name twice */
	size_t labels_n;
	struct kv *annotations;	/* the same */
	size_t annotations_n;
	struct kv *links;
	size_t links_n;
	const struct json *data;	/* the sender's own object; NULL: {} */
	struct str group;	/* the sender's group of alerts, by its own key; "" where there is none */
	struct event_message *message;	/* NULL: the sender has no such thing */
	struct str broken;	/* how its data breaks the contract of its type; "" it does not: no rule runs for it else */
	unsigned depth;		/* how many runs led to it (limits.chain_depth) */
	struct str trail;	/* the rules of these runs, the first one first, with a blank between; "" none is known */
};

const char *event_status_name(enum event_status s);
bool event_status_parse(struct str s, enum event_status *out);
const char *event_severity_name(enum event_severity s);
/* The sender's word onto the scale, in any case: critical crit fatal emergency page p1 -> critical, … ; else unknown. */
enum event_severity event_severity_of(struct str word);

/* Label or annotation by name; STR_NONE where there is none. Binary search. */
struct str event_label(const struct event *e, struct str name);
struct str event_annotation(const struct event *e, struct str name);
/* Sorts by name and drops doubled names (the last one wins) and empty values where drop_empty. */
void event_sort_labels(struct kv *v, size_t *n, bool drop_empty);
/* Prometheus's and Alertmanager's fingerprint of sorted labels, 16 hex digits. */
struct str event_fingerprint(struct arena *a, const struct kv *labels, size_t n);

/* A trail out of its JSON, an array of names; "" where it is none, or the arena is full. */
struct str event_trail(struct arena *a, const struct json *list);

/* The whole object {"source":…,…}, members in one fixed order. Those whose value is unknown are null; id, received,
 * group, depth and trail are left out where the event has none: the store puts the first two in front of what it keeps;
 * message is there where the message is kept. */
void event_write_json(struct json_w *w, const struct event *e);
/* And back; strings point into the arena. For the worker and for explain. ERR_INPUT names the member. */
int event_read_json(struct arena *a, const struct json *j, struct event *out, struct err *e);

#endif
