package search_test

import (
	"crypto/rand"
	"fmt"
	"os/exec"
	"testing"

	"github.com/pipesecrets/pipesecrets/examples/internal/search"
)

func TestTheScanFindsAValueInEachForm(t *testing.T) {
	v := []byte(rand.Text())
	for _, form := range []string{"%s", "%x", "%X"} {
		if !search.Holds(fmt.Appendf(nil, "xx"+form+"yy", v), v) {
			t.Errorf("not as %s", form)
		}
	}
	for _, before := range []string{"", "a", "ab"} {
		text, err := exec.Command("sh", "-c", `printf %s "$1" | base64`, "sh", before+string(v)+"more").Output()
		if err != nil || !search.Holds(text, v) {
			t.Errorf("not in base64 after %d bytes (%v)", len(before), err)
		}
	}
}
