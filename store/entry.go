package store

// EntryKind says what the data of an Entry is.
type EntryKind uint8

const (
	// Command: a storepb.Command.
	Command EntryKind = iota
	// Configuration: a Raft configuration, kept as it is.
	Configuration
)

// Entry is one entry of the replicated log.
type Entry struct {
	Index, Term uint64
	Kind        EntryKind
	Data        []byte
}
