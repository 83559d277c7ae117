package router_test

import (
	"context"
	"net"
	"path/filepath"

	dto "github.com/prometheus/client_model/go"
)

type dtoFamily = dto.MetricFamily

// unixDial connects to the admin socket whatever address is asked for.
func unixDial(dir string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "admin.sock"))
	}
}
