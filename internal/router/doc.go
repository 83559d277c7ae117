// Package router splits the traffic of services between their revisions. It is
// the data plane of the host platform and a process of its own: it keeps serving
// when the server, the workers and the store are down.
//
//	client ──► listen ──► route (by Host) ──► arm (by weight) ──► backend
//	                         ▲                                       │
//	   admin socket ── table ┘            counters, per backend ◄────┘
//
// What it serves stands in one table (Table) that it keeps on disk and reads
// when it starts. The table is changed through the admin API, HTTP on a unix
// socket in the state directory; Client speaks it. Every change carries a fence
// and is refused when a newer one was seen, so that a worker that lost its lease
// cannot move traffic.
//
// An arm is chosen by an independent uniform draw for each request, weighted in
// parts per million, so realised shares have binomial error, which is what the
// judge's statistics assume. A sticky route draws by hash instead (see Sticky).
//
// A second process started on the same state directory takes over: it gets the
// listening sockets, the idle client connections and the counters from the
// first, which finishes what it has begun and exits.
//
// The router does not start or stop instances, does not judge, and does not
// speak HTTP/2 to backends.
//
//	err := router.Run(ctx, router.Config{StateDir: "/var/lib/fairway/router"})
//
//	c := router.NewClient("/var/lib/fairway/router")
//	route, err := c.PutRoute(ctx, "shop/production", router.Route{Fence: 7, …})
package router
