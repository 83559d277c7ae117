//go:build !linux

package main

import "errors"

func limitCPU(int, int) (func(), error) {
	return nil, errors.New("a server's share of a core is limited by control groups, which only Linux has")
}
