package migrate

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
)

// Faults of rows of a helper.
const (
	FaultNoID       = "NoID"       // it has no id that a helper can acknowledge, or one that is too long for that
	FaultNotWritten = "NotWritten" // the helper says that it did not write the row
)

// Exec is the medium of a program of the user's, for rows that nothing else here can read or write. It is started twice:
//
//	PROGRAM read     prints rows on its standard output, as JSON lines, in the same order each time
//	PROGRAM write    gets the rows that were moved on its standard input, in that order, with their new blobs
//
// Each row needs an id. write answers each row by a line on its standard output, in the same order: the id, once the row is
// safe with it, or the id, a tab and a reason if it did not write the row, which has failed then. It answers before it
// waits for more rows. A run goes on behind the rows of its last checkpoint, found again by their ids; of the rows behind
// it some may come to write once more, or are read with the blob that write has put there, and are kept.
type Exec struct {
	// Look, if not nil, gets the rows of the program and returns those that are moved, as [NewUnique] does.
	Look func(Format) Format
	// Silent, if not nil, is told now and then of a write that does not answer. It is waited for all the same, without end.
	Silent func(SilentProgram)

	command string
	columns Columns
	stderr  io.Writer
	grace   time.Duration // that write has once it is to end
	word    time.Duration // after how long somebody is told that it does not answer

	helpers helpers
	read    *helper
	rows    Format
	ids     hash.Hash // of all that were read
	last    string    // of these
	write   *helper
	patient func() bool // ends the patience with write
	watch   *answerWatch
}

// NewExec makes the medium of a command line of the shell. What the programs say on standard error goes to stderr.
func NewExec(command string, columns Columns, stderr io.Writer) *Exec {
	if _, file := stderr.(*os.File); !file {
		stderr = &inTurn{to: stderr} // two programs write, each through a goroutine of its own
	}
	return &Exec{command: command, columns: columns, stderr: stderr, grace: helperGrace, word: firstWord}
}

// Begin starts both programs, and reads what earlier starts have moved.
func (e *Exec) Begin(ctx context.Context, h History) (err error) {
	if err := e.startRead(); err != nil {
		return err
	}
	if err := skipRows(ctx, e, h); err != nil {
		return err
	}
	if e.write, err = e.helpers.start(e.command, "write", e.stderr, true); err != nil {
		return err
	}
	e.patient = e.write.stopAfter(ctx, e.grace)
	e.watch = &answerWatch{program: e.write.name, tell: e.Silent, word: e.word}
	return nil
}

func (e *Exec) startRead() (err error) {
	if e.read, err = e.helpers.start(e.command, "read", e.stderr, false); err != nil {
		return err
	}
	e.rows, e.ids = namedRows{NewJSONLines(e.read.stdout, e.columns)}, sha256.New()
	if e.Look != nil {
		e.rows = e.Look(e.rows)
	}
	return nil
}

// Kill kills both programs and all that they have started. It is for a process that ends at once; no other is started.
func (e *Exec) Kill() { e.helpers.kill() }

// namedRows are rows whose ids a helper can acknowledge; the others fail.
type namedRows struct{ Format }

// maxHelperID bounds an id, in bytes: what write answers has to be a line.
const maxHelperID = 1024

func (r namedRows) Next() (*Row, error) {
	row, err := r.Format.Next()
	if err != nil {
		return nil, err
	}
	switch {
	case row.ID == "" || strings.ContainsFunc(row.ID, unicode.IsControl):
		row.setFault(fault(FaultNoID, "it has no id that could be acknowledged on a line"))
	case len(row.ID) > maxHelperID:
		row.setFault(fault(FaultNoID, "its id has %d bytes, and one that can be acknowledged %d at most", len(row.ID), maxHelperID))
	default:
		return row, nil
	}
	row.ID = ""
	return row, nil
}

// Rows starts the program only to read, as for a plan.
func (e *Exec) Rows(ctx context.Context) (Format, error) {
	if err := e.startRead(); err != nil {
		return nil, err
	}
	return execRows{e.rows, ctx, e}, nil
}

// execRows are the rows of a program as a format.
type execRows struct {
	Format
	ctx  context.Context
	exec *Exec
}

func (r execRows) Next() (*Row, error) { return r.exec.Next(r.ctx) }

// Next returns the next row. It is the last one only if the program has ended well.
func (e *Exec) Next(ctx context.Context) (*Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	giveUp := e.read.stopAfter(ctx, 0)
	defer giveUp()
	row, err := e.rows.Next()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == io.EOF:
		if err := e.read.wait(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	case err != nil:
		return nil, err
	}
	e.last = row.ID
	_, _ = io.WriteString(e.ids, row.ID+"\n") // a hash takes all
	return row, nil
}

// Mark is a digest of the ids so far: the blobs may have been replaced since they were read.
func (e *Exec) Mark() Mark { return Mark{Digest: hex.EncodeToString(e.ids.Sum(nil)), Key: e.last} }

// Write gives the rows that were moved to the program, and waits until it has answered for each.
func (e *Exec) Write(_ context.Context, rows []*Row, outcomes []Outcome) error {
	var text []byte
	for i, row := range rows {
		if outcomes[i].Status == Moved {
			text = e.rows.AppendRow(text, row, &outcomes[i])
		}
	}
	// The program may answer, or end, before it has read: what is sent needs neither e nor the outcomes.
	input, sent := e.write.stdin, make(chan error, 1)
	go func() {
		_, err := input.Write(text)
		sent <- err
	}()
	defer e.watch.stop()
	err := e.answers(rows, outcomes)
	if err != nil {
		return e.writeFailed(err, sent)
	}
	return <-sent
}

// maxReason bounds what a failure repeats of a helper's reason, in bytes.
const maxReason = 1000

// answers reads what the program answers for each row.
func (e *Exec) answers(rows []*Row, outcomes []Outcome) error {
	for i, row := range rows {
		if outcomes[i].Status != Moved {
			continue
		}
		e.watch.waitFor(row.Number)
		line, err := e.write.stdout.ReadSlice('\n')
		switch {
		case (err == io.EOF || errors.Is(err, os.ErrClosed)) && e.write.wasAsked(): // whoever stopped the run waits no longer
			return fmt.Errorf("%w: %s had not answered for row %d", ErrStopped, e.write.name, row.Number)
		case err == io.EOF:
			return fmt.Errorf("%s ended before it answered for row %d", e.write.name, row.Number)
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("%s answered for row %d with a line that is too long", e.write.name, row.Number)
		case err != nil:
			return fmt.Errorf("%s: %w", e.write.name, err)
		}
		id, reason, refused := strings.Cut(string(trimEnd(line)), "\t")
		if id != row.ID {
			return fmt.Errorf("%s answered for %q where row %d is %q", e.write.name, id[:min(len(id), maxReason)], row.Number, row.ID)
		}
		if refused {
			reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
			outcomes[i] = Outcome{Status: Failed, From: outcomes[i].From, Fault: &RowError{Code: FaultNotWritten, Reason: reason}}
		}
	}
	return nil
}

// writeFailed ends the program that did not do its part, and what waits for it, and tells what became of it.
func (e *Exec) writeFailed(err error, sent <-chan error) error {
	failed := e.write
	e.write = nil
	e.patient()
	late := time.AfterFunc(time.Second, failed.stop) // one that has ended already says with what
	defer late.Stop()
	closeErr := failed.stdin.Close()
	<-sent // of no more use
	return errors.Join(failed.drain(), err, closeErr)
}

// Sync has nothing to do: what was answered for is safe.
func (e *Exec) Sync() (int64, error) { return 0, nil }

// Close ends both programs. What write ends with counts: it may have found out late that it failed.
func (e *Exec) Close() (err error) {
	if e.write != nil {
		e.patient()
		err = e.write.finish(e.grace)
	}
	if e.read != nil {
		e.read.stop()
		_ = e.read.wait() // it was asked to end, or has been told
	}
	if rows, ok := e.rows.(io.Closer); ok {
		err = errors.Join(err, rows.Close())
	}
	return err
}
