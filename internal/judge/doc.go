// Package judge decides, from what two arms did, whether the canary is worse.
package judge
