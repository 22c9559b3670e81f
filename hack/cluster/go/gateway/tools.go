//go:build tools

// Package gateway pins Envoy Gateway and the Helm version that Envoy Gateway itself is built with:
// both come out of one build, so that their large common dependencies are compiled once.
package gateway

import (
	_ "github.com/envoyproxy/gateway/cmd/envoy-gateway"
	_ "helm.sh/helm/v3/cmd/helm"
)
