package crypto

import "encoding/binary"

// Purpose says what wrapped bytes are for, so that one kind can never be taken for another.
type Purpose string

// What a keyring wraps.
const (
	PurposeMaterial  Purpose = "material"   // of a key version
	PurposeAccessKey Purpose = "access-key" // the secret of an access key
	PurposeImport    Purpose = "import"     // the private key of an import token
	PurposeTransport Purpose = "transport"  // the private half of a transport key; its version is the name
	PurposeCanary    Purpose = "canary"     // a known text that shows that the keyring is the right one
	PurposePlace     Purpose = "place"      // where the next answer of a list goes on
)

// Binding is the place that wrapped bytes belong to. Bytes wrapped for one place cannot be unwrapped for another, even
// by someone who may write to the store. Fields that do not apply are zero.
type Binding struct {
	Region    string
	KeyID     KeyID
	VersionID VersionID
	Algorithm Algorithm // of the key version whose material it is
	Purpose   Purpose
	Name      string // of what has a name and no key id, such as an access key: its id
}

// MaterialOf returns the place of the material of a key version.
func MaterialOf(region string, key KeyID, version VersionID, algorithm Algorithm) Binding {
	return Binding{Region: region, KeyID: key, VersionID: version, Algorithm: algorithm, Purpose: PurposeMaterial}
}

// wrapDomain separates the AAD of wrapped bytes from every other use of a key.
const wrapDomain = "meridian/wrapped/1"

// appendAAD appends what wrapped bytes are authenticated with:
//
//	"meridian/wrapped/1" || format || u32(epoch) || algorithm || u32(len) || region || key id || version id ||
//	u32(len) || purpose || u32(len) || name
func (b Binding) appendAAD(dst []byte, epoch uint32) []byte {
	return b.appendTo(dst, wrapDomain, wrappedFormat, epoch)
}

// appendTo appends the place, after a domain and a format that say what for.
func (b Binding) appendTo(dst []byte, domain string, format byte, epoch uint32) []byte {
	dst = append(dst, domain...)
	dst = append(dst, format)
	dst = binary.BigEndian.AppendUint32(dst, epoch)
	dst = append(dst, byte(b.Algorithm))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b.Region)))
	dst = append(dst, b.Region...)
	dst = append(dst, b.KeyID[:]...)
	dst = append(dst, b.VersionID[:]...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b.Purpose)))
	dst = append(dst, b.Purpose...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b.Name)))
	return append(dst, b.Name...)
}
