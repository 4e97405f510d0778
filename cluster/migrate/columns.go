package migrate

// Columns are the names of the members or columns of a row that mean something here. All others are carried through.
type Columns struct {
	ID, Blob, Context, To string
	ContextTo             string // context that the new blob is to be sealed in
	// NewContexts says that rows may get contexts that the input has no column for: the output has one then.
	NewContexts bool
	// Numbered says that the output has the number of each row in the input, as input_row, for it has them in another order.
	Numbered bool
}

// DefaultColumns are the names that are meant if nobody says.
var DefaultColumns = Columns{ID: "id", Blob: "ciphertext", Context: "context", To: "to", ContextTo: "context_to"}

// The columns that the output has besides those of the input. Where the input has them they are replaced.
const (
	ColumnFrom     = "from"
	ColumnStatus   = "status"
	ColumnInputRow = "input_row" // where rows are numbered
)

// columnRole says what the values of a column are.
type columnRole int

const (
	roleNone columnRole = iota
	roleBlob
	roleID
	roleContext
	roleContextTo
	roleTo
	roleFrom
	roleStatus
	roleNumber
)

// role is what the column of a name means. A name that somebody has given a meaning has no other.
func (c *Columns) role(name string) columnRole {
	switch name {
	case c.Blob:
		return roleBlob
	case c.ID:
		return roleID
	case c.Context:
		return roleContext
	case c.ContextTo:
		return roleContextTo
	case c.To:
		return roleTo
	case ColumnFrom:
		return roleFrom
	case ColumnStatus:
		return roleStatus
	case ColumnInputRow:
		if c.Numbered {
			return roleNumber
		}
	}
	return roleNone
}
