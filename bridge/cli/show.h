/* show.h: values of the API in the words of a page: times, ages, durations, and JSON or YAML as such. */
#ifndef RB_CLI_SHOW_H
#define RB_CLI_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"

#define SHOW_TIME_MAX 64

/* Member as text: a string, a number, true or false; "" where it is null, absent or more than a scalar. */
struct str show_text(const struct json *j, const char *key);
int64_t show_i64(const struct json *j, const char *key);
bool show_bool(const struct json *j, const char *key);
/* Member as ms since 1970, from RFC 3339; 0 where it is none. */
int64_t show_time(const struct json *j, const char *key);

/* "45s" "12m" "3h12m" "2d4h" between two times in ms; "0s" where the first is later; "" where it is 0. */
void show_age(int64_t then, int64_t now, char out[SHOW_TIME_MAX]);
/* "0.8s" "12.3s" "2m05s" "1h02m". */
void show_duration(int64_t ms, char out[SHOW_TIME_MAX]);
/* Local: "19:19:32" where it is the day of now, else "2026-11-22 19:19:32"; "" for 0. */
void show_local(int64_t ms, int64_t now, char out[SHOW_TIME_MAX]);
/* Local and whole: "Sun 2026-11-22 20:19:32 CET". */
void show_local_full(int64_t ms, char out[SHOW_TIME_MAX]);
/* {"a":"x","b":"y"} as "a=x b=y"; values with spaces or quotes are quoted. In a. */
struct str show_pairs(struct arena *a, const struct json *object);

/* The label alertname, else all labels as pairs. In a. */
struct str show_alert_name(struct arena *a, const struct json *alert);

/* JSON with two spaces a level; characters that a terminal would act on are escaped as JSON does it. */
void show_json(struct buf *out, const struct json *j);
/* The same value as YAML, block style, strings quoted where a YAML reader could take them for something else. */
void show_yaml(struct buf *out, const struct json *j);

#endif
