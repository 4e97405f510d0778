package store

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	"meridian/store/internal/record"
	"meridian/store/storepb"
)

const (
	// CommandVersion is the version of storepb.Command that this build makes and
	// applies.
	CommandVersion = 1
	// CommandIDBytes is the length of a command's id. One of another length is
	// answered with a refusal.
	CommandIDBytes = record.IDBytes
)

// CheckCommand returns ErrUnknownCommand for what this build does not wholly
// understand. Committed, such a command stops the node; so it is not proposed.
func CheckCommand(c *storepb.Command) error {
	if c.Version != CommandVersion {
		return fmt.Errorf("%w: command version %d, this node knows %d", ErrUnknownCommand, c.Version, CommandVersion)
	}
	if name := unknownField(c.ProtoReflect()); name != "" {
		return fmt.Errorf("%w: unknown field in %s", ErrUnknownCommand, name)
	}
	if c.Body == nil {
		return fmt.Errorf("%w: command without a body", ErrUnknownCommand)
	}
	return nil
}

// unknownField returns the name of a message inside m that holds fields
// unknown to this build, or nothing.
func unknownField(m protoreflect.Message) (in protoreflect.FullName) {
	if len(m.GetUnknown()) > 0 {
		return m.Descriptor().FullName()
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				if in = unknownField(v.List().Get(i).Message()); in != "" {
					break
				}
			}
		default: // a map would panic: no command has one
			in = unknownField(v.Message())
		}
		return in == ""
	})
	return in
}
