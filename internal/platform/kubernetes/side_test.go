package kubernetes

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestASidesServiceSpeaksAsTheHomesDoes(t *testing.T) {
	h2c := "kubernetes.io/h2c"
	home := &corev1.Service{Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeNodePort, ClusterIP: "10.96.0.7", Selector: map[string]string{"app": "shop"},
		Ports: []corev1.ServicePort{{Name: "web", Port: 443, NodePort: 30443, AppProtocol: &h2c}},
	}}
	holds := map[string]string{
		"traefik.ingress.kubernetes.io/service.serversscheme": "https",
		"cloud.google.com/backend-config":                     `{"default": "shop"}`,
		"cloud.google.com/neg":                                `{"ingress": true}`,
		"prometheus.io/scrape":                                "true",
		"team":                                                "checkout",
	}
	home.Annotations = maps.Clone(holds)
	for _, ofOneAlone := range []string{
		"kubectl.kubernetes.io/last-applied-configuration", "argocd.argoproj.io/tracking-id", "kustomize.toolkit.fluxcd.io/prune", "meta.helm.sh/release-name",
		"config.k8s.io/owning-inventory", "kapp.k14s.io/identity", "external-dns.alpha.kubernetes.io/hostname", "cloud.google.com/neg-status", "fairway.dev/traffic",
	} {
		home.Annotations[ofOneAlone] = "home's"
	}
	s := standing{name: "shop-r1", home: "shop", revision: "r1", changed: map[string]string{"app": "shop-r1"}}
	side := s.service(home)
	if !maps.Equal(side.Annotations, holds) {
		t.Errorf("it has the annotations %v", side.Annotations)
	}
	if p := side.Spec.Ports[0]; p.AppProtocol == nil || *p.AppProtocol != h2c || p.Port != 443 || p.NodePort != 0 {
		t.Errorf("its port is %+v", p)
	}
	if side.Spec.Type != "" || side.Spec.ClusterIP != "" {
		t.Errorf("it is a %s with the address %s", side.Spec.Type, side.Spec.ClusterIP)
	}
	if len(home.Annotations) == len(holds) {
		t.Error("the home's Service was changed")
	}
}
