/* show.c: times, ages and pairs as people read them.
 *
 * Times are shown in the reader's own zone (TZ), ages against the one "now" that the caller holds, so
 * that two lines of a page never disagree. Clocks of two machines may differ: a time that is later than
 * now has the age 0.
 */
#include "cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct str show_text(const struct json *j, const char *key)
{
	const struct json *v = json_get(j, key);

	if (!v)
		return STR("");
	if (v->kind == JSON_STRING || v->kind == JSON_NUMBER)
		return v->text;
	if (v->kind == JSON_BOOL)
		return v->boolean ? STR("true") : STR("false");
	return STR("");
}

int64_t show_i64(const struct json *j, const char *key)
{
	int64_t v = 0;

	return json_i64(json_get(j, key), &v) ? v : 0;
}

bool show_bool(const struct json *j, const char *key)
{
	const struct json *v = json_get(j, key);

	return v && v->kind == JSON_BOOL && v->boolean;
}

int64_t show_time(const struct json *j, const char *key)
{
	int64_t ns;

	return clock_parse_rfc3339(json_str(json_get(j, key)), &ns) ? ns / 1000000 : 0;
}

void show_age(int64_t then, int64_t now, char out[SHOW_TIME_MAX])
{
	int64_t ms = now > then ? now - then : 0;

	if (then == 0)
		out[0] = '\0';
	else if (ms < MINUTE)
		snprintf(out, SHOW_TIME_MAX, "%" PRId64 "s", ms / SECOND);
	else if (ms < HOUR)
		snprintf(out, SHOW_TIME_MAX, "%" PRId64 "m", ms / MINUTE);
	else if (ms < DAY)
		snprintf(out, SHOW_TIME_MAX, "%" PRId64 "h%02" PRId64 "m", ms / HOUR, ms % HOUR / MINUTE);
	else
		snprintf(out, SHOW_TIME_MAX, "%" PRId64 "d%" PRId64 "h", ms / DAY, ms % DAY / HOUR);
}

void show_duration(int64_t ms, char out[SHOW_TIME_MAX])
{
	if (ms < 0)
		ms = 0;
	if (ms < SECOND)
		snprintf(out, SHOW_TIME_MAX, "%" PRId64 "ms", ms);
	else if (ms < MINUTE)
		snprintf(out, SHOW_TIME_MAX, "%" PRId64 ".%" PRId64 "s", ms / SECOND, ms % SECOND / 100);
	else if (ms < HOUR)
		snprintf(out, SHOW_TIME_MAX, "%" PRId64 "m%02" PRId64 "s", ms / MINUTE,
			ms % MINUTE / SECOND);
	else
		snprintf(out, SHOW_TIME_MAX, "%" PRId64 "h%02" PRId64 "m", ms / HOUR, ms % HOUR / MINUTE);
}

static bool local(int64_t ms, struct tm *tm)
{
	time_t t = (time_t)(ms / 1000);

	return localtime_r(&t, tm) != NULL;
}

void show_local(int64_t ms, int64_t now, char out[SHOW_TIME_MAX])
{
	struct tm then, today;
	bool same_day;

	out[0] = '\0';
	if (ms == 0 || !local(ms, &then) || !local(now, &today))
		return;
	same_day = then.tm_year == today.tm_year && then.tm_yday == today.tm_yday;
	strftime(out, SHOW_TIME_MAX, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &then);
}

void show_local_full(int64_t ms, char out[SHOW_TIME_MAX])
{
	struct tm tm;

	out[0] = '\0';
	if (ms && local(ms, &tm))
		strftime(out, SHOW_TIME_MAX, "%a %Y-%m-%d %H:%M:%S %Z", &tm);
}

static bool is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (strchr(" \t\n\r\"\\,{}", s.p[i]))
			return false;
	}
	return s.n > 0;
}

struct str show_pairs(struct arena *a, const struct json *object)
{
	struct str text;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	for (const struct json *v = object ? object->child : NULL; v; v = v->next) {
		if (b.n)
			buf_putc(&b, ' ');
		buf_str(&b, v->key);
		buf_putc(&b, '=');
		if (v->kind == JSON_STRING && is_word(v->text)) {
			buf_str(&b, v->text);
		} else {
			struct json_w w;

			json_w_init(&w, &b);
			json_write(&w, v);
		}
	}
	text = arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return text;
}

struct str show_alert_name(struct arena *a, const struct json *alert)
{
	const struct json *labels = json_get(alert, "labels");
	struct str name = show_text(labels, "alertname");

	return name.n ? name : show_pairs(a, labels);
}
