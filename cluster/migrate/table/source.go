package table

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Source is a database to connect to. It may hold a password, and shows none.
type Source struct {
	postgres *pgx.ConnConfig
	mysql    *mysql.Config
}

// dialTime bounds how long MySQL is dialled unless the URL says so. PostgreSQL has connect_timeout.
const dialTime = 10 * time.Second

// ParseSource reads a URL: postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS, or the same with mysql:// or mariadb://.
// Parameters are those of the drivers, jackc/pgx and go-sql-driver/mysql. Besides these MySQL has socket=PATH and
// ssl-ca=FILE. Errors repeat nothing of the URL that may be secret.
func ParseSource(text string) (*Source, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	switch {
	case ok && spilled(rest):
		return nil, errors.New("the URL has an @ or # where none belongs; what is special in a name or password is written %XX: @ %40, / %2F, ? %3F, # %23")
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return parsePostgres(text)
	case ok && (scheme == "mysql" || scheme == "mariadb"):
		return parseMySQL(text)
	}
	return nil, errors.New("want a URL that begins with postgres://, mysql:// or mariadb://")
}

// spilled says that a URL, behind its scheme, seems to have a password that was not escaped: then the end of it would be
// taken for the name of a server or a database, and shown as such.
func spilled(rest string) bool {
	before, query, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(before, "/")
	for part := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(part, "="); strings.Contains(name, "@") {
			return true
		}
	}
	return strings.Count(host, "@") > 1 || strings.Contains(path, "@") || strings.Contains(rest, "#")
}

// HasPassword says whether a URL carries a password, or cannot be read and so may carry one.
func HasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return true
	}
	if _, set := u.User.Password(); set {
		return true
	}
	for name := range u.Query() {
		if strings.Contains(strings.ToLower(name), "password") {
			return true
		}
	}
	return false
}

func parsePostgres(text string) (*Source, error) {
	cfg, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, errors.New("this is no URL of PostgreSQL, or it names a file that cannot be read; what is special in a password is written %XX")
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = applicationName
	}
	if err := setEncoding(cfg.RuntimeParams); err != nil {
		return nil, err
	}
	return &Source{postgres: cfg}, nil
}

// setEncoding has the server take our SQL as what it is, UTF-8. It would take it as text in the encoding of the database: a
// condition with umlauts would meet other rows.
func setEncoding(params map[string]string) error {
	const name = "client_encoding"
	switch strings.ToUpper(strings.ReplaceAll(params[name], "-", "")) {
	case "", "UTF8", "UNICODE":
		params[name] = "UTF8"
		return nil
	}
	return errors.New("parameters of the URL: client_encoding can be UTF8 alone; the encoding of the database may be any")
}

// applicationName is what the administrator of the database sees.
const applicationName = "meridian migrate"

func parseMySQL(text string) (*Source, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("this is no URL of MySQL; what is special in a password is written %XX")
	}
	query := u.Query()
	socket, ca := query.Get("socket"), query.Get("ssl-ca")
	query.Del("socket")
	query.Del("ssl-ca")
	address := u.Host
	if address != "" && u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "3306")
	}
	cfg, err := mysql.ParseDSN("tcp(" + address + ")/?" + query.Encode())
	if err != nil {
		return nil, fmt.Errorf("parameters of the URL: %w", err)
	}
	if cfg.DBName = strings.TrimPrefix(u.Path, "/"); cfg.DBName == "" {
		return nil, errors.New("the URL names no database: mysql://USER@HOST/DATABASE")
	}
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	if socket != "" {
		cfg.Net, cfg.Addr = "unix", socket
	}
	if ca != "" {
		if cfg.TLS, err = trusting(ca, u.Hostname()); err != nil {
			return nil, err
		}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = dialTime
	}
	return &Source{mysql: cfg}, prepareMySQL(cfg)
}

// trusting is TLS that believes the authorities of a file alone.
func trusting(file, host string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ssl-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ssl-ca: %s holds no certificate in PEM", file)
	}
	return &tls.Config{RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS12}, nil
}

// lockWait is how long a statement waits for a row or a table that others have locked, in seconds.
const lockWait = 2

// prepareMySQL sets what our SQL relies on.
func prepareMySQL(cfg *mysql.Config) error {
	cfg.Logger = &mysql.NopLogger{} // what goes wrong comes back as an error
	cfg.InterpolateParams = true    // in one round trip; the driver escapes, which is safe in this character set
	cfg.ClientFoundRows, cfg.MultiStatements, cfg.ColumnsWithAlias = false, false, false
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	ours := map[string]string{
		"autocommit": "1", "completion_type": "0", // what is read is what is there now, and locks end with the transaction
		"innodb_lock_wait_timeout": fmt.Sprint(lockWait), "lock_wait_timeout": fmt.Sprint(lockWait), // of a row, and of the table
	}
	for name := range cfg.Params { // the server takes them in any letters, and so twice
		if _, there := ours[strings.ToLower(name)]; there {
			delete(cfg.Params, name)
		}
	}
	maps.Copy(cfg.Params, ours)
	takePadding(cfg.Params)
	return cfg.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin"))
}

// takePadding leaves a mode out of those of the server, or of the URL, in which char columns are read with blanks behind
// what they hold.
func takePadding(params map[string]string) {
	modes := "@@sql_mode"
	for name, value := range params {
		if strings.EqualFold(name, "sql_mode") {
			modes = value
			delete(params, name)
		}
	}
	params["sql_mode"] = "TRIM(BOTH ',' FROM REPLACE(CONCAT(',', " + modes + ", ','), ',PAD_CHAR_TO_FULL_LENGTH,', ','))"
}

// String names the database without user, password and parameters.
func (s *Source) String() string {
	if s.postgres != nil {
		return fmt.Sprintf("postgres://%s/%s", net.JoinHostPort(s.postgres.Host, fmt.Sprint(s.postgres.Port)), s.postgres.Database)
	}
	return fmt.Sprintf("mysql://%s/%s", s.mysql.Addr, s.mysql.DBName)
}

// GoString keeps %#v from showing what String hides.
func (s *Source) GoString() string { return s.String() }

// openPostgres makes a pool of connections, which connects when it is used.
func (s *Source) openPostgres() *sql.DB { return stdlib.OpenDB(*s.postgres) }

// openMySQL is the same; only one that says so sends several statements at once.
func (s *Source) openMySQL(many bool) (*sql.DB, error) {
	cfg := s.mysql.Clone()
	cfg.MultiStatements = many
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
