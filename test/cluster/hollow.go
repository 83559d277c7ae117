package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/fairwayhq/fairway/internal/process"
)

// hollowNode is the name of the node that is none.
const hollowNode = "hollow"

// Lines of a pod's spec that bring it to the hollow node, where no other pod comes.
const (
	HollowSelector   = `nodeSelector: {fairway.test/hollow: "true"}`
	HollowToleration = `tolerations: [{key: fairway.test/hollow, operator: Exists}]`
)

// StartHollowNode adds a node that has room for thousands of pods and runs none: a pod
// that comes to it is ready at once, and gone as soon as it is deleted. It is for tests
// of how much Fairway bears to look at. It ends with the cluster.
func (c *Cluster) StartHollowNode(ctx context.Context) error {
	err := c.API.Apply(ctx, `
apiVersion: v1
kind: Node
metadata:
  name: `+hollowNode+`
  labels: {fairway.test/hollow: "true"}
spec:
  taints: [{key: fairway.test/hollow, effect: NoSchedule}]
`)
	if err != nil {
		return err
	}
	if err := c.pretendNode(ctx); err != nil {
		return err
	}
	c.work.Go(func() { c.pretend(c.ending) })
	return nil
}

// pretend does the kubelet's part for pods, and says in time that the node is alive.
func (c *Cluster) pretend(ctx context.Context) {
	const pause, heartbeat = 200 * time.Millisecond, 10 * time.Second
	alive, address := time.Now(), 0
	for process.Wait(ctx, pause) == nil {
		if time.Since(alive) > heartbeat {
			// While the API server is away, the next time is soon enough.
			if c.pretendNode(ctx) == nil {
				alive = time.Now()
			}
		}
		var pods struct{ Items []hollowPod }
		if c.API.Get(ctx, "/api/v1/pods?resourceVersion=0&fieldSelector=spec.nodeName%3D"+hollowNode, &pods) != nil {
			continue
		}
		for _, p := range pods.Items {
			if p.Status.Phase == "Pending" {
				address++
			}
			// What fails is seen again in the next round.
			_ = c.pretendPod(ctx, p, address)
		}
	}
}

type hollowPod struct {
	Metadata struct {
		Name, Namespace   string
		DeletionTimestamp *time.Time
	}
	Spec struct {
		Containers []struct{ Name, Image string }
	}
	Status struct{ Phase string }
}

func (c *Cluster) pretendPod(ctx context.Context, p hollowPod, address int) error {
	path := "/api/v1/namespaces/" + p.Metadata.Namespace + "/pods/" + p.Metadata.Name
	switch {
	case p.Metadata.DeletionTimestamp != nil:
		return c.API.Do(ctx, http.MethodDelete, path+"?gracePeriodSeconds=0", "", nil, nil)
	case p.Status.Phase != "Pending":
		return nil
	}
	now := time.Now().UTC().Format(time.RFC3339)
	var containers []map[string]any
	for _, container := range p.Spec.Containers {
		containers = append(containers, map[string]any{
			"name": container.Name, "image": container.Image, "imageID": container.Image, "ready": true, "started": true,
			"state": map[string]any{"running": map[string]any{"startedAt": now}},
		})
	}
	ip := fmt.Sprintf("10.245.%d.%d", address/250, 1+address%250)
	return c.patchStatus(ctx, path, map[string]any{
		"phase": "Running", "startTime": now, "hostIP": "10.245.255.1", "podIP": ip, "podIPs": []map[string]any{{"ip": ip}},
		"conditions":        conditions(now, "Initialized", "ContainersReady", "Ready", "PodScheduled"),
		"containerStatuses": containers,
	})
}

func (c *Cluster) pretendNode(ctx context.Context) error {
	now := time.Now().UTC().Format(time.RFC3339)
	room := map[string]any{"cpu": "1000", "memory": "1Ti", "pods": "5000"}
	return c.patchStatus(ctx, "/api/v1/nodes/"+hollowNode, map[string]any{
		"capacity": room, "allocatable": room,
		"conditions": []map[string]any{{"type": "Ready", "status": "True", "reason": "Pretended", "lastHeartbeatTime": now, "lastTransitionTime": now}},
		"addresses":  []map[string]any{{"type": "InternalIP", "address": "10.245.255.1"}},
	})
}

func (c *Cluster) patchStatus(ctx context.Context, path string, status map[string]any) error {
	body, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	return c.API.Do(ctx, http.MethodPatch, path+"/status", "application/merge-patch+json", body, nil)
}

func conditions(now string, kinds ...string) (all []map[string]any) {
	for _, kind := range kinds {
		all = append(all, map[string]any{
			"type": kind, "status": "True", "lastTransitionTime": now,
		})
	}
	return all
}
