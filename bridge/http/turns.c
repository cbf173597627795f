/* turns.c: a bucket and a queue a source.
 *
 * Guarantees: not more than TURNS_EVENTS events (and what one request is over it) are under way at
 * once; of one source not more than TURNS_SHARE, so that another one's request finds room at once
 * or with the next answer; where requests wait, sources are served in turns, one request each, in
 * the order in which they began to wait, and the requests of one source in the order in which they
 * came. So a source has its share whatever another one sends.
 *
 * go may end its turn at once, and is then not nested: the loop in serve() goes on.
 */
#include "http/turns.h"

#include <stdlib.h>
#include <string.h>

struct turn_source {
	struct turn_source *next;  /* in the list of all */
	struct turn_source *after; /* in the ring of those that wait */
	char *name;
	size_t name_n;
	/* the bucket: each request costs per_ms; full at count * per_ms; count a ms flow in */
	struct conf_rate rate;
	int64_t level, at_ms;
	/* the queue */
	struct turn *first, *last;
	size_t waiting;
	size_t events; /* under way */
};

struct turns {
	struct turn_source *sources;
	struct turn_source *first, *last; /* that wait, in the order of their turns */
	size_t events;
	bool serving, ended;
};

struct turns *turns_new(void)
{
	return calloc(1, sizeof(struct turns));
}

void turns_free(struct turns *t)
{
	while (t && t->sources) {
		struct turn_source *s = t->sources;

		t->sources = s->next;
		free(s->name);
		free(s);
	}
	free(t);
}

struct turn_source *turns_source(struct turns *t, struct str name)
{
	struct turn_source *s = t->sources;

	while (s && !str_eq((struct str){s->name, s->name_n}, name))
		s = s->next;
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (s)
		s->name = strndup(name.p, name.n);
	if (!s || !s->name) {
		free(s);
		return NULL;
	}
	s->name_n = strlen(s->name);
	s->next = t->sources;
	t->sources = s;
	return s;
}

/* ---- rate ---- */

/* Another rate than before: as full as it was. The first one: full. */
static void set_rate(struct turn_source *s, const struct conf_rate *rate, int64_t now_ms)
{
	double full = 1;

	if (s->rate.count > 0)
		full = (double)s->level / ((double)s->rate.count * (double)s->rate.per_ms);
	else
		s->at_ms = now_ms;
	s->rate = *rate;
	if (rate->count > 0)
		s->level = full >= 1 ? rate->count * rate->per_ms
				     : (int64_t)(full * (double)(rate->count * rate->per_ms));
}

bool turns_rate(
	struct turn_source *s, const struct conf_rate *rate, int64_t now_ms, int64_t *wait_ms)
{
	int64_t most = rate->count * rate->per_ms, passed;

	if (s->rate.count != rate->count || s->rate.per_ms != rate->per_ms)
		set_rate(s, rate, now_ms);
	if (rate->count == 0)
		return true;
	passed = now_ms > s->at_ms ? now_ms - s->at_ms : 0;
	s->at_ms = now_ms;
	if (passed >= rate->per_ms || s->level + passed * rate->count >= most)
		s->level = most;
	else
		s->level += passed * rate->count;
	if (s->level >= rate->per_ms) {
		s->level -= rate->per_ms;
		return true;
	}
	*wait_ms = (rate->per_ms - s->level + rate->count - 1) / rate->count;
	return false;
}

/* ---- turns ---- */

static bool has_room(const struct turns *t, const struct turn_source *s)
{
	return t->events < TURNS_EVENTS && s->events < TURNS_SHARE;
}

static void begin(struct turns *t, struct turn *turn)
{
	t->events += turn->cost;
	turn->source->events += turn->cost;
	turn->go(turn, false);
}

static void append(struct turns *t, struct turn_source *s)
{
	s->after = NULL;
	if (t->last)
		t->last->after = s;
	else
		t->first = s;
	t->last = s;
}

/* The first source in the ring that may begin; taken out of it. */
static struct turn_source *take_next(struct turns *t)
{
	struct turn_source *before = NULL;

	for (struct turn_source *s = t->first; s; before = s, s = s->after) {
		if (!has_room(t, s))
			continue;
		if (before)
			before->after = s->after;
		else
			t->first = s->after;
		if (t->last == s)
			t->last = before;
		return s;
	}
	return NULL;
}

static struct turn *pop(struct turn_source *s)
{
	struct turn *turn = s->first;

	s->first = turn->next;
	if (!s->first)
		s->last = NULL;
	s->waiting--;
	return turn;
}

static void serve(struct turns *t)
{
	struct turn_source *s;

	if (t->serving)
		return;
	t->serving = true;
	while ((s = take_next(t)) != NULL) {
		struct turn *turn = pop(s);

		if (s->first)
			append(t, s);
		begin(t, turn);
	}
	t->serving = false;
}

bool turns_ask(struct turns *t, struct turn_source *s, struct turn *turn)
{
	turn->source = s;
	turn->next = NULL;
	turn->cost = turn->events < 1 ? 1 : turn->events;
	if (turn->cost > TURNS_COST_MAX)
		turn->cost = TURNS_COST_MAX;
	if (t->ended || s->waiting >= TURNS_WAITING)
		return false;
	if (!s->first && has_room(t, s)) {
		begin(t, turn);
		return true;
	}
	if (!s->first)
		append(t, s);
	if (s->last)
		s->last->next = turn;
	else
		s->first = turn;
	s->last = turn;
	s->waiting++;
	return true;
}

void turns_done(struct turns *t, struct turn *turn)
{
	t->events -= turn->cost;
	turn->source->events -= turn->cost;
	serve(t);
}

void turns_end(struct turns *t)
{
	t->ended = true;
	while (t->first) {
		struct turn_source *s = t->first;

		t->first = s->after;
		while (s->first) {
			struct turn *turn = pop(s);

			turn->go(turn, true);
		}
	}
	t->last = NULL;
}
