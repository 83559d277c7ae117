package drift

// comparison walks through pairs of objects and notes what differs.
type comparison struct {
	options Options
	ignore  []pattern
	both    bool // what only the second side sets counts too
	object  Identity
	out     []Difference
}

func newComparison(o Options, both bool) *comparison {
	c := &comparison{options: o, both: both, ignore: own}
	for _, i := range o.Ignore {
		c.ignore = append(c.ignore, pattern{kind: i.Kind, name: i.Name, path: parsePath(i.Path)})
	}
	return c
}

// value compares what stands at a path. nil is what is not there.
func (c *comparison) value(at path, desired, live any) {
	if c.ignored(at) || (desired == nil && !c.both) || c.alike(at, desired, live) {
		return
	}
	d, dMap := desired.(Object)
	l, lMap := live.(Object)
	dl, dList := desired.([]any)
	ll, lList := live.([]any)
	switch {
	case dMap && lMap:
		c.fields(at, d, l)
	case dList && lList:
		c.list(at, dl, ll)
	case dropsEmpty[at.last()] && dMap && live == nil && !c.differs(at, d, Object{}):
		// nothing in it counts
	case dropsEmpty[at.last()] && lMap && desired == nil && !c.differs(at, Object{}, l):
	default:
		c.note(at, desired, live)
	}
}

// fields compares two maps.
func (c *comparison) fields(at path, desired, live Object) {
	for name, value := range desired {
		c.value(at.field(name), value, live[name])
	}
	if !c.both {
		return
	}
	for name, value := range live {
		if _, ok := desired[name]; !ok {
			c.value(at.field(name), nil, value)
		}
	}
}

// list compares two lists: by keys where their elements have one. What others have added
// to such a list is theirs; any other list is wholly the one who sets it.
func (c *comparison) list(at path, desired, live []any) {
	if keys := keysOf(c.object.Kind, at, desired, live); keys != nil {
		c.byKey(at, keys, desired, live)
		return
	}
	for i := range max(len(desired), len(live)) {
		var d, l any
		if i < len(desired) {
			d = desired[i]
		}
		if i < len(live) {
			l = live[i]
		}
		here := at.number(i)
		if d == nil && l != nil && !c.ignored(here) {
			c.note(here, nil, l)
			continue
		}
		c.value(here, d, l)
	}
}

func (c *comparison) byKey(at path, keys keyFunc, desired, live []any) {
	there := map[string]any{}
	names, liveNames := uniqueNames(keys, desired), uniqueNames(keys, live)
	for i, name := range liveNames {
		there[name] = live[i]
	}
	for i, name := range names {
		c.value(at.element(name), desired[i], there[name])
		delete(there, name)
	}
	if !c.both {
		return
	}
	for name, element := range there {
		c.value(at.element(name), nil, element)
	}
}

// differs tells whether anything in two maps counts as a difference.
func (c *comparison) differs(at path, desired, live Object) bool {
	trial := *c
	trial.out = nil
	trial.fields(at, desired, live)
	return len(trial.out) > 0
}

// note notes a difference.
func (c *comparison) note(at path, desired, live any) {
	if c.isSecret(at) {
		desired, live = hide(desired), hide(live)
	}
	c.out = append(c.out, Difference{Object: c.object, What: Changed, Path: at.String(), Desired: desired, Live: live})
}

func (c *comparison) isSecret(at path) bool {
	return c.object.Kind == "Secret" && len(at) > 0 && (at[0] == "data" || at[0] == "stringData")
}

func hide(v any) any {
	if v == nil {
		return nil
	}
	return Hidden
}
