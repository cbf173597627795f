/* Sources of a configuration: what `labels` makes of an event, and what is found when a file is
 * read. */
#include "unit.h"
#include "conf/conf.h"
#include "flow/sources.h"

struct bound {
	struct arena a;
	struct diags d;
	struct conf *conf;
	struct sources *sources;
};

static struct bound bind(const char *text)
{
	struct bound b = {0};

	arena_init(&b.a, 64 << 20);
	diags_init(&b.d);
	b.conf = conf_parse(str_of(text), "f.yml", "/etc/x", &b.d);
	if (b.conf) {
		b.conf->path = STR("f.yml");
		b.sources = sources_new(b.conf, NULL, &b.d);
	}
	return b;
}

static struct bound bind_good(const char *text)
{
	struct bound b = bind(text);

	assert_findings(&b.d, "");
	assert_non_null(b.sources);
	return b;
}

static void release(struct bound *b)
{
	sources_unref(b->sources);
	conf_free(b->conf);
	diags_release(&b->d);
	arena_release(&b->a);
}

static void refused(const char *text, const char *findings)
{
	struct bound b = bind(text);

	assert_findings(&b.d, findings);
	assert_null(b.sources);
	release(&b);
}

static void deliveries_are_remembered_for_as_long_as_signatures_hold(void **state)
{
	(void)state;
	refused("limits: {delivery_window: 9m}\n"
		"sources: {x: {kind: alertmanager, auth: {standard_webhooks: {secret_file: s}}}}\n",
		"f.yml:2:11: 'limits.delivery_window' is 9m: whoever catches a message of the "
		"source 'x' could send it again "
		"after that; make it 10m or more\n");
	refused("limits: {delivery_window: 1h}\n"
		"sources: {x: {kind: alertmanager, auth: {hmac: {header: S, timestamp_header: T, "
		"tolerance: 1h, secret_file: s}}}}\n",
		"f.yml:2:11: 'limits.delivery_window' is 1h: whoever catches a message of the "
		"source 'x' could send it again "
		"after that; make it 2h or more\n");
	refused("sources: {x: {kind: logs, auth: {standard_webhooks: {secret_file: s}}}}\n",
		"f.yml:1:11: the source 'x' takes lines of logs, which somebody who caught them "
		"could send again: a signed time "
		"does not keep him from it; give it an auth of another kind, as bearer_file or "
		"client_cert\n");
	struct bound b =
		bind_good("limits: {delivery_window: 10m}\nsources:\n"
			  "  x: {kind: alertmanager, auth: {standard_webhooks: {secret_file: s}}}\n"
			  "  y: {kind: alertmanager, auth: {hmac: {header: S, secret_file: s}}}\n");
	release(&b);
	b = bind_good("sources: {x: {kind: logs, auth: {github: {secret_file: s}}}}\n");
	release(&b);
	b = bind_good("limits: {delivery_window: 1m}\nsources: {y: {kind: alertmanager, auth: "
		      "{github: {secret_file: s}}}}\n");
	release(&b);
}

/* The events that the source x makes of a body. */
static struct source_batch take(struct bound *b, const char *body)
{
	const struct bound_source *s = sources_find(b->sources, STR("x"));
	struct source_batch out;
	struct err e = {0};

	assert_non_null(s);
	struct source_parse *p = sources_begin(s, &b->a, (struct source_request){0});
	assert_non_null(p);
	source_feed(p, body, strlen(body), &e);
	if (source_finish(p, &out, &e) != 0 || sources_dress(s, &b->a, &out, &e) != 0)
		fail_msg("%s", e.text);
	return out;
}

static void assert_label(const struct event *ev, const char *name, const char *want)
{
	assert_str(event_label(ev, str_of(name)), want);
}

#define BODY(labels) \
	"{\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"A\"" labels \
	"},\"annotations\":{\"note\":\"N\"}}]}"

static void labels_are_derived_and_renamed(void **state)
{
	(void)state;
	struct bound b = bind_good(
		"sources:\n"
		"  x:\n"
		"    kind: alertmanager\n"
		"    labels:\n"
		"      instance: '{{ labels.instance | host | lower }}'\n"
		"      service: '{{ labels.job }}'\n"
		"      job: ''\n"
		"      team: ops\n"
		"      note: '{{ annotations.note }} {{ event.type }} {{ data.status }}'\n"
		"      zone: '{{ labels.zone | default \"a\" }}'\n");
	struct source_batch out = take(&b, BODY(",\"instance\":\"WEB-1:9100\",\"job\":\"node\""));

	assert_int_equal(out.n, 1);
	const struct event *ev = out.events;
	assert_label(ev, "instance", "web-1");
	assert_label(ev, "service", "node");
	assert_null(event_label(ev, STR("job")).p);
	assert_label(ev, "team", "ops");
	assert_label(ev, "note", "N alert firing");
	assert_label(ev, "zone", "a");
	for (size_t i = 1; i < ev->labels_n; i++)
		assert_true(str_cmp(ev->labels[i - 1].name, ev->labels[i].name) < 0);
	release(&b);
}

/* Two sources that say it differently come to the same name. */
static void what_is_missing_leaves_the_label(void **state)
{
	(void)state;
	struct bound b = bind_good(
		"sources: {x: {kind: alertmanager, labels: {instance: '{{ labels.host }}', "
		"gone: '{{ labels.nothing | default \"\" }}'}}}\n");
	struct source_batch out = take(&b, BODY(",\"instance\":\"one\",\"gone\":\"stays\""));

	assert_label(out.events, "instance", "one");
	assert_label(out.events, "gone", "stays");
	out = take(&b, BODY(",\"instance\":\"one\",\"host\":\"two\""));
	assert_label(out.events, "instance", "two");
	release(&b);
}

static void every_template_sees_the_labels_as_they_came(void **state)
{
	(void)state;
	struct bound b = bind_good("sources: {x: {kind: alertmanager, labels: {a: '{{ labels.b "
				   "}}', b: '{{ labels.a }}'}}}\n");
	struct source_batch out = take(&b, BODY(",\"a\":\"1\",\"b\":\"2\""));

	assert_label(out.events, "a", "2");
	assert_label(out.events, "b", "1");
	release(&b);
}

static void the_fingerprint_is_the_senders(void **state)
{
	(void)state;
	struct bound plain = bind_good("sources: {x: {kind: alertmanager}}\n");
	struct bound b = bind_good("sources: {x: {kind: alertmanager, labels: {alertname: B}}}\n");
	struct source_batch one = take(&plain, BODY("")), two = take(&b, BODY(""));

	assert_label(two.events, "alertname", "B");
	assert_true(str_eq(one.events->fingerprint, two.events->fingerprint));
	release(&plain);
	release(&b);
}

static void bad_labels_are_found_with_their_place(void **state)
{
	(void)state;
	refused("sources:\n  x:\n    kind: alertmanager\n    labels: {a: '{{ label.b }}'}\n",
		"f.yml:4:17: 'sources.x.labels.a': unknown path 'label', did you mean 'labels'; "
		"known are labels.x "
		"annotations.x data.x event.x match.x incident.x steps.NAME.x\n");
	refused("sources: {x: {kind: alertmanager, labels: {a: '{{ incident.id }}', b: '{{ match.x "
		"}}'}}}\n",
		"f.yml:1:47: 'sources.x.labels.a': only the event is known here: labels.x, "
		"annotations.x, data.x, event.x but "
		"for event.id and event.received\n"
		"f.yml:1:71: 'sources.x.labels.b': only the event is known here: labels.x, "
		"annotations.x, data.x, event.x but "
		"for event.id and event.received\n");
	refused("sources: {x: {kind: alertmanager, labels: [a]}}\n",
		"f.yml:1:43: 'sources.x.labels' is a list; it must be a map of texts\n");
	refused("sources: {x: {kind: alertmanager, labels: {a: [b], '': c}}}\n",
		"f.yml:1:47: 'sources.x.labels.a' is a list; it must be a text\n"
		"f.yml:1:52: 'sources.x.labels' has a name that is empty or holds a NUL byte\n");
}

static void so_many_labels(void **state)
{
	(void)state;
	struct buf text;

	buf_init(&text, BUF_NO_LIMIT);
	for (int more = 0; more < 2; more++) {
		buf_clear(&text);
		buf_puts(&text, "sources: {x: {kind: alertmanager, labels: {");
		for (int i = 0; i < CONF_PAIRS_MAX + more; i++)
			buf_printf(&text, "l%d: v, ", i);
		buf_puts(&text, "}}}\n");
		if (more) {
			refused(text.p, "f.yml:1:43: 'sources.x.labels' has 65 entries; it must "
					"have at most 64\n");
			continue;
		}
		struct bound b = bind_good(text.p);
		assert_int_equal(take(&b, BODY("")).events->labels_n, 1 + CONF_PAIRS_MAX);
		release(&b);
	}
	buf_release(&text);
}

TESTS_MAIN(cmocka_unit_test(deliveries_are_remembered_for_as_long_as_signatures_hold),
	cmocka_unit_test(labels_are_derived_and_renamed),
	cmocka_unit_test(what_is_missing_leaves_the_label),
	cmocka_unit_test(every_template_sees_the_labels_as_they_came),
	cmocka_unit_test(the_fingerprint_is_the_senders),
	cmocka_unit_test(bad_labels_are_found_with_their_place), cmocka_unit_test(so_many_labels))
