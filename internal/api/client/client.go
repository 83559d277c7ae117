// Package client speaks Fairway's HTTP API: the types of the wire and a client
// that the command line and workers use.
//
//	GET    /v1/me                             Me
//	POST   /v1/login                          Login → Me, and a session cookie
//	POST   /v1/logout
//	GET    /v1/services                       Page[Service]
//	GET    /v1/services/{service}             Service
//	GET    /v1/releases?service&state&cursor&limit   Page[Release], newest first
//	POST   /v1/releases                       NewRelease → ReleaseDetail (Idempotency-Key)
//	GET    /v1/releases/{release}             ReleaseDetail
//	GET    /v1/releases/{release}/events?after&limit    Page[Event]
//	GET    /v1/releases/{release}/points?environment&after&limit   Page[Point]
//	GET    /v1/releases/{release}/verify      Verification
//	GET    /v1/releases/{release}/live        SSE: "release" ReleaseDetail, "event" Event, "point" Point
//	POST   /v1/releases/{release}/approve     Approval → ReleaseDetail
//	POST   /v1/releases/{release}/reject      Approval → ReleaseDetail
//	POST   /v1/releases/{release}/pause       Action → ReleaseDetail
//	POST   /v1/releases/{release}/resume      Action → ReleaseDetail
//	POST   /v1/releases/{release}/rollback    Rollback → ReleaseDetail (Idempotency-Key)
//	POST   /v1/releases/{release}/skip        Action → ReleaseDetail
//	GET    /v1/events?after                   SSE of all releases: "event" Event
//	POST   /v1/evidence                       Evidence → pipeline.Evidence
//	GET    /v1/evidence?digest                Page[pipeline.Evidence]
//	GET    /v1/freezes                        Page[Freeze]
//	POST   /v1/freezes                        NewFreeze → Freeze
//	DELETE /v1/freezes/{freeze}
//	GET    /v1/users, POST /v1/users          admin
//	GET    /v1/tokens, POST /v1/tokens, DELETE /v1/tokens/{token}
//	POST   /v1/worker/hello                   Hello → Welcome
//	POST   /v1/worker/lease                   LeaseAsk → []stage.Task (long poll)
//	POST   /v1/worker/report                  Report → Reply
//	GET    /openapi.json, /healthz, /readyz, /metrics
//
// A {release} is an ID, or "SERVICE@VERSION", or "SERVICE" for its newest release.
package client
