package faultpoints

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
)

// excluded are the cells that have no meaning, by call or fault, and why.
var excluded = map[string]string{
	"ledger.UsedBy": "the engine does not ask it",
	"ledger.Stuck":  "the engine does not ask it",
	"ledger.Stats":  "the engine does not ask it",
	"ledger.Revoke": "the host's own commit, of which the engine hears later",

	"Location": "no I/O", "Capabilities": "no I/O", "Carries": "no I/O", "Plan": "no I/O", "References": "no I/O",

	"stale ledger":       "a ledger answers from one database",
	"stale cluster":      "a platform without a horizon shows everything at once",
	"stale cloud.Create": "it is no look",
	"stale cloud.Open":   "it is no look",
	"stale cloud.Remove": "it is no look",
	"cloud.Withdraw":     "its objects hold one secret each",
}

func TestEveryCallThatFailsInAnyWayLeavesNothingBehind(t *testing.T) {
	calls := play(t, "no fault", 2, whole, nil).calls
	hit := map[string]int{}
	for i, call := range calls {
		for _, f := range faults {
			what := fmt.Sprintf("%s at call %d, %s", f, i, call)
			if w := play(t, what, 2, whole, map[int]fault{i: f}); w.struck > 0 {
				hit[call+" "+f.String()]++
			}
			if t.Failed() {
				return
			}
		}
	}
	cells := 0
	for _, call := range allPoints() {
		for _, f := range faults {
			cell := call + " " + f.String()
			platform, _, _ := strings.Cut(call, ".")
			switch why := excluded[call] + excluded[f.String()+" "+platform] + excluded[f.String()+" "+call]; {
			case why == "" && hit[cell] == 0:
				t.Errorf("%s: never struck", cell)
			case why != "" && hit[cell] > 0:
				t.Errorf("%s: struck, though %s", cell, why)
			case why == "":
				cells++
			}
		}
	}
	t.Logf("calls=%d cells=%d", len(calls), cells)
}

// allPoints are all calls that there are, found by reflection: a new method is one
// until it is excluded.
func allPoints() (all []string) {
	for method := range reflect.TypeFor[stage.Ledger]().Methods() {
		all = append(all, "ledger."+method.Name)
	}
	for _, platform := range []string{"cloud.", "cluster."} {
		for _, contract := range []reflect.Type{
			reflect.TypeFor[provider.Provider](), reflect.TypeFor[provider.Lister](), reflect.TypeFor[provider.Withdrawer](),
		} {
			for method := range contract.Methods() {
				if excluded[method.Name] == "" {
					all = append(all, platform+method.Name)
				}
			}
		}
		all = append(all, platform+"Open")
	}
	return all
}

func TestEveryTwoCallsThatFailLeaveNothingBehind(t *testing.T) {
	calls := len(play(t, "no fault", 1, launchAndEnd, nil).calls)
	pairs := 0
	for i := range calls {
		for _, f := range faults {
			if w := play(t, "", 1, launchAndEnd, map[int]fault{i: f}); w.struck == 0 {
				continue // it has no meaning there
			}
			for j := i + 1; j < calls; j++ {
				if testing.Short() && (i+j)%7 != 0 {
					continue
				}
				for _, g := range faults {
					what := fmt.Sprintf("%s at call %d, then %s at call %d", f, i, g, j)
					if w := play(t, what, 1, launchAndEnd, map[int]fault{i: f, j: g}); w.struck == 2 {
						pairs++
					}
					if t.Failed() {
						return
					}
				}
			}
		}
	}
	t.Logf("calls=%d pairs=%d", calls, pairs)
}
