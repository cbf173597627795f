/* routes.c: every path of the API, once. docs/http-api.md lists the same rows, and a test compares
 * them. */
#include "http/handlers.h"
#include "http/state.h"

const struct route server_routes[] = {
	{ROUTE_POST, "/ingest/{name}", ROUTE_INGEST, &handler_ingest},
	{ROUTE_PUT, "/ingest/{name}", ROUTE_INGEST, &handler_ingest},
	{ROUTE_OPTIONS, "/ingest/{name}", ROUTE_INGEST, &handler_handshake},
	{ROUTE_POST, "/api/v2/alerts", ROUTE_INGEST, &handler_ingest_alertmanager},
	{ROUTE_POST, "/ingest/{name}/api/v2/alerts", ROUTE_INGEST, &handler_ingest_alertmanager},
	{ROUTE_GET, "/api/v2/alerts", ROUTE_READ, &handler_am_alerts},
	{ROUTE_GET, "/api/v2/alerts/groups", ROUTE_READ, &handler_am_groups},
	{ROUTE_GET, "/api/v2/receivers", ROUTE_READ, &handler_am_receivers},
	{ROUTE_GET, "/api/v2/silences", ROUTE_READ, &handler_am_silences},
	{ROUTE_GET, "/api/v2/status", ROUTE_READ, &handler_am_status},
	{ROUTE_GET, "/api/v1/incidents", ROUTE_READ, &handler_incidents},
	{ROUTE_GET, "/api/v1/incidents/{id}", ROUTE_READ, &handler_incident},
	{ROUTE_GET, "/api/v1/incidents/{id}/timeline", ROUTE_READ, &handler_timeline},
	{ROUTE_GET, "/api/v1/incidents/{id}/alerts", ROUTE_READ, &handler_incident_alerts},
	{ROUTE_GET, "/api/v1/incidents/{id}/runs", ROUTE_READ, &handler_incident_runs},
	{ROUTE_GET, "/api/v1/alerts", ROUTE_READ, &handler_alerts},
	{ROUTE_GET, "/api/v1/events", ROUTE_READ, &handler_events},
	{ROUTE_GET, "/api/v1/events/{id}", ROUTE_READ, &handler_event},
	{ROUTE_GET, "/api/v1/runs", ROUTE_READ, &handler_runs},
	{ROUTE_POST, "/api/v1/runs", ROUTE_OPERATE, &handler_run_new},
	{ROUTE_GET, "/api/v1/runs/{id}", ROUTE_READ, &handler_run},
	{ROUTE_GET, "/api/v1/runs/{id}/output", ROUTE_READ, &handler_output},
	{ROUTE_GET, "/api/v1/runs/{id}/artifacts/{name}", ROUTE_READ, &handler_artifact},
	{ROUTE_POST, "/api/v1/explain", ROUTE_READ, &handler_explain},
	{ROUTE_GET, "/api/v1/rules", ROUTE_READ, &handler_rules},
	{ROUTE_GET, "/api/v1/runbooks", ROUTE_READ, &handler_runbooks},
	{ROUTE_GET, "/api/v1/audit", ROUTE_READ, &handler_audit},
	{ROUTE_GET, "/metrics", ROUTE_READ, &handler_metrics},
	{ROUTE_GET, "/-/healthy", ROUTE_PUBLIC, &handler_healthy},
	{ROUTE_GET, "/-/ready", ROUTE_PUBLIC, &handler_ready},
	{ROUTE_POST, "/-/reload", ROUTE_ADMIN, &handler_reload},
	{ROUTE_GET, NULL, ROUTE_PUBLIC, NULL},
};
