package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/inquiry"
)

// Neither worker answers before the other has been asked.
func TestPlacesAreLookedAtForDriftAtTheSameTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, anywhere := r.person("ann", auth.Developer), r.worker("anywhere")
	two := strings.Replace(onKubernetes, "  - name: production", "  - {name: staging, platform: kubernetes, stages: [canary, promote]}\n  - name: production", 1)
	ship(t, ann, client.NewRelease{Definition: two, Version: "v1", Artifact: "ghcr.io/acme/shop", Digest: digest1})
	for range 4 {
		work(t, anywhere, passed)
	}
	places := []string{"staging", "production"}
	asked := make([]chan struct{}, len(places))
	for i := range asked {
		asked[i] = make(chan struct{})
	}
	for i, place := range places {
		worker := r.worker("of-"+place, place)
		go func() {
			taken, err := worker.Take(t.Context(), inquiry.Wish{Worker: place, Wait: 20 * time.Second})
			if err != nil || len(taken) != 1 {
				t.Errorf("in %s %d inquiries were taken: %v", place, len(taken), err)
				return
			}
			close(asked[i])
			select {
			case <-asked[1-i]:
			case <-t.Context().Done():
				return
			}
			if err := worker.Answer(t.Context(), inquiry.Answer{Inquiry: taken[0].ID, Environment: place, Worker: place}); err != nil {
				t.Error(err)
			}
		}()
	}
	if err := r.control.LookForDrift(t.Context()); err != nil {
		t.Error(err)
	}
	for i, place := range places {
		select {
		case <-asked[i]:
		default:
			t.Errorf("nobody was asked about %s", place)
		}
	}
}
