/* metrics_table.h: every metric, once. METRIC(id, name, type, "label,label", "help").
 * Included several times on purpose: no guard. */
#ifndef METRIC
#define METRIC(id, name, type, labels, help)
#endif
METRIC(EVENTS, "runbookd_events_total", METRIC_COUNTER, "source,status", "Events taken in, duplicates included.")
METRIC(EVENTS_DUPLICATE, "runbookd_events_duplicate_total", METRIC_COUNTER, "source", "Events that were known already.")
METRIC(INGEST_REJECTED, "runbookd_ingest_rejected_total", METRIC_COUNTER, "source,reason", "Requests to /ingest that were refused.")
METRIC(INGEST_SECONDS, "runbookd_ingest_seconds", METRIC_HISTOGRAM, "", "Time from an ingest request's last byte to its answer.")
METRIC(ALERTS_TRUNCATED, "runbookd_alerts_truncated_total", METRIC_COUNTER, "source", "Alerts that the sender says it left out (truncatedAlerts).")
METRIC(DECISIONS, "runbookd_decisions_total", METRIC_COUNTER, "rule,decision", "Decisions of rules about events.")
METRIC(RUNS, "runbookd_runs_total", METRIC_COUNTER, "runbook,rule,outcome", "Runs that ended.")
METRIC(RUN_SECONDS, "runbookd_run_seconds", METRIC_HISTOGRAM, "runbook", "Time from a run's start to its end.")
METRIC(EVENT_TO_START_SECONDS, "runbookd_event_to_start_seconds", METRIC_HISTOGRAM, "rule", "Time from an event's arrival to the start of the first run it caused.")
METRIC(QUEUE_DEPTH, "runbookd_queue_depth", METRIC_GAUGE, "pool", "Runs that wait for a worker.")
METRIC(OLDEST_QUEUED_SECONDS, "runbookd_oldest_queued_seconds", METRIC_GAUGE, "pool", "Age of the run that has waited longest.")
METRIC(RUNS_RUNNING, "runbookd_runs_running", METRIC_GAUGE, "pool", "Runs that a worker executes now.")
METRIC(INCIDENTS_OPEN, "runbookd_incidents_open", METRIC_GAUGE, "", "Incidents that are open.")
METRIC(REDIS_UP, "runbookd_redis_up", METRIC_GAUGE, "", "1 while Redis answers.")
METRIC(REDIS_SECONDS, "runbookd_redis_seconds", METRIC_HISTOGRAM, "", "Time from writing a call to Redis to its answer.")
METRIC(HTTP_CONNECTIONS, "runbookd_http_connections", METRIC_GAUGE, "", "Connections that are open.")
METRIC(CONFIG_RELOAD_SUCCESS, "runbookd_config_reload_success", METRIC_GAUGE, "", "1 where the last reload was taken.")
METRIC(CONFIG_LAST_RELOAD, "runbookd_config_last_reload_timestamp_seconds", METRIC_GAUGE, "", "Time of the last reload that was taken.")
METRIC(BUILD_INFO, "runbookd_build_info", METRIC_GAUGE, "version", "1, with the version as a label.")
