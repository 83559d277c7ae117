package client

import (
	"encoding/json"
	"time"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Me is who the caller is.
type Me struct {
	User  string   `json:"user" doc:"who the caller is"`
	Roles []string `json:"roles"`
	// CSRF must be sent as X-CSRF-Token with every change made by a session.
	CSRF string `json:"csrf,omitempty" doc:"to send as X-CSRF-Token with every change; only for sessions"`
}

// Login opens a session, with a password or with a token.
type Login struct {
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	Token    string `json:"token,omitempty"`
}

// Service is what has been released under one name.
type Service struct {
	Name         string               `json:"name"`
	Owner        string               `json:"owner,omitempty" doc:"the team that answers for it"`
	Environments []ServiceEnvironment `json:"environments"`
}

// ServiceEnvironment is what runs in one environment of a service, and what moves there.
type ServiceEnvironment struct {
	Name string `json:"name"`
	// Home is the release whose revision is stable there; empty before the first.
	Home        string `json:"home,omitempty" doc:"the release whose revision is stable there; none before the first"`
	HomeVersion string `json:"homeVersion,omitempty"`
	// Moving is the release that holds the lane; Queue those that wait for it.
	Moving string   `json:"moving,omitempty" doc:"the release that holds the lane"`
	Queue  []string `json:"queue,omitempty" doc:"the releases that wait for the lane, in order"`
	// Frozen says why the lane does not move; empty when it may.
	Frozen string `json:"frozen,omitempty" doc:"why the lane does not move; absent when it may"`
	// Drift is what was last seen of what has drifted; nil where nobody has looked.
	Drift *Drift `json:"drift,omitempty" doc:"what was last seen of what has drifted; absent where nobody has looked"`
}

// Drift is what was last seen of where what runs is not as the release at home says.
type Drift struct {
	Fields []string  `json:"fields" doc:"what is not as the release says, for people; empty where nothing is"`
	Since  time.Time `json:"since" doc:"when that was first seen as it is"`
	// Git is where it is not as the repository says; nil where none is compared.
	Git *GitDrift `json:"git,omitempty" doc:"the same of the repository that the release's plan names; absent where none is compared"`
	At  time.Time `json:"at" doc:"when it was seen last"`
}

// GitDrift is what was last seen of where what runs is not as the repository says.
type GitDrift struct {
	Fields  []string  `json:"fields" doc:"what is not as the repository says, for people; empty where nothing is"`
	Since   time.Time `json:"since,omitzero" doc:"when that was first seen as it is"`
	Unknown string    `json:"unknown,omitempty" doc:"why the repository could not be compared the last time; fields are those of the last time that it was"`
}

// NewRelease asks for a release. Either Definition is given, or Service names one
// whose newest release's definition is used again.
type NewRelease struct {
	Service    string `json:"service,omitempty" doc:"whose newest definition to use again, where no definition is given"`
	Definition string `json:"definition,omitempty" doc:"the text of the fairway.yaml"`
	Version    string `json:"version,omitempty" doc:"what people call it; by default the beginning of the digest" example:"v2"`
	Artifact   string `json:"artifact" doc:"where the artifact is: a path or URL on the worker's side" example:"/builds/shop-v2"`
	Digest     string `json:"digest" doc:"sha256: and 64 hexadecimal digits" example:"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	// Files are the contents of the config files that the definition names, by their 'from' path.
	Files map[string][]byte `json:"files,omitempty" doc:"the contents of the config files that the definition names, by their 'from' path, in base64"`
	// Manifests are the rendered Kubernetes objects of the environments that name manifests.
	Manifests map[string][]json.RawMessage `json:"manifests,omitempty" doc:"the rendered Kubernetes objects, by environment, for those that name manifests"`
	// Sealed are the values of the Secrets among the manifests, by environment.
	Sealed map[string]string `json:"sealed,omitempty" doc:"the values of the Secrets among the manifests, by environment, sealed for the worker; the manifests have keyed digests in their places"`
	// With are the other services of the release, which the definition names under 'with'.
	With []NewComponent `json:"with,omitempty" doc:"other services that are released together with this one, in any order; the definition names them under 'with'"`
	Note string         `json:"note,omitempty" doc:"why, for people"`
}

// NewComponent is another service of a release. Without a definition, that of its newest
// release is used again.
type NewComponent struct {
	Service    string                       `json:"service" example:"payments"`
	Definition string                       `json:"definition,omitempty" doc:"the text of its fairway.yaml; by default that of its newest release"`
	Version    string                       `json:"version,omitempty" doc:"what people call it; by default the beginning of the digest" example:"v3"`
	Artifact   string                       `json:"artifact" doc:"where the artifact is: a path or URL on the worker's side" example:"/builds/payments-v3"`
	Digest     string                       `json:"digest" doc:"sha256: and 64 hexadecimal digits" example:"sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"`
	Files      map[string][]byte            `json:"files,omitempty" doc:"as of the leading service"`
	Manifests  map[string][]json.RawMessage `json:"manifests,omitempty" doc:"as of the leading service"`
	Sealed     map[string]string            `json:"sealed,omitempty" doc:"as of the leading service"`
}

// ReleaseComponent is another service of a release, and its artifact.
type ReleaseComponent struct {
	Service  string `json:"service" example:"payments"`
	Version  string `json:"version" example:"v3"`
	Artifact string `json:"artifact"`
	Digest   string `json:"digest"`
}

// Release is a release in a list.
type Release struct {
	ID          string             `json:"id" example:"01m83e2bckx8hz8vhr12hbe06b"`
	Service     string             `json:"service" example:"shop"`
	Version     string             `json:"version" example:"v2"`
	Artifact    string             `json:"artifact"`
	Digest      string             `json:"digest"`
	With        []ReleaseComponent `json:"with,omitempty" doc:"the other services that are released together with this one, in the order in which they go: before it"`
	Author      string             `json:"author"`
	Note        string             `json:"note,omitempty"`
	PlanHash    string             `json:"planHash" doc:"what approvals are bound to"`
	RollbackTo  string             `json:"rollbackTo,omitempty" doc:"the older release that this one brings back"`
	DrillOf     string             `json:"drillOf,omitempty" doc:"the release that this one is a drill of: with harm on purpose, and never promoted"`
	State       pipeline.RunState  `json:"state"`
	Environment string             `json:"environment,omitempty" doc:"the environment that moves, or was last"`
	CreatedAt   time.Time          `json:"createdAt"`
	EndedAt     time.Time          `json:"endedAt,omitzero"`
}

// ReleaseDetail is a release with everything that its page shows.
type ReleaseDetail struct {
	Release
	Plan *pipeline.Plan `json:"plan"`
	Run  pipeline.Run   `json:"run"`
	// Live is the present of the stages that workers carry out, by environment.
	Live map[string]stage.Progress `json:"live" doc:"the present of the stages that workers carry out, by environment"`
	// Headline says in a sentence where the release is and why; Next what happens
	// next, at NextAt if that is known.
	Headline string    `json:"headline" doc:"where the release is and why, in a sentence"`
	Next     string    `json:"next,omitempty" doc:"what happens next"`
	NextAt   time.Time `json:"nextAt,omitzero" doc:"when that happens, if it is known"`
	// Actions are what the caller may do now: approve, reject, pause, resume, rollback, skip, decide.
	Actions []string `json:"actions" doc:"what the caller may do now: approve, reject, decide, pause, resume, rollback, skip"`
	// Asks says what a person has to decide; empty if nothing.
	Asks  string   `json:"asks,omitempty" doc:"what a person has to decide"`
	Queue []string `json:"queue,omitempty" doc:"the releases before this one in its lane"`
	// Drift is what was last seen in the environments in which the release is at home.
	Drift map[string]Drift `json:"drift,omitempty" doc:"what was last seen of what has drifted, in the environments in which the release is at home"`
}

// Page is one page of a list. Next is the cursor of the following one; empty at the end.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"the cursor of the next page; absent at the end"`
}

// Event is one line of the ledger.
type Event = ledger.Event

// Point is a sample with what the judge made of it. Rates with their 95 %
// intervals are ready for a chart, over a sliding window.
type Point struct {
	ID          int64     `json:"id"`
	At          time.Time `json:"at"`
	Environment string    `json:"environment"`
	Stage       string    `json:"stage"`
	Weight      float64   `json:"weight" doc:"the new revision's share of traffic, 0 to 1"`
	Evidence    float64   `json:"evidence" doc:"the weight of evidence for harm; 200 takes the release back"`
	Missing     string    `json:"missing,omitempty"`
	Stable      ArmPoint  `json:"stable"`
	Canary      ArmPoint  `json:"canary"`
}

// JudgedSample is what both arms did in one interval, whole, with what the judge made of it.
type JudgedSample struct {
	ID          int64       `json:"id"`
	Environment string      `json:"environment"`
	Stage       string      `json:"stage"`
	Point       stage.Point `json:"point"`
}

// ArmPoint is one arm at one instant.
type ArmPoint struct {
	Requests int64    `json:"requests" doc:"in this interval"`
	Errors   int64    `json:"errors" doc:"in this interval"`
	Error    Interval `json:"error" doc:"error rate, 0 to 1"`
	P50      Interval `json:"p50" doc:"seconds"`
	P99      Interval `json:"p99" doc:"seconds"`
}

// Interval is an estimate with its 95 % uncertainty. Known is false where there is no data.
type Interval struct {
	Known bool    `json:"known"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	// Open says that there is too little data for an upper bound; High is then the highest seen.
	Open bool `json:"open,omitempty" doc:"too little data for an upper bound; high is then the highest seen"`
}

// Approval approves (or rejects) what waits. Digest and PlanHash bind it to what was looked at.
type Approval struct {
	Environment string `json:"environment,omitempty" doc:"default: the one that waits"`
	Stage       string `json:"stage,omitempty" doc:"default: the one that waits"`
	Digest      string `json:"digest,omitempty" doc:"binds the answer to the artifact that was looked at"`
	PlanHash    string `json:"planHash,omitempty" doc:"binds the answer to the plan that was looked at"`
	Reason      string `json:"reason,omitempty"`
}

// Action is a person's wish with its reason.
type Action struct {
	Environment string `json:"environment,omitempty" doc:"default: the current one"`
	Reason      string `json:"reason,omitempty"`
}

// Rollback takes a release back, or brings an older one back.
type Rollback struct {
	Environment string `json:"environment,omitempty" doc:"default: the current one"`
	Reason      string `json:"reason,omitempty"`
	To          string `json:"to,omitempty" doc:"an older release, by ID or version"`
}

// NewDrill asks for a drill in an environment: with a fault, with a bad artifact, or both.
type NewDrill struct {
	Environment string  `json:"environment"`
	Errors      float64 `json:"errors,omitempty" minimum:"0" maximum:"1" doc:"the share of the canary's requests that are answered with an error" example:"0.05"`
	Delay       string  `json:"delay,omitempty" doc:"how long every answer is held back" example:"200ms"`
	Slower      float64 `json:"slower,omitempty" minimum:"0" maximum:"100" doc:"by which share of its time every answer is held back; 1 is twice as slow"`
	Artifact    string  `json:"artifact,omitempty" doc:"a bad artifact to ship in place of what is at home"`
	Digest      string  `json:"digest,omitempty" doc:"its digest"`
	For         string  `json:"for,omitempty" doc:"how long it may last at most; default 1h"`
	Reason      string  `json:"reason" doc:"why users are to be harmed"`
}

// NewInquiry asks a worker about what runs in an environment.
type NewInquiry struct {
	About       inquiry.About `json:"about" enum:"preview,drift,truth" doc:"preview: what a release would change; drift: where what runs is not as the release at home says; truth: as the repository says that its plan names"`
	Service     string        `json:"service,omitempty" doc:"whose drift"`
	Environment string        `json:"environment" example:"production"`
	// Release is what a preview looks at. Without an artifact it would come with the one at home.
	Release *Preview `json:"release,omitempty" doc:"what a preview looks at; without an artifact it would come with the one at home"`
}

// Preview is a release that is not made, or not yet.
type Preview struct {
	Definition string                       `json:"definition" doc:"the text of the fairway.yaml"`
	Version    string                       `json:"version,omitempty"`
	Artifact   string                       `json:"artifact,omitempty"`
	Digest     string                       `json:"digest,omitempty"`
	Files      map[string][]byte            `json:"files,omitempty" doc:"as for a release"`
	Manifests  map[string][]json.RawMessage `json:"manifests,omitempty" doc:"as for a release"`
	Sealed     map[string]string            `json:"sealed,omitempty" doc:"as for a release"`
}

// Comparison is how what runs in an environment differs from a release.
type Comparison struct {
	Service     string `json:"service"`
	Environment string `json:"environment"`
	// Release is the one at home, which what runs was compared with; none for a preview.
	Release string `json:"release,omitempty" doc:"the release at home, which what runs was compared with; none for a preview"`
	Version string `json:"version,omitempty"`
	// Truth says that a repository says what should run, too: ask about it.
	Truth  bool   `json:"truth,omitempty" doc:"whether a repository says what should run, too; ask about it by 'truth'"`
	Worker string `json:"worker" doc:"the worker that has looked"`
	// Differences are what is not as the release says: desired is the release's, live what
	// runs. Values of Secrets are hidden.
	Differences []drift.Difference `json:"differences" doc:"what is not as the release says: desired is the release's, live what runs; values of Secrets are hidden"`
	Notes       []string           `json:"notes,omitempty" doc:"what was not compared, and why"`
}

// Evidence is a fact to add.
type Evidence struct {
	Digest string         `json:"digest"`
	Kind   string         `json:"kind" doc:"what sort of fact, for instance tests or scan" example:"tests"`
	Name   string         `json:"name,omitempty"`
	Status string         `json:"status" doc:"passed, failed, or another word that a gate looks for" example:"passed"`
	URL    string         `json:"url,omitempty"`
	Data   map[string]any `json:"data,omitempty"`
}

// NewFreeze stops lanes. Neither Service nor Environment stops all of them.
type NewFreeze struct {
	Service     string    `json:"service,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Reason      string    `json:"reason" doc:"read by everybody who is held" example:"the yearly audit"`
	From        time.Time `json:"from,omitzero" doc:"default: now"`
	Until       time.Time `json:"until,omitzero" doc:"default: until it is ended"`
	Rule        string    `json:"rule,omitempty" doc:"RFC 5545 recurrence, for instance FREQ=WEEKLY;BYDAY=FR"`
	For         string    `json:"for,omitempty" doc:"how long each occurrence lasts, for instance 8h"`
}

// Freeze is a window in which lanes do not move.
type Freeze = drive.Freeze

// Verification is the result of checking a release's chain.
type Verification struct {
	Release string `json:"release"`
	Lines   int64  `json:"lines"`
	OK      bool   `json:"ok"`
	// Broken names the first broken line and what is wrong with it.
	Broken string `json:"broken,omitempty" doc:"the first broken line and what is wrong with it"`
	Head   string `json:"head" doc:"the hash of the last line"`
	// Removed says what was removed of the chain because it was old.
	Removed string `json:"removed,omitempty" doc:"what was removed of the chain because it was old; absent where nothing was"`
}

// NewUser, NewToken and TokenMade manage access.
type NewUser struct {
	Name     string   `json:"name" example:"ann"`
	Roles    []string `json:"roles"`
	Password string   `json:"password,omitempty"`
}

// User is somebody who may have tokens and sessions.
type User struct {
	Name      string    `json:"name"`
	Roles     []string  `json:"roles"`
	CreatedAt time.Time `json:"createdAt"`
}

// NewToken asks for a token of a user (default: the caller).
type NewToken struct {
	User         string   `json:"user,omitempty" doc:"whose; by default the caller's"`
	Name         string   `json:"name" doc:"what it is for" example:"ci"`
	Worker       bool     `json:"worker,omitempty" doc:"a token that only leases and reports tasks"`
	Environments []string `json:"environments,omitempty" doc:"the worker's; all if empty"`
	Regions      []string `json:"regions,omitempty" doc:"the worker's; all if empty"`
	For          string   `json:"for,omitempty" doc:"how long it is good, for instance 720h; default: until revoked"`
}

// Token is a token; Secret is shown once, when it is made.
type Token struct {
	ID           string    `json:"id"`
	User         string    `json:"user"`
	Name         string    `json:"name"`
	Worker       bool      `json:"worker,omitempty"`
	Environments []string  `json:"environments,omitempty"`
	Regions      []string  `json:"regions,omitempty"`
	CreatedAt    time.Time `json:"createdAt"`
	ExpiresAt    time.Time `json:"expiresAt,omitzero"`
	Secret       string    `json:"secret,omitempty" doc:"told once, when it is made"`
}

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Type   string          `json:"type,omitempty"`
	Title  string          `json:"title"`
	Status int             `json:"status"`
	Detail string          `json:"detail,omitempty"`
	Code   string          `json:"code,omitempty" doc:"invalid, not found, conflict, denied, unavailable or internal"`
	Hint   string          `json:"hint,omitempty"`
	Faults json.RawMessage `json:"faults,omitempty" doc:"the faults of a definition, with file, line and column"`
}
