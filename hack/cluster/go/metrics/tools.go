//go:build tools

// Package metrics pins metrics-server, which tells autoscalers what pods use.
package metrics

import _ "sigs.k8s.io/metrics-server/cmd/metrics-server"
