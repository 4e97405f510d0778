package cluster

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"meridian/store/storepb"
)

// unfit returns why a command must not enter the log, empty when it may. A committed command that the state machine does not understand stops
// every node, so a leader proposes only what it understands itself.
func unfit(c *storepb.Command) string {
	switch {
	case c.Version != commandVersion:
		return fmt.Sprintf("command version %d, this node knows %d", c.Version, commandVersion)
	case len(c.Id) != commandIDBytes:
		return fmt.Sprintf("command id of %d bytes", len(c.Id))
	case c.Body == nil:
		return "command without a body that this node knows"
	case hasUnknown(c.ProtoReflect()):
		return "command with fields that this node does not know"
	}
	if size := proto.Size(c); size > maxCommand {
		return fmt.Sprintf("command of %d bytes, at most %d", size, maxCommand)
	}
	return ""
}

// hasUnknown looks for unknown fields in a message and all below it.
func hasUnknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			list := value.List()
			for i := range list.Len() {
				found = found || hasUnknown(list.Get(i).Message())
			}
		default:
			found = hasUnknown(value.Message())
		}
		return !found
	})
	return found
}
