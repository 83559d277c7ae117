// The Gateway API, of which the test cluster takes the manifests of its resource
// definitions (config/crd) and no code. go mod tidy would therefore remove the
// requirement: this module is not to be tidied.
module github.com/fairwayhq/fairway/test/cluster/gateway

go 1.26.0

require sigs.k8s.io/gateway-api v1.6.3
