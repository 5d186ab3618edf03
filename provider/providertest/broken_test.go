package providertest_test

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
)

// howBroken tells a process of this test how its driver is broken.
const howBroken = "PROVIDERTEST_BROKEN"

// broken are ways to break a driver. The name of each is the sentence of the
// contract that it breaks, a colon, and what the driver does.
func broken() map[string]func(*rigged) {
	all := map[string]func(*rigged){}
	maps.Copy(all, brokenMaking)
	maps.Copy(all, brokenLooking)
	maps.Copy(all, brokenRest)
	return all
}

func TestEachSentenceOfTheSuiteFailsForADriverThatBreaksIt(t *testing.T) {
	if how := os.Getenv(howBroken); how != "" {
		providertest.Run(t, brokenHarness(how))
		return
	}
	caught := map[string]bool{}
	for _, how := range slices.Sorted(maps.Keys(broken())) {
		sentence, _, _ := strings.Cut(how, ":")
		caught[sentence] = true
		t.Run(how, func(t *testing.T) {
			group, test, _ := strings.Cut(sentence, "/")
			top, _, _ := strings.Cut(t.Name(), "/")
			cmd := exec.Command(os.Args[0], "-test.v", "-test.timeout=1m", "-test.run=^"+top+"$/^"+group+"$/^"+test+"$")
			cmd.Env = append(os.Environ(), howBroken+"="+how)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: "+top+"/"+sentence+" ") {
				t.Errorf("it was not noticed (%v):\n%s", err, out)
			}
		})
	}
	for _, sentence := range providertest.Sentences() {
		if !caught[sentence] {
			t.Errorf("no driver breaks %s", sentence)
		}
	}
}

// brokenHarness is a good platform under a driver that is broken.
func brokenHarness(how string) providertest.Harness {
	c := providertest.Config{Joint: true}
	if strings.Contains(how, "horizon") {
		c.Horizon, c.Choose = 10*time.Minute, func(f providertest.Freedom, n int) int {
			if f == providertest.Twice || f == providertest.Twice+" by" {
				return n - 1
			}
			return 0
		}
	}
	return harness(c, func(p *providertest.Platform, d provider.Provider) provider.Provider {
		r := &rigged{whole: d.(whole), platform: p}
		broken()[how](r)
		return r
	})
}
