package drift_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/fairwayhq/fairway/internal/drift"
)

// desiredObjects are what a team has written.
func desiredObjects(t testing.TB) []drift.Object { return decode(t, desiredText(t)) }

func desiredText(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/desired.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// liveObjects are what a real API server has made of them.
func liveObjects(t testing.TB) []drift.Object {
	t.Helper()
	raw, err := os.ReadFile("testdata/live.json")
	if err != nil {
		t.Fatal(err)
	}
	var objects []drift.Object
	if err := json.Unmarshal(raw, &objects); err != nil {
		t.Fatal(err)
	}
	return objects
}

func decode(t testing.TB, text string) []drift.Object {
	t.Helper()
	var objects []drift.Object
	for _, document := range strings.Split(text, "\n---\n") {
		var o drift.Object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	return objects
}
