/* import_krpn_action.c: the executors shell, http, telegram and jenkins as scripts.
 *
 * Placeholders become parameters of the runbook: "${LABEL_X}" is "$PARAM_label_x" in the script, one
 * word or part of one, whatever it holds. There, the label's text was put into the command's. Passwords
 * and tokens are not copied: the script reads each from a file of its own, and hands it to curl on
 * standard input, where ps does not show it.
 */
#include "cli/import_krpn.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "rule/runbook.h"

#define PARAM_NAME_MAX 60 /* bytes; a longer one has a number for a name */

/* Not taken for what it means to a shell: no shell has seen it there, either. */
#define SHELL_SIGNS "|&;<>()$`\\\"'*?[]#~%{}!\n"

const struct yaml *krpn_parameter(const struct krpn_action *x, const char *name)
{
	const struct yaml *own = yaml_get(yaml_get(x->y, "parameters"), name);

	return own ? own : yaml_get(x->common, name);
}

bool krpn_duration(struct str s, int64_t *ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"us", 0.001}, {"ns", 0.000001}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	double sum = 0;
	size_t i = 0;

	while (i < s.n) {
		double v = 0, place = 1;
		size_t digits = 0, unit = 0;
		for (; i < s.n && isdigit((unsigned char)s.p[i]); i++, digits++)
			v = v * 10 + (s.p[i] - '0');
		if (i < s.n && s.p[i] == '.')
			for (i++; i < s.n && isdigit((unsigned char)s.p[i]); i++, digits++)
				v += (place /= 10) * (s.p[i] - '0');
		struct str rest = {s.p + i, s.n - i};
		while (unit < 6 && !str_starts(rest, str_of(units[unit].unit)))
			unit++;
		if (digits == 0 || unit == 6)
			return s.n == 1 && s.p[0] == '0' && (*ms = 0, true);
		sum += v * units[unit].ms;
		i += strlen(units[unit].unit);
	}
	*ms = sum < 1e15 ? (int64_t)(sum + 0.999) : (int64_t)1e15;
	return s.n > 0;
}

/* ---- placeholders ---- */

struct placeholder {
	size_t n;	 /* bytes, braces and all */
	bool annotation;
	char modifier;	 /* 0, or U(RLENCODE) C(UT_AFTER_LAST_COLON) J(SON_ESCAPE) */
	struct str name; /* as in the text, in upper case */
};

static bool take(struct str *s, const char *prefix)
{
	struct str p = str_of(prefix);

	if (!str_starts(*s, p))
		return false;
	*s = (struct str){s->p + p.n, s->n - p.n};
	return true;
}

static bool placeholder_at(struct str s, struct placeholder *out)
{
	*out = (struct placeholder){0};
	const char *end = str_starts(s, STR("${")) ? memchr(s.p, '}', s.n) : NULL;
	struct str in = {s.p + 2, end ? (size_t)(end - s.p) - 2 : 0};

	if (!end)
		return false;
	out->n = in.n + 3;
	out->modifier = take(&in, "URLENCODE_")		     ? 'U'
			: take(&in, "CUT_AFTER_LAST_COLON_") ? 'C'
			: take(&in, "JSON_ESCAPE_")	     ? 'J'
							     : 0;
	out->annotation = str_starts(in, STR("ANNOTATION"));
	if (!take(&in, "LABELS_") && !take(&in, "LABEL_") && !take(&in, "ANNOTATIONS_") && !take(&in, "ANNOTATION_"))
		return false;
	for (size_t i = 0; i < in.n; i++)
		if (!isupper((unsigned char)in.p[i]) && !isdigit((unsigned char)in.p[i]) && in.p[i] != '_')
			return false;
	out->name = in;
	return in.n > 0;
}

static struct str lower(struct arena *a, struct str s)
{
	struct str copy = arena_strdup(a, s);
	char *p = (char *)(uintptr_t)copy.p;

	for (size_t i = 0; p && i < copy.n; i++)
		p[i] = (char)tolower((unsigned char)p[i]);
	return copy;
}

/* The parameter that carries it. "" where there are too many. */
static struct str carry(struct krpn_action *x, const struct placeholder *p)
{
	struct arena *a = x->im->a;
	struct str label = lower(a, p->name);
	struct str value = import_template(a, p->annotation ? "annotations" : "labels", label, false, "");
	struct str name = arena_printf(a, "%s_%.*s", p->annotation ? "annotation" : "label", STR_ARG(label));

	for (size_t i = 0; i < x->values.n; i++)
		if (str_eq(x->values.v[i], value))
			return x->book.params.v[i];
	if (x->book.params.n == RUNBOOK_PARAMS_LIMIT)
		return STR_NONE;
	if (name.n > PARAM_NAME_MAX)
		name = arena_printf(a, "long_%zu", x->values.n + 1);
	texts_add(a, &x->book.params, name);
	texts_add(a, &x->values, value);
	texts_add(a, &x->fields,
		p->annotation ? import_field(a, "annotations", label) : import_label(a, label));
	return name;
}

static void put_placeholder(struct krpn_action *x, struct buf *out, const struct placeholder *p, const struct yaml *y)
{
	struct str name = carry(x, p);

	if (name.n == 0) {
		import_note(x->im, &x->book.notes, y, "more than %d placeholders; this one is left out", RUNBOOK_PARAMS_LIMIT);
		x->rule->dry_run = true;
		return;
	}
	x->urlencode = x->urlencode || p->modifier == 'U';
	x->json_escape = x->json_escape || p->modifier == 'J';
	switch (p->modifier) {
	case 'U':
		buf_printf(out, "\"$(urlencode \"$PARAM_%.*s\")\"", STR_ARG(name));
		break;
	case 'J':
		buf_printf(out, "\"$(json_escape \"$PARAM_%.*s\")\"", STR_ARG(name));
		break;
	case 'C':
		buf_printf(out, "\"${PARAM_%.*s%%:*}\"", STR_ARG(name));
		break;
	default:
		buf_printf(out, "\"$PARAM_%.*s\"", STR_ARG(name));
	}
}

/* Text with placeholders as one word of sh. */
static void put_word(struct krpn_action *x, struct buf *out, struct str s, const struct yaml *y)
{
	struct placeholder p;
	size_t from = 0;

	if (s.n == 0)
		import_sh(out, s);
	for (size_t i = 0; i < s.n;) {
		if (!placeholder_at((struct str){s.p + i, s.n - i}, &p)) {
			i++;
			continue;
		}
		if (i > from)
			import_sh(out, (struct str){s.p + from, i - from});
		put_placeholder(x, out, &p, y);
		i += p.n;
		from = i;
	}
	if (from < s.n)
		import_sh(out, (struct str){s.p + from, s.n - from});
}

static void put_parameter(struct krpn_action *x, struct buf *out, const char *name)
{
	const struct yaml *y = krpn_parameter(x, name);

	put_word(x, out, import_text(y), y);
}

/* ---- shell ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool has_signs(struct str s)
{
	struct placeholder p;

	for (size_t i = 0; i < s.n;) {
		if (placeholder_at((struct str){s.p + i, s.n - i}, &p))
			i += p.n;
		else if (s.p[i] && strchr(SHELL_SIGNS, s.p[i]))
			return true;
		else
			i++;
	}
	return false;
}

/* Words at blanks, with a placeholder always inside one. */
static void put_words(struct krpn_action *x, struct buf *out, struct str s, const struct yaml *y)
{
	struct placeholder p;
	size_t i = 0;

	while (i < s.n) {
		size_t from = i;
		while (i < s.n && !is_space(s.p[i]))
			i += placeholder_at((struct str){s.p + i, s.n - i}, &p) ? p.n : 1;
		if (i > from) {
			buf_putc(out, ' ');
			put_word(x, out, (struct str){s.p + from, i - from}, y);
		}
		while (i < s.n && is_space(s.p[i]))
			i++;
	}
}

static bool shell_script(struct krpn_action *x)
{
	const struct yaml *command = krpn_parameter(x, "command"), *args = krpn_parameter(x, "args");
	struct str s = import_text(command);
	struct buf *b = &x->book.body;

	if (s.n == 0 || memchr(s.p, '\0', s.n)) {
		import_note(x->im, &x->rule->notes, x->y, "an action 'shell' without 'command'; it is left out");
		return false;
	}
	if (has_signs(s)) {
		import_note(x->im, &x->book.notes, command,
			"the command holds signs that a shell would act on; there was no shell before and there is none now, each "
			"word is handed over as it is. Where it was meant for a shell, write the script here and put each "
			"$PARAM_… in double quotes. Its rule is in dry_run until then");
		x->rule->dry_run = true;
	}
	if (s.p[0] != '/')
		import_note(x->im, &x->book.notes, command,
			"the command was found from the folder and the PATH of prometheus-alert-webhooker; write its whole path");
	x->book.summary = import_cat(x->im->a, STR("Calls "), import_short(x->im->a, s), STR_NONE);
	buf_puts(b, "exec");
	put_words(x, b, s, command);
	for (const struct yaml *y = args ? args->child : NULL; y; y = y->next) {
		buf_putc(b, ' ');
		put_word(x, b, import_text(y), y);
	}
	buf_puts(b, " </dev/null\n");
	return true;
}

/* ---- what curl does ---- */

/* Reads the secret into $secret_N; returns N. */
static size_t put_secret(struct krpn_action *x, struct buf *out, const struct yaml *y, const char *what)
{
	size_t n = ++x->secrets_n;

	buf_printf(out, "secret_%zu=$(cat '%s/%.*s-%zu') || exit 1\n", n, KRPN_SECRETS, STR_ARG(x->book.name), n);
	import_note(x->im, &x->book.notes, y,
		"'%s' is not copied: write it into %s/%.*s-%zu, which only the user of the runbook may read", what, KRPN_SECRETS,
		STR_ARG(x->book.name), n);
	return n;
}

/* A quoted text of curl's configuration on standard input. */
#define CURL_QUOTE "quoted() { printf '%s' \"$1\" | tr -d '\\r\\n' | sed 's/[\"\\\\]/\\\\&/g'; }\n"

static bool is_secret_name(struct str s)
{
	static const char *const words[] = {"auth", "token", "key", "secret", "cookie", "password"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (size_t k = 0; k + strlen(words[i]) <= s.n; k++)
			if (strncasecmp(s.p + k, words[i], strlen(words[i])) == 0)
				return true;
	return false;
}

static bool has_placeholder(struct str s)
{
	struct placeholder p;

	for (size_t i = 0; i < s.n; i++)
		if (placeholder_at((struct str){s.p + i, s.n - i}, &p))
			return true;
	return false;
}

/* -H 'Name: value' for each; those that look like secrets go into `in`, curl's standard input. */
static bool put_headers(struct krpn_action *x, const struct yaml *map, const struct yaml *over, struct buf *args,
	struct buf *first, struct buf *in)
{
	bool type = false;

	for (const struct yaml *y = map ? map->child : NULL; y; y = y->next) {
		struct str name = y->key;
		if (!take(&name, "header ") || (over && yaml_get(over, y->key.p)))
			continue;
		name = str_trim(name, " \t\n\r");
		type = type || (name.n == 12 && strncasecmp(name.p, "Content-Type", 12) == 0);
		if (is_secret_name(name) && !has_placeholder(import_text(y))) {
			size_t n = put_secret(x, first, y, "header");
			buf_puts(in, "printf 'header = \"%s: %s\"\\n' \"$(quoted ");
			import_sh(in, name);
			buf_printf(in, ")\" \"$(quoted \"$secret_%zu\")\"; ", n);
			continue;
		}
		buf_puts(args, " -H ");
		import_sh(args, import_cat(x->im->a, name, STR(": "), STR_NONE));
		put_word(x, args, import_text(y), y);
	}
	return type;
}

static void put_curl(struct krpn_action *x, struct buf *first, struct buf *in, struct buf *args, const char *status)
{
	struct buf *b = &x->book.body;

	buf_str(b, buf_as_str(first));
	if (in->n)
		buf_puts(b, CURL_QUOTE);
	buf_puts(b, "status=$(");
	if (in->n) {
		buf_puts(b, "{ ");
		buf_str(b, buf_as_str(in));
		buf_puts(b, "} | ");
	}
	buf_printf(b, "curl -sS -g -L --proto '=http,https' -o /dev/null -w '%%{http_code}'%s", in->n ? " -K -" : "");
	buf_str(b, buf_as_str(args));
	buf_puts(b, in->n ? ") || exit 1\n" : " </dev/null) || exit 1\n");
	buf_printf(b, "case $status in\n%s) ;;\n*)\n\techo \"the server answered with $status\" >&2\n\texit 1\n\t;;\nesac\n", status);
	buf_release(first);
	buf_release(in);
	buf_release(args);
}

static void put_timeout(struct krpn_action *x, struct buf *args)
{
	const struct yaml *y = krpn_parameter(x, "timeout");
	int64_t ms = 1000;

	if (y && !krpn_duration(import_text(y), &ms))
		import_note(x->im, &x->book.notes, y, "'timeout' is no duration; it is 1s, as it was");
	buf_printf(args, " --max-time %lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
}

static const char *wanted_status(struct krpn_action *x)
{
	const struct yaml *y = krpn_parameter(x, "success_http_status");
	int64_t status = 200;

	if (y && (!yaml_i64(y, &status) || status < 100 || status > 999)) {
		import_note(x->im, &x->book.notes, y, "'success_http_status' is no status; it is 200, as it was");
		status = 200;
	}
	return arena_printf(x->im->a, "%lld", (long long)status).p;
}

static bool http_script(struct krpn_action *x)
{
	const struct yaml *own = yaml_get(x->y, "parameters");
	struct buf first, in, args;
	bool type;

	if (import_text(krpn_parameter(x, "url")).n == 0) {
		import_note(x->im, &x->rule->notes, x->y, "an action 'http' without 'url'; it is left out");
		return false;
	}
	buf_init(&first, BUF_NO_LIMIT);
	buf_init(&in, BUF_NO_LIMIT);
	buf_init(&args, BUF_NO_LIMIT);
	put_timeout(x, &args);
	buf_puts(&args, " --request ");
	if (krpn_parameter(x, "method"))
		put_parameter(x, &args, "method");
	else
		buf_puts(&args, "GET");
	type = put_headers(x, own, NULL, &args, &first, &in);
	type = put_headers(x, x->common, own, &args, &first, &in) || type;
	if (import_text(krpn_parameter(x, "body")).n) {
		buf_puts(&args, type ? " --data-raw " : " -H 'Content-Type:' --data-raw ");
		put_parameter(x, &args, "body");
	}
	buf_puts(&args, " --url ");
	put_parameter(x, &args, "url");
	x->book.summary = STR("Makes an HTTP request");
	put_curl(x, &first, &in, &args, wanted_status(x));
	return true;
}

static bool telegram_script(struct krpn_action *x)
{
	struct buf first, in, args;

	buf_init(&first, BUF_NO_LIMIT);
	buf_init(&in, BUF_NO_LIMIT);
	buf_init(&args, BUF_NO_LIMIT);
	size_t n = put_secret(x, &first, krpn_parameter(x, "bot_token"), "bot_token");
	buf_printf(&in, "printf 'url = \"https://api.telegram.org/bot%%s/sendMessage\"\\n' \"$(quoted \"$secret_%zu\")\"; ", n);
	buf_puts(&args, " --max-time 30 --data-urlencode chat_id=");
	put_parameter(x, &args, "chat_id");
	buf_puts(&args, " --data-urlencode text=");
	put_parameter(x, &args, "message");
	x->book.summary = STR("Sends a message by Telegram");
	put_curl(x, &first, &in, &args, "200");
	return true;
}

static void put_job_parameters(struct krpn_action *x, struct buf *args, bool *any)
{
	const struct yaml *maps[] = {yaml_get(x->y, "parameters"), x->common};

	for (size_t i = 0; i < 2; i++)
		for (const struct yaml *y = maps[i] ? maps[i]->child : NULL; y; y = y->next) {
			struct str name = y->key;
			if (!take(&name, "job parameter ") || (i == 1 && yaml_get(maps[0], y->key.p)))
				continue;
			buf_puts(args, " --data-urlencode ");
			import_sh(args, import_cat(x->im->a, str_trim(name, " \t\n\r"), STR("="), STR_NONE));
			put_word(x, args, import_text(y), y);
			*any = true;
		}
}

static bool jenkins_script(struct krpn_action *x)
{
	struct str endpoint = import_text(krpn_parameter(x, "endpoint"));
	struct buf first, in, args;
	bool any = false;

	buf_init(&first, BUF_NO_LIMIT);
	buf_init(&in, BUF_NO_LIMIT);
	buf_init(&args, BUF_NO_LIMIT);
	while (endpoint.n && endpoint.p[endpoint.n - 1] == '/')
		endpoint.n--;
	size_t n = put_secret(x, &first, krpn_parameter(x, "password"), "password");
	buf_puts(&in, "printf 'user = \"%s:%s\"\\n' \"$(quoted ");
	put_parameter(x, &in, "login");
	buf_printf(&in, ")\" \"$(quoted \"$secret_%zu\")\"; ", n);
	buf_puts(&args, " --max-time 30 --request POST");
	put_job_parameters(x, &args, &any);
	buf_puts(&args, " --url ");
	put_word(x, &args, endpoint, x->y);
	buf_puts(&args, "/job/");
	put_parameter(x, &args, "job");
	buf_puts(&args, any ? "/buildWithParameters" : "/build");
	import_note(x->im, &x->book.notes, x->y,
		"the job is started and not waited for: the step has succeeded when Jenkins has taken it. To go on only when the "
		"build is good, let the job do what follows, or ask Jenkins in this script");
	x->book.summary = STR("Starts a job of Jenkins");
	put_curl(x, &first, &in, &args, "2*");
	return true;
}

/* ---- any ---- */

#define URLENCODE_FUNCTION                                                                         \
	"urlencode() {\n"                                                                          \
	"\tprintf %s \"$1\" | od -An -v -tu1 | tr -s ' ' '\\n' | while read -r b; do\n"            \
	"\t\tcase $b in\n"                                                                         \
	"\t\t'') ;;\n"                                                                             \
	"\t\t32) printf + ;;\n"                                                                    \
	"\t\t45|46|95|126|4[89]|5[0-7]|6[5-9]|[78][0-9]|90|9[789]|1[01][0-9]|12[0-2])\n"           \
	"\t\t\tprintf \"\\\\$(printf %03o \"$b\")\" ;;\n"                                          \
	"\t\t*) printf '%%%02X' \"$b\" ;;\n"                                                       \
	"\t\tesac\n"                                                                               \
	"\tdone\n"                                                                                 \
	"}\n"
#define JSON_ESCAPE_FUNCTION "json_escape() { printf %s \"$1\" | sed 's/[\"\\\\]/\\\\&/g'; }\n"

static void put_functions(struct krpn_action *x)
{
	struct buf b;

	if (!x->urlencode && !x->json_escape)
		return;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, x->urlencode ? URLENCODE_FUNCTION : "");
	buf_puts(&b, x->json_escape ? JSON_ESCAPE_FUNCTION : "");
	buf_str(&b, buf_as_str(&x->book.body));
	buf_release(&x->book.body);
	x->book.body = b;
}

bool krpn_script(struct krpn_action *x)
{
	static const struct {
		const char *name;
		bool (*write)(struct krpn_action *x);
	} executors[] = {{"shell", shell_script}, {"http", http_script}, {"telegram", telegram_script},
		{"jenkins", jenkins_script}};
	const struct yaml *y = yaml_get(x->y, "executor");
	struct str name;

	if (!y)
		y = yaml_get(x->y, "type"); /* as older versions had it */
	name = lower(x->im->a, import_text(y));
	for (size_t i = 0; i < sizeof(executors) / sizeof(executors[0]); i++)
		if (str_is(name, executors[i].name)) {
			bool written = executors[i].write(x);
			put_functions(x);
			return written;
		}
	import_note(x->im, &x->rule->notes, y ? y : x->y, "there is no executor '%.*s'; the action is left out", STR_ARG(name));
	return false;
}
