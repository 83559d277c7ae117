package app

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestTheCodeOfTheStartIsGivenBackAndTheProgramGoesOn(t *testing.T) {
	before := codeInMemory(t)
	forgetStart()
	if after := codeInMemory(t); after >= before/2 {
		t.Errorf("%d of %d kB of the code are mapped", after, before)
	}
}

// codeInMemory is how much of the program's code the kernel counts as this process's, in kB.
func codeInMemory(t *testing.T) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("this kernel does not tell: ", err)
	}
	code := false
	for line := range strings.Lines(string(smaps)) {
		words := strings.Fields(line)
		switch {
		case len(words) > 5:
			code = words[1] == "r-xp" && words[5] == self
		case code && words[0] == "Rss:":
			return atoi(t, words[1])
		}
	}
	t.Fatal("the program has no code")
	return 0
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
