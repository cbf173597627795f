/* test_file.c: the YAML of a test file as structs.
 *
 * Guarantees that every finding has its place, that all come at once, and that a test which could
 * not fail is one: it lists what must happen, what must not, or says that nothing else may. A key
 * that nobody knows is an error with the nearest one. It does not know what the rules are; see
 * test_file_check.c.
 */
#include "trial/test_file.h"

#include "base/nearest.h"
#include "base/units.h"
#include "rule/matcher_plain.h"
#include "rule/reader.h"
#include "store/store.h"

static const char *const kind_names[] = {"alert", "resolve", "event", "run", "log", "pause", "resume"};

const char *test_event_kind_name(enum test_event_kind k)
{
	return kind_names[k];
}

static struct test_place place_of(const struct yaml *y)
{
	return (struct test_place){y->line, y->column};
}

/* ---- values ---- */

static bool read_time(struct reader *r, const struct yaml *y, int64_t *out)
{
	return reader_duration(r, y, 0, TEST_AT_MAX_MS, out);
}

/* Names and texts; a number is its text. */
static void read_pairs(struct reader *r, const struct yaml *y, struct test_pairs *out)
{
	struct kv *v;

	if (y->kind != YAML_MAP) {
		reader_error(r, y, "want names and texts here, as in {alertname: DiskFull}");
		return;
	}
	v = arena_array(r->arena, y->count ? y->count : 1, sizeof(*v));
	out->n = 0;
	for (const struct yaml *c = y->child; v && c; c = c->next) {
		if (c->kind != YAML_SCALAR)
			reader_error_key(r, c,
				"the value of '%.*s' has to be a text; give it one or remove it",
				STR_ARG(c->key));
		else
			v[out->n++] = (struct kv){c->key, c->text};
	}
	out->v = v;
	if (v)
		event_sort_labels(v, &out->n, false);
}

static bool is_number(struct str s)
{
	size_t i = s.n && s.p[0] == '-', digits = i;

	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	if (i == digits || (s.p[digits] == '0' && i > digits + 1))
		return false;
	if (i < s.n && s.p[i] == '.') {
		digits = ++i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			i++;
		if (i == digits)
			return false;
	}
	return i == s.n;
}

/* YAML as JSON: plain true, false and numbers are what they look like. The depth is YAML's own
 * limit. */
static void put_json(struct json_w *w, const struct yaml *y)
{
	bool b;

	switch (y->kind) {
	case YAML_NULL:
		json_w_null(w);
		break;
	case YAML_SCALAR:
		if (yaml_bool(y, &b))
			json_w_bool(w, b);
		else if (y->plain && is_number(y->text))
			json_w_raw(w, y->text);
		else
			json_w_str(w, y->text);
		break;
	case YAML_SEQ:
	case YAML_MAP:
		if (y->kind == YAML_SEQ)
			json_w_array(w);
		else
			json_w_object(w);
		for (const struct yaml *c = y->child; c; c = c->next) {
			if (y->kind == YAML_MAP)
				json_w_key(w, c->key);
			put_json(w, c);
		}
		json_w_end(w, y->kind == YAML_SEQ ? ']' : '}');
		break;
	}
}

/* NULL where it cannot be JSON, and that was said. text, which may be NULL: the same, written. */
static const struct json *to_json(struct reader *r, const struct yaml *y, const char *what, struct str *text)
{
	const struct json *j = NULL;
	struct json_w w;
	struct buf b;
	struct err e = {.code = ERR_NONE};

	buf_init(&b, TEST_DATA_LIMIT);
	json_w_init(&w, &b);
	put_json(&w, y);
	if (!buf_failed(&b))
		j = json_parse(r->arena, buf_as_str(&b), &e);
	if (!j)
		reader_error(r, y, "this cannot be %s: %s", what, e.code ? e.text : "it is too large");
	else if (text)
		*text = arena_strdup(r->arena, buf_as_str(&b));
	buf_release(&b);
	return j;
}

/* ---- an event ---- */

static void event_labels(struct reader *r, const struct yaml *y, void *into)
{
	read_pairs(r, y, &((struct test_event *)into)->labels);
}

static void event_annotations(struct reader *r, const struct yaml *y, void *into)
{
	read_pairs(r, y, &((struct test_event *)into)->annotations);
}

static void event_source(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct test_event *)into)->source);
}

static void alert_starts(struct reader *r, const struct yaml *y, void *into)
{
	struct test_event *ev = into;

	ev->has_starts = read_time(r, y, &ev->starts_ms);
}

static void event_type(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct test_event *)into)->type);
}

static void event_summary(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct test_event *)into)->summary);
}

static void event_severity(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct test_event *)into)->severity);
}

static void event_data(struct reader *r, const struct yaml *y, void *into)
{
	((struct test_event *)into)->data = to_json(r, y, "an event's data", NULL);
}

static void run_rule(struct reader *r, const struct yaml *y, void *into)
{
	struct test_run *run = &((struct test_event *)into)->run;

	run->rule_place = place_of(y);
	reader_text(r, y, &run->rule);
}

static void run_runbook(struct reader *r, const struct yaml *y, void *into)
{
	struct test_run *run = &((struct test_event *)into)->run;

	run->runbook_place = place_of(y);
	reader_text(r, y, &run->runbook);
}

static void run_outcome(struct reader *r, const struct yaml *y, void *into)
{
	static const char *const names[] = {
		"succeeded", "failed", "timed_out", "cancelled", "lost", "retry", NULL};
	static const enum run_state states[] = {
		RUN_SUCCEEDED, RUN_FAILED, RUN_TIMED_OUT, RUN_CANCELLED, RUN_LOST, RUN_FAILED};
	struct test_run *run = &((struct test_event *)into)->run;
	int i;

	if (!reader_choice(r, y, names, &i))
		return;
	run->state = states[i];
	run->retry = i == 5;
}

static void run_output(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct test_event *)into)->run.output);
}

/* Each as a line of $RUNBOOK_EVENTS would have it. */
static void run_emits(struct reader *r, const struct yaml *y, void *into)
{
	struct test_run *run = &((struct test_event *)into)->run;

	if (y->kind != YAML_SEQ || y->count > TEST_EMITS_LIMIT) {
		reader_error(r, y, "want a list of at most %d events here, as in [{type: swept}]", TEST_EMITS_LIMIT);
		return;
	}
	run->emits = arena_array(r->arena, y->count ? y->count : 1, sizeof(*run->emits));
	for (const struct yaml *c = y->child; run->emits && c; c = c->next) {
		const struct yaml *type = yaml_get(c, "type");

		if (c->kind != YAML_MAP || !type || type->kind != YAML_SCALAR || type->text.n == 0)
			reader_error(r, c, "an event that a run emits has a 'type', as in {type: swept, data: {freed: 3}}");
		else if (to_json(r, c, "an event", &run->emits[run->emits_n]))
			run->emits_n++;
	}
}

static void run_started(struct reader *r, const struct yaml *y, void *into)
{
	struct test_run *run = &((struct test_event *)into)->run;

	run->has_started = read_time(r, y, &run->started_ms);
}

static const struct reader_key alert_keys[] = {
	{"labels", event_labels, false},
	{"annotations", event_annotations, false},
	{"source", event_source, false},
	{"starts_at", alert_starts, false},
	{NULL, NULL, false},
};

static const struct reader_key event_keys[] = {
	{"type", event_type, false},
	{"data", event_data, false},
	{"labels", event_labels, false},
	{"source", event_source, false},
	{"severity", event_severity, false},
	{"summary", event_summary, false},
	{NULL, NULL, false},
};

static const struct reader_key run_keys[] = {
	{"rule", run_rule, false},
	{"runbook", run_runbook, false},
	{"outcome", run_outcome, false},
	{"output", run_output, false},
	{"emits", run_emits, false},
	{"started", run_started, false},
	{NULL, NULL, false},
};

/* What every entry but `at` begins with: there is one of a kind. */
static struct test_event *begin_kind(
	struct reader *r, const struct yaml *y, void *into, enum test_event_kind kind)
{
	struct test_event *ev = into;

	if (ev->place.line) {
		reader_error_key(r, y, "this entry is '%s' already; make another one for '%s'",
			kind_names[ev->kind], kind_names[kind]);
		return NULL;
	}
	ev->kind = kind;
	ev->place = (struct test_place){y->key_line, y->key_column};
	return ev;
}

static void entry_at(struct reader *r, const struct yaml *y, void *into)
{
	struct test_event *ev = into;

	read_time(r, y, &ev->at_ms);
	ev->has_at = true;
}

static void entry_alert(struct reader *r, const struct yaml *y, void *into)
{
	struct test_event *ev = begin_kind(r, y, into, TEST_ALERT);

	if (ev && reader_map(r, y, "an alert", alert_keys, ev) && !yaml_get(y, "labels"))
		reader_error(r, y, "an alert has 'labels'");
}

static void entry_resolve(struct reader *r, const struct yaml *y, void *into)
{
	struct test_event *ev = begin_kind(r, y, into, TEST_RESOLVE);

	if (!ev)
		return;
	read_pairs(r, y, &ev->labels);
	if (y->kind == YAML_MAP && y->count == 0)
		reader_error(r, y, "say which alert resolves, by its labels");
}

static void entry_event(struct reader *r, const struct yaml *y, void *into)
{
	struct test_event *ev = begin_kind(r, y, into, TEST_EVENT);

	if (ev && reader_map(r, y, "an event", event_keys, ev) && !yaml_get(y, "type"))
		reader_error(r, y, "an event has a 'type'");
}

static void entry_run(struct reader *r, const struct yaml *y, void *into)
{
	struct test_event *ev = begin_kind(r, y, into, TEST_RUN);

	if (!ev)
		return;
	ev->run.state = RUN_SUCCEEDED;
	if (!reader_map(r, y, "the end of a run", run_keys, ev))
		return;
	if (!yaml_get(y, "rule") || !yaml_get(y, "runbook"))
		reader_error(r, y, "say which run ends, by 'rule' and 'runbook'");
}

static void log_line(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct test_event *)into)->line);
}

static const struct reader_key log_keys[] = {
	{"line", log_line, false},
	{"source", event_source, false},
	{"labels", event_labels, false},
	{NULL, NULL, false},
};

static void entry_log(struct reader *r, const struct yaml *y, void *into)
{
	struct test_event *ev = begin_kind(r, y, into, TEST_LOG);

	if (ev && reader_map(r, y, "a line of a log", log_keys, ev) && !yaml_get(y, "line"))
		reader_error(r, y, "a line of a log has a 'line'");
}

/* ---- pauses ---- */

/* One of the keys that say what it is about. */
static struct test_pause *pause_what(struct reader *r, const struct yaml *y, void *into, int kind)
{
	struct test_pause *p = &((struct test_event *)into)->pause;

	if (p->kind != TEST_PAUSE_NONE) {
		reader_error_key(r, y, "one of 'rule', 'runbook', 'matchers' and 'all' at a time");
		return NULL;
	}
	p->kind = kind;
	p->name_place = place_of(y);
	return p;
}

static void pause_rule(struct reader *r, const struct yaml *y, void *into)
{
	struct test_pause *p = pause_what(r, y, into, TEST_PAUSE_RULE);

	if (p)
		reader_text(r, y, &p->name);
}

static void pause_runbook(struct reader *r, const struct yaml *y, void *into)
{
	struct test_pause *p = pause_what(r, y, into, TEST_PAUSE_RUNBOOK);

	if (p)
		reader_text(r, y, &p->name);
}

static void pause_matchers(struct reader *r, const struct yaml *y, void *into)
{
	struct test_pause *p = pause_what(r, y, into, TEST_PAUSE_MATCHERS);
	struct matcher_plain plain;
	struct str text;
	struct err e;

	if (!p || !reader_text(r, y, &text))
		return;
	if (matcher_plain_parse(r->arena, text, &plain, &e) < 0) {
		reader_error_in(r, y, "matchers: ", &e);
		return;
	}
	p->name = plain.text;
	p->tests = plain.tests;
}

static void pause_all(struct reader *r, const struct yaml *y, void *into)
{
	bool all = false;

	if (reader_bool(r, y, &all) && !all)
		reader_error(r, y, "'all' is true, or left out");
	pause_what(r, y, into, TEST_PAUSE_ALL);
}

static void pause_for(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1000, STORE_PAUSE_MAX_MS, &((struct test_event *)into)->pause.for_ms);
}

static void pause_reason(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct test_event *)into)->pause.reason);
}

static const struct reader_key pause_keys[] = {
	{"rule", pause_rule, false},
	{"runbook", pause_runbook, false},
	{"matchers", pause_matchers, false},
	{"all", pause_all, false},
	{"for", pause_for, false},
	{"reason", pause_reason, false},
	{NULL, NULL, false},
};

static void entry_pause(struct reader *r, const struct yaml *y, void *into)
{
	struct test_event *ev = begin_kind(r, y, into, TEST_PAUSE);

	if (!ev || !reader_map(r, y, "a pause", pause_keys, ev))
		return;
	if (ev->pause.kind == TEST_PAUSE_NONE)
		reader_error(r, y, "say what is paused: 'rule', 'runbook', 'matchers', or 'all: true'");
	if (!yaml_get(y, "for"))
		reader_error(r, y, "a pause has a 'for': how long");
}

static void entry_unpause(struct reader *r, const struct yaml *y, void *into)
{
	struct test_event *ev = begin_kind(r, y, into, TEST_RESUME);

	if (!ev || !reader_map(r, y, "the end of a pause", pause_keys, ev))
		return;
	if (ev->pause.kind == TEST_PAUSE_NONE)
		reader_error(r, y, "say which pause ends: 'rule', 'runbook', 'matchers', or 'all: true'");
	if (yaml_get(y, "for"))
		reader_error(r, y, "a pause ends at once; leave 'for' out");
}

static const struct reader_key entry_keys[] = {
	{"at", entry_at, false},
	{"alert", entry_alert, false},
	{"resolve", entry_resolve, false},
	{"event", entry_event, false},
	{"log", entry_log, false},
	{"run", entry_run, false},
	{"pause", entry_pause, false},
	{"resume", entry_unpause, false},
	{NULL, NULL, false},
};

/* ---- what is expected ---- */

static void expect_at(struct reader *r, const struct yaml *y, void *into)
{
	struct test_expect *x = into;

	x->has_at = read_time(r, y, &x->at_ms);
}

static void expect_rule(struct reader *r, const struct yaml *y, void *into)
{
	struct test_expect *x = into;

	x->rule_place = place_of(y);
	reader_text(r, y, &x->rule);
}

static void expect_runbook(struct reader *r, const struct yaml *y, void *into)
{
	struct test_expect *x = into;

	x->runbook_place = place_of(y);
	reader_text(r, y, &x->runbook);
}

static void expect_with(struct reader *r, const struct yaml *y, void *into)
{
	struct test_expect *x = into;

	x->with_place = place_of(y);
	read_pairs(r, y, &x->with);
}

static void expect_decision(struct reader *r, const struct yaml *y, void *into)
{
	static const enum decision all[] = {DECISION_RUN, DECISION_PENDING, DECISION_APPROVAL,
		DECISION_DUPLICATE, DECISION_COOLDOWN, DECISION_LIMIT, DECISION_FLAPPING,
		DECISION_PAUSED, DECISION_DRY_RUN, DECISION_ERROR};
	const char *names[sizeof(all) / sizeof(all[0]) + 1] = {NULL};
	struct test_expect *x = into;
	int i = 0;

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		names[k] = decision_name(all[k]);
	x->has_decision = reader_choice(r, y, names, &i);
	x->decision = all[i];
}

static void expect_alert(struct reader *r, const struct yaml *y, void *into)
{
	struct test_expect *x = into;

	if (x->alert.n)
		reader_error_key(r, y, "an entry is about one alert that fires or resolves; expect the other in an entry of its own");
	else if (y->kind == YAML_MAP && y->count == 0)
		reader_error(r, y, "say which alert, by some of its labels: {alertname: NAME}");
	else
		read_pairs(r, y, &x->alert);
}

static void expect_resolved(struct reader *r, const struct yaml *y, void *into)
{
	expect_alert(r, y, into);
	((struct test_expect *)into)->resolved = true;
}

static const struct reader_key expect_keys[] = {
	{"at", expect_at, false},
	{"rule", expect_rule, false},
	{"runbook", expect_runbook, false},
	{"with", expect_with, false},
	{"decision", expect_decision, false},
	{"alert", expect_alert, false},
	{"resolved", expect_resolved, false},
	{NULL, NULL, false},
};

/* ---- a test ---- */

/* Room for the elements of a list; NULL where it is none, and that was said. */
static void *list_of(struct reader *r, const struct yaml *y, const char *what, size_t size)
{
	void *v;

	if (y->kind != YAML_SEQ) {
		reader_error(r, y, "want a list of %s here", what);
		return NULL;
	}
	if (y->count > TEST_EVENTS_LIMIT) {
		reader_error(r, y, "%zu %s in one test; at most %d are taken", y->count, what,
			TEST_EVENTS_LIMIT);
		return NULL;
	}
	v = arena_array(r->arena, y->count ? y->count : 1, size);
	if (!v)
		reader_error(
			r, y, "the file needs more than %zu MiB of memory", TEST_FILE_MEMORY >> 20);
	return v;
}

static void test_name(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct rule_test *)into)->name);
}

static void test_events(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_test *t = into;

	t->events = list_of(r, y, "events", sizeof(*t->events));
	for (const struct yaml *c = y->child; t->events && c; c = c->next) {
		struct test_event *ev = &t->events[t->events_n];
		if (!reader_map(r, c, "an event of a test", entry_keys, ev))
			continue;
		if (!ev->has_at)
			reader_error(r, c,
				"an event has an 'at': when it comes, from the test's start on");
		if (!ev->place.line)
			reader_error(r, c, "say what comes: 'alert', 'resolve', 'event', 'log', 'run', 'pause' or 'resume'");
		ev->place.line = c->line;
		ev->place.column = c->column;
		t->events_n++;
	}
}

static void check_expect(struct reader *r, const struct yaml *c, const struct test_expect *x)
{
	bool alert = yaml_get(c, "alert") || yaml_get(c, "resolved");

	if (alert && (yaml_get(c, "rule") || x->has_decision || x->runbook.n || x->with_place.line))
		reader_error(r, c, "an entry is about an alert or about a rule; expect the other in an entry of its own");
	else if (!alert && !yaml_get(c, "rule"))
		reader_error(r, c, "say which 'rule' is expected to do something, or which 'alert' to fire");
	if (x->has_decision && (x->runbook.n || x->with_place.line))
		reader_error(r, c,
			"'decision' is about the rule alone; expect the run in an entry of its own");
	if (x->with_place.line && !x->runbook.n)
		reader_error(r, c, "'with' needs the 'runbook' whose parameters they are");
}

static void test_expect(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_test *t = into;

	t->expect = list_of(r, y, "expectations", sizeof(*t->expect));
	for (const struct yaml *c = y->child; t->expect && c; c = c->next) {
		struct test_expect *x = &t->expect[t->expect_n];
		x->place = place_of(c);
		if (!reader_map(r, c, "an expectation", expect_keys, x))
			continue;
		check_expect(r, c, x);
		t->expect_n++;
	}
}

static void test_expect_none(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_test *t = into;

	t->expect_none = list_of(r, y, "rules", sizeof(*t->expect_none));
	for (const struct yaml *c = y->child; t->expect_none && c; c = c->next) {
		struct test_name *n = &t->expect_none[t->expect_none_n];
		n->place = place_of(c);
		if (reader_text(r, c, &n->text))
			t->expect_none_n++;
	}
}

static void test_exact(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_test *t = into;

	t->has_exact = reader_bool(r, y, &t->exact);
}

static const struct reader_key test_keys[] = {
	{"name", test_name, false},
	{"events", test_events, false},
	{"expect", test_expect, false},
	{"expect_none", test_expect_none, false},
	{"exact", test_exact, false},
	{NULL, NULL, false},
};

/* Is it to run, or its alert to fire? */
static bool is_expected(const struct test_expect *x, struct str name)
{
	if (x->alert.n == 0)
		return !x->has_decision && str_eq(x->rule, name);
	for (size_t i = 0; i < x->alert.n; i++)
		if (!x->resolved && str_is(x->alert.v[i].name, "alertname") && str_eq(x->alert.v[i].value, name))
			return true;
	return false;
}

static void check_test(struct reader *r, const struct yaml *y, const struct rule_test *t)
{
	if (!yaml_get(y, "name"))
		reader_error(r, y, "a test has a 'name'");
	if (!yaml_get(y, "events"))
		reader_error(r, y, "a test has 'events'");
	if (!yaml_get(y, "expect") && !yaml_get(y, "expect_none") && !yaml_get(y, "exact"))
		reader_error(r, y,
			"this test cannot fail; say what it expects: 'expect', 'expect_none', or "
			"'exact: true'");
	else if (t->expect_n == 0 && t->expect_none_n == 0 && t->has_exact && !t->exact)
		reader_error(r, y,
			"this test cannot fail: it expects nothing, and with 'exact: false' all "
			"else is free");
	else if (t->expect_n == 0 && t->expect_none_n == 0 && !yaml_get(y, "exact"))
		reader_error(r, y,
			"this test cannot fail: it expects nothing; 'exact: true' says that "
			"nothing may run");
	for (size_t i = 0; i < t->expect_none_n; i++)
		for (size_t k = 0; k < t->expect_n; k++)
			if (is_expected(&t->expect[k], t->expect_none[i].text))
				diag_add(r->diags, DIAG_ERROR, r->file,
					t->expect_none[i].place.line,
					t->expect_none[i].place.column,
					"the %s '%.*s' is in 'expect', too; 'exact: true' says "
					"that nothing else runs",
					t->expect[k].alert.n ? "pattern" : "rule",
					STR_ARG(t->expect_none[i].text));
}

static void top_tests(struct reader *r, const struct yaml *y, void *into)
{
	struct test_file *f = into;

	if (y->kind != YAML_SEQ || y->count == 0) {
		reader_error(r, y, "want a list of tests here");
		return;
	}
	f->tests = arena_array(r->arena, y->count, sizeof(*f->tests));
	for (const struct yaml *c = y->child; f->tests && c; c = c->next) {
		struct rule_test *t = &f->tests[f->tests_n];
		t->place = place_of(c);
		if (!reader_map(r, c, "a test", test_keys, t))
			continue;
		check_test(r, c, t);
		for (size_t i = 0; t->name.n && i < f->tests_n; i++)
			if (str_eq(f->tests[i].name, t->name))
				reader_error(r, c,
					"the name '%.*s' is also that of the test in line %d",
					STR_ARG(t->name), f->tests[i].place.line);
		f->tests_n++;
	}
}

static const struct reader_key top_keys[] = {
	{"tests", top_tests, false},
	{NULL, NULL, false},
};

struct test_file *test_file_parse(
	struct arena *a, struct str bytes, const char *name, struct diags *d)
{
	size_t before = d->errors;
	struct yaml *y = yaml_parse(a, bytes, name, d);
	struct test_file *f = arena_zalloc(a, sizeof(*f));
	struct reader r = {a, name, bytes, d};

	if (y && f) {
		f->name = name;
		if (reader_map(&r, y, "a file of tests", top_keys, f) && !yaml_get(y, "tests"))
			diag_add(d, DIAG_ERROR, name, 1, 1, "a file of tests has 'tests', a list");
	}
	if (arena_failed(a) && d->errors == before)
		diag_add(d, DIAG_ERROR, name, 0, 0, "the file needs more than %zu MiB of memory",
			TEST_FILE_MEMORY >> 20);
	return d->errors == before ? f : NULL;
}
