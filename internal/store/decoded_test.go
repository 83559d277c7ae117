package store_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/store"
)

func TestALargeRunIsReadAsItWasSavedLast(t *testing.T) {
	st := openAt(t, filepath.Join(t.TempDir(), "fairway.db"))
	addRelease(t, st, "r1")
	reasonOf := func() string {
		var rec drive.Record
		err := st.View(t.Context(), func(tx *store.Tx) (err error) {
			rec, err = tx.LoadRun("r1")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return rec.Run.Environments[len(rec.Run.Environments)-1].Reason
	}
	for i := range 3 {
		want := fmt.Sprint("reason ", i, strings.Repeat(".", 40_000))
		err := st.Update(t.Context(), func(tx *store.Tx) error {
			rec, err := tx.LoadRun("r1")
			if err != nil {
				return err
			}
			many := slices.Clone(rec.Run.Environments)
			many[len(many)-1].Reason = want
			rec.Run.Environments = many
			return tx.SaveRun(rec, time.Time{})
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time it is kept
			if got := reasonOf(); got != want {
				t.Errorf("after %.10q it has %.10q", want, got)
			}
		}
	}
}
