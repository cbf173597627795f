/* conf_planned.c: `maintenance` and `inhibit`, read and written.
 *
 * Owns the form of their entries. Matchers stay texts here: rule/planned.c compiles them. Times are
 * kept in UTC; that a window is over is no error (flow/load.c warns of it).
 */
#include <stdio.h>
#include "base/clock.h"
#include "base/units.h"
#include "conf/conf_impl.h"

#define DAYS 7
#define DAY_MS INT64_C(86400000)
#define MINUTE_MS INT64_C(60000)

static const char *const day_names[DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* ---- maintenance ---- */

static const char *check_name(struct str s)
{
	bool good = s.n > 0 && s.n <= CONF_WINDOW_NAME_MAX;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				       (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.');
	}
	return good ? NULL : "it must be 1 to 64 letters, digits, - _ or .";
}

static void set_name(struct loader *l, const struct yaml *y, struct conf_window *w)
{
	if (!take_text(l, "maintenance.name", y, &w->name))
		return;
	const char *why = check_name(w->name);
	if (why)
		complain(l, y, "'maintenance.name' is '%.*s': %s", STR_ARG(shown(w->name)), why);
}

static void set_time(struct loader *l, const char *path, const struct yaml *y, int64_t *ms)
{
	int64_t ns = 0;
	struct str s;

	if (!take_text(l, path, y, &s))
		return;
	if (clock_parse_rfc3339(s, &ns) && ns > 0)
		*ms = ns / 1000000;
	else
		complain(l, y, "'%s' is '%.*s'; it must be a time as 2026-12-01T20:00:00Z", path,
			STR_ARG(shown(s)));
}

static void set_days(struct loader *l, const struct yaml *y, struct conf_window *w)
{
	struct conf_list list;

	w->days = 0;
	if (!take_list(l, "maintenance.days", y, &list))
		return;
	for (size_t i = 0; i < list.n; i++) {
		unsigned day = 0;
		while (day < DAYS && !str_is(list.v[i].text, day_names[day]))
			day++;
		if (day == DAYS)
			diag_add(l->diags, DIAG_ERROR, l->name, list.v[i].line, list.v[i].column,
				"'maintenance.days' has '%.*s'; days are mon, tue, wed, thu, fri, "
				"sat, sun",
				STR_ARG(shown(list.v[i].text)));
		else
			w->days |= 1u << day;
	}
	if (list.n == 0)
		complain(l, y, "'maintenance.days' is empty; leave it out for every day");
}

static bool two_digits(const char *p, int least_over, int *v)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*v = (p[0] - '0') * 10 + (p[1] - '0');
	return *v < least_over;
}

static void set_at(struct loader *l, const struct yaml *y, struct conf_window *w)
{
	int hour, minute;
	struct str s;

	if (!take_text(l, "maintenance.at", y, &s))
		return;
	if (s.n == 5 && s.p[2] == ':' && two_digits(s.p, 24, &hour) &&
		two_digits(s.p + 3, 60, &minute))
		w->at_ms = (hour * 60 + minute) * MINUTE_MS;
	else
		complain(l, y,
			"'maintenance.at' is '%.*s'; it must be a time of day as \"22:00\", in UTC",
			STR_ARG(shown(s)));
}

/* There is no other yet: whoever writes one means it. */
static void set_timezone(struct loader *l, const struct yaml *y)
{
	struct str s;

	if (take_text(l, "maintenance.timezone", y, &s) && !str_is(s, "UTC"))
		complain(l, y,
			"'maintenance.timezone' is '%.*s'; times are in UTC: write them so, and "
			"leave it out",
			STR_ARG(shown(s)));
}

static bool set_window_key(struct loader *l, const struct yaml *c, struct conf_window *w)
{
	if (str_is(c->key, "name"))
		set_name(l, c, w);
	else if (str_is(c->key, "match"))
		take_list(l, "maintenance.match", c, &w->match);
	else if (str_is(c->key, "from"))
		set_time(l, "maintenance.from", c, &w->from_ms);
	else if (str_is(c->key, "until"))
		set_time(l, "maintenance.until", c, &w->until_ms);
	else if (str_is(c->key, "days"))
		set_days(l, c, w);
	else if (str_is(c->key, "at"))
		set_at(l, c, w);
	else if (str_is(c->key, "for"))
		take_number(l, "maintenance.for", CONF_DURATION, CONF_WINDOW_FOR_MIN_MS,
			CONF_WINDOW_FOR_MAX_MS, c, &w->for_ms);
	else if (str_is(c->key, "timezone"))
		set_timezone(l, c);
	else
		return false;
	return true;
}

static void check_when(struct loader *l, const struct yaml *y, const struct conf_window *w)
{
	bool from = yaml_get(y, "from"), until = yaml_get(y, "until");
	bool at = yaml_get(y, "at"), span = yaml_get(y, "for");

	if ((from || until) && (at || span || yaml_get(y, "days")))
		complain(l, y,
			"a window has 'from' and 'until', or 'at' and 'for', with 'days', for "
			"every week; not both");
	else if (!(from && until) && !(at && span))
		complain(l, y,
			"a window needs 'from' and 'until', or 'at' and 'for', with 'days', for "
			"every week");
	else if (from && w->from_ms && w->until_ms && w->from_ms >= w->until_ms)
		complain(l, y,
			"the window ends before it begins: 'until' must be later than 'from'");
}

static void set_window(struct loader *l, const struct yaml *y, struct conf_window *w)
{
	static const char *const names[] = {
		"name", "match", "from", "until", "days", "at", "for", "timezone"};

	w->days = (1u << DAYS) - 1;
	w->line = y->line;
	w->column = y->column;
	if (y->kind != YAML_MAP) {
		complain(l, y,
			"'maintenance' has %s; each window is a map of name, match, and when",
			kind_of(y));
		return;
	}
	for (const struct yaml *c = y->child; c; c = c->next)
		if (!set_window_key(l, c, w))
			unknown_key(l, "maintenance", c, names, sizeof(names) / sizeof(names[0]));
	if (!yaml_get(y, "name"))
		complain(l, y, "a window of 'maintenance' needs a 'name', which decisions show");
	check_when(l, y, w);
}

/* Room for the entries of a list; NULL where it is none, and that was said, or it is empty. */
static void *room(struct loader *l, const char *path, const struct yaml *y, size_t size)
{
	if (y->kind == YAML_SEQ && y->count <= CONF_PLANNED_MAX)
		return arena_array(&l->conf->arena, y->count ? y->count : 1, size);
	complain(l, y, "'%s' must be a list of at most %d maps", path, CONF_PLANNED_MAX);
	return NULL;
}

void conf_set_windows(struct loader *l, const struct yaml *y)
{
	struct conf_window *v = room(l, "maintenance", y, sizeof(*v));
	size_t errors = l->diags->errors, n = 0;

	for (const struct yaml *c = y->child; v && c; c = c->next) {
		set_window(l, c, &v[n]);
		for (size_t i = 0; i < n; i++)
			if (v[n].name.n && str_eq(v[i].name, v[n].name))
				complain(l, c, "the window '%.*s' is there twice",
					STR_ARG(shown(v[n].name)));
		n++;
	}
	if (!v || l->diags->errors > errors)
		return;
	l->conf->maintenance = v;
	l->conf->maintenance_n = n;
}

static void put_match(struct buf *out, const char *name, const struct conf_list *list)
{
	if (list->n == 0)
		return;
	buf_printf(out, ", %s: ", name);
	put_list(out, list);
}

static void put_days(struct buf *out, unsigned days)
{
	const char *comma = "";

	buf_puts(out, ", days: [");
	for (unsigned day = 0; day < DAYS; day++) {
		if (!(days & 1u << day))
			continue;
		buf_printf(out, "%s%s", comma, day_names[day]);
		comma = ", ";
	}
	buf_puts(out, "]");
}

void conf_put_window(struct buf *out, const struct conf_window *w)
{
	char from[CLOCK_RFC3339_MAX], until[CLOCK_RFC3339_MAX], span[UNITS_TEXT_MAX];

	buf_puts(out, "{name: ");
	put_text(out, w->name);
	put_match(out, "match", &w->match);
	if (w->until_ms) {
		clock_format_ms(w->from_ms, from);
		clock_format_ms(w->until_ms, until);
		buf_printf(out, ", from: \"%s\", until: \"%s\"}", from, until);
		return;
	}
	units_format_duration(w->for_ms, span);
	put_days(out, w->days);
	buf_printf(out, ", at: \"%02d:%02d\", for: %s}", (int)(w->at_ms / (60 * MINUTE_MS)),
		(int)(w->at_ms / MINUTE_MS % 60), span);
}

/* ---- inhibit ---- */

static void set_inhibit(struct loader *l, const struct yaml *y, struct conf_inhibit *in)
{
	static const char *const names[] = {"source_matchers", "target_matchers", "equal"};
	struct conf_list *const lists[] = {&in->source, &in->target, &in->equal};
	static const char *const paths[] = {
		"inhibit.source_matchers", "inhibit.target_matchers", "inhibit.equal"};

	in->line = y->line;
	in->column = y->column;
	if (y->kind != YAML_MAP) {
		complain(l, y,
			"'inhibit' has %s; each rule is a map of source_matchers, target_matchers "
			"and equal",
			kind_of(y));
		return;
	}
	for (const struct yaml *c = y->child; c; c = c->next) {
		size_t i = 0;
		while (i < 3 && !str_is(c->key, names[i]))
			i++;
		if (i == 3)
			unknown_key(l, "inhibit", c, names, 3);
		else
			take_list(l, paths[i], c, lists[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		const struct yaml *list = yaml_get(y, names[i]);
		if (!list || (list->kind == YAML_SEQ && list->count == 0))
			complain(l, list ? list : y,
				"a rule of 'inhibit' needs '%s', a list of matchers", names[i]);
	}
}

void conf_set_inhibits(struct loader *l, const struct yaml *y)
{
	struct conf_inhibit *v = room(l, "inhibit", y, sizeof(*v));
	size_t errors = l->diags->errors, n = 0;

	for (const struct yaml *c = y->child; v && c; c = c->next)
		set_inhibit(l, c, &v[n++]);
	if (!v || l->diags->errors > errors)
		return;
	l->conf->inhibit = v;
	l->conf->inhibit_n = n;
}

void conf_put_inhibit(struct buf *out, const struct conf_inhibit *in)
{
	buf_puts(out, "{source_matchers: ");
	put_list(out, &in->source);
	put_match(out, "target_matchers", &in->target);
	put_match(out, "equal", &in->equal);
	buf_putc(out, '}');
}
