/* kinds.h: the readers that source_table.c lists, one a file. As struct source_kind's read. */
#ifndef RB_SOURCE_KINDS_H
#define RB_SOURCE_KINDS_H

#include "source/source.h"

int alertmanager_read(struct arena *a, const struct source_request *rq,
	const struct source_body *body, struct source_batch *out, struct err *e);
enum source_form cloudevents_form(const struct source_request *rq);
int cloudevents_read(struct arena *a, const struct source_request *rq,
	const struct source_body *body, struct source_batch *out, struct err *e);

enum source_form generic_form(const struct source_request *rq);
int generic_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

#define PROMETHEUS_RESOLVE_MS                                                                      \
	INT64_C(300000) /* an alert without endsAt is over so long after it was last reported */
int prometheus_read(struct arena *a, const struct source_request *rq,
	const struct source_body *body, struct source_batch *out, struct err *e);

int logs_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

int pagerduty_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

int argocd_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

int grafana_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

enum source_form datadog_form(const struct source_request *rq);
int datadog_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

enum source_form sns_form(const struct source_request *rq);
int sns_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

enum source_form github_form(const struct source_request *rq);
int github_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

int gitlab_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

int jira_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e);

#endif
