package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
)

// Users manages who there is; only an admin may.
type Users interface {
	CreateUser(ctx context.Context, by auth.Identity, n auth.NewUser) (auth.User, error)
	ListUsers(ctx context.Context, by auth.Identity) ([]auth.User, error)
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
	list, err := s.Auth.ListUsers(ctx, who(ctx))
	return answered(page(wired(list, wireUser), ""), err)
}

type addUserInput struct{ Body client.NewUser }

func (s *server) addUser(ctx context.Context, in *addUserInput) (*answer[client.User], error) {
	roles := wired(in.Body.Roles, func(r string) auth.Role { return auth.Role(r) })
	u, err := s.Auth.CreateUser(ctx, who(ctx), auth.NewUser{Name: in.Body.Name, Roles: roles, Password: in.Body.Password})
	return answered(wireUser(u), err)
}

func wireUser(u auth.User) client.User {
	return client.User{Name: u.Name, Roles: roleNames(u.Roles), CreatedAt: u.CreatedAt}
}
