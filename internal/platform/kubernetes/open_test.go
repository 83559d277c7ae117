package kubernetes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
)

func TestAWorkerWithoutAClusterSaysSo(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	other := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(other, []byte("{apiVersion: v1, kind: Config, current-context: east, contexts: [{name: east, context: {cluster: east, user: east}}], clusters: [{name: east, cluster: {server: 'https://127.0.0.1:1'}}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for settings, c := range map[string]struct{ config, says string }{
		`{"namespace": "shop", "deployment": "shop", "service": "shop"}`: {
			filepath.Join(t.TempDir(), "missing"), "it has no kubeconfig, and runs in no cluster",
		},
		`{"namespace": "shop", "deployment": "shop", "service": "shop", "context": "west"}`: {other, `context "west" does not exist`},
	} {
		t.Setenv("KUBECONFIG", c.config)
		clusters := kubernetes.New(kubernetes.Config{})
		_, err := clusters.Open([]byte(settings))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
			t.Errorf("with %s it is %v", settings, err)
		}
		clusters.Close()
	}
}
