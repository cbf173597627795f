/* planned.c: which maintenance windows and inhibit rules an event belongs to.
 *
 * Here is what needs matchers; whether a window is open and whether a source fires is the store's
 * to decide, in the step that decides the rule, on its clock. So an event's facts are the same
 * whenever they are asked for. A regex that gives up: of a window it counts as one that holds,
 * since what was planned is to be left alone; of an inhibit rule as one that does not.
 *
 * An inhibit rule is known by what it says, not by its place; with the values of its `equal` it
 * names a set of sources, short whatever they are.
 */
#include "rule/planned.h"

#include "rule/correlation.h"

#define FACTS_LIMIT (1 << 20)
#define ID_HEX 12	/* of the digest of what a window or a rule says */
#define SET_HEX 32	/* of that of a rule's equal values */
#define TITLE_LIMIT 200 /* bytes of a source's name in reasons */

struct window {
	struct str id;	 /* of what it matches */
	struct str text; /* its fact, but for the line feed */
	struct matchers match;
};

struct inhibit {
	struct str id;
	struct matchers source, target;
	struct field *equal;
	size_t equal_n;
};

struct planned {
	struct window *windows;
	size_t windows_n;
	struct inhibit *inhibits;
	size_t inhibits_n;
};

/* ---- reading ---- */

static void complain_of(const struct conf *conf, struct diags *d, const char *what,
	const struct conf_text *t, const struct err *e)
{
	diag_add(d, DIAG_ERROR, conf->path.p ? conf->path.p : "", t->line, t->column,
		"%s: %s: '%.*s'", what, e->text, (int)(t->text.n < 100 ? t->text.n : 100),
		t->text.p ? t->text.p : "");
}

/* All of the list; what they say goes to id, too. */
static void read_matchers(struct ruleset *rs, const struct conf *conf, struct diags *d,
	const char *what, const struct conf_list *list, struct matchers *out, struct buf *id)
{
	struct err e;

	for (size_t i = 0; i < list->n; i++) {
		struct matchers m = {0};
		buf_printf(id, "%s=%zu:%.*s;", what, list->v[i].text.n, STR_ARG(list->v[i].text));
		if (matchers_parse(&rs->arena, list->v[i].text, &m, &e) == 0 &&
			matchers_join(&rs->arena, out, &m, &e) == 0)
			continue;
		matchers_release(&m);
		complain_of(conf, d, what, &list->v[i], &e);
	}
}

static void read_window(struct ruleset *rs, const struct conf *conf, struct diags *d,
	const struct conf_window *c, struct window *out)
{
	char sha[HASH_SHA256_HEX];
	struct buf id;

	buf_init(&id, FACTS_LIMIT);
	read_matchers(rs, conf, d, "maintenance.match", &c->match, &out->match, &id);
	hash_sha256_hex(buf_as_str(&id), sha);
	out->id = arena_strdup(&rs->arena, (struct str){sha, ID_HEX});
	buf_release(&id);
	if (c->until_ms)
		out->text = arena_printf(&rs->arena, "m %lld %lld %.*s", (long long)c->from_ms,
			(long long)c->until_ms, STR_ARG(c->name));
	else
		out->text = arena_printf(&rs->arena, "w %u %lld %lld %.*s", c->days,
			(long long)c->at_ms, (long long)c->for_ms, STR_ARG(c->name));
}

static void read_inhibit(struct ruleset *rs, const struct conf *conf, struct diags *d,
	const struct conf_inhibit *c, struct inhibit *out)
{
	char sha[HASH_SHA256_HEX];
	struct buf id;
	struct err e;

	buf_init(&id, FACTS_LIMIT);
	read_matchers(rs, conf, d, "inhibit.source_matchers", &c->source, &out->source, &id);
	read_matchers(rs, conf, d, "inhibit.target_matchers", &c->target, &out->target, &id);
	out->equal = arena_array(&rs->arena, c->equal.n ? c->equal.n : 1, sizeof(*out->equal));
	for (size_t i = 0; out->equal && i < c->equal.n; i++) {
		buf_printf(
			&id, "equal=%zu:%.*s;", c->equal.v[i].text.n, STR_ARG(c->equal.v[i].text));
		if (field_parse(&rs->arena, c->equal.v[i].text, &out->equal[out->equal_n], &e) == 0)
			out->equal_n++;
		else
			complain_of(conf, d, "inhibit.equal", &c->equal.v[i], &e);
	}
	hash_sha256_hex(buf_as_str(&id), sha);
	out->id = arena_strdup(&rs->arena, (struct str){sha, ID_HEX});
	buf_release(&id);
}

void planned_read(struct ruleset *rs, const struct conf *conf, struct diags *d)
{
	struct planned *p;

	if (conf->maintenance_n + conf->inhibit_n == 0)
		return;
	p = arena_zalloc(&rs->arena, sizeof(*p));
	if (!p)
		return;
	p->windows = arena_array(&rs->arena, conf->maintenance_n + 1, sizeof(*p->windows));
	p->inhibits = arena_array(&rs->arena, conf->inhibit_n + 1, sizeof(*p->inhibits));
	if (!p->windows || !p->inhibits)
		return;
	rs->planned = p;
	for (; p->windows_n < conf->maintenance_n; p->windows_n++)
		read_window(
			rs, conf, d, &conf->maintenance[p->windows_n], &p->windows[p->windows_n]);
	for (; p->inhibits_n < conf->inhibit_n; p->inhibits_n++)
		read_inhibit(
			rs, conf, d, &conf->inhibit[p->inhibits_n], &p->inhibits[p->inhibits_n]);
}

void planned_release(struct ruleset *rs)
{
	for (size_t i = 0; rs->planned && i < rs->planned->windows_n; i++)
		matchers_release(&rs->planned->windows[i].match);
	for (size_t i = 0; rs->planned && i < rs->planned->inhibits_n; i++) {
		matchers_release(&rs->planned->inhibits[i].source);
		matchers_release(&rs->planned->inhibits[i].target);
	}
}

void planned_describe(const struct ruleset *rs, struct buf *out)
{
	for (size_t i = 0; rs->planned && i < rs->planned->windows_n; i++)
		buf_printf(out, "maintenance %.*s %.*s\n", STR_ARG(rs->planned->windows[i].id),
			STR_ARG(rs->planned->windows[i].text));
	for (size_t i = 0; rs->planned && i < rs->planned->inhibits_n; i++)
		buf_printf(out, "inhibit %.*s\n", STR_ARG(rs->planned->inhibits[i].id));
}

/* ---- asking ---- */

static bool holds(const struct ruleset *rs, const struct matchers *m, struct arena *a,
	const struct event *ev, bool given_up)
{
	int rc = matchers_eval(m, rs->scratch, a, ev, NULL, NULL);

	return rc < 0 ? given_up : rc == 1;
}

static void put_set(
	struct buf *out, struct arena *a, const struct inhibit *in, const struct event *ev)
{
	struct str key = rule_by_key(a, in->equal, in->equal_n, ev);
	char sha[HASH_SHA256_HEX];

	hash_sha256_hex(key, sha);
	buf_printf(out, "%.*s:%.*s", STR_ARG(in->id), SET_HEX, sha);
}

/* What people call a source: its alertname, else its summary; one line. */
static void put_title(struct buf *out, const struct event *ev)
{
	struct str title = event_label(ev, STR("alertname"));

	if (title.n == 0)
		title = ev->summary;
	for (size_t i = 0; i < title.n; i++) {
		unsigned char c = (unsigned char)title.p[i];
		if (i >= TITLE_LIMIT && (c & 0xc0) != 0x80)
			break;
		buf_putc(out, c < ' ' ? ' ' : (char)c);
	}
}

static void put_inhibit(struct buf *out, const struct ruleset *rs, struct arena *a,
	const struct inhibit *in, const struct event *ev)
{
	bool source = holds(rs, &in->source, a, ev, false),
	     target = holds(rs, &in->target, a, ev, false);

	if (target) {
		buf_puts(out, "t ");
		put_set(out, a, in, ev);
		buf_puts(out, source ? " 1\n" : " 0\n");
	}
	if (source) {
		buf_puts(out, "s ");
		put_set(out, a, in, ev);
		buf_puts(out, target ? " 1 " : " 0 ");
		put_title(out, ev);
		buf_putc(out, '\n');
	}
}

bool ruleset_inhibits(const struct ruleset *rs)
{
	return rs->planned && rs->planned->inhibits_n > 0;
}

int ruleset_facts(
	const struct ruleset *rs, struct arena *a, const struct event *ev, struct str *out)
{
	const struct planned *p = rs->planned;
	bool alert = ev->fingerprint.n > 0 && ev->status != EVENT_INFO;
	struct buf b;

	*out = STR_NONE;
	if (!p)
		return 0;
	buf_init(&b, FACTS_LIMIT);
	matcher_scratch_begin(rs->scratch);
	for (size_t i = 0; i < p->windows_n; i++) {
		if (!holds(rs, &p->windows[i].match, a, ev, true))
			continue;
		buf_str(&b, p->windows[i].text);
		buf_putc(&b, '\n');
	}
	for (size_t i = 0; alert && i < p->inhibits_n; i++)
		put_inhibit(&b, rs, a, &p->inhibits[i], ev);
	if (b.n > 0)
		*out = arena_strdup(a, buf_as_str(&b));
	bool failed = buf_failed(&b) || arena_failed(a);
	buf_release(&b);
	return failed ? -1 : 0;
}
