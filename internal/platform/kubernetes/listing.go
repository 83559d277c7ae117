package kubernetes

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	// listedFor is how long a list serves all targets of a namespace that are compared one
	// after the other. Nothing is decided on it.
	listedFor = 2 * time.Second
	// listPage is how many objects the API server is asked for at a time.
	listPage = 250
)

// listing is all of one kind in a namespace, for a moment.
type listing struct {
	mu     sync.Mutex
	byName map[string]*unstructured.Unstructured // nil when it is too old
}

// listed returns all objects of a kind, by name; they must not be changed. A kind that the
// cluster does not have is as good as empty.
func (p *Platform) listed(ctx context.Context, r schema.GroupVersionResource) (map[string]*unstructured.Unstructured, error) {
	l := p.namespace().listing(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byName != nil {
		return l.byName, nil
	}
	all := map[string]*unstructured.Unstructured{}
	for page := (metav1.ListOptions{Limit: listPage}); ; {
		list, err := p.client(r).List(ctx, page)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			o := &list.Items[i]
			o.SetManagedFields(nil)
			all[o.GetName()] = o
		}
		if page.Continue = list.GetContinue(); page.Continue == "" {
			break
		}
	}
	l.byName = all
	time.AfterFunc(listedFor, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.byName = nil
	})
	return all, nil
}

func (n *namespace) listing(r schema.GroupVersionResource) *listing {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, ok := n.lists[r]
	if !ok {
		l = &listing{}
		n.lists[r] = l
	}
	return l
}
