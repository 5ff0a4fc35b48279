//go:build tools

// Package tools pins the linter of the policies; it needs an older OPA than the engine, hence a module of its own.
package tools

import _ "github.com/open-policy-agent/regal"
