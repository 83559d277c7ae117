package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
)

// clock is a clock that the test moves.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

func service(t *testing.T) (*auth.Service, *clock) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: t.TempDir() + "/fairway.db"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &clock{}
	c.now.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	a := auth.New(st.Auth())
	a.Now = c.Now
	a.PasswordCost = bcrypt.MinCost
	return a, c
}

// nowhere keeps a first token, or drops it, only in the test's own hands.
func nowhere(string) error { return nil }

var admin = auth.Identity{User: "admin", Roles: []auth.Role{auth.Admin}}

func create(t *testing.T, a *auth.Service, name, password string, roles ...auth.Role) auth.Identity {
	t.Helper()
	if _, err := a.CreateUser(t.Context(), admin, auth.NewUser{Name: name, Roles: roles, Password: password}); err != nil {
		t.Fatal(err)
	}
	return auth.Identity{User: name, Roles: roles}
}

func wantCode(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: error %v (%q), want %q", what, err, fault.CodeOf(err), code)
	}
}

func wantNoIdentity(t *testing.T, what string, err error) {
	t.Helper()
	wantCode(t, what, err, fault.Denied)
	if !errors.Is(err, auth.ErrNoIdentity) || fault.HintOf(err) == "" {
		t.Errorf("%s: error %v with hint %q, want ErrNoIdentity and a hint", what, err, fault.HintOf(err))
	}
}

func TestTheFirstStartGivesOneAdminToken(t *testing.T) {
	a, _ := service(t)
	secret, err := a.Bootstrap(t.Context(), nowhere, nowhere)
	if err != nil || !strings.HasPrefix(secret, "fw_") {
		t.Fatalf("Bootstrap = %q, %v; want a token", secret, err)
	}
	who, err := a.Authenticate(t.Context(), secret)
	if err != nil || who.User != auth.FirstAdmin || !who.Has(auth.Admin) || who.Worker {
		t.Errorf("Authenticate = %+v, %v; want the admin", who, err)
	}
	if again, err := a.Bootstrap(t.Context(), nowhere, nowhere); again != "" || err != nil {
		t.Errorf("a second Bootstrap = %q, %v; want nothing", again, err)
	}
}

func TestAnAdminWithoutAWayInGetsTheFirstTokenAtTheNextStart(t *testing.T) {
	a, _ := service(t)
	add := func(tx auth.Tx) error {
		return tx.AddUser(auth.User{Name: auth.FirstAdmin, Roles: []auth.Role{auth.Admin}})
	}
	if err := a.Store.Update(t.Context(), add); err != nil {
		t.Fatal(err)
	}
	if secret, err := a.Bootstrap(t.Context(), nowhere, nowhere); secret == "" || err != nil {
		t.Errorf("Bootstrap after a kill in the middle = %q, %v; want a token", secret, err)
	}
}

// overtaken is a store on which another server makes its first token while this one is about
// to commit for the nth time.
type overtaken struct {
	auth.Store
	nth  int
	make func()
}

func (o *overtaken) Update(ctx context.Context, f func(auth.Tx) error) error {
	if o.nth--; o.nth == 0 {
		o.make()
	}
	return o.Store.Update(ctx, f)
}

func TestOfTwoFirstServersOneGivesTheToken(t *testing.T) {
	for nth := 1; nth <= 2; nth++ {
		one, _ := service(t)
		var first string
		two := auth.New(&overtaken{Store: one.Store, nth: nth, make: func() {
			var err error
			if first, err = one.Bootstrap(t.Context(), nowhere, nowhere); err != nil || first == "" {
				t.Errorf("the first server got the token %q, %v", first, err)
			}
		}})
		kept := map[string]bool{}
		keep := func(token string) error { kept[token] = true; return nil }
		drop := func(token string) error { delete(kept, token); return nil }
		if second, err := two.Bootstrap(t.Context(), keep, drop); second != "" || err != nil {
			t.Errorf("overtaken at commit %d, Bootstrap = %q, %v; want no token and no error", nth, second, err)
		}
		if len(kept) > 0 {
			t.Errorf("overtaken at commit %d, a token that was never stored is kept", nth)
		}
		if _, err := one.Authenticate(t.Context(), first); err != nil {
			t.Errorf("the token of the first server: %v", err)
		}
	}
}

func TestOnlyTheHashOfATokenIsKept(t *testing.T) {
	a, _ := service(t)
	text, err := a.Bootstrap(t.Context(), nowhere, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := a.ListTokens(t.Context(), admin, "")
	if err != nil || len(tokens) != 1 {
		t.Fatalf("ListTokens = %v, %v; want one", tokens, err)
	}
	secret := text[strings.LastIndex(text, "_")+1:]
	if len(secret) != 52 {
		t.Errorf("the secret has %d characters, want the 52 that hold 256 bits", len(secret))
	}
	if len(tokens[0].Hash) != 64 || strings.Contains(tokens[0].Hash, secret) {
		t.Errorf("the hash is %q", tokens[0].Hash)
	}
}

func TestAWrongTokenIsNobodys(t *testing.T) {
	a, _ := service(t)
	good, err := a.Bootstrap(t.Context(), nowhere, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := a.CreateToken(t.Context(), admin, auth.NewToken{User: auth.FirstAdmin, Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	parts, otherParts := strings.Split(good, "_"), strings.Split(other, "_")
	for name, bearer := range map[string]string{
		"none":               "",
		"no token":           "hello",
		"no secret":          "fw_" + parts[1] + "_",
		"a changed secret":   good[:len(good)-1] + map[bool]string{true: "b", false: "a"}[strings.HasSuffix(good, "a")],
		"another's ID":       strings.Join([]string{"fw", otherParts[1], parts[2]}, "_"),
		"another prefix":     "gh" + good[2:],
		"one part too many":  good + "_x",
		"the ID as a secret": "fw_" + parts[1] + "_" + parts[1],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Authenticate(t.Context(), bearer)
			wantNoIdentity(t, "Authenticate", err)
		})
	}
}

func TestATokenEndsByRevocationAndExpiry(t *testing.T) {
	a, c := service(t)
	ann := create(t, a, "ann", "", auth.Developer)
	text, token, err := a.CreateToken(t.Context(), ann, auth.NewToken{User: "ann", Name: "ci", For: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour - 1)
	if _, err := a.Authenticate(t.Context(), text); err != nil {
		t.Errorf("a token just before its end: %v", err)
	}
	c.advance(1)
	_, err = a.Authenticate(t.Context(), text)
	wantNoIdentity(t, "an expired token", err)
	if !strings.Contains(err.Error(), token.ID) {
		t.Errorf("the error %q does not name the token", err)
	}

	text, token, err = a.CreateToken(t.Context(), ann, auth.NewToken{User: "ann", Name: "cd"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.RevokeToken(t.Context(), ann, token.ID); err != nil {
		t.Fatal(err)
	}
	_, err = a.Authenticate(t.Context(), text)
	wantNoIdentity(t, "a revoked token", err)
}

func TestAWorkersTokenIsBoundToItsEnvironments(t *testing.T) {
	a, _ := service(t)
	create(t, a, "robot", "", auth.SRE)
	text, _, err := a.CreateToken(t.Context(), admin, auth.NewToken{User: "robot", Name: "w1", Worker: true, Environments: []string{"staging"}})
	if err != nil {
		t.Fatal(err)
	}
	who, err := a.Authenticate(t.Context(), text)
	if err != nil || !who.Worker || who.Has(auth.Roles...) || !who.MayLease("staging", "") || who.MayLease("production", "") {
		t.Errorf("the worker is %+v, %v; want no roles, and only staging", who, err)
	}
	if person := (auth.Identity{User: "ann", Roles: []auth.Role{auth.SRE}}); person.MayLease("staging", "") || !admin.MayLease("staging", "") {
		t.Error("leasing is for workers and admins")
	}
	_, err = a.LoginWithToken(t.Context(), text)
	wantNoIdentity(t, "a login with a worker's token", err)
	_, err = a.CreateUser(t.Context(), auth.Identity{User: "robot", Worker: true, Roles: []auth.Role{auth.Admin}}, auth.NewUser{Name: "x"})
	wantCode(t, "CreateUser by a worker", err, fault.Denied)
}

func TestASessionLastsFromLoginToLogout(t *testing.T) {
	a, c := service(t)
	create(t, a, "ann", "correct horse battery", auth.Developer)
	login, err := a.Login(t.Context(), "ann", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	who, session, err := a.Resume(t.Context(), login.Secret)
	if err != nil || who.User != "ann" || !who.Has(auth.Developer) || who.Token != nil {
		t.Fatalf("Resume = %+v, %v", who, err)
	}
	if session.Hash == login.Secret || session.CSRF == "" || session.CSRF == login.Secret {
		t.Errorf("the session gives its secret away: %+v", session)
	}
	if err := a.CheckCSRF(session, session.CSRF); err != nil {
		t.Errorf("CheckCSRF with the session's token: %v", err)
	}
	for _, token := range []string{"", "x", login.Secret} {
		wantCode(t, "CheckCSRF with "+token, a.CheckCSRF(session, token), fault.Denied)
	}
	wantCode(t, "CheckCSRF of no session", a.CheckCSRF(auth.Session{}, ""), fault.Denied)

	if err := a.Logout(t.Context(), login.Secret); err != nil {
		t.Fatal(err)
	}
	_, _, err = a.Resume(t.Context(), login.Secret)
	wantNoIdentity(t, "Resume after the logout", err)

	login, err = a.Login(t.Context(), "ann", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	c.advance(a.SessionTime)
	_, _, err = a.Resume(t.Context(), login.Secret)
	wantNoIdentity(t, "Resume after the session's time", err)
}

func TestATokenStartsASession(t *testing.T) {
	a, _ := service(t)
	secret, err := a.Bootstrap(t.Context(), nowhere, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	login, err := a.LoginWithToken(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	if who, _, err := a.Resume(t.Context(), login.Secret); err != nil || who.User != auth.FirstAdmin {
		t.Errorf("Resume = %+v, %v; want the admin", who, err)
	}
}

func TestAWrongNameAndAWrongPasswordAreAnsweredAlike(t *testing.T) {
	a, _ := service(t)
	create(t, a, "ann", "correct horse battery")
	create(t, a, "tokens-only", "")
	long := strings.Repeat("x", 72)
	create(t, a, "long", long)
	var texts []string
	for _, try := range [][2]string{{"ann", "wrong"}, {"nobody", "wrong"}, {"tokens-only", ""}, {"long", long + "y"}} {
		_, err := a.Login(t.Context(), try[0], try[1])
		wantNoIdentity(t, "Login of "+try[0], err)
		texts = append(texts, err.Error()+fault.HintOf(err))
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("answers differ: %q and %q", text, texts[0])
		}
	}
}

func TestFailingLoginsHaveToWait(t *testing.T) {
	a, c := service(t)
	create(t, a, "ann", "correct horse battery")
	create(t, a, "bob", "another long phrase")
	fail := func() error {
		_, err := a.Login(t.Context(), "ann", "wrong")
		return err
	}
	for range 5 {
		wantNoIdentity(t, "a free failure", fail())
	}
	_, err := a.Login(t.Context(), "ann", "correct horse battery")
	wantCode(t, "the right password while waiting", err, fault.Unavailable)
	if !strings.Contains(fault.HintOf(err), "2s") {
		t.Errorf("hint %q does not say how long to wait", fault.HintOf(err))
	}
	if _, err := a.Login(t.Context(), "bob", "another long phrase"); err != nil {
		t.Errorf("somebody else has to wait too: %v", err)
	}
	c.advance(2 * time.Second)
	wantNoIdentity(t, "a failure after the wait", fail())
	c.advance(2 * time.Second)
	wantCode(t, "the wait has doubled", fail(), fault.Unavailable)
	c.advance(2 * time.Second)
	if _, err := a.Login(t.Context(), "ann", "correct horse battery"); err != nil {
		t.Errorf("the right password after the wait: %v", err)
	}
	for range 5 {
		wantNoIdentity(t, "a free failure after a success", fail())
	}
}

func TestGuessesAtTheSameMomentCountTogether(t *testing.T) {
	a, _ := service(t)
	create(t, a, "ann", "correct horse battery")
	var tried atomic.Int64
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if _, err := a.Login(context.Background(), "ann", "wrong"); fault.CodeOf(err) == fault.Denied {
				tried.Add(1)
			}
		})
	}
	all.Wait()
	if tried.Load() != 5 {
		t.Errorf("%d guesses were tried, want 5", tried.Load())
	}
}
