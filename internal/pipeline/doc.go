// Package pipeline is the pure heart of Fairway: what a release goes through,
// and what happens next.
//
// A Definition is what a team writes (fairway.yaml). Compile resolves it, for one
// release, into a Plan: frozen, versioned, hashed JSON. A Run is a plan being
// carried out. Everything that can happen is an Event, and there is one state
// machine:
//
//	Next(plan, run, event, now) → (run, commands)
//
// Nothing here reads a clock, a file or a socket, and nothing is logged. The
// package imports nothing of the project but fault. Who carries the commands out
// is package drive.
//
//	pending ──► running ──► succeeded
//	              │ ▲
//	     rollback │ │ (another environment goes on)
//	              ▼ │
//	         rolling back ──► rolled back | failed
package pipeline
