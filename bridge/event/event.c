/* event.c: the one place that knows the shape of an event, in memory and as JSON.
 *
 * Guarantees: labels and annotations of an event that came through event_sort_labels are sorted by
 * name, and no name stands twice; what event_write_json writes, event_read_json reads back to the
 * same event (times of the bus are in ms, those of the sender in ns); the members stand in one
 * fixed order, so that equal events are equal bytes.
 *
 * Writing is on the path of each request: the names of members are constants that need no quoting,
 * so they go straight into the buffer. Does not decide anything: no clock, no defaults for what a
 * sender left out.
 */
#include "event/event.h"

#include "base/clock.h"
#include "base/hash.h"

static const char *const status_names[] = {
	[EVENT_FIRING] = "firing",
	[EVENT_RESOLVED] = "resolved",
	[EVENT_INFO] = "info",
};

static const char *const severity_names[] = {
	[SEVERITY_UNKNOWN] = "unknown",
	[SEVERITY_INFO] = "info",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_ERROR] = "error",
	[SEVERITY_CRITICAL] = "critical",
};

/* What senders call it, in lower case. */
static const struct {
	const char *word;
	enum event_severity severity;
} severity_words[] = {
	{"critical", SEVERITY_CRITICAL},
	{"crit", SEVERITY_CRITICAL},
	{"highest", SEVERITY_CRITICAL},
	{"blocker", SEVERITY_CRITICAL},
	{"fatal", SEVERITY_CRITICAL},
	{"emergency", SEVERITY_CRITICAL},
	{"emerg", SEVERITY_CRITICAL},
	{"panic", SEVERITY_CRITICAL},
	{"alert", SEVERITY_CRITICAL},
	{"page", SEVERITY_CRITICAL},
	{"disaster", SEVERITY_CRITICAL},
	{"p1", SEVERITY_CRITICAL},
	{"sev1", SEVERITY_CRITICAL},
	{"error", SEVERITY_ERROR},
	{"err", SEVERITY_ERROR},
	{"high", SEVERITY_ERROR},
	{"major", SEVERITY_ERROR},
	{"p2", SEVERITY_ERROR},
	{"sev2", SEVERITY_ERROR},
	{"warning", SEVERITY_WARNING},
	{"warn", SEVERITY_WARNING},
	{"medium", SEVERITY_WARNING},
	{"moderate", SEVERITY_WARNING},
	{"average", SEVERITY_WARNING},
	{"minor", SEVERITY_WARNING},
	{"ticket", SEVERITY_WARNING},
	{"p3", SEVERITY_WARNING},
	{"sev3", SEVERITY_WARNING},
	{"info", SEVERITY_INFO},
	{"informational", SEVERITY_INFO},
	{"information", SEVERITY_INFO},
	{"notice", SEVERITY_INFO},
	{"note", SEVERITY_INFO},
	{"low", SEVERITY_INFO},
	{"lowest", SEVERITY_INFO},
	{"trivial", SEVERITY_INFO},
	{"debug", SEVERITY_INFO},
	{"none", SEVERITY_INFO},
	{"ok", SEVERITY_INFO},
	{"p4", SEVERITY_INFO},
	{"p5", SEVERITY_INFO},
	{"sev4", SEVERITY_INFO},
	{"sev5", SEVERITY_INFO},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SEVERITY_WORD_MAX 16

const char *event_status_name(enum event_status s)
{
	return status_names[s];
}

bool event_status_parse(struct str s, enum event_status *out)
{
	for (size_t i = 0; i < COUNT(status_names); i++)
		if (str_is(s, status_names[i])) {
			*out = (enum event_status)i;
			return true;
		}
	return false;
}

const char *event_severity_name(enum event_severity s)
{
	return severity_names[s];
}

enum event_severity event_severity_of(struct str word)
{
	char lower[SEVERITY_WORD_MAX];

	if (word.n > sizeof(lower))
		return SEVERITY_UNKNOWN;
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];
		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	struct str w = {lower, word.n};
	for (size_t i = 0; i < COUNT(severity_words); i++)
		if (str_is(w, severity_words[i].word))
			return severity_words[i].severity;
	return SEVERITY_UNKNOWN;
}

static struct str kv_find(const struct kv *v, size_t n, struct str name)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = str_cmp(v[mid].name, name);
		if (c == 0)
			return v[mid].value;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return STR_NONE;
}

struct str event_label(const struct event *e, struct str name)
{
	return kv_find(e->labels, e->labels_n, name);
}

struct str event_annotation(const struct event *e, struct str name)
{
	return kv_find(e->annotations, e->annotations_n, name);
}

/* Where name goes in sorted v: after those that are not greater. Senders sort: try the end first.
 */
static size_t kv_place(const struct kv *v, size_t n, struct str name)
{
	size_t low = 0, high = n;

	if (n == 0 || str_cmp(v[n - 1].name, name) <= 0)
		return n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (str_cmp(v[mid].name, name) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Insertion keeps the order of equal names, so that "the last one wins" is what the sender wrote
 * last; the number of labels is limited where they are read (SOURCE_LABELS_LIMIT). */
void event_sort_labels(struct kv *v, size_t *n, bool drop_empty)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		struct kv x = v[i];
		size_t at = kv_place(v, kept, x.name);
		if (at > 0 && str_eq(v[at - 1].name, x.name)) {
			v[at - 1] = x;
			continue;
		}
		memmove(v + at + 1, v + at, (kept - at) * sizeof(*v));
		v[at] = x;
		kept++;
	}
	*n = kept;
	if (!drop_empty)
		return;
	kept = 0;
	for (size_t i = 0; i < *n; i++)
		if (v[i].value.n > 0)
			v[kept++] = v[i];
	*n = kept;
}

struct str event_fingerprint(struct arena *a, const struct kv *labels, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	static const unsigned char separator = 0xff;
	uint64_t h = HASH_FNV1A_START;
	char hex[16];

	for (size_t i = 0; i < n; i++) {
		h = hash_fnv1a(h, labels[i].name.p, labels[i].name.n);
		h = hash_fnv1a(h, &separator, 1);
		h = hash_fnv1a(h, labels[i].value.p, labels[i].value.n);
		h = hash_fnv1a(h, &separator, 1);
	}
	for (int i = 15; i >= 0; i--, h >>= 4)
		hex[i] = digits[h & 15];
	return arena_strdup(a, (struct str){hex, sizeof(hex)});
}

/* ---- writing ---- */

#define PUT(b, literal) buf_add((b), "" literal, sizeof(literal) - 1)

/* A word of ours: nothing in it needs an escape. */
static void put_word(struct buf *b, const char *word)
{
	buf_putc(b, '"');
	buf_puts(b, word);
	buf_putc(b, '"');
}

static void put_time_ns(struct buf *b, int64_t ns)
{
	char text[CLOCK_RFC3339_MAX];

	if (ns == 0) {
		PUT(b, "null");
		return;
	}
	clock_format_ns(ns, text);
	put_word(b, text);
}

static void put_map(struct buf *b, const struct kv *v, size_t n)
{
	buf_putc(b, '{');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		json_quote(b, v[i].name);
		buf_putc(b, ':');
		json_quote(b, v[i].value);
	}
	buf_putc(b, '}');
}

/* Names of rules need no escape, but what was read back may be anything. */
static void put_trail(struct buf *b, struct str trail)
{
	const char *p = trail.p, *end = trail.p + trail.n;

	buf_putc(b, '[');
	while (p < end) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));
		size_t n = blank ? (size_t)(blank - p) : (size_t)(end - p);

		if (p > trail.p)
			buf_putc(b, ',');
		json_quote(b, (struct str){p, n});
		p += n + 1;
	}
	buf_putc(b, ']');
}

static void put_data(struct buf *b, const struct json *data)
{
	struct json_w w;

	if (!data || data->kind == JSON_NULL) {
		PUT(b, "{}");
		return;
	}
	json_w_init(&w, b);
	json_write(&w, data);
}

/* Who, what and when: up to the comma before "fingerprint". */
static void put_head(struct buf *b, const struct event *e)
{
	if (e->id.n > 0) {
		PUT(b, "\"id\":");
		json_quote(b, e->id);
		buf_putc(b, ',');
	}
	PUT(b, "\"source\":");
	json_quote(b, e->source);
	PUT(b, ",\"type\":");
	json_quote(b, e->type);
	PUT(b, ",\"status\":");
	put_word(b, event_status_name(e->status));
	PUT(b, ",\"time\":");
	put_time_ns(b, e->time_ns);
	if (e->received_ms != 0) {
		char text[CLOCK_RFC3339_MAX];
		clock_format_ms(e->received_ms, text);
		PUT(b, ",\"received\":");
		put_word(b, text);
	}
}

void event_write_json(struct json_w *w, const struct event *e)
{
	struct buf *b = w->out;

	json_w_object(w);
	put_head(b, e);
	PUT(b, ",\"fingerprint\":");
	if (e->fingerprint.n > 0)
		json_quote(b, e->fingerprint);
	else
		PUT(b, "null");
	PUT(b, ",\"starts_at\":");
	put_time_ns(b, e->starts_ns);
	PUT(b, ",\"ends_at\":");
	put_time_ns(b, e->ends_ns);
	PUT(b, ",\"severity\":");
	put_word(b, event_severity_name(e->severity));
	PUT(b, ",\"summary\":");
	json_quote(b, e->summary);
	PUT(b, ",\"labels\":");
	put_map(b, e->labels, e->labels_n);
	PUT(b, ",\"annotations\":");
	put_map(b, e->annotations, e->annotations_n);
	PUT(b, ",\"links\":");
	put_map(b, e->links, e->links_n);
	PUT(b, ",\"data\":");
	put_data(b, e->data);
	if (e->group.n > 0) {
		PUT(b, ",\"group\":");
		json_quote(b, e->group);
	}
	if (e->message && e->message->id[0]) {
		PUT(b, ",\"message\":");
		put_word(b, e->message->id);
	}
	if (e->depth > 0) {
		PUT(b, ",\"depth\":");
		buf_u64(b, e->depth);
	}
	if (e->trail.n > 0) {
		PUT(b, ",\"trail\":");
		put_trail(b, e->trail);
	}
	json_w_end(w, '}');
}

/* ---- reading ---- */

#define TRAIL_LIMIT ((size_t)64 << 10)

static int want(struct err *e, const struct json *j, const char *member, const char *wanted)
{
	err_set(e, ERR_INPUT, "event: '%s': want %s, got %s", member, wanted,
		j ? json_kind_name(j->kind) : "nothing");
	e->offset = j ? j->offset : 0;
	return -1;
}

/* A text; null and absent are the empty one unless required. */
static int read_text(
	const struct json *j, const char *member, bool required, struct str *out, struct err *e)
{
	const struct json *m = json_get(j, member);

	*out = STR_NONE;
	if (!m || m->kind == JSON_NULL)
		return required ? want(e, m, member, "a string") : 0;
	if (m->kind != JSON_STRING)
		return want(e, m, member, "a string");
	*out = m->text;
	return 0;
}

static int read_time(const struct json *j, const char *member, int64_t *ns, struct err *e)
{
	struct str text;

	*ns = 0;
	if (read_text(j, member, false, &text, e) < 0)
		return -1;
	if (text.n > 0 && !clock_parse_rfc3339(text, ns))
		return want(e, json_get(j, member), member, "a time as in RFC 3339");
	return 0;
}

static int read_map(struct arena *a, const struct json *j, const char *member, struct kv **out,
	size_t *n, struct err *e)
{
	const struct json *m = json_get(j, member);

	*out = NULL;
	*n = 0;
	if (!m || m->kind == JSON_NULL)
		return 0;
	if (m->kind != JSON_OBJECT)
		return want(e, m, member, "an object");
	struct kv *v = arena_array(a, m->count ? m->count : 1, sizeof(*v));
	if (!v)
		return err_set(
			e, ERR_LIMIT, "event: '%s' does not fit the memory of a request", member);
	for (const struct json *c = m->child; c; c = c->next) {
		if (c->kind != JSON_STRING)
			return want(e, c, member, "strings in it");
		v[(*n)++] = (struct kv){c->key, c->text};
	}
	event_sort_labels(v, n, false);
	*out = v;
	return 0;
}

static int read_words(const struct json *j, struct event *out, struct err *e)
{
	struct str status, severity;

	if (read_text(j, "status", true, &status, e) < 0)
		return -1;
	if (!event_status_parse(status, &out->status))
		return want(e, json_get(j, "status"), "status", "'firing', 'resolved' or 'info'");
	if (read_text(j, "severity", false, &severity, e) < 0)
		return -1;
	out->severity = event_severity_of(severity);
	return 0;
}

static bool is_sha256(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return s.n == HASH_SHA256_HEX - 1;
}

static int read_message(struct arena *a, const struct json *j, struct event *out, struct err *e)
{
	struct str id;

	if (read_text(j, "group", false, &out->group, e) < 0 ||
		read_text(j, "message", false, &id, e) < 0)
		return -1;
	if (id.n == 0)
		return 0;
	if (!is_sha256(id))
		return want(e, json_get(j, "message"), "message", "64 digits of a SHA-256");
	out->message = arena_zalloc(a, sizeof(*out->message));
	if (!out->message)
		return err_set(e, ERR_LIMIT, "event: it does not fit the memory of a request");
	memcpy(out->message->id, id.p, id.n);
	return 0;
}

static int read_depth(const struct json *j, unsigned *depth, struct err *e)
{
	const struct json *m = json_get(j, "depth");
	int64_t v = 0;

	if (m && (!json_i64(m, &v) || v < 0 || v > 1000000))
		return want(e, m, "depth", "a small whole number");
	*depth = (unsigned)v;
	return 0;
}

struct str event_trail(struct arena *a, const struct json *list)
{
	struct buf b;
	struct str trail;

	if (!list || list->kind != JSON_ARRAY || !list->child)
		return STR_NONE;
	buf_init(&b, TRAIL_LIMIT);
	for (const struct json *c = list->child; c; c = c->next) {
		if (b.n > 0)
			buf_putc(&b, ' ');
		buf_str(&b, json_str(c));
	}
	trail = buf_failed(&b) ? STR_NONE : arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return trail;
}

int event_read_json(struct arena *a, const struct json *j, struct event *out, struct err *e)
{
	int64_t received_ns;

	*out = (struct event){0};
	if (!j || j->kind != JSON_OBJECT)
		return want(e, j, "event", "an object");
	if (read_text(j, "id", false, &out->id, e) < 0 ||
		read_text(j, "source", true, &out->source, e) < 0 ||
		read_text(j, "type", true, &out->type, e) < 0 || read_words(j, out, e) < 0 ||
		read_text(j, "fingerprint", false, &out->fingerprint, e) < 0 ||
		read_text(j, "summary", false, &out->summary, e) < 0)
		return -1;
	if (read_time(j, "time", &out->time_ns, e) < 0 ||
		read_time(j, "received", &received_ns, e) < 0 ||
		read_time(j, "starts_at", &out->starts_ns, e) < 0 ||
		read_time(j, "ends_at", &out->ends_ns, e) < 0)
		return -1;
	out->received_ms = received_ns / 1000000;
	if (read_map(a, j, "labels", &out->labels, &out->labels_n, e) < 0 ||
		read_map(a, j, "annotations", &out->annotations, &out->annotations_n, e) < 0 ||
		read_map(a, j, "links", &out->links, &out->links_n, e) < 0)
		return -1;
	const struct json *data = json_get(j, "data");
	out->data = data && data->kind != JSON_NULL ? data : NULL;
	if (read_message(a, j, out, e) < 0)
		return -1;
	out->trail = event_trail(a, json_get(j, "trail"));
	return read_depth(j, &out->depth, e);
}
