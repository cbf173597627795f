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

static int add_alert(struct trial *t, const struct trial_alert *a, struct err *e)
{
	struct trial_alert *v = trial_grow(t, t->alerts, t->alerts_n, &t->alerts_cap, sizeof(*v));

	if (!v)
		return trial_full(e);
	t->alerts = v;
	v[t->alerts_n++] = *a;
	return 0;
}

static int read_labels(
	struct trial *t, const struct json *labels, struct trial_alert *a, struct err *e)
{
	struct kv *v = arena_array(&t->kept, labels ? labels->count + 1 : 1, sizeof(*v));

	if (!v)
		return trial_full(e);
	for (const struct json *l = labels ? labels->child : NULL; l; l = l->next)
		v[a->labels_n++] = (struct kv){l->key, json_str(l)};
	event_sort_labels(v, &a->labels_n, true);
	a->labels = v;
	return 0;
}

/* A record that the store made where it resolved an alert by itself names it, without its labels.
 */
static void labels_of_earlier(const struct trial *t, struct trial_alert *a)
{
	for (size_t i = t->alerts_n; i > 0; i--) {
		const struct trial_alert *o = &t->alerts[i - 1];

		if (!str_eq(o->source, a->source) || !str_eq(o->fingerprint, a->fingerprint))
			continue;
		a->labels = o->labels;
		a->labels_n = o->labels_n;
		return;
	}
}

/* What a record says of an alert, if it does. */
static int note_alert(struct trial *t, const struct store_record *r, struct err *e)
{
	bool by_store = str_is(r->kind, "alert"),
	     resolved = by_store || str_is(r->kind, "resolved");
	struct trial_alert a = {.at_ms = r->time_ms, .resolved = resolved};
	const struct json *j;

	if (!resolved && !str_is(r->kind, "firing"))
		return 0;
	j = json_parse(&t->kept, arena_strdup(&t->kept, r->json), e);
	if (!j)
		return arena_failed(&t->kept) ? trial_full(e) : -1;
	a.source = json_str(json_get(j, "source"));
	a.fingerprint = json_str(json_get(j, "fingerprint"));
	if (by_store)
		labels_of_earlier(t, &a);
	else if (read_labels(t, json_get(j, "labels"), &a, e) < 0)
		return -1;
	return add_alert(t, &a, e);
}

static void on_records(void *ctx, const struct err *e, const struct store_record *v, size_t n)
{
	struct trial_records *w = ctx;
	struct trial *t = w->t;
	struct err mine = {.code = ERR_NONE};

	w->n = n;
	for (size_t i = 0; i < n && !mine.code; i++) {
		if (note_alert(t, &v[i], &mine) < 0)
			break;
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
