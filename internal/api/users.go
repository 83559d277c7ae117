package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

// Users manages who there is.
type Users interface {
	// AddUser makes a user; the password may be empty where only tokens are used.
	AddUser(ctx context.Context, name string, roles []auth.Role, password string) (auth.User, error)
	ListUsers(ctx context.Context) ([]auth.User, error)
}

func (s *server) registerUsers(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "listUsers", Method: http.MethodGet, Path: "/v1/users", Tags: []string{"access"},
		Summary: "List all users", Description: "For admins.", Errors: []int{http.StatusForbidden},
	}, s.listUsers)
	route(s, a, huma.Operation{
		OperationID: "addUser", Method: http.MethodPost, Path: "/v1/users", Tags: []string{"access"},
		Summary: "Make a user", Description: "For admins.", DefaultStatus: http.StatusCreated,
		Errors: []int{http.StatusForbidden, http.StatusConflict},
	}, s.addUser)
}

func (s *server) listUsers(ctx context.Context, _ *struct{}) (*answer[client.Page[client.User]], error) {
	if err := admin(ctx, "list users"); err != nil {
		return nil, err
	}
	list, err := s.Auth.ListUsers(ctx)
	return answered(page(wired(list, wireUser), ""), err)
}

type addUserInput struct{ Body client.NewUser }

func (s *server) addUser(ctx context.Context, in *addUserInput) (*answer[client.User], error) {
	if err := admin(ctx, "make users"); err != nil {
		return nil, err
	}
	roles := wired(in.Body.Roles, func(r string) auth.Role { return auth.Role(r) })
	u, err := s.Auth.AddUser(ctx, in.Body.Name, roles, in.Body.Password)
	return answered(wireUser(u), err)
}

func wireUser(u auth.User) client.User {
	return client.User{Name: u.Name, Roles: roleNames(u.Roles), CreatedAt: u.CreatedAt}
}

// admin refuses everybody else; what completes "may not …".
func admin(ctx context.Context, what string) error {
	if id := who(ctx); !id.Has(auth.Admin) {
		return fault.Errorf(fault.Denied, "%s may not %s: it takes the role admin", id.User, what).WithHint("ask an admin to do it")
	}
	return nil
}
