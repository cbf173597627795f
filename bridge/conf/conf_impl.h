/* conf_impl.h: what the files that read and write runbookd.yml share. Not for others.
 *
 * Each take_ function reads one value: false where it is none of that kind, with a finding that names `path` and the place.
 * Texts go into the conf's arena.
 */
#ifndef RB_CONF_CONF_IMPL_H
#define RB_CONF_CONF_IMPL_H

#include "base/buf.h"
#include "base/yaml.h"
#include "conf/conf.h"
#include "conf/conf_table.h"

struct loader {
	struct conf *conf;
	struct diags *diags;
	const char *name;
	size_t errors_before;
	bool lost; /* where rules and runbooks are is not known */
	bool tokens_lost; /* there are tokens, but they have errors */
};

/* A finding at y's place. */
#define complain(l, y, ...) \
	diag_add((l)->diags, DIAG_ERROR, (l)->name, (y)->line, (y)->column, __VA_ARGS__)

/* As much of a value as fits into a message. */
static inline struct str shown(struct str s)
{
	return s.n <= 80 ? s : (struct str){s.p, 80};
}

/* "a list" */
const char *kind_of(const struct yaml *y);
bool take_text(struct loader *l, const char *path, const struct yaml *y, struct str *text);
/* type: CONF_INT, CONF_DURATION or CONF_SIZE. */
bool take_number(struct loader *l, const char *path, enum conf_type type, int64_t min, int64_t max,
	const struct yaml *y, int64_t *v);
/* A list of texts, or one text for a list of one. Elements that are no texts are findings. */
bool take_list(struct loader *l, const char *path, const struct yaml *y, struct conf_list *list);
/* A map of texts, of at most CONF_PAIRS_MAX. */
bool take_pairs(struct loader *l, const char *path, const struct yaml *y, struct conf_pairs *pairs);
/* {count: 100, per: 1m}, or none. What it leaves out stays as it is in *rate. like: an example, for the finding; the bounds
 * are count's. */
bool take_rate(struct loader *l, const char *path, const char *like, int64_t min, int64_t max, const struct yaml *y,
	struct conf_rate *rate);
/* "unknown key 'section.x'", with the nearest of names. */
void unknown_key(struct loader *l, const char *section, const struct yaml *y, const char *const *names, size_t n);

/* `map` of one entry of `sources`. */
void conf_set_map(struct loader *l, const char *path, const struct yaml *y, struct conf_map *map);
void conf_put_map(struct buf *out, const struct conf_map *map);
/* `auth` of one entry of `sources`. */
void conf_set_auth(struct loader *l, const char *path, const struct yaml *y, struct conf_auth *auth);
void conf_put_auth(struct buf *out, const struct conf_auth *auth);
/* One entry of `sources`, whose key is its name. */
void conf_set_source(struct loader *l, const struct yaml *y, struct conf_source *source);
/* As a YAML flow map. */
void conf_put_source(struct buf *out, const struct conf_source *source);

/* All of `maintenance` and of `inhibit`. */
void conf_set_windows(struct loader *l, const struct yaml *y);
void conf_set_inhibits(struct loader *l, const struct yaml *y);
/* One of them, as a YAML flow map. */
void conf_put_window(struct buf *out, const struct conf_window *window);
void conf_put_inhibit(struct buf *out, const struct conf_inhibit *inhibit);

/* All of `tokens`. */
void conf_set_tokens(struct loader *l, const struct yaml *y);
/* One of them, as a YAML flow map. */
void conf_put_token(struct buf *out, const struct conf_token *token);

/* For --dump-config: a text, quoted where YAML needs it; a list of them; a map of them; a rate. */
void put_text(struct buf *out, struct str s);
void put_list(struct buf *out, const struct conf_list *list);
void put_pairs(struct buf *out, const struct conf_pairs *pairs);
void put_rate(struct buf *out, const struct conf_rate *rate);

#endif
