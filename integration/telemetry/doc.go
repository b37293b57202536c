// Package telemetry has the tests of what a fleet tells Prometheus: that the dashboard's queries and
// the alerts of the folder observability find what package telemetry counts.
package telemetry
