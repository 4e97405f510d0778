package table

import (
	"context"

	"meridian/cluster/migrate"
)

// Restore puts Before back where After still is.
func (t *Table) Restore(ctx context.Context, changes []migrate.Change, dry bool) ([]migrate.Found, error) {
	keys := make([]string, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	records, err := t.lookUp(ctx, keys)
	if err != nil {
		return nil, err
	}
	found := make([]migrate.Found, len(changes))
	var back []change
	var places []int
	for i, c := range changes {
		if found[i] = t.compare(c, records[i]); found[i] == migrate.FoundAfter {
			back = append(back, change{Change: migrate.Change{Row: c.Row, Key: c.Key, Before: c.After, After: c.Before}})
			places = append(places, i)
		}
	}
	if dry || len(back) == 0 {
		return found, nil
	}
	results, err := t.swapAll(ctx, back, false)
	if err != nil {
		return nil, failure(t.db, "writing the table", err)
	}
	for i, r := range results {
		switch {
		case r.refused != nil || r.found == migrate.FoundBefore: // with or without a word
			found[places[i]] = migrate.FoundRefused
		case r.found != migrate.FoundAfter: // somebody was faster
			found[places[i]] = migrate.FoundOther
		}
	}
	return found, nil
}
