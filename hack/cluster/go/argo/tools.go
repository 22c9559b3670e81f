//go:build tools

// Package argo pins Argo Rollouts, the controller that benchmarks compare with.
package argo

import _ "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"
