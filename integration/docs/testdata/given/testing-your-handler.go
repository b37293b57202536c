package snippet

import (
	"database/sql"
	"net/http"
	"testing"

	"github.com/reprise-go/reprise/replay"
)

func openTestDatabase(*testing.T) *sql.DB { return nil }

func newAPI(*testing.T, *replay.Engine, *sql.DB) http.Handler { return nil }

func count(*testing.T, *sql.DB, string) int { return 0 }
