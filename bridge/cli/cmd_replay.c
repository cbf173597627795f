/* cmd_replay.c: events replay: what other rules would have made of what came.
 *
 * Owns the fetching of stored events, page by page, and the words for what came of it. What is decided is in trial/,
 * on a private redis-server; the bridge is only read from, and nothing is executed.
 */
#include "cli/commands.h"

#include <limits.h>
#include <stdlib.h>
#include "base/units.h"
#include "cli/show.h"
#include "trial/replay.h"

#define SINCE_DEFAULT "7d"
#define PAGE 1000
#define PAGE_MEMORY ((size_t)512 << 20)
#define TIMELINE_MAX 100000

struct session {
	struct cli *cli;
	struct replay replay;
	struct loaded *loaded;
	struct trial *trial;
	char since[CLOCK_RFC3339_MAX], until[CLOCK_RFC3339_MAX];
	int64_t until_ms;
	bool cut; /* there were more events */
};

/* ---- the candidate ---- */

static const char *absolute(struct cli *c, const char *path)
{
	char *real = path ? realpath(path, NULL) : NULL;
	struct str kept = real ? arena_strdup(&c->arena, str_of(real)) : STR_NONE;

	free(real);
	return kept.p;
}

static int load(struct session *s)
{
	struct cli *c = s->cli;
	const char *rules = absolute(c, c->o.rules), *runbooks = absolute(c, c->o.runbooks);
	struct diags d;

	if ((c->o.rules && !rules) || (c->o.runbooks && !runbooks)) {
		cli_error("there is no folder '%s'", c->o.rules && !rules ? c->o.rules : c->o.runbooks);
		return CLI_USAGE;
	}
	diags_init(&d);
	s->loaded = load_tried(c->o.config, rules, runbooks, &d);
	if (s->loaded && s->loaded->rules->rules_n == 0) {
		diag_add(&d, DIAG_ERROR, rules ? rules : c->o.config, 0, 0, "there are no rules here");
		loaded_free(s->loaded);
		s->loaded = NULL;
	}
	if (!s->loaded)
		cli_print_findings(c, &d, false);
	diags_release(&d);
	return s->loaded ? 0 : CLI_UNREADABLE;
}

/* ---- what came ---- */

static bool is_too_large(int called, const struct reply *r, const struct err *e)
{
	return e->code == ERR_LIMIT || (called == 0 && r->status == 413);
}

/* One page, in a: cli_get would keep all of them. Where it is too large for one answer, *out is NULL, and fewer *rows are
 * asked for from now on. */
static int get_page(struct cli *c, const char *path, struct arena *a, int *rows, const struct json **out)
{
	struct request q = {.method = "GET", .path = path};
	struct err e = {0};
	struct reply r;
	int rc = client_call(&c->client, &q, &r, &e);

	*out = rc == 0 && r.status == 200 ? cli_parse(a, buf_as_str(&r.body), &e) : NULL;
	if (!*out && *rows > 1 && is_too_large(rc, &r, &e)) {
		*rows /= 10;
		rc = 0;
	} else if (rc < 0) {
		rc = cli_away(c, &e);
	} else if (!*out) {
		rc = r.status == 200 ? cli_unread(c, &e) : cli_problem(c, &r);
	}
	reply_release(&r);
	return rc;
}

/* False: said why. */
static bool take_events(struct session *s, const struct json *page)
{
	const struct json *items = json_get(page, "items");
	struct err e = {0};

	for (const struct json *i = items ? items->child : NULL; i && !s->cut; i = i->next) {
		if (replay_add(&s->replay, i, &e) == 0)
			continue;
		if (e.code != ERR_LIMIT || s->replay.n < REPLAY_EVENTS_MAX) {
			cli_error("%s", e.text);
			return false;
		}
		s->cut = true;
	}
	return true;
}

static void write_path(struct buf *path, const struct session *s, int rows, struct str cursor)
{
	buf_clear(path);
	buf_printf(path, "/api/v1/events?limit=%d", rows);
	url_query(path, "since", s->since);
	url_query(path, "until", s->until);
	url_query(path, "cursor", cursor.n ? cursor.p : NULL);
}

static int fetch(struct session *s)
{
	const struct json *page;
	struct str next = STR_NONE;
	struct arena a;
	struct buf path;
	int rc, rows = PAGE;

	arena_init(&a, PAGE_MEMORY);
	buf_init(&path, BUF_NO_LIMIT);
	do {
		write_path(&path, s, rows, next);
		rc = get_page(s->cli, path.p, &a, &rows, &page);
		if (rc == 0 && page && !take_events(s, page))
			rc = CLI_FAILED;
		if (page)
			next = arena_strdup(&s->cli->arena, json_str(json_get(page, "next")));
		arena_reset(&a);
	} while (rc == 0 && (!page || next.n) && !s->cut);
	buf_release(&path);
	arena_release(&a);
	return rc;
}

static bool is_pending(const struct replay_event *ev)
{
	for (size_t i = 0; i < ev->then_n; i++)
		if (str_is(ev->then[i].decision, "pending"))
			return true;
	return false;
}

/* What became of rules that waited stands on the incident's timeline. */
static int fetch_later(struct session *s, struct str incident)
{
	struct cli_list list;
	struct err e = {0};
	struct buf path;
	int rc;

	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/incidents/");
	url_segment(&path, incident.p);
	buf_puts(&path, "/timeline");
	url_query(&path, "filter", "kind = decisions");
	rc = cli_list_path(s->cli, path.p, TIMELINE_MAX, &list);
	buf_release(&path);
	for (size_t i = 0; i < list.n && rc == 0; i++) {
		if (show_time(list.v[i], "time") > s->until_ms ||
			replay_later(&s->replay, show_text(json_get(list.v[i], "of"), "event"),
				json_get(list.v[i], "decisions"), &e) == 0)
			continue;
		cli_error("%s", e.text);
		rc = CLI_FAILED;
	}
	return rc;
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static int fetch_all_later(struct session *s)
{
	const struct replay *r = &s->replay;
	struct str *ids = arena_array(&s->cli->arena, r->n + 1, sizeof(*ids));
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; ids && i < r->n; i++)
		if (r->events[i].incident.n && is_pending(&r->events[i]))
			ids[n++] = r->events[i].incident;
	if (n)
		qsort(ids, n, sizeof(*ids), by_text);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (i == 0 || !str_eq(ids[i - 1], ids[i]))
			rc = fetch_later(s, ids[i]);
	return rc;
}

/* ---- what it says ---- */

static void write_decision(struct json_w *w, const char *key, const struct replay_decision *d)
{
	json_w_key(w, str_of(key));
	if (!d) {
		json_w_null(w);
		return;
	}
	json_w_object(w);
	json_w_kstr(w, "decision", d->decision);
	json_w_kstr(w, "reason", d->reason);
	json_w_end(w, '}');
}

static void write_changed(struct json_w *w, const struct replay_event *ev)
{
	json_w_object(w);
	json_w_kstr(w, "event", ev->id);
	json_w_ktime_ms(w, "received", ev->received_ms);
	json_w_key(w, STR("rules"));
	json_w_array(w);
	for (size_t i = 0; i < ev->changes_n; i++) {
		json_w_object(w);
		json_w_kstr(w, "rule", ev->changes[i].rule);
		write_decision(w, "then", ev->changes[i].then);
		write_decision(w, "now", ev->changes[i].now);
		json_w_end(w, '}');
	}
	json_w_end(w, ']');
	json_w_end(w, '}');
}

static void write_side(struct json_w *w, const char *key, const struct replay_count *v, size_t n, bool now)
{
	json_w_key(w, str_of(key));
	json_w_object(w);
	for (size_t i = 0; i < n; i++) {
		size_t count = now ? v[i].now : v[i].then;

		if (!count)
			continue;
		json_w_key(w, v[i].decision);
		json_w_i64(w, (int64_t)count);
	}
	json_w_end(w, '}');
}

static void write_rules(struct json_w *w, const struct replay *r)
{
	json_w_key(w, STR("rules"));
	json_w_array(w);
	for (size_t i = 0, n; i < r->counts_n; i += n) {
		for (n = 1; i + n < r->counts_n && str_eq(r->counts[i].rule, r->counts[i + n].rule);)
			n++;
		json_w_object(w);
		json_w_kstr(w, "rule", r->counts[i].rule);
		write_side(w, "then", &r->counts[i], n, false);
		write_side(w, "now", &r->counts[i], n, true);
		json_w_end(w, '}');
	}
	json_w_end(w, ']');
}

static int print_data(struct session *s)
{
	const struct replay *r = &s->replay;
	struct json_w w;
	struct buf b;
	int rc;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	json_w_kstr(&w, "since", str_of(s->since));
	json_w_kstr(&w, "until", str_of(s->until));
	json_w_kstr(&w, "ruleset_hash", str_of(s->loaded->rules->hash));
	json_w_ki64(&w, "events", (int64_t)r->n);
	json_w_kbool(&w, "cut", s->cut);
	json_w_ki64(&w, "changed", (int64_t)r->changed);
	write_rules(&w, r);
	json_w_key(&w, STR("changes"));
	json_w_array(&w);
	for (size_t i = r->n; i-- > 0;)
		if (r->events[i].changes_n)
			write_changed(&w, &r->events[i]);
	json_w_end(&w, ']');
	json_w_end(&w, '}');
	rc = cli_print_text(s->cli, buf_as_str(&b), "give a shorter time");
	buf_release(&b);
	return rc;
}

static void print_counts(struct session *s)
{
	static const struct table_column columns[] = {
		{"RULE", COLUMN_FLEXIBLE}, {"DECISION", COLUMN_FIXED}, {"THEN", COLUMN_NUMBER}, {"NOW", COLUMN_NUMBER}};
	struct cli *c = s->cli;
	struct table t;

	table_init(&t, &c->arena, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < s->replay.counts_n; i++) {
		const struct replay_count *v = &s->replay.counts[i];
		enum style style = v->then == v->now ? STYLE_DIM : STYLE_PLAIN;
		bool again = i > 0 && str_eq(v->rule, v[-1].rule);

		table_cell(&t, STYLE_PLAIN, again ? STR("") : v->rule);
		table_cell(&t, style, v->decision);
		table_cell(&t, style, arena_printf(&c->arena, "%zu", v->then));
		table_cell(&t, style, arena_printf(&c->arena, "%zu", v->now));
	}
	if (s->replay.counts_n)
		table_print(&t, &c->term, &c->out);
}

static void put(struct cli *c, enum style style, struct str text)
{
	term_style_on(&c->term, &c->out, style);
	term_escape(&c->out, text);
	term_style_off(&c->term, &c->out, style);
}

static void print_change(struct cli *c, const struct replay_change *v)
{
	struct str none = STR("nothing");

	buf_puts(&c->out, "    ");
	put(c, STYLE_BOLD, v->rule);
	buf_puts(&c->out, ": ");
	put(c, STYLE_PLAIN, v->then ? v->then->decision : none);
	buf_puts(&c->out, " -> ");
	put(c, STYLE_PLAIN, v->now ? v->now->decision : none);
	if (v->now && v->now->reason.n && !str_is(v->now->reason, "matched")) {
		buf_puts(&c->out, ", ");
		put(c, STYLE_PLAIN, v->now->reason);
	}
	buf_putc(&c->out, '\n');
}

/* a: of this event. */
static void print_event(struct cli *c, struct arena *a, const struct replay_event *ev)
{
	struct err ignored = {0};
	const struct json *j = cli_parse(a, ev->json, &ignored);
	bool is_alert = str_is(show_text(j, "type"), "alert");
	char time[SHOW_TIME_MAX];

	show_local(ev->received_ms, c->now_ms, time);
	buf_printf(&c->out, "%s  ", time);
	put(c, STYLE_DIM, ev->id);
	buf_puts(&c->out, "  ");
	put(c, term_style_of(show_text(j, "status")), show_text(j, "status"));
	buf_putc(&c->out, ' ');
	put(c, STYLE_PLAIN, is_alert ? show_alert_name(a, j) : show_text(j, "type"));
	if (show_text(j, "summary").n) {
		buf_puts(&c->out, ": ");
		put(c, STYLE_PLAIN, show_text(j, "summary"));
	}
	buf_putc(&c->out, '\n');
	for (size_t i = 0; i < ev->changes_n; i++)
		print_change(c, &ev->changes[i]);
}

static void print_events(struct cli *c, const struct replay *r)
{
	struct arena a;

	arena_init(&a, CLI_ARENA_LIMIT);
	for (size_t i = r->n; i-- > 0;) {
		if (r->events[i].changes_n)
			print_event(c, &a, &r->events[i]);
		arena_reset(&a);
	}
	arena_release(&a);
}

static int print_page(struct session *s)
{
	const struct replay *r = &s->replay;
	struct cli *c = s->cli;

	print_counts(s);
	if (r->counts_n)
		buf_putc(&c->out, '\n');
	print_events(c, r);
	if (r->changed)
		buf_putc(&c->out, '\n');
	buf_printf(&c->out, "%zu of %zu events since %s would be decided otherwise\n", r->changed, r->n, s->since);
	return 0;
}

/* ---- the command ---- */

static int set_times(struct session *s)
{
	struct cli *c = s->cli;
	const char *since = c->o.since ? c->o.since : SINCE_DEFAULT, *until = c->o.until;
	int64_t ns = 0;

	if (!cli_time_arg(c, since, s->since) || (until && !cli_time_arg(c, until, s->until))) {
		cli_error("a time is a duration such as 7d, for so long ago, or an RFC 3339 time such as "
			  "2026-11-22T19:30:00Z");
		return CLI_USAGE;
	}
	if (!until)
		clock_format_ms(c->now_ms, s->until);
	clock_parse_rfc3339(str_of(s->until), &ns);
	s->until_ms = ns / 1000000;
	return 0;
}

static int play(struct session *s)
{
	struct str address;
	struct err e = {0};

	if (s->cli->services->redis_start(&address, &e) == 0)
		s->trial = trial_new(address, &e);
	if (s->trial && replay_play(&s->replay, s->trial, s->loaded, s->until_ms, &e) == 0)
		return 0;
	cli_error("%s", e.text);
	return CLI_FAILED;
}

static int replay(struct session *s)
{
	int rc = set_times(s);

	rc = rc ? rc : load(s);
	rc = rc ? rc : fetch(s);
	rc = rc ? rc : fetch_all_later(s);
	if (rc == 0 && s->cut)
		cli_error("there are more than %d events; only the newest are played, a shorter --since has them all",
			REPLAY_EVENTS_MAX);
	rc = rc ? rc : play(s);
	if (rc == 0)
		rc = s->cli->o.format == CLI_TABLE ? print_page(s) : print_data(s);
	return rc == 0 && s->cli->o.exit_code && s->replay.changed ? CLI_FAILED : rc;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct session s = {.cli = c};
	int rc;

	(void)argc;
	(void)argv;
	if (!c->o.rules && !c->o.config) {
		cli_error("which rules? name their folder with --rules, or a configuration with -c");
		return CLI_USAGE;
	}
	replay_init(&s.replay, &c->arena);
	rc = replay(&s);
	trial_free(s.trial);
	c->services->redis_stop();
	loaded_free(s.loaded);
	return rc;
}

const struct command command_events_replay = {
	.name = "events replay",
	.synopsis = "--rules FOLDER [--runbooks FOLDER]",
	.sentence = "what other rules would have decided on the events that came: the decisions that differ, then and now",
	.scopes = SCOPE_TIME | SCOPE_CONFIG | SCOPE_REPLAY,
	.run = run,
};
