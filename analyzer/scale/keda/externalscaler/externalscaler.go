// Package externalscaler is the wire format of KEDA's external scalers: Go made
// of externalscaler.proto. Its names and numbers are KEDA's.
package externalscaler

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative externalscaler.proto
