/* flow/load.h: everything that a configuration names, read and checked as one thing.
 *
 * What starting, --check, reload and runbookctl check all do: runbookd.yml, the rules files, the runbooks (owner
 * and mode of each, too), built into a ruleset. All or nothing, all findings at once.
 */
#ifndef RB_FLOW_LOAD_H
#define RB_FLOW_LOAD_H

#include "auth/auth.h"
#include "auth/certs.h"
#include "base/diag.h"
#include "base/pace.h"
#include "conf/conf.h"
#include "flow/sources.h"
#include "rule/ruleset.h"

struct loaded {
	struct conf *conf;
	struct ruleset *rules;
	struct sources *sources;
	struct auth *auth;   /* NULL where rules are only tried out */
	struct certs *certs; /* of http.tls; NULL: there is none */
	struct certs *syslog_certs; /* of syslog.tls; the same */
};

/* NULL where d got an error. A glob or folder without a file is no error but a warning where it was written out in the file.
 * Runbooks that another user may change are errors (file_check_safe). */
struct loaded *load_all(const char *conf_path, struct diags *d);
/* The same for a thread that others share a processor with (base/pace.h). pace NULL: load_all. */
struct loaded *load_paced(const char *conf_path, const struct pace *pace, struct diags *d);
/* The same, and looks closer at rules that are good (ruleset_check): for --check and runbookctl check. */
struct loaded *load_checked(const char *conf_path, struct diags *d);
/* The same without a runbookd.yml, for rules that are only tried out: the rules in this folder and its rules/, the
 * runbooks in its runbooks/ and in the one beside it; all else as by default. Who may change a runbook does not matter,
 * for none is executed. A runbookd.yml that stands in the folder is taken instead. */
struct loaded *load_beside(const char *folder, struct diags *d);
/* The same with the configuration conf_path (NULL: as load_beside, of the folder `rules`), but the rules in the folder
 * `rules` and its rules/, and the runbooks in `runbooks`, where these are not NULL. They are absolute paths. */
struct loaded *load_tried(const char *conf_path, const char *rules, const char *runbooks, struct diags *d);
void loaded_free(struct loaded *l);

/* The configuration alone: path NULL is the default one, which may be missing: a warning, and the defaults. NULL: d says why. */
struct conf *load_conf(const char *path, struct diags *d);

/* The runbooks' paths in the configured folders, sorted, executable or not where they have a front matter. In a. */
size_t load_list_runbooks(struct arena *a, const struct conf *c, struct str **out, struct diags *d);

/* One runbook file by name in the configured folders: its path, or "" ; for the worker, which reads and checks it itself. */
struct str load_find_runbook(struct arena *a, const struct conf *c, struct str name);

/* Files and folders to watch for changes: the configuration, certificates, secrets, the folders of rules and runbooks. In a. */
size_t load_watch_paths(struct arena *a, const struct conf *c, struct str **out);

#endif
