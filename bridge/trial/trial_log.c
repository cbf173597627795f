/* trial_log.c: what the store wrote, as a list of decisions.
 *
 * The bus has each decision but those on duplicates, in order and with its time: those on events
 * with the event, those that were made when something was due as records of their own. So nothing
 * is told twice, and what a trial shows is what the timeline of a live one shows.
 */
#include "trial/trial_impl.h"

static const enum decision all[] = {DECISION_RUN, DECISION_PENDING, DECISION_APPROVAL,
	DECISION_DUPLICATE, DECISION_COOLDOWN, DECISION_LIMIT, DECISION_FLAPPING, DECISION_PAUSED,
	DECISION_DRY_RUN, DECISION_ERROR};

static enum decision decision_of(struct str name)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (str_is(name, decision_name(all[i])))
			return all[i];
	return DECISION_ERROR;
}

static int add(struct trial *t, const struct trial_decision *d, struct err *e)
{
	struct trial_decision *v =
		trial_grow(t, t->decisions, t->decisions_n, &t->decisions_cap, sizeof(*v));

	if (!v)
		return trial_full(e);
	t->decisions = v;
	v[t->decisions_n++] = *d;
	return 0;
}

int trial_add_decisions(struct trial *t, int64_t at_ms, struct str event, struct str json,
	bool later, struct err *e)
{
	const struct json *j = json_parse(&t->kept, json, e);
	const struct json *list = j && j->kind == JSON_OBJECT ? json_get(j, "decisions") : j;

	if (!j)
		return arena_failed(&t->kept) ? trial_full(e) : -1;
	for (const struct json *i = list ? list->child : NULL; i; i = i->next) {
		struct trial_decision d = {
			.at_ms = at_ms,
			.event = event.n ? event : json_str(json_get(i, "event")),
			.rule = json_str(json_get(i, "rule")),
			.decision = decision_of(json_str(json_get(i, "decision"))),
			.reason = json_str(json_get(i, "reason")),
			.run = json_str(json_get(i, "run")),
			.later = later,
		};
		if (add(t, &d, e) < 0)
			return -1;
	}
	return 0;
}

/* The event that a record's decisions are on: itself, or what it names. */
static struct str event_of(struct trial *t, const struct store_record *r)
{
	struct err ignored;

	if (!str_is(r->kind, "decisions"))
		return arena_strdup(&t->kept, r->id);
	return json_str(json_get(json_parse(&t->kept, r->json, &ignored), "event"));
}

static void on_records(void *ctx, const struct err *e, const struct store_record *v, size_t n)
{
	struct trial_records *w = ctx;
	struct trial *t = w->t;
	struct err mine = {.code = ERR_NONE};

	w->n = n;
	for (size_t i = 0; i < n && !mine.code; i++) {
		if (str_is(v[i].decisions_json, "[]") || v[i].decisions_json.n == 0)
			continue;
		struct str event = event_of(t, &v[i]);
		trial_add_decisions(t, v[i].time_ms, event, v[i].decisions_json,
			str_is(v[i].kind, "decisions"), &mine);
	}
	if (n)
		memcpy(t->seen, v[n - 1].id.p, v[n - 1].id.n + 1);
	trial_ended(t, e ? e : mine.code ? &mine : NULL);
}

void trial_ask_bus(struct trial *t, struct trial_records *w)
{
	*w = (struct trial_records){.t = t};
	trial_began(t,
		store_records(t->store, str_of(t->seen), TRIAL_FETCH, on_records, w, &t->failed));
}
