/* source_table.c: the kinds of senders. A new one is its file and its line here.
 *
 * Owns nothing but the table, which docs and --check read as well. Does not say who may send: that
 * is the configuration's matter.
 */
#include "source/kinds.h"

const struct source_kind source_kinds[] = {
	{"alertmanager", "Prometheus Alertmanager's webhook, version 4 and 3.", true, NULL,
		alertmanager_read, false},
	{"prometheus",
		"Prometheus, vmalert or a ruler, as to an Alertmanager; also at /api/v2/alerts.",
		true, NULL, prometheus_read, false},
	{"grafana", "Grafana's webhook contact points, and those before Grafana 9.", true, NULL,
		grafana_read, false},
	{"pagerduty", "PagerDuty's webhooks, version 3.", false, NULL, pagerduty_read, false},
	{"argocd", "Argo CD's notifications, by the template in contrib/argocd.", false, NULL,
		argocd_read, false},
	{"datadog", "Datadog's Webhooks integration, by the template in contrib/datadog.", false,
		datadog_form, datadog_read, false},
	{"sns", "Amazon SNS's HTTP subscriptions, and CloudWatch alarms in them.", false, sns_form,
		sns_read, false},
	{"github", "GitHub's webhooks, as JSON or as a form.", false, github_form, github_read,
		false},
	{"gitlab", "GitLab's webhooks of projects and groups.", false, NULL, gitlab_read, false},
	{"jira", "Jira's webhooks, Cloud and Server.", false, NULL, jira_read, false},
	{"cloudevents", "CloudEvents 1.0: structured, batched or binary.", false, cloudevents_form,
		cloudevents_read, false},
	{"generic", "Any JSON, or a form, by a map of the configuration.", false, generic_form,
		generic_read, false},
	{"logs", "Lines of logs, as log shippers send them: held against the log patterns.", false,
		NULL, logs_read, true},
	{NULL, NULL, false, NULL, NULL, false},
};

const struct source_kind *source_kind_find(struct str name)
{
	for (const struct source_kind *k = source_kinds; k->name; k++)
		if (str_is(name, k->name))
			return k;
	return NULL;
}
