/* metrics.c: all series of this process, by metric.
 *
 * Each metric has a list of series in the order of their making, and a hash table (open
 * addressing, at most half full) from the label values to the series: an update is one hash of
 * the values and one comparison. Owns copies of the label values. One thread.
 *
 * Bounded: METRICS_SERIES_MAX series a metric; what comes after counts in one more series whose
 * labels all are "other". Without memory an update is lost, never the program.
 *
 * It does not know what is measured: names, types and sentences are in metrics_table.h.
 */
#include "base/metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/hash.h"
#include "base/utf8.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

const double metric_buckets[] = {
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
	10, 30, 60, 300, 1800,
};
const size_t metric_buckets_n = COUNT(metric_buckets);

struct histogram {
	uint64_t buckets[COUNT(metric_buckets)];	/* each for itself, not summed up */
	uint64_t count;
	double sum;
};

struct series {
	uint64_t hash;
	double value;
	struct histogram *histogram;	/* NULL for the other types */
	struct str values[METRICS_LABELS_MAX];	/* their bytes follow */
};

struct family {
	const char *name;
	enum metric_type type;
	const char *labels;	/* "a,b" */
	const char *help;
	struct series **v;
	size_t n, cap;
	struct series **table;	/* table_n entries, a power of two */
	size_t table_n;
	struct series *other;	/* beyond METRICS_SERIES_MAX */
};

static struct family families[METRIC_COUNT] = {
#define METRIC(id, name, type, labels, help) [METRIC_##id] = {name, type, labels, help, \
		NULL, 0, 0, NULL, 0, NULL},
#include "base/metrics_table.h"
#undef METRIC
};

static size_t labels_of(const struct family *f)
{
	size_t n = f->labels[0] != '\0';
	for (const char *p = f->labels; *p; p++)
		n += *p == ',';
	return n;
}

static uint64_t hash_values(const struct str *values, size_t n)
{
	uint64_t h = HASH_FNV1A_START;
	for (size_t i = 0; i < n; i++) {
		h = hash_fnv1a(h, values[i].p, values[i].n);
		h = hash_fnv1a(h, "\xff", 1);
	}
	return h;
}

static bool same_values(const struct series *s, const struct str *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(s->values[i], values[i]))
			return false;
	}
	return true;
}

static struct series *find(
	const struct family *f, uint64_t hash, const struct str *values, size_t n)
{
	if (!f->table)
		return NULL;
	for (size_t i = hash & (f->table_n - 1); f->table[i]; i = (i + 1) & (f->table_n - 1)) {
		if (f->table[i]->hash == hash && same_values(f->table[i], values, n))
			return f->table[i];
	}
	return NULL;
}

static void put(struct series **table, size_t table_n, struct series *s)
{
	size_t i = s->hash & (table_n - 1);
	while (table[i])
		i = (i + 1) & (table_n - 1);
	table[i] = s;
}

static bool make_room(struct family *f)
{
	if (f->n < f->cap)
		return true;
	size_t cap = f->cap ? f->cap * 2 : 4;
	struct series **v = realloc(f->v, cap * sizeof(struct series *));
	if (!v)
		return false;
	f->v = v;
	struct series **table = calloc(cap * 2, sizeof(struct series *));
	if (!table)
		return false;
	for (size_t i = 0; i < f->n; i++)
		put(table, cap * 2, f->v[i]);
	free(f->table);
	f->table = table;
	f->table_n = cap * 2;
	f->cap = cap;
	return true;
}

static struct series *new_series(const struct family *f, uint64_t hash, const struct str *values,
	size_t n)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += values[i].n;
	struct series *s = calloc(1, sizeof(*s) + bytes);
	if (!s)
		return NULL;
	if (f->type == METRIC_HISTOGRAM) {
		s->histogram = calloc(1, sizeof(*s->histogram));
		if (!s->histogram) {
			free(s);
			return NULL;
		}
	}
	char *to = (char *)(s + 1);
	for (size_t i = 0; i < n; i++) {
		if (values[i].n)
			memcpy(to, values[i].p, values[i].n);
		s->values[i] = (struct str){to, values[i].n};
		to += values[i].n;
	}
	s->hash = hash;
	return s;
}

static struct series *other_series(struct family *f, size_t n)
{
	static const struct str other[METRICS_LABELS_MAX] = {
		{"other", 5}, {"other", 5}, {"other", 5},
	};
	if (!f->other)
		f->other = new_series(f, 0, other, n);
	return f->other;
}

static struct series *series_of(enum metric m, const struct str *values)
{
	struct family *f = &families[m];
	size_t n = labels_of(f);
	uint64_t hash = hash_values(values, n);
	struct series *s = find(f, hash, values, n);

	if (s)
		return s;
	if (f->n >= METRICS_SERIES_MAX)
		return other_series(f, n);
	if (!make_room(f))
		return NULL;
	s = new_series(f, hash, values, n);
	if (!s)
		return NULL;
	f->v[f->n++] = s;
	put(f->table, f->table_n, s);
	return s;
}

void metric_add(enum metric m, double by, const struct str *values)
{
	struct series *s = series_of(m, values);
	if (s)
		s->value += by;
}

void metric_set(enum metric m, double v, const struct str *values)
{
	struct series *s = series_of(m, values);
	if (s)
		s->value = v;
}

void metric_observe(enum metric m, double seconds, const struct str *values)
{
	struct series *s = series_of(m, values);
	if (!s || !s->histogram)
		return;
	for (size_t i = 0; i < metric_buckets_n; i++) {
		if (seconds <= metric_buckets[i]) {
			s->histogram->buckets[i]++;
			break;
		}
	}
	s->histogram->count++;
	s->histogram->sum += seconds;
}

void metric_set_histogram(enum metric m, const struct str *values, const uint64_t *bucket_counts,
	uint64_t count, double sum)
{
	struct series *s = series_of(m, values);
	if (!s || !s->histogram)
		return;
	memcpy(s->histogram->buckets, bucket_counts, sizeof(s->histogram->buckets));
	s->histogram->count = count;
	s->histogram->sum = sum;
}

/* ---- exposition format ---- */

static void print_number(struct buf *out, double v)
{
	char text[32];
	if (v == floor(v) && fabs(v) < 1e15) {
		buf_i64(out, (int64_t)v);
		return;
	}
	if (isnan(v) || isinf(v)) {
		buf_puts(out, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
		return;
	}
	snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof(text), "%.17g", v);
	buf_puts(out, text);
}

static void print_value(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n;) {
		size_t len = utf8_char(s.p + i, s.n - i);
		if (s.p[i] == '"' || s.p[i] == '\\') {
			buf_putc(out, '\\');
			buf_putc(out, s.p[i]);
		} else if (s.p[i] == '\n') {
			buf_puts(out, "\\n");
		} else if (len == 0) {
			buf_puts(out, UTF8_REPLACEMENT);
		} else {
			buf_add(out, s.p + i, len);
		}
		i += len ? len : 1;
	}
}

/* {a="x",b="y",le="0.5"}; le NULL: without it; nothing where there are no labels. */
static void print_labels(struct buf *out, const struct family *f, const struct series *s,
	const char *le)
{
	const char *name = f->labels;
	char before = '{';
	for (size_t i = 0; *name; i++) {
		size_t n = strcspn(name, ",");
		buf_putc(out, before);
		buf_add(out, name, n);
		buf_puts(out, "=\"");
		print_value(out, s->values[i]);
		buf_putc(out, '"');
		before = ',';
		name += n + (name[n] == ',');
	}
	if (le) {
		buf_putc(out, before);
		buf_printf(out, "le=\"%s\"", le);
		before = ',';
	}
	if (before == ',')
		buf_putc(out, '}');
}

static void print_histogram(struct buf *out, const struct family *f, const struct series *s)
{
	const struct histogram *h = s->histogram;
	uint64_t sum = 0;
	for (size_t i = 0; i <= metric_buckets_n; i++) {
		char le[32] = "+Inf";
		bool last = i == metric_buckets_n;
		if (!last)
			snprintf(le, sizeof(le), "%g", metric_buckets[i]);
		sum = last ? h->count : sum + h->buckets[i];
		buf_printf(out, "%s_bucket", f->name);
		print_labels(out, f, s, le);
		buf_putc(out, ' ');
		buf_u64(out, sum);
		buf_putc(out, '\n');
	}
	buf_printf(out, "%s_sum", f->name);
	print_labels(out, f, s, NULL);
	buf_putc(out, ' ');
	print_number(out, h->sum);
	buf_printf(out, "\n%s_count", f->name);
	print_labels(out, f, s, NULL);
	buf_putc(out, ' ');
	buf_u64(out, h->count);
	buf_putc(out, '\n');
}

static void print_series(struct buf *out, const struct family *f, const struct series *s)
{
	if (s->histogram) {
		print_histogram(out, f, s);
		return;
	}
	buf_puts(out, f->name);
	print_labels(out, f, s, NULL);
	buf_putc(out, ' ');
	print_number(out, s->value);
	buf_putc(out, '\n');
}

void metrics_print(struct buf *out)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};
	for (size_t m = 0; m < METRIC_COUNT; m++) {
		const struct family *f = &families[m];
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
			types[f->type]);
		for (size_t i = 0; i < f->n; i++)
			print_series(out, f, f->v[i]);
		if (f->other)
			print_series(out, f, f->other);
	}
}

static void series_free(struct series *s)
{
	if (s)
		free(s->histogram);
	free(s);
}

void metric_clear(enum metric m)
{
	struct family *f = &families[m];
	for (size_t i = 0; i < f->n; i++)
		series_free(f->v[i]);
	series_free(f->other);
	free(f->v);
	free(f->table);
	f->v = f->table = NULL;
	f->n = f->cap = f->table_n = 0;
	f->other = NULL;
}

void metrics_release(void)
{
	for (size_t m = 0; m < METRIC_COUNT; m++)
		metric_clear((enum metric)m);
}
