package host_test

import (
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/platform/host"
)

func hostConfig() host.Config { return host.Config{} }

// path is a file in the folder of the shop's target.
func (r *rig) path(name string) string {
	return filepath.Join(r.dir, "host", "targets", "shop@production@", name)
}

func answersOn(port int) bool {
	response, err := once.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
