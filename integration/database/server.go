package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

// Dialect is a database's kind, in the words of effect.Dialect.
type Dialect string

const (
	PostgreSQL Dialect = "postgres"
	MariaDB    Dialect = "mysql"
	SQLite     Dialect = "sqlite"
)

// kind is what there is to know of the server of a dialect.
type kind struct {
	driver   string // of database/sql
	imageEnv string // names another image
	image    string
	user     string // whom the server runs as, in the official images and in ours
	port     string
	start    string // a shell's: data that a killed server has left is used again
	admin    string // the database that is there from the start
	source   string // of a data source: address, and the database's name
}

var kinds = map[Dialect]kind{
	PostgreSQL: {
		driver: "pgx", imageEnv: "POSTGRES_IMAGE", image: "postgres:15", user: "postgres", port: "5432/tcp",
		start: `
			[ -d /tmp/data ] || {
				initdb --pgdata=/tmp/data --username=postgres --auth=trust --encoding=UTF8 --no-sync
				echo "host all all all trust" >>/tmp/data/pg_hba.conf
			}
			exec postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp \
				-c max_connections=300 -c fsync=off`,
		admin: "postgres", source: "postgres://postgres@%s/%s?sslmode=disable",
	},
	MariaDB: {
		driver: "mysql", imageEnv: "MARIADB_IMAGE", image: "mariadb:10.11", user: "mysql", port: "3306/tcp",
		start: `
			[ -d /tmp/data ] || mariadb-install-db --no-defaults --datadir=/tmp/data --skip-test-db
			exec mariadbd --no-defaults --datadir=/tmp/data --socket=/tmp/mariadbd.sock --bind-address=0.0.0.0 \
				--skip-grant-tables --skip-name-resolve --max-connections=300 --innodb-flush-log-at-trx-commit=2`,
		admin: "mysql", source: "root@tcp(%s)/%s",
	},
	SQLite: {driver: "sqlite"},
}

// Image is the image that the dialect's server runs, or empty if it has none.
func (d Dialect) Image() string {
	k := kinds[d]
	if image := os.Getenv(k.imageEnv); k.imageEnv != "" && image != "" {
		return image
	}
	return k.image
}

// A Server has the databases of tests. It is killed and started again by the methods of its
// Container; then it may have another address, which a [Proxy] follows.
type Server struct {
	*cluster.Server
	Dialect Dialect

	mu      sync.Mutex
	created int
}

// Start starts a server of PostgreSQL or MariaDB, and returns when it answers. The caller closes it.
func Start(ctx context.Context, d Dialect) (*Server, error) {
	k := kinds[d]
	if k.image == "" {
		return nil, fmt.Errorf("database: %s has no server", d)
	}
	started, err := cluster.StartServer(ctx, cluster.ServerSpec{
		Name: string(d), Image: d.Image(), User: k.user, Port: k.port,
		Command: []string{"sh", "-ec", k.start},
	})
	if err != nil {
		return nil, err
	}
	s := &Server{Server: started, Dialect: d}
	if err := s.Ready(ctx); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// Ready waits until the server answers, as it does a while after a restart.
func (s *Server) Ready(ctx context.Context) error {
	return s.asAdmin(func(db *sql.DB) error { return s.Answers(ctx, db.PingContext) })
}

func (s *Server) asAdmin(do func(*sql.DB) error) error {
	db, err := s.Dialect.Open(s.source(s.Published(), kinds[s.Dialect].admin))
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}

func (s *Server) source(address, name string) string {
	return fmt.Sprintf(kinds[s.Dialect].source, address, name)
}

// create makes an empty database, and returns its name. It stays until the server goes.
func (s *Server) create(ctx context.Context) (name string, err error) {
	s.mu.Lock()
	s.created++
	name = fmt.Sprintf("test%d", s.created)
	s.mu.Unlock()
	err = s.asAdmin(func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "CREATE DATABASE "+name)
		return err
	})
	return name, err
}

// shared has the servers of this test binary, each started for the first test that asks.
var shared = struct {
	sync.Mutex
	servers map[Dialect]*Server
	errs    map[Dialect]error
}{servers: map[Dialect]*Server{}, errs: map[Dialect]error{}}

func sharedServer(t testing.TB, d Dialect) *Server {
	t.Helper()
	cluster.RequireImage(t, d.Image())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	shared.Lock()
	defer shared.Unlock()
	if shared.servers[d] == nil && shared.errs[d] == nil {
		shared.servers[d], shared.errs[d] = Start(ctx, d)
	}
	if err := shared.errs[d]; err != nil {
		t.Fatal(err) // as all tests after this one, without waiting again
	}
	return shared.servers[d]
}

// CloseShared removes the servers that tests asked for.
func CloseShared() {
	shared.Lock()
	defer shared.Unlock()
	for _, s := range shared.servers {
		if s == nil {
			continue
		}
		if err := s.Close(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	clear(shared.servers)
}
