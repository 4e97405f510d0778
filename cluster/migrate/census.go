package migrate

import (
	"cmp"
	"io"
	"slices"

	"meridian/crypto"
)

// Count is how many blobs name one version of a key.
type Count struct {
	Region  string `json:"region"`
	Key     string `json:"key"`
	Version string `json:"version"`
	Blobs   int64  `json:"blobs"`
}

// Census counts blobs by what their headers name. It asks nobody and opens nothing, and so believes the headers.
type Census struct {
	Rows     int64   `json:"rows"`
	NotBlobs int64   `json:"not_blobs"` // rows that cannot be read, or hold no blob of Meridian
	Counts   []Count `json:"counts"`    // by region, key and version

	counts map[Count]int64
}

// Add counts the rows of a file.
func (c *Census) Add(rows Format) error {
	if c.counts == nil {
		c.counts = map[Count]int64{}
	}
	for {
		row, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		c.Rows++
		blob, err := crypto.ParseBlob(row.Blob)
		if err != nil {
			c.NotBlobs++
			continue
		}
		c.counts[Count{Region: blob.Region, Key: blob.KeyID.String(), Version: blob.VersionID.String()}]++
	}
	c.Counts = make([]Count, 0, len(c.counts))
	for what, blobs := range c.counts {
		what.Blobs = blobs
		c.Counts = append(c.Counts, what)
	}
	slices.SortFunc(c.Counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Version, b.Version))
	})
	return nil
}
