package grpcadapter

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/dialect"
)

// The table of docs/grpc.md has every reason that a client can see, with its code, "yes" if the same call may be sent
// again, and what else the error carries. It stands here, because the module of the other tests of docs has no gRPC.
func TestPageHasEveryReason(t *testing.T) {
	page, err := os.ReadFile("../docs/grpc.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "\n| reason | code | again | also |\n|---|---|---|---|\n")
	if !found {
		t.Fatal("docs/grpc.md has no table of reasons")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	told := map[string]bool{}
	for row := range strings.Lines(table + "\n") {
		told[strings.TrimSuffix(row, "\n")] = false
	}

	for o, reply := range replies {
		if o == dialect.ReplayHidden { // has no reason
			continue
		}
		again, also := "", ""
		if o.Retryable() {
			again = "yes "
		}
		if st, _ := refusal(o, "k", "w", 0); strings.Contains(fmt.Sprint(status.Convert(st.Err()).Details()), "field:") {
			also = "`google.rpc.BadRequest` "
		}
		begin := fmt.Sprintf("| `%s` | `%s` | %s| %s", reason(o), codeName(reply.code.String()), again, also)
		ok := false
		for row := range told {
			if strings.HasPrefix(row, begin) {
				told[row], ok = true, true
			}
		}
		if !ok {
			t.Errorf("docs/grpc.md has no row that begins with %q", begin)
		}
	}
	for row, known := range told {
		if !known {
			t.Errorf("docs/grpc.md has a row that nothing says: %q", row)
		}
	}
}

// codeName is a code's name in the specification, INVALID_ARGUMENT for Go's InvalidArgument.
func codeName(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}
