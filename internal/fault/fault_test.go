package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
)

func TestCodeOf(t *testing.T) {
	denied := fault.Errorf(fault.Denied, "no")
	for name, tc := range map[string]struct {
		err  error
		want fault.Code
	}{
		"nil has no code":             {nil, ""},
		"a plain error is internal":   {io.EOF, fault.Internal},
		"a fault keeps its code":      {denied, fault.Denied},
		"wrapping keeps the code":     {fmt.Errorf("approve release: %w", denied), fault.Denied},
		"the outermost fault decides": {fault.Errorf(fault.Conflict, "busy: %w", denied), fault.Conflict},
		"a timeout is unavailable":    {fmt.Errorf("get: %w", context.DeadlineExceeded), fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fault.CodeOf(tc.err); got != tc.want {
				t.Errorf("CodeOf(%v) = %q, want %q", tc.err, got, tc.want)
			}
		})
	}
}

func TestErrorfKeepsTheCause(t *testing.T) {
	err := fault.Errorf(fault.Unavailable, "read table: %w", io.ErrUnexpectedEOF)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("errors.Is does not find the cause in %v", err)
	}
}

func TestInternalTextStaysInside(t *testing.T) {
	if got := fault.MessageOf(errors.New("SELECT secret FROM users")); strings.Contains(got, "SELECT") {
		t.Errorf("MessageOf leaked internal text: %q", got)
	}
}

func TestHintOfLooksDownTheChain(t *testing.T) {
	inner := fault.Errorf(fault.NotFound, "no such file").WithHint("create it with `fairway init`")
	outer := fault.Errorf(fault.Invalid, "check: %w", inner)
	if got := fault.HintOf(fmt.Errorf("cli: %w", outer)); got != inner.Hint {
		t.Errorf("HintOf = %q, want %q", got, inner.Hint)
	}
}

func TestMessageWithHintIsOneSentence(t *testing.T) {
	denied := fault.Errorf(fault.Denied, "the worker may not list pods").WithHint("give it the role")
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"nil says nothing":              {nil, ""},
		"without a hint it is as it is": {fault.Errorf(fault.Invalid, "no such folder"), "no such folder"},
		"the hint follows":              {denied, "the worker may not list pods; give it the role"},
		"a hint of the cause counts":    {fault.Errorf(fault.Denied, "place: %w", denied), "place: the worker may not list pods; give it the role"},
		"what is internal stays inside": {fault.Errorf(fault.Internal, "SELECT").WithHint("DROP"), fault.MessageOf(io.EOF)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fault.MessageWithHint(tc.err); got != tc.want {
				t.Errorf("it says %q, want %q", got, tc.want)
			}
		})
	}
}
