/* feed.c: one reader of the bus, many listeners.
 *
 * The reader waits for records behind its own place (store_records_wait) as long as somebody
 * listens. A listener is LIVE where its place is not before the reader's: it is told of each record
 * as the reader gets it. Else it is BEHIND, because it began earlier or takes events more slowly
 * than they come: then it reads for itself, a piece at a time, whenever it can take more, until it
 * has reached the reader. So a slow listener costs a piece of memory and no more, and none waits
 * for another. Redis knows no limit of bytes, so how many records a piece has follows from the one
 * before: no more than were taken, nor than FEED_PIECE_BYTES had room for.
 *
 * Each listener has its place, the id of the record up to which it has heard all, and is told of
 * later ones only: that is all that keeps events from being missed or told twice. Ids of the bus
 * only go forward, and are texts of one length, so they are compared as texts; "" is before all.
 *
 * A listener that leaves while a call of its own is under way is freed when that has come back.
 */
#include "flow/feed.h"

#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "flow/query.h"
#include "rule/matcher.h"

#define FEED_JSON_KEEP ((size_t)1 << 20)

enum feed_state {
	FEED_ASKING, /* where it begins is not known yet */
	FEED_BEHIND,
	FEED_LIVE,
	FEED_BROKEN, /* it could not begin */
};

struct feed_listener {
	struct feed *feed;
	struct feed_listener *prev, *next;
	struct feed_options o; /* its texts are in arena */
	struct arena arena;
	struct matchers filter;
	struct matcher_scratch *scratch; /* NULL: no filter */
	enum feed_state state;
	char place[ID_LEN + 1];
	char goal[ID_LEN + 1]; /* where the reader was when the call under way was made */
	size_t piece;	       /* records that it asks for */
	bool calling;	       /* a call of its own is under way */
	bool enough;	       /* it takes no more for now */
	bool left;
};

struct feed {
	struct store *store;
	struct feed_listener *first;
	char place[ID_LEN + 1]; /* of the reader, while it reads */
	size_t piece;		/* records that it asks for */
	bool reading;
	struct arena row; /* the record at hand, as an event */
	struct buf json;
};

struct feed *feed_new(struct store *s)
{
	struct feed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->store = s;
	f->piece = FEED_PIECE_FIRST;
	arena_init(&f->row, QUERY_ROW_ARENA);
	buf_init(&f->json, BUF_NO_LIMIT);
	return f;
}

void feed_free(struct feed *f)
{
	if (!f)
		return;
	arena_release(&f->row);
	buf_release(&f->json);
	free(f);
}

static void listener_free(struct feed_listener *l)
{
	matchers_release(&l->filter);
	matcher_scratch_free(l->scratch);
	arena_release(&l->arena);
	free(l);
}

static void set_place(char place[ID_LEN + 1], struct str id)
{
	size_t n = id.n == ID_LEN ? ID_LEN : 0;

	if (n)
		memcpy(place, id.p, n);
	place[n] = '\0';
}

/* ---- a record ---- */

/* The record at hand: made into JSON and into an event at most once, whoever looks at it. */
struct feed_record {
	const struct store_record *r;
	bool is_event, written, read;
	struct event event;
};

static struct feed_record record_of(const struct store_record *r)
{
	return (struct feed_record){
		.r = r,
		.is_event = str_is(r->kind, "firing") || str_is(r->kind, "resolved") ||
			    str_is(r->kind, "info"),
	};
}

/* As rb_list_v1 has it: what the store keeps, and in which incident and with which decisions. */
static struct str row_of(struct feed *f, struct feed_record *rec)
{
	const struct store_record *r = rec->r;

	if (rec->written)
		return buf_as_str(&f->json);
	rec->written = true;
	if (f->json.cap > FEED_JSON_KEEP) {
		buf_release(&f->json);
		buf_init(&f->json, BUF_NO_LIMIT);
	}
	buf_clear(&f->json);
	buf_add(&f->json, r->json.p, r->json.n ? r->json.n - 1 : 0);
	buf_puts(&f->json, ",\"incident\":");
	if (r->incident.n)
		json_quote(&f->json, r->incident);
	else
		buf_puts(&f->json, "null");
	buf_puts(&f->json, ",\"decisions\":");
	buf_str(&f->json, r->decisions_json);
	buf_putc(&f->json, '}');
	return buf_as_str(&f->json);
}

static bool wants(struct feed *f, struct feed_listener *l, struct feed_record *rec)
{
	struct err ignored = {0};
	struct str row = row_of(f, rec);

	if (!l->scratch)
		return true;
	if (!rec->read) {
		arena_reset(&f->row);
		if (query_event(&f->row, row, &rec->event, &ignored) != 0)
			return true;
		rec->read = true;
	}
	matcher_scratch_begin(l->scratch);
	return matchers_eval(&l->filter, l->scratch, &f->row, &rec->event, NULL, &ignored) != 0;
}

/* The listener is through with it; where it is an event that it wants, it hears of it first. */
static void tell(struct feed_listener *l, struct feed_record *rec)
{
	set_place(l->place, rec->r->id);
	if (rec->is_event && wants(l->feed, l, rec) &&
		!l->o.on_event(l->o.ctx, rec->r->id, row_of(l->feed, rec)))
		l->enough = true;
}

/* How many are asked for after a piece of which the first `taken` were taken. */
static size_t next_piece(size_t asked, const struct store_record *v, size_t n, size_t taken)
{
	size_t bytes = 0, next = asked < FEED_PIECE / 2 ? asked * 2 : FEED_PIECE;

	if (taken < n)
		return taken > 1 ? taken : 1;
	for (size_t i = 0; i < n; i++)
		bytes += v[i].json.n;
	size_t room = bytes > 0 ? n * FEED_PIECE_BYTES / bytes : next;
	if (room < next)
		next = room > 1 ? room : 1;
	return n == asked || next < asked ? next : asked;
}

/* ---- one that is behind ---- */

static void fetch(struct feed_listener *l);

static void catch_up(struct feed_listener *l)
{
	if (strcmp(l->place, l->feed->place) >= 0)
		l->state = FEED_LIVE;
	else
		fetch(l);
}

static void on_piece(void *ctx, const struct err *e, const struct store_record *v, size_t n)
{
	struct feed_listener *l = ctx;
	size_t i = 0;

	l->calling = false;
	if (l->left) {
		listener_free(l);
		return;
	}
	while (!e && i < n && !l->enough) {
		struct feed_record rec = record_of(&v[i++]);

		tell(l, &rec);
	}
	size_t asked = l->piece;
	if (!e)
		l->piece = next_piece(asked, v, n, i);
	if (e || i < n) /* feed_kick or feed_more goes on */
		return;
	/* That was all that there was when the call was made, and then the reader was at goal. */
	if (n < asked && strcmp(l->place, l->goal) < 0)
		memcpy(l->place, l->goal, sizeof(l->place));
	if (!l->enough)
		catch_up(l);
}

static void fetch(struct feed_listener *l)
{
	struct err ignored = {0};

	memcpy(l->goal, l->feed->place, sizeof(l->goal));
	l->calling = store_records(l->feed->store, str_of(l->place), l->piece, on_piece, l,
			     &ignored) == 0;
}

void feed_more(struct feed_listener *l)
{
	l->enough = false;
	if (l->state == FEED_BEHIND && !l->calling)
		catch_up(l);
}

/* ---- the reader ---- */

static void read_on(struct feed *f);

static void on_records(void *ctx, const struct err *e, const struct store_record *v, size_t n)
{
	struct feed *f = ctx;

	f->reading = false;
	if (!e)
		f->piece = next_piece(f->piece, v, n, n);
	for (size_t i = 0; !e && i < n; i++) {
		struct feed_record rec = record_of(&v[i]);

		set_place(f->place, rec.r->id);
		for (struct feed_listener *l = f->first; l; l = l->next) {
			if (l->state != FEED_LIVE || strcmp(l->place, f->place) >= 0)
				continue;
			if (l->enough)
				l->state = FEED_BEHIND;
			else
				tell(l, &rec);
		}
	}
	read_on(f);
}

/* As long as somebody listens. Where it cannot, feed_kick tries again. */
static void read_on(struct feed *f)
{
	struct err ignored = {0};

	if (f->first && !f->reading)
		f->reading = store_records_wait(f->store, str_of(f->place), f->piece,
				     FEED_WAIT_MS, on_records, f, &ignored) == 0;
}

/* A listener begins; the bus was at `last` a moment ago. The reader goes on where it was, or begins
 * there. */
static void read_from(struct feed *f, struct str last)
{
	bool alone = true;

	for (const struct feed_listener *l = f->first; l; l = l->next)
		alone = alone && l->state != FEED_BEHIND && l->state != FEED_LIVE;
	if (!f->reading && alone)
		set_place(f->place, last);
	read_on(f);
}

void feed_kick(struct feed *f)
{
	read_on(f);
	for (struct feed_listener *l = f->first; l; l = l->next)
		if (l->state == FEED_BEHIND && !l->calling && !l->enough)
			catch_up(l);
}

/* ---- listeners ---- */

/* Where it begins. False: from there on, but not all behind `after` is there any more. */
static bool choose_place(struct feed_listener *l, const struct store_bus *b)
{
	struct str last = b->last, first = b->first;
	bool all = true;

	set_place(l->place, last);
	if (l->o.after.n) {
		int to_last = strcmp(l->o.after.p, last.p);

		all = to_last <= 0 && (to_last == 0 || !b->trimmed ||
					      (first.n && strcmp(l->o.after.p, first.p) >= 0));
		if (all)
			set_place(l->place, l->o.after);
		else if (to_last < 0 && first.n) /* all that is held */
			l->place[0] = '\0';
	} else if (l->o.since_ms > 0) {
		char since[ID_LEN + 1];

		id_from_ms_seq(l->o.since_ms - 1, UINT64_MAX, since);
		if (strcmp(since, last.p) < 0)
			set_place(l->place, str_of(since));
	}
	return all;
}

static void on_bus(void *ctx, const struct err *e, const struct store_bus *b)
{
	struct feed_listener *l = ctx;
	bool all;

	l->calling = false;
	if (l->left) {
		listener_free(l);
		return;
	}
	if (e) {
		l->state = FEED_BROKEN;
		l->o.on_ready(l->o.ctx, e, false);
		return;
	}
	all = choose_place(l, b);
	read_from(l->feed, b->last);
	l->state = FEED_BEHIND;
	l->o.on_ready(l->o.ctx, NULL, !all);
	catch_up(l);
}

static int set_up(struct feed_listener *l, const struct feed_options *o, struct err *e)
{
	int64_t ms;
	uint64_t seq;

	l->o = *o;
	l->o.filter = STR_NONE;
	l->o.after = arena_strdup(&l->arena, o->after);
	if (o->after.n && !id_to_ms_seq(o->after, &ms, &seq))
		return err_set(e, ERR_INPUT, "'%.*s' is no id of an event",
			(int)(o->after.n < 80 ? o->after.n : 80), o->after.p);
	if (o->filter.n == 0)
		return 0;
	if (matchers_parse(&l->arena, o->filter, &l->filter, e) != 0)
		return -1;
	l->scratch = matcher_scratch_new(FEED_MATCH_LIMIT);
	if (!l->scratch)
		return err_set(e, ERR_NOMEM, "no memory for the filter");
	matcher_scratch_budget(l->scratch, FEED_MATCH_BUDGET);
	return 0;
}

struct feed_listener *feed_join(struct feed *f, const struct feed_options *o, struct err *e)
{
	struct feed_listener *l = calloc(1, sizeof(*l));

	if (!l) {
		err_set(e, ERR_NOMEM, "no memory for another listener");
		return NULL;
	}
	l->feed = f;
	l->piece = FEED_PIECE_FIRST;
	arena_init(&l->arena, FEED_FILTER_MEMORY);
	if (set_up(l, o, e) != 0 || store_bus(f->store, on_bus, l, e) != 0) {
		listener_free(l);
		return NULL;
	}
	l->calling = true;
	l->next = f->first;
	if (l->next)
		l->next->prev = l;
	f->first = l;
	return l;
}

void feed_leave(struct feed_listener *l)
{
	if (l->prev)
		l->prev->next = l->next;
	else
		l->feed->first = l->next;
	if (l->next)
		l->next->prev = l->prev;
	l->left = true;
	if (!l->calling)
		listener_free(l);
}

struct str feed_place(const struct feed_listener *l)
{
	return str_of(l->place);
}
