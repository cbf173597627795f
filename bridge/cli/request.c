/* request.c: one call to the API with everything around it: query, errors in words, exit status, pages.
 *
 * Guarantees that every way a call can end has its exit status and is said once, on standard error: no
 * answer is CLI_AWAY and names the address and what to try; 404 is CLI_NOT_FOUND; problem details are
 * printed as "title: detail". Lists are collected page by page until the limit.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/units.h"
#include "cli/show.h"

#define PAGE_MAX 1000	/* the API's limit of a page */

static void encode(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			strchr("-._~", c))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

void url_query(struct buf *path, const char *name, const char *value)
{
	if (!value)
		return;
	buf_putc(path, path->n && memchr(path->p, '?', path->n) ? '&' : '?');
	encode(path, name);
	buf_putc(path, '=');
	encode(path, value);
}

void url_segment(struct buf *path, const char *text)
{
	encode(path, text);
}

bool cli_time_arg(struct cli *c, const char *text, char out[CLOCK_RFC3339_MAX])
{
	int64_t ms, ns;

	if (units_parse_duration(str_of(text), &ms))
		ms = c->now_ms - ms;
	else if (clock_parse_rfc3339(str_of(text), &ns))
		ms = ns / 1000000;
	else
		return false;
	clock_format_ms(ms, out);
	return true;
}

int cli_away(struct cli *c, const struct err *e)
{
	cli_error("cannot reach %s: %s", c->client.shown, e->text);
	if (e->code == ERR_AWAY)
		fputs("  is runbookd running there (systemctl status runbookd)? another address: --url or "
		      "RUNBOOKD_URL\n", stderr);
	return e->code == ERR_AWAY ? CLI_AWAY : CLI_FAILED;
}

int cli_problem(struct cli *c, const struct reply *r)
{
	struct err e = {0};
	const struct json *problem = json_parse(&c->arena, buf_as_str(&r->body), &e);
	struct str title = json_str(json_get(problem, "title"));
	struct str detail = json_str(json_get(problem, "detail")), offset = show_text(problem, "offset");
	bool lines = detail.n && memchr(detail.p, '\n', detail.n);

	/* Lines of --check stand on lines of their own. */
	while (detail.n && detail.p[detail.n - 1] == '\n')
		detail.n--;
	if (title.n && detail.n)
		cli_error("%.*s:%s%.*s%s%.*s%s", STR_ARG(title), lines ? "\n" : " ", STR_ARG(detail),
			offset.n ? " (byte " : "", STR_ARG(offset), offset.n ? ")" : "");
	else if (title.n)
		cli_error("%.*s", STR_ARG(title));
	else
		cli_error("the bridge answered %ld, and not as runbookd does; is %s the right address?",
			r->status, c->client.shown);
	if (r->status == 401 || r->status == 403)
		fputs("  show a token with --token-file or RUNBOOKD_TOKEN_FILE\n", stderr);
	return r->status == 404 ? CLI_NOT_FOUND : CLI_FAILED;
}

const struct json *cli_parse(struct arena *a, struct str text, struct err *e)
{
	static const struct json_limits limits = {.nodes = CLI_NODES_MAX};

	return json_parse_within(a, &limits, text, e);
}

int cli_unread(struct cli *c, const struct err *e)
{
	if (e->code == ERR_LIMIT)
		cli_error("the answer of %s is too large: %s; ask for less at once", c->client.shown, e->text);
	else
		cli_error("the answer of %s is no JSON: %s", c->client.shown, e->text);
	return CLI_FAILED;
}

static int parse_answer(struct cli *c, const struct reply *r, const struct json **out)
{
	struct err e = {0};

	*out = cli_parse(&c->arena, buf_as_str(&r->body), &e);
	return *out ? 0 : cli_unread(c, &e);
}

static int get(struct cli *c, const char *path, bool maybe, const struct json **out)
{
	struct request q = {.method = "GET", .path = path};
	struct err e = {0};
	struct reply r;
	int rc;

	*out = NULL;
	if (client_call(&c->client, &q, &r, &e) < 0)
		rc = cli_away(c, &e);
	else if (r.status == 200)
		rc = parse_answer(c, &r, out);
	else if (maybe && r.status == 404)
		rc = 0;
	else
		rc = cli_problem(c, &r);
	reply_release(&r);
	return rc;
}

int cli_get(struct cli *c, const char *path, const struct json **out)
{
	return get(c, path, false, out);
}

int cli_get_maybe(struct cli *c, const char *path, const struct json **out)
{
	return get(c, path, true, out);
}

int cli_post(struct cli *c, const char *path, struct str body, const char *idempotency_key,
	const struct json **out)
{
	struct request q = {.method = "POST", .path = path, .body = body,
		.idempotency_key = idempotency_key};
	struct err e = {0};
	struct reply r;
	int rc = 0;

	*out = NULL;
	if (client_call(&c->client, &q, &r, &e) < 0)
		rc = cli_away(c, &e);
	else if (r.status < 200 || r.status > 299)
		rc = cli_problem(c, &r);
	else if (r.body.n)
		rc = parse_answer(c, &r, out);
	reply_release(&r);
	return rc;
}

/* ---- lists ---- */

static int add_time(struct cli *c, struct buf *path, const char *name, const char *text)
{
	char time[CLOCK_RFC3339_MAX];

	if (!text)
		return 0;
	if (!cli_time_arg(c, text, time)) {
		cli_error("'%s' is no time; give a duration such as 30m or 2h, for so long ago, or an "
			"RFC 3339 time such as 2026-11-22T19:30:00Z", text);
		return CLI_USAGE;
	}
	url_query(path, name, time);
	return 0;
}

int cli_add_times(struct cli *c, struct buf *path)
{
	int rc = add_time(c, path, "since", c->o.since);

	return rc ? rc : add_time(c, path, "until", c->o.until);
}

static int list_path(struct cli *c, struct buf *path)
{
	url_query(path, "status", c->o.status);
	url_query(path, "filter", c->o.filter);
	return cli_add_times(c, path);
}

static int get_page(struct cli *c, struct str path, size_t limit, struct str cursor,
	const struct json **out)
{
	char number[24];
	struct str z = arena_strdup(&c->arena, cursor);
	struct buf b;
	int rc;

	buf_init(&b, BUF_NO_LIMIT);
	buf_str(&b, path);
	snprintf(number, sizeof(number), "%zu", limit < PAGE_MAX ? limit : PAGE_MAX);
	url_query(&b, "limit", number);
	url_query(&b, "cursor", cursor.n ? z.p : NULL);
	rc = cli_get(c, b.p, out);
	buf_release(&b);
	return rc;
}

static int add_items(struct cli *c, const struct json *page, size_t limit, struct cli_list *out)
{
	const struct json *items = json_get(page, "items");
	const struct json **v;

	if (!items || items->kind != JSON_ARRAY) {
		cli_error("the answer of %s has no items; is it runbookd?", c->client.shown);
		return CLI_FAILED;
	}
	v = arena_grow(&c->arena, (void *)out->v, out->n * sizeof(*v), (out->n + items->count) * sizeof(*v));
	if (!v) {
		cli_error("the list is too long to be shown at once; give a smaller --limit");
		return CLI_FAILED;
	}
	out->v = v;
	for (const struct json *item = items->child; item && out->n < limit; item = item->next)
		v[out->n++] = item;
	out->next = json_str(json_get(page, "next"));
	out->page = page;
	return 0;
}

int cli_list_path(struct cli *c, const char *path, size_t limit, struct cli_list *out)
{
	int rc = 0;

	*out = (struct cli_list){0};
	do {
		const struct json *page;

		rc = get_page(c, str_of(path), limit - out->n, out->next, &page);
		if (rc == 0)
			rc = add_items(c, page, limit, out);
	} while (rc == 0 && out->n < limit && out->next.n);
	return rc;
}

int cli_list(struct cli *c, const char *path, size_t limit, struct cli_list *out)
{
	struct buf b;
	int rc;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, path);
	rc = list_path(c, &b);
	if (rc == 0)
		rc = cli_list_path(c, b.p, c->o.limit ? (size_t)c->o.limit : limit, out);
	buf_release(&b);
	return rc;
}

/* ---- showing ---- */

void cli_print(struct cli *c, const struct json *j)
{
	if (c->o.format == CLI_YAML)
		show_yaml(&c->out, j);
	else
		show_json(&c->out, j);
}

int cli_print_text(struct cli *c, struct str document, const char *instead)
{
	struct err e;
	const struct json *j = cli_parse(&c->arena, document, &e);

	if (j) {
		cli_print(c, j);
		return CLI_GOOD;
	}
	cli_error("the results are too many to print in one; %s: %s", instead, e.text);
	return CLI_FAILED;
}

static struct json *array_of(struct cli *c, const struct cli_list *list)
{
	struct json *nodes = arena_array(&c->arena, list->n + 1, sizeof(*nodes));

	if (!nodes)
		return NULL;
	nodes[0] = (struct json){.kind = JSON_ARRAY, .count = list->n, .child = list->n ? nodes + 1 : NULL};
	for (size_t i = 0; i < list->n; i++) {
		nodes[i + 1] = *list->v[i];
		nodes[i + 1].next = i + 1 < list->n ? &nodes[i + 2] : NULL;
	}
	return nodes;
}

/* The pages as one: what the last page has, with the items of all. */
void cli_print_list(struct cli *c, const struct cli_list *list)
{
	struct json *items = array_of(c, list);
	struct json all = {.kind = JSON_OBJECT}, *last = NULL;

	for (const struct json *m = list->page ? list->page->child : NULL; m && items; m = m->next) {
		struct json *copy = arena_alloc(&c->arena, sizeof(*copy));

		if (!copy)
			return;
		*copy = str_is(m->key, "items") ? *items : *m;
		copy->key = m->key;
		copy->next = NULL;
		*(last ? &last->next : &all.child) = copy;
		last = copy;
		all.count++;
	}
	cli_print(c, &all);
}

int cli_show_list(struct cli *c, const char *path, const struct list_view *view)
{
	struct cli_list list;
	struct table t;
	int rc = cli_list(c, path, view->whole ? CLI_LIMIT_MAX : CLI_LIMIT_DEFAULT, &list);

	if (rc)
		return rc;
	if (c->o.format != CLI_TABLE) {
		cli_print_list(c, &list);
		return CLI_GOOD;
	}
	if (list.n == 0) {
		fprintf(stderr, "no %s\n", view->plural);
		return CLI_GOOD;
	}
	table_init(&t, &c->arena, view->columns, view->columns_n);
	for (size_t i = 0; i < list.n; i++)
		view->row(c, &t, list.v[i]);
	table_print(&t, &c->term, &c->out);
	if (list.next.n && cli_flush(c))
		fprintf(stderr, "there are more %s; see them with --limit or --until\n", view->plural);
	return CLI_GOOD;
}
