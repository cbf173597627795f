/* handlers.h: who answers what; the rows of routes.c point here. Not for others. */
#ifndef RB_HTTP_HANDLERS_H
#define RB_HTTP_HANDLERS_H

#include "conf/conf.h"
#include "http/request.h"
#include "source/source.h"

/* ingest.c */
extern const struct route_handler handler_ingest, handler_emit;
/* intake.c. The name of the source that the path stands for; "" for none. It may be none of ours. */
struct str ingest_source(const struct request *r);
/* The log hears of what was refused, of one in ten seconds at most. */
void ingest_complain(struct request *r, const struct err *e);
/* What a source may see of a request. */
struct source_request ingest_request(struct request *r);
/* elastic.c */
extern const struct route_handler handler_elastic_bulk, handler_elastic_root, handler_elastic_api;
/* splunk.c */
extern const struct route_handler handler_splunk_event, handler_splunk_raw, handler_splunk_ack, handler_splunk_health;
/* otlp.c */
extern const struct route_handler handler_otlp_logs, handler_otlp_traces;
/* loki.c */
extern const struct route_handler handler_loki_push, handler_journal_upload;
/* handshake.c */
extern const struct route_handler handler_handshake;
/* explain.c */
extern const struct route_handler handler_explain;
/* lists.c */
extern const struct route_handler handler_incidents, handler_related, handler_alerts, handler_events, handler_runs,
	handler_audit, handler_timeline, handler_incident_alerts, handler_incident_runs;
extern const struct route_handler handler_incident, handler_event, handler_run;
/* The parameter `limit` of a list. ERR_INPUT. */
int list_limit(struct request *r, int64_t *limit, struct err *e);
/* A parameter that is a time, or how long ago one was: *ms stays as it is where it is not given. ERR_INPUT. */
int list_time(struct request *r, const char *name, int64_t *ms, struct err *e);
/* alertmanager.c: what an Alertmanager's clients read */
extern const struct route_handler handler_am_alerts, handler_am_groups, handler_am_receivers,
	handler_am_silences, handler_am_status;
/* runs.c */
extern const struct route_handler handler_run_new, handler_artifact;
/* acts.c */
extern const struct route_handler handler_ack, handler_close, handler_note, handler_merge,
	handler_split;
/* pauses.c */
extern const struct route_handler handler_pause, handler_resume, handler_pauses;
/* stream.c */
extern const struct route_handler handler_stream;
/* insights.c */
extern const struct route_handler handler_insights;
/* output.c */
extern const struct route_handler handler_output;
/* loaded.c */
extern const struct route_handler handler_rules, handler_runbooks;
/* admin.c */
extern const struct route_handler handler_metrics, handler_healthy, handler_ready, handler_reload;

#endif
