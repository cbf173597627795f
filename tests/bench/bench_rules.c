/* bench_rules.c: what matching an event costs at 10, 100, 1,000 and 10,000 rules, and what loading them costs.
 *
 * The rules are those of an organisation that grows: alert names as the collections have them, for teams, services
 * and clusters of which there are the more the more rules there are, so that an event is of interest to a few rules
 * at any size. Half of the events are of interest to at least one rule, half to none. Rules and events are the same
 * in each run.
 *
 * Three ways beside each other: the index; the same matchers without it (ruleset_match_scan); and each comparison as
 * an anchored PCRE2 regex with JIT, rule after rule, which is what one would write first. Times are CPU time of the
 * thread, the least of the rounds; sizes take turns within a round. Prints good or MISSED for each bound.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/diag.h"
#include "rule/index.h"
#include "rule/ruleset.h"
#include "../unit/nasty.h"

#define EVENTS 256
#define LABELS 11
#define ROUNDS 9
#define INDEX_TIMES 12
#define PASSES 100
#define MATCHERS 4
#define BOUND_RATIO 2.0
#define BOUND_LOAD_S 1.0
#define BOUND_NASTY_MS 5.0
#define NASTY_COPIES 50		/* rules of each nasty regex that look at the same event */

static const size_t sizes[] = {10, 100, 1000, 10000};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* ---- chance ---- */

static uint64_t seed;

static unsigned pick(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 33) % n);
}

/* ---- rules ---- */

static const char *const subjects[] = {"Host", "Postgresql", "Mysql", "Redis", "Nginx", "Rabbitmq", "Kafka",
	"Elasticsearch", "Kubernetes", "Container", "Blackbox", "Prometheus", "Mongodb", "Haproxy", "Etcd", "Consul"};
static const char *const troubles[] = {"OutOfMemory", "HighCpuLoad", "OutOfDiskSpace", "DiskWillFillIn24Hours",
	"UnusualDiskReadRate", "Down", "Restarted", "TooManyConnections", "ReplicationLag", "SlowQueries",
	"HighErrorRate", "LatencyHigh", "CertificateExpiry", "JobFailed", "QueueFull", "ClusterRed", "MissingReplica",
	"OutOfInodes", "ConfigurationReloadFailure", "TargetMissing"};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct comparison {
	const char *left;
	const char *op;
	char value[120];
	pcre2_code *code;
};

struct made_rule {
	struct comparison v[MATCHERS];
	size_t n;
	unsigned subject, trouble, service; /* of an event that it wants */
};

struct org {
	size_t rules, services, teams;
	struct made_rule *made;
};

__attribute__((format(printf, 4, 5))) static void put(
	struct made_rule *r, const char *left, const char *op, const char *fmt, ...)
{
	struct comparison *c = &r->v[r->n++];
	va_list ap;

	c->left = left;
	c->op = op;
	va_start(ap, fmt);
	vsnprintf(c->value, sizeof(c->value), fmt, ap);
	va_end(ap);
}

/* Kinds take turns, so that at each size there are as many of each. */
static void make_rule(struct made_rule *r, const struct org *o, size_t number)
{
	unsigned service = r->service = pick(o->services), subject = r->subject = pick(COUNT(subjects));
	unsigned trouble = r->trouble = pick(COUNT(troubles)), team = service % (unsigned)o->teams;
	const char *s = subjects[subject], *t = troubles[trouble];

	switch (number % 10) {
	case 0:
	case 1:
	case 2:
		put(r, "alertname", "=", "%s%s", s, t);
		put(r, "service", "=", "svc-%u", service);
		put(r, "severity", "=~", "critical|warning");
		break;
	case 3:
	case 4:
		put(r, "alertname", "=~", "%s%s|%sDown|%sHighErrorRate", s, t, s, s);
		put(r, "service", "=", "svc-%u", service);
		put(r, "env", "!~", "dev|test|sandbox-.*");
		break;
	case 5:
		put(r, "alertname", "=~", "%s.*", s);
		put(r, "service", "=~", "svc-%u(-canary)?", service);
		put(r, "severity", "!=", "info");
		break;
	case 6:
		put(r, "alertname", "=~", "(Host|Node|%s)%s", s, t);
		put(r, "instance", "=~", "svc-%u-[0-9]+\\.example\\.com:\\d+", service);
		break;
	case 7:
		put(r, "team", "=", "team-%u", team);
		put(r, "alertname", "=", "%s%s", s, t);
		put(r, "cluster", "=~", "(?:eu|us)-.*");
		put(r, "instance", "=~", "svc-%u-.*", service);
		break;
	case 8:
		put(r, "annotations.summary", "=~", ".*on svc-%u-.*", service);
		put(r, "alertname", "=", "%s%s", s, t);
		break;
	default:
		put(r, "event.source", "=", "alertmanager");
		put(r, "service", "=", "svc-%u", service);
		put(r, "alertname", "=~", ".+%s", t);
		put(r, "silenced", "=", "%s", "");
	}
}

static void make_org(struct org *o, size_t rules)
{
	seed = UINT64_C(0x243f6a8885a308d3);
	*o = (struct org){rules, rules / 6 + 3, rules / 50 + 2, calloc(rules, sizeof(*o->made))};
	for (size_t i = 0; o->made && i < rules; i++)
		make_rule(&o->made[i], o, i);
}

static void put_yaml(const struct org *o, struct buf *b)
{
	buf_puts(b, "rules:\n");
	for (size_t i = 0; i < o->rules; i++) {
		const struct made_rule *r = &o->made[i];
		buf_printf(b, "  - name: rule-%zu\n    description: What is done for service %u\n    match: '", i,
			r->service);
		for (size_t k = 0; k < r->n; k++) {
			buf_printf(b, "%s%s %s \"", k ? ", " : "", r->v[k].left, r->v[k].op);
			for (const char *c = r->v[k].value; *c; c++)
				buf_printf(b, "%s%c", *c == '\\' ? "\\" : "", *c);
			buf_putc(b, '"');
		}
		buf_puts(b, "'\n    cooldown: 10m\n    steps:\n      - runbook: look\n"
			    "        with: {service: \"{{ labels.service }}\"}\n");
	}
}

/* ---- events ---- */

/* wanted: of a rule's service; else of one that no rule knows. */
static struct event make_event(struct arena *a, const struct org *o, bool wanted)
{
	const struct made_rule *r = &o->made[pick(o->rules)];
	unsigned service = wanted ? r->service : (unsigned)o->services + pick(1000), n = 0;
	struct kv *v = arena_array(a, LABELS, sizeof(*v)), *notes = arena_array(a, 2, sizeof(*notes));
	char name[100];

	snprintf(name, sizeof(name), "%s%s", subjects[r->subject], troubles[r->trouble]);
	v[n++] = (struct kv){STR("alertname"), arena_strdup(a, str_of(name))};
	v[n++] = (struct kv){STR("cluster"), arena_printf(a, "%s-%u", pick(2) ? "eu-west" : "us-east", pick(4))};
	v[n++] = (struct kv){STR("env"), STR("prod")};
	v[n++] = (struct kv){STR("instance"),
		arena_printf(a, "svc-%u-%u.example.com:9100", service, pick(20))};
	v[n++] = (struct kv){STR("job"), STR("node")};
	v[n++] = (struct kv){STR("monitor"), STR("prometheus-a")};
	v[n++] = (struct kv){STR("namespace"), arena_printf(a, "ns-%u", service % 7)};
	v[n++] = (struct kv){STR("pod"), arena_printf(a, "pod-7f9c5d-%u", pick(1000))};
	v[n++] = (struct kv){STR("service"), arena_printf(a, "svc-%u", service)};
	v[n++] = (struct kv){STR("severity"), pick(2) ? STR("critical") : STR("warning")};
	v[n++] = (struct kv){STR("team"), arena_printf(a, "team-%u", service % (unsigned)o->teams)};
	notes[0] = (struct kv){STR("description"), STR("The value is 93.2 and has been over 90 for five minutes")};
	notes[1] = (struct kv){STR("summary"), arena_printf(a, "%s on svc-%u-3 (prod)", name, service)};
	return (struct event){.source = STR("alertmanager"), .type = STR("alert"), .labels = v, .labels_n = n,
		.annotations = notes, .annotations_n = 2};
}

/* ---- each comparison as a regex ---- */

static bool compile_all(struct org *o)
{
	for (size_t i = 0; i < o->rules; i++)
		for (size_t k = 0; k < o->made[i].n; k++) {
			struct comparison *c = &o->made[i].v[k];
			bool literal = c->op[1] != '~';
			int code;
			size_t at;
			c->code = pcre2_compile((PCRE2_SPTR)c->value, strlen(c->value),
				PCRE2_ANCHORED | PCRE2_ENDANCHORED |
					(literal ? PCRE2_LITERAL : PCRE2_UTF | PCRE2_DOTALL),
				&code, &at, NULL);
			if (!c->code || pcre2_jit_compile(c->code, PCRE2_JIT_COMPLETE) != 0)
				return false;
		}
	return true;
}

static struct str value_of(const struct event *ev, const char *left)
{
	if (strcmp(left, "event.source") == 0)
		return ev->source;
	if (strncmp(left, "annotations.", 12) == 0)
		return event_annotation(ev, str_of(left + 12));
	return event_label(ev, str_of(left));
}

static size_t regex_scan(const struct org *o, const struct event *ev, pcre2_match_data *d)
{
	size_t found = 0;

	for (size_t i = 0; i < o->rules; i++) {
		const struct made_rule *r = &o->made[i];
		bool holds = true;
		for (size_t k = 0; holds && k < r->n; k++) {
			struct str v = value_of(ev, r->v[k].left);
			int rc = pcre2_jit_match(
				r->v[k].code, (PCRE2_SPTR)(v.p ? v.p : ""), v.n, 0, 0, d, NULL);
			holds = (rc >= 0) == (r->v[k].op[0] == '=');
		}
		found += holds;
	}
	return found;
}

/* ---- measuring ---- */

struct bench {
	struct org org;
	struct ruleset *rules;
	struct arena arena;
	struct event events[EVENTS];
	double load_s, bytes;	/* CPU; memory of the ruleset */
	double index_us, scan_us, regex_us;
	double matches, candidates;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long all = 0, here = 0;

	if (!f)
		return 0;
	int n = fscanf(f, "%ld %ld", &all, &here);
	fclose(f);
	return n == 2 ? (double)here * (double)sysconf(_SC_PAGESIZE) : 0;
}

static const char runbook[] = "#!/bin/sh\n# ---\n# summary: Look\n# kind: diagnose\n# params:\n"
			      "#   service: {required: true}\n# ---\n";

static struct ruleset *load(const struct buf *yaml)
{
	struct conf conf = {.path = STR("runbookd.yml"), .limits.match_limit = 100000,
		.limits.match_budget = 150000};
	struct ruleset_file file = {"rules.yml", buf_as_str(yaml)}, book = {"look.sh", {runbook, sizeof(runbook) - 1}};
	struct ruleset_input in = {&file, 1, &book, 1, &conf};
	struct diags d;

	diags_init(&d);
	struct ruleset *rs = ruleset_build(&in, &d);
	if (!rs) {
		struct buf lines;
		buf_init(&lines, BUF_NO_LIMIT);
		diags_print(&d, &lines);
		fputs(lines.p ? lines.p : "", stderr);
		exit(1);
	}
	diags_release(&d);
	return rs;
}

static void prepare(struct bench *b, size_t rules)
{
	struct buf yaml;

	make_org(&b->org, rules);
	buf_init(&yaml, BUF_NO_LIMIT);
	put_yaml(&b->org, &yaml);
	double before = resident();
	b->rules = load(&yaml);
	b->bytes = resident() - before;
	b->load_s = 1e9;
	for (int i = 0; i < 3; i++) {
		double start = now();
		struct ruleset *again = load(&yaml);
		double took = now() - start;
		b->load_s = took < b->load_s ? took : b->load_s;
		ruleset_unref(again);
	}
	buf_release(&yaml);
	if (!compile_all(&b->org)) {
		fputs("bench_rules: PCRE2 has no JIT here\n", stderr);
		exit(1);
	}
	arena_init(&b->arena, (size_t)64 << 20);
	for (size_t i = 0; i < EVENTS; i++)
		b->events[i] = make_event(&b->arena, &b->org, i % 2 == 0);
	b->index_us = b->scan_us = b->regex_us = 1e9;
}

/* All three must find the same. */
static void count(struct bench *b, pcre2_match_data *d)
{
	struct arena a;

	arena_init(&a, (size_t)64 << 20);
	for (size_t i = 0; i < EVENTS; i++) {
		struct rule_match *v;
		size_t n, scanned;
		ruleset_match(b->rules, &a, &b->events[i], &v, &n);
		ruleset_match_scan(b->rules, &a, &b->events[i], &v, &scanned);
		if (n != scanned || n != regex_scan(&b->org, &b->events[i], d)) {
			fputs("bench_rules: the ways differ in what they find\n", stderr);
			exit(1);
		}
		b->matches += (double)n / EVENTS;
		index_find(b->rules->index, &a, &b->events[i]);
		while (index_next(b->rules->index) != INDEX_END)
			b->candidates += 1.0 / EVENTS;
	}
	arena_release(&a);
}

typedef int (*match_fn)(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_match **out, size_t *n);

/* Microseconds an event. */
static double time_of(const struct bench *b, match_fn match, size_t times)
{
	struct arena a;
	struct rule_match *v;
	size_t n;

	arena_init(&a, (size_t)64 << 20);
	double start = now();
	for (size_t t = 0; t < times; t++)
		for (size_t i = 0; i < EVENTS; i++) {
			match(b->rules, &a, &b->events[i], &v, &n);
			arena_reset(&a);
		}
	double took = now() - start;
	arena_release(&a);
	return took * 1e6 / (double)(times * EVENTS);
}

static double time_of_regex(const struct bench *b, pcre2_match_data *d, size_t events)
{
	volatile size_t found = 0;
	double start = now();

	for (size_t i = 0; i < events; i++)
		found += regex_scan(&b->org, &b->events[i % EVENTS], d);
	return (now() - start) * 1e6 / (double)events;
}

static double least(double x, double y)
{
	return x < y ? x : y;
}

static void one_round(struct bench *b, pcre2_match_data *d)
{
	size_t few = 20000 / b->org.rules + 4; /* events for the slow ways */

	for (int i = 0; i < INDEX_TIMES; i++) /* short ones: one of them finds the machine to itself */
		b->index_us = least(b->index_us, time_of(b, ruleset_match, PASSES));
	b->scan_us = least(b->scan_us, time_of(b, ruleset_match_scan, few / EVENTS + 1));
	b->regex_us = least(b->regex_us, time_of_regex(b, d, few));
}

/* ---- regexes that can take very long ---- */

static void put_nasty(struct buf *b, const struct nasty *t, size_t number)
{
	buf_printf(b, "  - {name: nasty-%zu, steps: [{runbook: look, with: {service: x}}], match: 'x =~ \"", number);
	for (const char *c = t->regex; *c; c++)
		buf_printf(b, "%s%s%c", *c == '\'' ? "'" : "", *c == '"' || *c == '\\' ? "\\" : "", *c);
	buf_puts(b, "\"'}\n");
}

/* Milliseconds that an event costs at most: values of all lengths against the regex that is slow on them, alone and
 * in many rules. Each event twice, the lesser time counts: the machine does other things, too. */
static double worst_of_nasty(void)
{
	static const size_t lengths[] = {20, 60, 200, 1000, 10000, 100000, 1000000};
	struct rule_match *v;
	struct arena a;
	double worst = 0;
	size_t n;

	arena_init(&a, (size_t)64 << 20);
	for (size_t i = 0; i < NASTY_N * 2; i++) {
		const struct nasty *t = &nasty[i / 2];
		struct buf yaml;
		buf_init(&yaml, BUF_NO_LIMIT);
		buf_puts(&yaml, "rules:\n");
		for (size_t k = 0; k < (i % 2 ? NASTY_COPIES : 1); k++)
			put_nasty(&yaml, t, k);
		struct ruleset *rs = load(&yaml);
		for (size_t k = 0; k < COUNT(lengths); k++) {
			struct kv x = {STR("x"), nasty_value(&a, t, lengths[k])};
			struct event ev = {.source = STR("am"), .type = STR("alert"), .labels = &x, .labels_n = 1};
			double took = 1e9;
			for (int times = 0; times < 3; times++) {
				double start = now();
				ruleset_match(rs, &a, &ev, &v, &n);
				took = least(took, (now() - start) * 1e3);
			}
			if (took > worst && getenv("BENCH_VERBOSE"))
				fprintf(stderr, "%s: %zu bytes: %.2f ms\n", t->regex, lengths[k], took);
			worst = took > worst ? took : worst;
			arena_reset(&a);
		}
		ruleset_unref(rs);
		buf_release(&yaml);
	}
	arena_release(&a);
	return worst;
}

static bool say(const char *what, double seen, const char *unit, double bound)
{
	bool good = seen <= bound;

	printf("%-52s %7.2f%s  at most %.0f%s  %s\n", what, seen, unit, bound, unit, good ? "good" : "MISSED");
	return good;
}

int main(void)
{
	static struct bench v[SIZES];
	pcre2_match_data *d = pcre2_match_data_create(64, NULL);

	for (size_t i = 0; i < SIZES; i++)
		prepare(&v[i], sizes[i]);
	for (size_t i = 0; i < SIZES; i++)
		count(&v[i], d);
	for (int r = 0; r < ROUNDS; r++)
		for (size_t i = 0; i < SIZES; i++)
			one_round(&v[i], d);
	printf("%7s %12s %12s %12s %10s %10s %9s %9s %11s\n", "rules", "index us", "scan us", "PCRE2 us", "matches",
		"looked at", "load ms", "KiB", "bytes/rule");
	for (size_t i = 0; i < SIZES; i++)
		printf("%7zu %12.3f %12.2f %12.2f %10.2f %10.2f %9.1f %9.0f %11.0f\n", sizes[i], v[i].index_us,
			v[i].scan_us, v[i].regex_us, v[i].matches, v[i].candidates, v[i].load_s * 1e3,
			v[i].bytes / 1024, v[i].bytes / (double)sizes[i]);
	const struct bench *first = &v[0], *last = &v[SIZES - 1];
	struct index_figures f = index_figures(last->rules->index);
	printf("index of %zu rules: %zu KiB, %zu rules that every event is held against\n", last->org.rules,
		f.bytes >> 10, f.everywhere);
	printf("PCRE2 scan to index at %zu rules: %.0f\n", last->org.rules, last->regex_us / last->index_us);
	bool good = say("cost of an event, 10,000 rules to 10", last->index_us / first->index_us, "", BOUND_RATIO);
	good &= say("load of 10,000 rules", last->load_s, " s", BOUND_LOAD_S);
	good &= say("nasty regexes: the most that an event cost", worst_of_nasty(), " ms", BOUND_NASTY_MS);
	return good ? 0 : 1;
}
