package table

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestJudge(t *testing.T) {
	for code, want := range map[string]trouble{
		"40001": troubleBusy, "40P01": troubleBusy, "55P03": troubleBusy, "57014": troubleCut,
		"57P01": troubleLost, "57P03": troubleLost, "57P05": troubleLost, "25P03": troubleLost, "08006": troubleLost, "53300": troubleLost,
		"42501": troubleDenied, "28P01": troubleDenied, "23514": troubleRow, "P0001": troubleRow,
		"LH001": troubleUnknown, "42703": troubleUnknown, "XX000": troubleUnknown,
		"53100": troubleOther, "25006": troubleOther, "58030": troubleOther,
	} {
		if got := (*postgres)(nil).judge(fmt.Errorf("writing: %w", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
	for number, want := range map[uint16]trouble{
		1205: troubleBusy, 1213: troubleBusy, 1317: troubleCut, 1969: troubleCut, 3024: troubleCut, 1053: troubleLost, 1047: troubleLost, 1927: troubleLost,
		1142: troubleDenied, 1644: troubleRow, 4025: troubleRow, 31001: troubleUnknown, 1054: troubleUnknown, 1021: troubleOther, 1290: troubleOther,
	} {
		if got := (*mySQL)(nil).judge(fmt.Errorf("writing: %w", &mysql.MySQLError{Number: number})); got != want {
			t.Errorf("%d: %d, want %d", number, got, want)
		}
	}
}

// A server that starts is waited for when a table is opened, and one that does not is given up soon.
func TestOpenedAgain(t *testing.T) {
	for _, test := range []struct {
		err   error
		times int
		opens bool
	}{
		{&pgconn.PgError{Code: "57P03"}, 5, true}, {&pgconn.PgError{Code: "57P01"}, 1, true}, {io.EOF, 5, true}, {&pgconn.PgError{Code: "57014"}, 2, true},
		{io.EOF, 1000, false}, {&pgconn.PgError{Code: "28P01"}, 1, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			began, left := time.Now(), test.times
			_, err := opened(t.Context(), Spec{Table: "t"}, func() (*postgres, error) {
				if left--; left >= 0 {
					return nil, test.err
				}
				return &postgres{}, nil
			})
			if (err == nil) != test.opens || err != nil && !errors.Is(err, test.err) || time.Since(began) > openTime {
				t.Errorf("%v, %d times: %v after %s", test.err, test.times, err, time.Since(began))
			}
		})
	}
}
