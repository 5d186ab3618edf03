//go:build unix

package hpc_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestTheStoreIsWrittenInTheFormThatIsConfigured(t *testing.T) {
	canary := rand.Text()
	for form, want := range map[nextflow.Form]string{
		nextflow.AsIs:    canary + `"$`,
		nextflow.Escaped: canary + `\"$`,
	} {
		d, _ := newDriver(t, hpc.Config{Store: nextflow.Store{Form: form}})
		o, open := staged(t, map[string][]byte{"AB": []byte(canary + `"$`)})
		id, err := d.Create(t.Context(), o, open)
		if err != nil {
			t.Fatal(err)
		}
		env := d.Environment(d.References(o, id))
		file, err := os.ReadFile(env["NXF_SECRETS_FILE"])
		if err != nil {
			t.Fatal(err)
		}
		var got []struct{ Value string }
		if err := json.Unmarshal(file, &got); err != nil || len(got) != 1 || got[0].Value != want {
			t.Errorf("form %d: %d entries, %v", form, len(got), err)
		}
		if raw, err := os.ReadFile(env["PIPESECRETS_DIR"] + "/AB"); err != nil || string(raw) != canary+`"$` {
			t.Errorf("form %d: the secret's own file is not what was staged (%v)", form, err)
		}
	}
}

func TestWhatTheConfiguredStoreDoesNotCarryIsRefused(t *testing.T) {
	ab, err := secrets.ParseName("AB")
	if err != nil {
		t.Fatal(err)
	}
	d, _ := newDriver(t, hpc.Config{Store: nextflow.Store{Form: nextflow.Escaped, Read: []secrets.Name{ab}}})
	for _, plain := range []string{"two\nlines", "quo\"te"} {
		v, err := secrets.NewValue([]byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		var invalid *secrets.InvalidError
		if err := d.Carries(ab, v); !errors.As(err, &invalid) || invalid.Field != "value" {
			t.Errorf("%d bytes: %v", len(plain), err)
		}
	}
	o, open := staged(t, map[string][]byte{"CD": []byte("x AB=" + rand.Text()), "AB": []byte(rand.Text())})
	var refused *provider.Error
	if _, err := d.Create(t.Context(), o, open); !errors.As(err, &refused) || refused.Code != provider.Refused || strings.Contains(err.Error(), "CD") {
		t.Errorf("a value with the name of another: %v", err)
	}
}
