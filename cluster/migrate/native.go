package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	wire "meridian/cluster/api/batch"
	"meridian/cluster/api/client"
	"meridian/crypto"
)

// WayNative is the name of the way of [Native] in a journal.
const WayNative = "native"

// Native moves rows between two regions of Meridian, many in a call: the source seals the data keys to the transport key
// of the destination, which seals them anew. Whoever moves them sees neither. Both regions answer a keyed tag of each data
// key, the destination one of what its new blob opens to: a row counts as moved only if they are the same.
type Native struct {
	from, to *Region
	routes   *routes

	mu        sync.Mutex
	transport NativeTransport
}

// NativeTransport is the public half of the destination's transport key.
type NativeTransport struct {
	Version     uint32
	Fingerprint string // sha256: and 64 hex digits
	public      *crypto.TransportPublic
}

// ErrNotMeridian says that a region does not have the actions that the native way needs.
var ErrNotMeridian = errors.New("it has no native way: it is another service, or an older version of Meridian")

// NewNative makes the way between two regions. Errors: [ErrNotMeridian] with the region's name, [ErrAnotherRegion], and
// [*NoAnswerError].
func NewNative(ctx context.Context, from, to *Region, mapping Mapping) (*Native, error) {
	n := &Native{from: from, to: to, routes: newRoutes(from, to, mapping)}
	n.routes.headersOnly = true
	if _, err := readTransport(ctx, from); errors.Is(err, ErrNotMeridian) || errors.Is(err, ErrAnotherRegion) || errors.As(err, new(*NoAnswerError)) {
		return nil, err
	} // whatever else it says, it knows the action
	var err error
	n.transport, err = readTransport(ctx, to)
	return n, err
}

// readTransport asks a region for its transport key.
func readTransport(ctx context.Context, r *Region) (NativeTransport, error) {
	var k struct {
		TransportKeyVersion uint32
		PublicKey           []byte
		Fingerprint         string
		RegionId            string
	}
	err := r.CallOwn(ctx, "GetTransportKey", nil, &k)
	var answer *client.Error
	if errors.As(err, &answer) && (answer.Code == "InvalidVersion" || answer.Code == "InvalidAction.NotFound") {
		return NativeTransport{}, fmt.Errorf("%s: %w", r.ID, ErrNotMeridian)
	}
	if err != nil {
		return NativeTransport{}, err
	}
	if err := r.is(k.RegionId); err != nil {
		return NativeTransport{}, err
	}
	public, err := crypto.ParseTransportPublic(k.PublicKey)
	if err != nil {
		return NativeTransport{}, fmt.Errorf("%s: GetTransportKey: %w", r.ID, err)
	}
	return NativeTransport{Version: k.TransportKeyVersion, Fingerprint: k.Fingerprint, public: public}, nil
}

// Transport is the key under which data keys travel now.
func (n *Native) Transport() NativeTransport {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.transport
}

// renewed reports whether the transport key is another one by now than was used.
func (n *Native) renewed(ctx context.Context, used NativeTransport) (bool, error) {
	now, err := readTransport(ctx, n.to)
	if err != nil {
		return false, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.transport = now
	// A region that was restored may have given the same number to another key.
	return now.Version != used.Version || now.public.Fingerprint() != used.public.Fingerprint(), nil
}

// Batch is as many rows as a call takes.
func (n *Native) Batch() int { return wire.MaxRows }

// Move moves rows.
func (n *Native) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	outcomes := make([]Outcome, len(rows))
	c := n.newChunk(len(rows))
	for i, row := range rows {
		o := &outcomes[i]
		way, refused, err := n.routes.of(ctx, row)
		if err != nil {
			return nil, err
		}
		switch o.From = way.source; {
		case refused != nil:
			o.Status, o.Fault = Failed, refused
			continue
		case way.kept:
			o.Status = Kept
			continue
		}
		if !c.fits(row) {
			if err := c.move(ctx); err != nil {
				return nil, err
			}
			c = n.newChunk(len(rows) - i)
		}
		c.add(row, way.id, o)
	}
	return outcomes, c.move(ctx)
}

// chunk is the rows of one call to each region.
type chunk struct {
	way     *Native
	rows    []*Row
	targets []crypto.KeyID
	results []*Outcome
	asking  int // about the bytes of the longer of both requests
	sealing int // bytes that the rows take in the request to the destination
}

// newChunk makes a chunk of at most so many rows.
func (n *Native) newChunk(rows int) *chunk {
	rows = min(rows, wire.MaxRows)
	return &chunk{way: n, rows: make([]*Row, 0, rows), targets: make([]crypto.KeyID, 0, rows), results: make([]*Outcome, 0, rows)}
}

// chunkRoom is what a request has for rows.
const chunkRoom = wire.MaxBytes - crypto.TransportPublicBytes - crypto.TransportOverhead - crypto.TagKeyBytes - 16

// rowBytes is about what a row takes in either request, at the most.
func rowBytes(row *Row) int {
	sealing := row.sealing()
	return len(row.Blob) + max(len(row.Context.Canonical()), len(sealing.Canonical())) + 32
}

// fits says whether there is room for a row. The first always fits: no blob and context are that large.
func (c *chunk) fits(row *Row) bool {
	return len(c.rows) == 0 || len(c.rows) < wire.MaxRows && c.asking+rowBytes(row) <= chunkRoom
}

func (c *chunk) add(row *Row, target crypto.KeyID, o *Outcome) {
	c.rows, c.targets, c.results = append(c.rows, row), append(c.targets, target), append(c.results, o)
	sealing := row.sealing()
	c.asking, c.sealing = c.asking+rowBytes(row), c.sealing+len(target)+2+len(sealing.Canonical())
}

// move moves the rows.
func (c *chunk) move(ctx context.Context) error {
	if len(c.rows) == 0 {
		return nil
	}
	return c.way.underTransport(ctx, func(t NativeTransport) error { return c.moveUnder(ctx, t) })
}

// maxRenewals is how often a call is made again under a renewed transport key: one that is another at each asking is none.
const maxRenewals = 5

// underTransport does what needs the transport key, again if that was renewed meanwhile.
func (n *Native) underTransport(ctx context.Context, do func(NativeTransport) error) error {
	for renewals := 0; ; renewals++ {
		used := n.Transport()
		err := do(used)
		var answer *client.Error
		if !errors.As(err, &answer) || answer.Status != http.StatusBadRequest || renewals == maxRenewals {
			return err
		}
		if renewed, again := n.renewed(ctx, used); again != nil || !renewed {
			return errors.Join(err, again)
		}
	}
}

// moveUnder moves the rows under a transport key.
func (c *chunk) moveUnder(ctx context.Context, transport NativeTransport) error {
	message, tags, err := c.way.export(ctx, transport, c.rows, c.results, carriesDataKeys)
	if err != nil {
		return err
	}
	body := wire.AppendMessage(make([]byte, 0, 4+len(message)+c.sealing), message)
	asked := make([]int, 0, len(c.rows))
	for i, row := range c.rows {
		if tags[i] == nil {
			continue
		}
		asked = append(asked, i)
		sealing := row.sealing()
		body = wire.AppendBytes(append(body, c.targets[i][:]...), sealing.Canonical())
	}
	if len(asked) == 0 {
		return nil
	}
	answer, err := c.way.to.CallRows(ctx, "ImportDataKeys", transport.params("From", c.way.from.ID), body)
	if err != nil {
		return err
	}
	r := wire.NewReader(answer)
	for _, i := range asked {
		tag, why := r.Outcome()
		o := c.results[i]
		switch {
		case r.Err() != nil:
		case why != nil:
			o.Status, o.Fault = Failed, &RowError{Code: why.Code, Reason: why.Message}
		case string(tag) != string(tags[i]):
			r.Bytes()
			o.Status, o.Fault = Failed, fault(FaultDiffers, "the new blob holds another data key: it was not written")
		default:
			o.Status, o.Blob = Moved, r.Bytes()
			if made, err := crypto.ParseBlob(o.Blob); err != nil || made.Region != c.way.to.ID || made.KeyID != c.targets[i] {
				*o = Outcome{From: o.From, Status: Failed, Fault: fault(FaultDiffers, "what %s answered is no blob of the key that was asked for: it was not written", c.way.to.ID)}
			}
		}
	}
	return wholeAnswer(r, c.way.to, "ImportDataKeys")
}

// Words of the parameter Carries of ExportDataKeys.
const (
	carriesDataKeys = "data-keys"
	carriesTags     = "tags"
)

// params are the parameters of a batch action. The side is From or To, with the other region.
func (t NativeTransport) params(side, region string) map[string]string {
	return map[string]string{side: region, "TransportKeyVersion": strconv.FormatUint(uint64(t.Version), 10)}
}

// export has the source seal the data keys of rows, or the key of their tags alone. It returns the tag of each row that was
// not refused; the others have their outcome.
func (n *Native) export(ctx context.Context, transport NativeTransport, rows []*Row, results []*Outcome, carries string) (message []byte, tags [][]byte, err error) {
	size := 2 + crypto.TransportPublicBytes
	for _, row := range rows {
		size += rowBytes(row)
	}
	body := wire.AppendBytes(make([]byte, 0, size), transport.public.Bytes())
	for _, row := range rows {
		body = wire.AppendBytes(wire.AppendBytes(body, row.Blob), row.Context.Canonical())
	}
	params := transport.params("To", n.to.ID)
	params["Carries"] = carries
	answer, err := n.from.CallRows(ctx, "ExportDataKeys", params, body)
	if err != nil {
		return nil, nil, err
	}
	r := wire.NewReader(answer)
	message = r.Message()
	tags = make([][]byte, len(rows))
	for i := range rows {
		tag, why := r.Outcome()
		if tags[i] = tag; why != nil {
			results[i].Status, results[i].Fault = Failed, &RowError{Code: why.Code, Reason: why.Message}
		}
	}
	return message, tags, wholeAnswer(r, n.from, "ExportDataKeys")
}

// wholeAnswer refuses an answer that is not of the form that was asked for.
func wholeAnswer(r *wire.Reader, of *Region, action string) error {
	if r.Err() != nil || r.More() {
		return fmt.Errorf("%s: the answer of %s is not of its form", of.ID, action)
	}
	return nil
}

// Plan sorts every row by where it is from and where it would go, and has both regions try what each group needs.
func (n *Native) Plan(ctx context.Context, rows Format, each func(Failure) error) (*Plan, error) {
	return planRows(ctx, n, rows, each)
}

// sides returns what a plan asks.
func (n *Native) sides() (*Region, *routes) { return n.from, n.routes }

// tooLarge is never: a call takes whatever a blob can hold.
func (n *Native) tooLarge(*Row) *RowError { return nil }

// tryFrom is a dry run of the source's part.
func (n *Native) tryFrom(ctx context.Context, row *Row, _ route) error {
	transport := n.Transport()
	body := wire.AppendBytes(nil, transport.public.Bytes())
	body = wire.AppendBytes(wire.AppendBytes(body, row.Blob), row.Context.Canonical())
	params := transport.params("To", n.to.ID)
	params["DryRun"] = "true"
	_, err := n.from.CallRows(ctx, "ExportDataKeys", params, body)
	return dryRun(err)
}

// tryTo is a dry run of the destination's part, with a data key of its own.
func (n *Native) tryTo(ctx context.Context, row *Row, way route) error {
	transport := n.Transport()
	sample := crypto.NewTagKey()
	inside := wire.AppendBytes(crypto.NewTagKey(), sample)
	journey := crypto.Journey{From: n.from.ID, To: n.to.ID, Version: transport.Version, Purpose: crypto.CarriesDataKeys}
	message, err := transport.public.Seal(journey, inside)
	if err != nil {
		return err
	}
	sealing := row.sealing()
	body := append(wire.AppendMessage(nil, message), way.id[:]...)
	body = wire.AppendBytes(body, sealing.Canonical())
	params := transport.params("From", n.from.ID)
	params["DryRun"] = "true"
	_, err = n.to.CallRows(ctx, "ImportDataKeys", params, body)
	return dryRun(err)
}

// tagRows has the destination tag the data keys of rows, under the key that a message carries.
func (n *Native) tagRows(ctx context.Context, transport NativeTransport, message []byte, rows []*Row) (answer []byte, err error) {
	body := wire.AppendMessage(nil, message)
	for _, row := range rows {
		body = wire.AppendBytes(wire.AppendBytes(body, row.Blob), row.Context.Canonical())
	}
	return n.to.CallRows(ctx, "TagDataKeys", transport.params("From", n.from.ID), body)
}
