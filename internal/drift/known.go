package drift

import (
	"fmt"
	"strings"
)

// What is known of Kubernetes' fields stands in this file. It is known by the name of a
// field, and where that is not enough by those above it.

// listKeys are the lists whose elements Kubernetes itself merges by a key.
var listKeys = map[string][]string{
	"containers":                {"name"},
	"initContainers":            {"name"},
	"ephemeralContainers":       {"name"},
	"volumes":                   {"name"},
	"env":                       {"name"},
	"imagePullSecrets":          {"name"},
	"secrets":                   {"name"},
	"resourceClaims":            {"name"},
	"schedulingGates":           {"name"},
	"evictionResponders":        {"name"},
	"volumeMounts":              {"mountPath"},
	"volumeDevices":             {"devicePath"},
	"hostAliases":               {"ip"},
	"topologySpreadConstraints": {"topologyKey", "whenUnsatisfiable"},
	"ownerReferences":           {"uid"},
}

// keyFunc names an element of a list.
type keyFunc func(element any) (string, bool)

// keysOf returns how the elements of a list are named, or nil if they have no keys.
func keysOf(kind string, at path, lists ...[]any) keyFunc {
	var key keyFunc
	switch name := at.last(); {
	case kind == "ConfigMap" || kind == "Secret":
		return nil
	case at.String() == "metadata.finalizers":
		key = func(e any) (string, bool) { s, ok := e.(string); return s, ok }
	case kind == "Service" && at.String() == "spec.ports":
		key = portKey("port")
	case name == "ports" && at.inContainer():
		key = portKey("containerPort")
	case listKeys[name] != nil:
		key = fieldKey(listKeys[name])
	default:
		return nil
	}
	for _, list := range lists {
		for _, element := range list {
			if _, ok := key(element); !ok {
				return nil
			}
		}
	}
	return key
}

// inContainer tells whether a field stands directly in a container.
func (p path) inContainer() bool {
	switch p.back(2) {
	case "containers", "initContainers", "ephemeralContainers":
		return true
	}
	return false
}

func fieldKey(names []string) keyFunc {
	return func(element any) (string, bool) {
		object, _ := element.(Object)
		var parts []string
		for _, name := range names {
			part, ok := object[name].(string)
			if !ok {
				return "", false
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, "/"), true
	}
}

func portKey(field string) keyFunc {
	return func(element any) (string, bool) {
		object, _ := element.(Object)
		port, ok := object[field]
		if !ok {
			return "", false
		}
		protocol := text(object["protocol"])
		if protocol == "" {
			protocol = "TCP"
		}
		return fmt.Sprintf("%v/%s", port, protocol), true
	}
}

// uniqueNames names all elements; one whose name was there before gets a number.
func uniqueNames(key keyFunc, list []any) []string {
	names := make([]string, len(list))
	times := map[string]int{}
	for i, element := range list {
		name, _ := key(element)
		times[name]++
		names[i] = name
		if n := times[name]; n > 1 {
			names[i] = fmt.Sprintf("%s#%d", name, n)
		}
	}
	return names
}

// isQuantity tells whether a field holds an amount, such as 500m or 1Gi.
func isQuantity(kind string, at path) bool {
	if kind == "ConfigMap" || kind == "Secret" || at.inMap() {
		return false
	}
	switch at.back(1) {
	case "limits", "requests", "capacity", "hard", "allocatable", "podFixed", "defaultRequest", "maxLimitRequestRatio":
		return true
	case "max", "min", "default":
		return kind == "LimitRange"
	case "target":
		return at.last() == "value" || at.last() == "averageValue"
	}
	switch at.last() {
	case "sizeLimit", "divisor", "averageValue", "tolerance":
		return true
	}
	return false
}

// inMap tells whether a field stands in a map of texts that people choose.
func (p path) inMap() bool {
	switch p.back(1) {
	case "labels", "annotations", "matchLabels", "nodeSelector":
		return true
	}
	return false
}

// intOrString are the fields in which 80 and "80" mean the same.
var intOrString = map[string]bool{"port": true, "targetPort": true, "maxSurge": true, "maxUnavailable": true, "minAvailable": true}

// dropsEmpty are the maps that the API server leaves out when nothing is in them, or that
// say nothing then. Of other fields, such as emptyDir, being there is what they say.
var dropsEmpty = map[string]bool{
	"metadata": true, "resources": true, "securityContext": true, "affinity": true,
	"labels": true, "annotations": true, "matchLabels": true, "nodeSelector": true, "selector": true,
	"limits": true, "requests": true, "data": true, "stringData": true, "binaryData": true, "overhead": true,
}

// dropsZero are the fields that the API server leaves out when they are 0 or false. In
// others, such as automountServiceAccountToken, leaving out means something else.
var dropsZero = map[string]bool{
	"hostNetwork": true, "hostPID": true, "hostIPC": true, "readOnly": true, "stdin": true, "stdinOnce": true, "tty": true,
	"paused": true, "publishNotReadyAddresses": true, "minReadySeconds": true, "initialDelaySeconds": true,
	"nodePort": true, "hostPort": true, "healthCheckNodePort": true, "number": true,
	"sslEnabled": true, "chapAuthDiscovery": true, "chapAuthSession": true,
}
