package docs

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// importPaths are those of the packages that snippets use. A reader's editor adds them as well.
var importPaths = map[string]string{
	"bytes": "bytes", "context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http",
	"httptest": "net/http/httptest", "httputil": "net/http/httputil", "io": "io", "os": "os", "slog": "log/slog",
	"sql": "database/sql", "strconv": "strconv", "strings": "strings", "testing": "testing", "time": "time",
	"cache":       "github.com/reprise-go/reprise/cache",
	"dialect":     "github.com/reprise-go/reprise/dialect",
	"effect":      "github.com/reprise-go/reprise/effect",
	"grpcadapter": "github.com/reprise-go/reprise/grpcadapter",
	"httpadapter": "github.com/reprise-go/reprise/httpadapter",
	"httpclient":  "github.com/reprise-go/reprise/httpclient",
	"lock":        "github.com/reprise-go/reprise/lock",
	"replay":      "github.com/reprise-go/reprise/replay",
	"reprisetest": "github.com/reprise-go/reprise/reprisetest",
	"telemetry":   "github.com/reprise-go/reprise/telemetry",
	"otel":        "go.opentelemetry.io/otel",
	"grpc":        "google.golang.org/grpc",
	"pgx":         "github.com/jackc/pgx/v5",
}

// Each go block compiles against the repository. A block with a package clause is a file, and so is one of declarations.
// One of statements gets what a reader has around it: a function; the imports; the names that the page takes for
// granted, such as the reader's mux and handler, which are in testdata/given; and a use of each variable that it
// declares, since the reader goes on where the block ends.
func TestSnippetsCompile(t *testing.T) {
	overlay := map[string]string{} // of files that the go command takes for files of the repository
	var packages []string
	for _, p := range manual(t) {
		for _, b := range p.blocks() {
			if b.language != "go" {
				continue
			}
			page := strings.ToLower(strings.TrimSuffix(filepath.Base(p.name), ".md"))
			name := fmt.Sprintf("snippet_%s_%d", page, b.line)
			if formatted, err := format.Source([]byte(b.text)); err == nil && string(formatted) != b.text {
				t.Errorf("%s:%d: gofmt has it so:\n%s", p.name, b.line, formatted)
			}
			source, err := b.source()
			if err != nil {
				t.Errorf("%s:%d: %v", p.name, b.line, err)
				continue
			}
			here := filepath.Join("integration/docs", name)
			packages = append(packages, "./"+here)
			overlay[filepath.Join(here, "snippet.go")] = write(t, name, source)
			if given := filepath.Join("testdata/given", page+".go"); !b.isFile() {
				if _, err := os.Stat(given); !errors.Is(err, fs.ErrNotExist) {
					overlay[filepath.Join(here, "given.go")] = given
				}
			}
		}
	}
	if len(packages) < 8 {
		t.Fatalf("%d snippets found, want 8 at least: the test has lost them", len(packages))
	}

	replace := map[string]string{}
	for file, from := range overlay {
		replace[abs(t, filepath.Join(root, file))] = abs(t, from)
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", append([]string{"build", "-o", os.DevNull, "-overlay", write(t, "overlay.json", string(list))}, packages...)...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func (b block) isFile() bool { return strings.HasPrefix(b.text, "package ") }

// source returns the file that the block is made into. Faults in it are reported at the page's lines.
func (b block) source() (string, error) {
	text := fmt.Sprintf("//line %s:%d\n%s", b.page.name, b.line, b.text)
	if b.isFile() {
		return text, nil
	}
	file, err := parse(text)
	if err != nil {
		if file, err = parse("func _() {\n" + text + "}\n"); err != nil {
			return "", fmt.Errorf("neither declarations nor statements: %w", err)
		}
		text = "func _() {\n" + text + uses(file.Decls[0].(*ast.FuncDecl)) + "}\n"
	}
	head := "package snippet\n"
	for _, unknown := range file.Unresolved {
		line := fmt.Sprintf("import %q\n", importPaths[unknown.Name])
		if importPaths[unknown.Name] != "" && !strings.Contains(head, line) {
			head += line
		}
	}
	return head + text, nil
}

func parse(declarations string) (*ast.File, error) {
	return parser.ParseFile(token.NewFileSet(), "", "package snippet\n"+declarations, 0)
}

// uses returns statements that use what a function's own statements declare.
func uses(f *ast.FuncDecl) (statements string) {
	for _, s := range f.Body.List {
		if assign, ok := s.(*ast.AssignStmt); ok && assign.Tok == token.DEFINE {
			for _, name := range assign.Lhs {
				if name := name.(*ast.Ident).Name; name != "_" {
					statements += "_ = " + name + "\n"
				}
			}
		}
	}
	return statements
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func abs(t *testing.T, file string) string {
	t.Helper()
	file, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	return file
}
