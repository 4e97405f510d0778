package migrate

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// MaxShards bounds into how many parts an input is divided.
const MaxShards = 4096

// Shard is the part of an input that one of several runs moves. The zero value is all of it.
//
// A row belongs to the shard that the hash of its id says, or its number where it has no id. So rows with one id meet in
// one shard, and a duplicate is found there; and every row, broken or not, belongs to exactly one. Each run reads the whole
// input: reading takes a small part of the time that moving does.
type Shard struct{ Index, Count int } // Index from 1 to Count

// ParseShard reads I/N, of 1/1 to 4096/4096.
func ParseShard(text string) (Shard, error) {
	index, count, _ := strings.Cut(text, "/")
	i, err := strconv.Atoi(index)
	n, countErr := strconv.Atoi(count)
	if err != nil || countErr != nil || i < 1 || i > n || n > MaxShards {
		return Shard{}, fmt.Errorf("shard %q: want I/N with I from 1 to N, and N at most %d", text, MaxShards)
	}
	return Shard{i, n}, nil
}

// has says that a row is of this shard.
func (s Shard) has(row *Row) bool {
	if s.Count <= 1 {
		return true
	}
	return place(row)%uint64(s.Count) == uint64(s.Index-1)
}

// Rows passes on the rows of a shard alone.
func (s Shard) Rows(all Format) Format { return &shardRows{all, s} }

type shardRows struct {
	Format
	shard Shard
}

func (s *shardRows) Next() (*Row, error) {
	for {
		if row, err := s.Format.Next(); err != nil || s.shard.has(row) {
			return row, err
		}
	}
}

// place spreads rows evenly. It is the same on every machine and in every version: the shards of one input need not be
// moved by the same one.
func place(row *Row) uint64 {
	if row.ID == "" {
		return uint64(row.Number)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(row.ID)) // it never fails
	n := h.Sum64()
	return n ^ n>>32 // the low bits alone are not spread well
}
