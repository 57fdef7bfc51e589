//go:build e2e

package main

import "errors"

func (b *bench) record(string) error { return errors.New("not yet") }
