package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/sealed"
	"github.com/fairwayhq/fairway/internal/secret"
)

// opened are a revision's settings, with the values of its Secrets at hand: those that came
// sealed, if they are the ones that the settings have digests of. They are for writing and
// comparing; what is kept on objects stays sealed.
func (p *Platform) opened(t platform.Target, r platform.Revision) (Settings, error) {
	set, err := ParseSettings(r.Settings)
	if err != nil {
		return Settings{}, err
	}
	all, err := set.objects()
	if err != nil {
		return Settings{}, err
	}
	all = slices.DeleteFunc(all, func(o manifest.Object) bool { return !o.IsSecret() })
	if len(all) == 0 {
		return set, nil
	}
	values, key, err := p.unseal(t, r.Sealed)
	if err == nil {
		all, err = manifest.Restore(all, values, key)
	}
	if err != nil {
		return Settings{}, fault.Errorf(fault.CodeOf(err), "open the Secrets of revision %s: %w", r.ID, err).WithHint("%s", fault.HintOf(err))
	}
	set.secrets = map[string]json.RawMessage{}
	for _, o := range all {
		set.secrets[o.Name] = o.Raw
	}
	return set, nil
}

// unseal opens values; none are sealed where no Secret has any.
func (p *Platform) unseal(t platform.Target, text string) (values manifest.Values, key []byte, err error) {
	if text == "" {
		return nil, nil, nil
	}
	raw, key, err := p.config.Keys.Open(sealed.Purpose(t.Service, t.Environment), text)
	if err != nil {
		return nil, nil, err
	}
	if json.Unmarshal(raw, &values) != nil { // whose message would show what it has read
		return nil, nil, fault.Errorf(fault.Invalid, "what was sealed is no values of Secrets").WithHint("ship again")
	}
	return values, key, nil
}

// decode reads an object of the release; a Secret with its values, where they were opened.
// As it stands in the settings, the API server refuses one.
func (s Settings) decode(o manifest.Object) (*unstructured.Unstructured, error) {
	if raw, ok := s.secrets[o.Name]; ok && o.IsSecret() {
		return decode(raw)
	}
	return decode(o.Raw)
}

// masked is an error about an object without the values of the Secret that it may be:
// whoever refuses an object may repeat what is in it.
func masked(err error, o placedObject) error {
	if err == nil || o.resource != secrets {
		return err
	}
	data, _, _ := unstructured.NestedMap(o.object.Object, "data")
	said, values := err.Error(), map[string]string{}
	for name, value := range data {
		text, _ := value.(string)
		if text == "" {
			continue
		}
		plain, _ := base64.StdEncoding.DecodeString(text)
		values[name] = string(plain)
		said = strings.ReplaceAll(said, text, "[secret "+name+"]") // to the last character, which a mask leaves
		if n := len(plain); n > 0 && n < secret.Shortest {         // too short to be told from the rest of a text
			return fault.Errorf(fault.CodeOf(err), "the API server does not take %s; what it says may show a value", nameOf(o.object))
		}
	}
	// Not in its chain: what is there would be shown by whoever unwraps it.
	return fault.Errorf(fault.CodeOf(err), "%s", secret.NewMask(values).Text(said)).WithHint("%s", fault.HintOf(err))
}

// renamedObject is an object that refers to config and Secrets by their pinned names.
func renamedObject(o *unstructured.Unstructured, names map[manifest.Reference]string) (*unstructured.Unstructured, error) {
	raw, err := o.MarshalJSON()
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "encode %s: %w", nameOf(o), err)
	}
	own, err := manifest.RenameReferences(manifest.Object{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Name: o.GetName(), Raw: raw}, names)
	if err != nil {
		return nil, err
	}
	return decode(own.Raw)
}
