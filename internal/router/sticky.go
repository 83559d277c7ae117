package router

import (
	"crypto/rand"
	"net/http"
	"strconv"
)

// request is what choosing an arm needs to know of a request.
type request interface {
	header(name string) string
	cookie(name string) string
}

// key returns the sticky key of a request, and the Set-Cookie line that its
// answer must carry ("" mostly).
func (s *Sticky) key(r request) (key, setCookie string) {
	if s.Header != "" {
		return r.header(s.Header), ""
	}
	if key = r.cookie(s.Cookie); key != "" {
		return key, ""
	}
	key = rand.Text()
	setCookie = s.Cookie + "=" + key + "; Path=/; HttpOnly; SameSite=Lax"
	if s.MaxAge > 0 {
		setCookie += "; Max-Age=" + strconv.Itoa(max(1, int(s.MaxAge.Seconds())))
	}
	return key, setCookie
}

// netRequest is a request of net/http.
type netRequest struct{ *http.Request }

func (r netRequest) header(name string) string { return r.Header.Get(name) }

func (r netRequest) cookie(name string) string {
	if c, err := r.Cookie(name); err == nil {
		return c.Value
	}
	return ""
}
