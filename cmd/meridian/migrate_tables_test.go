//go:build databases

package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/errgroup"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

var (
	movedRows = flag.Int("tables.rows", 1000, "rows of each table that is moved")
	movedWay  = flag.String("tables.way", "standard", "the way by which they are moved")
)

// Tables of PostgreSQL and MariaDB are moved between two regions while an application changes, adds and deletes rows and
// the mover is killed. No write of the application is lost, and every row is moved in the end, by whichever way -tables.way
// names; and what the runs have replaced can be put back.
func TestTablesAreMoved(t *testing.T) {
	d := startDev(t, "--regions", "2")
	ready := d.ready()
	pool := newBlobPool(t, d.client(ready.Regions[0]))
	args := append([]string{"--regions", d.readyFile, "--from", ready.Regions[0].ID, "--to", ready.Regions[1].ID}, wayArgs(t, d.client(ready.Regions[1]))...)
	for _, test := range []struct{ name, variable, driver string }{{"postgres", "TEST_POSTGRES_URL", "pgx"}, {"mysql", "TEST_MYSQL_URL", "mysql"}} {
		t.Run(test.name, func(t *testing.T) {
			text := os.Getenv(test.variable)
			if text == "" {
				t.Fatalf("%s is empty: bash .ci/databases go test -tags databases ./cmd/meridian", test.variable)
			}
			app := &application{t: t, name: test.name, pool: pool, holds: map[int]int{}}
			app.open(text, test.driver)
			app.fill(*movedRows)
			folder, db := t.TempDir(), []string{"--db", "env://" + test.variable}
			columns := append(db, "--table", "app_keys", "--key", "id", "--column", "wrapped", "--context-column", "sealed_in")
			moveTable(t, app, folder, slices.Concat(args, columns))
			app.check(d.client(ready.Regions[1]), ready.Regions[1].ID)
			if out := says(t, exitDone, slices.Concat([]string{"key", "census"}, columns)...); !strings.Contains(out, ready.Regions[1].ID) || strings.Contains(out, ready.Regions[0].ID) {
				t.Errorf("the census: %s", out)
			}
			verify := slices.Concat([]string{"migrate", "verify", "--journal", filepath.Join(folder, "first"), "--sample", "200"}, args, db)
			if *movedWay == "standard" {
				verify = append(verify, "--open")
			}
			if said := says(t, exitUsage, append(verify, "--column", "id")...); !strings.Contains(said, `the run had --column "wrapped"`) {
				t.Errorf("verify of another column: %s", said)
			}
			t.Logf("verify: %s", strings.TrimSpace(says(t, exitDone, verify...)))
			app.rollBack(folder, db)
		})
	}
}

// wayArgs are the flags of the way.
func wayArgs(t *testing.T, to *client.Client) []string {
	t.Helper()
	if *movedWay != "standard" {
		return []string{"--way", *movedWay}
	}
	var created struct{ KeyMetadata struct{ KeyId string } }
	if _, err := to.Do(t.Context(), "CreateKey", map[string]string{"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT/DECRYPT"}, &created); err != nil {
		t.Fatal(err)
	}
	return []string{"--transport-key", created.KeyMetadata.KeyId}
}

// moveTable runs the mover until it is done, kills it meanwhile, and then once more without disturbance.
func moveTable(t *testing.T, app *application, folder string, args []string) {
	t.Helper()
	stop := app.start()
	began, kills := time.Now(), 0
	for start := 0; ; start++ {
		after := time.Duration(0)
		if start < 5 {
			after = time.Duration(300+rand.IntN(700)) * time.Millisecond
		}
		code, said := runMover(t, filepath.Join(folder, "first"), args, after)
		if code == -1 {
			kills++
			continue
		}
		if code != exitDone && code != exitFailedRows { // rows that were changed twice, or deleted, meanwhile
			t.Fatalf("start %d: %d: %s", start, code, said)
		}
		first, _, _ := strings.Cut(said, `"failures"`)
		t.Logf("killed %d times, done after %s: %s", kills, time.Since(began).Round(time.Second), strings.Join(strings.Fields(first), " "))
		break
	}
	if kills == 0 {
		t.Error("it was too fast to be killed")
	}
	stop()
	code, said := runMover(t, filepath.Join(folder, "second"), args, 0)
	if code != exitDone {
		t.Fatalf("the second run: %d: %s", code, said)
	}
	var v migrateView
	if err := json.Unmarshal([]byte(said), &v); err != nil || int(v.Rows) != len(app.holds) || !v.Done {
		t.Errorf("the second run: %+v, %v; %d rows are there", v, err, len(app.holds))
	}
}

// says runs a verb, wants an exit code, and returns what it said.
func says(t *testing.T, code int, args ...string) string {
	t.Helper()
	c := exec.Command(binary, args...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != code {
		t.Fatalf("meridian %s: %v, want exit code %d: %s", strings.Join(args, " "), err, code, out)
	}
	return string(out)
}

// runMover returns its exit code and what it said; -1: it was killed.
func runMover(t *testing.T, journal string, args []string, after time.Duration) (int, string) {
	t.Helper()
	c := exec.Command(binary, append([]string{"migrate", "run", "--journal", journal, "--output", "json", "--quiet"}, args...)...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = c.Process.Kill() }) // an error means that it has ended
		defer timer.Stop()
	}
	err := c.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return exitDone, out.String()
	case !errors.As(err, &exit):
		t.Fatal(err)
	}
	return exit.ExitCode(), out.String() + errs.String()
}

// blobPool are data keys of the source region, and what they are.
type blobPool struct {
	blobs, plaintexts, contexts []string
}

const poolSize = 2000

func newBlobPool(t *testing.T, from *client.Client) *blobPool {
	t.Helper()
	p := &blobPool{make([]string, poolSize), make([]string, poolSize), make([]string, poolSize)}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for i := range poolSize {
		group.Go(func() error {
			var made struct{ CiphertextBlob, Plaintext string }
			p.contexts[i] = fmt.Sprintf(`{"tenant": "%d"}`, i%7)
			_, err := from.Do(ctx, "GenerateDataKey", map[string]string{"KeyId": "alias/demo", "EncryptionContext": p.contexts[i]}, &made)
			p.blobs[i], p.plaintexts[i] = made.CiphertextBlob, made.Plaintext
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return p
}

// application is who else writes the table. It knows what every row holds.
type application struct {
	t      *testing.T
	name   string
	db     *sql.DB
	pool   *blobPool
	holds  map[int]int // id -> place in the pool
	writes atomic.Int64
}

// open connects, and makes the table. PostgreSQL has binary blobs and jsonb here, MariaDB text.
func (a *application) open(text, driver string) {
	a.t.Helper()
	create := "CREATE TABLE app_keys (id bigint PRIMARY KEY, wrapped bytea NOT NULL, sealed_in jsonb, note text)"
	if driver == "mysql" {
		u, err := url.Parse(text)
		if err != nil {
			a.t.Fatal(err)
		}
		text = u.User.Username() + "@unix(" + u.Query().Get("socket") + ")" + u.Path
		create = "CREATE TABLE app_keys (id varchar(20) PRIMARY KEY, wrapped varchar(400) NOT NULL, sealed_in json, note text)"
	}
	var err error
	if a.db, err = sql.Open(driver, text); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		if _, err := a.db.Exec("DROP TABLE app_keys"); err != nil {
			a.t.Error(err)
		}
		if err := a.db.Close(); err != nil {
			a.t.Error(err)
		}
	})
	a.exec("DROP TABLE IF EXISTS app_keys")
	a.exec(create)
}

func (a *application) exec(query string, args ...any) {
	a.t.Helper()
	if _, err := a.db.Exec(query, args...); err != nil {
		a.t.Fatalf("%.100s: %v", query, err)
	}
}

// values are the columns of a row as its table takes them.
func (a *application) values(id, place int) []any {
	if a.name == "mysql" {
		return []any{fmt.Sprint(id), a.pool.blobs[place], a.pool.contexts[place]}
	}
	blob, err := base64.StdEncoding.DecodeString(a.pool.blobs[place])
	if err != nil {
		panic(err)
	}
	return []any{id, blob, a.pool.contexts[place]}
}

// sql writes parameters as the database takes them.
func (a *application) sql(query string) string {
	if a.name == "mysql" {
		return query
	}
	for n := 1; strings.Contains(query, "?"); n++ {
		query = strings.Replace(query, "?", fmt.Sprintf("$%d", n), 1)
	}
	return query
}

// fill adds rows, five hundred at a time.
func (a *application) fill(rows int) {
	a.t.Helper()
	for id := 1; id <= rows; {
		var values []string
		var args []any
		for ; id <= rows && len(values) < 500; id++ {
			a.holds[id] = rand.IntN(poolSize)
			values, args = append(values, "(?, ?, ?)"), append(args, a.values(id, a.holds[id])...)
		}
		a.exec(a.sql("INSERT INTO app_keys (id, wrapped, sealed_in) VALUES "+strings.Join(values, ", ")), args...)
	}
}

// start writes until the returned function is called.
func (a *application) start() (stop func()) {
	ctx, cancel := context.WithCancel(a.t.Context())
	var group sync.WaitGroup
	rows := len(a.holds)
	group.Go(func() {
		for ctx.Err() == nil {
			a.write(1+rand.IntN(rows*11/10), rand.IntN(poolSize))
		}
	})
	return func() {
		cancel()
		group.Wait()
		a.t.Logf("the application wrote %d times", a.writes.Load())
	}
}

// write adds, changes or deletes a row.
func (a *application) write(id, place int) {
	values := a.values(id, place)
	_, there := a.holds[id]
	var err error
	switch {
	case !there:
		_, err = a.db.Exec(a.sql("INSERT INTO app_keys (id, wrapped, sealed_in) VALUES (?, ?, ?)"), values...)
	case place%10 == 0:
		_, err = a.db.Exec(a.sql("DELETE FROM app_keys WHERE id = ?"), values[0])
	default:
		_, err = a.db.Exec(a.sql("UPDATE app_keys SET wrapped = ?, sealed_in = ? WHERE id = ?"), values[1], values[2], values[0])
	}
	if err != nil {
		a.t.Errorf("row %d: %v", id, err)
		return
	}
	if a.holds[id] = place; there && place%10 == 0 {
		delete(a.holds, id)
	}
	a.writes.Add(1)
	time.Sleep(time.Millisecond) // an application that does something else as well
}

// check compares every row with what the application wrote: the region of its blob by the header, and the data key itself.
func (a *application) check(to *client.Client, region string) {
	a.t.Helper()
	rows, err := a.db.Query("SELECT id, wrapped, sealed_in FROM app_keys")
	if err != nil {
		a.t.Fatal(err)
	}
	defer rows.Close()
	group, ctx := errgroup.WithContext(a.t.Context())
	group.SetLimit(16)
	found := 0
	for ; rows.Next(); found++ {
		var id int
		var blob []byte
		var sealing string
		if err := rows.Scan(&id, &blob, &sealing); err != nil {
			a.t.Fatal(err)
		}
		group.Go(func() error { return a.checkRow(ctx, to, region, id, blob, sealing) })
	}
	if err := errors.Join(rows.Err(), group.Wait()); err != nil {
		a.t.Error(err)
	}
	if found != len(a.holds) {
		a.t.Errorf("%d rows, want %d", found, len(a.holds))
	}
}

// rollBack takes the second run back and then the first: every row holds what the application wrote, as it wrote it. The
// first finds rows that others have changed since.
func (a *application) rollBack(folder string, db []string) {
	a.t.Helper()
	verb := []string{"migrate", "rollback", "--journal"}
	says(a.t, exitDone, slices.Concat(verb, []string{filepath.Join(folder, "second"), "--dry-run"}, db)...)
	says(a.t, exitDone, slices.Concat(verb, []string{filepath.Join(folder, "second")}, db)...)
	first := says(a.t, exitFailedRows, slices.Concat(verb, []string{filepath.Join(folder, "first")}, db)...)
	a.t.Logf("the first run taken back: %s", strings.SplitN(first, "\n", 2)[0])
	rows, err := a.db.Query("SELECT id, wrapped FROM app_keys")
	if err != nil {
		a.t.Fatal(err)
	}
	defer rows.Close()
	found, wrong := 0, 0
	for ; rows.Next(); found++ {
		var id int
		var blob []byte
		if err := rows.Scan(&id, &blob); err != nil {
			a.t.Fatal(err)
		}
		text := string(blob)
		if a.name == "postgres" {
			text = base64.StdEncoding.EncodeToString(blob)
		}
		if place, there := a.holds[id]; !there || text != a.pool.blobs[place] {
			wrong++
		}
	}
	if err := rows.Err(); err != nil || wrong > 0 || found != len(a.holds) {
		a.t.Errorf("%d of %d rows are not what the application wrote, %d should be there; %v", wrong, found, len(a.holds), err)
	}
}

func (a *application) checkRow(ctx context.Context, to *client.Client, region string, id int, blob []byte, sealing string) error {
	text := string(blob)
	if a.name == "postgres" {
		text = base64.StdEncoding.EncodeToString(blob)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("row %d: %w", id, err)
	}
	parsed, err := crypto.ParseBlob(raw)
	if err != nil || parsed.Region != region {
		return fmt.Errorf("row %d is not of region %s: %v", id, region, err)
	}
	var opened struct{ Plaintext string }
	if _, err := to.Do(ctx, "Decrypt", map[string]string{"CiphertextBlob": text, "EncryptionContext": sealing}, &opened); err != nil {
		return fmt.Errorf("row %d: %w", id, err)
	}
	place, there := a.holds[id]
	if !there || opened.Plaintext != a.pool.plaintexts[place] {
		return fmt.Errorf("row %d is another data key than the application wrote", id)
	}
	return nil
}
