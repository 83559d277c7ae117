package kubernetes

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/fairwayhq/fairway/internal/fault"
)

// mirror is what the API server has of one kind, kept up to date by a watch. What this
// process wrote is in it at once. While the watch reports trouble it reads directly.
type mirror[T metav1.Object] struct {
	client   dynamic.ResourceInterface
	selector string // of fields; empty is all
	convert  func(*unstructured.Unstructured) (T, error)
	informer cache.SharedIndexInformer
	// start begins to watch, at the first look; stop ends it for good.
	start, stop func()

	mu      sync.Mutex
	trouble error
	written map[types.NamespacedName]written[T]
}

// written is an own write that the watch may not have told of yet.
type written[T metav1.Object] struct {
	object T
	gone   bool
	at     time.Time
}

const (
	// syncLimit is how long the first list may take before a caller hears of it.
	syncLimit = 15 * time.Second
	// toldAfter is when the watch has certainly told of a write of which it has passed
	// the resource version; forgetAfter is when a write is not remembered in any case: a
	// watch that was cut may wait half a minute, more than once, before it begins again.
	toldAfter   = 2 * time.Second
	forgetAfter = 90 * time.Second
)

func newMirror[T metav1.Object](ctx context.Context, watches *sync.WaitGroup, client dynamic.ResourceInterface, selector string, convert func(*unstructured.Unstructured) (T, error)) *mirror[T] {
	m := &mirror[T]{client: client, selector: selector, convert: convert, written: map[types.NamespacedName]written[T]{}}
	m.informer = cache.NewSharedIndexInformerWithOptions(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			list, err := client.List(ctx, o)
			m.heard(err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			w, err := client.Watch(ctx, o)
			m.heard(err)
			if err != nil {
				return nil, err
			}
			return m.overhear(watches, w), nil
		},
	}, &unstructured.Unstructured{}, cache.SharedIndexInformerOptions{})
	_ = m.informer.SetTransform(func(object any) (any, error) {
		if u, ok := object.(*unstructured.Unstructured); ok {
			return convert(u)
		}
		return object, nil
	})
	ctx, stop := context.WithCancel(ctx)
	m.stop = stop
	m.start = sync.OnceFunc(func() {
		watches.Go(func() { m.informer.RunWithContext(ctx) })
	})
	return m
}

// onChange calls hear when there may be something new about an object that concerns the
// caller, until the returned function is called. Neither may wait.
func (m *mirror[T]) onChange(hear func(), concerns func(T) bool) (end func()) {
	// hear is called where it cannot be told what has changed, too.
	told := func(object any) {
		if o, ok := object.(T); !ok || concerns(o) {
			hear()
		}
	}
	registered, err := m.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: told, DeleteFunc: told,
		UpdateFunc: func(before, after any) { told(before); told(after) },
	})
	if err != nil {
		return func() {} // an informer that has been stopped tells nothing any more
	}
	return func() { _ = m.informer.RemoveEventHandler(registered) }
}

// errEnded is the trouble while there is no watch, though nothing has failed.
var errEnded = errors.New("the watch has ended")

// overhear notes that a watch was ended, as when its version has expired, or has just ended. The
// informer begins again by itself, but may wait half a minute before it does.
func (m *mirror[T]) overhear(watches *sync.WaitGroup, w watch.Interface) watch.Interface {
	events := make(chan watch.Event)
	told := watch.NewProxyWatcher(events)
	watches.Go(func() {
		defer close(events)
		defer w.Stop()
		for {
			select {
			case e, more := <-w.ResultChan():
				switch {
				case !more:
					m.heard(errEnded)
					return
				case e.Type == watch.Error:
					m.heard(apierrors.FromObject(e.Object))
				}
				select {
				case events <- e:
				case <-told.StopChan():
					return
				}
			case <-told.StopChan():
				return
			}
		}
	})
	return told
}

// heard notes how the last question went.
func (m *mirror[T]) heard(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble = err
}

func (m *mirror[T]) troubled() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trouble
}

// list returns all objects that are not being deleted; direct asks the API server in any case.
func (m *mirror[T]) list(ctx context.Context, direct bool) ([]T, error) {
	m.start()
	if !m.informer.HasSynced() {
		if err := m.sync(ctx); err != nil {
			return nil, err
		}
	}
	var all []T
	if direct || m.troubled() != nil {
		read, err := m.read(ctx, "")
		if err != nil {
			return nil, err
		}
		all = read
	} else {
		all = m.mirrored()
	}
	return living(all), nil
}

// living drops what is being deleted.
func living[T metav1.Object](all []T) []T {
	return slices.DeleteFunc(all, func(o T) bool { return o.GetDeletionTimestamp() != nil })
}

// sync waits for the first list.
func (m *mirror[T]) sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, syncLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !m.informer.HasSynced() {
		if err := m.troubled(); apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err) {
			return err
		}
		select {
		case <-ctx.Done():
			if err := m.troubled(); err != nil {
				return err
			}
			return fault.Errorf(fault.Unavailable, "the Kubernetes API did not answer within %s: %w", syncLimit, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// read asks the API server itself, for all objects or for those with some labels.
func (m *mirror[T]) read(ctx context.Context, labels string) ([]T, error) {
	list, err := m.client.List(ctx, metav1.ListOptions{FieldSelector: m.selector, LabelSelector: labels})
	if err != nil {
		return nil, err
	}
	all := make([]T, 0, len(list.Items))
	for i := range list.Items {
		o, err := m.convert(&list.Items[i])
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// mirrored is what the watch has told, with the own writes that it has not told of yet.
func (m *mirror[T]) mirrored() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []T
	for _, stored := range m.informer.GetStore().List() {
		o, ok := stored.(T)
		if !ok {
			continue
		}
		w, ok := m.written[keyOf(o)]
		switch {
		case !ok:
			all = append(all, o)
		case w.gone && w.object.GetUID() == o.GetUID():
			// deleted by this process
		case w.gone || !older(o, w.object):
			delete(m.written, keyOf(o))
			all = append(all, o)
		default:
			all = append(all, w.object)
		}
	}
	for key, w := range m.written {
		_, stored, _ := m.informer.GetStore().GetByKey(key.String())
		age := time.Since(w.at)
		switch {
		case age > forgetAfter, !stored && age > toldAfter && m.passed(w.object):
			delete(m.written, key)
		case !stored && !w.gone:
			all = append(all, w.object)
		}
	}
	return all
}

// passed tells whether the watch is beyond the object's resource version.
func (m *mirror[T]) passed(o T) bool {
	n, err := resourceversion.CompareResourceVersion(m.informer.LastSyncResourceVersion(), o.GetResourceVersion())
	return err == nil && n >= 0
}

// wrote puts an object into the mirror as the API server answered it.
func (m *mirror[T]) wrote(u *unstructured.Unstructured) {
	o, err := m.convert(u)
	if err != nil {
		return // the watch will tell
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written[keyOf(o)] = written[T]{object: o, at: time.Now()}
}

// deleted takes an object out of the mirror.
func (m *mirror[T]) deleted(o T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written[keyOf(o)] = written[T]{object: o, gone: true, at: time.Now()}
}

func keyOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// older tells whether a was written before b.
func older(a, b metav1.Object) bool {
	n, err := resourceversion.CompareResourceVersion(a.GetResourceVersion(), b.GetResourceVersion())
	return err == nil && n < 0
}
